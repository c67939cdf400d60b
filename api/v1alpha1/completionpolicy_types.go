// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultClusterRole is the ClusterRole that access binds to if the policy names no other. It has what a learner needs,
// without the right to change quota, limits, network policies or access.
const DefaultClusterRole = "completion-learner"

// GrantPer says how many Grants a policy makes of a person's completions.
//
// +kubebuilder:validation:Enum=Completion;User
type GrantPer string

const (
	// GrantPerCompletion makes one Grant for each completion that matches.
	GrantPerCompletion GrantPer = "Completion"
	// GrantPerUser makes one Grant for all the completions of a user that match. It ends with the last of them.
	GrantPerUser GrantPer = "User"
)

// MatchRequire says whether one of the courses is enough, or all of them are required.
//
// +kubebuilder:validation:Enum=Any;All
type MatchRequire string

const (
	// MatchAny grants for each matching completion by itself.
	MatchAny MatchRequire = "Any"
	// MatchAll grants to users with a completion of every course, as long as at least one completion of each is in
	// effect.
	MatchAll MatchRequire = "All"
)

// MaxRequiredCourses is the maximum number of courses that a policy can require together.
const MaxRequiredCourses = 64

// PolicyMatch selects completions. If courseIDs and expression are both set, a completion must match both.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="has(self.courseIDs) || has(self.expression)",message="set courseIDs, expression or both: a policy has to say which completions it is about"
// +kubebuilder:validation:XValidation:rule="!has(self.require) || self.require == 'Any' || has(self.courseIDs) && self.courseIDs.size() <= 64",message="require All needs courseIDs, at most 64"
type PolicyMatch struct {
	// courseIDs lists the courses whose completions match (course.id).
	//
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1024
	// +optional
	CourseIDs []PlatformID `json:"courseIDs,omitempty"`

	// expression is a CEL expression that returns a boolean. Its variables are event, institution, course, enrollment
	// and user. Example: `course.id == 123456 && enrollment.status == 1`.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Expression string `json:"expression,omitempty"`

	// require says whether each matching completion counts by itself (Any), or all of courseIDs must be completed
	// (All). With All, the grant starts once a completion of every course is in effect, and ends as soon as a course
	// has none left. All requires courseIDs, at most 64, and grantPer User.
	//
	// +kubebuilder:default=Any
	// +optional
	Require MatchRequire `json:"require,omitempty"`
}

// ResourceQuotaTemplate is the ResourceQuota of a granted namespace.
type ResourceQuotaTemplate struct {
	// hard maps the name of a resource, such as `requests.cpu` or `count/pods`, to a quantity or a template of one.
	//
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	// +required
	Hard map[string]QuantityTemplate `json:"hard,omitempty"`
}

// LimitTemplate is an item of the LimitRange of a granted namespace.
//
// +kubebuilder:validation:MinProperties=2
type LimitTemplate struct {
	// type is the kind of resource that the limits apply to.
	//
	// +required
	Type LimitType `json:"type,omitempty"`

	// default is the limit of containers that set none.
	//
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Default map[string]QuantityTemplate `json:"default,omitempty"`

	// defaultRequest is the request of containers that set none.
	//
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	DefaultRequest map[string]QuantityTemplate `json:"defaultRequest,omitempty"`

	// max is the maximum allowed.
	//
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Max map[string]QuantityTemplate `json:"max,omitempty"`

	// min is the minimum allowed.
	//
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Min map[string]QuantityTemplate `json:"min,omitempty"`
}

// SubjectTemplate is a subject that gets access.
type SubjectTemplate struct {
	// kind of the subject.
	//
	// +kubebuilder:default=User
	// +optional
	Kind SubjectKind `json:"kind,omitempty"`

	// name of the subject, as the cluster's authentication knows it. A template, which can use one personal field, such
	// as `${user.email}`. Names that start with `system:` are refused.
	//
	// +required
	Name Template `json:"name,omitempty"`
}

// AccessTemplate binds subjects to a ClusterRole in a granted namespace.
type AccessTemplate struct {
	// clusterRole is bound to the subjects in the namespace. Roles other than completion-learner must be allowed by the
	// installation.
	//
	// +kubebuilder:default=completion-learner
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9:._-]*$`
	// +optional
	ClusterRole string `json:"clusterRole,omitempty"`

	// subjects get the access.
	//
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +required
	Subjects []SubjectTemplate `json:"subjects,omitempty"`
}

// NamespaceTemplate is a namespace that a policy grants.
type NamespaceTemplate struct {
	// name of the namespace: a template without personal fields, such as `grad-${user.id}`. The result must start with
	// the institution's namespacePrefix. An existing namespace is never taken over.
	//
	// +required
	Name Template `json:"name,omitempty"`

	// labels of the namespace. The values are templates without personal fields.
	//
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	Labels map[string]Template `json:"labels,omitempty"`

	// annotations of the namespace. The values are templates without personal fields.
	//
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	Annotations map[string]Template `json:"annotations,omitempty"`

	// podSecurity is the Pod Security Standard enforced in the namespace. The installation can limit it.
	//
	// +kubebuilder:default=restricted
	// +optional
	PodSecurity PodSecurityLevel `json:"podSecurity,omitempty"`

	// networkIsolation says which traffic the NetworkPolicy of the namespace blocks.
	//
	// +kubebuilder:default=IngressAndEgress
	// +optional
	NetworkIsolation NetworkIsolation `json:"networkIsolation,omitempty"`

	// resourceQuota limits the total resources of the namespace. If unset, the default of the installation applies.
	//
	// +optional
	ResourceQuota ResourceQuotaTemplate `json:"resourceQuota,omitzero"`

	// limits limit the resources of each container, pod or volume claim. If empty, the default of the installation
	// applies.
	//
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=3
	// +optional
	Limits []LimitTemplate `json:"limits,omitempty"`

	// access grants roles in the namespace. If empty, the policy gives nobody access.
	//
	// +listType=map
	// +listMapKey=clusterRole
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Access []AccessTemplate `json:"access,omitempty"`
}

// SeatTemplate is a seat that a policy grants.
type SeatTemplate struct {
	// pool is the name of the SeatPool in the same namespace.
	//
	// +required
	Pool LocalName `json:"pool,omitempty"`
}

// CompletionPolicySpec says what a completion grants and revokes.
//
// +kubebuilder:validation:XValidation:rule="has(self.namespaces) || has(self.seats) || has(self.objects) || has(self.revoke)",message="a policy must grant or take something: set namespaces, seats, objects or revoke"
// +kubebuilder:validation:XValidation:rule="has(self.objects) == has(self.serviceAccountName)",message="objects and serviceAccountName go together: objects are applied with the rights of that ServiceAccount"
// +kubebuilder:validation:XValidation:rule="!has(self.match.require) || self.match.require == 'Any' || self.grantPer == 'User'",message="match.require All needs grantPer User: the completions of all courses together make one grant"
// +kubebuilder:validation:XValidation:rule="self.grantPer == oldSelf.grantPer",message="grantPer is immutable, because it names the grants: make another policy"
type CompletionPolicySpec struct {
	// match selects the completions to which the policy applies.
	//
	// +required
	Match PolicyMatch `json:"match,omitzero"`

	// grantPer says whether all matching completions of a user share one Grant (User), or each has its own
	// (Completion). With User, the Grant ends with the last of them, and templates can only use institution and user.
	// With Completion, the Grants of a user share namespaces and objects of the same name: the Grant with the newest
	// delivery defines them, and they stay until the last of these Grants ends. Immutable.
	//
	// +kubebuilder:default=User
	// +optional
	GrantPer GrantPer `json:"grantPer,omitempty"`

	// namespaces are created for the user.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Namespaces []NamespaceTemplate `json:"namespaces,omitempty"`

	// seats are assigned to the user, each as soon as its pool has a free one.
	//
	// +listType=map
	// +listMapKey=pool
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Seats []SeatTemplate `json:"seats,omitempty"`

	// objects of any kind are applied for the user with the rights of the ServiceAccount. They are applied after the
	// namespaces, so they can be in them. They count as data and are deleted together with the namespaces; RoleBindings
	// are deleted together with the access.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Objects []ObjectTemplate `json:"objects,omitempty"`

	// serviceAccountName is the ServiceAccount of this namespace with whose rights objects are applied, checked and
	// deleted. It must have the label completions.lxp.dev/policy-service-account=true.
	//
	// +optional
	ServiceAccountName LocalName `json:"serviceAccountName,omitempty"`

	// revoke is what a completion revokes from its user, such as the seat or the namespace of the course just finished.
	// It also applies to completions that grant nothing, or no longer do. Deleting the completion, or changing the
	// policy, undoes it.
	//
	// +optional
	Revoke PolicyRevocation `json:"revoke,omitzero"`

	// lifetime limits how long the grant lasts.
	//
	// +kubebuilder:default={}
	// +optional
	Lifetime Lifetime `json:"lifetime,omitzero"`

	// approval says whether grants take effect at once (Automatic), or wait for approval: spec.override.approved of the
	// Grant (Manual). A change to Manual applies to new grants only; a change to Automatic also approves those that
	// wait.
	//
	// +kubebuilder:default=Automatic
	// +optional
	Approval Approval `json:"approval,omitempty"`

	// onRevoke says whether namespaces and objects of an ended grant are deleted after the grace days (Delete), or left
	// in place, no longer managed (Retain). Access and seats are revoked in either case.
	//
	// +kubebuilder:default=Delete
	// +optional
	OnRevoke RemovalAction `json:"onRevoke,omitempty"`

	// onPolicyRemoval says whether grants stay (Retain) or end (Delete) when the policy is deleted or no longer matches
	// their completions. The same applies to an assigned seat that the policy no longer grants.
	//
	// +kubebuilder:default=Retain
	// +optional
	OnPolicyRemoval RemovalAction `json:"onPolicyRemoval,omitempty"`

	// suspend stops planning if true: no new grants, and no changes of existing ones. They still end at their recorded
	// time.
	//
	// +optional
	Suspend *bool `json:"suspend,omitempty"`
}

// GrantCounts is the number of Grants by phase. It is updated with a delay of a few seconds.
//
// +kubebuilder:validation:MinProperties=1
type GrantCounts struct {
	// pending is the number of Grants that are not yet in place.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Pending *int32 `json:"pending,omitempty"`

	// awaitingApproval is the number of Grants that wait for approval.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	AwaitingApproval *int32 `json:"awaitingApproval,omitempty"`

	// waiting is the number of Grants that wait for a free seat, or for a name that is in use.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Waiting *int32 `json:"waiting,omitempty"`

	// active is the number of Grants that are in place.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Active *int32 `json:"active,omitempty"`

	// ended is the number of Grants that have ended, including those revoked by hand.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Ended *int32 `json:"ended,omitempty"`

	// suspended is the number of Grants of a suspended institution.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Suspended *int32 `json:"suspended,omitempty"`
}

// CompletionPolicyStatus is the observed state of a policy.
//
// +kubebuilder:validation:MinProperties=1
type CompletionPolicyStatus struct {
	// observedGeneration is the generation of the spec that this status describes; -1 before the first reconciliation.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling and Stalled, and for a policy that grants something AccessReady and
	// NamesDistinct. A policy that is not Ready grants nothing new; existing grants stay. NamesDistinct says whether
	// each grant of the policy has its own names for namespaces and objects. AccessReady says whether the grants can
	// succeed, as far as can be checked in advance: allowed roles, existing pools, names with the institution's prefix,
	// quotas that the API server accepts, and the rights of the ServiceAccount.
	//
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(c, timestamp('1000-01-01T00:00:00Z') <= c.lastTransitionTime && c.lastTransitionTime <= timestamp('9999-12-31T23:59:59Z'))",message="lastTransitionTime must be a time of the years 1000 to 9999"
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// grants is the number of Grants of the policy by phase.
	//
	// +optional
	Grants GrantCounts `json:"grants,omitzero"`
}

// CompletionPolicy says what the completion of a course grants (namespaces, seats in pools, objects of any kind) and
// what it revokes.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=cpol,categories=completions
// +kubebuilder:printcolumn:name="Per",type=string,JSONPath=`.spec.grantPer`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Active",type=integer,JSONPath=`.status.grants.active`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.grants.waiting`
// +kubebuilder:printcolumn:name="Suspended",type=boolean,priority=1,JSONPath=`.spec.suspend`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="metadata.name must be a DNS label (at most 63 characters, no dots): it starts the names of the grants"
type CompletionPolicy struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says what a completion grants and revokes.
	//
	// +required
	Spec CompletionPolicySpec `json:"spec,omitzero"`

	// status is the observed state.
	//
	// +kubebuilder:default:={"observedGeneration":-1}
	// +optional
	Status CompletionPolicyStatus `json:"status,omitzero"`
}

// CompletionPolicyList is a list of CompletionPolicies.
//
// +kubebuilder:object:root=true
type CompletionPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []CompletionPolicy `json:"items"`
}

// Suspended reports whether planning is suspended.
func (s *CompletionPolicySpec) Suspended() bool { return s.Suspend != nil && *s.Suspend }
