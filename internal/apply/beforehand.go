// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apifault"
)

// TryBounds returns the API server's reason to refuse the quota or the limits of a namespace for good, if it would.
// They are sent to another namespace, without being stored.
func TryBounds(ctx context.Context, c client.Client, namespace string, ns *v1alpha1.GrantedNamespace) error {
	metadata := metav1.ObjectMeta{Namespace: namespace, GenerateName: "completion-tried-"}
	var tried []client.Object
	if len(ns.Quota) > 0 {
		tried = append(tried, &corev1.ResourceQuota{ObjectMeta: metadata,
			Spec: corev1.ResourceQuotaSpec{Hard: resources(ns.Quota)}})
	}
	if len(ns.Limits) > 0 {
		tried = append(tried, &corev1.LimitRange{ObjectMeta: metadata,
			Spec: corev1.LimitRangeSpec{Limits: limitItems(ns.Limits)}})
	}
	for _, object := range tried {
		err := c.Create(ctx, object, client.DryRunAll, FieldOwner)
		// Whatever else stands in the way there need not stand in the way of a Grant.
		if apierrors.IsInvalid(err) && len(apifault.Fields(err)) > 0 {
			if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
				// Nobody knows the object by its name: it was only tried.
				status.ErrStatus.Details.Name = ""
			}
			return fmt.Errorf("try %T: %w", object, err)
		}
	}
	return nil
}

// MayNotBind says what to do about a ClusterRole that may not be bound.
const MayNotBind = "add its name to the rule with the verb bind in the ClusterRole " +
	"completion-controller-manager (see docs/security.md)"

// MayBind reports whether the operator may give people a ClusterRole.
func MayBind(ctx context.Context, c client.Client, role string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "bind", Group: rbacv1.GroupName, Resource: "clusterroles", Name: role,
		},
	}}
	if err := c.Create(ctx, review); err != nil {
		return false, fmt.Errorf("review the access of the operator: %w", err)
	}
	return review.Status.Allowed, nil
}
