// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apifault"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// How often a Grant looks whether what it waits for has come, where nothing tells it: an object that is not ours has
// no watch.
const (
	minWait = 2 * time.Second
	maxWait = time.Minute
)

// GrantReconciler puts a Grant into effect and takes it out of effect. It decides nothing: what the holder is to have
// is in the Grant, and where its end stands is worked out by package plan.
type GrantReconciler struct {
	Client   client.Client
	Live     client.Reader
	Limits   plan.Limits
	Recorder events.EventRecorder
	Clock    clock.PassiveClock
	Accounts *apply.Accounts
	Label    *apply.OwnerLabel
	// DefaultQuota is the installation's.
	DefaultQuota corev1.ResourceList

	plans  *plans
	counts *namespaceCounts
	brakes *brakes
	// witness and patienceWith tell what was restored from a backup, and how long the rest of it is waited for.
	witness      *witness
	patienceWith Patience
	written      written
	checks       objectChecks
}

// SetupWithManager registers the loop. A change of anything that was provisioned sets off its Grant: drift is
// corrected at once, and after a start also what happened before.
func (r *GrantReconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	b := ctrl.NewControllerManagedBy(mgr).
		Named("grant").
		For(&v1alpha1.Grant{}).
		// What one Grant takes, another one of the same holder loses.
		Watches(&v1alpha1.Grant{}, handler.EnqueueRequestsFromMapFunc(r.grantsOfHolder),
			builder.WithPredicates(standingChanged())).
		Watches(&v1alpha1.Seat{}, handler.EnqueueRequestsFromMapFunc(grantOfSeat)).
		Watches(&v1alpha1.Institution{}, &fanOut[reconcile.Request]{requests: r.grantsBeside},
			builder.WithPredicates(workChanged)).
		Watches(&v1alpha1.Institution{}, &fanOut[reconcile.Request]{requests: r.grantsThatWait},
			builder.WithPredicates(brakeChanged)).
		Watches(&v1alpha1.CourseCompletion{}, handler.EnqueueRequestsFromMapFunc(r.restoredFrom),
			builder.WithPredicates(created)).
		Watches(&v1alpha1.CompletionPolicy{}, &fanOut[reconcile.Request]{requests: r.restoredFrom},
			builder.WithPredicates(created)).
		// Whether a pool is there is what those who wait for it are told.
		Watches(&v1alpha1.SeatPool{}, &fanOut[reconcile.Request]{requests: r.grantsOfPool},
			builder.WithPredicates(predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }})).
		WithOptions(fairly(mgr, workers, shareOf(workers), namespaceOf))
	for _, kind := range apply.Kinds() {
		b = b.Watches(kind, handler.EnqueueRequestsFromMapFunc(r.grantOfObject))
	}
	return b.Complete(discreet[reconcile.Request]{r})
}

func grantOfSeat(_ context.Context, object client.Object) []reconcile.Request {
	seat := object.(*v1alpha1.Seat)
	holder := client.ObjectKey{Namespace: seat.Namespace, Name: string(seat.Spec.Grant)}
	return []reconcile.Request{{NamespacedName: holder}}
}

func (r *GrantReconciler) grantOfObject(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requests(ctx, client.MatchingFields{indexOwnerDigest: object.GetLabels()[v1alpha1.LabelGrant]})
}

func (r *GrantReconciler) grantsBeside(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requests(ctx, client.InNamespace(object.GetNamespace()))
}

func (r *GrantReconciler) grantsOfPool(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requests(ctx, client.InNamespace(object.GetNamespace()), client.MatchingFields{indexPool: object.GetName()})
}

func (r *GrantReconciler) requests(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	return r.requestsOf(ctx, func(*v1alpha1.Grant) bool { return true }, opts...)
}

func (r *GrantReconciler) requestsOf(
	ctx context.Context, wanted func(*v1alpha1.Grant) bool, opts ...client.ListOption,
) []reconcile.Request {
	var grants v1alpha1.GrantList
	if err := r.Client.List(ctx, &grants, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list grants")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(grants.Items))
	for i := range grants.Items {
		if grant := &grants.Items[i]; wanted(grant) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(grant)})
		}
	}
	return requests
}

// outcome is what came of one look at a Grant.
type outcome struct {
	phase   v1alpha1.GrantPhase
	verdict plan.Verdict
	// after is when to look again; zero if a watch will tell.
	after time.Duration
}

// Reconcile brings the cluster to where the Grant stands, and writes down what is there.
func (r *GrantReconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	grant := &v1alpha1.Grant{}
	if err := r.Client.Get(ctx, req.NamespacedName, grant); err != nil {
		if apierrors.IsNotFound(err) {
			r.written.forget(req.NamespacedName)
			r.plans.forget(req.NamespacedName)
			r.checks.forget(req.NamespacedName)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if r.written.behind(grant) {
		return reconcile.Result{RequeueAfter: staleInterval}, nil
	}
	if !grant.DeletionTimestamp.IsZero() {
		return r.release(ctx, grant)
	}
	foreign := r.witness.foreign(grant)
	if err := r.adopt(ctx, grant); err != nil {
		return reconcile.Result{}, err
	}
	before := grant.DeepCopy()
	after, failed := r.restored(ctx, grant, foreign)
	result, err := r.settle(ctx, grant)
	result.after, err = sooner(result.after, after), errors.Join(err, failed)
	return r.conclude(ctx, grant, before, result, err)
}

// settle does what the Grant's standing asks for, and looks again when that changes by itself, whatever came of it.
// Along with an error it returns what to tell meanwhile.
func (r *GrantReconciler) settle(ctx context.Context, grant *v1alpha1.Grant) (outcome, error) {
	end := plan.EndOf(grant, r.Clock.Now())
	result, err := r.act(ctx, grant, end)
	if !end.Next.IsZero() {
		until := max(time.Second, end.Next.Sub(r.Clock.Now()))
		if result.after == 0 || until < result.after {
			result.after = until
		}
	}
	return result, err
}

func (r *GrantReconciler) act(ctx context.Context, grant *v1alpha1.Grant, end plan.End) (outcome, error) {
	tenant, err := institutionOf(ctx, r.Client, grant.Namespace, grant.Spec.Holder.InstitutionID)
	if errors.Is(err, errNotLookedAt) && !end.Revoked {
		return outcome{}, err
	}
	if problem, ok := errors.AsType[*institutionProblem](err); ok && !end.Revoked {
		return outcome{phaseOrPending(grant), plan.Verdict{
			Reconciling: true, Reason: problem.reason, Message: problem.message}, 0}, nil
	} else if err != nil && !ok {
		return r.pending(grant, err)
	}
	if tenant != nil && tenant.suspended() {
		return outcome{v1alpha1.GrantSuspended, plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonSuspended,
			Message: "the institution is suspended: nothing is given and nothing is taken"}, 0}, nil
	}
	after, failed := time.Duration(0), error(nil)
	if tenant != nil {
		after, failed = r.takeNamespaces(ctx, grant, tenant)
	}
	result, err := r.stand(ctx, grant, tenant, end)
	result.after = sooner(result.after, after)
	return result, errors.Join(err, failed)
}

// stand brings the cluster to where the Grant stands.
func (r *GrantReconciler) stand(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant, end plan.End,
) (outcome, error) {
	if end.Held {
		admitted, err := r.admit(ctx, grant, tenant, plan.EndRevocation(grant))
		if err != nil {
			return r.pending(grant, err)
		}
		if !admitted {
			return r.hold(ctx, grant, tenant)
		}
		end = plan.EndOf(grant, r.Clock.Now())
	}
	r.passed(tenant, grant, v1alpha1.RevocationAccessEnd)
	switch end.Standing {
	case plan.Entitled:
		waits, err := r.admitForward(ctx, grant, tenant)
		if err != nil {
			return r.pending(grant, err)
		}
		// An end that comes later has grace days of its own.
		grant.Status.AccessEndedAt = nil
		result, err := r.provision(ctx, grant, tenant)
		if waits && result.verdict.Ready {
			result.verdict.Message += fmt.Sprintf("; a delivery brought its end forward to %s, which waits: %s",
				grant.Spec.AccessEndsAt.UTC().Format(time.RFC3339), errPaused)
		}
		return result, err
	case plan.Unapproved:
		return r.awaitApproval(ctx, grant)
	}
	r.passed(tenant, grant, v1alpha1.RevocationEndForward)
	return r.revoke(ctx, grant, tenant, end)
}

func phaseOrPending(grant *v1alpha1.Grant) v1alpha1.GrantPhase {
	return cmp.Or(grant.Status.Phase, v1alpha1.GrantPending)
}

// pending tells of an attempt that failed and is repeated. What was forbidden is waited for, since people have to act;
// everything else is repeated with backoff.
func (r *GrantReconciler) pending(grant *v1alpha1.Grant, err error) (outcome, error) {
	told := outcome{phaseOrPending(grant),
		plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonProgressingWithRetry, Message: apifault.Describe(err)}, 0}
	switch {
	case apifault.MayNotBind(err):
		told.verdict.Message += ": " + mayNotBind
		fallthrough
	case apierrors.IsForbidden(err):
		told.verdict.Reason, told.after = v1alpha1.ReasonForbidden, r.patience(grant)
		return told, nil
	case apierrors.IsInvalid(err):
		// Asking again at once changes nothing; but a policy of the cluster may change, or go.
		told.verdict.Reason, told.after = v1alpha1.ReasonRefused, r.patience(grant)
		told.verdict.Reconciling, told.verdict.Stalled = false, true
		return told, nil
	}
	return told, err
}

// mayNotBind says what to do about a ClusterRole that may not be bound.
const mayNotBind = "add the name of the ClusterRole to the rule with the verb bind of the ClusterRole " +
	"completion-controller-manager (see docs/security.md)"

func (r *GrantReconciler) provision(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant,
) (outcome, error) {
	if plan.Blank(grant) && grant.Planned() && !grant.Revokes() && len(grant.Status.Inventory) == 0 {
		return outcome{v1alpha1.GrantPending, plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonProgressing,
			Message: fmt.Sprintf("policy %s has yet to fill in what it gives: for that it has to be there, be Ready and not "+
				"be suspended, and match a completion of spec.causes", grant.Spec.Policy)}, 0}, nil
	}
	taken, err := r.taken(ctx, grant)
	if err != nil {
		return r.pending(grant, err)
	}
	if faults := r.Limits.CheckGrant(&grant.Spec, site(tenant)); len(faults) > 0 {
		// What it had before it was refused stays, but for what is taken away.
		_, err := r.take(ctx, grant, taken)
		return outcome{v1alpha1.GrantPending, plan.Verdict{Stalled: true, Reason: v1alpha1.ReasonRefused,
			Message: faults[0].Error()}, 0}, err
	}
	return r.provisionLeft(ctx, grant, tenant, taken)
}

func site(tenant *tenant) plan.Site {
	return plan.Site{Namespace: tenant.Namespace, Prefix: tenant.Spec.NamespacePrefix}
}

// putInPlace puts everything that the Grant says into the cluster.
func (r *GrantReconciler) putInPlace(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant,
) (outcome, error) {
	applier, err := r.applier(ctx, grant)
	if err != nil {
		return r.pending(grant, err)
	}
	if err := r.holdAccess(ctx, grant, tenant, applier); err != nil {
		return r.waiting(grant, err)
	}
	within, full := r.withinCount(grant, tenant, applier.SharedNamespaces(grant))
	inventory, err := applier.Provision(ctx, within)
	grant.Status.Inventory = inventory
	if err != nil {
		return r.waiting(grant, err)
	}
	if full != "" {
		return outcome{v1alpha1.GrantWaiting, plan.Verdict{
			Reconciling: true, Reason: v1alpha1.ReasonNamespaceLimit, Message: full}, r.patience(grant)}, nil
	}
	missing, err := r.seats(ctx, grant)
	if err != nil {
		return r.pending(grant, err)
	}
	after, err := r.objects(ctx, grant)
	if err != nil {
		return r.waiting(grant, err)
	}
	if len(applier.Held) > 0 {
		return outcome{phaseOrPending(grant), paused("who has access to the namespaces stays as it is, and a change waits: " +
			errPaused.Error()), after}, nil
	}
	if len(missing) > 0 {
		verdict, err := r.waitingForSeat(ctx, grant, missing[0])
		return outcome{v1alpha1.GrantWaiting, verdict, after}, err
	}
	return outcome{v1alpha1.GrantActive, plan.Verdict{Ready: true, Reason: v1alpha1.ReasonActive,
		Message: "everything is in place" + inPlaceOf(applier.SharedNamespaces(grant))}, after}, nil
}

func (r *GrantReconciler) applier(ctx context.Context, grant *v1alpha1.Grant) (*apply.Applier, error) {
	beside, err := r.grantsBesideOf(ctx, grant, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, err
	}
	return &apply.Applier{
		Client: r.Client, Live: r.Live, Accounts: r.Accounts, Label: r.Label, DefaultQuota: r.DefaultQuota,
		Sharers: plan.SharersOf(grant, beside, r.Clock.Now()),
	}, nil
}

// waiting tells apart what a Grant waits for and what is an error to repeat.
func (r *GrantReconciler) waiting(grant *v1alpha1.Grant, err error) (outcome, error) {
	if conflict, ok := errors.AsType[*apply.ConflictError](err); ok {
		return outcome{v1alpha1.GrantWaiting, plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonConflict,
			Message: conflict.Error()}, r.patience(grant)}, nil
	}
	if going, ok := errors.AsType[*apply.TerminatingError](err); ok {
		return outcome{v1alpha1.GrantPending, plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonTerminating,
			Message: going.Error()}, r.patience(grant)}, nil
	}
	if shared, ok := errors.AsType[*apply.SharedError](err); ok {
		return outcome{phaseOrPending(grant), plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonWaitingForGrant,
			Message: shared.Error()}, r.patience(grant)}, nil
	}
	if full, ok := errors.AsType[*apply.FullError](err); ok {
		return outcome{phaseOrPending(grant), plan.Verdict{Stalled: true, Reason: v1alpha1.ReasonRefused,
			Message: full.Error()}, r.patience(grant)}, nil
	}
	if errors.Is(err, errPaused) {
		return outcome{phaseOrPending(grant), paused(err.Error()), r.patience(grant)}, nil
	}
	if problem, ok := errors.AsType[*institutionProblem](err); ok {
		return outcome{phaseOrPending(grant), plan.Verdict{
			Reconciling: true, Reason: problem.reason, Message: problem.message}, r.patience(grant)}, nil
	}
	if lacking, ok := errors.AsType[*apply.AccountError](err); ok {
		return r.lacking(grant, lacking), nil
	}
	return r.pending(grant, err)
}

// patience returns when to look again for what no watch tells of: as long as it has been waited for already, within
// bounds, so that many Grants that wait for long do not keep the API server busy.
func (r *GrantReconciler) patience(grant *v1alpha1.Grant) time.Duration {
	ready := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return minWait
	}
	return min(max(minWait, r.Clock.Since(ready.LastTransitionTime.Time)), maxWait)
}

// seats notes the seats that the Grant has, and returns the pools of those that it lacks.
func (r *GrantReconciler) seats(ctx context.Context, grant *v1alpha1.Grant) ([]v1alpha1.LocalName, error) {
	held, err := r.held(ctx, grant)
	if err != nil {
		return nil, err
	}
	grant.Status.Seats = nil
	var missing []v1alpha1.LocalName
	for _, wanted := range grant.Spec.Seats {
		seat, found := held[wanted.Pool]
		if !found {
			missing = append(missing, wanted.Pool)
			continue
		}
		grant.Status.Seats = append(grant.Status.Seats, v1alpha1.HeldSeat{Pool: wanted.Pool, Number: new(*seat.Spec.Number)})
	}
	return missing, nil
}

func (r *GrantReconciler) held(
	ctx context.Context, grant *v1alpha1.Grant,
) (map[v1alpha1.LocalName]*v1alpha1.Seat, error) {
	var seats v1alpha1.SeatList
	err := r.Client.List(ctx, &seats, client.InNamespace(grant.Namespace),
		client.MatchingFields{indexSeatGrant: grant.Name})
	if err != nil {
		return nil, fmt.Errorf("list seats: %w", err)
	}
	held := map[v1alpha1.LocalName]*v1alpha1.Seat{}
	for i := range seats.Items {
		held[seats.Items[i].Spec.Pool] = &seats.Items[i]
	}
	return held, nil
}

func (r *GrantReconciler) waitingForSeat(
	ctx context.Context, grant *v1alpha1.Grant, pool v1alpha1.LocalName,
) (plan.Verdict, error) {
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: grant.Namespace, Name: string(pool)}, &v1alpha1.SeatPool{})
	if apierrors.IsNotFound(err) {
		return plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonPoolMissing,
			Message: fmt.Sprintf("SeatPool %s does not exist", pool)}, nil
	}
	return plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonWaitingForSeat,
		Message: fmt.Sprintf("waiting for a seat of SeatPool %s; its status shows how many wait and who is next", pool)}, err
}

// tell emits an event for a change that a person would ask about.
func (r *GrantReconciler) tell(grant, before *v1alpha1.Grant, result outcome) {
	r.tellOf(v1alpha1.ConditionRevocationsComplete, grant, before)
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	same := was != nil && was.Reason == result.verdict.Reason && before.Status.Phase == result.phase
	// Something was taken of what is in place, or given back.
	if same && (result.verdict.Reason != v1alpha1.ReasonActive || was.Message == result.verdict.Message) {
		return
	}
	emit(r.Recorder, grant, result.verdict, "Reconcile")
}

// tellOf emits an event where the reason of a condition other than Ready has changed.
func (r *GrantReconciler) tellOf(condition string, grant, before *v1alpha1.Grant) {
	is := meta.FindStatusCondition(grant.Status.Conditions, condition)
	was := meta.FindStatusCondition(before.Status.Conditions, condition)
	if is == nil || was != nil && was.Reason == is.Reason {
		return
	}
	emit(r.Recorder, grant, plan.Verdict{Reason: is.Reason, Message: is.Message}, "Take")
}
