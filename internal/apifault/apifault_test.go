// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apifault

import (
	"context"
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
		"of no field": {apierrors.NewInvalid(schema.GroupKind{Kind: "Grant"}, "a", field.ErrorList{
			field.Invalid(nil, secret, "no"), field.Required(field.NewPath("spec"), "yes"),
		}), []string{"spec"}, "Invalid for Grant a at spec", "Invalid at spec"},
		"not of the API": {errors.New("dial: " + secret), nil, "the API server cannot be reached", ""},
		"out of time": {fmt.Errorf("patch %s: %w", secret, context.DeadlineExceeded), nil,
			"the API server, or a webhook that it calls, did not respond in time", ""},
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

func TestFaultsSayWhoRefuses(t *testing.T) {
	t.Parallel()
	const policy = "ValidatingAdmissionPolicy 'needs-team' with binding 'needs-team' denied request: "
	forbidden := func(resource, why string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "grad-4", errors.New(why))
	}
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"a policy of the cluster": {forbidden("namespaces", policy+`a "team" label is missing: ask platform@example.com`),
			"Forbidden for namespaces grad-4: denied by the cluster's ValidatingAdmissionPolicy needs-team: " +
				"a ... label is missing: ask ..."},
		"a policy about what may be personal": {forbidden("rolebindings", policy+"Ada may not"),
			"Forbidden for rolebindings grad-4: denied by the cluster's ValidatingAdmissionPolicy needs-team"},
		"a webhook": {forbidden("namespaces", `admission webhook "ns.example.com" denied the request: no team`),
			"Forbidden for namespaces grad-4: denied by the cluster's admission webhook ns.example.com: no team"},
		"a quota": {forbidden("pods", "exceeded quota: tight, requested: pods=1, used: pods=2, limited: pods=2"),
			"Forbidden for pods grad-4: exceeded quota: tight, requested: pods=1, used: pods=2, limited: pods=2"},
		"a role": {forbidden("rolebindings", `user "x" is attempting to grant RBAC permissions not currently held: ...`),
			"Forbidden for rolebindings grad-4: it would grant rights that the controller-manager is not allowed to give"},
		"a field": {apierrors.NewInvalid(schema.GroupKind{Kind: "ResourceQuota"}, "grad-4", field.ErrorList{
			field.Invalid(field.NewPath("spec", "hard").Key("pods"), "-1", "must be greater than or equal to 0")}),
			"Invalid for ResourceQuota grad-4: spec.hard[pods]: Invalid value: ...: must be greater than or equal to 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, Describe(tc.err)); diff != "" {
				t.Errorf("described (-want +got):\n%s", diff)
			}
		})
	}
}
