// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// openTimeout bounds how long an Institution takes until every webhook server accepts its token.
const openTimeout = 5 * time.Minute

// Institution is one that was made as a platform team makes it, in a namespace of its own.
type Institution struct {
	ID        v1alpha1.PlatformID
	Namespace string
	// URLs are its webhook URLs, one for each replica. They hold the token.
	URLs []string
}

// InstitutionNamespace is a namespace that allows an Institution with an id and a prefix, to be created.
func InstitutionNamespace(name string, id v1alpha1.PlatformID, prefix string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{
		v1alpha1.AnnotationInstitutionID:   id.String(),
		v1alpha1.AnnotationNamespacePrefix: prefix,
	}}}
}

// OpenInstitution makes an Institution and waits until every webhook server takes its deliveries, for which the
// controller-manager has to run.
func (s *System) OpenInstitution(
	ctx context.Context, admin client.Client, id v1alpha1.PlatformID, change ...func(*v1alpha1.InstitutionSpec),
) (*Institution, error) {
	namespace := fmt.Sprintf("institution-%d", id)
	token := rand.Text() + rand.Text()
	spec := v1alpha1.InstitutionSpec{
		ID: id, NamespacePrefix: fmt.Sprintf("i%d-", id),
		Authentication: v1alpha1.AuthenticationSpec{
			TokenSecretRefs: []v1alpha1.TokenSecretReference{{Name: "token"}},
		},
		// What is measured is how much can be taken.
		Limits: v1alpha1.LimitsSpec{DeliveriesPerSecond: 100_000, Burst: 1_000_000},
	}
	for _, apply := range change {
		apply(&spec)
	}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	for _, object := range []client.Object{
		InstitutionNamespace(namespace, id, spec.NamespacePrefix),
		&rbacv1.RoleBinding{
			ObjectMeta: named("completion-institution"),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "completion-institution"},
			Subjects: []rbacv1.Subject{
				{Kind: rbacv1.ServiceAccountKind, Name: "completion-controller-manager", Namespace: Namespace},
			},
		},
		&corev1.Secret{
			ObjectMeta: named("token"), Type: v1alpha1.SecretTypeWebhookToken,
			StringData: map[string]string{v1alpha1.SecretKeyToken: token},
		},
		&v1alpha1.Institution{ObjectMeta: named("institution"), Spec: spec},
	} {
		if err := admin.Create(ctx, object); err != nil {
			return nil, fmt.Errorf("making institution %d: %w", id, err)
		}
	}
	i := &Institution{ID: id, Namespace: namespace}
	for _, replica := range s.Replicas {
		url := fmt.Sprintf("%s/webhooks/%d/%s", replica.URL, id, token)
		if err := WaitFor(ctx, openTimeout, func(ctx context.Context) error { return checkURL(ctx, url) }); err != nil {
			return nil, fmt.Errorf("institution %d is not known to %s: %w", id, replica.Name, err)
		}
		i.URLs = append(i.URLs, url)
	}
	return i, nil
}

// checkURL asks a webhook server whether it knows a token. Its errors hold no URL.
func checkURL(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("the webhook URL is not one")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the webhook server cannot be reached")
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("its token is answered %s", response.Status)
	}
	return nil
}
