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

package apifault

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestFaultsQuoteNothing(t *testing.T) {
	t.Parallel()
	const secret = "ada@example.com"
	invalid := apierrors.NewInvalid(schema.GroupKind{Group: "g", Kind: "Binding"}, "access", field.ErrorList{
		field.Invalid(field.NewPath("subjects").Index(0).Child("name"), secret, "no"),
		field.Invalid(field.NewPath("subjects").Index(0).Child("name"), secret, "still no"),
		field.Required(field.NewPath("roleRef"), "yes"),
	})
	fields := []string{"subjects[0].name", "roleRef"}
	for name, tc := range map[string]struct {
		err                      error
		wantFields               []string
		wantDescribe, wantReason string
	}{
		"invalid": {invalid, fields, "Invalid for Binding access at subjects[0].name, roleRef",
			"Invalid at subjects[0].name, roleRef"},
		"invalid, wrapped and joined": {errors.Join(errors.New("first"), fmt.Errorf("apply: %w", invalid)), fields,
			"Invalid for Binding access at subjects[0].name, roleRef", "Invalid at subjects[0].name, roleRef"},
		"forbidden": {apierrors.NewForbidden(schema.GroupResource{Resource: "bindings"}, "access", errors.New(secret)), nil,
			"Forbidden for bindings access", "Forbidden"},
		"not of the API": {errors.New("dial: " + secret), nil, "the API server cannot be reached", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.wantFields, Fields(tc.err)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if got := Describe(tc.err); got != tc.wantDescribe || strings.Contains(got, secret) {
				t.Errorf("described as %q, want %q", got, tc.wantDescribe)
			}
			if got := Reason(tc.err); got != tc.wantReason {
				t.Errorf("reason %q, want %q", got, tc.wantReason)
			}
		})
	}
}
