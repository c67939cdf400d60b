// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"encoding/json"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kjson "sigs.k8s.io/json"
	kyaml "sigs.k8s.io/yaml"
)

// defaulted returns the content of an object with the defaults of its definition, as the API server would store it.
func defaulted(content, definition []byte) ([]byte, error) {
	var crd apiextensionsv1.CustomResourceDefinition
	if err := kyaml.Unmarshal(definition, &crd); err != nil {
		return nil, fmt.Errorf("read the definition: %w", err)
	}
	var object map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(content, &object); err != nil {
		return nil, err
	}
	schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	delete(object, "status")
	if spec := schema.Properties["spec"]; object["spec"] != nil {
		if err := fill(object["spec"], &spec); err != nil {
			return nil, err
		}
	}
	return json.Marshal(object)
}

// fill adds defaults to a value. A field that is null counts as absent.
func fill(value any, schema *apiextensionsv1.JSONSchemaProps) error {
	switch value := value.(type) {
	case map[string]any:
		for name := range schema.Properties {
			below := schema.Properties[name]
			if value[name] == nil {
				delete(value, name)
				if below.Default != nil {
					var preset any
					if err := kjson.UnmarshalCaseSensitivePreserveInts(below.Default.Raw, &preset); err != nil {
						return fmt.Errorf("read the default of %s: %w", name, err)
					}
					value[name] = preset
				}
			}
			if value[name] != nil {
				if err := fill(value[name], &below); err != nil {
					return err
				}
			}
		}
		if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
			for _, item := range value {
				if err := fill(item, schema.AdditionalProperties.Schema); err != nil {
					return err
				}
			}
		}
	case []any:
		if schema.Items == nil || schema.Items.Schema == nil {
			return nil
		}
		for _, item := range value {
			if err := fill(item, schema.Items.Schema); err != nil {
				return err
			}
		}
	}
	return nil
}

// merge brings an object to what a file says, as kubectl apply does: what the file said when it was applied before, and
// says no more, goes; what others have set stays.
func merge(applied, said, current map[string]any) {
	for name, value := range said {
		below, ok := value.(map[string]any)
		there, found := current[name].(map[string]any)
		if !ok || !found {
			current[name] = value
			continue
		}
		before, _ := applied[name].(map[string]any)
		merge(before, below, there)
	}
	for name := range applied {
		if _, still := said[name]; !still {
			delete(current, name)
		}
	}
}
