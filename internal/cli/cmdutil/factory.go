// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cmdutil has what the commands of the plugin share: the connection to a cluster, the flags and formats that
// kubectl has, paged lists, questions, and errors that say which role is missing.
package cmdutil

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Requests a second, as kubectl: the API server has its own fairness.
const (
	qps   = 50
	burst = 300
)

// Scheme knows the kinds that commands read and write.
var Scheme = newScheme()

func newScheme() *runtime.Scheme {
	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme, v1alpha1.AddToScheme, apiextensionsv1.AddToScheme,
	} {
		if err := add(kinds); err != nil {
			panic(err)
		}
	}
	return kinds
}

// Factory gives a command what it works with. All commands share one.
type Factory struct {
	genericiooptions.IOStreams
	// Flags are those by which kubectl finds a cluster, a user and a namespace.
	Flags *genericclioptions.ConfigFlags
	Clock clock.PassiveClock
}

// NewFactory returns a factory whose flags are not parsed yet.
func NewFactory(streams genericiooptions.IOStreams) *Factory {
	flags := genericclioptions.NewConfigFlags(true).WithDeprecatedPasswordFlag().
		WithDiscoveryBurst(burst).WithDiscoveryQPS(qps)
	return &Factory{IOStreams: streams, Flags: flags, Clock: clock.RealClock{}}
}

// Client returns a client without a cache for the built-in kinds and those of the operator.
func (f *Factory) Client() (client.WithWatch, error) {
	config, err := f.Flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	config.QPS, config.Burst = qps, burst
	config.UserAgent = "kubectl-course"
	c, err := client.NewWithWatch(config, client.Options{Scheme: Scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return c, nil
}

// Namespace returns the namespace of --namespace, or else that of the context.
func (f *Factory) Namespace() (string, error) {
	namespace, _, err := f.Flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", fmt.Errorf("find the namespace: %w", err)
	}
	return namespace, nil
}

// Now is the time.
func (f *Factory) Now() time.Time { return f.Clock.Now() }

// Scope is where a command looks: in one namespace, or in all.
type Scope struct{ All bool }

// AddFlags adds --all-namespaces.
func (s *Scope) AddFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&s.All, "all-namespaces", "A", false, "List across all namespaces.")
}

// In returns the namespace to look in; empty for all.
func (s *Scope) In(f *Factory) (string, error) {
	if s.All {
		return "", nil
	}
	return f.Namespace()
}
