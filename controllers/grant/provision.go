// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// provide puts into the cluster what no completion has revoked of a Grant, and ends what one has: access and seats at
// once. The namespaces are deleted by the Grant that revokes them.
func (r *Reconciler) provide(ctx context.Context, l *look) (outcome, error) {
	revoked := lifecycle.RevokedFrom(l.Grant, l.beside, l.Now)
	site := policies.Site{Namespace: l.tenant.Namespace, Prefix: l.tenant.Spec.NamespacePrefix}
	if faults := r.Limits.CheckGrant(&l.Grant.Spec, site); len(faults) > 0 {
		// What it had before it was refused stays, but for what is revoked.
		_, err := r.endRevoked(ctx, l, revoked)
		return outcome{phase: v1alpha1.GrantPending, verdict: condition.Verdict{
			Stalled: true, Reason: v1alpha1.ReasonRefused, Message: faults[0].Error()}}, err
	}
	left := *l
	left.Grant = revoked.Remaining(l.Grant)
	result, err := r.endRevoked(ctx, &left, revoked)
	if err == nil && result.verdict.Reason == "" {
		result, err = r.putInPlace(ctx, &left)
		if result.verdict.Reason == v1alpha1.ReasonActive && !revoked.Empty() {
			result = tellRevoked(result, left.Grant, revoked)
		}
	}
	l.Grant.Status, l.Grant.ResourceVersion = left.Grant.Status, left.Grant.ResourceVersion
	result.after = kube.Sooner(result.after, r.until(revoked.Next))
	return result, err
}

// endRevoked takes the access and the seats that were revoked. Its outcome has a verdict where there is something to
// wait for.
func (r *Reconciler) endRevoked(ctx context.Context, l *look, revoked lifecycle.Revoked) (result outcome, err error) {
	if len(revoked.Namespaces) > 0 {
		l.Grant.Status.Inventory, err = l.applier.RevokeAccess(ctx, l.Grant, slices.Sorted(maps.Keys(revoked.Namespaces)))
		if err != nil {
			return outcome{}, err
		}
	}
	if len(revoked.Seats) == 0 {
		return outcome{}, nil
	}
	held, err := r.seatsOf(ctx, l.Grant)
	if err != nil {
		return outcome{}, err
	}
	for _, pool := range slices.Sorted(maps.Keys(revoked.Seats)) {
		if _, still := held[pool]; still {
			return outcome{poll: true, verdict: condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonTerminating,
				Message: fmt.Sprintf("freeing the seat of SeatPool %s, which %s revoked", pool, by(revoked.Seats[pool]))}}, nil
		}
	}
	return outcome{}, nil
}

func by(revoker lifecycle.Revoker) string { return "completion " + string(revoker.Completion) }

// tellRevoked says what was revoked of a Grant of which the rest is in place. Where nothing remains, it has ended.
func tellRevoked(result outcome, remaining *v1alpha1.Grant, revoked lifecycle.Revoked) outcome {
	var parts []string
	for _, pool := range slices.Sorted(maps.Keys(revoked.Seats)) {
		parts = append(parts, fmt.Sprintf("%s revoked the seat of SeatPool %s", by(revoked.Seats[pool]), pool))
	}
	for _, name := range slices.Sorted(maps.Keys(revoked.Namespaces)) {
		part := fmt.Sprintf("%s revoked namespace %s", by(revoked.Namespaces[name]), name)
		if slices.ContainsFunc(remaining.Status.Inventory, func(e v1alpha1.InventoryEntry) bool { return e.Name == name }) {
			part += ", whose data is kept until " + revoked.Namespaces[name].DataEndsAt.UTC().Format(time.RFC3339)
		}
		parts = append(parts, part)
	}
	if len(remaining.Spec.Namespaces)+len(remaining.Spec.Seats)+len(remaining.Spec.Objects) == 0 {
		result.phase, result.verdict.Reason = v1alpha1.GrantEnded, v1alpha1.ReasonRevokedByCompletion
		result.verdict.Message = strings.Join(parts, "; ")
		return result
	}
	result.verdict.Message = "the rest is in place: " + strings.Join(parts, "; ")
	return result
}

// putInPlace puts everything that the Grant says into the cluster.
func (r *Reconciler) putInPlace(ctx context.Context, l *look) (outcome, error) {
	if err := r.holdAccess(ctx, l); err != nil {
		return outcome{}, err
	}
	shared := l.applier.SharedNamespaces(l.Grant)
	within, full := r.withinCount(l, shared)
	inventory, err := l.applier.Provision(ctx, within)
	l.Grant.Status.Inventory = inventory
	if err != nil {
		return outcome{}, err
	}
	if full != "" {
		return outcome{phase: v1alpha1.GrantWaiting, poll: true, verdict: condition.Verdict{
			Reconciling: true, Reason: v1alpha1.ReasonNamespaceLimit, Message: full}}, nil
	}
	missing, err := r.seats(ctx, l.Grant)
	if err != nil {
		return outcome{}, err
	}
	after, err := r.objects(ctx, l)
	if err != nil {
		return outcome{}, err
	}
	if len(l.applier.Held) > 0 {
		return outcome{after: after, verdict: lifecycle.PausedVerdict(
			"a change of who has access to the namespaces is paused")}, nil
	}
	if len(missing) > 0 {
		verdict, err := r.waitingForSeat(ctx, l.Grant, missing[0])
		return outcome{phase: v1alpha1.GrantWaiting, verdict: verdict, after: after}, err
	}
	return outcome{phase: v1alpha1.GrantActive, after: after, verdict: condition.Verdict{
		Ready: true, Reason: v1alpha1.ReasonActive, Message: "everything is in place" + inPlaceOf(shared)}}, nil
}

// holdAccess puts to the brake what a change of a planned Grant would take from subjects that have access. Where it is
// held, their RoleBindings stay as they are.
func (r *Reconciler) holdAccess(ctx context.Context, l *look) error {
	grant := l.Grant
	if grant.Planned() {
		losing, err := l.applier.Losing(ctx, grant, grant.Status.AccessChangeDigest != "")
		if err != nil {
			return err
		}
		if len(losing) > 0 {
			change, err := lifecycle.AccessChangeOf(grant, r.Clock.Now())
			if err != nil {
				return err
			}
			admitted, err := r.admit(ctx, l, change.Revocation())
			if err != nil {
				return err
			}
			if !admitted {
				change.Record(&grant.Status)
				l.applier.Held = losing
				return nil
			}
		}
	}
	r.passed(l, v1alpha1.RevocationAccessChange)
	lifecycle.AccessChange{}.Record(&grant.Status)
	return nil
}

// inPlaceOf says which namespaces are those of other Grants.
func inPlaceOf(shared map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(shared)) {
		parts = append(parts, fmt.Sprintf("; namespace %s is shared with grant %s, which owns it", name, shared[name]))
	}
	return strings.Join(parts, "")
}

// seats notes the seats that the Grant has, and returns the pools of those that it lacks.
func (r *Reconciler) seats(ctx context.Context, grant *v1alpha1.Grant) ([]v1alpha1.LocalName, error) {
	held, err := r.seatsOf(ctx, grant)
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

func (r *Reconciler) waitingForSeat(
	ctx context.Context, grant *v1alpha1.Grant, pool v1alpha1.LocalName,
) (condition.Verdict, error) {
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: grant.Namespace, Name: string(pool)}, &v1alpha1.SeatPool{})
	if apierrors.IsNotFound(err) {
		return condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonPoolMissing,
			Message: fmt.Sprintf("SeatPool %s does not exist", pool)}, nil
	}
	return condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonWaitingForSeat,
		Message: fmt.Sprintf("waiting for a seat of SeatPool %s; see its status for the queue", pool)}, err
}

// withinCount returns the Grant as if it said only the namespaces that the institution may have, and what is to be told
// of the others; nothing where there are none. What is there already stays, also where the number was lowered.
func (r *Reconciler) withinCount(l *look, shared map[string]string) (within *v1alpha1.Grant, told string) {
	grant, institution := l.Grant, l.tenant.Institution
	has := map[string]bool{}
	for _, entry := range grant.Status.Inventory {
		has[entry.Name] = has[entry.Name] || entry.Kind == "Namespace" && *entry.Group == ""
	}
	var over []string
	for i := range grant.Spec.Namespaces {
		name := grant.Spec.Namespaces[i].Name
		if !has[name] && shared[name] == "" && !r.Counts.Reserve(institution, name) {
			over = append(over, name)
		}
	}
	if len(over) == 0 {
		return grant, ""
	}
	within = grant.DeepCopy()
	within.Spec.Namespaces = slices.DeleteFunc(within.Spec.Namespaces, func(ns v1alpha1.GrantedNamespace) bool {
		return slices.Contains(over, ns.Name)
	})
	return within, fmt.Sprintf("namespace %s is not created: the institution has reached its limit of %d granted "+
		"namespaces (spec.maxNamespaces of Institution %s)", over[0], institution.Spec.NamespacesAtMost(), institution.Name)
}

// Templated objects have no watch, because only their ServiceAccount may read them: what drifted is found by looking,
// every so often and not of all Grants at the same time.
const (
	objectInterval = 10 * time.Minute
	objectJitter   = 0.2
)

// objects brings the templated objects of a Grant to what it says, if it is time to look, and returns when it is the
// next time; zero for a Grant that has none.
func (r *Reconciler) objects(ctx context.Context, l *look) (time.Duration, error) {
	grant, key := l.Grant, client.ObjectKeyFromObject(l.Grant)
	if !hasObjects(grant) {
		r.checks.forget(key)
		return 0, nil
	}
	now, last := r.Clock.Now(), r.checks.get(key)
	namespaces := namespacesOf(grant) + " " + l.applier.SharedObjects()
	unseen := func(e v1alpha1.InventoryEntry) bool { return isTemplated(e) && e.UID == "" }
	if last.uid == grant.UID && last.generation == grant.Generation && last.namespaces == namespaces &&
		now.Before(last.next) && !slices.ContainsFunc(grant.Status.Inventory, unseen) {
		return last.next.Sub(now), nil
	}
	r.checks.forget(key)
	inventory, versions, err := l.applier.ProvisionObjects(ctx, grant, last.versions,
		func(inventory []v1alpha1.InventoryEntry) error { return r.recordInventory(ctx, grant, inventory) })
	grant.Status.Inventory = inventory
	if err != nil {
		return 0, err
	}
	after := wait.Jitter(objectInterval, objectJitter)
	if l.applier.AwaitedBy(inventory) != nil {
		after = kube.MinWait
	}
	r.checks.set(key, objectCheck{grant.UID, grant.Generation, namespaces, now.Add(after), versions})
	return after, nil
}

// recordInventory writes an inventory ahead of what it names.
func (r *Reconciler) recordInventory(
	ctx context.Context, grant *v1alpha1.Grant, inventory []v1alpha1.InventoryEntry,
) error {
	err := r.recordAhead(ctx, grant, func(written *v1alpha1.Grant) { written.Status.Inventory = inventory })
	if apierrors.IsConflict(err) {
		return errOutdated
	}
	return err
}

// hasObjects reports whether a Grant says templated objects, or has any.
func hasObjects(grant *v1alpha1.Grant) bool {
	return len(grant.Spec.Objects) > 0 || slices.ContainsFunc(grant.Status.Inventory, isTemplated)
}

func isTemplated(entry v1alpha1.InventoryEntry) bool { return entry.ServiceAccountName != "" }

func namespacesOf(grant *v1alpha1.Grant) string {
	var uids []string
	// What is revoked has no objects to look at, and is back with a look at all of them.
	for i := range grant.Spec.Namespaces {
		uids = append(uids, grant.Spec.Namespaces[i].Name)
	}
	for _, entry := range grant.Status.Inventory {
		if entry.Kind == "Namespace" && *entry.Group == "" {
			uids = append(uids, entry.UID)
		}
	}
	return strings.Join(uids, " ")
}
