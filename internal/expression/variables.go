// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"math"
	"strings"
	"time"

	"cel.dev/cel-go/interpreter"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// The variables of an expression. Their fields have the names that they have in a CourseCompletion, and are always
// there: what a delivery leaves out is empty. Numbers of the platform are integers, never doubles.

// Event is the variable event.
type Event struct {
	Name string `cel:"name"`
	Slug string `cel:"slug"`
	// SendAt is the moment as the platform sent it, without a zone.
	SendAt string `cel:"sendAt"`
	// SentAt is the same moment, in UTC.
	SentAt time.Time `cel:"sentAt"`
}

// Institution is the variable institution.
type Institution struct {
	ID int64 `cel:"id"`
}

// Course is the variable course.
type Course struct {
	ID   int64  `cel:"id"`
	Name string `cel:"name"`
}

// Enrollment is the variable enrollment.
type Enrollment struct {
	ID int64 `cel:"id"`
	// DateExpire is the last day, yyyy-MM-dd, or empty where the enrollment does not expire.
	DateExpire string `cel:"dateExpire"`
	CourseID   int64  `cel:"courseID"`
	Activated  bool   `cel:"activated"`
	Status     int64  `cel:"status"`
}

// User is the variable user. All of its fields but id are personal data.
type User struct {
	ID       int64  `cel:"id"`
	Name     string `cel:"name"`
	Email    string `cel:"email"`
	CPF      string `cel:"cpf"`
	Nickname string `cel:"nickname"`
	UUID     string `cel:"uuid"`
}

// Variables are what an expression is evaluated over.
type Variables struct {
	Event       Event
	Institution Institution
	Course      Course
	Enrollment  Enrollment
	User        User
	// Meter bounds what all the evaluations over these variables cost together; nil bounds each by itself only.
	Meter *Meter
}

// VariablesOf returns the variables of a completion. The result does not depend on the zone of the machine.
func VariablesOf(spec *v1alpha1.CourseCompletionSpec) Variables {
	v := Variables{
		Event: Event{
			Name:   spec.Event.Name,
			Slug:   spec.Event.Slug,
			SendAt: spec.Event.SendAt,
			// The API machinery decodes times into the machine's zone.
			SentAt: spec.Event.SentAt.UTC(),
		},
		Institution: Institution{ID: int64(spec.Institution.ID)},
		Course:      Course{ID: int64(spec.Course.ID), Name: spec.Course.Name},
		Enrollment: Enrollment{
			ID:         int64(spec.Enrollment.ID),
			DateExpire: spec.Enrollment.DateExpire,
			CourseID:   int64(spec.Enrollment.CourseID),
		},
		User: User{
			ID:       int64(spec.User.ID),
			Name:     spec.User.Name,
			Email:    spec.User.Email,
			CPF:      spec.User.CPF,
			Nickname: spec.User.Nickname,
			UUID:     spec.User.UUID,
		},
	}
	if spec.Enrollment.Activated != nil {
		v.Enrollment.Activated = *spec.Enrollment.Activated
	}
	if spec.Enrollment.Status != nil {
		v.Enrollment.Status = int64(*spec.Enrollment.Status)
	}
	return v
}

// The names of the variables.
const (
	variableEvent       = "event"
	variableInstitution = "institution"
	variableCourse      = "course"
	variableEnrollment  = "enrollment"
	variableUser        = "user"
)

// activation gives an evaluation its variables without a map for each.
type activation struct {
	variables *Variables
	weighing  *weighing
}

// ResolveName returns the variable of the name.
func (a activation) ResolveName(name string) (any, bool) {
	switch name {
	case variableEvent:
		return &a.variables.Event, true
	case variableInstitution:
		return &a.variables.Institution, true
	case variableCourse:
		return &a.variables.Course, true
	case variableEnrollment:
		return &a.variables.Enrollment, true
	case variableUser:
		return &a.variables.User, true
	case weighingName:
		return a.weighing, a.weighing != nil
	}
	return nil, false
}

// Parent returns nil: there is nothing around the variables.
func (activation) Parent() interpreter.Activation { return nil }

// longest are variables with the longest texts that a completion can hold.
var longest = Variables{
	Event: Event{
		Name:   strings.Repeat("a", v1alpha1.MaxEventNameLength),
		Slug:   v1alpha1.EventSlug,
		SendAt: "2026-01-01 00:00:00",
	},
	Institution: Institution{ID: math.MaxInt64},
	Course:      Course{ID: math.MaxInt64, Name: strings.Repeat("a", v1alpha1.MaxCourseNameLength)},
	Enrollment: Enrollment{
		ID: math.MaxInt64, CourseID: math.MaxInt64, DateExpire: "2026-12-31", Activated: true, Status: 1,
	},
	User: User{
		ID:       math.MaxInt64,
		Name:     strings.Repeat("a", v1alpha1.MaxUserNameLength),
		Email:    strings.Repeat("a", v1alpha1.MaxEmailLength),
		CPF:      strings.Repeat("1", v1alpha1.MaxCPFLength),
		Nickname: strings.Repeat("a", v1alpha1.MaxNicknameLength),
		UUID:     strings.Repeat("a", v1alpha1.MaxUUIDLength),
	},
}
