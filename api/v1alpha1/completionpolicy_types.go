// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultClusterRole is what access is bound to where the policy names no other: what a learner needs, without the
// rights to change quota, limits, network policies or access itself.
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

// MatchRequire says how many of the courses a person has to have completed.
//
// +kubebuilder:validation:Enum=Any;All
type MatchRequire string

const (
	// MatchAny lets each completion that matches entitle by itself.
	MatchAny MatchRequire = "Any"
	// MatchAll entitles whoever has a completion of each course, for as long as one of each entitles.
	MatchAll MatchRequire = "All"
)

// MaxRequiredCourses is the greatest number of courses that a policy requires together.
const MaxRequiredCourses = 64

// PolicyMatch says which completions a policy is about. Where both fields are set, both must hold.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="has(self.courseIDs) || has(self.expression)",message="set courseIDs, expression or both: a policy has to say which completions it is about"
// +kubebuilder:validation:XValidation:rule="!has(self.require) || self.require == 'Any' || has(self.courseIDs) && self.courseIDs.size() <= 64",message="require All needs courseIDs, at most 64"
type PolicyMatch struct {
	// courseIDs are the courses whose completion matches (course.id).
	//
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1024
	// +optional
	CourseIDs []PlatformID `json:"courseIDs,omitempty"`

	// expression is a CEL expression that yields true or false, over the variables event, institution, course, enrollment
	// and user, such as `course.id == 123456 && enrollment.status == 1`.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Expression string `json:"expression,omitempty"`

	// require says whether each completion that matches entitles by itself (Any), or a person has to have completed all
	// of courseIDs (All). With All the grant is made once one completion of each course entitles, and ends as soon as none
	// of one course does any more; it needs courseIDs, at most 64, and grantPer User.
	//
	// +kubebuilder:default=Any
	// +optional
	Require MatchRequire `json:"require,omitempty"`
}

// ResourceQuotaTemplate bounds what a namespace may use in all.
type ResourceQuotaTemplate struct {
	// hard maps the name of a resource, such as `requests.cpu` or `count/pods`, to a quantity or a template of one.
	//
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=32
	// +required
	Hard map[string]QuantityTemplate `json:"hard,omitempty"`
}

// LimitTemplate bounds what one thing in a namespace may use.
//
// +kubebuilder:validation:MinProperties=2
type LimitTemplate struct {
	// type is what the limits apply to.
	//
	// +required
	Type LimitType `json:"type,omitempty"`

	// default are the limits of a container that sets none.
	//
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Default map[string]QuantityTemplate `json:"default,omitempty"`

	// defaultRequest are the requests of a container that sets none.
	//
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	DefaultRequest map[string]QuantityTemplate `json:"defaultRequest,omitempty"`

	// max are the greatest values allowed.
	//
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Max map[string]QuantityTemplate `json:"max,omitempty"`

	// min are the least values allowed.
	//
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Min map[string]QuantityTemplate `json:"min,omitempty"`
}

// SubjectTemplate is somebody who gets access.
type SubjectTemplate struct {
	// kind of the subject.
	//
	// +kubebuilder:default=User
	// +optional
	Kind SubjectKind `json:"kind,omitempty"`

	// name of the subject, as the cluster's authentication gives it. A template; it may hold one personal field, such as
	// `${user.email}`. What starts with `system:` is refused.
	//
	// +required
	Name Template `json:"name,omitempty"`
}

// AccessTemplate binds subjects to a ClusterRole in a granted namespace.
type AccessTemplate struct {
	// clusterRole is what the subjects may do in the namespace. Others than completion-learner must be allowed by the
	// installation.
	//
	// +kubebuilder:default=completion-learner
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9:._-]*$`
	// +optional
	ClusterRole string `json:"clusterRole,omitempty"`

	// subjects are who gets the access.
	//
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +required
	Subjects []SubjectTemplate `json:"subjects,omitempty"`
}

// NamespaceTemplate is a namespace that a policy grants.
type NamespaceTemplate struct {
	// name of the namespace: a template without personal fields, such as `grad-${user.id}`. What it yields must start
	// with the institution's namespacePrefix. A namespace that exists already is never taken over.
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

	// podSecurity is the pod security level that is enforced in the namespace, at most the cap of the installation.
	//
	// +kubebuilder:default=restricted
	// +optional
	PodSecurity PodSecurityLevel `json:"podSecurity,omitempty"`

	// networkIsolation says what network policies let through.
	//
	// +kubebuilder:default=IngressAndEgress
	// +optional
	NetworkIsolation NetworkIsolation `json:"networkIsolation,omitempty"`

	// resourceQuota bounds what the namespace may use in all. Unset: no bound.
	//
	// +optional
	ResourceQuota ResourceQuotaTemplate `json:"resourceQuota,omitzero"`

	// limits bound what one container, pod or volume claim may use. Empty: no bound.
	//
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=3
	// +optional
	Limits []LimitTemplate `json:"limits,omitempty"`

	// access says who may do what in the namespace. Empty: nobody gets access by this policy.
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

// CompletionPolicySpec says what a completion grants, and what it takes away.
//
// +kubebuilder:validation:XValidation:rule="has(self.namespaces) || has(self.seats) || has(self.objects) || has(self.revoke)",message="a policy must grant or take something: set namespaces, seats, objects or revoke"
// +kubebuilder:validation:XValidation:rule="has(self.objects) == has(self.serviceAccountName)",message="objects and serviceAccountName go together: objects are applied with the rights of that ServiceAccount"
// +kubebuilder:validation:XValidation:rule="!has(self.match.require) || self.match.require == 'Any' || self.grantPer == 'User'",message="match.require All needs grantPer User: the completions of all courses together make one grant"
// +kubebuilder:validation:XValidation:rule="self.grantPer == oldSelf.grantPer",message="grantPer is immutable, because it names the grants: make another policy"
type CompletionPolicySpec struct {
	// match says which completions the policy is about.
	//
	// +required
	Match PolicyMatch `json:"match,omitzero"`

	// grantPer says whether all the completions of a user that match have one Grant together (User), or each has one of
	// its own (Completion). With User the Grant ends with the last of them, and templates may use institution and user
	// only. With Completion the Grants of one user share the namespaces and objects that they name alike: what such a one
	// is like is as the Grant with the newest delivery says, and the last one that entitles keeps it. Immutable.
	//
	// +kubebuilder:default=User
	// +optional
	GrantPer GrantPer `json:"grantPer,omitempty"`

	// namespaces are made for the user.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Namespaces []NamespaceTemplate `json:"namespaces,omitempty"`

	// seats are taken for the user, each as soon as its pool has one free.
	//
	// +listType=map
	// +listMapKey=pool
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Seats []SeatTemplate `json:"seats,omitempty"`

	// objects of any kind are applied for the user with the rights of the ServiceAccount, after the namespaces, and so
	// they may be in them. They are data: they go when the namespaces go; RoleBindings among them go with the access.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Objects []ObjectTemplate `json:"objects,omitempty"`

	// serviceAccountName is the ServiceAccount of this namespace whose rights objects are applied, checked and deleted
	// with. It must carry the label completions.lxp.dev/policy-service-account with the value true.
	//
	// +optional
	ServiceAccountName LocalName `json:"serviceAccountName,omitempty"`

	// revoke is what a completion takes away from its user: the seat or the namespace of the course just finished. It
	// takes also where it entitles to nothing, or no longer. Only its withdrawal, or the policy, gives back.
	//
	// +optional
	Revoke PolicyRevocation `json:"revoke,omitzero"`

	// lifetime bounds how long the entitlement lasts.
	//
	// +kubebuilder:default={}
	// +optional
	Lifetime Lifetime `json:"lifetime,omitzero"`

	// approval says whether grants take effect by themselves (Automatic), or each waits until a person approves it by
	// setting spec.override.approved of the Grant (Manual). A change to Manual holds for grants that are new; a change to
	// Automatic lets those that wait take effect.
	//
	// +kubebuilder:default=Automatic
	// +optional
	Approval Approval `json:"approval,omitempty"`

	// onRevoke says whether namespaces and objects are deleted (Delete) or left to people (Retain) when the data of an
	// ended grant has to go. Access and seats are taken away in both cases.
	//
	// +kubebuilder:default=Delete
	// +optional
	OnRevoke RemovalAction `json:"onRevoke,omitempty"`

	// onPolicyRemoval says whether grants stay (Retain) or end (Delete) when the policy is deleted, or no longer matches
	// their completions. A seat that somebody has and the policy no longer grants stays or goes likewise.
	//
	// +kubebuilder:default=Retain
	// +optional
	OnPolicyRemoval RemovalAction `json:"onPolicyRemoval,omitempty"`

	// suspend set to true plans nothing: no new grants, and no changes to those there are. Their recorded ends still come.
	//
	// +optional
	Suspend *bool `json:"suspend,omitempty"`
}

// GrantCounts says how many Grants there are in each phase. It follows with a delay of some seconds.
//
// +kubebuilder:validation:MinProperties=1
type GrantCounts struct {
	// pending is how many are not in place yet.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Pending *int32 `json:"pending,omitempty"`

	// awaitingApproval is how many wait for a person.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	AwaitingApproval *int32 `json:"awaitingApproval,omitempty"`

	// waiting is how many wait for a free seat, or for a name that another one holds.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Waiting *int32 `json:"waiting,omitempty"`

	// active is how many are in place.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Active *int32 `json:"active,omitempty"`

	// ended is how many have ended, those that a person revoked among them.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Ended *int32 `json:"ended,omitempty"`

	// suspended is how many are held by a suspended institution.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Suspended *int32 `json:"suspended,omitempty"`
}

// CompletionPolicyStatus is what the operator observed of a policy.
//
// +kubebuilder:validation:MinProperties=1
type CompletionPolicyStatus struct {
	// observedGeneration is the generation of the spec that this status is about; -1 before the first look.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling and Stalled, and for a policy that grants something AccessReady and NamesDistinct. A
	// policy that is not Ready grants nothing new; what it granted stays. NamesDistinct says whether every grant of the
	// policy has names of its own for its namespaces and objects, or which ones share them. AccessReady says whether everything could be granted, as far
	// as that can be known beforehand: roles that may be bound, pools that exist, names with the institution's prefix,
	// quotas that the API server takes, and what the ServiceAccount needs for the objects.
	//
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(c, timestamp('1000-01-01T00:00:00Z') <= c.lastTransitionTime && c.lastTransitionTime <= timestamp('9999-12-31T23:59:59Z'))",message="lastTransitionTime must be a time of the years 1000 to 9999"
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// grants says how many Grants of the policy there are in each phase.
	//
	// +optional
	Grants GrantCounts `json:"grants,omitzero"`
}

// CompletionPolicy says what the completion of a course grants: namespaces, seats in pools, and objects of any kind;
// and what it takes away.
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

	// spec says what a completion grants.
	//
	// +required
	Spec CompletionPolicySpec `json:"spec,omitzero"`

	// status is what the operator observed.
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

// Suspended reports whether the policy plans nothing for now.
func (s *CompletionPolicySpec) Suspended() bool { return s.Suspend != nil && *s.Suspend }
