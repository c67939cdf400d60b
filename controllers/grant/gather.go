// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
)

// look is one look at a Grant: what was gathered for it, and what came of what is done beside its main part.
type look struct {
	// Facts are what is decided with. The status of their Grant becomes what is told.
	lifecycle.Facts
	// before is the Grant as it was read.
	before *v1alpha1.Grant
	// tenant is the institution; nil where it cannot be worked with.
	tenant *kube.Tenant
	// beside are what grantsBesideOf returns.
	beside  []v1alpha1.Grant
	applier *apply.Applier

	// after and failed are those of every aside.
	after  time.Duration
	failed error
}

// gather reads what a look needs, once. Only what has to be read later is: see seatsOf, endData, and what is read live
// before a deletion.
func (r *Reconciler) gather(ctx context.Context, grant *v1alpha1.Grant) (*look, error) {
	institution, tenant, err := r.institution(ctx, grant)
	if err != nil {
		return nil, err
	}
	beside, err := r.grantsBesideOf(ctx, grant)
	if err != nil {
		return nil, err
	}
	return &look{
		Facts: lifecycle.Facts{Grant: grant, Institution: institution,
			Admitted: map[v1alpha1.RevocationType]bool{}, Now: r.Clock.Now()},
		before: grant.DeepCopy(), tenant: tenant, beside: beside, applier: r.applier(grant, beside),
	}, nil
}

// aside adds when to look again, and what has to be repeated, because of something that the condition Ready does not
// tell of.
func (l *look) aside(after time.Duration, err error) {
	l.after, l.failed = kube.Sooner(l.after, after), errors.Join(l.failed, err)
}

// applier returns what provisions a Grant and ends it, with regard to the Grants beside it.
func (r *Reconciler) applier(grant *v1alpha1.Grant, beside []v1alpha1.Grant) *apply.Applier {
	return &apply.Applier{
		Client: r.Client, Live: r.Live, Accounts: r.Accounts, Label: r.Label, Namespaces: r.Namespaces,
		Sharers: lifecycle.SharersOf(grant, beside, r.Clock.Now()),
	}
}

// institution returns what is known of the Grant's institution, and the Institution itself where it can be worked with.
func (r *Reconciler) institution(
	ctx context.Context, grant *v1alpha1.Grant,
) (lifecycle.Institution, *kube.Tenant, error) {
	tenant, err := kube.InstitutionOf(ctx, r.Client, grant.Namespace, grant.Spec.Holder.InstitutionID)
	if problem, ok := errors.AsType[*kube.InstitutionProblem](err); ok {
		return lifecycle.Institution{Unknown: errors.Is(err, kube.ErrNotLookedAt),
			Reason: problem.Reason, Message: problem.Message}, nil, nil
	}
	if err != nil {
		return lifecycle.Institution{}, nil, err
	}
	return lifecycle.Institution{Suspended: tenant.Suspended()}, tenant, nil
}

// grantsBesideOf returns the Grants of the same holder, the Grant itself among them, as the cache has them. They must
// not be changed.
func (r *Reconciler) grantsBesideOf(ctx context.Context, grant *v1alpha1.Grant) ([]v1alpha1.Grant, error) {
	var grants v1alpha1.GrantList
	err := r.Client.List(ctx, &grants, client.UnsafeDisableDeepCopy, client.InNamespace(grant.Namespace),
		client.MatchingFields{index.GrantHolder: index.HolderKey(grant.Spec.Holder.InstitutionID, grant.Spec.Holder.UserID)})
	if err != nil {
		return nil, fmt.Errorf("list grants of the holder: %w", err)
	}
	return grants.Items, nil
}

// seatsOf returns the seats that a Grant has, by pool. They are not gathered, since pools give and free them meanwhile:
// read after what takes time, they save telling of a wait that is over by then.
func (r *Reconciler) seatsOf(
	ctx context.Context, grant *v1alpha1.Grant,
) (map[v1alpha1.LocalName]*v1alpha1.Seat, error) {
	var seats v1alpha1.SeatList
	err := r.Client.List(ctx, &seats, client.InNamespace(grant.Namespace),
		client.MatchingFields{index.SeatGrant: grant.Name})
	if err != nil {
		return nil, fmt.Errorf("list seats: %w", err)
	}
	held := map[v1alpha1.LocalName]*v1alpha1.Seat{}
	for i := range seats.Items {
		held[seats.Items[i].Spec.Pool] = &seats.Items[i]
	}
	return held, nil
}

// namespace reads a namespace that a Grant revokes, live, and whose it is.
func (r *Reconciler) namespace(
	ctx context.Context, grant *v1alpha1.Grant, name string,
) (lifecycle.NamespaceFacts, error) {
	facts := lifecycle.NamespaceFacts{Name: name}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.Live.Get(ctx, client.ObjectKey{Name: name}, object)
	if apierrors.IsNotFound(err) {
		return facts, nil
	}
	if err != nil {
		return facts, fmt.Errorf("get namespace %s: %w", name, err)
	}
	facts.Object = object
	if lifecycle.UntouchableByMetadata(grant, facts) {
		return facts, nil
	}
	err = r.lookInto(ctx, grant, &facts)
	return facts, err
}

// lookInto reads what is in a namespace, and whose it is, after the namespace itself: the deletion names the version
// that was read. A list waits until the API server knows that it shows the latest, so those that say nothing of each
// other are made at the same time.
func (r *Reconciler) lookInto(ctx context.Context, grant *v1alpha1.Grant, facts *lifecycle.NamespaceFacts) error {
	going, owner := !facts.Object.DeletionTimestamp.IsZero(), facts.Object.Labels[v1alpha1.LabelGrant]
	var reads errgroup.Group
	reads.Go(func() error {
		var inside v1alpha1.InstitutionList
		if err := r.Live.List(ctx, &inside, client.InNamespace(facts.Name), client.Limit(1)); err != nil {
			return fmt.Errorf("look for institutions in namespace %s: %w", facts.Name, err)
		}
		facts.HoldsInstitution = len(inside.Items) > 0
		return nil
	})
	if !going && owner == "" {
		reads.Go(func() (err error) {
			facts.Contested, err = r.contested(ctx, grant)
			return err
		})
	}
	if err := reads.Wait(); err != nil || going || owner == "" || facts.HoldsInstitution {
		return err
	}
	return r.ownerOf(ctx, owner, facts)
}

// ownerOf finds the Grant that an owner label names, and those beside it. The Grant itself is read live.
func (r *Reconciler) ownerOf(ctx context.Context, label string, facts *lifecycle.NamespaceFacts) error {
	found := r.requests(ctx, client.MatchingFields{index.OwnerDigest: label})
	if len(found) == 0 {
		return nil
	}
	owner := &v1alpha1.Grant{}
	if err := r.Live.Get(ctx, found[0].NamespacedName, owner); err != nil {
		return fmt.Errorf("get grant %s: %w", found[0].Name, err)
	}
	beside, err := r.grantsBesideOf(ctx, owner)
	facts.Owner, facts.BesideOwner = owner, beside
	return err
}

// contested reports whether an Institution in another namespace is allowed to have the same id. Anybody who makes
// Institutions can claim one, but only the cluster's own people allow it.
func (r *Reconciler) contested(ctx context.Context, grant *v1alpha1.Grant) (bool, error) {
	id := grant.Spec.Holder.InstitutionID.String()
	var claimants v1alpha1.InstitutionList
	if err := r.Live.List(ctx, &claimants, client.MatchingFields{"spec.id": id}); err != nil {
		return false, fmt.Errorf("list institutions with id %s: %w", id, err)
	}
	for i := range claimants.Items {
		if claimants.Items[i].Namespace != grant.Namespace && kube.IsAllowed(&claimants.Items[i]) {
			return true, nil
		}
	}
	return false, nil
}

// confirm reads everything that may bring a planned Grant back, right before its data is deleted, in the order that
// Confirmation demands.
func (r *Reconciler) confirm(
	ctx context.Context, grant *v1alpha1.Grant, tenant *kube.Tenant,
) (*lifecycle.Confirmation, error) {
	policy := &v1alpha1.CompletionPolicy{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: grant.Namespace, Name: string(grant.Spec.Policy)}, policy)
	if apierrors.IsNotFound(err) {
		policy = nil
	} else if err != nil {
		return nil, fmt.Errorf("get policy: %w", err)
	}
	key := client.ObjectKeyFromObject(grant)
	read := &lifecycle.Confirmation{Planned: r.Plans.Current(key, memory.BasisOf(tenant.Institution, policy))}
	if !read.Planned {
		return read, nil
	}
	holder := grant.Spec.Holder
	var completions v1alpha1.CourseCompletionList
	err = r.Live.List(ctx, &completions, client.InNamespace(grant.Namespace), client.MatchingFields{
		"spec.institution.id": holder.InstitutionID.String(), "spec.user.id": holder.UserID.String()})
	if err != nil {
		return nil, fmt.Errorf("list completions: %w", err)
	}
	read.Completions = completions.Items
	if read.Known, err = r.grantsBesideOf(ctx, grant); err != nil {
		return nil, err
	}
	var reads errgroup.Group
	reads.Go(func() (err error) {
		read.Current, err = r.liveGrant(ctx, key)
		return err
	})
	reads.Go(func() (err error) {
		read.Alike, err = r.liveAlike(ctx, grant)
		return err
	})
	return read, reads.Wait()
}

// liveGrant reads a Grant live; nil where it has gone.
func (r *Reconciler) liveGrant(ctx context.Context, key client.ObjectKey) (*v1alpha1.Grant, error) {
	grant := &v1alpha1.Grant{}
	err := r.Live.Get(ctx, key, grant)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the grant: %w", err)
	}
	return grant, nil
}

// liveAlike reads the Grants of the same holder and policy live.
func (r *Reconciler) liveAlike(ctx context.Context, grant *v1alpha1.Grant) ([]v1alpha1.Grant, error) {
	holder := grant.Spec.Holder
	var alike v1alpha1.GrantList
	err := r.Live.List(ctx, &alike, client.InNamespace(grant.Namespace), client.MatchingFields{
		"spec.policy":               string(grant.Spec.Policy),
		"spec.holder.institutionID": holder.InstitutionID.String(), "spec.holder.userID": holder.UserID.String()})
	if err != nil {
		return nil, fmt.Errorf("list grants of the same holder and policy: %w", err)
	}
	return alike.Items, nil
}
