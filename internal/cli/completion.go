// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// completeNamespaces completes --namespace.
func completeNamespaces(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
		c, err := f.Client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		list := &corev1.NamespaceList{}
		err = cmdutil.EachPage(cmd.Context(), c, list, func() error {
			for i := range list.Items {
				if name := list.Items[i].Name; strings.HasPrefix(name, start) {
					names = append(names, name)
				}
			}
			return nil
		}, &client.ListOptions{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
