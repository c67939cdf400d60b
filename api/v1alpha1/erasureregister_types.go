// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// ErasureRegisterName is the name of every ErasureRegister, so that a namespace has one at most.
	ErasureRegisterName = "erasures"

	// MaxErasedPeople is the maximum number of people in a register, and MaxErasedEnrollments the maximum number of
	// enrollments of each.
	MaxErasedPeople      = 5000
	MaxErasedEnrollments = 1000
)

// ErasureDigest is the digest of an id of the platform: the first 16 bytes of an HMAC-SHA256 with the key of the
// register, in base64url without padding. The last character holds two bits of them; its other four must be zero, since
// any other spelling of the same bytes would match nobody.
//
// +kubebuilder:validation:MinLength=22
// +kubebuilder:validation:MaxLength=22
// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]{21}[AQgw]$`
type ErasureDigest string

// ErasedPerson is one person whose data was erased.
type ErasedPerson struct {
	// user is the digest of the institution and the user.
	//
	// +required
	User ErasureDigest `json:"user,omitempty"`

	// erasedAt is when the erasure started. Deliveries sent until then are not stored.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +required
	ErasedAt metav1.Time `json:"erasedAt,omitzero"`

	// enrollments are the digests of the erased enrollments, each with its institution and user. Deliveries about them
	// are not stored, whenever they were sent: platforms send the same completion again with a new date.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	// +optional
	Enrollments []ErasureDigest `json:"enrollments,omitempty"`
}

// ErasureRegisterSpec records who was erased, by digests with a secret key.
//
// +kubebuilder:validation:XValidation:rule="self.key == oldSelf.key",message="key is immutable: the digests are made with it"
type ErasureRegisterSpec struct {
	// key of the digests: 32 random bytes, in base64url without padding. The last character holds four bits of them;
	// its other two must be zero. Anyone who has the key can find out by trying whether a user was erased, since ids
	// are small numbers.
	//
	// +kubebuilder:validation:MinLength=43
	// +kubebuilder:validation:MaxLength=43
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$`
	// +required
	Key string `json:"key,omitempty"`

	// people are the erased people. The lists are atomic, so that managedFields does not name every item.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5000
	// +optional
	People []ErasedPerson `json:"people,omitempty"`
}

// ErasureRegister records whose data was erased in a namespace, so that a late repetition of an old delivery does not
// bring it back. The webhook server acknowledges such a delivery and does not store it. `kubectl course erase` writes
// the register.
//
// It is in no category, because `kubectl get completions` is for people who are not allowed to read it.
//
// +kubebuilder:object:root=true
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'erasures'",message="metadata.name must be erasures"
type ErasureRegister struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec records who was erased.
	//
	// +required
	Spec ErasureRegisterSpec `json:"spec,omitzero"`
}

// ErasureRegisterList is a list of ErasureRegisters.
//
// +kubebuilder:object:root=true
type ErasureRegisterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ErasureRegister `json:"items"`
}
