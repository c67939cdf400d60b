// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EndBroughtForward says from when, and since when, the end of a grant has been brought forward.
type EndBroughtForward struct {
	// from is when access would end otherwise. Unset: never.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	From *metav1.Time `json:"from,omitempty"`

	// at is when it was brought forward last.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`\.[0-9]{6}(Z|[+-][0-9]{2}:[0-9]{2})$`
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +required
	At metav1.MicroTime `json:"at,omitzero"`
}

// RevocationType is what is taken away.
//
// +kubebuilder:validation:Enum=AccessEnd;NamespacesRevoked;AccessChange;EndBroughtForward
type RevocationType string

const (
	// RevocationAccessEnd is the end of the access that a Grant gives.
	RevocationAccessEnd RevocationType = "AccessEnd"
	// RevocationNamespaces are the namespaces that a Grant takes away from its holder.
	RevocationNamespaces RevocationType = "NamespacesRevoked"
	// RevocationAccessChange is what a change of the grant's namespaces takes from subjects that have access to them.
	RevocationAccessChange RevocationType = "AccessChange"
	// RevocationEndForward is an end of access, of a day from now or later, that a delivery brought forward.
	RevocationEndForward RevocationType = "EndBroughtForward"
)

// RevocationAdmission says that the brake has let a revocation through.
type RevocationAdmission struct {
	// type is what is taken away.
	//
	// +required
	Type RevocationType `json:"type,omitempty"`

	// of tells one revocation from another: another end of access has to be admitted anew.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	Of string `json:"of,omitempty"`

	// at is when it was admitted.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`\.[0-9]{6}(Z|[+-][0-9]{2}:[0-9]{2})$`
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +required
	At metav1.MicroTime `json:"at,omitzero"`

	// releasedTrip is the trip of the brake that a person released, and so this revocation with it; it does not count
	// then. Unset: it counts against the budget.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ReleasedTrip string `json:"releasedTrip,omitempty"`
}
