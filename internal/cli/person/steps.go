// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// pollInterval is how often it is looked how far something has come.
const pollInterval = 500 * time.Millisecond

// erase removes it all, in an order in which nothing is lost of sight: a Grant goes last, since it knows what belongs
// to it. It reports whether something is left to the operator.
func (e *erasure) erase(ctx context.Context) (left bool, err error) {
	if err := e.revoke(ctx); err != nil {
		return false, err
	}
	if err := e.deleteCompletions(ctx); err != nil {
		return false, err
	}
	if err := e.await(ctx, "access is being taken away", e.accessLeft); err != nil {
		return false, err
	}
	if !e.keepGrace {
		if err := e.deleteData(ctx); err != nil {
			return false, err
		}
	}
	if err := e.await(ctx, "the operator has yet to see that the completions have gone", e.unseen); err != nil {
		return false, err
	}
	if left, err = e.deleteGrants(ctx); err != nil || left {
		return left, err
	}
	if err := e.look(ctx); err != nil {
		return false, err
	}
	if !e.found.empty() {
		return false, fmt.Errorf("new data was stored in the meantime: %d completions and %d Grants",
			len(e.found.Completions), len(e.found.Grants))
	}
	return false, nil
}

// revoke orders the end of every Grant. That is no end which the brake holds back, and goes before what a delivery
// says. A reason that was there before goes too.
func (e *erasure) revoke(ctx context.Context) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"override": map[string]any{
		"revoked": true, "approved": nil, "until": nil, "reason": e.reason,
	}}})
	if err != nil {
		return err
	}
	for i := range e.found.Grants {
		grant := e.found.Grants[i].DeepCopy()
		override := grant.Spec.Override
		if !grant.DeletionTimestamp.IsZero() || override.Revoked != nil && override.Reason == e.reason {
			continue
		}
		if err := e.c.Patch(ctx, grant, client.RawPatch(types.MergePatchType, patch)); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("revoke Grant %s: %w", grant.Name, err)
		}
	}
	return nil
}

// deleteCompletions withdraws what was delivered.
func (e *erasure) deleteCompletions(ctx context.Context) error {
	deleted := make(map[types.UID]bool)
	return e.await(ctx, "completions are being deleted", func(ctx context.Context) (string, error) {
		// One may come until every webhook server has heard of the erasure.
		for i := range e.found.Completions {
			completion := &e.found.Completions[i]
			err := e.c.Delete(ctx, completion, client.Preconditions{UID: &completion.UID})
			if client.IgnoreNotFound(err) != nil {
				return "", fmt.Errorf("delete completion %s: %w", completion.Name, err)
			}
			deleted[completion.UID] = true
		}
		e.completions = len(deleted)
		if err := e.look(ctx); err != nil || len(e.found.Completions) == 0 {
			return "", err
		}
		return fmt.Sprintf("%d completions", len(e.found.Completions)), nil
	})
}

// accessLeft says which Grants still give access, or have a seat.
func (e *erasure) accessLeft(ctx context.Context) (string, error) {
	if err := e.look(ctx); err != nil {
		return "", err
	}
	var waiting []string
	for i := range e.found.Grants {
		grant := &e.found.Grants[i]
		status := &grant.Status
		if status.ObservedGeneration != grant.Generation || status.AccessEndedAt == nil || len(status.Seats) > 0 {
			waiting = append(waiting, grant.Name+reasonOf(grant))
		}
	}
	if len(e.found.Seats) > 0 {
		waiting = append(waiting, fmt.Sprintf("%d seats", len(e.found.Seats)))
	}
	return strings.Join(waiting, ", "), nil
}

// reasonOf is what a Grant says about itself.
func reasonOf(grant *v1alpha1.Grant) string {
	ready := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return ""
	}
	return " (" + ready.Reason + ")"
}

// unseen says which Grants have causes of which the planner does not know yet that they have gone. Until it does it
// could make a deleted Grant again, from what it remembers.
func (e *erasure) unseen(ctx context.Context) (string, error) {
	if err := e.look(ctx); err != nil {
		return "", err
	}
	var waiting []string
	for i := range e.found.Grants {
		grant := &e.found.Grants[i]
		if grant.DeletionTimestamp.IsZero() && slices.ContainsFunc(grant.Spec.Causes, func(c v1alpha1.GrantCause) bool {
			return c.End == "" && c.ArchivedAt == nil
		}) {
			waiting = append(waiting, grant.Name)
		}
	}
	return strings.Join(waiting, ", "), nil
}

// deleteData deletes what the Grants have provisioned, and waits until it has gone. Only now does nobody use it, and
// nothing makes it again.
func (e *erasure) deleteData(ctx context.Context) error {
	for _, owned := range e.owned() {
		object, err := e.get(ctx, owned)
		if err != nil || object == nil {
			if err != nil {
				return err
			}
			continue
		}
		uid := object.UID
		if err := e.c.Delete(ctx, object, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete %s: %w", describe(&owned.entry), err)
		}
		if isNamespace(&owned.entry) {
			e.namespaces++
		} else {
			e.objects++
		}
	}
	return e.await(ctx, "data is being deleted", e.dataLeft)
}

// dataLeft says which objects of the Grants are there.
func (e *erasure) dataLeft(ctx context.Context) (string, error) {
	var left []string
	for _, owned := range e.owned() {
		object, err := e.get(ctx, owned)
		if err != nil {
			return "", err
		}
		if object != nil {
			left = append(left, describe(&owned.entry))
		}
	}
	return strings.Join(left, ", "), nil
}

// owned is an object of a Grant.
type owned struct {
	entry v1alpha1.InventoryEntry
	grant *v1alpha1.Grant
}

// owned returns the objects of all Grants, but not what goes with its namespace.
func (e *erasure) owned() []owned {
	namespaces := make(map[string]bool)
	var all []owned
	for i := range e.found.Grants {
		for _, entry := range e.found.Grants[i].Status.Inventory {
			all = append(all, owned{entry, &e.found.Grants[i]})
			namespaces[entry.Name] = namespaces[entry.Name] || isNamespace(&entry)
		}
	}
	return slices.DeleteFunc(all, func(o owned) bool {
		return !isNamespace(&o.entry) && namespaces[namespaceOf(&o.entry)]
	})
}

// get returns the metadata of an object of a Grant; nil where it has gone, or is somebody else's.
func (e *erasure) get(ctx context.Context, owned owned) (*metav1.PartialObjectMetadata, error) {
	entry := &owned.entry
	mapping, err := e.mappingOf(entry)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(mapping.GroupVersionKind)
	err = e.c.Get(ctx, client.ObjectKey{Namespace: namespaceOf(entry), Name: entry.Name}, object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", describe(entry), err)
	}
	digest := owned.grant.OwnerDigest()
	if entry.UID != "" && string(object.UID) != entry.UID || entry.UID == "" &&
		object.Labels[v1alpha1.LabelGrant] != digest && object.Labels[v1alpha1.LabelAppliedFor] != digest {
		return nil, nil
	}
	return object, nil
}

func (e *erasure) mappingOf(entry *v1alpha1.InventoryEntry) (*meta.RESTMapping, error) {
	return e.c.RESTMapper().RESTMapping(schema.GroupKind{Group: groupOf(entry), Kind: entry.Kind})
}

// allowed makes sure before anything is changed that all of it can be done.
func (e *erasure) allowed(ctx context.Context) error {
	if err := e.suspended(ctx); err != nil {
		return err
	}
	home := e.institution.Namespace
	for _, right := range []authorizationv1.ResourceAttributes{
		{Namespace: home, Verb: "patch", Group: v1alpha1.GroupName, Resource: "grants"},
		{Namespace: home, Verb: "delete", Group: v1alpha1.GroupName, Resource: "grants"},
		{Namespace: home, Verb: "delete", Group: v1alpha1.GroupName, Resource: "coursecompletions"},
		{Namespace: home, Verb: "get", Group: v1alpha1.GroupName, Resource: "erasureregisters"},
		{Namespace: home, Verb: "create", Group: v1alpha1.GroupName, Resource: "erasureregisters"},
		{Namespace: home, Verb: "update", Group: v1alpha1.GroupName, Resource: "erasureregisters"},
	} {
		if ok, err := e.can(ctx, right); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("you are not allowed to %s %s in namespace %s: the ClusterRole %s allows it",
				right.Verb, right.Resource, home, cmdutil.RoleInstitutionAdmin)
		}
	}
	if e.keepGrace {
		return nil
	}
	for _, owned := range e.owned() {
		mapping, err := e.mappingOf(&owned.entry)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return err
		}
		for _, verb := range []string{"get", "delete"} {
			ok, err := e.can(ctx, authorizationv1.ResourceAttributes{
				Namespace: namespaceOf(&owned.entry), Verb: verb, Group: mapping.Resource.Group,
				Resource: mapping.Resource.Resource, Name: owned.entry.Name,
			})
			if err != nil {
				return err
			}
			if !ok {
				return fmt.Errorf("you are not allowed to %s %s: ask a cluster administrator to do it, "+
					"or keep the data for its grace days with --keep-grace", verb, describe(&owned.entry))
			}
		}
	}
	return nil
}

func (e *erasure) can(ctx context.Context, right authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &right},
	}
	err := e.c.Create(ctx, review)
	return review.Status.Allowed, err
}

// deleteGrants deletes the Grants of which nothing is left, and says of the others until when the operator keeps it.
func (e *erasure) deleteGrants(ctx context.Context) (left bool, err error) {
	going := make(map[types.UID]bool)
	for i := range e.found.Grants {
		grant := &e.found.Grants[i]
		if e.keepGrace && len(grant.Status.Inventory) > 0 {
			left = true
			e.tellWhen(grant)
			continue
		}
		if err := e.c.Delete(ctx, grant, client.Preconditions{UID: &grant.UID}); client.IgnoreNotFound(err) != nil {
			return left, fmt.Errorf("delete Grant %s: %w", grant.Name, err)
		}
		going[grant.UID] = true
	}
	e.grants = len(going)
	return left, e.await(ctx, "Grants are being deleted", func(ctx context.Context) (string, error) {
		if err := e.look(ctx); err != nil {
			return "", err
		}
		var waiting []string
		for i := range e.found.Grants {
			if grant := &e.found.Grants[i]; going[grant.UID] {
				waiting = append(waiting, grant.Name+reasonOf(grant))
			}
		}
		return strings.Join(waiting, ", "), nil
	})
}

func (e *erasure) tellWhen(grant *v1alpha1.Grant) {
	end := lifecycle.StateOf(grant, e.Now())
	keeps := kept{Grant: grant.Name, ForEver: grant.Spec.OnRevoke == v1alpha1.RemovalRetain}
	if !keeps.ForEver && !end.Next.IsZero() {
		keeps.Until = new(end.Next.UTC())
	}
	if e.of != nil {
		e.of.Kept = append(e.of.Kept, keeps)
	}
	switch {
	case grant.Spec.OnRevoke == v1alpha1.RemovalRetain:
		fmt.Fprintf(e.text(),
			"Grant %s keeps its data forever (onRevoke: Retain): run the command again without --keep-grace.\n",
			grant.Name)
	case end.Next.IsZero():
		fmt.Fprintf(e.text(), "The operator is deleting the data of Grant %s: run the command again later.\n", grant.Name)
	default:
		fmt.Fprintf(e.text(), "Grant %s keeps its data until %s: run the command again after that.\n", grant.Name,
			end.Next.UTC().Format(time.RFC3339))
	}
}

// await looks until nothing is left, and tells what it waits for.
func (e *erasure) await(ctx context.Context, what string, left func(context.Context) (string, error)) error {
	told := ""
	err := wait.PollUntilContextTimeout(ctx, pollInterval, e.timeout, true, func(ctx context.Context) (bool, error) {
		still, err := left(ctx)
		if err != nil || still == "" {
			return still == "", err
		}
		if still != told {
			told = still
			fmt.Fprintf(e.ErrOut, "%s: %s\n", strings.ToUpper(what[:1])+what[1:], still)
		}
		return false, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("after %s %s: %s", e.timeout, what, told)
	}
	return err
}

// record leaves an event that says what was done, why, and not to whom. Who did it is in the API server's audit log.
func (e *erasure) record(ctx context.Context) {
	now := metav1.NewMicroTime(e.Now())
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.institution.Namespace, GenerateName: "erasure-"},
		EventTime:  now, ReportingController: v1alpha1.GroupName + "/kubectl-course", ReportingInstance: "kubectl-course",
		Type: corev1.EventTypeNormal, Reason: "PersonErased", Action: "Erase",
		Regarding: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "Institution", Namespace: e.institution.Namespace,
			Name: e.institution.Name, UID: e.institution.UID,
		},
		Note: fmt.Sprintf("erased one person (%s): %d completions, %d grants, %d namespaces, %d other objects",
			e.reason, e.completions, e.grants, e.namespaces, e.objects),
	}
	if err := e.c.Create(ctx, event); err != nil {
		fmt.Fprintf(e.ErrOut, "Could not write the event that records it, so keep this output: %v\n", err)
	}
}
