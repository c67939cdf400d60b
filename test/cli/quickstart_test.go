// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

var (
	// session is a block of the quickstart: a command of the plugin, and what it prints.
	session = regexp.MustCompile("(?ms)^```console\n\\$ (kubectl course .*?[^\\\\])\n(.*?)^```$")
	// varies is what differs between two runs: ids of deliveries, what a delivery that is sent again is answered, and
	// whether a day ago is today in the institution's time zone.
	varies = regexp.MustCompile(`\d today|200 (created|queued|duplicate)|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
)

// Every command of the plugin in docs/quickstart.md prints what the page says, in the page's order, on an
// installation that has nothing yet.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	startKubelet(t)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "quickstart.md"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	id, _, prefix := noSchool()
	// The institution is another one, so that other tests can use that of the examples.
	text := regexp.MustCompile(`\b12345\b`).ReplaceAllString(string(page), id)
	text = strings.NewReplacer("grad-", prefix, "http://127.0.0.1:8080", operator.URL).Replace(text)
	e := &examples{t: t, dir: t.TempDir(), tool: administrator(t)}
	e.link()
	steps := session.FindAllStringSubmatch(text, -1)
	if len(steps) < 4 {
		t.Fatalf("the quickstart has %d commands of the plugin", len(steps))
	}
	for _, step := range steps {
		line, want := step[1], varies.ReplaceAllString(step[2], "...")
		creates := strings.HasPrefix(line, "kubectl course create")
		if creates {
			// On a busy machine it takes longer than people would wait.
			line += " --timeout 3m"
		}
		run := func() string {
			ctx, cancel := context.WithTimeout(t.Context(), 2*soon)
			defer cancel()
			cmd := e.command(ctx, line)
			cmd.WaitDelay = time.Second
			out, err := cmd.CombinedOutput()
			if err != nil {
				return err.Error() + "\n" + string(out)
			}
			return varies.ReplaceAllString(string(out), "...")
		}
		if creates {
			NewWithT(t).Expect(run()).To(Equal(want), line)
			continue
		}
		// What is granted takes a moment.
		NewWithT(t).Eventually(run, soon, time.Second).Should(Equal(want), line)
	}
}
