// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package states compares the states that objects are really in with those that the samples for GitOps have, which
// test/gitops shows to Argo CD, Flux and kstatus.
package states

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// State is what kstatus and Argo CD see of an object.
type State struct {
	Kind, Reason                string
	Ready, Reconciling, Stalled bool
}

// kinds are those with a status.
var kinds = []string{"Institution", "CompletionPolicy", "SeatPool", "Grant", "CourseCompletion"}

// Of returns the state of an object, and whether it has one yet.
func Of(o *unstructured.Unstructured) (s State, ok bool) {
	s.Kind = o.GetKind()
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		holds := condition["status"] == "True"
		switch condition["type"] {
		case v1alpha1.ConditionReady:
			s.Ready, ok = holds, true
			s.Reason, _ = condition["reason"].(string)
		case v1alpha1.ConditionReconciling:
			s.Reconciling = holds
		case v1alpha1.ConditionStalled:
			s.Stalled = holds
		}
	}
	return s, ok
}

// Known returns the states of the samples.
func Known() (map[State]bool, error) {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(root, "config", "examples", "gitops", "argocd", "resource_customizations",
		v1alpha1.GroupName, "*", "testdata", "*.yaml"))
	if err == nil && len(files) == 0 {
		err = errors.New("the samples for GitOps have no states")
	}
	known := map[State]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &o.Object); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if s, ok := Of(o); ok {
			known[s] = true
		}
	}
	return known, err
}

// interval is how often an Observer looks: it need not see everything, and must not be in the way.
const interval = time.Second

// Observer looks at all objects from time to time.
type Observer struct {
	known  map[State]bool
	reader client.Reader
	mu     sync.Mutex
	// seen has an example of each state.
	seen map[State]string
}

// Observe looks at all objects until the context ends.
func Observe(ctx context.Context, reader client.Reader) (*Observer, error) {
	known, err := Known()
	if err != nil {
		return nil, err
	}
	o := &Observer{known: known, reader: reader, seen: map[State]string{}}
	go o.run(ctx)
	return o, nil
}

func (o *Observer) run(ctx context.Context) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			o.look(ctx)
		}
	}
}

func (o *Observer) look(ctx context.Context) {
	for _, kind := range kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
		// Tests take the API server and the kinds away. There is another look.
		if o.reader.List(ctx, list) != nil {
			continue
		}
		o.mu.Lock()
		for i := range list.Items {
			if s, ok := Of(&list.Items[i]); ok {
				o.seen[s] = list.Items[i].GetNamespace() + "/" + list.Items[i].GetName()
			}
		}
		o.mu.Unlock()
	}
}

// Unknown returns a line for each state that was seen and that no sample has, and how many were seen.
func (o *Observer) Unknown() (unknown []string, seen int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for s, example := range o.seen {
		if !o.known[s] {
			unknown = append(unknown, fmt.Sprintf("%+v, such as %s: add it to config/examples/gitops", s, example))
		}
	}
	slices.Sort(unknown)
	return unknown, len(o.seen)
}
