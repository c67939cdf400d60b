// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// ShowURL prints the webhook URL of a token to stdout, which nobody can see again, and how the platform is told. The
// base is how it begins; where it is empty, it is looked for.
func ShowURL(
	ctx context.Context, f *cmdutil.Factory, c client.Reader, base string, id v1alpha1.PlatformID, token string,
) {
	if base == "" {
		base = FindBase(ctx, c)
	}
	path := fmt.Sprintf("/webhooks/%s", id)
	fmt.Fprintf(f.Out, "%s%s/%s\n", base, path, token)
	if base == "" {
		fmt.Fprintln(
			f.ErrOut,
			"That is the path only: no Ingress or HTTPRoute of completion-system that you may read names a host. "+
				"Put the address of your webhook before it, as --host would.",
		)
	}
	fmt.Fprintln(f.ErrOut, "The last part is the token. Keep it now: it is not shown again.")
	fmt.Fprintln(
		f.ErrOut,
		"Enter this URL on the platform, as where completions are posted to. Where it takes a URL with user and "+
			"password, or headers,",
	)
	fmt.Fprintf(
		f.ErrOut,
		"leave the token out of the path, and so out of access logs: %s, with the token as the password "+
			"(any user), or as\n`Authorization: Bearer <token>`.\n",
		orHost(base)+path,
	)
}

func orHost(base string) string {
	if base == "" {
		return "https://<host>"
	}
	return base
}
