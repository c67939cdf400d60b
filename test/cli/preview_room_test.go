// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// What a policy grants and nobody could have is said before it is applied, and so is who would wait for a seat.
func TestPreviewOfWhatThereIsNoRoomFor(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t, func(spec *v1alpha1.InstitutionSpec) { spec.MaxNamespaces = new(int32(2)) })
	for user := range int64(3) {
		school.deliver(user + 1)
	}
	policy := typed(school.labPolicy(func(p *v1alpha1.CompletionPolicy) {
		p.Spec.Seats = []v1alpha1.SeatTemplate{{Pool: "licences"}}
		p.Spec.Namespaces[0].Access[0].ClusterRole = "cluster-admin"
		p.Spec.Namespaces[0].ResourceQuota.Hard = map[string]v1alpha1.QuantityTemplate{"bananas": "1"}
	}))
	path := file(t, policy)
	viewer := school.with("completion-viewer")
	g.Eventually(func() string { return viewer.course("preview", "-f", path).out }, soon, often).Should(And(
		MatchRegexp(`Warning: \S+:\d+:\d+: policy lab: spec\.seats\[0\]\.pool: SeatPool licences does not exist: `+
			"`kubectl course create seatpool licences --capacity N -n "+school.Namespace),
		ContainSubstring("Seats of licences: the pool does not exist. 3 more grants would request one, and would wait.")))
	g.Expect(viewer.course("preview", "-f", path).err).To(MatchRegexp(
		`Note: institution institution has 0 of at most 2 namespaces and would need 3 more: 1 would wait`))
	// Whoever may ask is told what else stands in the way.
	g.Expect(administrator(t).course("preview", "-f", path, "-n", school.Namespace).out).To(And(
		MatchRegexp(`Warning: .*spec\.namespaces\[0\]\.access\[0\]\.clusterRole: this installation does not let the `+
			`operator bind the ClusterRole cluster-admin`), MatchRegexp(`Warning: .*spec\.namespaces\[0\]: .*bananas`)))

	g.Expect(admin.Create(t.Context(), &v1alpha1.SeatPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: school.Namespace, Name: "licences"},
		Spec:       v1alpha1.SeatPoolSpec{Capacity: new(int32(1))},
	})).To(Succeed())
	policy.Spec.Namespaces = nil
	path = file(t, policy)
	g.Expect(viewer.course("preview", "-f", path).out).To(ContainSubstring(
		"Seats of licences: 0 of 1 taken, 0 waiting. 3 more grants would request one; 2 of them would wait."))
	school.apply(policy.DeepCopy())
	g.Eventually(func() (taken int) {
		for _, grant := range school.snapshot().grants {
			taken += len(grant.Status.Seats)
		}
		return taken
	}, soon, often).Should(Equal(1))
}
