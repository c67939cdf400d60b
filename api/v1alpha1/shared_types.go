// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

const (
	// LabelInstitutionID, LabelCourseID, LabelEnrollmentID and LabelUserID carry the platform's numbers, for people
	// who select with kubectl, and on granted namespaces for what adds up their costs. Programs use the selectable fields.
	// Labels never carry personal data.
	LabelInstitutionID = GroupName + "/institution-id"
	LabelCourseID      = GroupName + "/course-id"
	LabelEnrollmentID  = GroupName + "/enrollment-id"
	LabelUserID        = GroupName + "/user-id"

	// LabelPolicy names the CompletionPolicy that a Grant, or a granted namespace, comes from.
	LabelPolicy = GroupName + "/policy"

	// LabelGrant is the owner label, on everything that a Grant provisioned with the operator's own rights: its value is
	// OwnerDigest of the Grant. What does not carry it is never changed or deleted. The admission policy
	// completion-owner-label lets nobody but the controller-manager set it.
	LabelGrant = GroupName + "/grant"

	// LabelAppliedFor, on an object that a policy's template made, is OwnerDigest of its Grant. It is not the owner label:
	// whoever may write such an object may set it, and what is done to the object is done with the rights of the
	// ServiceAccount that AnnotationServiceAccount names.
	LabelAppliedFor = GroupName + "/applied-for"

	// LabelRevocable, on a namespace, lets completions at the institution whose id is its value take the namespace away.
	LabelRevocable = GroupName + "/revocable"

	// LabelPool names the SeatPool of a Seat.
	LabelPool = GroupName + "/pool"

	// AnnotationGrant names the Grant, as namespace/name, on what it provisioned, for people.
	AnnotationGrant = GroupName + "/granted-by"

	// AnnotationServiceAccount, on an object that a policy's template made, names the ServiceAccount whose rights it was
	// applied with, and so tells it from what the operator makes with its own.
	AnnotationServiceAccount = GroupName + "/applied-by"
	// LabelPolicyServiceAccount, with the value true, lets the policies of a ServiceAccount's namespace use its rights.
	LabelPolicyServiceAccount = GroupName + "/policy-service-account"
	// AnnotationReleaseBrake, on an Institution, releases the revocations that its brake has paused. Its value is the trip
	// that status.brake names; any other value releases nothing.
	AnnotationReleaseBrake = GroupName + "/release-brake"
	// AnnotationInstitutionID and AnnotationNamespacePrefix, on a namespace, say which Institution may live in it: its
	// spec.id and its spec.namespacePrefix. Whoever may change the Namespace object decides, which the admin of a
	// namespace may not.
	AnnotationInstitutionID   = GroupName + "/institution-id"
	AnnotationNamespacePrefix = GroupName + "/namespace-prefix"
	// FinalizerGrant holds a Grant until what it must revoke is revoked.
	FinalizerGrant = GroupName + "/revoke"

	// SecretTypeWebhookToken is the type of the Secrets that hold webhook tokens. Requiring a type of our own means
	// that an Institution cannot name, and so probe, any other Secret.
	SecretTypeWebhookToken = GroupName + "/webhook-token"

	// SecretKeyToken is the key under which such a Secret holds the token.
	SecretKeyToken = "token"

	// MinTokenLength is the least number of bytes of a webhook token. Shorter ones are not accepted.
	MinTokenLength = 32
)

// LocalName is the name of an object of this group in the same namespace.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
type LocalName string

// Template is text with CEL expressions in `${...}`; `$${` is a literal `${`. It is compiled and type-checked when the
// policy is written. Results are inserted as data and never parsed again.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=2048
type Template string

// PodSecurityLevel is a level of the Kubernetes Pod Security Standards.
//
// +kubebuilder:validation:Enum=privileged;baseline;restricted
type PodSecurityLevel string

const (
	// PodSecurityPrivileged does not restrict pods at all.
	PodSecurityPrivileged PodSecurityLevel = "privileged"
	// PodSecurityBaseline prevents known privilege escalations.
	PodSecurityBaseline PodSecurityLevel = "baseline"
	// PodSecurityRestricted follows the current practice of hardening pods.
	PodSecurityRestricted PodSecurityLevel = "restricted"
)

// NetworkIsolation says which traffic the NetworkPolicy of a namespace blocks.
//
// +kubebuilder:validation:Enum=None;Ingress;IngressAndEgress
type NetworkIsolation string

const (
	// NetworkIsolationNone creates no NetworkPolicy.
	NetworkIsolationNone NetworkIsolation = "None"
	// NetworkIsolationIngress allows ingress only from the own namespace, and from what the installation configures.
	NetworkIsolationIngress NetworkIsolation = "Ingress"
	// NetworkIsolationIngressAndEgress also allows egress only to the own namespace, the cluster's DNS, and what the
	// installation configures.
	NetworkIsolationIngressAndEgress NetworkIsolation = "IngressAndEgress"
)

// SubjectKind is the kind of a subject that gets access.
//
// +kubebuilder:validation:Enum=User;Group;ServiceAccount
type SubjectKind string

const (
	// SubjectUser is a user name as the cluster's authentication knows it.
	SubjectUser SubjectKind = "User"
	// SubjectGroup is a group name; refused unless the installation allows groups.
	SubjectGroup SubjectKind = "Group"
	// SubjectServiceAccount is a ServiceAccount in the granted namespace.
	SubjectServiceAccount SubjectKind = "ServiceAccount"
)

// LimitType is the kind of resource that a LimitRange item applies to.
//
// +kubebuilder:validation:Enum=Container;Pod;PersistentVolumeClaim
type LimitType string

// EnrollmentExpiry says whether a grant ends with the enrollment.
//
// +kubebuilder:validation:Enum=Follow;Ignore
type EnrollmentExpiry string

const (
	// EnrollmentExpiryFollow ends the grant at the end of the enrollment's last day in the institution's time zone.
	EnrollmentExpiryFollow EnrollmentExpiry = "Follow"
	// EnrollmentExpiryIgnore lets the grant outlast the enrollment's last day.
	EnrollmentExpiryIgnore EnrollmentExpiry = "Ignore"
)

// RemovalAction says what happens when the reason for something is gone.
//
// +kubebuilder:validation:Enum=Delete;Retain
type RemovalAction string

const (
	// RemovalDelete deletes it, or ends it.
	RemovalDelete RemovalAction = "Delete"
	// RemovalRetain leaves it in place.
	RemovalRetain RemovalAction = "Retain"
)

// Approval says whether a grant waits for approval.
//
// +kubebuilder:validation:Enum=Automatic;Manual
type Approval string

const (
	// ApprovalAutomatic puts a grant into effect at once.
	ApprovalAutomatic Approval = "Automatic"
	// ApprovalManual waits until a person approves the Grant by its override.
	ApprovalManual Approval = "Manual"
)

// Lifetime limits how long a grant lasts; the earliest limit counts. A grant always ends when the enrollment becomes
// inactive. In a Grant made by hand, only graceDays applies.
type Lifetime struct {
	// enrollmentExpiry says whether the grant ends with the last day of the enrollment (Follow) or not (Ignore).
	//
	// +kubebuilder:default=Follow
	// +optional
	EnrollmentExpiry EnrollmentExpiry `json:"enrollmentExpiry,omitempty"`

	// maxDays is the maximum number of days, each of 24 hours, from when the completion was first sent
	// (spec.event.firstSentAt). Repeated deliveries do not extend it. If unset, there is no such limit.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=36500
	// +optional
	MaxDays int32 `json:"maxDays,omitempty"`

	// until is the latest end: the last day in the institution's time zone, as yyyy-MM-dd, or a time such as
	// 2026-12-18T18:00:00-03:00. If unset, there is no such limit.
	//
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=25
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2}))?$`
	// +kubebuilder:validation:XValidation:rule="timestamp(self.size() == 10 ? self + 'T00:00:00Z' : self) >= timestamp('0001-01-01T00:00:00Z')",message="until must be a day of the calendar, or a moment of one"
	// +optional
	Until string `json:"until,omitempty"`

	// graceDays is the number of days, each of 24 hours, between the end of access and the deletion of data. A newer
	// delivery within them restores access with the data untouched. 0 deletes the data together with the access.
	//
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3650
	// +optional
	GraceDays *int32 `json:"graceDays,omitempty"`
}

// DefaultGraceDays is the default of graceDays.
const DefaultGraceDays int32 = 30

// Grace returns graceDays, or its default for an object that was stored without it.
func (l Lifetime) Grace() int32 {
	if l.GraceDays == nil {
		return DefaultGraceDays
	}
	return *l.GraceDays
}
