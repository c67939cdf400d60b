// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apifault"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// How often it is looked again whether a namespace that may not be deleted may be by now: nothing tells when people
// label it.
const (
	refusedInterval = 10 * time.Minute
	refusedJitter   = 0.2
)

// takingAway is how far the taking away of one namespace has come. The zero value says that it has gone.
type takingAway struct {
	reason, message string
	// after is when to look again; zero if a watch will tell.
	after time.Duration
}

// takeNamespaces begins to take away the namespaces that a Grant takes, and deletes those that are due. That it has
// begun is in the status before anything goes, and the grace days count from then. How far it has come is in the
// condition Taken. It returns when to look again.
func (r *GrantReconciler) takeNamespaces(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant,
) (time.Duration, error) {
	if !plan.Takes(grant) || len(grant.Spec.Revokes.Namespaces) == 0 {
		r.passed(tenant, grant, v1alpha1.RevocationNamespaces)
		grant.Status.Revocations, grant.Status.RevocationsKnownAt = nil, nil
		meta.RemoveStatusCondition(&grant.Status.Conditions, v1alpha1.ConditionRevocationsComplete)
		return 0, nil
	}
	recorded := grant.DeepCopy()
	worst, err := r.beginToTake(ctx, grant, tenant)
	if err != nil {
		return 0, err
	}
	after := worst.after
	var failed error
	var refused []string
	for _, took := range grant.Status.Revocations {
		away := takingAway{after: plan.TakenDataEnds(grant, took).Sub(r.Clock.Now())}
		switch {
		case away.after > 0 || !alreadyTook(recorded, took):
			away = waits(took.Name, plan.TakenDataEnds(grant, took), r.Clock.Now())
		default:
			var err error
			if away, err = r.takeNamespace(ctx, grant, tenant, took); err != nil {
				away = takingAway{v1alpha1.ReasonProgressingWithRetry, took.Name + ": " + apifault.Describe(err), 0}
				failed = err
			}
		}
		if away.reason == v1alpha1.ReasonNotRevocable {
			refused = append(refused, took.Name)
		}
		after, worst = sooner(after, away.after), worse(worst, away)
	}
	// What may not be taken begins anew once it may.
	grant.Status.Revocations = slices.DeleteFunc(grant.Status.Revocations, func(took v1alpha1.NamespaceRevocation) bool {
		return slices.Contains(refused, took.Name)
	})
	r.setTaken(grant, worst)
	return after, failed
}

func worse(a, b takingAway) takingAway {
	if rankOf(b) > rankOf(a) {
		return b
	}
	return a
}

// alreadyTook reports whether the status as it was read says that the taking away has begun.
func alreadyTook(recorded *v1alpha1.Grant, took v1alpha1.NamespaceRevocation) bool {
	for i := range recorded.Status.Revocations {
		if have := &recorded.Status.Revocations[i]; have.Name == took.Name && have.SendAt == took.SendAt {
			return true
		}
	}
	return false
}

func waits(name string, until, now time.Time) takingAway {
	return takingAway{v1alpha1.ReasonAccessEnded,
		fmt.Sprintf("namespace %s is deleted after %s, if it may be", name, until.UTC().Format(time.RFC3339)),
		max(time.Second, until.Sub(now))}
}

// rankOf orders what is told of several namespaces: what people have to act upon goes first.
func rankOf(away takingAway) int {
	switch away.reason {
	case "":
		return 0
	case v1alpha1.ReasonAccessEnded:
		return 1
	case v1alpha1.ReasonTerminating:
		return 2
	case v1alpha1.ReasonProgressingWithRetry:
		return 3
	}
	return 4
}

func (r *GrantReconciler) setTaken(grant *v1alpha1.Grant, away takingAway) {
	status, reason, message := metav1.ConditionFalse, away.reason, away.message
	if reason == "" {
		status, reason, message = metav1.ConditionTrue, v1alpha1.ReasonNamespacesDeleted, "what was to be taken away has gone"
	}
	meta.SetStatusCondition(&grant.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionRevocationsComplete, Status: status, Reason: reason, Message: message,
		ObservedGeneration: grant.Generation, LastTransitionTime: metav1.NewTime(r.Clock.Now()),
	})
}

// takeNamespace deletes one namespace that is due, if everything that was read live says that it may go.
func (r *GrantReconciler) takeNamespace(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant, took v1alpha1.NamespaceRevocation,
) (takingAway, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.Live.Get(ctx, client.ObjectKey{Name: took.Name}, namespace)
	if apierrors.IsNotFound(err) {
		return takingAway{}, nil
	}
	if err != nil {
		return takingAway{}, fmt.Errorf("look at namespace %s: %w", took.Name, err)
	}
	if why, err := r.untouchable(ctx, grant, namespace); err != nil || why != "" {
		return refuse(took.Name, why), err
	}
	if !namespace.DeletionTimestamp.IsZero() {
		return takingAway{v1alpha1.ReasonTerminating,
			fmt.Sprintf("namespace %s is being deleted", took.Name), minWait}, nil
	}
	away, err := r.takenFromOther(ctx, grant, tenant, namespace, took)
	if err != nil || away.reason != "" {
		return away, err
	}
	if away, err = r.inDoubt(ctx, grant, tenant, took.Name); err != nil || away.reason != "" {
		return away, err
	}
	err = r.Client.Delete(ctx, namespace, client.Preconditions{
		UID: new(namespace.UID), ResourceVersion: new(namespace.ResourceVersion)})
	switch {
	case apierrors.IsNotFound(err):
		return takingAway{}, nil
	case apierrors.IsConflict(err):
		return takingAway{v1alpha1.ReasonTerminating,
			fmt.Sprintf("namespace %s has changed meanwhile", took.Name), staleInterval}, nil
	case err != nil:
		return takingAway{}, fmt.Errorf("delete namespace %s: %w", took.Name, err)
	}
	return takingAway{v1alpha1.ReasonTerminating, fmt.Sprintf("namespace %s is being deleted", took.Name), minWait}, nil
}

func refuse(name, why string) takingAway {
	return takingAway{v1alpha1.ReasonNotRevocable, fmt.Sprintf("namespace %s is left untouched: %s", name, why),
		wait.Jitter(refusedInterval, refusedJitter)}
}

// untouchable returns why nobody's completion may take a namespace away; empty if nothing about it says so.
func (r *GrantReconciler) untouchable(
	ctx context.Context, grant *v1alpha1.Grant, namespace *metav1.PartialObjectMetadata,
) (string, error) {
	id := grant.Spec.Holder.InstitutionID.String()
	switch {
	case plan.SystemNamespace(namespace.Name):
		return "it is a system namespace", nil
	case namespace.Labels[v1alpha1.LabelRevocable] != id:
		return fmt.Sprintf("it does not carry the label %s: %q", v1alpha1.LabelRevocable, id), nil
	case namespace.Annotations[v1alpha1.AnnotationServiceAccount] != "":
		return "it was made from a template, and goes with its grant", nil
	}
	var institutions v1alpha1.InstitutionList
	if err := r.Live.List(ctx, &institutions, client.InNamespace(namespace.Name), client.Limit(1)); err != nil {
		return "", fmt.Errorf("look for institutions in namespace %s: %w", namespace.Name, err)
	}
	if len(institutions.Items) > 0 {
		return "an institution is in it", nil
	}
	return "", nil
}

// claim is whose a namespace is, and whether it is taken from that one.
type claim struct {
	// kept says why it is not taken; it has no reason where it is.
	kept takingAway
	// from is the Grant that it is taken from, nil if no Grant made it, and until when the data stays.
	from  *v1alpha1.Grant
	until time.Time
}

// claim looks whose a namespace is, and whether it is taken from that one: of a namespace that a Grant made, the Grant
// has to be the same holder's and have it taken; any other has to be older than the completion, and has only the label
// to say which institution may take it.
func (r *GrantReconciler) claim(
	ctx context.Context, grant *v1alpha1.Grant, namespace *metav1.PartialObjectMetadata, took v1alpha1.NamespaceRevocation,
) (claim, error) {
	owner, name := namespace.Labels[v1alpha1.LabelGrant], namespace.Name
	if owner == "" {
		why, err := r.keptFromAll(ctx, grant, namespace, took)
		if err != nil || why != "" {
			return claim{kept: refuse(name, why)}, err
		}
		return claim{}, nil
	}
	found := r.requests(ctx, client.MatchingFields{indexOwnerDigest: owner})
	if len(found) == 0 {
		return claim{kept: refuse(name, "it carries the owner label of a grant that is not there")}, nil
	}
	other := &v1alpha1.Grant{}
	if err := r.Live.Get(ctx, found[0].NamespacedName, other); err != nil {
		return claim{}, fmt.Errorf("look at grant %s: %w", found[0].Name, err)
	}
	if other.Namespace != grant.Namespace {
		return claim{kept: refuse(name, "it belongs to a grant of another institution")}, nil
	}
	if other.Spec.Holder != grant.Spec.Holder {
		return claim{kept: refuse(name, "it belongs to grant "+other.Name+" of somebody else")}, nil
	}
	taking, until := plan.NamespaceTaken(other, grant, name, r.Clock.Now())
	if taking == nil {
		return claim{kept: keptBy(plan.Keeper{Grant: other, Until: until}, name, r.Clock.Now())}, nil
	}
	kept, err := r.keptByAnother(ctx, other, name)
	return claim{kept: kept, from: other, until: taking.DataEndsAt}, err
}

// keptByAnother tells of a Grant of the same holder and policy that keeps what is taken from one of them. Its result
// has no reason where there is none.
func (r *GrantReconciler) keptByAnother(ctx context.Context, from *v1alpha1.Grant, name string) (takingAway, error) {
	beside, err := r.grantsBesideOf(ctx, from, client.UnsafeDisableDeepCopy)
	if err != nil {
		return takingAway{}, err
	}
	if keeper := plan.KeptByAnother(from, beside, name, r.Clock.Now()); keeper != nil {
		return keptBy(plan.Keeper{Grant: keeper}, name, r.Clock.Now()), nil
	}
	return takingAway{}, nil
}

func keptBy(keeper plan.Keeper, name string, now time.Time) takingAway {
	switch {
	case !plan.Revocable(keeper.Grant, name):
		return refuse(name, "grant "+keeper.Grant.Name+" does not say the label "+v1alpha1.LabelRevocable)
	case keeper.Until.IsZero():
		return refuse(name, "grant "+keeper.Grant.Name+" has a later reason to keep it")
	}
	return waits(name, keeper.Until, now)
}

// takenFromOther looks whether a namespace is taken from whoever has it, and whether that is certain by now.
func (r *GrantReconciler) takenFromOther(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant, namespace *metav1.PartialObjectMetadata,
	took v1alpha1.NamespaceRevocation,
) (takingAway, error) {
	claim, err := r.claim(ctx, grant, namespace, took)
	now := r.Clock.Now()
	switch {
	case err != nil || claim.kept.reason != "":
		return claim.kept, err
	case claim.from != nil && claim.until.After(now):
		return waits(namespace.Name, claim.until, now), nil
	case claim.from == nil || !claim.from.Planned() || claim.from.UID == grant.UID:
		return takingAway{}, nil
	}
	away, err := r.inDoubt(ctx, claim.from, tenant, namespace.Name)
	if err != nil || away.reason != "" {
		return away, err
	}
	// Which Grants there are beside it was made certain only by this.
	return r.keptByAnother(ctx, claim.from, namespace.Name)
}

// keptFromAll returns why a namespace that no Grant made is not taken; empty if it is. An id that two
// Institutions are allowed to have is the label of neither.
func (r *GrantReconciler) keptFromAll(
	ctx context.Context, grant *v1alpha1.Grant, namespace *metav1.PartialObjectMetadata, took v1alpha1.NamespaceRevocation,
) (string, error) {
	switch {
	case took.SendAt != grant.Spec.Revokes.SendAt:
		// What was begun because of an older delivery is not what the newer one takes, which may still wait for the brake.
		return "taking it away has not begun because of the newest delivery", nil
	case !namespace.CreationTimestamp.Before(&grant.Spec.Revokes.SentAt):
		return "it was made after the completion", nil
	}
	id := grant.Spec.Holder.InstitutionID.String()
	var claimants v1alpha1.InstitutionList
	if err := r.Live.List(ctx, &claimants, client.MatchingFields{"spec.id": id}); err != nil {
		return "", fmt.Errorf("look who else has the institution id %s: %w", id, err)
	}
	for i := range claimants.Items {
		// Anybody who makes Institutions can claim an id, but only the cluster's own people allow it.
		if claimants.Items[i].Namespace != grant.Namespace && isAllowed(&claimants.Items[i]) {
			return "an Institution in another namespace has the id " + id + " too: only one may have it", nil
		}
	}
	return "", nil
}

// inDoubt tells of what may change the plan that a namespace is deleted under.
func (r *GrantReconciler) inDoubt(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant, name string,
) (takingAway, error) {
	doubt, err := r.doubt(ctx, grant, tenant)
	if err != nil || doubt == "" {
		return takingAway{}, err
	}
	return takingAway{v1alpha1.ReasonAccessEnded, fmt.Sprintf("namespace %s stays for now: %s", name, doubt), minWait}, nil
}
