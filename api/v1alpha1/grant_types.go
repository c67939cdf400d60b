// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GrantHolder is the person who has the grant.
type GrantHolder struct {
	// institutionID is the platform's number of the institution.
	//
	// +required
	InstitutionID PlatformID `json:"institutionID,omitempty"`

	// userID is the platform's number of the user.
	//
	// +required
	UserID PlatformID `json:"userID,omitempty"`
}

// GrantOverride is an exception made by people. The operator never changes it.
//
// +kubebuilder:validation:XValidation:rule="(has(self.approved) ? 1 : 0) + (has(self.revoked) ? 1 : 0) + (has(self.until) ? 1 : 0) == 1",message="set exactly one of approved, revoked and until"
type GrantOverride struct {
	// approved lets a grant that waits for approval take effect, if true.
	//
	// +kubebuilder:validation:XValidation:rule="self",message="approved can only be true: remove the override to take the approval back"
	// +optional
	Approved *bool `json:"approved,omitempty"`

	// revoked ends the grant if true: access at once, data after the grace days.
	//
	// +kubebuilder:validation:XValidation:rule="self",message="revoked can only be true: remove the override to give the grant back"
	// +optional
	Revoked *bool `json:"revoked,omitempty"`

	// until replaces the end of access, to an earlier or later time. It also approves the grant.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	Until *metav1.Time `json:"until,omitempty"`

	// reason explains the exception to others.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Reason string `json:"reason,omitempty"`
}

// GrantSpec says who gets what, why, and until when.
//
// +kubebuilder:validation:XValidation:rule="has(self.policy) == has(oldSelf.policy) && (!has(self.policy) || self.policy == oldSelf.policy)",message="policy is immutable"
// +kubebuilder:validation:XValidation:rule="self.holder == oldSelf.holder",message="holder is immutable: make another Grant"
// +kubebuilder:validation:XValidation:rule="has(self.objects) == has(self.serviceAccountName)",message="objects and serviceAccountName go together: objects are applied with the rights of that ServiceAccount"
// +kubebuilder:validation:XValidation:rule="!has(self.revokes) || has(self.policy)",message="revokes needs policy: only a completion revokes, by its policy"
// +kubebuilder:validation:XValidation:rule="!has(self.dataEndsAt) || has(self.accessEndsAt)",message="dataEndsAt needs accessEndsAt"
// +kubebuilder:validation:XValidation:rule="!has(self.dataEndsAt) || self.dataEndsAt >= self.accessEndsAt",message="dataEndsAt must not be before accessEndsAt"
// +kubebuilder:validation:XValidation:rule="!has(self.requestedAt) || !has(self.policy)",message="requestedAt is for a Grant made by hand: one with a policy counts from its completions"
// +kubebuilder:validation:XValidation:rule="!has(self.requestedAt) || !has(oldSelf.requestedAt) || self.requestedAt == oldSelf.requestedAt",message="requestedAt is immutable once set"
// +kubebuilder:validation:XValidation:rule="!has(self.endKnownAt) || has(self.accessEndsAt)",message="endKnownAt needs accessEndsAt"
type GrantSpec struct {
	// policy is the CompletionPolicy that this Grant comes from. The operator owns such a Grant; people can only set
	// override. Unset for a Grant made by hand.
	//
	// +optional
	Policy LocalName `json:"policy,omitempty"`

	// holder is the person who has the grant. Immutable.
	//
	// +required
	Holder GrantHolder `json:"holder,omitzero"`

	// requestedAt is the time from which a Grant made by hand counts: for its place in the queue for a seat, and
	// because a completion does not revoke what was requested after it. Defaults to the time of creation, which the
	// operator records so that it survives a backup and restore. Immutable once set.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	RequestedAt *metav1.Time `json:"requestedAt,omitempty"`

	// causes are the completions that entitle the holder, or entitled them in the past.
	//
	// +listType=map
	// +listMapKey=completion
	// +kubebuilder:validation:MaxItems=512
	// +optional
	Causes []GrantCause `json:"causes,omitempty"`

	// requiredCourseIDs are the courses that each need a cause in effect, for a policy whose match requires all
	// courses. If empty, one cause is enough.
	//
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +optional
	RequiredCourseIDs []PlatformID `json:"requiredCourseIDs,omitempty"`

	// namespaces of the holder.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Namespaces []GrantedNamespace `json:"namespaces,omitempty"`

	// seats that the holder has or waits for.
	//
	// +listType=map
	// +listMapKey=pool
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Seats []GrantedSeat `json:"seats,omitempty"`

	// objects of any kind for the holder.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Objects []GrantedObject `json:"objects,omitempty"`

	// serviceAccountName is the ServiceAccount of this namespace with whose rights the objects are applied.
	//
	// +optional
	ServiceAccountName LocalName `json:"serviceAccountName,omitempty"`

	// revokes is what a completion revokes from the holder according to the policy.
	//
	// +optional
	Revokes GrantRevocation `json:"revokes,omitzero"`

	// lifetime is a copy of the policy's lifetime, so that the grant can end without the policy.
	//
	// +kubebuilder:default={}
	// +optional
	Lifetime Lifetime `json:"lifetime,omitzero"`

	// approval says whether the grant waits for approval by the override.
	//
	// +kubebuilder:default=Automatic
	// +optional
	Approval Approval `json:"approval,omitempty"`

	// onRevoke says whether namespaces and objects are deleted after the grace days, or left in place, no longer
	// managed.
	//
	// +kubebuilder:default=Delete
	// +optional
	OnRevoke RemovalAction `json:"onRevoke,omitempty"`

	// onPolicyRemoval says whether the grant stays when its policy is deleted.
	//
	// +kubebuilder:default=Retain
	// +optional
	OnPolicyRemoval RemovalAction `json:"onPolicyRemoval,omitempty"`

	// accessEndsAt is when access and seats are revoked. If unset, they do not end by themselves.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	AccessEndsAt *metav1.Time `json:"accessEndsAt,omitempty"`

	// endKnownAt is when the operator learned of this accessEndsAt. An end known at least 24 hours in advance does not
	// count against the institution's revocationBudget.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`\.[0-9]{6}(Z|[+-][0-9]{2}:[0-9]{2})$`
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	EndKnownAt *metav1.MicroTime `json:"endKnownAt,omitempty"`

	// endBroughtForward says that a delivery brought accessEndsAt forward. This counts against the institution's
	// revocationBudget at once, even if the end is far off. If the budget does not admit it, the end counts when it is
	// due.
	//
	// +optional
	EndBroughtForward *EndBroughtForward `json:"endBroughtForward,omitempty"`

	// dataEndsAt is the earliest time at which the namespaces are deleted. If unset, the grace days after access ended.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	DataEndsAt *metav1.Time `json:"dataEndsAt,omitempty"`

	// override is an exception made by a person.
	//
	// +optional
	Override GrantOverride `json:"override,omitzero"`
}

// GrantPhase is the summary of a Grant.
//
// +kubebuilder:validation:Enum=Pending;AwaitingApproval;Waiting;Active;Ended;Revoked;Suspended
type GrantPhase string

const (
	// GrantPending means that not everything is in place yet.
	GrantPending GrantPhase = "Pending"
	// GrantAwaitingApproval means that the grant waits for approval.
	GrantAwaitingApproval GrantPhase = "AwaitingApproval"
	// GrantWaiting means that the grant waits for a free seat, or for a name that is in use.
	GrantWaiting GrantPhase = "Waiting"
	// GrantActive means that everything is in place.
	GrantActive GrantPhase = "Active"
	// GrantEnded means that access has ended. Data follows after the grace days.
	GrantEnded GrantPhase = "Ended"
	// GrantRevoked means that a person revoked the grant.
	GrantRevoked GrantPhase = "Revoked"
	// GrantSuspended means that the institution is suspended: nothing is granted or revoked.
	GrantSuspended GrantPhase = "Suspended"
)

// InventoryEntry is an object that the grant provisioned.
type InventoryEntry struct {
	// group of the object's API; empty for the core group.
	//
	// +kubebuilder:default=""
	// +kubebuilder:validation:MinLength=0
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Group *string `json:"group,omitempty"`

	// kind of the object.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Kind string `json:"kind,omitempty"`

	// namespace of the object; empty for a cluster-scoped object.
	//
	// +kubebuilder:default=""
	// +kubebuilder:validation:MinLength=0
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace *string `json:"namespace,omitempty"`

	// name of the object.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`

	// uid of the object. An object with another uid is left alone. If unset, the object was about to be applied, and
	// belongs to the grant if it has the grant's label completions.lxp.dev/applied-for.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	UID string `json:"uid,omitempty"`

	// serviceAccountName is the ServiceAccount with whose rights the object was applied, and is deleted. Unset for the
	// operator's own rights.
	//
	// +optional
	ServiceAccountName LocalName `json:"serviceAccountName,omitempty"`
}

// HeldSeat is a seat that the grant has.
type HeldSeat struct {
	// pool is the name of the SeatPool.
	//
	// +required
	Pool LocalName `json:"pool,omitempty"`

	// number of the seat.
	//
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=99999
	// +required
	Number *int32 `json:"number,omitempty"`
}

// GrantStatus is the observed state of a Grant.
type GrantStatus struct {
	// observedGeneration is the generation of the spec that this status describes; -1 before the first reconciliation.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase is the summary of the status.
	//
	// +optional
	Phase GrantPhase `json:"phase,omitempty"`

	// conditions are Ready, Reconciling and Stalled, and RevocationsComplete if the grant revokes namespaces, with the
	// progress of that.
	//
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(c, timestamp('1000-01-01T00:00:00Z') <= c.lastTransitionTime && c.lastTransitionTime <= timestamp('9999-12-31T23:59:59Z'))",message="lastTransitionTime must be a time of the years 1000 to 9999"
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// inventory lists what was provisioned and still exists. Revocation works from it, never from the policy.
	//
	// +listType=map
	// +listMapKey=group
	// +listMapKey=kind
	// +listMapKey=namespace
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Inventory []InventoryEntry `json:"inventory,omitempty"`

	// seats are the seats that the holder has.
	//
	// +listType=map
	// +listMapKey=pool
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Seats []HeldSeat `json:"seats,omitempty"`

	// revocations are the namespaces of spec.revokes whose revocation has started. It does not start while one of them
	// must be kept.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Revocations []NamespaceRevocation `json:"revocations,omitempty"`

	// revocationsKnownAt is when the operator learned that namespaces of spec.revokes are to be revoked, while that is
	// paused by the brake.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`\.[0-9]{6}(Z|[+-][0-9]{2}:[0-9]{2})$`
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	RevocationsKnownAt *metav1.MicroTime `json:"revocationsKnownAt,omitempty"`

	// accessChangeDigest identifies a change of access that would revoke access from subjects and is paused by the
	// brake.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	AccessChangeDigest string `json:"accessChangeDigest,omitempty"`

	// accessChangeKnownAt is when the operator learned of that change.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`\.[0-9]{6}(Z|[+-][0-9]{2}:[0-9]{2})$`
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	AccessChangeKnownAt *metav1.MicroTime `json:"accessChangeKnownAt,omitempty"`

	// accessEndedAt is when access actually ended. The grace days count from then if that is later than
	// spec.accessEndsAt.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	AccessEndedAt *metav1.Time `json:"accessEndedAt,omitempty"`

	// restoredAt is when the operator noticed that the grant was restored from a backup. It is removed once the policy
	// and the completions of the causes exist too, and the inventory is complete. Until then, their absence does not
	// end the grant, unless the operator sees one of them being deleted.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	RestoredAt *metav1.Time `json:"restoredAt,omitempty"`

	// admissions are the revocations that the brake of the institution admitted, each recorded before it takes effect.
	// Those of the last hour count against the institution's revocationBudget.
	//
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=4
	// +optional
	Admissions []RevocationAdmission `json:"admissions,omitempty"`
}

// Grant is an entitlement: who gets what, why, and until when. The operator creates Grants from policies and matching
// completions. People can create Grants without a policy by hand, for what no completion entitles to.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=completions
// +kubebuilder:printcolumn:name="Policy",type=string,JSONPath=`.spec.policy`
// +kubebuilder:printcolumn:name="User",type=integer,JSONPath=`.spec.holder.userID`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Access Ends",type=string,JSONPath=`.spec.accessEndsAt`
// +kubebuilder:printcolumn:name="Namespaces",type=string,priority=1,JSONPath=`.spec.namespaces[*].name`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.policy`
// +kubebuilder:selectablefield:JSONPath=`.spec.holder.institutionID`
// +kubebuilder:selectablefield:JSONPath=`.spec.holder.userID`
// +kubebuilder:selectablefield:JSONPath=`.status.phase`
type Grant struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says who gets what, why, and until when.
	//
	// +required
	Spec GrantSpec `json:"spec,omitzero"`

	// status is the observed state.
	//
	// +kubebuilder:default:={"observedGeneration":-1}
	// +optional
	Status GrantStatus `json:"status,omitzero"`
}

// Planned reports whether the Grant comes from a policy, and so belongs to the operator.
func (g *Grant) Planned() bool { return g.Spec.Policy != "" }

// CountsFrom returns since when a Grant that a person made counts.
func (g *Grant) CountsFrom() time.Time {
	if g.Spec.RequestedAt != nil {
		return g.Spec.RequestedAt.Time
	}
	return g.CreationTimestamp.Time
}

// OwnerDigest returns the value of the owner label on everything that the Grant provisioned. It is made of the Grant's
// namespace and name and not of its uid, so that a Grant that was restored from a backup, or planned again, knows its
// own.
func (g *Grant) OwnerDigest() string { return OwnerDigest(g.Namespace, g.Name) }

// OwnerDigest returns the value of the owner label for the Grant of this namespace and name: 40 hexadecimal digits.
func OwnerDigest(namespace, name string) string {
	sum := sha256.Sum256([]byte(namespace + "/" + name))
	return hex.EncodeToString(sum[:20])
}

// GrantList is a list of Grants.
//
// +kubebuilder:object:root=true
type GrantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Grant `json:"items"`
}
