// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import rbacv1 "k8s.io/api/rbac/v1"

// GrantedLimit bounds what one thing in the namespace may use.
type GrantedLimit struct {
	// type is what the limits apply to.
	//
	// +required
	Type LimitType `json:"type,omitempty"`

	// default are the limits of a container that sets none.
	//
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Default map[string]Quantity `json:"default,omitempty"`

	// defaultRequest are the requests of a container that sets none.
	//
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	DefaultRequest map[string]Quantity `json:"defaultRequest,omitempty"`

	// max are the greatest values allowed.
	//
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Max map[string]Quantity `json:"max,omitempty"`

	// min are the least values allowed.
	//
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Min map[string]Quantity `json:"min,omitempty"`
}

// GrantedSubject is somebody who has access.
type GrantedSubject struct {
	// kind of the subject.
	//
	// +kubebuilder:default=User
	// +optional
	Kind SubjectKind `json:"kind,omitempty"`

	// name of the subject. It may be personal data.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Name string `json:"name,omitempty"`
}

// GrantedAccess binds subjects to a ClusterRole in the namespace.
type GrantedAccess struct {
	// clusterRole is what the subjects may do in the namespace.
	//
	// +kubebuilder:default=completion-learner
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9:._-]*$`
	// +optional
	ClusterRole string `json:"clusterRole,omitempty"`

	// subjects are who has the access.
	//
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +required
	Subjects []GrantedSubject `json:"subjects,omitempty"`
}

// GrantedNamespace is a namespace, with nothing left to evaluate.
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

	// podSecurity is the pod security level that is enforced.
	//
	// +kubebuilder:default=restricted
	// +optional
	PodSecurity PodSecurityLevel `json:"podSecurity,omitempty"`

	// networkIsolation says what network policies let through.
	//
	// +kubebuilder:default=IngressAndEgress
	// +optional
	NetworkIsolation NetworkIsolation `json:"networkIsolation,omitempty"`

	// quota maps the name of a resource to what the namespace may use of it in all.
	//
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	Quota map[string]Quantity `json:"quota,omitempty"`

	// limits bound what one container, pod or volume claim may use.
	//
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=3
	// +optional
	Limits []GrantedLimit `json:"limits,omitempty"`

	// access says who may do what in the namespace.
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
