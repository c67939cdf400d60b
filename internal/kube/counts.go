// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// CountGrants counts Grants by phase. The list is only looked at.
func CountGrants(ctx context.Context, reader client.Reader, counted func(*v1alpha1.Grant) bool,
	opts ...client.ListOption,
) (v1alpha1.GrantCounts, error) {
	counts := v1alpha1.GrantCounts{Pending: new(int32), AwaitingApproval: new(int32), Waiting: new(int32),
		Active: new(int32), Ended: new(int32), Suspended: new(int32)}
	var grants v1alpha1.GrantList
	if err := reader.List(ctx, &grants, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		return counts, fmt.Errorf("list grants: %w", err)
	}
	for i := range grants.Items {
		if !counted(&grants.Items[i]) {
			continue
		}
		switch grants.Items[i].Status.Phase {
		case v1alpha1.GrantAwaitingApproval:
			*counts.AwaitingApproval++
		case v1alpha1.GrantWaiting:
			*counts.Waiting++
		case v1alpha1.GrantActive:
			*counts.Active++
		case v1alpha1.GrantEnded, v1alpha1.GrantRevoked:
			*counts.Ended++
		case v1alpha1.GrantSuspended:
			*counts.Suspended++
		default:
			*counts.Pending++
		}
	}
	return counts, nil
}
