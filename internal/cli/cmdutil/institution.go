// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Institutions returns those of a namespace, or of all where it is empty, by namespace and name.
func Institutions(ctx context.Context, c client.Reader, namespace string) ([]v1alpha1.Institution, error) {
	var all []v1alpha1.Institution
	var page v1alpha1.InstitutionList
	err := EachPage(ctx, c, &page, func() error {
		all = append(all, page.Items...)
		return nil
	}, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b v1alpha1.Institution) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return all, nil
}

// Institution returns the one of a namespace that is meant: by its name or the platform's number; the only one there is
// where nothing is given.
func Institution(ctx context.Context, c client.Reader, namespace, which string) (*v1alpha1.Institution, error) {
	all, err := Institutions(ctx, c, namespace)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range all {
		if which == "" && len(all) == 1 || which != "" && (all[i].Name == which || all[i].Spec.ID.String() == which) {
			return &all[i], nil
		}
		names = append(names, all[i].Name)
	}
	switch {
	case len(all) == 0:
		return nil, fmt.Errorf("namespace %s has no Institution: choose another one with -n; "+
			"`kubectl get institutions -A` lists them", namespace)
	case which == "":
		return nil, Usagef("namespace %s has %d Institutions: name one of them (%s)", namespace, len(all),
			strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("namespace %s has no Institution %s: there is %s", namespace, which, strings.Join(names, ", "))
}

// PlatformID reads a number of the platform.
func PlatformID(text, what string) (v1alpha1.PlatformID, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, Usagef("%q is not a valid %s id: use a positive number, as shown by the platform", text, what)
	}
	return v1alpha1.PlatformID(id), nil
}

// CompleteNames completes the first argument by the names of the objects that there are of a kind, and further ones
// where many is set.
func CompleteNames(f *Factory, list client.ObjectList, many bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && !many {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, err := names(cmd.Context(), f, list.DeepCopyObject().(client.ObjectList))
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return slices.DeleteFunc(names, func(name string) bool {
			return !strings.HasPrefix(name, start) || slices.Contains(args, name)
		}), cobra.ShellCompDirectiveNoFileComp
	}
}

func names(ctx context.Context, f *Factory, list client.ObjectList) ([]string, error) {
	c, err := f.Client()
	if err != nil {
		return nil, err
	}
	namespace, err := f.Namespace()
	if err != nil {
		return nil, err
	}
	var found []string
	err = EachPage(ctx, c, list, func() error {
		return meta.EachListItem(list, func(object runtime.Object) error {
			found = append(found, object.(client.Object).GetName())
			return nil
		})
	}, client.InNamespace(namespace))
	return found, err
}
