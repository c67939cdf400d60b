// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import rbacv1 "k8s.io/api/rbac/v1"

// GrantedLimit is an item of the LimitRange of the namespace.
type GrantedLimit struct {
	// type is the kind of resource that the limits apply to.
	//
	// +required
	Type LimitType `json:"type,omitempty"`

	// default is the limit of containers that set none.
	//
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Default map[string]Quantity `json:"default,omitempty"`

	// defaultRequest is the request of containers that set none.
	//
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	DefaultRequest map[string]Quantity `json:"defaultRequest,omitempty"`

	// max is the maximum allowed.
	//
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Max map[string]Quantity `json:"max,omitempty"`

	// min is the minimum allowed.
	//
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Min map[string]Quantity `json:"min,omitempty"`
}

// GrantedSubject is a subject that has access.
type GrantedSubject struct {
	// kind of the subject.
	//
	// +kubebuilder:default=User
	// +optional
	Kind SubjectKind `json:"kind,omitempty"`

	// name of the subject. It can be personal data.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Name string `json:"name,omitempty"`
}

// GrantedAccess binds subjects to a ClusterRole in the namespace.
type GrantedAccess struct {
	// clusterRole is bound to the subjects in the namespace.
	//
	// +kubebuilder:default=completion-learner
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9:._-]*$`
	// +optional
	ClusterRole string `json:"clusterRole,omitempty"`

	// subjects have the access.
	//
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +required
	Subjects []GrantedSubject `json:"subjects,omitempty"`
}

// GrantedNamespace is a namespace with all templates evaluated.
type GrantedNamespace struct {
	// name of the namespace.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Name string `json:"name,omitempty"`

	// labels of the namespace.
	//
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(key, self[key].size() <= 63)",message="a label value has at most 63 characters"
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// annotations of the namespace.
	//
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(key, self[key].size() <= 16384)",message="an annotation has at most 16384 characters"
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`

	// podSecurity is the Pod Security Standard that is enforced.
	//
	// +kubebuilder:default=restricted
	// +optional
	PodSecurity PodSecurityLevel `json:"podSecurity,omitempty"`

	// networkIsolation says which traffic the NetworkPolicy of the namespace blocks.
	//
	// +kubebuilder:default=IngressAndEgress
	// +optional
	NetworkIsolation NetworkIsolation `json:"networkIsolation,omitempty"`

	// quota maps the name of a resource to the limit of the namespace.
	//
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	Quota map[string]Quantity `json:"quota,omitempty"`

	// limits limit the resources of each container, pod or volume claim.
	//
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=3
	// +optional
	Limits []GrantedLimit `json:"limits,omitempty"`

	// access grants roles in the namespace.
	//
	// +listType=map
	// +listMapKey=clusterRole
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Access []GrantedAccess `json:"access,omitempty"`
}

// GrantedSeat is a seat in a pool.
type GrantedSeat struct {
	// pool is the name of the SeatPool.
	//
	// +required
	Pool LocalName `json:"pool,omitempty"`
}

// Subject returns the subject as a RoleBinding in the given namespace names it.
func (s GrantedSubject) Subject(namespace string) rbacv1.Subject {
	if s.Kind == SubjectServiceAccount {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: s.Name, Namespace: namespace}
	}
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: string(s.Kind), Name: s.Name}
}
