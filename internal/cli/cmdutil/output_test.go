// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"bytes"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// row is what a command prints many of.
type row struct {
	Z string `json:"z"`
	A []int  `json:"a,omitempty"`
}

// given returns the flags of a command as somebody gave them.
func given(t *testing.T, args ...string) *Output {
	t.Helper()
	o, cmd := &Output{}, &cobra.Command{}
	o.AddFlags(cmd, "Row", Name)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	if err := cmd.PreRunE(cmd, nil); err != nil {
		t.Fatal(err)
	}
	return o
}

// What is printed as it comes is what is printed of all of it.
func TestRowsAsData(t *testing.T) {
	t.Parallel()
	for _, rows := range [][]row{
		nil, {{Z: "one"}}, {{"two\n\n  lines\n", []int{1, 2}}, {Z: strings.Repeat("long ", 40)}, {}},
	} {
		for _, args := range [][]string{{"-o", "json"}, {"-o", "yaml"}, {"-o", "kyaml"}, {"-o", "jsonpath={.items[*].z}"},
			{"--template", "{{range .items}}{{.z}}{{end}}"}} {
			g := NewWithT(t)
			o := given(t, args...)
			var whole, listed bytes.Buffer
			done, err := o.Document(&whole, rows)
			g.Expect(done, err).To(BeTrue())
			o = given(t, args...)
			list := o.List(&listed)
			for _, one := range rows {
				g.Expect(list.Add(one)).To(Succeed())
			}
			g.Expect(list.Close()).To(Succeed())
			if !o.Is("yaml") {
				g.Expect(listed.String()).To(Equal(whole.String()), "%v", args)
			}
			if strings.HasPrefix(args[1], "json") && args[1] != "json" || args[0] != "-o" {
				continue
			}
			// Lines are broken elsewhere, which means the same.
			var a, b struct {
				APIVersion, Kind string
				Items            []row
			}
			g.Expect(yaml.Unmarshal(whole.Bytes(), &a)).To(Succeed())
			g.Expect(yaml.UnmarshalStrict(listed.Bytes(), &b)).To(Succeed(), listed.String())
			g.Expect(b).To(Equal(a))
			g.Expect(a.Items).To(HaveLen(len(rows)))
			g.Expect(a.Kind).To(Equal("RowList"))
			g.Expect(a.APIVersion).To(Equal(DataVersion))
		}
	}
}

// For people nothing is printed as data, and by name there are names.
func TestFormats(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	pool := &v1alpha1.SeatPool{}
	pool.Name = "tutors"
	for format, want := range map[string]string{
		"table": "A\n1\n", "wide": "A\n1\n", "name": "seatpool.completions.lxp.dev/tutors\n",
		"json": "{\n    \"apiVersion\": \"" + DataVersion + "\",\n    \"kind\": \"Row\",\n    \"z\": \"\"\n}\n"} {
		o := given(t, "-o", format)
		var out bytes.Buffer
		if done, err := o.Document(&out, row{}); !done && err == nil {
			if done, err = o.Names(&out, client.Object(pool)); !done && err == nil {
				g.Expect(o.Table(&out, []string{"A"}, [][]string{{"1"}})).To(Succeed())
			}
		}
		g.Expect(out.String()).To(Equal(want), format)
	}
	var out bytes.Buffer
	g.Expect(given(t, "--no-headers").Table(&out, []string{"A"}, [][]string{{"1"}})).To(Succeed())
	g.Expect(out.String()).To(Equal("1\n"))
}
