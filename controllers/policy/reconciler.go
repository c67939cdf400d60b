// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package policy is the loop of CompletionPolicies: it says of each whether it works, and what stands in its way.
package policy

import (
	"context"
	"fmt"

	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/controllers/compiler"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/informers"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// Reconciler says of a policy whether it can be used, and if not which field, expression and column is
// wrong.
type Reconciler struct {
	Client   client.Client
	Compiler *compiler.Reconciler
	Recorder events.EventRecorder
	Clock    clock.PassiveClock
	Accounts *apply.Accounts

	// written are the statuses that the cache has yet to show: all that this loop remembers. What is compiled is the
	// compiler's.
	written kube.Expectations
}

// SetupWithManager registers the loop.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("completionpolicy").
		For(&v1alpha1.CompletionPolicy{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// What a policy may use of a delivery depends on the privacy of its institution.
		Watches(&v1alpha1.Institution{}, &kube.FanOut[reconcile.Request]{Requests: r.policiesBeside},
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Grant{}, kube.Coalesced(policyOfGrant), builder.WithPredicates(phaseChanged)).
		WatchesRawSource(r.Compiler.Compiled.Source()).
		WithOptions(kube.Fairly(mgr, kube.SideWorkers, kube.OneWorker, kube.NamespaceOf)).
		Complete(kube.Redact(r))
}

func (r *Reconciler) policiesBeside(ctx context.Context, object client.Object) []reconcile.Request {
	var list v1alpha1.CompletionPolicyList
	if err := r.Client.List(ctx, &list, client.InNamespace(object.GetNamespace())); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list policies")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}

// Reconcile compiles the policy for every institution of its namespace and says what is wrong with it.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	policy := &v1alpha1.CompletionPolicy{}
	if err := r.Client.Get(ctx, req.NamespacedName, policy); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.written.Forget(req.NamespacedName)
			r.Compiler.Forget(req.NamespacedName)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	var institutions v1alpha1.InstitutionList
	if err := r.Client.List(ctx, &institutions, client.InNamespace(policy.Namespace)); err != nil {
		return reconcile.Result{}, fmt.Errorf("list institutions: %w", err)
	}
	verdict, compiled, ready := r.verdict(policy, institutions.Items)
	if !ready {
		// The compiler sets off another look.
		return reconcile.Result{}, nil
	}
	counts, err := kube.CountGrants(ctx, r.Client, func(*v1alpha1.Grant) bool { return true },
		client.InNamespace(policy.Namespace), client.MatchingFields{index.Policy: policy.Name})
	if err != nil {
		return reconcile.Result{}, err
	}
	before := policy.DeepCopy()
	policy.Status.ObservedGeneration = policy.Generation
	policy.Status.Grants = counts
	after, err := r.access(ctx, policy, compiled)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("check the permissions of the ServiceAccount: %w", err)
	}
	kube.SetConditions(&policy.Status.Conditions, verdict, policy.Generation, r.Clock.Now())
	changed, err := r.written.PatchStatus(ctx, r.Client, before, policy)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("write the status: %w", err)
	}
	if changed && kube.ReadyReason(before.Status.Conditions) != verdict.Reason {
		kube.Emit(r.Recorder, policy, verdict, "Compile")
	}
	if changed {
		r.tellBeforehand(policy, before)
	}
	return reconcile.Result{RequeueAfter: after}, nil
}

// verdict says whether the policy works, and returns it compiled; nothing where it is not compiled yet.
func (r *Reconciler) verdict(
	policy *v1alpha1.CompletionPolicy, institutions []v1alpha1.Institution,
) (verdict condition.Verdict, compiled *policies.Policy, ready bool) {
	if len(institutions) == 0 {
		return condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonInstitutionMissing,
			Message: "there is no Institution in this namespace: a policy must be in the namespace of one"}, nil, true
	}
	if why := informers.WhyUndecodable(policy); why != "" {
		return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonInvalidPolicy,
			Message: "the policy cannot be decoded and grants nothing until it is corrected: " + why}, nil, true
	}
	for i := range institutions {
		if compiled, ready = r.Compiler.Policy(policy, institutions[i].Spec.Privacy); !ready {
			return condition.Verdict{}, nil, false
		}
		if !compiled.Ready() {
			return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonInvalidPolicy,
				Message: compiled.Message()}, compiled, true
		}
		if misplaced := compiled.Misplaced(institutions[i].Spec.NamespacePrefix); len(misplaced) > 0 {
			return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonInvalidPolicy,
					Message: policies.MessageOf(misplaced)}, nil,
				true
		}
	}
	if policy.Spec.Suspended() {
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonSuspended,
			Message: "the policy is suspended and grants nothing"}, compiled, true
	}
	return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady,
		Message: "all expressions are valid"}, compiled, true
}

// phaseChanged passes what changes the counts.
var phaseChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, isGrant := e.ObjectOld.(*v1alpha1.Grant)
		after, _ := e.ObjectNew.(*v1alpha1.Grant)
		return !isGrant || before.Status.Phase != after.Status.Phase
	},
}

// policyOfGrant returns the policy that a Grant comes from.
func policyOfGrant(object client.Object) []reconcile.Request {
	grant, ok := object.(*v1alpha1.Grant)
	if !ok || !grant.Planned() {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{
		Namespace: grant.Namespace, Name: string(grant.Spec.Policy)}}}
}
