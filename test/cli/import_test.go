// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

const importHeader = "user.id,user.name,user.email,course.id,enrollment.id,enrollment.course_id,enrollment.actived," +
	"enrollment.status,enrollment.date_expire,event.send_at\n"

// importRow is a completion of course 123456.
func importRow(user int) string {
	return fmt.Sprintf("%d,Ana Souza,ana-%d@example.edu,123456,%d,123456,1,1,2046-12-31,2026-10-01 12:00:00\n",
		user, user, user+1000)
}

// write makes a file, and one with the school's webhook URL beside it.
func (s *school) write(content string) (file, url string) {
	s.t.Helper()
	dir := s.t.TempDir()
	file, url = filepath.Join(dir, "export.csv"), filepath.Join(dir, "url")
	NewWithT(s.t).Expect(os.WriteFile(file, []byte(content), 0o600)).To(Succeed())
	NewWithT(s.t).Expect(os.WriteFile(url, []byte(s.URLs[0]), 0o600)).To(Succeed())
	return file, url
}

// outcomes matches a summary in which every row that was taken has one outcome, or waits in the inbox because the API
// server did not answer in time.
func outcomes(summary, outcome string) types.GomegaMatcher {
	return MatchRegexp("^%s\n( +[0-9]+  (%s|queued)\n)+$", summary, outcome)
}

func TestImport(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	file, url := school.write(importHeader + importRow(1) + importRow(2) +
		strings.Replace(importRow(3), "2026-10-01", "2026-13-01", 1) + "4,too short\n")
	nobody := &person{t: t, kubeconfig: "/dev/null"}

	// The check needs no cluster, and says what the server would.
	rejected := strings.TrimSuffix(file, ".csv") + ".rejected.csv"
	checked := nobody.course("import", "-f", file, "--institution", school.ID.String(), "--dry-run")
	g.Expect(checked.code).To(Equal(1), checked.String())
	g.Expect(checked.out).To(Equal("4 rows: 2 would be accepted, 2 refused\n"))
	g.Expect(checked.err).To(ContainSubstring(rejected))
	before, err := os.ReadFile(rejected)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(before)).To(And(
		ContainSubstring("4,\"event.send_at must be a valid date and time as a string"),
		ContainSubstring("\n5,\"has 2 columns, and the header has 10\",4,too short\n")))
	list := &v1alpha1.CourseCompletionList{}
	g.Expect(admin.List(t.Context(), list, client.InNamespace(school.Namespace))).To(Succeed())
	g.Expect(list.Items).To(BeEmpty())

	// Nobody can be asked, and somebody says no.
	args := []string{"import", "-f", file, "--url-file", url}
	said := nobody.fails(args...)
	g.Expect(said).To(Or(ContainSubstring("give --yes"), ContainSubstring("nothing was changed")))
	g.Expect(said).To(ContainSubstring("4 rows: 2 are valid, and 2 will be refused."))

	got := nobody.course(append(args, "--yes")...)
	g.Expect(got.code).To(Equal(1), got.String())
	g.Expect(got.out).To(outcomes("4 rows: 2 taken, 2 refused", "created"))
	after, err := os.ReadFile(rejected)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(strings.SplitAfter(string(after), "\n")).To(ConsistOf(strings.SplitAfter(string(before), "\n")),
		"the server refuses what the check refused, with the same words")
	for user := 1; user <= 2; user++ {
		school.awaitGrant(fmt.Sprintf("lab.%d-%d", school.ID, user), v1alpha1.GrantActive)
	}

	// What is put right is imported as it is.
	mended, _, _ := strings.Cut(string(before), "5,\"has 2 columns")
	mended = strings.Replace(mended, "2026-13-01", "2026-11-01", 1)
	g.Expect(os.WriteFile(rejected, []byte(mended), 0o600)).To(Succeed())
	g.Expect(nobody.does("import", "-f", rejected, "--url-file", url, "--yes")).To(
		outcomes("1 rows: 1 taken, 0 refused", "created"))
	g.Expect(nobody.course(append(args, "--yes")...).out).To(outcomes("4 rows: 2 taken, 2 refused", "duplicate"))

	g.Expect(nobody.fails("import", "-f", file, "--url", school.URLs[0]+"x", "--yes")).To(And(
		ContainSubstring("answers 401"), Not(ContainSubstring(school.URLs[0]))))
	g.Expect(nobody.courseInput(importHeader+importRow(1), "import", "-f", "-", "--url-file", url, "--yes").out).To(
		outcomes("1 rows: 1 taken, 0 refused", "duplicate"))
}

// Limits of the institution hold, and cost time alone.
func TestImportHonoursLimits(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t, func(spec *v1alpha1.InstitutionSpec) {
		spec.Limits = v1alpha1.LimitsSpec{DeliveriesPerSecond: 10, Burst: 5}
	})
	content := importHeader
	for user := 1; user <= 30; user++ {
		content += importRow(user)
	}
	file, url := school.write(content)
	nobody := &person{t: t, kubeconfig: "/dev/null"}
	g.Expect(nobody.does("import", "-f", file, "--url-file", url, "--yes")).To(And(
		MatchRegexp("^30 rows: 30 taken, 0 refused\n( +[0-9]+  (created|queued)\n)+"),
		ContainSubstring("asked to wait, and the row was posted again")))
}

// importedRows is how many are imported when it is interrupted; COURSE_IMPORT_ROWS=20000 takes some minutes.
func importedRows(t *testing.T) int {
	if text := os.Getenv("COURSE_IMPORT_ROWS"); text != "" {
		rows, err := strconv.Atoi(text)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		return rows
	}
	return 2000
}

func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	rows := importedRows(t)
	var content strings.Builder
	content.WriteString(importHeader)
	for user := 1; user <= rows; user++ {
		content.WriteString(importRow(user))
	}
	file, url := school.write(content.String())
	nobody := &person{t: t, kubeconfig: "/dev/null"}
	goOn := ""
	for n, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL, syscall.SIGINT} {
		cmd := nobody.command("import", "-f", file, "--url-file", url, "--yes", "--connections", "16")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		g.Expect(cmd.Start()).To(Succeed())
		g.Eventually(func(g Gomega) {
			g.Expect(school.count(g)).To(BeNumerically(">", (n+1)*rows/5))
		}, soon*time.Duration(max(1, rows/2000)), often).Should(Succeed())
		g.Expect(cmd.Process.Signal(signal)).To(Succeed())
		g.Expect(cmd.Wait()).NotTo(Succeed(), out.String())
		if signal == syscall.SIGINT {
			g.Expect(out.String()).To(And(ContainSubstring("error: interrupted"), MatchRegexp(`--from-line \d+ leaves`)))
			goOn = regexpFind(t, out.String(), `--from-line (\d+) leaves`)
		}
		g.Expect(school.count(g)).To(BeNumerically("<", rows), "it was interrupted too late to say anything")
	}
	// What is before the line that it names has arrived.
	again := []string{"import", "-f", file, "--url-file", url, "--yes", "--connections", "16"}
	nobody.does(append(slices.Clone(again), "--from-line", goOn)...)
	g.Eventually(func(g Gomega) { g.Expect(school.count(g)).To(Equal(rows)) }, soon, often).Should(Succeed())
	last := nobody.does(again...)
	t.Log(last)
	g.Expect(last).To(
		And(HavePrefix("%d rows: %d taken, 0 refused\n", rows, rows), ContainSubstring("duplicate")))

	// What a slow API server did not take at once waits in the inbox, and is stored later.
	g.Eventually(func(g Gomega) { g.Expect(school.count(g)).To(Equal(rows)) }, soon, often).Should(Succeed())
	all := school.stored(g)
	g.Expect(len(all)).To(Equal(rows))
	for i := range all {
		// Each was written once, and is what the file says.
		g.Expect(all[i].Generation).To(Equal(int64(1)), all[i].Name)
		g.Expect(all[i].Spec.User.Email).To(Equal(fmt.Sprintf("ana-%d@example.edu", all[i].Spec.User.ID)))
		g.Expect(all[i].Spec.Enrollment.ID).To(Equal(all[i].Spec.User.ID + 1000))
	}
}

// count returns how many completions the school has, without reading them.
func (s *school) count(g Gomega) int {
	var list v1alpha1.CourseCompletionList
	g.Expect(admin.List(s.t.Context(), &list, client.InNamespace(s.Namespace), client.Limit(1))).To(Succeed())
	if list.RemainingItemCount == nil {
		return len(list.Items)
	}
	return len(list.Items) + int(*list.RemainingItemCount)
}

// stored returns the completions of the school.
func (s *school) stored(g Gomega) []v1alpha1.CourseCompletion {
	all, err := sender.Stored(s.t.Context(), admin, s.ID, s.Namespace)
	g.Expect(err).NotTo(HaveOccurred())
	return all
}
