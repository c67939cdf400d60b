// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"context"
	"crypto/rand"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// CreateToken makes a Secret with a random webhook token, and the namespace for it where there is none yet.
func CreateToken(ctx context.Context, c client.Client, namespace, name string) error {
	place := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Type:       v1alpha1.SecretTypeWebhookToken,
		StringData: map[string]string{v1alpha1.SecretKeyToken: rand.Text() + rand.Text()},
	}
	for _, object := range []client.Object{place, secret} {
		if err := client.IgnoreAlreadyExists(c.Create(ctx, object)); err != nil {
			return fmt.Errorf("making a webhook token: %w", err)
		}
	}
	return nil
}
