// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "k8s.io/apimachinery/pkg/runtime"

// EntryName names an entry of a list within its object: a DNS label.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
type EntryName string

// ObjectTemplate is an object of any kind that a policy grants.
type ObjectTemplate struct {
	// name tells the entry from the others of the policy. It is not the name of the object.
	//
	// +required
	Name EntryName `json:"name,omitempty"`

	// template is the object: apiVersion, kind and metadata, and whatever else its kind has. Every string in it is a
	// template, and one that is a single whole expression keeps its type; keys are not templates, nor are apiVersion and
	// kind. Metadata is name, namespace, labels and annotations, and holds no personal field. At most 32 KiB. It is
	// checked when the policy is compiled, and the policy is not Ready where it is wrong.
	//
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:MinProperties=3
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:pruning:PreserveUnknownFields
	// +structType=atomic
	// +required
	Template runtime.RawExtension `json:"template,omitzero"`
}

// GrantedObject is an object of any kind, with nothing left to evaluate.
type GrantedObject struct {
	// name tells the entry from the others of the grant. It is not the name of the object.
	//
	// +required
	Name EntryName `json:"name,omitempty"`

	// object as it is applied. It may hold personal data outside of its metadata. At most 32 KiB.
	//
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:MinProperties=3
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:EmbeddedResource
	// +structType=atomic
	// +required
	Object runtime.RawExtension `json:"object,omitzero"`
}
