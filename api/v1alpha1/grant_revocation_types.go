// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EndBroughtForward says that the end of a grant was brought forward.
type EndBroughtForward struct {
	// from is the previous end of access. Unset if there was none.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	From *metav1.Time `json:"from,omitempty"`

	// at is when it was last brought forward.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`\.[0-9]{6}(Z|[+-][0-9]{2}:[0-9]{2})$`
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +required
	At metav1.MicroTime `json:"at,omitzero"`
}

// RevocationType is the type of a revocation.
//
// +kubebuilder:validation:Enum=AccessEnd;NamespacesRevoked;AccessChange;EndBroughtForward
type RevocationType string

const (
	// RevocationAccessEnd is the end of the access that a Grant gives.
	RevocationAccessEnd RevocationType = "AccessEnd"
	// RevocationNamespaces are the namespaces that a Grant revokes from its holder.
	RevocationNamespaces RevocationType = "NamespacesRevoked"
	// RevocationAccessChange is a change of the grant's namespaces that revokes access from subjects.
	RevocationAccessChange RevocationType = "AccessChange"
	// RevocationEndForward is an end of access at least a day ahead that a delivery brought forward.
	RevocationEndForward RevocationType = "EndBroughtForward"
)

// RevocationAdmission is a revocation that the brake admitted.
type RevocationAdmission struct {
	// type of the revocation.
	//
	// +required
	Type RevocationType `json:"type,omitempty"`

	// of identifies the revocation: another end of access, for example, must be admitted again.
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

	// releasedTrip is the trip of the brake with whose release this revocation was admitted; it does not count against
	// the budget. If unset, it counts.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ReleasedTrip string `json:"releasedTrip,omitempty"`
}
