// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apifault"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// How often it is looked again whether a namespace that may not be deleted may be by now: nothing tells when people
// label it.
const (
	refusedInterval = 10 * time.Minute
	refusedJitter   = 0.2
)

// revokeNamespaces begins the revocation of the namespaces that a Grant's completion revokes, and deletes those that
// are due. How far that has come is in the condition RevocationsComplete. It returns when to look again.
func (r *Reconciler) revokeNamespaces(ctx context.Context, l *look) (time.Duration, error) {
	grant := l.Grant
	if !lifecycle.RevokesNow(grant) || len(grant.Spec.Revokes.Namespaces) == 0 {
		r.passed(l, v1alpha1.RevocationNamespaces)
		grant.Status.Revocations, grant.Status.RevocationsKnownAt = nil, nil
		meta.RemoveStatusCondition(&grant.Status.Conditions, v1alpha1.ConditionRevocationsComplete)
		return 0, nil
	}
	recorded := slices.Clone(grant.Status.Revocations)
	worst, err := r.startRevocations(ctx, l)
	if err != nil {
		return 0, err
	}
	after := r.afterProgress(worst)
	var failed error
	var untouched []string
	for _, started := range grant.Status.Revocations {
		facts := lifecycle.DeletionFacts{Grant: grant, Started: started, Now: l.Now,
			Recorded: slices.ContainsFunc(recorded, func(had v1alpha1.NamespaceRevocation) bool {
				return had.Name == started.Name && had.SendAt == started.SendAt
			})}
		progress, err := r.deleteRevoked(ctx, l.tenant, &facts)
		if err != nil {
			progress = lifecycle.Progress{Reason: v1alpha1.ReasonProgressingWithRetry,
				Message: started.Name + ": " + apifault.Describe(err)}
			failed = errors.Join(failed, err)
		}
		if progress.Reason == v1alpha1.ReasonNotRevocable {
			untouched = append(untouched, started.Name)
		}
		after, worst = kube.Sooner(after, r.afterProgress(progress)), lifecycle.Worse(worst, progress)
	}
	// What may not be deleted begins anew once it may.
	grant.Status.Revocations = slices.DeleteFunc(grant.Status.Revocations, func(s v1alpha1.NamespaceRevocation) bool {
		return slices.Contains(untouched, s.Name)
	})
	r.setRevocationsComplete(grant, worst)
	return after, failed
}

// startRevocations writes what begins into the status that is about to be written. It returns what is to be told of
// what does not begin.
func (r *Reconciler) startRevocations(ctx context.Context, l *look) (lifecycle.Progress, error) {
	facts := lifecycle.StartFacts{Grant: l.Grant, Beside: l.beside,
		Namespaces: map[string]lifecycle.NamespaceFacts{}, Now: l.Now}
	for {
		decision := lifecycle.DecideStart(facts)
		switch {
		case decision.Read != "":
			namespace, err := r.namespace(ctx, l.Grant, decision.Read)
			if err != nil {
				return lifecycle.Progress{}, err
			}
			facts.Namespaces[decision.Read] = namespace
		case decision.Ask != nil:
			admitted, err := r.admit(ctx, l, *decision.Ask)
			if err != nil {
				return lifecycle.Progress{}, err
			}
			facts.Admitted = &admitted
		default:
			if !decision.Waits {
				r.passed(l, v1alpha1.RevocationNamespaces)
			}
			l.Grant.Status.Revocations, l.Grant.Status.RevocationsKnownAt = decision.Revocations, decision.KnownAt
			return decision.Progress, nil
		}
	}
}

// deleteRevoked deletes a namespace whose revocation has begun, once everything that was read live says that it may go.
func (r *Reconciler) deleteRevoked(
	ctx context.Context, tenant *kube.Tenant, facts *lifecycle.DeletionFacts,
) (lifecycle.Progress, error) {
	for {
		action, progress := lifecycle.DecideDeletion(*facts)
		var err error
		switch action {
		case lifecycle.ReadNamespace:
			var namespace lifecycle.NamespaceFacts
			namespace, err = r.namespace(ctx, facts.Grant, facts.Started.Name)
			facts.Namespace = &namespace
		case lifecycle.ConfirmOwner:
			facts.Owner, err = r.confirm(ctx, facts.Namespace.Owner, tenant)
		case lifecycle.ConfirmRevoker:
			facts.Revoker, err = r.confirm(ctx, facts.Grant, tenant)
		case lifecycle.DeleteNamespace:
			return r.deleteNamespace(ctx, facts.Namespace.Object)
		default:
			return progress, nil
		}
		if err != nil {
			return progress, err
		}
	}
}

// deleteNamespace deletes a namespace if it is still as it was read.
func (r *Reconciler) deleteNamespace(
	ctx context.Context, namespace *metav1.PartialObjectMetadata,
) (lifecycle.Progress, error) {
	err := r.Client.Delete(ctx, namespace, client.Preconditions{
		UID: new(namespace.UID), ResourceVersion: new(namespace.ResourceVersion)})
	switch {
	case apierrors.IsNotFound(err):
		return lifecycle.Progress{}, nil
	case apierrors.IsConflict(err):
		return lifecycle.Progress{Reason: v1alpha1.ReasonTerminating, At: r.Clock.Now(),
			Message: fmt.Sprintf("namespace %s has changed in the meantime", namespace.Name)}, nil
	case err != nil:
		return lifecycle.Progress{}, fmt.Errorf("delete namespace %s: %w", namespace.Name, err)
	}
	return lifecycle.Deleting(namespace.Name), nil
}

// afterProgress returns when to look again at a namespace; zero if a watch will tell.
func (r *Reconciler) afterProgress(progress lifecycle.Progress) time.Duration {
	switch {
	case !progress.At.IsZero():
		return r.until(progress.At)
	case progress.Poll == lifecycle.PollSoon:
		return kube.MinWait
	case progress.Poll == lifecycle.PollSeldom:
		return wait.Jitter(refusedInterval, refusedJitter)
	}
	return 0
}

func (r *Reconciler) setRevocationsComplete(grant *v1alpha1.Grant, worst lifecycle.Progress) {
	status, reason, message := metav1.ConditionFalse, worst.Reason, worst.Message
	if worst.Gone() {
		status, reason, message = metav1.ConditionTrue, v1alpha1.ReasonNamespacesDeleted, "everything to be revoked is gone"
	}
	meta.SetStatusCondition(&grant.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionRevocationsComplete, Status: status, Reason: reason, Message: message,
		ObservedGeneration: grant.Generation, LastTransitionTime: metav1.NewTime(r.Clock.Now()),
	})
}
