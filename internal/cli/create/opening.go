// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package create

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/token"
)

func (o *opening) run(ctx context.Context) error {
	c, err := o.Client()
	if err != nil {
		return err
	}
	stored, err := o.look(ctx, c)
	if err != nil {
		return explain(err)
	}
	if err := o.place(ctx, c); err != nil {
		return explain(err)
	}
	text := ""
	if stored == nil {
		if text, err = o.token(ctx, c); err != nil {
			return explain(err)
		}
		if err := create(ctx, c, o.institution); err != nil {
			return explain(err)
		}
		o.said("institution", o.institution.Name, "created; waiting until it is Ready")
	} else if text, err = o.again(ctx, c, stored); err != nil {
		return explain(err)
	}
	waited := o.await(ctx, c)
	id := o.institution.Spec.ID
	shown := &token.URL{Namespace: o.institution.Namespace, Institution: o.institution.Name, Secret: o.secret,
		Accepted: waited == nil}
	if text != "" {
		// In any case: nobody can read it later.
		err = shown.Show(context.WithoutCancel(ctx), o.Factory, o.output, c, o.base, id, text)
	} else {
		_, err = o.output.Document(o.Out, shown)
	}
	if waited != nil || err != nil {
		return errors.Join(waited, err)
	}
	o.said("institution", o.institution.Name, "is Ready, in time zone "+o.institution.Spec.TimeZone)
	if text == "" {
		fmt.Fprintf(o.ErrOut, "Its webhook URL was shown when the token was created. For a new token and URL:\n"+
			"  kubectl course token rotate %s -n %s\n", o.institution.Name, o.institution.Namespace)
		return nil
	}
	fmt.Fprintf(o.ErrOut, "Next, create a policy, which says what a completed course grants. For example:\n"+
		"  kubectl course create policy lab -n %s --course COURSE_ID \\\n"+
		"    --namespace-name '%s${user.id}' --subject '${user.email}'\n",
		o.institution.Namespace, o.institution.Spec.NamespacePrefix)
	return nil
}

// look finds what keeps the institution from being opened before anything is made, and returns it where it is there.
func (o *opening) look(ctx context.Context, c client.Reader) (*v1alpha1.Institution, error) {
	var stored *v1alpha1.Institution
	want := &o.institution.Spec
	institutions, err := cmdutil.Institutions(ctx, c, "")
	if err != nil {
		return nil, err
	}
	for i := range institutions {
		there := &institutions[i]
		allowed := meta.IsStatusConditionTrue(there.Status.Conditions, v1alpha1.ConditionAllowed)
		switch {
		case there.Namespace == o.institution.Namespace && there.Name == o.institution.Name:
			stored = there
		case there.Namespace == o.institution.Namespace && there.Spec.ID == want.ID:
			return nil, fmt.Errorf("institution %s in namespace %s already has the id %s: use --name %s if you mean that one",
				there.Name, there.Namespace, want.ID, there.Name)
		case there.Namespace != o.institution.Namespace && allowed &&
			(strings.HasPrefix(there.Spec.NamespacePrefix, want.NamespacePrefix) ||
				strings.HasPrefix(want.NamespacePrefix, there.Spec.NamespacePrefix)):
			return nil, fmt.Errorf(
				"--namespace-prefix=%s overlaps with %s of institution %s in namespace %s: choose another one",
				want.NamespacePrefix,
				there.Spec.NamespacePrefix,
				there.Name,
				there.Namespace,
			)
		}
	}
	if stored == nil {
		return nil, nil
	}
	if stored.Spec.ID != want.ID || stored.Spec.NamespacePrefix != want.NamespacePrefix {
		return nil, fmt.Errorf(
			"namespace %s already has another institution %s (id %s, prefix %s): choose another -n or --name",
			stored.Namespace,
			stored.Name,
			stored.Spec.ID,
			stored.Spec.NamespacePrefix,
		)
	}
	if differs := differences(want, &stored.Spec); len(differs) > 0 {
		return nil, fmt.Errorf("institution %s already exists with another %s and was not changed: "+
			"`kubectl edit institution %s -n %s` does", stored.Name, strings.Join(differs, ", "), stored.Name, stored.Namespace)
	}
	return stored, nil
}

// differences names the flags of which an Institution has other values.
func differences(want, stored *v1alpha1.InstitutionSpec) []string {
	var found []string
	note := func(flag string, differs bool) {
		if differs {
			found = append(found, flag)
		}
	}
	note("--time-zone", want.TimeZone != "" && want.TimeZone != stored.TimeZone)
	note("--retention-days", want.RetentionDays != 0 && want.RetentionDays != stored.RetentionDays)
	note("--revocation-budget", want.RevocationBudget != nil && *want.RevocationBudget != stored.Budget())
	cidrs, there := slices.Clone(want.Authentication.AllowedCIDRs), slices.Clone(stored.Authentication.AllowedCIDRs)
	slices.Sort(cidrs)
	slices.Sort(there)
	note("--allowed-cidrs", len(cidrs) > 0 && !slices.Equal(cidrs, there))
	a, b := want.Privacy, stored.Privacy
	for _, pair := range [][2]v1alpha1.DataHandling{
		{a.Name, b.Name}, {a.Email, b.Email}, {a.CPF, b.CPF}, {a.Nickname, b.Nickname}, {a.UUID, b.UUID}} {
		if pair[0] != "" && pair[0] != pair[1] {
			note("--privacy", true)
			break
		}
	}
	return found
}

// place makes the namespace and the RoleBinding.
func (o *opening) place(ctx context.Context, c client.Client) error {
	name := o.namespace.Name
	err := create(ctx, c, o.namespace.DeepCopy())
	switch {
	case err == nil:
		o.said("namespace", name, "created")
	case apierrors.IsAlreadyExists(err):
		namespace := &corev1.Namespace{}
		if err := c.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
			return err
		}
		if err := o.allows(namespace); err != nil {
			return err
		}
		o.said("namespace", name, "already exists")
	default:
		return err
	}
	err = create(ctx, c, o.binding.DeepCopy())
	switch {
	case err == nil:
		o.said("rolebinding", o.binding.Name, "created")
	case apierrors.IsAlreadyExists(err):
		binding := &rbacv1.RoleBinding{}
		if err := c.Get(ctx, client.ObjectKeyFromObject(o.binding), binding); err != nil {
			return err
		}
		if binding.RoleRef != o.binding.RoleRef || !slices.Contains(binding.Subjects, o.binding.Subjects[0]) {
			return fmt.Errorf(
				"namespace %s has another RoleBinding %s already, which does not bind the ServiceAccount %s of %s to "+
					"the ClusterRole %s: it was not changed",
				name,
				binding.Name,
				controllerManager,
				systemNamespace,
				institutionRole,
			)
		}
		o.said("rolebinding", o.binding.Name, "already exists")
	default:
		return err
	}
	return nil
}

// allows checks that a namespace that there is allows the institution.
func (o *opening) allows(namespace *corev1.Namespace) error {
	id, hasID := namespace.Annotations[v1alpha1.AnnotationInstitutionID]
	prefix, hasPrefix := namespace.Annotations[v1alpha1.AnnotationNamespacePrefix]
	want := o.namespace.Annotations
	switch {
	case !namespace.DeletionTimestamp.IsZero():
		return fmt.Errorf("namespace %s is being deleted: wait until it is gone", namespace.Name)
	case hasID && hasPrefix && id == want[v1alpha1.AnnotationInstitutionID] &&
		prefix == want[v1alpha1.AnnotationNamespacePrefix]:
		return nil
	case hasID || hasPrefix:
		return fmt.Errorf("namespace %s belongs to another institution (id %s, prefix %s): choose another one with -n",
			namespace.Name, id, prefix)
	}
	return fmt.Errorf("namespace %s already exists and does not allow an institution. If it is meant for this one:\n"+
		"kubectl annotate namespace %s %s=%s %s=%s", namespace.Name, namespace.Name,
		v1alpha1.AnnotationInstitutionID, want[v1alpha1.AnnotationInstitutionID],
		v1alpha1.AnnotationNamespacePrefix, want[v1alpha1.AnnotationNamespacePrefix])
}

// token makes the Secret, and returns the token. One that an interrupted run has left, or somebody has put there for
// this, is used as it is.
func (o *opening) token(ctx context.Context, c client.Client) (string, error) {
	text := token.New()
	err := c.Create(ctx, token.Secret(o.namespace.Name, o.secret, text))
	if err == nil {
		o.said("secret", o.secret, "created")
		return text, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return "", err
	}
	secret := &corev1.Secret{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: o.namespace.Name, Name: o.secret}, secret); err != nil {
		return "", err
	}
	if secret.Type != v1alpha1.SecretTypeWebhookToken ||
		len(secret.Data[v1alpha1.SecretKeyToken]) < v1alpha1.MinTokenLength {
		return "", fmt.Errorf(
			"namespace %s already has a Secret %s that is not a token: choose another name with --secret",
			o.namespace.Name,
			o.secret,
		)
	}
	o.said("secret", o.secret, "already exists")
	return string(secret.Data[v1alpha1.SecretKeyToken]), nil
}

// again makes what is missing of an Institution that there is: the Secret, which a file for GitOps leaves out. It
// returns the token, if it made one.
func (o *opening) again(ctx context.Context, c client.Client, stored *v1alpha1.Institution) (string, error) {
	o.institution = stored
	o.said("institution", stored.Name, "already exists")
	named := func(ref v1alpha1.TokenSecretReference) bool { return string(ref.Name) == o.secret }
	if !slices.ContainsFunc(stored.Spec.Authentication.TokenSecretRefs, named) {
		return "", nil
	}
	text := token.New()
	err := c.Create(ctx, token.Secret(o.namespace.Name, o.secret, text))
	switch {
	case err == nil:
		o.said("secret", o.secret, "created")
		return text, nil
	case apierrors.IsAlreadyExists(err):
		return "", nil
	}
	return "", err
}

// await waits until the Institution is Ready.
func (o *opening) await(ctx context.Context, c client.Reader) error {
	key := client.ObjectKeyFromObject(o.institution)
	var institution v1alpha1.Institution
	var ready *metav1.Condition
	err := wait.PollUntilContextTimeout(ctx, poll, o.timeout, true, func(ctx context.Context) (bool, error) {
		institution = v1alpha1.Institution{}
		if err := c.Get(ctx, key, &institution); err != nil {
			return false, err
		}
		ready = meta.FindStatusCondition(institution.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == institution.Generation, nil
	})
	switch {
	case ctx.Err() != nil:
		fmt.Fprintf(o.ErrOut, "institution/%s is not Ready yet: run it again\n", key.Name)
		return ctx.Err()
	case err == nil || !wait.Interrupted(err):
		return err
	case ready == nil:
		return errors.New("the operator has not reconciled the Institution within " + o.timeout.String() + ": is it running?")
	}
	return fmt.Errorf("institution %s is not Ready after %s (%s): %s\nRun it again once that is put right",
		key.Name, o.timeout, ready.Reason, ready.Message)
}
