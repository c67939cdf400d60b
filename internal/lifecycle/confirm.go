// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"slices"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Confirmation is everything that may bring a planned Grant back, read right before its data is deleted, in the order
// of its fields. Whether the person was planned is asked before what was planned is read: the other way round, a plan
// that is written in between is missed. Current and Alike may be read at the same time: both are what was planned.
type Confirmation struct {
	// Planned reports whether the Grant was planned with its policy and its institution as they are.
	Planned bool
	// Completions are those of the holder, read live.
	Completions []v1alpha1.CourseCompletion
	// Known are the Grants of the holder that were decided with.
	Known []v1alpha1.Grant
	// Current is the Grant, read live; nil where it has gone.
	Current *v1alpha1.Grant
	// Alike are the Grants of the holder and of the same policy, read live.
	Alike []v1alpha1.Grant
}

// Doubt returns why the end that a Grant records may no longer hold; empty if it does.
func (c *Confirmation) Doubt(grant *v1alpha1.Grant) string {
	for _, rule := range confirmationRules {
		if doubt := rule.doubt(c, grant); doubt != "" {
			return doubt
		}
	}
	return ""
}

// confirmationRules are the reasons to doubt the end that a Grant records, each with its test.
var confirmationRules = []struct {
	name  string
	doubt func(c *Confirmation, grant *v1alpha1.Grant) string
}{
	{"the person was not planned with what there is", func(c *Confirmation, _ *v1alpha1.Grant) string {
		if !c.Planned {
			return "the person has not been planned yet"
		}
		return ""
	}},
	{"a completion was not planned as it is", func(c *Confirmation, _ *v1alpha1.Grant) string {
		for i := range c.Completions {
			if completion := &c.Completions[i]; completion.Status.ObservedGeneration != completion.Generation {
				return "completion " + completion.Name + " has not been planned yet"
			}
		}
		return ""
	}},
	{"what it revokes because of has gone", func(c *Confirmation, grant *v1alpha1.Grant) string {
		because := RevokesBecauseOf(grant)
		named := func(completion v1alpha1.CourseCompletion) bool { return completion.Name == because }
		if because != "" && !slices.ContainsFunc(c.Completions, named) {
			return "the withdrawal of completion " + because + " has not been planned yet"
		}
		return ""
	}},
	{"the Grant has changed", func(c *Confirmation, grant *v1alpha1.Grant) string {
		if c.Current == nil || c.Current.UID != grant.UID || c.Current.Generation != grant.Generation {
			return "the grant has changed"
		}
		return ""
	}},
	{"a Grant that may share has changed", func(c *Confirmation, grant *v1alpha1.Grant) string {
		for i := range c.Alike {
			now := &c.Alike[i]
			same := func(g v1alpha1.Grant) bool { return g.UID == now.UID && g.Generation == now.Generation }
			if now.Name != grant.Name && !slices.ContainsFunc(c.Known, same) {
				return "grant " + now.Name + " of the same user and policy has changed"
			}
		}
		return ""
	}},
}

// RevokesBecauseOf returns the name of the completion that a Grant revokes something because of, if it has to be there
// for that: empty where the Grant revokes nothing, and where retention has removed the completion.
func RevokesBecauseOf(grant *v1alpha1.Grant) string {
	name := grant.Spec.Revokes.Completion
	for i := range grant.Spec.Causes {
		if cause := &grant.Spec.Causes[i]; cause.Completion == name && cause.ArchivedAt == nil {
			return string(name)
		}
	}
	return ""
}
