// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kube is what the loops do alike: status.go writes conditions and statuses, expectations.go waits for the
// cache, redact.go keeps personal data out of errors, printable.go out of harm's way what others wrote, queues.go,
// fanout.go and coalesced.go say who is looked at when, batched.go reads for many at once, and institutions.go says
// which Institution it is about.
package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
)

// SetConditions writes a verdict as kstatus reads it: Ready always, Reconciling and Stalled only where they are true.
func SetConditions(conditions *[]metav1.Condition, verdict condition.Verdict, generation int64, now time.Time) {
	set := func(kind string, holds bool) {
		status := metav1.ConditionFalse
		if holds {
			status = metav1.ConditionTrue
		}
		meta.SetStatusCondition(conditions, metav1.Condition{
			Type: kind, Status: status, Reason: verdict.Reason, Message: verdict.Message,
			ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now),
		})
	}
	set(v1alpha1.ConditionReady, verdict.Ready)
	for kind, holds := range map[string]bool{
		v1alpha1.ConditionReconciling: verdict.Reconciling, v1alpha1.ConditionStalled: verdict.Stalled,
	} {
		if holds {
			set(kind, true)
		} else {
			meta.RemoveStatusCondition(conditions, kind)
		}
	}
	slices.SortFunc(*conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
}

// PatchStatus writes the status of an object if it differs from what was read, and reports whether it did. The patch
// carries no resourceVersion unless the options say so: each status has one writer, which works it out anew each time.
// An object that is gone meanwhile is no error.
func PatchStatus(
	ctx context.Context, c client.Client, read, changed client.Object, options ...client.MergeFromOption,
) (bool, error) {
	tidy(changed)
	patch := client.MergeFrom(read)
	data, err := patch.Data(changed)
	if err != nil {
		return false, fmt.Errorf("compare the status: %w", err)
	}
	if string(data) == "{}" {
		return false, nil
	}
	ctx, cancel := toTell(ctx)
	defer cancel()
	err = c.Status().Patch(ctx, changed, client.MergeFromWithOptions(read, options...), apply.FieldOwner)
	return err == nil, client.IgnoreNotFound(err)
}

// ErrBehind says that the cache has yet to show the status of an object as it was written. What is compared with an
// older one may seem to need no write, or becomes a mixture of both.
var ErrBehind = errors.New("the cache has not caught up with the last write")

// tellTime is what is left to tell what became of an attempt that took all of its time.
const tellTime = 10 * time.Second

// toTell returns a context in which a status can still be written where that of the attempt has run out of time:
// without it, nobody would ever learn why something that hangs does not go on.
func toTell(ctx context.Context) (context.Context, context.CancelFunc) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	}
	return ctx, func() {}
}

// eventType returns how an event about a verdict is marked: as a warning where people have to do something.
func eventType(verdict condition.Verdict) string {
	switch verdict.Reason {
	case v1alpha1.ReasonConflict, v1alpha1.ReasonForbidden, v1alpha1.ReasonServiceAccountNotOptedIn,
		v1alpha1.ReasonKindUnknown, v1alpha1.ReasonPoolMissing, v1alpha1.ReasonAccessMissing,
		v1alpha1.ReasonNotAllowed, v1alpha1.ReasonPrefixOverlaps,
		v1alpha1.ReasonTokenShared, v1alpha1.ReasonTokenInvalid, v1alpha1.ReasonTokenNotFound,
		v1alpha1.ReasonProgressingWithRetry, v1alpha1.ReasonNotRevocable, v1alpha1.ReasonNamespaceLimit,
		v1alpha1.ReasonRevocationPaused:
		return corev1.EventTypeWarning
	}
	if verdict.Stalled {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}

// Emit tells of a verdict in an event.
func Emit(recorder events.EventRecorder, object runtime.Object, verdict condition.Verdict, action string) {
	recorder.Eventf(object, nil, eventType(verdict), verdict.Reason, action, "%s", verdict.Message)
}
