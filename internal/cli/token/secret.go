// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const (
	// MaxTokens is how many tokens an Institution has at most.
	MaxTokens = 4
	// poll is how often a status is looked at that is waited for.
	poll = 500 * time.Millisecond
	// attempts is how often an Institution is written that somebody else writes at the same time.
	attempts = 20
	// cleanup bounds how long a Secret that is of no use may take to be deleted.
	cleanup = 10 * time.Second
)

// New returns a random token.
func New() string { return rand.Text() + rand.Text() }

// NewName returns a name for the Secret of a token that nobody has.
func NewName(now time.Time) string {
	return "webhook-token-" + now.UTC().Format("20060102") + "-" + strings.ToLower(rand.Text()[:6])
}

// Secret returns the Secret of a token.
func Secret(namespace, name, token string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Type:       v1alpha1.SecretTypeWebhookToken,
		StringData: map[string]string{v1alpha1.SecretKeyToken: token},
	}
}

// refs returns the names of the Secrets of an Institution's tokens.
func refs(institution *v1alpha1.Institution) []string {
	var names []string
	for _, ref := range institution.Spec.Authentication.TokenSecretRefs {
		names = append(names, string(ref.Name))
	}
	return names
}

// stateOf returns what the status says of a token; empty where it says nothing yet.
func stateOf(institution *v1alpha1.Institution, name string) v1alpha1.TokenState {
	for _, token := range institution.Status.Tokens {
		if string(token.SecretName) == name {
			return token.State
		}
	}
	return ""
}

// setRefs changes which Secrets an Institution names, whoever else writes it at the same time. change returns false
// where there is nothing to do.
func setRefs(
	ctx context.Context, c client.Client, institution *v1alpha1.Institution, change func([]string) ([]string, bool, error),
) error {
	key := client.ObjectKeyFromObject(institution)
	for range attempts {
		names, changed, err := change(refs(institution))
		if err != nil || !changed {
			return err
		}
		list := make([]v1alpha1.TokenSecretReference, 0, len(names))
		for _, name := range names {
			list = append(list, v1alpha1.TokenSecretReference{Name: v1alpha1.LocalName(name)})
		}
		patch, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"resourceVersion": institution.ResourceVersion},
			"spec":     map[string]any{"authentication": map[string]any{"tokenSecretRefs": list}},
		})
		if err != nil {
			return err
		}
		err = c.Patch(ctx, institution, client.RawPatch(types.MergePatchType, patch))
		if !apierrors.IsConflict(err) {
			return err
		}
		*institution = v1alpha1.Institution{}
		if err := c.Get(ctx, key, institution); err != nil {
			return err
		}
	}
	return fmt.Errorf("institution %s keeps being changed by others: run it again", key.Name)
}

// addRef names one more Secret.
func addRef(name string) func([]string) ([]string, bool, error) {
	return func(names []string) ([]string, bool, error) {
		switch {
		case slices.Contains(names, name):
			return names, false, nil
		case len(names) >= MaxTokens:
			return nil, false, errFull(names)
		}
		return append(names, name), true, nil
	}
}

func errFull(names []string) error {
	return fmt.Errorf("it already has %d tokens (%s), the maximum: remove one first", len(names), strings.Join(names,
		", "))
}

// Await waits until an Institution says of a token that it is accepted.
func Await(ctx context.Context, c client.Reader, key client.ObjectKey, name string, timeout time.Duration) error {
	var institution v1alpha1.Institution
	err := wait.PollUntilContextTimeout(ctx, poll, timeout, true, func(ctx context.Context) (bool, error) {
		institution = v1alpha1.Institution{}
		if err := c.Get(ctx, key, &institution); err != nil {
			return false, err
		}
		return stateOf(&institution, name) == v1alpha1.TokenAccepted, nil
	})
	if !wait.Interrupted(err) || ctx.Err() != nil {
		return err
	}
	state := stateOf(&institution, name)
	return fmt.Errorf("after %s the token is not accepted: %s", timeout, Hint(state))
}

// Hint says what a state of a token means, and what to do about it.
func Hint(state v1alpha1.TokenState) string {
	switch state {
	case v1alpha1.TokenAccepted:
		return ""
	case v1alpha1.TokenShared:
		return "another Institution already uses this token and keeps it: add another one"
	case v1alpha1.TokenNotFound:
		return "there is no Secret with that name and the type " + v1alpha1.SecretTypeWebhookToken +
			": remove it, and add another one"
	case v1alpha1.TokenInvalid:
		return "it is missing in the Secret, too short or easy to guess: remove it and add another one"
	case v1alpha1.TokenForbidden:
		return "the controller-manager is not allowed to read the Secret: bind it to the ClusterRole completion-institution"
	}
	return "the operator has not checked it yet: is the Institution allowed, and the controller-manager running?"
}

// add makes a token, and names its Secret in the Institution. Where that cannot be done no Secret is left behind.
func add(
	ctx context.Context,
	c client.Client,
	institution *v1alpha1.Institution,
	name string,
) (token string, err error) {
	if names := refs(institution); len(names) >= MaxTokens {
		return "", errFull(names)
	}
	token = New()
	secret := Secret(institution.Namespace, name, token)
	if err := c.Create(ctx, secret); err != nil {
		return "", err
	}
	if err := setRefs(ctx, c, institution, addRef(name)); err != nil {
		// Also where it was interrupted.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
		defer cancel()
		uid := secret.UID
		left := client.IgnoreNotFound(c.Delete(late, secret, client.Preconditions{UID: &uid}))
		if left != nil {
			left = fmt.Errorf(
				"its Secret %s is left over: kubectl delete secret %s -n %s (%w)",
				name,
				name,
				institution.Namespace,
				left,
			)
		}
		return "", errors.Join(err, left)
	}
	return token, nil
}
