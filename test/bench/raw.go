// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// rawClient is client-go's own typed client for our kinds: JSON, as for every custom resource, no limit of its own, and
// the rights of the webhook server.
func (w *world) rawClient() (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	config := rest.CopyConfig(w.account)
	config.APIPath = "/apis"
	config.GroupVersion = &v1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	return rest.RESTClientFor(config)
}

// samples returns n objects as the webhook server stored them, ready to be created once more elsewhere.
func (w *world) samples(ctx context.Context, n int) ([]v1alpha1.CourseCompletion, error) {
	stored, err := sender.Stored(ctx, w.admin, w.school.ID, w.school.Namespace)
	if err != nil {
		return nil, err
	}
	if len(stored) < n {
		return nil, fmt.Errorf("%d completions are stored, need %d to copy", len(stored), n)
	}
	for i := range stored {
		stored[i].ObjectMeta = metav1.ObjectMeta{Name: stored[i].Name, Labels: stored[i].Labels}
		stored[i].Status = v1alpha1.CourseCompletionStatus{}
	}
	return stored[:n], nil
}

// createRaw creates the objects in a namespace of their own, as many at a time as there are connections, and returns
// how many a second that were.
func (w *world) createRaw(ctx context.Context, objects []v1alpha1.CourseCompletion) (float64, error) {
	raw, err := w.rawClient()
	if err != nil {
		return 0, err
	}
	w.references++
	namespace := fmt.Sprintf("reference-%d", w.references)
	// The webhook server may record in the namespaces of an institution only.
	if err := w.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Annotations: map[string]string{v1alpha1.AnnotationInstitutionID: w.school.ID.String()},
	}}); err != nil {
		return 0, err
	}
	var turn atomic.Int64
	failures := make([]error, connections)
	var creating sync.WaitGroup
	began := time.Now()
	for worker := range connections {
		creating.Go(func() {
			for failures[worker] == nil {
				i := turn.Add(1) - 1
				if i >= int64(len(objects)) {
					return
				}
				failures[worker] = raw.Post().Namespace(namespace).Resource("coursecompletions").
					Body(objects[i].DeepCopy()).Do(ctx).Into(&v1alpha1.CourseCompletion{})
			}
		})
	}
	creating.Wait()
	took := time.Since(began)
	return float64(len(objects)) / took.Seconds(), errors.Join(failures...)
}
