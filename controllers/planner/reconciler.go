// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package planner is the loop of persons: it turns what somebody completed into Grants, and tells each completion what
// came of it. What to do is decided by package plan.
package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/controllers/compiler"
	"github.com/lxp-dev/course-completion-operator/internal/apifault"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// Reconciler turns what a person completed into the person's Grants, and tells each completion what came of it.
// What to do is decided by package plan.
type Reconciler struct {
	Client client.Client
	// Live confirms what the cache does not show before an entitlement ends.
	Live     client.Reader
	Compiler *compiler.Reconciler
	Recorder events.EventRecorder
	Clock    clock.PassiveClock

	Plans    *memory.Plans
	Witness  *memory.Witness
	Backlog  *memory.Backlog
	Patience memory.Patience
	// Tracing is nil where nothing is traced.
	Tracing trace.TracerProvider

	ownMemory
}

// Reconcile gathers, plans, writes the Grants, and then the statuses.
func (r *Reconciler) Reconcile(ctx context.Context, person memory.Person) (reconcile.Result, error) {
	written := false
	result, err := r.plan(ctx, person, &written)
	if err == nil && !written {
		// The cache has all of the person's Grants, so that pools see them.
		r.Backlog.Done(person)
	}
	return result, err
}

func (r *Reconciler) plan(ctx context.Context, person memory.Person, written *bool) (reconcile.Result, error) {
	gathered, err := r.gather(ctx, person)
	if err != nil {
		return reconcile.Result{}, err
	}
	tenant, err := kube.InstitutionOf(ctx, r.Client, person.Namespace, person.InstitutionID)
	if errors.Is(err, kube.ErrNotLookedAt) {
		return reconcile.Result{}, nil
	}
	if problem, ok := errors.AsType[*kube.InstitutionProblem](err); ok {
		return reconcile.Result{}, r.tellAll(ctx, gathered, condition.Verdict{
			Reconciling: true, Reason: problem.Reason, Message: problem.Message})
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	if tenant.Suspended() {
		return reconcile.Result{}, r.tellAll(ctx, gathered, condition.Verdict{
			Reconciling: true, Reason: v1alpha1.ReasonSuspended, Message: "the institution is suspended"})
	}
	sources, err := r.policies(ctx, tenant)
	if err != nil {
		return reconcile.Result{}, err
	}
	absent, err := r.absentees(ctx, tenant, gathered, sources)
	if err != nil {
		return reconcile.Result{}, err
	}
	gathered.Gone, gathered.Awaited = absent.gone, absent.awaited
	var pending bool
	gathered.Policies, pending = r.Compiler.Policies(person, undelivered(gathered), sources, tenant.Spec.Privacy)
	gathered.Prefix, gathered.Zone = tenant.Spec.NamespacePrefix, tenant.Zone
	gathered.Retention = time.Duration(tenant.Spec.RetentionDays) * 24 * time.Hour
	planned := plan.For(*gathered)
	// Who waits for a policy is not planned yet.
	*written = pending || slices.ContainsFunc(planned.Grants, func(p plan.Planned) bool { return p.Changed() })
	refused, err := r.writeGrants(ctx, person, planned.Grants)
	if apierrors.IsConflict(err) {
		// It was planned on an outdated view. The cache catches up within moments.
		return reconcile.Result{RequeueAfter: kube.StaleInterval}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	r.note(person, tenant, planned.Grants, sources, gathered.Policies, refused)
	r.warn(sources, planned.Faults)
	if pending {
		// What came of it is told when it is planned again, with what is being compiled.
		return reconcile.Result{}, nil
	}
	result, err := r.report(ctx, person, gathered, planned, refused)
	result = r.next(result, gathered, planned)
	result.RequeueAfter = kube.Sooner(result.RequeueAfter, absent.after)
	return result, errors.Join(err, r.expire(ctx, tenant, planned))
}

// gather reads the person's completions and Grants.
func (r *Reconciler) gather(ctx context.Context, person memory.Person) (*plan.Person, error) {
	holder := client.MatchingFields{index.Holder: index.HolderKey(person.InstitutionID, person.UserID)}
	var completions v1alpha1.CourseCompletionList
	if err := r.Client.List(ctx, &completions, client.InNamespace(person.Namespace), holder); err != nil {
		return nil, fmt.Errorf("list completions: %w", err)
	}
	var grants v1alpha1.GrantList
	err := r.Client.List(ctx, &grants, client.InNamespace(person.Namespace),
		client.MatchingFields{index.GrantHolder: index.HolderKey(person.InstitutionID, person.UserID)})
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	gathered := &plan.Person{
		Holder:      v1alpha1.GrantHolder{InstitutionID: person.InstitutionID, UserID: person.UserID},
		Completions: completions.Items,
		Now:         r.Clock.Now(),
	}
	for _, grant := range grants.Items {
		if grant.Planned() {
			gathered.Grants = append(gathered.Grants, grant)
		} else {
			gathered.Handmade = append(gathered.Handmade, grant)
		}
	}
	return gathered, nil
}

func (r *Reconciler) policies(ctx context.Context, tenant *kube.Tenant) ([]v1alpha1.CompletionPolicy, error) {
	var list v1alpha1.CompletionPolicyList
	if err := r.Client.List(ctx, &list, client.InNamespace(tenant.Namespace)); err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	return list.Items, nil
}

// undelivered reports whether something was delivered of which nothing has been said yet.
func undelivered(gathered *plan.Person) bool {
	return slices.ContainsFunc(gathered.Completions, func(c v1alpha1.CourseCompletion) bool {
		return c.Status.ObservedGeneration != c.Generation
	})
}

// note notes what the person's Grants were planned with, but for those of policies that are not compiled yet. Of what
// was refused nothing is noted, so that no data is deleted by an end that the plan may have moved.
func (r *Reconciler) note(
	person memory.Person, tenant *kube.Tenant, grants []plan.Planned, sources []v1alpha1.CompletionPolicy,
	compiled []*policies.Policy, refused map[string]string,
) {
	for i := range grants {
		if refused[grants[i].Name] != "" {
			r.Plans.Forget(client.ObjectKey{Namespace: person.Namespace, Name: grants[i].Name})
			continue
		}
		var policy *v1alpha1.CompletionPolicy
		pending := false
		for j := range sources {
			if sources[j].Name == string(grants[i].Spec.Policy) {
				policy, pending = &sources[j], compiled[j].Pending()
			}
		}
		if pending {
			continue
		}
		r.Plans.Note(client.ObjectKey{Namespace: person.Namespace, Name: grants[i].Name},
			memory.BasisOf(tenant.Institution, policy))
	}
}

// warn tells the authors of policies of expressions that fail on completions which are not told so themselves. A
// thousand completions make one event.
func (r *Reconciler) warn(sources []v1alpha1.CompletionPolicy, faults []plan.PolicyFault) {
	for _, fault := range faults {
		for i := range sources {
			if sources[i].Name == fault.Policy {
				kube.Emit(r.Recorder, &sources[i], condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonPolicyFailed,
					Message: fmt.Sprintf("on completion %s: %v", fault.Completion, fault.Err)}, "Match")
			}
		}
	}
}

// writeGrants writes the Grants that differ from what is planned. It returns what the API server refuses for good, by
// the name of the Grant.
func (r *Reconciler) writeGrants(
	ctx context.Context, person memory.Person, grants []plan.Planned,
) (map[string]string, error) {
	refused := map[string]string{}
	var failed []error
	var outdated error
	for i := range grants {
		planned := &grants[i]
		if !planned.Changed() || planned.Existing != nil && !planned.Existing.DeletionTimestamp.IsZero() {
			continue
		}
		err := r.writeGrant(ctx, person, planned)
		switch {
		case err == nil:
			ctrl.LoggerFrom(ctx).Info("Planned grant", "grant", planned.Name, "new", planned.Existing == nil)
		case apierrors.IsConflict(err):
			outdated = err
		case apierrors.IsAlreadyExists(err):
			if refused[planned.Name], err = r.inTheWay(ctx, person, planned); err != nil {
				failed = append(failed, err)
			}
			if refused[planned.Name] == "" {
				delete(refused, planned.Name)
				outdated = apierrors.NewConflict(schema.GroupResource{}, planned.Name, nil)
			}
		case apierrors.IsInvalid(err):
			refused[planned.Name] = apifault.Describe(err)
			if err := r.writeEnds(ctx, person, planned); apierrors.IsConflict(err) {
				outdated = err
			} else if err != nil {
				failed = append(failed, err)
			}
		default:
			failed = append(failed, fmt.Errorf("apply grant %s: %w", planned.Name, err))
		}
	}
	if len(failed) == 0 && outdated != nil {
		return refused, outdated
	}
	return refused, errors.Join(failed...)
}

// writeEnds writes what can be written of a Grant whose rendering the API server refuses, so that an end which the
// completions moved holds.
func (r *Reconciler) writeEnds(ctx context.Context, person memory.Person, planned *plan.Planned) error {
	ends := planned.Ends()
	if ends == nil {
		return nil
	}
	err := r.writeGrant(ctx, person, ends)
	if err != nil && !apierrors.IsInvalid(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("write the end of grant %s: %w", planned.Name, err)
	}
	if apierrors.IsInvalid(err) {
		ctrl.LoggerFrom(ctx).Error(nil, "API server rejected the end of a grant, an older end may apply",
			"grant", planned.Name, "reason", apifault.Describe(err))
		return nil
	}
	return err
}

// inTheWay says what has the name of a planned Grant, if it is not that Grant, which the cache has yet to show.
func (r *Reconciler) inTheWay(ctx context.Context, person memory.Person, planned *plan.Planned) (string, error) {
	var there v1alpha1.Grant
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: person.Namespace, Name: planned.Name}, &there)
	if err != nil {
		return "", client.IgnoreNotFound(err)
	}
	if there.Spec.Policy == planned.Spec.Policy && there.Spec.Holder == planned.Spec.Holder {
		return "", nil
	}
	return "a Grant with this name was made by hand: delete it and create it again under another name", nil
}

// writeGrant writes what is planned of a Grant, if it still is as it was when it was planned: a Grant that is new to
// the cache, or was changed meanwhile, yields a conflict, and is planned again. It does not apply: that would leave
// standing what somebody else added to a list of the spec. The override stays as it is.
func (r *Reconciler) writeGrant(ctx context.Context, person memory.Person, planned *plan.Planned) error {
	grant := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: person.Namespace, Name: planned.Name}}
	if planned.Existing != nil {
		grant = planned.Existing.DeepCopy()
	}
	override := grant.Spec.Override
	grant.Spec = *planned.Spec.DeepCopy()
	grant.Spec.Override = override
	controllerutil.AddFinalizer(grant, v1alpha1.FinalizerGrant)
	metav1.SetMetaDataLabel(&grant.ObjectMeta, v1alpha1.LabelInstitutionID, person.InstitutionID.String())
	metav1.SetMetaDataLabel(&grant.ObjectMeta, v1alpha1.LabelUserID, person.UserID.String())
	metav1.SetMetaDataLabel(&grant.ObjectMeta, v1alpha1.LabelPolicy, string(planned.Spec.Policy))
	if planned.Existing == nil {
		return r.Witness.MakeGrant(grant, func() error { return r.Client.Create(ctx, grant, apply.FieldOwner) })
	}
	patch := client.MergeFromWithOptions(planned.Existing, client.MergeFromWithOptimisticLock{})
	return r.Client.Patch(ctx, grant, patch, apply.FieldOwner)
}

// report writes the statuses of the person's completions, each once its Grants have settled or have had the time to.
func (r *Reconciler) report(
	ctx context.Context, person memory.Person, gathered *plan.Person, planned plan.Plan, refused map[string]string,
) (reconcile.Result, error) {
	next, failed := time.Duration(0), []error(nil)
	for i := range planned.Completions {
		planned.Completions[i].Refuse(refused)
	}
	left := r.waits(person, planned.Completions)
	r.look(person, gathered, planned, left)
	for i, completion := range planned.Completions {
		if wait := left[completion.Name]; wait > 0 {
			next = kube.Sooner(next, wait)
			continue
		}
		written, err := r.tell(ctx, &gathered.Completions[i], completion)
		says := func(name v1alpha1.LocalName) bool { return refused[string(name)] != "" }
		if written && slices.ContainsFunc(completion.Grants, says) {
			kube.Emit(r.Recorder, &gathered.Completions[i], completion.Verdict, "Plan")
		}
		failed = append(failed, err)
	}
	if len(refused) > 0 {
		// What is in the way belongs to others, and nothing tells when it has gone.
		next = kube.Sooner(next, kube.MaxWait)
	}
	return reconcile.Result{RequeueAfter: next}, errors.Join(failed...)
}

// look has pools know whose completions have been planned, though their status waits, once the cache has all their
// Grants.
func (r *Reconciler) look(person memory.Person, gathered *plan.Person, planned plan.Plan,
	left map[string]time.Duration) {
	if slices.ContainsFunc(planned.Grants, func(p plan.Planned) bool { return p.Changed() }) {
		return
	}
	looked := map[string]int64{}
	for i := range gathered.Completions {
		if completion := &gathered.Completions[i]; left[completion.Name] > 0 {
			looked[completion.Name] = completion.Generation
		}
	}
	r.Backlog.Look(person, looked)
}

// waits returns how much longer the statuses of a person's completions wait for the Grants, by name.
func (r *Reconciler) waits(person memory.Person, completions []plan.CompletionPlan) map[string]time.Duration {
	now, left := r.Clock.Now(), map[string]time.Duration{}
	for _, completion := range completions {
		key := client.ObjectKey{Namespace: person.Namespace, Name: completion.Name}
		if completion.Patience == 0 {
			r.unsettled.End(key)
			continue
		}
		left[completion.Name] = completion.Patience - now.Sub(r.unsettled.Lasting(key, now, unsettledGap))
	}
	return left
}

// tellAll gives every completion of a person the same verdict, and leaves the rest of its status as it is.
func (r *Reconciler) tellAll(ctx context.Context, gathered *plan.Person, verdict condition.Verdict) error {
	var failed []error
	for i := range gathered.Completions {
		completion := &gathered.Completions[i]
		_, err := r.tell(ctx, completion, plan.CompletionPlan{
			Policies: completion.Status.Policies, Grants: completion.Status.Grants, Verdict: verdict})
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// tell writes the status of a completion if it differs, and reports whether it did.
func (r *Reconciler) tell(
	ctx context.Context, completion *v1alpha1.CourseCompletion, planned plan.CompletionPlan,
) (bool, error) {
	before := completion.DeepCopy()
	status := &completion.Status
	status.ObservedGeneration = completion.Generation
	status.Policies, status.Grants = planned.Policies, planned.Grants
	status.Warnings = slices.Clone(completion.Spec.Delivery.Warnings)
	kube.SetConditions(&status.Conditions, planned.Verdict, completion.Generation, r.Clock.Now())
	written, err := r.written.PatchStatus(ctx, r.Client, before, completion)
	if err != nil {
		return false, fmt.Errorf("write the status of completion %s: %w", completion.Name, err)
	}
	return written, nil
}
