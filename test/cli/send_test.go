// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

func TestSendExample(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	// Without a URL nothing is needed: it is for a file.
	contract, err := system.ContractExample()
	g.Expect(err).NotTo(HaveOccurred())
	nobody := &person{t: t, kubeconfig: "/dev/null"}
	g.Expect(nobody.does("send", "--example", "--start", "2023-07-03 12:53:41")).To(MatchJSON(contract))

	school := openSchool(t)
	school.apply(school.labPolicy())
	file := filepath.Join(t.TempDir(), "url")
	g.Expect(os.WriteFile(file, []byte(school.URLs[0]+"\n"), 0o600)).To(Succeed())
	args := []string{"send", "--example", "--user", "41", "--enrollment", "42", "--url-file", file,
		"--start", "2026-03-01 00:00:00"}
	name := fmt.Sprintf("%s/%d-123456-42-41", school.Namespace, school.ID)
	g.Expect(nobody.does(args...)).To(And(MatchRegexp(`^200 created, delivery id \S+\n`),
		ContainSubstring("completion "+name+"\n"), ContainSubstring("warnings: CourseIDsDiffer")))
	g.Expect(nobody.does(args...)).To(HavePrefix("200 duplicate"))
	g.Expect(nobody.does(append(args, "--start", "2026-03-04 05:06:07")...)).To(HavePrefix("200 updated"))
	school.awaitGrant(fmt.Sprintf("lab.%d-41", school.ID), v1alpha1.GrantActive)

	g.Expect(nobody.fails(append(args, "--institution", "1")...)).To(Equal(
		"error: the delivery was not accepted: institution.id must be the institution in the webhook URL\n" +
			"Give other values: see `kubectl course send --help`\n"))
	g.Expect(nobody.fails("send", "--example", "--url", school.URLs[0]+"x")).To(And(
		ContainSubstring("the token is not valid for it"), ContainSubstring("`kubectl course token add` creates another one"),
		Not(ContainSubstring(school.URLs[0]))))
}

func TestSendCalledWrongly(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		"error: no webhook URL: give --url or --url-file, see --help\n": {"send"},
		"error: --user needs --example":                                 {"send", "--user", "4"},
		"error: unknown flag: --nonsense":                               {"send", "--nonsense"},
		"error: takes no arguments":                                     {"send", "something"},
	} {
		got := administrator(t).course(want...)
		NewWithT(t).Expect(got.code).To(Equal(2), got.String())
		NewWithT(t).Expect(got.err).To(HavePrefix(args))
	}
}
