// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package erasure

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

var (
	noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	ana  = Person{12345, 7}
)

func registerOf(t *testing.T, spec *v1alpha1.ErasureRegisterSpec) *Register {
	t.Helper()
	r, err := Read(spec)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return r
}

func TestWhatARegisterCovers(t *testing.T) {
	g := NewWithT(t)
	spec := NewSpec()
	g.Expect(registerOf(t, &spec).Covers(ana, 11, noon)).To(BeFalse())
	g.Expect(Add(&spec, ana, noon.Add(500*time.Millisecond), []v1alpha1.PlatformID{11, 12, 11})).To(Succeed())
	r := registerOf(t, &spec)
	for _, tc := range []struct {
		name       string
		person     Person
		enrollment v1alpha1.PlatformID
		sentAt     time.Time
		want       bool
	}{
		{"the same delivery again", ana, 11, noon.Add(-time.Hour), true},
		{"the same enrollment with a new date", ana, 12, noon.AddDate(1, 0, 0), true},
		{"another enrollment of before", ana, 13, noon.Add(-time.Hour), true},
		{"another enrollment in the second of the erasure", ana, 13, noon, true},
		{"a new completion of somebody who comes back", ana, 13, noon.Add(time.Second), false},
		{"somebody else", Person{12345, 8}, 11, noon.Add(-time.Hour), false},
		{"the same user id in another institution", Person{12346, 7}, 11, noon.Add(-time.Hour), false},
		{"ids that read alike side by side", Person{1234, 57}, 11, noon.Add(-time.Hour), false},
	} {
		if got := r.Covers(tc.person, tc.enrollment, tc.sentAt); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestAPersonWhoIsErasedAgain(t *testing.T) {
	g := NewWithT(t)
	spec := NewSpec()
	g.Expect(Add(&spec, ana, noon, []v1alpha1.PlatformID{11})).To(Succeed())
	later := noon.AddDate(0, 1, 0)
	g.Expect(Add(&spec, ana, later, []v1alpha1.PlatformID{12})).To(Succeed())
	// By a clock that is behind.
	g.Expect(Add(&spec, ana, noon.Add(-time.Hour), nil)).To(Succeed())
	g.Expect(spec.People).To(HaveLen(1))
	r := registerOf(t, &spec)
	at, erased := r.ErasedAt(ana)
	g.Expect(erased).To(BeTrue())
	g.Expect(at).To(Equal(later))
	for _, enrollment := range []v1alpha1.PlatformID{11, 12} {
		g.Expect(r.Covers(ana, enrollment, later.AddDate(1, 0, 0))).To(BeTrue())
	}

	// Of one whom people wrote into the register twice, the last time counts, whatever the order.
	twice := spec.People[0]
	twice.ErasedAt = metav1.NewTime(noon)
	spec.People = append(spec.People, twice)
	at, _ = registerOf(t, &spec).ErasedAt(ana)
	g.Expect(at).To(Equal(later))
}

func TestForgetting(t *testing.T) {
	g := NewWithT(t)
	spec := NewSpec()
	bo := Person{12345, 8}
	g.Expect(Add(&spec, ana, noon, []v1alpha1.PlatformID{11})).To(Succeed())
	g.Expect(Add(&spec, bo, noon.AddDate(1, 0, 0), []v1alpha1.PlatformID{21})).To(Succeed())
	known, err := Remove(&spec, ana)
	g.Expect(known, err).To(BeTrue())
	r := registerOf(t, &spec)
	g.Expect(r.Covers(ana, 11, noon)).To(BeFalse())
	g.Expect(r.Covers(bo, 21, noon)).To(BeTrue())
	known, err = Remove(&spec, ana)
	g.Expect(known, err).To(BeFalse())
	g.Expect(RemoveBefore(&spec, noon.AddDate(0, 6, 0))).To(BeZero())
	// At the moment itself is not before it.
	g.Expect(RemoveBefore(&spec, noon.AddDate(1, 0, 0))).To(BeZero())
	g.Expect(RemoveBefore(&spec, noon.AddDate(2, 0, 0))).To(Equal(1))
	g.Expect(spec.People).To(BeEmpty())
}

// A register says nothing without its key, and two registers say nothing alike.
func TestARegisterHoldsNoID(t *testing.T) {
	g := NewWithT(t)
	first, second := NewSpec(), NewSpec()
	person := Person{12345, 987654321}
	for _, spec := range []*v1alpha1.ErasureRegisterSpec{&first, &second} {
		g.Expect(Add(spec, person, noon, []v1alpha1.PlatformID{11223344})).To(Succeed())
		text, err := json.Marshal(spec)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(text)).NotTo(Or(ContainSubstring("987654321"), ContainSubstring("11223344")))
	}
	g.Expect(first.Key).NotTo(Equal(second.Key))
	g.Expect(first.People[0].User).NotTo(Equal(second.People[0].User))
	g.Expect(first.People[0].Enrollments).NotTo(Equal(second.People[0].Enrollments))
}

func TestAFullRegister(t *testing.T) {
	g := NewWithT(t)
	spec := NewSpec()
	many := make([]v1alpha1.PlatformID, v1alpha1.MaxErasedEnrollments)
	for i := range many {
		many[i] = v1alpha1.PlatformID(i + 1)
	}
	g.Expect(Add(&spec, ana, noon, append(many, 5000))).To(MatchError(ContainSubstring("1001 enrollments")))
	g.Expect(spec.People).To(BeEmpty())
	people := 0
	for err := error(nil); err == nil; people++ {
		g.Expect(people).To(BeNumerically("<", 100), "it takes more than the API server")
		err = Add(&spec, Person{12345, v1alpha1.PlatformID(people + 1)}, noon, many)
	}
	g.Expect(Add(&spec, ana, noon.AddDate(1, 0, 0), many[:1])).To(Succeed(), "the one who is known is not more")
	g.Expect(Add(&spec, Person{12345, 999}, noon, many)).To(MatchError(ErrFull))

	spec = NewSpec()
	spec.People = make([]v1alpha1.ErasedPerson, v1alpha1.MaxErasedPeople)
	g.Expect(Add(&spec, ana, noon, nil)).To(MatchError(ErrFull))
}

func TestAKeyThatIsNone(t *testing.T) {
	for _, key := range []string{"", "short", strings.Repeat("A", 44), strings.Repeat("!", 43)} {
		spec := v1alpha1.ErasureRegisterSpec{Key: key}
		_, err := Read(&spec)
		NewWithT(t).Expect(err).To(MatchError(errKey), key)
	}
}

func TestTheEnrollmentInAName(t *testing.T) {
	for name, want := range map[string]v1alpha1.PlatformID{
		"12345-3-11-7": 11, "12345-3-11-8": 0, "12346-3-11-7": 0, "12345-3-x-7": 0, "hand": 0, "12345-3-11-7-7": 0, "": 0,
	} {
		got, ok := EnrollmentIn(name, ana)
		if ok != (want != 0) || ok && got != want {
			t.Errorf("%q: %d, %t", name, got, ok)
		}
	}
}
