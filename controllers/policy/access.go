// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// How often the rights of a policy's ServiceAccount are looked at: nothing tells when they change.
const (
	maxAccessWait  = 3 * time.Minute
	accessInterval = 10 * time.Minute
)

// access sets the condition AccessReady of a policy with objects, and returns when to look again; zero if never. What
// it cannot know beforehand, such as rights in a namespace that only rendering will name, it says nothing about.
func (r *Reconciler) access(
	ctx context.Context, policy *v1alpha1.CompletionPolicy, compiled *policies.Policy,
) (time.Duration, error) {
	conditions := &policy.Status.Conditions
	setNames(policy, compiled, r.Clock.Now())
	if compiled == nil || !compiled.Ready() || grantsNothing(policy) {
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionAccessReady)
		return 0, nil
	}
	told := metav1.Condition{
		Type: v1alpha1.ConditionAccessReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady,
		Message:            "everything that can be checked in advance is in place",
		ObservedGeneration: policy.Generation, LastTransitionTime: metav1.NewTime(r.Clock.Now()),
	}
	err := r.beforehand(ctx, policy, compiled)
	if err == nil && len(policy.Spec.Objects) > 0 {
		account := apply.Account{Namespace: policy.Namespace, Name: string(policy.Spec.ServiceAccountName)}
		err = r.missing(ctx, account, compiled.Objects())
	}
	lacking, ok := errors.AsType[*apply.AccountError](err)
	switch {
	case ok:
		told.Status, told.Reason, told.Message = metav1.ConditionFalse, lacking.Reason, lacking.Message
	case err != nil:
		return 0, err
	}
	meta.SetStatusCondition(conditions, told)
	if !ok {
		return accessInterval, nil
	}
	since := meta.FindStatusCondition(*conditions, v1alpha1.ConditionAccessReady).LastTransitionTime
	return kube.LookAgain(r.Clock.Since(since.Time), maxAccessWait), nil
}

func grantsNothing(policy *v1alpha1.CompletionPolicy) bool {
	return len(policy.Spec.Namespaces)+len(policy.Spec.Seats)+len(policy.Spec.Objects) == 0
}

// missing returns an AccountError that names everything that is known to be missing.
func (r *Reconciler) missing(
	ctx context.Context, account apply.Account, objects []policies.ObjectOutline,
) error {
	if err := r.Accounts.OptedIn(ctx, account); err != nil {
		return err
	}
	if err := r.Accounts.MayImpersonate(ctx, account); err != nil {
		return err
	}
	all := &apply.AccountError{}
	var messages []string
	for _, object := range objects {
		err := r.missingFor(ctx, account, object)
		lacking, ok := errors.AsType[*apply.AccountError](err)
		if !ok && err != nil {
			return err
		}
		if ok {
			if all.Reason == "" {
				all.Reason = lacking.Reason
			}
			messages = append(messages, object.Field+": "+lacking.Message)
		}
	}
	if len(messages) == 0 {
		return nil
	}
	all.Message = strings.Join(messages, "; ")
	return all
}

func (r *Reconciler) missingFor(
	ctx context.Context, account apply.Account, object policies.ObjectOutline,
) error {
	mapping, err := r.Accounts.Mapping(object.Kind)
	if err != nil {
		return err
	}
	namespaced := mapping.Scope.Name() == meta.RESTScopeNameNamespace
	where := "the cluster"
	switch {
	case namespaced && object.Place == policies.PlaceCluster:
		return &apply.AccountError{Reason: v1alpha1.ReasonRefused, Message: fmt.Sprintf(
			"%s is namespaced: set metadata.namespace", object.Kind.Kind)}
	case !namespaced && object.Place != policies.PlaceCluster:
		return &apply.AccountError{Reason: v1alpha1.ReasonRefused, Message: fmt.Sprintf(
			"%s is cluster-scoped: remove metadata.namespace", object.Kind.Kind)}
	case object.Place == policies.PlaceUnknown:
		return nil
	case object.Place == policies.PlaceFixed:
		where = "namespace " + object.Namespace
	case object.Place == policies.PlaceGranted:
		where = "the namespaces that the policy grants, which takes a ClusterRoleBinding, since they do not exist yet"
	}
	denied, err := r.Accounts.Denied(ctx, account, mapping.Resource, object.Namespace, object.Name)
	if err != nil || len(denied) == 0 {
		return err
	}
	return &apply.AccountError{Reason: v1alpha1.ReasonForbidden,
		Message: apply.DeniedMessage(account, denied, mapping.Resource, where)}
}

// tellBeforehand emits events when something has come to be missing, or to be shared.
func (r *Reconciler) tellBeforehand(policy, before *v1alpha1.CompletionPolicy) {
	for kind, action := range map[string]string{
		v1alpha1.ConditionAccessReady: "CheckAccess", v1alpha1.ConditionNamesDistinct: "CheckNames",
	} {
		is := meta.FindStatusCondition(policy.Status.Conditions, kind)
		earlier := meta.FindStatusCondition(before.Status.Conditions, kind)
		if is == nil || is.Status == metav1.ConditionTrue ||
			earlier != nil && earlier.Reason == is.Reason {
			continue
		}
		lacking := condition.Verdict{Stalled: true, Reason: is.Reason, Message: is.Message}
		kube.Emit(r.Recorder, policy, lacking, action)
	}
}

// setNames sets the condition NamesDistinct of a policy that grants namespaces or objects.
func setNames(policy *v1alpha1.CompletionPolicy, compiled *policies.Policy, now time.Time) {
	if compiled == nil || !compiled.Ready() || len(policy.Spec.Namespaces)+len(policy.Spec.Objects) == 0 {
		meta.RemoveStatusCondition(&policy.Status.Conditions, v1alpha1.ConditionNamesDistinct)
		return
	}
	told := metav1.Condition{
		Type: v1alpha1.ConditionNamesDistinct, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonNamesDistinct,
		Message:            "every grant has its own names",
		ObservedGeneration: policy.Generation, LastTransitionTime: metav1.NewTime(now),
	}
	ofUsers, ofCompletions := compiled.SharedNames()
	switch {
	case len(ofUsers) > 0:
		told.Status, told.Reason = metav1.ConditionFalse, v1alpha1.ReasonSharedByUsers
		told.Message = policies.MessageOf(ofUsers)
	case len(ofCompletions) > 0:
		told.Status, told.Reason = metav1.ConditionFalse, v1alpha1.ReasonSharedByCompletions
		told.Message = policies.MessageOf(ofCompletions)
	}
	meta.SetStatusCondition(&policy.Status.Conditions, told)
}
