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

// URL is a webhook URL, as data.
type URL struct {
	Namespace   string `json:"namespace"`
	Institution string `json:"institution"`
	// Secret has the token.
	Secret string `json:"secret"`
	// URL is a path only where the host is not known, and empty where the token was made before.
	URL string `json:"url,omitempty"`
	// Accepted reports whether deliveries by it are taken by now.
	Accepted bool `json:"accepted"`
}

// Show prints the webhook URL of a token to stdout, which nobody can see again, and how the platform is told. The base
// is how it begins; where it is empty, it is looked for.
func (u *URL) Show(
	ctx context.Context, f *cmdutil.Factory, output *cmdutil.Output, c client.Reader, base string,
	id v1alpha1.PlatformID, token string,
) error {
	if base == "" {
		base = FindBase(ctx, c)
	}
	path := fmt.Sprintf("/webhooks/%s", id)
	u.URL = base + path + "/" + token
	done, err := output.Document(f.Out, u)
	if !done {
		_, err = fmt.Fprintln(f.Out, u.URL)
	}
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
	return err
}

func orHost(base string) string {
	if base == "" {
		return "https://<host>"
	}
	return base
}
