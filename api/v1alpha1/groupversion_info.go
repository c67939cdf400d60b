// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the kinds of the group completions.lxp.dev: what a learning platform reports
// (CourseCompletion), who may report it (Institution), what follows from it (CompletionPolicy), what somebody has
// because of it (Grant), the numbered places that are handed out (SeatPool, Seat), and of whom nothing is to be kept
// (ErasureRegister).
//
// +kubebuilder:object:generate=true
// +groupName=completions.lxp.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of every kind in this package.
const GroupName = "completions.lxp.dev"

var (
	// GroupVersion is the group and version of the kinds in this package.
	GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

	// SchemeGroupVersion is the name under which the generated apply configurations look for GroupVersion.
	SchemeGroupVersion = GroupVersion

	// SchemeBuilder registers the kinds of this package.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the kinds of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Institution{}, &InstitutionList{},
		&CourseCompletion{}, &CourseCompletionList{},
		&CompletionPolicy{}, &CompletionPolicyList{},
		&Grant{}, &GrantList{},
		&SeatPool{}, &SeatPoolList{},
		&Seat{}, &SeatList{},
		&ErasureRegister{}, &ErasureRegisterList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
