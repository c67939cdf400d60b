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

// Template is text in which `${...}` holds a CEL expression and `$${` stands for a literal `${`. It is compiled and
// type-checked when the policy is written; what it evaluates to goes in as data and is never parsed again.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=2048
type Template string

// PodSecurityLevel is a level of the Kubernetes pod security standards.
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

// NetworkIsolation says what the network policies of a namespace let through.
//
// +kubebuilder:validation:Enum=None;Ingress;IngressAndEgress
type NetworkIsolation string

const (
	// NetworkIsolationNone makes no NetworkPolicy.
	NetworkIsolationNone NetworkIsolation = "None"
	// NetworkIsolationIngress lets pods be reached from their own namespace, and by what the installation names.
	NetworkIsolationIngress NetworkIsolation = "Ingress"
	// NetworkIsolationIngressAndEgress also lets pods reach only their own namespace, the cluster's DNS, and what the
	// installation names.
	NetworkIsolationIngressAndEgress NetworkIsolation = "IngressAndEgress"
)

// SubjectKind is the kind of a subject that gets access.
//
// +kubebuilder:validation:Enum=User;Group;ServiceAccount
type SubjectKind string

const (
	// SubjectUser is a user name as the cluster's authentication gives it.
	SubjectUser SubjectKind = "User"
	// SubjectGroup is a group name; refused unless the installation allows groups.
	SubjectGroup SubjectKind = "Group"
	// SubjectServiceAccount is a ServiceAccount in the granted namespace.
	SubjectServiceAccount SubjectKind = "ServiceAccount"
)

// LimitType is what a limit range item applies to.
//
// +kubebuilder:validation:Enum=Container;Pod;PersistentVolumeClaim
type LimitType string

// EnrollmentExpiry says whether an entitlement ends with the enrollment.
//
// +kubebuilder:validation:Enum=Follow;Ignore
type EnrollmentExpiry string

const (
	// EnrollmentExpiryFollow ends the entitlement at the end of the enrollment's last day in the institution's zone.
	EnrollmentExpiryFollow EnrollmentExpiry = "Follow"
	// EnrollmentExpiryIgnore lets the entitlement outlast the enrollment's last day.
	EnrollmentExpiryIgnore EnrollmentExpiry = "Ignore"
)

// RemovalAction says what happens to what was provisioned once the entitlement has gone.
//
// +kubebuilder:validation:Enum=Delete;Retain
type RemovalAction string

const (
	// RemovalDelete deletes it.
	RemovalDelete RemovalAction = "Delete"
	// RemovalRetain leaves it to people.
	RemovalRetain RemovalAction = "Retain"
)

// Approval says whether a grant waits for a person.
//
// +kubebuilder:validation:Enum=Automatic;Manual
type Approval string

const (
	// ApprovalAutomatic puts a grant into effect by itself.
	ApprovalAutomatic Approval = "Automatic"
	// ApprovalManual waits until a person approves the Grant, by its override.
	ApprovalManual Approval = "Manual"
)

// Lifetime bounds an entitlement; the earliest bound counts. An enrollment that turns inactive always ends it. In a
// Grant that was made by hand only graceDays counts.
type Lifetime struct {
	// enrollmentExpiry says whether the entitlement ends with the last day of the enrollment (Follow) or not (Ignore).
	//
	// +kubebuilder:default=Follow
	// +optional
	EnrollmentExpiry EnrollmentExpiry `json:"enrollmentExpiry,omitempty"`

	// maxDays is the greatest number of days, each of 24 hours, from when the completion was sent for the first time
	// (spec.event.firstSentAt) until the entitlement ends. A repetition lengthens nothing. Unset: no such bound.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=36500
	// +optional
	MaxDays int32 `json:"maxDays,omitempty"`

	// until is when the entitlement ends at the latest: the last day, yyyy-MM-dd, in the institution's zone, or a moment,
	// such as 2026-12-18T18:00:00-03:00. Unset: no such bound.
	//
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=25
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2}))?$`
	// +kubebuilder:validation:XValidation:rule="timestamp(self.size() == 10 ? self + 'T00:00:00Z' : self) >= timestamp('0001-01-01T00:00:00Z')",message="until must be a day of the calendar, or a moment of one"
	// +optional
	Until string `json:"until,omitempty"`

	// graceDays is the number of days, each of 24 hours, between the end of access and the deletion of data. Within them
	// a newer delivery brings the access back with the data untouched. 0 deletes the data together with the access.
	//
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3650
	// +optional
	GraceDays *int32 `json:"graceDays,omitempty"`
}

// DefaultGraceDays is what graceDays is where nobody set it.
const DefaultGraceDays int32 = 30

// Grace returns graceDays, or its default for an object that was stored without it.
func (l Lifetime) Grace() int32 {
	if l.GraceDays == nil {
		return DefaultGraceDays
	}
	return *l.GraceDays
}
