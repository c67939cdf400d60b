// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package version is `kubectl course version`.
package version

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// Plugin is the version of this program. The linker sets it.
var Plugin = "dev"

// The installation, as config/default names it.
const (
	systemNamespace   = "completion-system"
	controllerManager = "completion-controller-manager"
	webhookServer     = "completion-webhook-server"
)

// versions are what runs.
type versions struct {
	Plugin string `json:"plugin"`
	// API has the versions of the API that the cluster serves; empty where the operator is not installed.
	API []string `json:"api,omitempty"`
	// Images of both programs; empty where they may not be looked at.
	ControllerManager string `json:"controllerManager,omitempty"`
	WebhookServer     string `json:"webhookServer,omitempty"`
	// Unknown says what could not be found out, and why.
	Unknown []string `json:"unknown,omitempty"`
}

type options struct {
	*cmdutil.Factory
	output     cmdutil.Output
	clientOnly bool
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of the plugin, the API and both programs",
		Long: templates.LongDesc(`
			Print the version of this plugin, the versions of the API that the cluster serves, and the images of the
			controller-manager and the webhook server. What you may not read is listed, and is not an error.`),
		Example: templates.Examples(`
			# The versions here and in the cluster
			kubectl course version

			# The plugin alone, without a cluster
			kubectl course version --client`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().BoolVar(&o.clientOnly, "client", false, "Print only the version of the plugin.")
	o.output.AddFlags(cmd, "Version")
	return cmd
}

func (o *options) run(ctx context.Context) error {
	found := versions{Plugin: Plugin}
	if !o.clientOnly {
		c, err := o.Client()
		if err != nil {
			return err
		}
		found.ask(ctx, c)
	}
	if done, err := o.output.Document(o.Out, found); done {
		return err
	}
	return found.print(o.Out, o.clientOnly)
}

func (v *versions) ask(ctx context.Context, c client.Client) {
	v.API = served(c)
	if len(v.API) == 0 {
		var crd apiextensionsv1.CustomResourceDefinition
		err := c.Get(ctx, client.ObjectKey{Name: "coursecompletions." + v1alpha1.GroupName}, &crd)
		if err != nil && !apierrors.IsNotFound(err) {
			v.Unknown = append(v.Unknown, "API: "+err.Error())
		}
	}
	var deployment appsv1.Deployment
	var set appsv1.StatefulSet
	for _, program := range []struct {
		name   string
		object client.Object
		image  func() string
		to     *string
	}{
		{controllerManager, &deployment,
			func() string { return deployment.Spec.Template.Spec.Containers[0].Image }, &v.ControllerManager},
		{webhookServer, &set, func() string { return set.Spec.Template.Spec.Containers[0].Image }, &v.WebhookServer},
	} {
		key := client.ObjectKey{Namespace: systemNamespace, Name: program.name}
		if err := c.Get(ctx, key, program.object); err != nil {
			v.Unknown = append(v.Unknown, program.name+": "+err.Error())
			continue
		}
		*program.to = program.image()
	}
}

// served returns the versions of the API that the cluster serves.
func served(c client.Client) []string {
	mappings, err := c.RESTMapper().RESTMappings(v1alpha1.GroupVersion.WithKind("CourseCompletion").GroupKind())
	if err != nil {
		return nil
	}
	var found []string
	for _, mapping := range mappings {
		found = append(found, mapping.GroupVersionKind.GroupVersion().String())
	}
	return found
}

func (v *versions) print(out io.Writer, clientOnly bool) error {
	rows := [][]string{{"Plugin:", v.Plugin}}
	if !clientOnly {
		api := strings.Join(v.API, ", ")
		if api == "" {
			api = "not installed"
		}
		rows = append(rows, []string{"API:", api},
			[]string{"Controller-manager:", orUnknown(v.ControllerManager)},
			[]string{"Webhook server:", orUnknown(v.WebhookServer)})
	}
	if err := cmdutil.Rows(out, nil, rows); err != nil {
		return err
	}
	for _, why := range v.Unknown {
		fmt.Fprintf(out, "  %s\n", why)
	}
	return nil
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}
