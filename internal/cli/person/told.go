// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"io"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// told is what erase says, as data.
type told struct {
	Namespace   string              `json:"namespace"`
	Institution v1alpha1.PlatformID `json:"institution"`
	DryRun      bool                `json:"dryRun,omitempty"`
	// Forgotten tells that the register was made to forget an erasure.
	Forgotten bool `json:"forgotten,omitempty"`
	// Newer are people who were erased and of whom something newer is stored as well: nothing of theirs is erased again.
	Newer  []v1alpha1.PlatformID `json:"newer,omitempty"`
	People []*toldOf             `json:"people,omitempty"`
	// NotReached are the places that may have something all the same.
	NotReached []place `json:"notReached,omitempty"`
}

// toldOf is what there was of one person, by names, and what has gone.
type toldOf struct {
	User        v1alpha1.PlatformID `json:"user"`
	Completions []string            `json:"completions"`
	Grants      []string            `json:"grants"`
	Seats       []string            `json:"seats"`
	Namespaces  []string            `json:"namespaces"`
	Objects     []string            `json:"objects"`
	// ErasedAt is when the person was erased before.
	ErasedAt *time.Time `json:"erasedAt,omitempty"`
	// Kept are the Grants of which the operator keeps the data for now.
	Kept []kept `json:"kept,omitempty"`
	// Erased is there once everything has gone that goes now.
	Erased *removed `json:"erased,omitempty"`
}

// kept is a Grant that keeps its data: until a time, for ever, or until the operator has deleted it.
type kept struct {
	Grant   string     `json:"grant"`
	Until   *time.Time `json:"until,omitempty"`
	ForEver bool       `json:"forEver,omitempty"`
}

// removed counts what has gone.
type removed struct {
	Completions int `json:"completions"`
	Grants      int `json:"grants"`
	Namespaces  int `json:"namespaces"`
	Objects     int `json:"objects"`
}

// of adds a person.
func (t *told) of(user v1alpha1.PlatformID, found *stored) *toldOf {
	one := &toldOf{User: user, Completions: []string{}, Grants: []string{}, Seats: []string{},
		Namespaces: found.GrantedNamespaces, Objects: []string{}}
	for i := range found.Completions {
		one.Completions = append(one.Completions, found.Completions[i].Name)
	}
	for i := range found.Grants {
		one.Grants = append(one.Grants, found.Grants[i].Name)
	}
	for i := range found.Seats {
		one.Seats = append(one.Seats, found.Seats[i].Name)
	}
	for i := range found.Objects {
		one.Objects = append(one.Objects, describe(&found.Objects[i]))
	}
	t.People = append(t.People, one)
	return one
}

// text is where people read what happens: beside the data, where that is asked for.
func (o *eraseOptions) text() io.Writer {
	if o.output.Text() {
		return o.Out
	}
	return o.ErrOut
}
