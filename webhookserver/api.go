// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/informers"
)

// apiConnection is how the API is reached. Nothing has to be asked for to make one, so it can be made while the API is
// away.
type apiConnection struct {
	config *rest.Config
	http   *http.Client
	scheme *runtime.Scheme
	mapper meta.RESTMapper
}

func newAPIConnection(config *rest.Config) (*apiConnection, error) {
	config = rest.CopyConfig(config)
	// The API server's priority and fairness knows how much it can take; a limit of the client's own would hold
	// deliveries back, by default at five a second, while senders wait.
	config.QPS = -1
	// Warnings of the API server may quote what was sent.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the API types: %w", err)
	}
	// The kinds are known, so nothing has to be discovered.
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{v1alpha1.GroupVersion})
	mapper.Add(v1alpha1.GroupVersion.WithKind("Institution"), meta.RESTScopeNamespace)
	mapper.Add(v1alpha1.GroupVersion.WithKind("CourseCompletion"), meta.RESTScopeNamespace)
	mapper.Add(v1alpha1.GroupVersion.WithKind("ErasureRegister"), meta.RESTScopeNamespace)
	return &apiConnection{config: config, http: httpClient, scheme: scheme, mapper: mapper}, nil
}

// completions returns the client for CourseCompletions, which asks the API once and tells what it said.
func (c *apiConnection) completions() (client.Client, error) {
	once := *c.http
	if once.Transport == nil {
		once.Transport = http.DefaultTransport
	}
	once.Transport = unrepeated{next: once.Transport}
	direct, err := client.New(c.config, client.Options{HTTPClient: &once, Scheme: c.scheme, Mapper: c.mapper})
	if err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	// Strict: where the installed CRD is older than this program, it must not quietly lose a field.
	return client.WithFieldOwner(client.WithFieldValidation(direct, metav1.FieldValidationStrict), fieldOwner), nil
}

// watched are the informers of a cache.
type watched struct{ institutions, erasures cache.Informer }

// watch returns a cache of Institutions and ErasureRegisters and its informers, which the keeper keeps.
func (c *apiConnection) watch(ctx context.Context, keeper *informers.Keeper) (cache.Cache, watched, error) {
	var made watched
	cached, err := cache.New(c.config, keeper.Options(cache.Options{
		HTTPClient:       c.http,
		Scheme:           c.scheme,
		Mapper:           c.mapper,
		DefaultTransform: cache.TransformStripManagedFields(),
	}))
	if err != nil {
		return nil, made, fmt.Errorf("preparing the cache of institutions: %w", err)
	}
	if err := cached.IndexField(ctx, &v1alpha1.Institution{}, indexAcceptedDigest, acceptedDigests); err != nil {
		return nil, made, fmt.Errorf("indexing the institutions: %w", err)
	}
	made.institutions, err = cached.GetInformer(ctx, &v1alpha1.Institution{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, made, fmt.Errorf("preparing the informer of institutions: %w", err)
	}
	made.erasures, err = cached.GetInformer(ctx, &v1alpha1.ErasureRegister{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, made, fmt.Errorf("preparing the informer of the registers of erasures: %w", err)
	}
	return cached, made, nil
}
