// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"bytes"
	"encoding/json"
)

// Quantity is an amount of a resource: 2, 500m, 8Gi, or bytes as a bare number such as 8589934592. It is kept as text,
// since the schema takes numbers that no Go integer holds, and one object that cannot be decoded is a list that cannot.
//
// +kubebuilder:validation:XIntOrString
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
type Quantity string

// QuantityTemplate is a Quantity, or a template of one.
//
// +kubebuilder:validation:XIntOrString
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=2048
type QuantityTemplate string

// UnmarshalJSON takes text, and a number as its own text.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	text, err := textOrNumber(data)
	*q = Quantity(text)
	return err
}

// UnmarshalJSON takes text, and a number as its own text.
func (q *QuantityTemplate) UnmarshalJSON(data []byte) error {
	text, err := textOrNumber(data)
	*q = QuantityTemplate(text)
	return err
}

// textOrNumber never refuses what is JSON: what is no quantity is said where it is used, in the status of its object.
func textOrNumber(data []byte) (string, error) {
	switch {
	case bytes.HasPrefix(data, []byte(`"`)):
		var text string
		err := json.Unmarshal(data, &text)
		return text, err
	case string(data) == "null":
		return "", nil
	}
	return string(data), nil
}
