// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "k8s.io/apimachinery/pkg/runtime"

// EntryName is the name of a list entry: a DNS label, unique in the list.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
type EntryName string

// ObjectTemplate is an object of any kind that a policy grants.
type ObjectTemplate struct {
	// name identifies the entry within the policy. It is not the name of the object.
	//
	// +required
	Name EntryName `json:"name,omitempty"`

	// template is the object: apiVersion, kind, metadata, and the fields of its kind. Every string value is a template;
	// one that consists of a single expression keeps the type of the result. Keys, apiVersion and kind are not
	// templates. metadata can have name, namespace, labels and annotations, without personal fields. At most 32 KiB.
	// Errors in it make the policy not Ready.
	//
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:MinProperties=3
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:pruning:PreserveUnknownFields
	// +structType=atomic
	// +required
	Template runtime.RawExtension `json:"template,omitzero"`
}

// GrantedObject is an object of any kind with all templates evaluated.
type GrantedObject struct {
	// name identifies the entry within the grant. It is not the name of the object.
	//
	// +required
	Name EntryName `json:"name,omitempty"`

	// object as it is applied. It can contain personal data outside of its metadata. At most 32 KiB.
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
