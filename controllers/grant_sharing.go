// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// mayShare reports whether a change of one Grant may change what another one has: both are of one holder and policy,
// and name a namespace alike, or both have objects. What it no longer says it may still have.
func mayShare(changed, other *v1alpha1.Grant) bool {
	if !plan.Alike(changed, other) || changed.Name == other.Name {
		return false
	}
	if hasObjects(changed) && hasObjects(other) {
		return true
	}
	names := namespaceNames(other)
	return slices.ContainsFunc(namespaceNames(changed), func(name string) bool { return slices.Contains(names, name) })
}

func namespaceNames(grant *v1alpha1.Grant) []string {
	var names []string
	for i := range grant.Spec.Namespaces {
		names = append(names, grant.Spec.Namespaces[i].Name)
	}
	for _, entry := range grant.Status.Inventory {
		if entry.Kind == "Namespace" && *entry.Group == "" {
			names = append(names, entry.Name)
		}
	}
	return names
}

// inPlaceOf says which namespaces are those of other Grants.
func inPlaceOf(shared map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(shared)) {
		parts = append(parts, fmt.Sprintf("; namespace %s is shared with grant %s, which has it", name, shared[name]))
	}
	return strings.Join(parts, "")
}

// sharersChanged looks live at the Grants of the same holder and policy, right before data is deleted that they may
// name too. It returns what is not known of them yet; empty if everything is.
func (r *GrantReconciler) sharersChanged(ctx context.Context, grant *v1alpha1.Grant) (string, error) {
	known, err := r.grantsBesideOf(ctx, grant, client.UnsafeDisableDeepCopy)
	if err != nil {
		return "", err
	}
	var live v1alpha1.GrantList
	err = r.Live.List(ctx, &live, client.InNamespace(grant.Namespace), client.MatchingFields{
		"spec.policy":               string(grant.Spec.Policy),
		"spec.holder.institutionID": grant.Spec.Holder.InstitutionID.String(),
		"spec.holder.userID":        grant.Spec.Holder.UserID.String(),
	})
	if err != nil {
		return "", fmt.Errorf("look at the grants of the same holder and policy: %w", err)
	}
	for i := range live.Items {
		now := &live.Items[i]
		same := func(g v1alpha1.Grant) bool { return g.UID == now.UID && g.Generation == now.Generation }
		if now.Name != grant.Name && !slices.ContainsFunc(known, same) {
			return "grant " + now.Name + " of the same user and policy has changed", nil
		}
	}
	return "", nil
}
