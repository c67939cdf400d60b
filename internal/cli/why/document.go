// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/deliveries"
)

// document is what is told. Its times are in the time zone of the institution.
type document struct {
	// Subject is what was asked for, such as user/987654321.
	Subject string `json:"subject"`
	// Answer says it in one sentence.
	Answer    string    `json:"answer"`
	Namespace string    `json:"namespace"`
	At        time.Time `json:"at"`
	// Object is the namespace that was asked for, as it is in the cluster.
	Object *object `json:"object,omitempty"`
	// Pool is that of the seat that was asked for.
	Pool *pool `json:"pool,omitempty"`
	// Stories has one for each person that it is about.
	Stories []*story `json:"stories"`
	// Unknown says what could not be looked at, and why.
	Unknown []string `json:"unknown,omitempty"`
}

// story is that of one person, or of the part of it that was asked for.
type story struct {
	Institution institution         `json:"institution"`
	User        v1alpha1.PlatformID `json:"user"`
	// Person is there only where personal data is asked for.
	Person    *person `json:"person,omitempty"`
	Answer    string  `json:"answer"`
	HasAccess bool    `json:"hasAccess"`
	// History is what has happened, and Next what happens by itself or waits for somebody, both in the order of time.
	History     []event      `json:"history"`
	Next        []event      `json:"next"`
	Completions []completion `json:"completions"`
	// Deliveries are those that the audit log has, where that may be read.
	Deliveries []deliveries.Delivery `json:"deliveries,omitempty"`
	Policies   []policy              `json:"policies"`
	Grants     []grant               `json:"grants"`
}

type institution struct {
	ID       v1alpha1.PlatformID `json:"id"`
	Name     string              `json:"name,omitempty"`
	TimeZone string              `json:"timeZone"`
	// Problem is why nothing is planned for the institution; empty where it is.
	Problem string `json:"problem,omitempty"`
	// Brake is there while the brake holds revocations back.
	Brake *brake `json:"brake,omitempty"`
}

type brake struct {
	Trip      string     `json:"trip"`
	TrippedAt *time.Time `json:"trippedAt,omitempty"`
	Held      int32      `json:"held"`
	// Release is the command that lets go.
	Release string `json:"release"`
}

type person struct {
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	CPF      string `json:"cpf,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	UUID     string `json:"uuid,omitempty"`
}

// event is one thing that happened, or will. What has no time waits for somebody.
type event struct {
	At   time.Time `json:"at,omitzero"`
	What string    `json:"what"`
}

type completion struct {
	Name       string              `json:"name"`
	Course     v1alpha1.PlatformID `json:"course"`
	CourseName string              `json:"courseName,omitempty"`
	Enrollment v1alpha1.PlatformID `json:"enrollment"`
	Active     bool                `json:"active"`
	DateExpire string              `json:"dateExpire,omitempty"`
	// Delivery is the id of the one that is stored, the newest.
	Delivery    string                     `json:"delivery,omitempty"`
	Warnings    []v1alpha1.DeliveryWarning `json:"warnings,omitempty"`
	SendAt      string                     `json:"sendAt"`
	FirstSentAt time.Time                  `json:"firstSentAt"`
	SentAt      time.Time                  `json:"sentAt"`
	StoredAt    time.Time                  `json:"storedAt"`
	// Outcome is the reason of its condition Ready, and Message what that says.
	Outcome string `json:"outcome"`
	Message string `json:"message,omitempty"`
}

// outcome says what a policy makes of a person's completions.
type outcome string

const (
	outcomeGranted    outcome = "Granted"
	outcomeNotGranted outcome = "NotGranted"
	outcomeFailed     outcome = "Failed"
	outcomeNotMatched outcome = "NotMatched"
	outcomeMissing    outcome = "CoursesMissing"
	outcomeSuspended  outcome = "Suspended"
	outcomeNotReady   outcome = "NotReady"
	outcomePending    outcome = "Pending"
)

type policy struct {
	Name    string  `json:"name"`
	Outcome outcome `json:"outcome"`
	// Message says it to people.
	Message string                `json:"message"`
	Courses []v1alpha1.PlatformID `json:"courses,omitempty"`
	// Missing are the courses that it requires beside those that were completed.
	Missing     []v1alpha1.PlatformID `json:"missing,omitempty"`
	Completions []considered          `json:"completions,omitempty"`
}

// considered is a completion held against a policy.
type considered struct {
	Completion  string              `json:"completion"`
	Course      v1alpha1.PlatformID `json:"course"`
	Matched     bool                `json:"matched"`
	OtherCourse bool                `json:"otherCourse,omitempty"`
	// False are the parts of the expression that are false, or fail.
	False []condition `json:"false,omitempty"`
	Error string      `json:"error,omitempty"`
	// Outcome, Reason, Message and Grant are what the operator has told the completion about the policy.
	Outcome v1alpha1.PolicyOutcome `json:"outcome,omitempty"`
	Reason  string                 `json:"reason,omitempty"`
	Message string                 `json:"message,omitempty"`
	Grant   string                 `json:"grant,omitempty"`
}

type condition struct {
	Expression string `json:"expression"`
	Error      string `json:"error,omitempty"`
	Saw        []seen `json:"saw,omitempty"`
}

type seen struct {
	Field  string `json:"field"`
	Value  string `json:"value,omitempty"`
	Hidden bool   `json:"hidden,omitempty"`
}

// access says how much of a Grant its holder has.
type access string

const (
	accessAll  access = "All"
	accessPart access = "Part"
	accessNone access = "None"
)

type grant struct {
	Name string `json:"name"`
	// Policy is empty for a Grant that was made by hand.
	Policy  string              `json:"policy,omitempty"`
	Phase   v1alpha1.GrantPhase `json:"phase,omitempty"`
	Reason  string              `json:"reason,omitempty"`
	Message string              `json:"message,omitempty"`
	Access  access              `json:"access"`
	// Answer is what of it is said in one sentence.
	Answer string `json:"answer"`
	// End says when access ends and what decides that; its time is left out where access does not end by itself.
	End      end                   `json:"end"`
	Override *override             `json:"override,omitempty"`
	Required []v1alpha1.PlatformID `json:"requiredCourses,omitempty"`
	Causes   []cause               `json:"causes,omitempty"`
	Gives    []given               `json:"gives,omitempty"`
	Objects  []object              `json:"objects,omitempty"`
	Seats    []seat                `json:"seats,omitempty"`
	// Revoked is what completions have taken from it, and Revokes what it takes from others.
	Revoked []string `json:"revoked,omitempty"`
	Revokes []string `json:"revokes,omitempty"`
	// Held is what the brake of the institution holds back.
	Held []string `json:"held,omitempty"`
}

type end struct {
	At time.Time `json:"at,omitzero"`
	// Reason is the end of a cause, or Revoked or Override.
	Reason string `json:"reason,omitempty"`
	// Completion is the cause that decides.
	Completion string `json:"completion,omitempty"`
	Message    string `json:"message"`
}

type override struct {
	Kind   string    `json:"kind"`
	Until  time.Time `json:"until,omitzero"`
	Reason string    `json:"reason"`
}

type cause struct {
	Completion  string    `json:"completion"`
	FirstSentAt time.Time `json:"firstSentAt"`
	SentAt      time.Time `json:"sentAt"`
	EndsAt      time.Time `json:"endsAt,omitzero"`
	End         string    `json:"end,omitempty"`
	// Stored reports whether the completion is still there.
	Stored  bool `json:"stored"`
	Decides bool `json:"decides,omitempty"`
}

// given is the access to a namespace.
type given struct {
	Namespace   string `json:"namespace"`
	ClusterRole string `json:"clusterRole"`
	// Count is how many subjects have it; Subjects are their names, where personal data is asked for.
	Count    int      `json:"count"`
	Subjects []string `json:"subjects,omitempty"`
}

// object is one that a Grant provisioned, as it is in the cluster.
type object struct {
	Kind      string `json:"kind"`
	Group     string `json:"group,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	State     state  `json:"state"`
	Message   string `json:"message,omitempty"`
}

// state is that of an object in the cluster.
type state string

const (
	stateThere       state = "there"
	stateGone        state = "gone"
	stateTerminating state = "terminating"
	stateOther       state = "another object"
	stateForbidden   state = "you may not read it"
	stateUnknown     state = "unknown"
)

type seat struct {
	Pool   string `json:"pool"`
	Number *int32 `json:"number,omitempty"`
	// Place in the queue, from 1; 0 where the Grant has a seat, or does not wait for one.
	Place   int    `json:"place,omitempty"`
	Message string `json:"message"`
}

type pool struct {
	Name     string `json:"name"`
	Missing  bool   `json:"missing,omitempty"`
	Capacity int32  `json:"capacity"`
	Taken    int32  `json:"taken"`
	Waiting  int32  `json:"waiting"`
	// Queue are the first who wait.
	Queue []v1alpha1.LocalName `json:"queue,omitempty"`
}
