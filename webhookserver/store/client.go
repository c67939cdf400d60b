// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Connection is how the API is reached. Nothing has to be asked for to make one, so it can be made while the API is
// away.
type Connection struct {
	Config *rest.Config
	HTTP   *http.Client
	Scheme *runtime.Scheme
	Mapper meta.RESTMapper
}

// Connect returns a Connection with the rights of a configuration.
func Connect(config *rest.Config) (*Connection, error) {
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
	return &Connection{Config: config, HTTP: httpClient, Scheme: scheme, Mapper: mapper}, nil
}

// Completions returns the client for CourseCompletions, which asks the API once and tells what it said.
func (c *Connection) Completions() (client.Client, error) {
	once := *c.HTTP
	if once.Transport == nil {
		once.Transport = http.DefaultTransport
	}
	once.Transport = unrepeated{next: once.Transport}
	direct, err := client.New(c.Config, client.Options{HTTPClient: &once, Scheme: c.Scheme, Mapper: c.Mapper})
	if err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	// Strict: where the installed CRD is older than this program, it must not quietly lose a field.
	return client.WithFieldOwner(client.WithFieldValidation(direct, metav1.FieldValidationStrict), fieldOwner), nil
}
