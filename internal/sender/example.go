// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// contractExample is the example of the platform's contract, byte for byte.
//
//go:embed contract_example.json
var contractExample []byte

// Fields are the fields of the contract, in its order, as an object and a name, such as user.id.
func Fields() []string { return slices.Clone(fields) }

var fields = []string{
	"event.name", "event.slug", "event.send_at", "institution.id", "course.id", "course.name", "enrollment.id",
	"enrollment.date_expire", "enrollment.course_id", "enrollment.actived", "enrollment.status", "user.id", "user.name",
	"user.email", "user.cpf", "user.nickname", "user.uuid",
}

// contract is a delivery whose fields may hold anything.
type contract struct {
	Event map[string]any            `json:"event"`
	Data  map[string]map[string]any `json:"data"`
}

// Example returns the example of the platform's contract, with other values for some of its fields.
func Example(values map[string]any) ([]byte, error) {
	var example contract
	if err := json.Unmarshal(contractExample, &example); err != nil {
		return nil, fmt.Errorf("reading the contract's example: %w", err)
	}
	return example.with(values)
}

// Compose returns a delivery with these values and nothing else.
func Compose(values map[string]any) ([]byte, error) {
	return (&contract{Event: map[string]any{}, Data: map[string]map[string]any{}}).with(values)
}

func (c *contract) with(values map[string]any) ([]byte, error) {
	for field, value := range values {
		object, name, _ := strings.Cut(field, ".")
		switch {
		case !slices.Contains(fields, field):
			return nil, fmt.Errorf("the contract has no field %s", field)
		case object == "event":
			c.Event[name] = value
		default:
			if c.Data[object] == nil {
				c.Data[object] = make(map[string]any)
			}
			c.Data[object][name] = value
		}
	}
	return json.Marshal(c)
}
