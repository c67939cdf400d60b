// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/index"
)

// Person is the queue key of the planner: everything about one person is planned together, by one worker at a time, so
// that several completions, policies and revocations never race.
type Person struct {
	Namespace     string
	InstitutionID v1alpha1.PlatformID
	UserID        v1alpha1.PlatformID
}

// String identifies the person in logs by the platform's numbers.
func (p Person) String() string {
	return p.Namespace + "/" + index.HolderKey(p.InstitutionID, p.UserID)
}

// PersonOf returns whose completion or Grant an object is. A Grant that a person made changes no plan, but how long
// what takes from it is kept.
func PersonOf(object client.Object) []Person {
	switch o := object.(type) {
	case *v1alpha1.CourseCompletion:
		return []Person{{o.Namespace, o.Spec.Institution.ID, o.Spec.User.ID}}
	case *v1alpha1.Grant:
		return []Person{{o.Namespace, o.Spec.Holder.InstitutionID, o.Spec.Holder.UserID}}
	}
	return nil
}
