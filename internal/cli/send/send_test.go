// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package send

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

const token = "0123456789abcdef0123456789abcdef"

func newOptions(stdin string) *options {
	return &options{Factory: cmdutil.NewFactory(genericiooptions.IOStreams{In: strings.NewReader(stdin)})}
}

func TestFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "urls")
	if err := os.WriteFile(file, []byte("\nhttp://a/webhooks/8/"+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 5, time.UTC)
	one := []sender.Institution{{ID: 7, URLs: []string{"http://a/webhooks/7/" + token}}}
	for _, tc := range []struct {
		name  string
		args  []string
		stdin string
		want  sender.Plan
		fault string
	}{
		{
			name: "everything",
			args: []string{
				"--url", "http://a/webhooks/7/" + token, "--url-file", file, "--courses", "1, 2", "--mix", "new=1",
				"--start", "2026-01-02 03:04:05", "--seed", "9",
			},
			want: sender.Plan{
				Institutions: append(one, sender.Institution{ID: 8, URLs: []string{"http://a/webhooks/8/" + token}}),
				Courses:      []v1alpha1.PlatformID{1, 2}, Seed: 9, Mix: sender.Mix{sender.KindNew: 1},
				Start: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			},
		},
		{
			name: "defaults, and the URL on stdin", args: []string{"--url-file", "-", "--seed", "1"},
			stdin: "http://a/webhooks/7/" + token,
			want: sender.Plan{
				Institutions: one, Courses: []v1alpha1.PlatformID{123456, 123457, 123458}, Seed: 1,
				Mix: sender.DefaultMix(), Start: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
			},
		},
		{name: "no URL", fault: "give --url or --url-file"},
		{name: "no such file", args: []string{"--url-file", file + "x"}, fault: "--url-file"},
		{name: "not a webhook URL", args: []string{"--url", "http://a/" + token}, fault: "webhook URL 1"},
		{name: "bad mix", args: []string{"--url-file", file, "--mix", "new"}, fault: "--mix"},
		{name: "bad start", args: []string{"--url-file", file, "--start", "today"}, fault: "--start"},
		{name: "bad course", args: []string{"--url-file", file, "--courses", "x"}, fault: "--courses"},
		{name: "no connection", args: []string{"--url-file", file, "--connections", "0"}, fault: "connections is 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			o := newOptions(tc.stdin)
			cmd := &cobra.Command{}
			o.bind(cmd)
			g.Expect(cmd.ParseFlags(tc.args)).To(Succeed())
			got, err := o.plan(now)
			if tc.fault != "" {
				g.Expect(err).To(MatchError(ContainSubstring(tc.fault)))
				g.Expect(err.Error()).NotTo(ContainSubstring(token))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(cmp.Diff(tc.want, got)).To(BeEmpty())
		})
	}
}

func TestSeedsAreChosen(t *testing.T) {
	g := NewWithT(t)
	o := newOptions("")
	o.bind(&cobra.Command{})
	o.webhook.URLs = []string{"http://a/webhooks/7/" + token}
	plan, err := o.plan(time.Now())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(plan.Seed).To(And(BeNumerically(">", 0), BeNumerically("<=", maxRandomSeed)))
}

// The example is of yesterday, and of another time where somebody says so.
func TestTheExampleIsOfYesterday(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 5, time.UTC)
	for start, want := range map[string]string{"": "2026-11-22 12:00:00", "2025-01-02 03:04:05": "2025-01-02 03:04:05"} {
		g := NewWithT(t)
		o := newOptions("")
		var out strings.Builder
		o.Out, o.Clock = &out, testingclock.NewFakePassiveClock(now)
		cmd := &cobra.Command{}
		o.bind(cmd)
		g.Expect(cmd.ParseFlags([]string{"--example", "--start", start})).To(Succeed())
		g.Expect(o.sendExample(t.Context())).To(Succeed())
		g.Expect(out.String()).To(ContainSubstring(`"send_at":%q`, want))
	}
}

func TestFlagsOfTheExample(t *testing.T) {
	for args, fault := range map[string]string{
		"--user=7": "needs --example", "--example --user=0": "use an id from 1",
		"--example --count=2": "which sends one delivery", "--example --user=7": "",
	} {
		g := NewWithT(t)
		o := newOptions("")
		cmd := &cobra.Command{}
		o.bind(cmd)
		g.Expect(cmd.ParseFlags(strings.Fields(args))).To(Succeed())
		if err := o.example.validate(cmd); fault == "" {
			g.Expect(err).NotTo(HaveOccurred())
		} else {
			g.Expect(err).To(MatchError(ContainSubstring(fault)))
		}
	}
}
