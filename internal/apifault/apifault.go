// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apifault says what an error of the API server is about, without what it quotes: the server repeats the values
// that it refuses, and they may be personal data.
package apifault

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Fields returns the paths of the fields that the error is about, each once, in the order of the error. It is empty for
// an error that is about none, or not of the API server.
func Fields(err error) []string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var fields []string
	for _, cause := range status.Status().Details.Causes {
		// A rule over the whole object that could not be evaluated names no field, which reads "<nil>".
		if cause.Field != "" && cause.Field != "<nil>" && !slices.Contains(fields, cause.Field) {
			fields = append(fields, cause.Field)
		}
	}
	return fields
}

// Describe returns the error's reason, the object that it is about, who in the cluster refuses it, and the fields. What
// is said of the object is in it only where objects of that kind hold nothing personal.
func Describe(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		if errors.Is(err, context.DeadlineExceeded) {
			return "the API server, or a webhook that it calls, did not respond in time"
		}
		return "the API server cannot be reached"
	}
	what := string(status.Status().Reason)
	if details := status.Status().Details; details != nil && details.Kind != "" {
		what += strings.TrimSuffix(" for "+details.Kind+" "+details.Name, " ")
	}
	if told := refusal(status.Status()); told != "" {
		return what + ": " + told
	}
	return what + at(err)
}

// impersonal are the kinds, and their resources, that hold nothing personal: what the API server says about one of them
// can be told.
var impersonal = map[string]bool{
	"namespace": true, "namespaces": true, "resourcequota": true, "resourcequotas": true,
	"limitrange": true, "limitranges": true, "networkpolicy": true, "networkpolicies": true,
}

var (
	byPolicy  = regexp.MustCompile(`ValidatingAdmissionPolicy '([^']*)' with binding '[^']*' denied request: ?((?s).*)`)
	byWebhook = regexp.MustCompile(`admission webhook "([^"]*)" denied the request:? ?((?s).*)`)
	byQuota   = regexp.MustCompile(`exceeded quota: [a-z0-9.-]+, requested: [^,]*(?:,[^,:]*=[^,]*)*, used: .*`)
	byRole    = regexp.MustCompile(`is attempting to grant RBAC permissions not currently held`)
	values    = regexp.MustCompile(`"(?:\\.|[^"\\])*"|\S*@\S*`)
)

// most is how much of a message is told.
const most = 512

// refusal returns why the cluster refuses an object, as far as that can be told.
func refusal(status metav1.Status) string {
	kind := ""
	if status.Details != nil {
		kind = strings.ToLower(status.Details.Kind)
	}
	tell := func(by, message string) string {
		if message = masked(message); impersonal[kind] && message != "" {
			return by + ": " + message
		}
		return by
	}
	if found := byPolicy.FindStringSubmatch(status.Message); found != nil {
		return tell("denied by the cluster's ValidatingAdmissionPolicy "+found[1], found[2])
	}
	if found := byWebhook.FindStringSubmatch(status.Message); found != nil {
		return tell("denied by the cluster's admission webhook "+found[1], found[2])
	}
	if found := byQuota.FindString(status.Message); found != "" {
		return masked(found)
	}
	if byRole.MatchString(status.Message) {
		return "it would grant rights that the controller-manager is not allowed to give"
	}
	if !impersonal[kind] || status.Details == nil {
		return ""
	}
	var faults []string
	for _, cause := range status.Details.Causes {
		if cause.Field != "" && cause.Field != "<nil>" && cause.Message != "" {
			faults = append(faults, cause.Field+": "+masked(cause.Message))
		}
	}
	return shortened(strings.Join(faults, "; "))
}

// masked returns a message without the values that are quoted, and without addresses.
func masked(message string) string {
	return shortened(strings.Join(strings.Fields(values.ReplaceAllString(message, "...")), " "))
}

func shortened(text string) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// MayNotBind reports whether the error says that a role may not be bound.
func MayNotBind(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && byRole.MatchString(status.Status().Message)
}

// Reason returns the error's reason and the fields.
func Reason(err error) string { return string(apierrors.ReasonForError(err)) + at(err) }

func at(err error) string {
	if fields := Fields(err); len(fields) > 0 {
		return " at " + strings.Join(fields, ", ")
	}
	return ""
}
