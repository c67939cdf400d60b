// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package delivery reads what the platform posts: it decodes and validates a delivery, applies the institution's
// privacy, and says what is recorded of it. It knows nothing of HTTP and of the cluster.
package delivery

import (
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Read returns what is recorded of a delivery to an institution that came at a time, or everything that is wrong with
// it. The delivery's own id is left to the caller. An error means that the institution cannot take deliveries.
func Read(doc *Document, institution *v1alpha1.Institution, received time.Time) (
	spec v1alpha1.CourseCompletionSpec, faults []Fault, err error,
) {
	if spec, faults = validate(doc, institution.Spec.ID); len(faults) > 0 {
		return spec, faults, nil
	}
	zone, err := zoneOf(institution)
	if err != nil {
		return spec, nil, err
	}
	var fault *Fault
	if spec.Event.SentAt, fault = moment(spec.Event.SendAt, zone); fault != nil {
		return spec, []Fault{*fault}, nil
	}
	if fault = ahead(spec.Event.SentAt, received); fault != nil {
		return spec, []Fault{*fault}, nil
	}
	spec.Event.FirstSentAt = new(spec.Event.SentAt)
	spec.Delivery.Warnings = warningsOf(&spec, doc)
	spec.User = minimise(spec.User, institution.Spec.Privacy)
	return spec, nil, nil
}

// Institution returns the institution that a delivery says it is of; zero where that is no number.
func (doc *Document) Institution() v1alpha1.PlatformID {
	v := validator{doc: doc}
	return v.id(atInstitutionID)
}

// Unknown counts the members of the contract's objects that the contract does not know.
func (doc *Document) Unknown() int { return doc.unknown }
