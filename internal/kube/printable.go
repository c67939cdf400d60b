// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// How many bytes the API takes. A message that is longer would have the whole status, or the event, refused.
const (
	maxConditionMessage = 32768
	maxResultMessage    = 1024
	maxEventNote        = 1024
)

// printable makes of a text, which may quote what others wrote, one that the API takes and that does to a terminal
// nothing but show: without control characters and those that turn the direction of writing, and no longer than most.
func printable(text string, most int) string {
	text = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r):
			return unicode.ReplacementChar
		}
		return r
	}, text), string(unicode.ReplacementChar))
	const more = "..."
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len(more)], "") + more
}

// tidy makes every message of a status printable. Each status goes through it right before it is written.
func tidy(object client.Object) {
	var conditions []metav1.Condition
	switch o := object.(type) {
	case *v1alpha1.Institution:
		conditions = o.Status.Conditions
	case *v1alpha1.CompletionPolicy:
		conditions = o.Status.Conditions
	case *v1alpha1.Grant:
		conditions = o.Status.Conditions
	case *v1alpha1.SeatPool:
		conditions = o.Status.Conditions
	case *v1alpha1.CourseCompletion:
		conditions = o.Status.Conditions
		for i := range o.Status.Policies {
			o.Status.Policies[i].Message = printable(o.Status.Policies[i].Message, maxResultMessage)
		}
	}
	for i := range conditions {
		conditions[i].Message = printable(conditions[i].Message, maxConditionMessage)
	}
}

// PrintableEvents is a recorder that makes every note printable.
type PrintableEvents struct{ events.EventRecorder }

// Eventf implements events.EventRecorder.
func (r PrintableEvents) Eventf(
	regarding, related runtime.Object, eventtype, reason, action, note string, args ...any,
) {
	r.EventRecorder.Eventf(regarding, related, eventtype, reason, action, "%s",
		printable(fmt.Sprintf(note, args...), maxEventNote))
}
