// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apifault"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// shortcomings collects what is known to stand in the way of what a policy grants.
type shortcomings struct {
	reason   string
	messages []string
}

func (s *shortcomings) add(reason, field, message string) {
	if s.reason == "" {
		s.reason = reason
	}
	s.messages = append(s.messages, field+": "+message)
}

// error returns an AccountError that names everything, nil for nothing.
func (s *shortcomings) error() error {
	if len(s.messages) == 0 {
		return nil
	}
	return &apply.AccountError{Reason: s.reason, Message: strings.Join(s.messages, "; ")}
}

// beforehand returns an AccountError that names what of the namespaces and seats of a policy no Grant of it could have,
// as far as that can be known before there is one.
func (r *Reconciler) beforehand(
	ctx context.Context, policy *v1alpha1.CompletionPolicy, compiled *policies.Policy,
) error {
	found := &shortcomings{}
	for _, look := range []func(
		context.Context, *v1alpha1.CompletionPolicy, *policies.Policy, *shortcomings,
	) error{r.unbound, r.unprefixed, r.unbounded, r.unpooled} {
		if err := look(ctx, policy, compiled, found); err != nil {
			return err
		}
	}
	return found.error()
}

// unbound looks for ClusterRoles that may not be bound.
func (r *Reconciler) unbound(
	ctx context.Context, policy *v1alpha1.CompletionPolicy, _ *policies.Policy, found *shortcomings,
) error {
	asked := map[string]bool{}
	for i, ns := range policy.Spec.Namespaces {
		for j, access := range ns.Access {
			if asked[access.ClusterRole] {
				continue
			}
			asked[access.ClusterRole] = true
			allowed, err := apply.MayBind(ctx, r.Client, access.ClusterRole)
			if err != nil {
				return err
			}
			if !allowed {
				found.add(v1alpha1.ReasonForbidden, fmt.Sprintf("spec.namespaces[%d].access[%d].clusterRole", i, j),
					fmt.Sprintf("this installation does not allow binding the ClusterRole %s: %s",
						access.ClusterRole, apply.MayNotBind))
			}
		}
	}
	return nil
}

// unprefixed looks for names that can never begin with the institution's prefix.
func (r *Reconciler) unprefixed(
	ctx context.Context, policy *v1alpha1.CompletionPolicy, compiled *policies.Policy, found *shortcomings,
) error {
	var institutions v1alpha1.InstitutionList
	if err := r.Client.List(ctx, &institutions, client.InNamespace(policy.Namespace)); err != nil {
		return fmt.Errorf("list institutions: %w", err)
	}
	for i := range institutions.Items {
		for _, fault := range compiled.Unprefixed(institutions.Items[i].Spec.NamespacePrefix) {
			found.add(v1alpha1.ReasonRefused, fault.Field, fault.Message)
		}
	}
	return nil
}

// unbounded looks for quotas and limits that the API server would refuse.
func (r *Reconciler) unbounded(
	ctx context.Context, policy *v1alpha1.CompletionPolicy, compiled *policies.Policy, found *shortcomings,
) error {
	bounds := compiled.FixedBounds()
	for i := range bounds {
		if err := apply.TryBounds(ctx, r.Client, policy.Namespace, &bounds[i]); err != nil {
			found.add(v1alpha1.ReasonRefused, fmt.Sprintf("spec.namespaces[%d]", i), apifault.Describe(err))
		}
	}
	return nil
}

// unpooled looks for pools that do not exist.
func (r *Reconciler) unpooled(
	ctx context.Context, policy *v1alpha1.CompletionPolicy, _ *policies.Policy, found *shortcomings,
) error {
	for i, seat := range policy.Spec.Seats {
		key := client.ObjectKey{Namespace: policy.Namespace, Name: string(seat.Pool)}
		err := r.Client.Get(ctx, key, &v1alpha1.SeatPool{})
		if apierrors.IsNotFound(err) {
			found.add(v1alpha1.ReasonPoolMissing, fmt.Sprintf("spec.seats[%d].pool", i),
				fmt.Sprintf("SeatPool %s does not exist", seat.Pool))
		} else if err != nil {
			return fmt.Errorf("get SeatPool %s: %w", seat.Pool, err)
		}
	}
	return nil
}
