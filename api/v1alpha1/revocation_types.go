// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RevokedSeat is a seat that a completion revokes from its user.
type RevokedSeat struct {
	// pool is the name of the SeatPool in the same namespace.
	//
	// +required
	Pool LocalName `json:"pool,omitempty"`
}

// RevokedNamespace is a namespace that a completion revokes from its user.
type RevokedNamespace struct {
	// name of the namespace: a template without personal fields, such as `lab-${user.id}`. The namespace is only
	// deleted if it has the label completions.lxp.dev/revocable with the id of the institution. If a Grant created it,
	// that Grant must also belong to the same user.
	//
	// +required
	Name Template `json:"name,omitempty"`
}

// PolicyRevocation is what a completion revokes from its user. It revokes what other Grants gave the user for a
// completion that is not later than this one.
//
// +kubebuilder:validation:MinProperties=1
type PolicyRevocation struct {
	// seats are freed at once.
	//
	// +listType=map
	// +listMapKey=pool
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Seats []RevokedSeat `json:"seats,omitempty"`

	// namespaces are deleted after the grace days of this policy. The access that a Grant gave to them ends at once.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Namespaces []RevokedNamespace `json:"namespaces,omitempty"`
}

// GrantRevokedNamespace is a namespace that a completion revokes, with its template evaluated.
type GrantRevokedNamespace struct {
	// name of the namespace.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Name string `json:"name,omitempty"`
}

// GrantRevocation is what a completion revokes from the holder. It applies to every Grant of the holder that has no
// cause later in the order than this completion, and to Grants made by hand that are not newer.
//
// +kubebuilder:validation:XValidation:rule="has(self.seats) || has(self.namespaces)",message="set seats or namespaces"
type GrantRevocation struct {
	// completion is the name of the CourseCompletion that revokes.
	//
	// +required
	Completion LocalName `json:"completion,omitempty"`

	// sendAt is spec.event.sendAt of the delivery.
	//
	// +kubebuilder:validation:MinLength=19
	// +kubebuilder:validation:MaxLength=19
	// +required
	SendAt string `json:"sendAt,omitempty"`

	// sentAt is the same time, in the institution's time zone.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +required
	SentAt metav1.Time `json:"sentAt,omitzero"`

	// digest of the delivery. Together with sendAt it determines the order of deliveries.
	//
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +required
	Digest string `json:"digest,omitempty"`

	// seats that are revoked.
	//
	// +listType=map
	// +listMapKey=pool
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Seats []RevokedSeat `json:"seats,omitempty"`

	// namespaces that are revoked, once the status records it.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Namespaces []GrantRevokedNamespace `json:"namespaces,omitempty"`

	// knownAt is when the operator learned of these namespaces, for the brake on revocations.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`\.[0-9]{6}(Z|[+-][0-9]{2}:[0-9]{2})$`
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	KnownAt *metav1.MicroTime `json:"knownAt,omitempty"`
}

// NamespaceRevocation is a namespace whose revocation has started. It is recorded before anything is revoked.
type NamespaceRevocation struct {
	// name of the namespace.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name,omitempty"`

	// sendAt of the delivery that revoked it.
	//
	// +kubebuilder:validation:MinLength=19
	// +kubebuilder:validation:MaxLength=19
	// +required
	SendAt string `json:"sendAt,omitempty"`

	// digest of the delivery that revoked it.
	//
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +required
	Digest string `json:"digest,omitempty"`

	// at is when the revocation started. The grace days count from then.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +required
	At metav1.Time `json:"at,omitzero"`
}

// Revokes reports whether the Grant records that a completion revokes something.
func (g *Grant) Revokes() bool { return g.Spec.Revokes.Completion != "" }
