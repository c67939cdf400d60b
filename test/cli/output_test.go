// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// dataVersion is the apiVersion of what is no object of the API.
const dataVersion = "cli.completions.lxp.dev/v1alpha1"

// Whatever a command prints, it prints as JSON and YAML of the same structure, with an apiVersion and a kind; what has
// a table has none of its headers with --no-headers; and names are resource/name.
func TestOutputs(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	startKubelet(t)
	school := openSchool(t)
	school.apply(school.labPolicy(func(p *v1alpha1.CompletionPolicy) {
		p.Spec.OnPolicyRemoval = v1alpha1.RemovalDelete
	}))
	school.deliver(1)
	grant := fmt.Sprintf("lab.%d-1", school.ID)
	school.awaitGrant(grant, v1alpha1.GrantActive)
	school.deliver(2, map[string]any{"course.id": 99})
	p := school.with("completion-viewer", "completion-institution-admin", "completion-policy-author")
	for _, role := range []string{"completion-operations", "completion-inbox-admin"} {
		p.bind(system.Namespace, role)
	}
	g.Eventually(func() string { return p.does("report") }, soon, often).Should(
		ContainSubstring("Completions: 2, granted"))
	g.Eventually(func() string { return p.does("deliveries", "--user=1") }, soon, often).Should(ContainSubstring("123456"))
	rows := filepath.Join(t.TempDir(), "rows.csv")
	g.Expect(os.WriteFile(rows, []byte(importHeader+importRow(3)), 0o600)).To(Succeed())
	const api = "completions.lxp.dev/v1alpha1"
	for _, tc := range []struct {
		args, version, kind, names, header string
	}{
		{args: "status", kind: "Status", names: "institution.completions.lxp.dev/institution"},
		{args: "why 1", kind: "Explanation"},
		{args: "preview --delete lab", kind: "Preview", header: "USER"},
		{args: "report", kind: "Report", header: "MONTH"},
		{args: "deliveries --user 1", kind: "DeliveryList", header: "OUTCOME"},
		{args: "token list", kind: "TokenList", names: "secret/token", header: "SECRET"},
		{args: "inbox list -n " + school.Namespace, kind: "InboxRecordList", header: "REPLICA"},
		{args: "inbox list --totals", kind: "InboxTotalList", header: "REPLICA"},
		{args: "version", kind: "Version"},
		{args: "doctor", kind: "FindingList"},
		{args: "export --user 1", kind: "PersonalData"},
		{args: "erase --user 1 --dry-run", kind: "Erasure"},
		{args: "import --dry-run --institution 7 -f " + rows, kind: "Import"},
		{args: "create seatpool tutors --capacity 3 --dry-run", version: api, kind: "SeatPool",
			names: "seatpool.completions.lxp.dev/tutors"},
		{args: "create policy p --course 1 --namespace-name x --export", version: api, kind: "CompletionPolicy",
			names: "completionpolicy.completions.lxp.dev/p"},
		{args: "create institution 7 --namespace-prefix grad- --export", version: "v1", kind: "List"},
		{args: "suspend policy lab --dry-run", version: api, kind: "CompletionPolicy",
			names: "completionpolicy.completions.lxp.dev/lab"},
		{args: "suspend institution --dry-run", version: api, kind: "Institution",
			names: "institution.completions.lxp.dev/institution"},
		{args: "revoke --reason left --dry-run " + grant, version: api, kind: "Grant",
			names: "grant.completions.lxp.dev/" + grant},
	} {
		t.Run(tc.args, func(t *testing.T) {
			g := NewWithT(t)
			args := strings.Fields(tc.args)
			got, fields := p.course(append(args, "-o", "json")...), map[string]any{}
			g.Expect(json.Unmarshal([]byte(got.out), &fields)).To(Succeed(), got.String())
			if tc.version == "" {
				tc.version = dataVersion
			}
			g.Expect(fields).To(And(HaveKeyWithValue("apiVersion", tc.version), HaveKeyWithValue("kind", tc.kind)))
			got, again := p.course(append(args, "-o", "yaml")...), map[string]any{}
			g.Expect(yaml.UnmarshalStrict([]byte(got.out), &again)).To(Succeed(), got.String())
			g.Expect(structure(again)).To(Equal(structure(fields)))
			if tc.names != "" {
				g.Expect(p.does(append(args, "-o", "name")...)).To(Equal(tc.names + "\n"))
			}
			if tc.header != "" {
				g.Expect(p.course(args...).out).To(ContainSubstring(tc.header))
			}
			if tc.header == "" {
				tc.header = "no header"
			}
			g.Expect(p.course(append(args, "--no-headers")...).out).NotTo(ContainSubstring(tc.header))
		})
	}
}

// structure is which fields there are, without their values, which may change while the test looks.
func structure(value any) any {
	switch value := value.(type) {
	case map[string]any:
		fields := map[string]any{}
		for name, field := range value {
			// These are of whatever other tests deliver.
			if fields[name] = structure(field); name == "namespaces" {
				fields[name] = nil
			}
		}
		return fields
	case []any:
		if len(value) == 0 {
			return "list"
		}
		return []any{structure(value[0])}
	}
	return "value"
}
