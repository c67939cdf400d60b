// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/deliveries"
)

// usePeriod is how long ago a token was last used that may be removed.
const usePeriod = 24 * time.Hour

// checkUse refuses a token that was used of late, and says where that cannot be known.
func (o *options) checkUse(ctx context.Context, institution *v1alpha1.Institution, name string) error {
	since := o.Now().Add(-usePeriod)
	uses, err := deliveries.TokenUses(ctx, o.Factory, institution.Namespace, name, since)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case apierrors.IsForbidden(err):
		fmt.Fprintf(o.ErrOut, "You may not read the audit log (ClusterRole %s in namespace %s), so it is not known whether "+
			"the token was used within the last day: check on the platform which URL it uses.\n", cmdutil.RoleOperations,
			systemNamespace)
	case err != nil:
		fmt.Fprintf(o.ErrOut, "It is not known whether the token was used within the last day: %v\n", err)
	case !uses.Last.IsZero():
		ago := o.Now().Sub(uses.Last).Round(time.Second)
		if !o.evenIfUsed {
			return fmt.Errorf("the platform still uses token %s: the last delivery with it came %s ago. Enter the URL of "+
				"another token on the platform, and remove this one a day later; or give --even-if-used.\n"+
				"`kubectl course deliveries --institution %s --since 24h` shows them", name, ago, institution.Spec.ID)
		}
		fmt.Fprintf(o.ErrOut, "The last delivery with it came %s ago.\n", ago)
	case len(uses.Unknown) > 0:
		fmt.Fprintf(o.ErrOut, "The audit log has no delivery with it within the last day, but it is incomplete:"+
			"\n  %s\n", strings.Join(uses.Unknown, "\n  "))
	default:
		fmt.Fprintln(o.ErrOut, "The audit log has no delivery with it within the last day.")
	}
	return nil
}
