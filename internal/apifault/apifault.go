/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Package apifault says what an error of the API server is about, without what it quotes: the server repeats the values
// that it refuses, and they may be personal data.
package apifault

import (
	"errors"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
		if cause.Field != "" && !slices.Contains(fields, cause.Field) {
			fields = append(fields, cause.Field)
		}
	}
	return fields
}

// Describe returns the error's reason, the object that it is about, and the fields.
func Describe(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return "the API server cannot be reached"
	}
	what := string(status.Status().Reason)
	if details := status.Status().Details; details != nil && details.Kind != "" {
		what += " for " + details.Kind + " " + details.Name
	}
	return what + at(err)
}

// Reason returns the error's reason and the fields.
func Reason(err error) string { return string(apierrors.ReasonForError(err)) + at(err) }

func at(err error) string {
	if fields := Fields(err); len(fields) > 0 {
		return " at " + strings.Join(fields, ", ")
	}
	return ""
}
