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
			"This is only the path: no Ingress or HTTPRoute in completion-system that you may read names a host. "+
				"Put the address of the webhook server in front of it, or give --host.",
		)
	}
	fmt.Fprintf(
		f.ErrOut,
		"Enter this URL on the platform as the webhook for completions. Its last part is the token. Save it now: it is "+
			"not shown again.\nIf the platform can send a password or headers, keep the token out of the URL, and so out "+
			"of access logs:\nuse %s with the token as the password of any user, or as `Authorization: Bearer <token>`.\n",
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
