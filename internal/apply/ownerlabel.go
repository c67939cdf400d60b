// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// OwnerLabelPolicy is the name of the ValidatingAdmissionPolicy, and of its binding, that keeps everybody but the
// controller-manager from setting the owner label.
const OwnerLabelPolicy = "completion-owner-label"

// trustFor is how long a look at the policy holds: after a restore, thousands of Grants ask at the same time.
const trustFor = 5 * time.Second

// OwnerLabel knows whether the owner label can be believed: whether the API server still keeps others from setting it.
// It is safe for concurrent use.
type OwnerLabel struct {
	live  client.Reader
	clock clock.PassiveClock

	mu     sync.Mutex
	until  time.Time
	reason string
}

// NewOwnerLabel returns an OwnerLabel that looks at the API server, and not at a cache.
func NewOwnerLabel(live client.Reader, c clock.PassiveClock) *OwnerLabel {
	return &OwnerLabel{live: live, clock: c}
}

// Doubt returns why the label alone does not show whose an object is; empty while the admission policy is in place.
func (o *OwnerLabel) Doubt(ctx context.Context) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.clock.Now(); !now.Before(o.until) || o.until.Sub(now) > trustFor {
		reason, err := o.look(ctx)
		if err != nil {
			return "", err
		}
		o.reason, o.until = reason, now.Add(trustFor)
	}
	return o.reason, nil
}

func (o *OwnerLabel) look(ctx context.Context) (string, error) {
	policy, reason, err := admissionPolicy(ctx, o.live, OwnerLabelPolicy)
	if err == nil && reason == "" && !protects(&policy.Spec) {
		reason = fmt.Sprintf("ValidatingAdmissionPolicy %s is not the one that belongs to this version", OwnerLabelPolicy)
	}
	return reason, err
}

// The expressions of the policy, as config/admission/owner_label.yaml has them.
const (
	setsOwnerLabel = "object.metadata.?labels[?'" + v1alpha1.LabelGrant + "'].hasValue() && " +
		"(oldObject == null || oldObject.metadata.?labels[?'" + v1alpha1.LabelGrant + "'] != " +
		"object.metadata.?labels[?'" + v1alpha1.LabelGrant + "'])"
	mayRestore = "authorizer.group('" + v1alpha1.GroupName + "').resource('grants').check('restore').allowed()"
)

// notTheControllerManager is the condition that an installation adapts to its own name for the ServiceAccount.
var notTheControllerManager = regexp.MustCompile(
	`^request\.userInfo\.username != 'system:serviceaccount:[a-z0-9-]+:[a-z0-9.-]+'$`)

// protects reports whether a policy keeps others from setting the label on every kind that a Grant provisions. It may
// match more than ours does, and excuse nobody else.
func protects(spec *admissionv1.ValidatingAdmissionPolicySpec) bool {
	matched := spec.MatchConstraints
	if spec.FailurePolicy != nil && *spec.FailurePolicy != admissionv1.Fail || spec.ParamKind != nil ||
		matched == nil || narrowed(matched) || len(spec.MatchConditions) != 2 || len(spec.Validations) == 0 {
		return false
	}
	for _, wanted := range labelledResources {
		if !slices.ContainsFunc(matched.ResourceRules, func(r admissionv1.NamedRuleWithOperations) bool {
			return covered(r, wanted.group, wanted.resource)
		}) {
			return false
		}
	}
	return spec.MatchConditions[0].Expression == setsOwnerLabel &&
		notTheControllerManager.MatchString(spec.MatchConditions[1].Expression) &&
		spec.Validations[0].Expression == mayRestore
}

// labelledResources are where the label can be set. The metadata of an object can be changed together with its status
// too, and that of a namespace when it is finalized.
var labelledResources = []struct{ group, resource string }{
	{"", "namespaces"}, {"", "namespaces/status"}, {"", "namespaces/finalize"},
	{"", "resourcequotas"}, {"", "resourcequotas/status"}, {"", "limitranges"},
	{"networking.k8s.io", "networkpolicies"}, {"rbac.authorization.k8s.io", "rolebindings"},
}

func covered(rule admissionv1.NamedRuleWithOperations, group, resource string) bool {
	return len(rule.ResourceNames) == 0 && (rule.Scope == nil || *rule.Scope == admissionv1.AllScopes) &&
		slices.Contains(rule.APIGroups, group) && slices.Contains(rule.APIVersions, "*") &&
		slices.Contains(rule.Resources, resource) &&
		slices.Contains(rule.Operations, admissionv1.Create) && slices.Contains(rule.Operations, admissionv1.Update)
}

// narrowed reports whether something is exempt from what is matched.
func narrowed(matched *admissionv1.MatchResources) bool {
	everything := func(s *metav1.LabelSelector) bool {
		return s == nil || equality.Semantic.DeepEqual(*s, metav1.LabelSelector{})
	}
	return !everything(matched.NamespaceSelector) || !everything(matched.ObjectSelector) ||
		len(matched.ExcludeResourceRules) > 0
}

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
