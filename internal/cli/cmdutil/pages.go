// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// PageSize is how many objects are read at once, so that memory does not grow with what there is.
const PageSize = 500

// EachPage reads a list page by page and calls look after each; the list then holds that page. Where the list grows
// older than the API server keeps it, which takes minutes, the rest is read as it is by then, so that an object may be
// seen twice or, if it was made meanwhile, not at all.
func EachPage(
	ctx context.Context, c client.Reader, list client.ObjectList, look func() error, options ...client.ListOption,
) error {
	next := ""
	for {
		page := append([]client.ListOption{client.Limit(PageSize)}, options...)
		if next != "" {
			page = append(page, client.Continue(next))
		}
		err := c.List(ctx, list, page...)
		if apierrors.IsResourceExpired(err) && next != "" {
			if next = inconsistent(err); next != "" {
				continue
			}
		}
		if err != nil {
			return err
		}
		if err := look(); err != nil {
			return err
		}
		if next = list.GetContinue(); next == "" {
			return nil
		}
	}
}

// inconsistent returns where to go on with a list that has expired.
func inconsistent(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return ""
	}
	return status.Status().Continue
}

// Each calls look with each object of a kind.
func Each[T any, P interface {
	*T
	runtime.Object
}, L client.ObjectList](
	ctx context.Context, c client.Reader, list L, items func(L) []T, look func(P) error, options ...client.ListOption,
) error {
	return EachPage(ctx, c, list, func() error {
		page := items(list)
		for i := range page {
			if err := look(&page[i]); err != nil {
				return err
			}
		}
		return nil
	}, options...)
}
