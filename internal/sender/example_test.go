/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package sender

import (
	"os"
	"testing"

	. "github.com/onsi/gomega"
)

func TestTheExampleIsThatOfTheContract(t *testing.T) {
	g := NewWithT(t)
	contract, err := os.ReadFile("../../webhookserver/testdata/contract-example.json")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(contractExample)).To(Equal(string(contract)))
	got, err := Example(nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(got)).To(MatchJSON(contract))
}

func TestValuesOfTheExample(t *testing.T) {
	g := NewWithT(t)
	got, err := Example(map[string]any{"user.id": 7, "event.send_at": "2026-01-02 03:04:05"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(got)).To(And(ContainSubstring(`"user":{"cpf":"123.456.789-99","email":"student@toolzz.com","id":7`),
		ContainSubstring(`"send_at":"2026-01-02 03:04:05"`), ContainSubstring(`"id":12345`)))
	_, err = Example(map[string]any{"user.mail": "x"})
	g.Expect(err).To(MatchError("the contract has no field user.mail"))
	got, err = Compose(map[string]any{"user.id": "7", "event.slug": "x", "user.name": nil})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(got)).To(MatchJSON(`{"event": {"slug": "x"}, "data": {"user": {"id": "7", "name": null}}}`))
}
