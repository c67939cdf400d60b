// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SeatPoolSpec is the size of the pool.
type SeatPoolSpec struct {
	// capacity is the number of seats, which are numbered from 0. Lowering it below the number of assigned seats evicts
	// nobody; no seat is assigned until enough are freed.
	//
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	// +required
	Capacity *int32 `json:"capacity,omitempty"`
}

// SeatPoolStatus is the observed state of a pool.
type SeatPoolStatus struct {
	// observedGeneration is the generation of the spec that this status describes; -1 before the first reconciliation.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling and Stalled.
	//
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(c, timestamp('1000-01-01T00:00:00Z') <= c.lastTransitionTime && c.lastTransitionTime <= timestamp('9999-12-31T23:59:59Z'))",message="lastTransitionTime must be a time of the years 1000 to 9999"
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// taken is the number of assigned seats.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Taken *int32 `json:"taken,omitempty"`

	// waiting is the number of grants that wait for a seat.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Waiting *int32 `json:"waiting,omitempty"`

	// queue lists the first ten grants that wait, in order.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	// +optional
	Queue []LocalName `json:"queue,omitempty"`
}

// SeatPool is a number of seats that grants take: licences, lab places, tables. First come, first served, by the time
// of the completion.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=spool,categories=completions
// +kubebuilder:printcolumn:name="Capacity",type=integer,JSONPath=`.spec.capacity`
// +kubebuilder:printcolumn:name="Taken",type=integer,JSONPath=`.status.taken`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waiting`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="metadata.name must be a DNS label (at most 63 characters, no dots): it starts the names of the seats"
type SeatPool struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the size of the pool.
	//
	// +required
	Spec SeatPoolSpec `json:"spec,omitzero"`

	// status is the observed state.
	//
	// +kubebuilder:default:={"observedGeneration":-1}
	// +optional
	Status SeatPoolStatus `json:"status,omitzero"`
}

// SeatPoolList is a list of SeatPools.
//
// +kubebuilder:object:root=true
type SeatPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []SeatPool `json:"items"`
}
