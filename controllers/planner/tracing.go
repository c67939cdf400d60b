// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planner

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/internal/order"
	"github.com/lxp-dev/course-completion-operator/internal/tracing"
)

// traced continues the traces of the deliveries that a person is planned for. What is planned for another reason, or
// for deliveries that nobody traces, makes no span.
type traced struct {
	planner *Reconciler
	tracer  trace.Tracer
}

// traced returns the loop, with traces if somebody wants them.
func (r *Reconciler) traced() reconcile.TypedReconciler[memory.Person] {
	if r.Tracing == nil {
		return r
	}
	return traced{planner: r, tracer: r.Tracing.Tracer("planner")}
}

// Reconcile plans one person.
func (t traced) Reconcile(ctx context.Context, person memory.Person) (reconcile.Result, error) {
	deliveries := t.deliveries(ctx, person)
	if len(deliveries) == 0 {
		return t.planner.Reconcile(ctx, person)
	}
	// The newest delivery is why this happens now; the trace of each other one leads here by a link.
	newest := deliveries[len(deliveries)-1]
	var links []trace.Link
	for _, older := range deliveries[:len(deliveries)-1] {
		links = append(links, trace.Link{SpanContext: older.context, Attributes: []attribute.KeyValue{older.id}})
	}
	ctx, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, newest.context), "plan",
		trace.WithLinks(links...), trace.WithAttributes(newest.id,
			attribute.Int64("completion.institution_id", int64(person.InstitutionID))))
	defer span.End()
	result, err := t.planner.Reconcile(ctx, person)
	if err != nil {
		// The error itself may quote what it is about.
		span.SetStatus(codes.Error, "will be retried")
	}
	return result, err
}

// delivery is what is traced of a completion.
type delivery struct {
	key     order.Key
	context trace.SpanContext
	id      attribute.KeyValue
}

// deliveries returns those of a person that nothing was said of yet, in their order.
func (t traced) deliveries(ctx context.Context, person memory.Person) []delivery {
	var completions v1alpha1.CourseCompletionList
	holder := client.MatchingFields{index.Holder: index.HolderKey(person.InstitutionID, person.UserID)}
	if err := t.planner.Client.List(ctx, &completions, client.InNamespace(person.Namespace), holder); err != nil {
		return nil
	}
	var found []delivery
	for i := range completions.Items {
		completion := &completions.Items[i]
		parent := tracing.Parse(completion.Spec.Delivery.Traceparent)
		if completion.Status.ObservedGeneration == completion.Generation || !parent.IsSampled() {
			continue
		}
		found = append(found, delivery{
			key: order.Of(&completion.Spec), context: parent,
			id: attribute.String("completion.delivery_id", completion.Spec.Delivery.ID),
		})
	}
	slices.SortFunc(found, func(a, b delivery) int { return order.Compare(a.key, b.key) })
	return found
}
