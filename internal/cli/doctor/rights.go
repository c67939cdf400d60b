// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/config"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
)

const (
	helpRBAC      = "apply config/rbac of the release of this plugin again"
	helpAdmission = "apply config/admission of the release of this plugin again (see docs/security.md)"
)

// accounts are the ServiceAccounts of both programs, by the role that they have.
var accounts = map[string]string{
	"ClusterRole " + controllerManager: controllerManager,
	"ClusterRole " + webhookServer:     webhookServer,
	"Role completion-leader-election":  controllerManager,
}

// rights asks the API server whether both ServiceAccounts may do what the roles that this plugin knows let them do.
func (e *examination) rights(ctx context.Context) error {
	return documents(config.RBAC, func(text []byte) error {
		var role struct {
			metav1.TypeMeta `json:",inline"`
			Metadata        metav1.ObjectMeta   `json:"metadata"`
			Rules           []rbacv1.PolicyRule `json:"rules"`
		}
		if err := yaml.Unmarshal(text, &role); err != nil {
			return err
		}
		account, ok := accounts[role.Kind+" "+role.Metadata.Name]
		if !ok {
			return nil
		}
		namespace := ""
		if role.Kind == "Role" {
			namespace = e.namespace
		}
		return e.rightsOf(ctx, account, role.Kind+" "+role.Metadata.Name, namespace, role.Rules)
	})
}

func (e *examination) rightsOf(ctx context.Context, account, role, namespace string, rules []rbacv1.PolicyRule) error {
	check := fmt.Sprintf("rights of ServiceAccount %s (%s)", account, role)
	var missing []string
	asked := 0
	for _, right := range rightsIn(rules, namespace) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:" + e.namespace + ":" + account,
			Groups: []string{
				"system:serviceaccounts", "system:serviceaccounts:" + e.namespace, "system:authenticated",
			},
			ResourceAttributes: &right,
		}}
		if err := e.c.Create(ctx, review); err != nil {
			return e.unseen(check, err)
		}
		asked++
		if !review.Status.Allowed {
			missing = append(missing, strings.TrimSpace(fmt.Sprintf("%s %s %s", right.Verb, resourceOf(right), right.Name)))
		}
	}
	if missing != nil {
		e.problem(check, helpRBAC, "%d of %d are missing: %s", len(missing), asked, strings.Join(missing, ", "))
		return nil
	}
	e.ok(check, "all %d are there", asked)
	return nil
}

func resourceOf(right authorizationv1.ResourceAttributes) string {
	text := right.Resource
	if right.Subresource != "" {
		text += "/" + right.Subresource
	}
	if right.Group != "" {
		text += "." + right.Group
	}
	return text
}

// rightsIn returns every single right of rules.
func rightsIn(rules []rbacv1.PolicyRule, namespace string) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					for _, name := range names {
						resource, subresource, _ := strings.Cut(resource, "/")
						all = append(all, authorizationv1.ResourceAttributes{
							Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource, Name: name,
						})
					}
				}
			}
		}
	}
	return all
}

// admission looks whether the admission policies refuse what they are there for, and are those of this plugin.
func (e *examination) admission(ctx context.Context) error {
	shipped := make(map[string]*admissionv1.ValidatingAdmissionPolicy)
	if err := documents(config.Admission, func(text []byte) error {
		policy := &admissionv1.ValidatingAdmissionPolicy{}
		if err := yaml.Unmarshal(text, policy); err != nil {
			return err
		}
		if policy.Kind == "ValidatingAdmissionPolicy" {
			shipped[policy.Name] = policy
		}
		return nil
	}); err != nil {
		return err
	}
	looks := apply.NewOwnerLabel(e.c, e.Clock)
	for _, name := range apply.AdmissionPolicies {
		check := "admission policy " + name
		found := &admissionv1.ValidatingAdmissionPolicy{}
		if err := e.c.Get(ctx, client.ObjectKey{Name: name}, found); err != nil && !apierrors.IsNotFound(err) {
			if err := e.unseen(check, err); err != nil {
				return err
			}
			continue
		}
		reason, err := looks.MissingAdmission(ctx, name)
		switch {
		case err != nil:
			return e.unseen(check, err)
		case reason != "":
			e.problem(check, helpAdmission, "%s", reason)
		case shipped[name] != nil && !sameRules(shipped[name], found):
			e.warning(check, helpAdmission+"; an overlay changes spec.variables alone", "differs from that of "+
				"this plugin")
		default:
			e.ok(check, "is in place")
		}
	}
	return nil
}

// sameRules compares what a policy refuses. An overlay may change its variables.
func sameRules(shipped, found *admissionv1.ValidatingAdmissionPolicy) bool {
	return equality.Semantic.DeepEqual(expressionsOf(shipped), expressionsOf(found)) &&
		equality.Semantic.DeepEqual(shipped.Spec.FailurePolicy, found.Spec.FailurePolicy)
}

// onOneLine makes nothing of how an expression is broken into lines, which kustomize changes.
func onOneLine(expression string) string { return strings.Join(strings.Fields(expression), " ") }

func expressionsOf(policy *admissionv1.ValidatingAdmissionPolicy) []string {
	var all []string
	for _, condition := range policy.Spec.MatchConditions {
		all = append(all, onOneLine(condition.Expression))
	}
	for _, validation := range policy.Spec.Validations {
		all = append(all, onOneLine(validation.Expression))
	}
	return all
}
