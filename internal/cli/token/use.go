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
		fmt.Fprintf(o.ErrOut, "Whether it was used within the last day is not known, since you may not read the audit log "+
			"(ClusterRole %s in namespace %s): look on the platform which URL it posts to.\n", cmdutil.RoleOperations,
			systemNamespace)
	case err != nil:
		fmt.Fprintf(o.ErrOut, "Whether it was used within the last day is not known: %v\n", err)
	case !uses.Last.IsZero():
		ago := o.Now().Sub(uses.Last).Round(time.Second)
		if !o.evenIfUsed {
			return fmt.Errorf("the platform still uses token %s: the last delivery with it came %s ago. Enter the URL of "+
				"another token on the platform, and remove this one a day later; or give --even-if-used.\n"+
				"`kubectl course deliveries --institution %s --since 24h` shows what came", name, ago, institution.Spec.ID)
		}
		fmt.Fprintf(o.ErrOut, "The last delivery with it came %s ago.\n", ago)
	case len(uses.Unknown) > 0:
		fmt.Fprintf(o.ErrOut, "The audit log has no delivery with it within the last day, but not every record is there:"+
			"\n  %s\n", strings.Join(uses.Unknown, "\n  "))
	default:
		fmt.Fprintln(o.ErrOut, "The audit log has no delivery with it within the last day.")
	}
	return nil
}
