// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EventSlug is the slug of the only event of the platform that is accepted.
const EventSlug = "activities.course.completed"

// Maximum lengths of the texts in a delivery, in characters. The schema and the webhook server both enforce them; the
// server names the field in its answer, so that the sender learns of it.
const (
	MaxEventNameLength  = 256
	MaxCourseNameLength = 512
	MaxUserNameLength   = 256
	MaxEmailLength      = 320
	MaxCPFLength        = 32
	MaxNicknameLength   = 256
	MaxUUIDLength       = 128
)

// PlatformID is a numeric id of the platform.
//
// +kubebuilder:validation:Minimum=1
type PlatformID int64

// String returns the number in decimal digits.
func (id PlatformID) String() string { return strconv.FormatInt(int64(id), 10) }

// CompletionEvent is the event object of a delivery.
type CompletionEvent struct {
	// name of the event, for people.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Name string `json:"name,omitempty"`

	// slug is the unique identifier of the event.
	//
	// +kubebuilder:validation:Enum=activities.course.completed
	// +kubebuilder:validation:MaxLength=64
	// +required
	Slug string `json:"slug,omitempty"`

	// sendAt is the date and time of the event as the platform sent it, yyyy-MM-dd HH:mm:ss, without a time zone. A
	// later one is a newer delivery; an older delivery never replaces a newer one.
	//
	// +kubebuilder:validation:MinLength=19
	// +kubebuilder:validation:MaxLength=19
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$`
	// +required
	SendAt string `json:"sendAt,omitempty"`

	// sentAt is the same time, in the institution's time zone.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +required
	SentAt metav1.Time `json:"sentAt,omitzero"`

	// firstSentAt is the earliest sentAt of all deliveries of this completion; it can only move back. It counts as the
	// time of the completion: platforms send the same completion again with a new sendAt, which neither extends a grant
	// nor changes a place in a queue. If unset, sentAt.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	FirstSentAt *metav1.Time `json:"firstSentAt,omitempty"`
}

// First returns when the completion was first sent, as far as is known.
func (e *CompletionEvent) First() metav1.Time {
	if e.FirstSentAt != nil && e.FirstSentAt.Before(&e.SentAt) {
		return *e.FirstSentAt
	}
	return e.SentAt
}

// CompletionInstitution is the institution object of a delivery.
type CompletionInstitution struct {
	// id is the platform's number of the institution.
	//
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="institution.id is immutable"
	// +required
	ID PlatformID `json:"id,omitempty"`
}

// CompletionCourse is the course object of a delivery.
type CompletionCourse struct {
	// id is the platform's number of the course.
	//
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="course.id is immutable"
	// +required
	ID PlatformID `json:"id,omitempty"`

	// name of the course.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Name string `json:"name,omitempty"`
}

// CompletionEnrollment is the enrollment object of a delivery.
type CompletionEnrollment struct {
	// id is the platform's number of the enrollment.
	//
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="enrollment.id is immutable"
	// +required
	ID PlatformID `json:"id,omitempty"`

	// dateExpire is the last day of the enrollment, yyyy-MM-dd, in the institution's time zone. If unset, the
	// enrollment does not expire.
	//
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	// +kubebuilder:validation:XValidation:rule="timestamp(self + 'T00:00:00Z') >= timestamp('0001-01-01T00:00:00Z')",message="dateExpire must be a day of the calendar"
	// +optional
	DateExpire string `json:"dateExpire,omitempty"`

	// courseID is the platform's number of the course in the enrollment. It may differ from course.id.
	//
	// +required
	CourseID PlatformID `json:"courseID,omitempty"`

	// activated says whether the enrollment is activated (`actived` in the delivery).
	//
	// +required
	Activated *bool `json:"activated,omitempty"`

	// status of the enrollment: 1 for active, 0 for inactive.
	//
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1
	// +required
	Status *int32 `json:"status,omitempty"`
}

// Active reports whether the enrollment is both activated and of active status.
func (e CompletionEnrollment) Active() bool {
	return e.Activated != nil && *e.Activated && e.Status != nil && *e.Status == 1
}

// CompletionUser is the user object of a delivery, with the institution's privacy settings applied.
type CompletionUser struct {
	// id is the platform's number of the user.
	//
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="user.id is immutable"
	// +required
	ID PlatformID `json:"id,omitempty"`

	// name of the user. Personal data.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Name string `json:"name,omitempty"`

	// email address of the user. Personal data.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=320
	// +optional
	Email string `json:"email,omitempty"`

	// cpf is the Brazilian taxpayer number of the user. Personal data, masked unless the institution asks otherwise.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +optional
	CPF string `json:"cpf,omitempty"`

	// nickname of the user. Personal data.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Nickname string `json:"nickname,omitempty"`

	// uuid is the universally unique identifier of the user. Personal data.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	UUID string `json:"uuid,omitempty"`
}

// DeliveryWarning identifies something unusual in a delivery that was accepted. The values are stable.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
type DeliveryWarning string

// Warnings.
const (
	// WarningCourseIDsDiffer means that enrollment.course_id is not course.id.
	WarningCourseIDsDiffer DeliveryWarning = "CourseIDsDiffer"
	// WarningCPFInvalid means that the CPF is not eleven digits with right check digits.
	WarningCPFInvalid DeliveryWarning = "CPFInvalid"
	// WarningEmailInvalid means that the email is not an address.
	WarningEmailInvalid DeliveryWarning = "EmailInvalid"
	// WarningUUIDInvalid means that the uuid is not a UUID.
	WarningUUIDInvalid DeliveryWarning = "UUIDInvalid"
	// WarningEventNameMissing means that event.name is null, empty or absent.
	WarningEventNameMissing DeliveryWarning = "EventNameMissing"
	// WarningCourseNameMissing means that course.name is null, empty or absent.
	WarningCourseNameMissing DeliveryWarning = "CourseNameMissing"
	// WarningUserNameMissing means that user.name is null, empty or absent.
	WarningUserNameMissing DeliveryWarning = "UserNameMissing"
	// WarningEmailMissing means that user.email is null, empty or absent.
	WarningEmailMissing DeliveryWarning = "EmailMissing"
	// WarningCPFMissing means that user.cpf is null, empty or absent.
	WarningCPFMissing DeliveryWarning = "CPFMissing"
	// WarningExpiryEmpty means that enrollment.date_expire is empty or all zeros, which is taken as no date.
	WarningExpiryEmpty DeliveryWarning = "ExpiryEmpty"
	// WarningTextReplaced means that a name, email, cpf, nickname or uuid has the replacement character U+FFFD: in the
	// place of a control character, a bidirectional override or half a character, or because the platform sent it.
	WarningTextReplaced DeliveryWarning = "TextReplaced"
	// WarningUnknownFields means that the delivery has fields that the contract does not know; they were ignored.
	WarningUnknownFields DeliveryWarning = "UnknownFields"
)

// CompletionDelivery identifies the delivery that is stored.
type CompletionDelivery struct {
	// id is the delivery id in the answer to the sender, in logs and in audit records.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9-]+$`
	// +required
	ID string `json:"id,omitempty"`

	// traceparent is the span of the delivery in W3C Trace Context format, which the planner continues. Only set if the
	// delivery was traced.
	//
	// +kubebuilder:validation:MinLength=55
	// +kubebuilder:validation:MaxLength=55
	// +kubebuilder:validation:Pattern=`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`
	// +optional
	Traceparent string `json:"traceparent,omitempty"`

	// warnings are what was unusual about the delivery.
	//
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Warnings []DeliveryWarning `json:"warnings,omitempty"`
}

// CourseCompletionSpec is the delivery, typed, with the institution's privacy settings applied.
//
// +kubebuilder:validation:XValidation:rule="self.event.sendAt >= oldSelf.event.sendAt",message="event.sendAt is older than what is stored: a completion only moves forward"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.event.firstSentAt) || has(self.event.firstSentAt) && self.event.firstSentAt <= oldSelf.event.firstSentAt",message="event.firstSentAt moves back only"
type CourseCompletionSpec struct {
	// event says what happened and when.
	//
	// +required
	Event CompletionEvent `json:"event,omitzero"`

	// institution of the course.
	//
	// +required
	Institution CompletionInstitution `json:"institution,omitzero"`

	// course that was completed.
	//
	// +required
	Course CompletionCourse `json:"course,omitzero"`

	// enrollment of the user in the course.
	//
	// +required
	Enrollment CompletionEnrollment `json:"enrollment,omitzero"`

	// user who completed the course.
	//
	// +required
	User CompletionUser `json:"user,omitzero"`

	// delivery identifies the delivery that is stored. Set by the webhook server.
	//
	// +optional
	Delivery CompletionDelivery `json:"delivery,omitzero"`
}

// Name returns the name of a CourseCompletion with this spec: {institution}-{course}-{enrollment}-{user}. Repeated
// deliveries get the same name.
func (s *CourseCompletionSpec) Name() string {
	return s.Institution.ID.String() + "-" + s.Course.ID.String() + "-" +
		s.Enrollment.ID.String() + "-" + s.User.ID.String()
}

// CourseOfCompletion returns the course in the name of a CourseCompletion, and whether there is one.
func CourseOfCompletion(name LocalName) (PlatformID, bool) {
	parts := strings.Split(string(name), "-")
	if len(parts) != 4 {
		return 0, false
	}
	id, err := strconv.ParseInt(parts[1], 10, 64)
	return PlatformID(id), err == nil && id > 0
}

// PolicyOutcome is the result of a policy for a completion.
//
// +kubebuilder:validation:Enum=Granted;NotGranted;Failed
type PolicyOutcome string

const (
	// OutcomeGranted means that the policy matched and there is a Grant.
	OutcomeGranted PolicyOutcome = "Granted"
	// OutcomeNotGranted means that the policy matched, but granted nothing; the reason says why.
	OutcomeNotGranted PolicyOutcome = "NotGranted"
	// OutcomeFailed means that the policy could not be evaluated or rendered.
	OutcomeFailed PolicyOutcome = "Failed"
)

// PolicyResult is the result of a policy in the status of a completion.
type PolicyResult struct {
	// policy is the name of the CompletionPolicy.
	//
	// +required
	Policy LocalName `json:"policy,omitempty"`

	// outcome of the policy.
	//
	// +required
	Outcome PolicyOutcome `json:"outcome,omitempty"`

	// reason for the outcome, in one word. The values are stable.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Reason string `json:"reason,omitempty"`

	// message explains the outcome.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`

	// grant is the name of the Grant.
	//
	// +optional
	Grant LocalName `json:"grant,omitempty"`
}

// CourseCompletionStatus is the observed state of a completion.
type CourseCompletionStatus struct {
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

	// policies has an entry for each matching policy: granted, or not granted and why. A policy that is not Ready, or
	// whose expression fails for this completion, has an entry if its courseIDs select the completion and there is no
	// grant yet; a policy that is not Ready, only if the completion came at that time. Policies that do not match have
	// no entry.
	//
	// +listType=map
	// +listMapKey=policy
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Policies []PolicyResult `json:"policies,omitempty"`

	// grants are the names of the Grants that have this completion as a cause, even if their policy is gone.
	//
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Grants []LocalName `json:"grants,omitempty"`

	// warnings are what was unusual about the stored delivery.
	//
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Warnings []DeliveryWarning `json:"warnings,omitempty"`
}

// CourseCompletion is the fact that a user completed a course, as reported by the platform. There is one object per
// enrollment. Deleting it withdraws the fact: what only this completion granted is revoked.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=cc,categories=completions
// +kubebuilder:printcolumn:name="Institution",type=integer,JSONPath=`.spec.institution.id`
// +kubebuilder:printcolumn:name="Course",type=integer,JSONPath=`.spec.course.id`
// +kubebuilder:printcolumn:name="User",type=integer,JSONPath=`.spec.user.id`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Sent",type=string,priority=1,JSONPath=`.spec.event.sendAt`
// +kubebuilder:printcolumn:name="Expires",type=string,priority=1,JSONPath=`.spec.enrollment.dateExpire`
// +kubebuilder:printcolumn:name="Delivery",type=string,priority=1,JSONPath=`.spec.delivery.id`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.institution.id`
// +kubebuilder:selectablefield:JSONPath=`.spec.course.id`
// +kubebuilder:selectablefield:JSONPath=`.spec.enrollment.id`
// +kubebuilder:selectablefield:JSONPath=`.spec.user.id`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == '%d-%d-%d-%d'.format([self.spec.institution.id, self.spec.course.id, self.spec.enrollment.id, self.spec.user.id])",message="metadata.name must be {institution.id}-{course.id}-{enrollment.id}-{user.id} of the spec"
type CourseCompletion struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the delivery, typed, with the institution's privacy settings applied.
	//
	// +required
	Spec CourseCompletionSpec `json:"spec,omitzero"`

	// status is the observed state.
	//
	// +kubebuilder:default:={"observedGeneration":-1}
	// +optional
	Status CourseCompletionStatus `json:"status,omitzero"`
}

// CourseCompletionList is a list of CourseCompletions.
//
// +kubebuilder:object:root=true
type CourseCompletionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []CourseCompletion `json:"items"`
}
