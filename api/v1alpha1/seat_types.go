// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SeatSpec says who has the seat. Immutable: a seat is assigned by creating it and freed by deleting it.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a seat is immutable: it is given by creating it and freed by deleting it"
type SeatSpec struct {
	// pool is the name of the SeatPool.
	//
	// +required
	Pool LocalName `json:"pool,omitempty"`

	// number of the seat, from 0.
	//
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=99999
	// +required
	Number *int32 `json:"number,omitempty"`

	// grant is the name of the Grant that has the seat.
	//
	// +required
	Grant LocalName `json:"grant,omitempty"`

	// poolGeneration is the generation of the SeatPool with whose capacity the seat was assigned.
	//
	// +kubebuilder:validation:Minimum=1
	// +required
	PoolGeneration int64 `json:"poolGeneration,omitempty"`
}

// SeatName returns the name of a seat: {pool}-{number}. Nobody else can have the same seat, because the API server does
// not create the same name twice.
func SeatName(pool string, number int32) string {
	return pool + "-" + strconv.FormatInt(int64(number), 10)
}

// Seat is a numbered place in a SeatPool. It only exists while it is assigned.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=completions
// +kubebuilder:printcolumn:name="Pool",type=string,JSONPath=`.spec.pool`
// +kubebuilder:printcolumn:name="Number",type=integer,JSONPath=`.spec.number`
// +kubebuilder:printcolumn:name="Grant",type=string,JSONPath=`.spec.grant`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.pool`
// +kubebuilder:selectablefield:JSONPath=`.spec.grant`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == '%s-%d'.format([self.spec.pool, self.spec.number])",message="metadata.name must be {pool}-{number} of the spec"
type Seat struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says who has the seat.
	//
	// +required
	Spec SeatSpec `json:"spec,omitzero"`
}

// SeatList is a list of Seats.
//
// +kubebuilder:object:root=true
type SeatList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Seat `json:"items"`
}
