// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// AdmissionPolicies are the names of the ValidatingAdmissionPolicies of config/admission, and of their bindings. The
// operator works without them; what they keep from people is then kept by nobody.
var AdmissionPolicies = []string{
	"completion-granted-namespaces", "completion-institution-secrets", OwnerLabelPolicy, "completion-planned-grants",
	"completion-provisioned-objects", "completion-recorded-completions",
}

// MissingAdmission returns why an admission policy of ours refuses nothing, by a live look; empty while it does. What
// the policy says is looked at for the owner label only, which the operator itself relies on.
func (o *OwnerLabel) MissingAdmission(ctx context.Context, name string) (string, error) {
	if name == OwnerLabelPolicy {
		return o.Doubt(ctx)
	}
	_, reason, err := admissionPolicy(ctx, o.live, name)
	return reason, err
}

// admissionPolicy returns an admission policy, or why it refuses nothing.
func admissionPolicy(
	ctx context.Context, live client.Reader, name string,
) (*admissionv1.ValidatingAdmissionPolicy, string, error) {
	policy, binding := &admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{}
	for _, object := range []client.Object{policy, binding} {
		kind := "ValidatingAdmissionPolicy"
		if object == client.Object(binding) {
			kind = "ValidatingAdmissionPolicyBinding"
		}
		err := live.Get(ctx, client.ObjectKey{Name: name}, object)
		switch {
		case apierrors.IsNotFound(err):
			return nil, fmt.Sprintf("%s %s is missing", kind, name), nil
		case apierrors.IsForbidden(err):
			return nil, fmt.Sprintf("the controller-manager is not allowed to read %s %s", kind, name), nil
		case err != nil:
			return nil, "", fmt.Errorf("get %s %s: %w", kind, name, err)
		case !object.GetDeletionTimestamp().IsZero():
			return nil, fmt.Sprintf("%s %s is being deleted", kind, name), nil
		}
	}
	if !denies(&binding.Spec, name) {
		return nil, fmt.Sprintf("ValidatingAdmissionPolicyBinding %s does not deny everywhere", name), nil
	}
	return policy, "", nil
}

// denies reports whether a binding has a policy refuse what it finds, everywhere.
func denies(spec *admissionv1.ValidatingAdmissionPolicyBindingSpec, policy string) bool {
	return spec.PolicyName == policy && spec.ParamRef == nil &&
		(spec.MatchResources == nil || len(spec.MatchResources.ResourceRules) == 0 && !narrowed(spec.MatchResources)) &&
		slices.Contains(spec.ValidationActions, admissionv1.Deny)
}
