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

package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	g.Expect(administrator(t).does("version")).To(And(
		MatchRegexp(`Plugin: +\S+`), MatchRegexp(`API: +completions.lxp.dev/v1alpha1\n`),
		MatchRegexp(`Controller-manager: +\S*course-completion-operator\S*\n`),
		MatchRegexp(`Webhook server: +\S*course-completion-operator\S*\n`)))
	g.Expect(administrator(t).does("version", "--client", "-o", "json")).To(MatchJSON(`{"plugin": "dev"}`))

	// Who may not look at the programs is told so, which is no error.
	school := openSchool(t)
	g.Expect(school.with().does("version")).To(And(
		MatchRegexp(`Controller-manager: +unknown\n`), ContainSubstring("is forbidden")))
}

// The plugin works where kubectl finds it.
func TestKubectlFindsThePlugin(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	kubectl := exec.CommandContext(t.Context(), plane.KubectlPath(), "course", "version", "--client")
	kubectl.Env = append(os.Environ(), "KUBECONFIG="+plane.Kubeconfig(), "KUBERC=off",
		"PATH="+filepath.Dir(plugin)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	out, err := kubectl.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out))
	g.Expect(string(out)).To(ContainSubstring("Plugin:"))
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	g.Expect(administrator(t).fails("version", "--nonsense")).To(Equal(
		"error: unknown flag: --nonsense\nSee 'kubectl course version --help' for usage.\n"))
	g.Expect(administrator(t).fails("versio")).To(And(ContainSubstring("unknown command"), ContainSubstring("version")))
	g.Expect(administrator(t).fails("version", "-o", "xml")).To(ContainSubstring("use one of json, yaml"))
}
