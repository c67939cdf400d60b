// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/informers"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
)

// watched are the informers of a cache.
type watched struct{ institutions, erasures cache.Informer }

// watch returns a cache of Institutions and ErasureRegisters and its informers, which the keeper keeps.
func watch(ctx context.Context, c *store.Connection, keeper *informers.Keeper) (cache.Cache, watched, error) {
	var made watched
	cached, err := cache.New(c.Config, keeper.Options(cache.Options{
		HTTPClient:       c.HTTP,
		Scheme:           c.Scheme,
		Mapper:           c.Mapper,
		DefaultTransform: cache.TransformStripManagedFields(),
	}))
	if err != nil {
		return nil, made, fmt.Errorf("preparing the cache of institutions: %w", err)
	}
	if err := cached.IndexField(ctx, &v1alpha1.Institution{}, indexAcceptedDigest, acceptedDigests); err != nil {
		return nil, made, fmt.Errorf("indexing the institutions: %w", err)
	}
	made.institutions, err = cached.GetInformer(ctx, &v1alpha1.Institution{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, made, fmt.Errorf("preparing the informer of institutions: %w", err)
	}
	made.erasures, err = cached.GetInformer(ctx, &v1alpha1.ErasureRegister{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, made, fmt.Errorf("preparing the informer of erasure registers: %w", err)
	}
	return cached, made, nil
}
