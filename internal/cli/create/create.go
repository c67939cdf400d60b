// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package create is `kubectl course create`.
package create

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/kubectl/pkg/util"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// poll is how often a status is looked at that is waited for.
const poll = 300 * time.Millisecond

// NewCommand returns the command with its subcommands.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create an institution, a policy or a pool of seats",
		Long: templates.LongDesc(`
			Create an institution, a policy or a pool of seats.

			With --export, nothing is created: the command prints the YAML, to edit it or for GitOps.`),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cmdutil.Usagef("%q cannot be created here: use institution, policy or seatpool", args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newInstitution(f), newPolicy(f), newSeatPool(f))
	return cmd
}

// object creates one object in a namespace of an institution, and waits a while until it is Ready.
type object struct {
	*cmdutil.Factory
	change  cmdutil.Change
	export  bool
	timeout time.Duration
}

func (o *object) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.export, "export", false,
		"Print the object as YAML, or as -o says, without creating it. Needs no cluster.")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 15*time.Second,
		"The maximum time to wait until it is Ready. 0 means do not wait.")
	o.change.AddFlags(cmd)
}

// conditioned is an object with conditions.
type conditioned struct {
	client.Object
	// kind names it for people.
	kind       string
	conditions func() []metav1.Condition
}

// create creates the object, or prints it.
func (o *object) create(ctx context.Context, of conditioned) error {
	if err := o.change.Validate(); err != nil {
		return err
	}
	if len(validation.IsDNS1123Subdomain(of.GetName())) > 0 {
		return cmdutil.Usagef("%q is not a valid name: use lowercase letters, digits, - and .", of.GetName())
	}
	namespace, err := o.Namespace()
	if err != nil {
		return err
	}
	of.SetNamespace(namespace)
	if o.export {
		return Export(o.Out, &o.change.Output, of.Object)
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	institutions, err := cmdutil.Institutions(ctx, c, namespace)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RolePolicyAuthor)
	}
	if len(institutions) == 0 {
		return fmt.Errorf(
			"namespace %s has no Institution, which the %s needs: choose another one with -n; "+
				"`kubectl get institutions -A` lists them",
			namespace,
			of.kind,
		)
	}
	if o.change.Writes() {
		err := create(ctx, o.change.Client(c), of.Object)
		switch {
		case apierrors.IsAlreadyExists(err):
			return fmt.Errorf("namespace %s already has a %s %s, which was not changed: use `kubectl edit %s %s -n %s` to "+
				"change it",
				namespace, of.kind, of.GetName(), resource(of.kind), of.GetName(), namespace)
		case err != nil:
			return cmdutil.Explain(err, cmdutil.RolePolicyAuthor)
		}
	}
	if err := o.change.Done(o.Out, "created", of.Object); err != nil {
		return err
	}
	if o.change.DryRun != "none" || o.timeout <= 0 {
		return nil
	}
	return o.await(ctx, c, of)
}

func resource(kind string) string {
	return map[string]string{"policy": "completionpolicy", "pool": "seatpool"}[kind]
}

// await waits until the object is Ready, or only a change of it can help.
func (o *object) await(ctx context.Context, c client.Reader, of conditioned) error {
	key := client.ObjectKeyFromObject(of)
	err := wait.PollUntilContextTimeout(ctx, poll, o.timeout, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, key, of.Object); err != nil {
			return false, err
		}
		ready := current(of, v1alpha1.ConditionReady)
		stalled := current(of, v1alpha1.ConditionStalled)
		return ready != nil && ready.Status == metav1.ConditionTrue ||
			stalled != nil && stalled.Status == metav1.ConditionTrue, nil
	})
	if err != nil && !wait.Interrupted(err) || ctx.Err() != nil {
		return cmdutil.Explain(err, cmdutil.RolePolicyAuthor)
	}
	for _, also := range []string{v1alpha1.ConditionAccessReady, v1alpha1.ConditionNamesDistinct} {
		if c := current(of, also); c != nil && c.Status == metav1.ConditionFalse {
			fmt.Fprintf(o.ErrOut, "Warning: %s (%s): %s\n", also, c.Reason, c.Message)
			if c.Reason == v1alpha1.ReasonRefused {
				fmt.Fprintf(o.ErrOut, "Nothing is granted until that is corrected: `kubectl edit %s %s -n %s`\n",
					resource(of.kind), of.GetName(), key.Namespace)
			}
		}
	}
	switch ready := current(of, v1alpha1.ConditionReady); {
	case ready == nil:
		return fmt.Errorf("%s %s was created, but the operator has not reconciled it within %s: is it running? "+
			"`kubectl get %s %s -n %s` shows its state",
			of.kind, of.GetName(), o.timeout, resource(of.kind), of.GetName(), key.Namespace)
	case ready.Status != metav1.ConditionTrue:
		return fmt.Errorf("%s %s was created and is not Ready (%s): %s\nCorrect it with `kubectl edit %s %s -n %s`",
			of.kind, of.GetName(), ready.Reason, ready.Message, resource(of.kind), of.GetName(), key.Namespace)
	}
	return nil
}

// current returns a condition that is about the object as it is.
func current(of conditioned, kind string) *metav1.Condition {
	condition := meta.FindStatusCondition(of.conditions(), kind)
	if condition == nil || condition.ObservedGeneration != of.GetGeneration() {
		return nil
	}
	return condition
}

// create creates an object, and notes what was created as kubectl apply does, so that its file can be applied later.
func create(ctx context.Context, c client.Client, object client.Object) error {
	fields, err := fieldsOf(object)
	if err != nil {
		return err
	}
	plain := &unstructured.Unstructured{Object: fields}
	if err := util.CreateApplyAnnotation(plain, unstructured.UnstructuredJSONScheme); err != nil {
		return fmt.Errorf("note what is created: %w", err)
	}
	object.SetAnnotations(plain.GetAnnotations())
	return c.Create(ctx, object)
}

// fieldsOf returns an object without what the API server adds.
func fieldsOf(object client.Object) (map[string]any, error) {
	kind, err := apiutil.GVKForObject(object, cmdutil.Scheme)
	if err != nil {
		return nil, err
	}
	object.GetObjectKind().SetGroupVersionKind(kind)
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", object.GetName(), err)
	}
	delete(fields, "status")
	if metadata, ok := fields["metadata"].(map[string]any); ok {
		delete(metadata, "creationTimestamp")
	}
	// A Namespace has a spec that says nothing.
	if spec, ok := fields["spec"].(map[string]any); ok && len(spec) == 0 {
		delete(fields, "spec")
	}
	return fields, nil
}

// Export prints objects as YAML documents, without what the API server adds, or as data.
func Export(out io.Writer, output *cmdutil.Output, objects ...client.Object) error {
	if done, err := output.Names(out, objects...); done {
		return err
	}
	var documents []string
	var all []*unstructured.Unstructured
	for _, object := range objects {
		fields, err := fieldsOf(object)
		if err != nil {
			return err
		}
		content, err := yaml.Marshal(fields)
		if err != nil {
			return fmt.Errorf("encode as YAML: %w", err)
		}
		documents = append(documents, string(content))
		all = append(all, &unstructured.Unstructured{Object: fields})
	}
	if done, err := output.Objects(out, all...); done {
		return err
	}
	_, err := io.WriteString(out, strings.Join(documents, "---\n"))
	return err
}
