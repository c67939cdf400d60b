// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CauseEnd says why a cause ends.
//
// +kubebuilder:validation:Enum=EnrollmentExpired;MaximumReached;UntilReached;EnrollmentInactive;Withdrawn;PolicyRemoved;NotMatched
type CauseEnd string

const (
	// CauseEnrollmentExpired is the end of the enrollment's last day.
	CauseEnrollmentExpired CauseEnd = "EnrollmentExpired"
	// CauseMaximumReached is the end of the policy's lifetime.maxDays.
	CauseMaximumReached CauseEnd = "MaximumReached"
	// CauseUntilReached is the policy's lifetime.until.
	CauseUntilReached CauseEnd = "UntilReached"
	// CauseEnrollmentInactive is a delivery that says that the enrollment is inactive.
	CauseEnrollmentInactive CauseEnd = "EnrollmentInactive"
	// CauseWithdrawn is the deletion of the completion by a person.
	CauseWithdrawn CauseEnd = "Withdrawn"
	// CausePolicyRemoved is the deletion of a policy whose onPolicyRemoval is Delete.
	CausePolicyRemoved CauseEnd = "PolicyRemoved"
	// CauseNotMatched is a completion that the policy, with onPolicyRemoval Delete, no longer matches.
	CauseNotMatched CauseEnd = "NotMatched"
)

// GrantCause is a completion that entitles the holder.
//
// +kubebuilder:validation:XValidation:rule="has(self.endsAt) == has(self.end)",message="endsAt and end go together"
type GrantCause struct {
	// completion is the name of the CourseCompletion.
	//
	// +required
	Completion LocalName `json:"completion,omitempty"`

	// sendAt is spec.event.sendAt of the latest delivery that was planned.
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

	// firstSentAt is when the completion was first sent. It is the start of the policy's maxDays, and the place in the
	// queue for a seat. If unset, sentAt.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	FirstSentAt *metav1.Time `json:"firstSentAt,omitempty"`

	// digest of that delivery. Together with sendAt it determines the order of deliveries. Repetitions of a withdrawn
	// or archived completion are recognized by sendAt alone, since the digest changes with the privacy settings of the
	// institution.
	//
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +required
	Digest string `json:"digest,omitempty"`

	// endsAt is when the cause ends or ended. If unset, it does not end by itself.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	EndsAt *metav1.Time `json:"endsAt,omitempty"`

	// end is the reason for the end.
	//
	// +optional
	End CauseEnd `json:"end,omitempty"`

	// archivedAt is when retention deleted the completion, which does not end the grant. Later deliveries of it that
	// are not newer have no effect.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	ArchivedAt *metav1.Time `json:"archivedAt,omitempty"`
}

// First returns when the completion was first sent.
func (c *GrantCause) First() metav1.Time {
	if c.FirstSentAt != nil && c.FirstSentAt.Before(&c.SentAt) {
		return *c.FirstSentAt
	}
	return c.SentAt
}
