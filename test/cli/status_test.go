// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// seatPolicy grants a seat of a pool.
func seatPolicy(pool v1alpha1.LocalName) func(*v1alpha1.CompletionPolicy) {
	return func(policy *v1alpha1.CompletionPolicy) {
		policy.Name = "seat"
		policy.Spec.Namespaces = nil
		policy.Spec.Seats = []v1alpha1.SeatTemplate{{Pool: pool}}
	}
}

func TestStatusShowsTheWhole(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	viewer := school.with("completion-viewer")
	g.Expect(viewer.does("status")).To(And(
		ContainSubstring(fmt.Sprintf("Institution %d (institution in %s): Ready", school.ID, school.Namespace)),
		MatchRegexp(`Completions: +0 today, 0 in 7 days, 0 in all`), MatchRegexp(`Grants: +none`),
		MatchRegexp(`Brake: +open, allows 20 revocations per hour`), ContainSubstring("Nothing needs attention.")))

	g.Expect(admin.Create(t.Context(), &v1alpha1.SeatPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: school.Namespace, Name: "licences"},
		Spec:       v1alpha1.SeatPoolSpec{Capacity: new(int32(1))},
	})).To(Succeed())
	school.apply(school.labPolicy())
	school.apply(school.labPolicy(seatPolicy("licences")))
	school.apply(school.labPolicy(func(policy *v1alpha1.CompletionPolicy) {
		policy.Name = "asks"
		policy.Spec.Approval = v1alpha1.ApprovalManual
		policy.Spec.Namespaces[0].Name += "-asked"
	}))
	broken := school.labPolicy(func(policy *v1alpha1.CompletionPolicy) {
		policy.Name = "broken"
		policy.Spec.Namespaces[0].Name = "elsewhere-${user.id}"
	})
	g.Expect(admin.Create(t.Context(), broken)).To(Succeed())
	for user := range int64(3) {
		school.deliver(user + 1)
		school.awaitGrant(fmt.Sprintf("lab.%d-%d", school.ID, user+1), v1alpha1.GrantActive)
	}
	g.Eventually(func() string { return viewer.does() }, soon, often).Should(And(
		MatchRegexp(`Completions: +0 today, 0 in 7 days, 3 in all`),
		MatchRegexp(`Grants: +3 AwaitingApproval, 2 Waiting, 4 Active`),
		MatchRegexp(`Seats: +licences: 1 of 1 taken, 2 waiting`),
		MatchRegexp(`Namespaces: +3 of at most 10000`),
		// The worst first, each with what helps.
		MatchRegexp(`(?s)Needs attention:\n`+
			`  Failure: coursecompletion/%[2]d-123456-1001-1 and 2 more: PolicyFailed\n.*`+
			`  Failure: completionpolicy/broken: Refused\n      spec.namespaces\[0\].name: .*`+
			`\n      \$ kubectl edit completionpolicy broken -n %[1]s\n.*`+
			`  Decision: grant/asks\.%[2]d-1 and 2 more: AwaitingApproval\n.*`+
			`\$ kubectl course approve --policy asks --awaiting-approval -n %[1]s --reason REASON\n.*`+
			`  Decision: seatpool/licences: WaitingForSeat\n      1 of 1 seats are occupied, 2 waiting\n`+
			`      \$ kubectl patch seatpool licences -n %[1]s --type merge -p '\{"spec":\{"capacity":3\}\}'`,
			school.Namespace, school.ID)))

	var document struct {
		Institutions []struct {
			ID        int64          `json:"id"`
			Grants    map[string]int `json:"grants"`
			SeatPools []struct {
				Waiting int `json:"waiting"`
			} `json:"seatPools"`
		} `json:"institutions"`
		Problems []struct {
			Severity, Object, Reason string
			Count                    int
		} `json:"problems"`
	}
	g.Expect(json.Unmarshal([]byte(viewer.does("status", "-o", "json")), &document)).To(Succeed())
	g.Expect(document.Institutions).To(HaveLen(1))
	g.Expect(document.Institutions[0].Grants).To(Equal(map[string]int{"AwaitingApproval": 3, "Waiting": 2, "Active": 4}))
	g.Expect(document.Institutions[0].SeatPools[0].Waiting).To(Equal(2))
	g.Expect(document.Problems).To(HaveLen(4))
	g.Expect(document.Problems[0].Severity).To(Equal("Failure"))
}

func TestStatusSaysWhatMayNotBeSeen(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	// A policy author reads no completions.
	g.Expect(school.with("completion-policy-author").fails("status")).To(And(
		ContainSubstring("cannot list resource \"coursecompletions\""),
		ContainSubstring("ClusterRole completion-viewer allows it")))
	g.Expect(school.with("completion-viewer").fails("status", "-A")).To(ContainSubstring("ClusterRole completion-viewer"))
	g.Expect(school.with("completion-viewer").fails("status", "--interval=1ms")).To(ContainSubstring("must be at least " +
		"1s"))
	g.Expect(administrator(t).does("status", "-n", "default")).To(
		And(ContainSubstring("There is no Institution in namespace default"),
			Not(ContainSubstring("Nothing needs attention"))))
}

func TestStatusOfAllInstitutions(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	first, second := openSchool(t), openSchool(t, func(spec *v1alpha1.InstitutionSpec) { spec.Suspend = new(true) })
	g.Expect(administrator(t).does("-A")).To(And(
		ContainSubstring(fmt.Sprintf("Institution %d (institution in %s): Ready\n", first.ID, first.Namespace)),
		ContainSubstring(fmt.Sprintf("Institution %d (institution in %s): Ready, suspended\n", second.ID, second.Namespace)),
		MatchRegexp(`Decision: %s institution/institution: Suspended\n.*\n`+
			`      \$ kubectl course resume institution institution -n %s`,
			second.Namespace, second.Namespace)))
}

func TestStatusIsShownAgain(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	watch := school.with("completion-viewer").command("status", "--watch", "--interval=1s")
	out, err := watch.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(watch.Start()).To(Succeed())
	lines := bufio.NewScanner(out)
	seen := 0
	for seen < 2 && lines.Scan() {
		if lines.Text() == "Nothing needs attention." {
			seen++
		}
	}
	g.Expect(seen).To(Equal(2))
	g.Expect(watch.Process.Signal(os.Interrupt)).To(Succeed())
	g.Expect(watch.Wait()).To(Succeed())
}
