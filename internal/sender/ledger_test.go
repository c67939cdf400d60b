// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/order"
)

const testCompletion = "7-100-1-2"

var (
	march     = Content{SendAt: "2026-03-01 12:00:00", CourseName: "one"}
	april     = Content{SendAt: "2026-04-01 12:00:00", CourseName: "two", DateExpire: "2027-01-01"}
	aprilToo  = Content{SendAt: "2026-04-01 12:00:00", CourseName: "three"}
	notOfOurs = Content{SendAt: "2026-05-01 12:00:00", CourseName: "four"}
)

func storedAs(contents ...Content) []v1alpha1.CourseCompletion {
	var stored []v1alpha1.CourseCompletion
	for _, content := range contents {
		spec := v1alpha1.CourseCompletionSpec{
			Institution: v1alpha1.CompletionInstitution{ID: 7},
			Course:      v1alpha1.CompletionCourse{ID: 100},
			Enrollment:  v1alpha1.CompletionEnrollment{ID: 1, CourseID: 100, Activated: new(true), Status: new(int32(1))},
			User:        v1alpha1.CompletionUser{ID: 2, Name: "Élida Falcão", CPF: "***"},
		}
		stored = append(stored, v1alpha1.CourseCompletion{Spec: *content.in(&spec)})
	}
	return stored
}

// greater returns the later of two contents in the order of deliveries, then the other.
func greater(a, b Content) (later, earlier Content) {
	if order.Compare(order.Of(&storedAs(a)[0].Spec), order.Of(&storedAs(b)[0].Spec)) > 0 {
		return a, b
	}
	return b, a
}

func TestLedgerCheck(t *testing.T) {
	type sent struct {
		content Content
		verdict Verdict
	}
	later, earlier := greater(april, aprilToo)
	for _, tc := range []struct {
		name   string
		sent   []sent
		stored []v1alpha1.CourseCompletion
		others bool
		want   string
	}{
		{name: "nothing sent, nothing stored"},
		{
			name:   "the newest is stored",
			sent:   []sent{{april, VerdictAcknowledged}, {march, VerdictAcknowledged}},
			stored: storedAs(april),
		},
		{
			name: "acknowledged and lost",
			sent: []sent{{april, VerdictAcknowledged}},
			want: "was acknowledged, but is not stored",
		},
		{
			name:   "a newer one lost",
			sent:   []sent{{march, VerdictAcknowledged}, {april, VerdictAcknowledged}},
			stored: storedAs(march),
			want:   "is later",
		},
		{
			name:   "the greater of one time is stored",
			sent:   []sent{{later, VerdictAcknowledged}, {earlier, VerdictAcknowledged}},
			stored: storedAs(later),
		},
		{
			name:   "the lesser of one time is stored",
			sent:   []sent{{later, VerdictAcknowledged}, {earlier, VerdictAcknowledged}},
			stored: storedAs(earlier),
			want:   "is later",
		},
		{name: "not acknowledged and not stored", sent: []sent{{march, VerdictFailed}, {april, VerdictPutOff}}},
		{name: "not acknowledged and stored", sent: []sent{{march, VerdictFailed}}, stored: storedAs(march)},
		{
			name:   "a newer one was not acknowledged, and stored",
			sent:   []sent{{march, VerdictAcknowledged}, {april, VerdictFailed}},
			stored: storedAs(april),
		},
		{
			name:   "a newer one was not acknowledged, and not stored",
			sent:   []sent{{march, VerdictAcknowledged}, {april, VerdictFailed}},
			stored: storedAs(march),
		},
		{
			name:   "twice",
			sent:   []sent{{march, VerdictAcknowledged}},
			stored: storedAs(march, march),
			want:   "is stored 2 times",
		},
		{
			name:   "something that was never sent",
			sent:   []sent{{march, VerdictAcknowledged}},
			stored: storedAs(notOfOurs),
			want:   "never sent",
		},
		{name: "somebody else", stored: storedAs(march), want: "no valid delivery was sent for it"},
		{name: "somebody else is allowed", stored: storedAs(march), others: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			ledger := &Ledger{}
			for i, s := range tc.sent {
				d := &Delivery{Index: i, Kind: KindNew, Institution: 7, Completion: testCompletion, Content: s.content}
				ledger.offer(d)
				if s.verdict != VerdictFailed {
					ledger.settle(d, Answer{Status: 200}, s.verdict)
				}
			}
			problems := ledger.Check(7, tc.stored, tc.others)
			g.Expect(ledger.Check(8, nil, false)).To(BeEmpty(), "another institution has nothing to do with it")
			if tc.want == "" {
				g.Expect(problems).To(BeEmpty())
				return
			}
			g.Expect(problems).To(HaveLen(1))
			g.Expect(problems[0].Completion).To(Equal(testCompletion))
			g.Expect(problems[0].Text).To(ContainSubstring(tc.want))
			g.Expect(problems[0].String()).NotTo(ContainSubstring("Falcão"))
		})
	}
}

func TestLedgerWrite(t *testing.T) {
	g := NewWithT(t)
	ledger := &Ledger{}
	for i, name := range []string{"7-100-1-2", "7-100-3-4", "7-100-1-2"} {
		d := &Delivery{Index: i, Kind: KindNew, Institution: 7, Completion: name, Content: march}
		ledger.offer(d)
		ledger.settle(d, Answer{Status: 200, Outcome: "queued", DeliveryID: "id"}, VerdictAcknowledged)
	}
	deliveries, completions := ledger.Acknowledged(7)
	g.Expect([]int{deliveries, completions}).To(Equal([]int{3, 2}))
	var text bytes.Buffer
	g.Expect(ledger.Write(&text)).To(Succeed())
	line := func(index, name string) string {
		return `{"institution":7,"completion":"` + name + `","index":` + index + `,"kind":"new",` +
			`"sendAt":"2026-03-01 12:00:00","status":200,"outcome":"queued","deliveryID":"id","verdict":"acknowledged"}` + "\n"
	}
	g.Expect(text.String()).To(Equal(line("0", "7-100-1-2") + line("1", "7-100-3-4") + line("2", "7-100-1-2")))
	ledger.Forget(7)
	deliveries, _ = ledger.Acknowledged(7)
	g.Expect(deliveries).To(BeZero())
}
