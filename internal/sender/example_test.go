// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

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
