// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apply puts what a Grant says into the cluster, and takes it away again. It takes no decision: what is to be,
// and when, is worked out by package plan.
//
// It never takes over what it did not make: everything carries the owner label of its Grant, the first write of an
// object is one that fails where something of that name exists, and later writes and deletions carry the uid. What the
// Grant did not record by its uid is its own only as long as nobody else can set that label.
package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// FieldOwner is the field manager of everything that is provisioned.
const FieldOwner = client.FieldOwner("completion-controller-manager")

// IndexGrant is the name of the index, on every kind of Kinds, of the owner label.
const IndexGrant = "grant"

// IndexOwnerDigest is the name of the index, on Grants, of the owner label that what they provision carries.
const IndexOwnerDigest = "ownerDigest"

// absent makes a server-side apply create what is not there and fail with a conflict on what is: no object has this
// version.
const absent = "1"

// ConflictError means that something of the name exists and is not the Grant's. It was left untouched.
type ConflictError struct {
	Kind, Namespace, Name string
	// Owner is the owner label, or that of a templated object, empty without one.
	Owner string
	// Holder is the name of the Grant that has it, where it is one of the same namespace: others are none of its business.
	Holder string
	// Doubt says why the label, which is that of the Grant itself, does not show that the Grant made it.
	Doubt string
}

func conflictOf(kind string, have client.Object) *ConflictError {
	labels := have.GetLabels()
	return &ConflictError{
		Kind: kind, Namespace: have.GetNamespace(), Name: have.GetName(),
		Owner: cmp.Or(labels[v1alpha1.LabelGrant], labels[v1alpha1.LabelAppliedFor]),
	}
}

// Error says what stands in the way, and whose it is.
func (e *ConflictError) Error() string {
	where := e.Name
	if e.Namespace != "" {
		where = e.Namespace + "/" + e.Name
	}
	switch {
	case e.Doubt != "":
		return fmt.Sprintf("%s %s was not changed: the grant has no record of creating it, and its label %s cannot be "+
			"trusted, because %s; a cluster administrator must remove the label from objects that are not the grant's, and "+
			"then apply config/admission again", e.Kind, where, v1alpha1.LabelGrant, e.Doubt)
	case e.Holder != "":
		return fmt.Sprintf("%s %s belongs to grant %s; it was not changed", e.Kind, where, e.Holder)
	case e.Owner != "":
		return fmt.Sprintf("%s %s has the label of another grant; it was not changed", e.Kind, where)
	}
	return fmt.Sprintf("%s %s already exists and was not created by a grant; it was not changed", e.Kind, where)
}

// TerminatingError means that an object of the Grant is being deleted: it has to be gone before it can be made anew.
type TerminatingError struct{ Kind, Name string }

// Error says what is going.
func (e *TerminatingError) Error() string {
	return fmt.Sprintf("%s %s is being deleted and will be created again once it is gone", e.Kind, e.Name)
}

// Applier provisions and revokes. It reads from a cache of what carries an owner label, so that an unchanged
// Grant costs no request.
type Applier struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Accounts acts as the ServiceAccounts of policies, for templated objects.
	Accounts *Accounts
	// Label knows whether the owner label can be believed.
	Label *OwnerLabel
	// Namespaces is what the installation puts into every granted namespace.
	Namespaces installation.Namespaces
	// Sharers are the other Grants of the same holder and policy.
	Sharers []lifecycle.Sharer
	// Held are RoleBindings that stay as they are for now.
	Held Losing
}

// Provision puts everything that the Grant says into the cluster and takes away what it no longer says, except for
// namespaces, which hold data and go with EndData. It returns the inventory, also along with an error: what is there
// is there.
func (a *Applier) Provision(
	ctx context.Context, grant *v1alpha1.Grant,
) (inventory []v1alpha1.InventoryEntry, err error) {
	defer func() { a.nameHolder(ctx, grant, err) }()
	wanted, planned := map[string]bool{}, []v1alpha1.InventoryEntry(nil)
	objects, err := a.objectsOf(ctx, grant)
	if err != nil {
		return grant.Status.Inventory, err
	}
	for i := range objects {
		entry := entryOf(objects[i].group, objects[i].kind, objects[i].want, "")
		wanted[identity(entry)] = true
		planned = append(planned, entry)
	}
	known, err := a.room(ctx, grant, wanted, planned)
	if err != nil {
		return known, err
	}
	for from, to := 0, 0; from < len(objects); from = to {
		to = from + together(objects[from:])
		uids, failed := a.ensureAll(ctx, grant, objects[from:to])
		for i, uid := range uids {
			if failed[i] == nil {
				planned[from+i].UID = string(uid)
				inventory = append(inventory, planned[from+i])
			}
		}
		if i := slices.IndexFunc(failed, func(err error) bool { return err != nil }); i >= 0 {
			return merge(known, inventory), failed[i]
		}
	}
	standing := grant.DeepCopy()
	standing.Status.Inventory = merge(known, inventory)
	rest, err := a.prune(ctx, standing, wanted)
	return merge(inventory, rest), err
}

// objectsOf returns what a Grant is to have in its namespaces, without what is as another Grant says that shares it.
func (a *Applier) objectsOf(ctx context.Context, grant *v1alpha1.Grant) ([]owned, error) {
	var objects []owned
	s := a.shared()
	for i := range grant.Spec.Namespaces {
		for _, object := range objectsOf(grant, &grant.Spec.Namespaces[i], &a.Namespaces) {
			entry := entryOf(object.group, object.kind, object.want, "")
			if a.Held[identity(entry)] {
				continue
			}
			if !s.goesBefore(entry) {
				objects = append(objects, object)
			} else if err := a.inPlace(ctx, grant, s, &object); err != nil {
				return nil, err
			}
		}
	}
	return objects, nil
}

func keptOf(inventory []v1alpha1.InventoryEntry, wanted map[string]bool) []v1alpha1.InventoryEntry {
	return slices.DeleteFunc(slices.Clone(inventory), func(e v1alpha1.InventoryEntry) bool { return !wanted[identity(e)] })
}

// nameHolder says in a ConflictError which Grant has what stands in the way, if it is one of the same namespace.
func (a *Applier) nameHolder(ctx context.Context, grant *v1alpha1.Grant, err error) {
	conflict, ok := errors.AsType[*ConflictError](err)
	if !ok || conflict.Owner == "" {
		return
	}
	var holders v1alpha1.GrantList
	// It is only said for people: without it, they are told that it is another Grant.
	err = a.Client.List(ctx, &holders, client.MatchingFields{IndexOwnerDigest: conflict.Owner})
	if err == nil && len(holders.Items) > 0 && holders.Items[0].Namespace == grant.Namespace {
		conflict.Holder = holders.Items[0].Name
	}
}

// together returns how many of the first objects can be made at the same time: a namespace comes before what bounds it,
// and that before who has access to it.
func together(objects []owned) int {
	first := &objects[0]
	for i := range objects {
		if objects[i].want.GetNamespace() != first.want.GetNamespace() ||
			(objects[i].group == rbacv1.GroupName) != (first.group == rbacv1.GroupName) {
			return i
		}
	}
	return len(objects)
}

// ensureAll makes objects as they should be, all at the same time: each is a request to the API server, and somebody
// waits for access. It returns the uid or the error of each.
func (a *Applier) ensureAll(
	ctx context.Context, grant *v1alpha1.Grant, objects []owned,
) (uids []types.UID, failed []error) {
	uids, failed = make([]types.UID, len(objects)), make([]error, len(objects))
	var all sync.WaitGroup
	for i := range objects {
		all.Go(func() { uids[i], failed[i] = a.ensure(ctx, grant, &objects[i]) })
	}
	all.Wait()
	return uids, failed
}

// ensure makes one object as it should be and returns its uid.
func (a *Applier) ensure(ctx context.Context, grant *v1alpha1.Grant, object *owned) (types.UID, error) {
	have, err := a.current(ctx, grant, entryOf(object.group, object.kind, object.want, ""), object.empty)
	if apierrors.IsNotFound(err) {
		uid, applyErr := a.write(ctx, object, absent, "")
		if !apierrors.IsConflict(applyErr) {
			return uid, applyErr
		}
		// Something is there that the cache does not show: somebody else's, or our own that the cache has yet to see.
		have = object.empty()
		err = a.Live.Get(ctx, object.key(), have)
	}
	switch {
	case err != nil:
		return "", err
	case !labelled(have, grant.OwnerDigest()):
		if from := a.shared().grants[have.GetLabels()[v1alpha1.LabelGrant]]; from != nil {
			return a.takeOver(ctx, object, from)
		}
		return "", conflictOf(object.kind, have)
	case !have.GetDeletionTimestamp().IsZero():
		return "", &TerminatingError{Kind: object.kind, Name: have.GetName()}
	}
	if err := a.believe(ctx, grant, object.group, object.kind, have); err != nil {
		return "", err
	}
	if object.same(have) {
		return have.GetUID(), nil
	}
	return a.write(ctx, object, "", have.GetUID())
}

// current reads an object from the cache, and, where that shows another one than the Grant has recorded, or none, from
// the API server: the cache is behind, or the status is.
func (a *Applier) current(
	ctx context.Context, grant *v1alpha1.Grant, entry v1alpha1.InventoryEntry, empty func() client.Object,
) (client.Object, error) {
	key, have, uid := client.ObjectKey{Namespace: *entry.Namespace, Name: entry.Name}, empty(), ""
	err := a.Client.Get(ctx, key, have)
	if err == nil {
		uid = string(have.GetUID())
	} else if !apierrors.IsNotFound(err) {
		return nil, err
	}
	if uid == recordedUID(grant, entry) {
		return have, err
	}
	have = empty()
	return have, a.Live.Get(ctx, key, have)
}

// believe returns a ConflictError unless an object that carries the Grant's owner label is the Grant's: it has recorded
// it, or nobody else can have set the label.
func (a *Applier) believe(ctx context.Context, grant *v1alpha1.Grant, group, kind string, have client.Object) error {
	entry := entryOf(group, kind, have, have.GetUID())
	if slices.ContainsFunc(grant.Status.Inventory, func(e v1alpha1.InventoryEntry) bool { return recorded(e, entry) }) {
		return nil
	}
	doubt, err := a.Label.Doubt(ctx)
	if err != nil || doubt == "" {
		return err
	}
	conflict := conflictOf(kind, have)
	conflict.Doubt = doubt
	return conflict
}

func (a *Applier) write(ctx context.Context, object *owned, resourceVersion string, uid types.UID) (types.UID, error) {
	config := object.config(resourceVersion, uid)
	if err := a.Client.Apply(ctx, config, FieldOwner, client.ForceOwnership); err != nil {
		return "", err
	}
	// The client leaves the server's answer in the configuration.
	answer := metav1.PartialObjectMetadata{}
	decode(config, &answer)
	return answer.UID, nil
}

// prune deletes what the Grant has and no longer says, and returns what of it is still there. Namespaces hold data and
// stay, with what bounds them, until the Grant's data goes; whether the access to them stays is what onPolicyRemoval
// says.
func (a *Applier) prune(
	ctx context.Context, grant *v1alpha1.Grant, wanted map[string]bool,
) ([]v1alpha1.InventoryEntry, error) {
	have, err := a.inventory(ctx, grant, everything)
	if err != nil {
		return grant.Status.Inventory, err
	}
	kept := map[string]bool{}
	for i := range grant.Spec.Namespaces {
		kept[grant.Spec.Namespaces[i].Name] = true
	}
	s := a.shared()
	var rest []v1alpha1.InventoryEntry
	for _, entry := range have {
		if wanted[identity(entry)] {
			continue
		}
		stays := !kept[*entry.Namespace] && !accessGoes(grant, entry) && !s.keeps(entry)
		if entry.ServiceAccountName != "" || stays || a.Held[identity(entry)] {
			rest = append(rest, entry)
			continue
		}
		gone, err := a.remove(ctx, grant, entry)
		if err != nil {
			return have, err
		}
		if !gone {
			rest = append(rest, entry)
		}
	}
	return rest, nil
}

// EndAccess deletes what gives the holder access. It returns what is left of the inventory.
func (a *Applier) EndAccess(ctx context.Context, grant *v1alpha1.Grant) ([]v1alpha1.InventoryEntry, error) {
	s := a.shared()
	return a.removeAll(ctx, grant, func(e v1alpha1.InventoryEntry) bool { return isAccess(e) || s.keeps(e) })
}

// EndData deletes everything that the Grant provisioned. It returns what is not gone yet. What is in a namespace goes
// with it and not before: what bounds and isolates it holds as long as something runs in there, and what was templated
// goes whatever its ServiceAccount may do by then.
func (a *Applier) EndData(ctx context.Context, grant *v1alpha1.Grant) ([]v1alpha1.InventoryEntry, error) {
	inside := func(e v1alpha1.InventoryEntry) bool { return !isAccess(e) && !isNamespace(e) }
	left, err := a.removeAll(ctx, grant, func(e v1alpha1.InventoryEntry) bool { return !inside(e) })
	if err != nil {
		return left, err
	}
	going, s := map[string]bool{}, a.shared()
	for _, entry := range left {
		going[entry.Name] = going[entry.Name] || isNamespace(entry) && !s.keeps(entry)
	}
	standing := grant.DeepCopy()
	standing.Status.Inventory = left
	return a.removeAll(ctx, standing, func(e v1alpha1.InventoryEntry) bool { return inside(e) && !going[*e.Namespace] })
}

// removeAll deletes what is chosen, and returns what is left. One object that cannot be deleted does not hold up the
// others.
func (a *Applier) removeAll(
	ctx context.Context, grant *v1alpha1.Grant, chosen func(v1alpha1.InventoryEntry) bool,
) ([]v1alpha1.InventoryEntry, error) {
	have, err := a.inventory(ctx, grant, everything)
	if err != nil {
		return grant.Status.Inventory, err
	}
	var rest []v1alpha1.InventoryEntry
	var failed []error
	for _, entry := range have {
		gone := false
		if chosen(entry) {
			if gone, err = a.remove(ctx, grant, entry); err != nil {
				failed = append(failed, err)
			}
		}
		if !gone {
			rest = append(rest, entry)
		}
	}
	return rest, errors.Join(failed...)
}

// remove deletes one object of the Grant, and reports whether it is gone. What does not carry the Grant's label, or has
// another uid, is somebody else's: it counts as gone and is left alone. What another Grant entitles to is left to it.
func (a *Applier) remove(ctx context.Context, grant *v1alpha1.Grant, entry v1alpha1.InventoryEntry) (bool, error) {
	if a.shared().keeps(entry) {
		return a.leave(ctx, grant, entry)
	}
	if entry.ServiceAccountName != "" {
		return a.removeTemplated(ctx, grant, entry)
	}
	return a.removeIf(ctx, entry, func(object client.Object) bool { return labelled(object, grant.OwnerDigest()) })
}

// removeIf deletes an object with the operator's own rights, if it is the one that the entry says and the Grant's.
func (a *Applier) removeIf(
	ctx context.Context, entry v1alpha1.InventoryEntry, ours func(client.Object) bool,
) (bool, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(versionOf(entry))
	key := client.ObjectKey{Namespace: *entry.Namespace, Name: entry.Name}
	err := a.Live.Get(ctx, key, object)
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, err
	case another(object, entry) || !ours(object):
		return true, nil
	case !object.DeletionTimestamp.IsZero():
		return false, nil
	}
	err = a.Client.Delete(ctx, object, client.Preconditions{UID: &object.UID})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	// A namespace takes its time; everything else that we make is gone at once.
	return !isNamespace(entry), nil
}

// versionOf returns the version in which an object of the inventory is read and deleted: every kind of Kinds is a v1.
func versionOf(entry v1alpha1.InventoryEntry) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: *entry.Group, Version: "v1", Kind: entry.Kind}
}

// RevokeAccess deletes what gives access in namespaces that were taken away from the Grant. It returns what is left of
// the inventory, without what has gone together with such a namespace.
func (a *Applier) RevokeAccess(
	ctx context.Context, grant *v1alpha1.Grant, namespaces []string,
) ([]v1alpha1.InventoryEntry, error) {
	inside := func(e v1alpha1.InventoryEntry) bool { return slices.Contains(namespaces, *e.Namespace) }
	left, err := a.removeAll(ctx, grant, func(e v1alpha1.InventoryEntry) bool { return isAccess(e) && inside(e) })
	if err != nil {
		return left, err
	}
	for _, name := range namespaces {
		of := func(e v1alpha1.InventoryEntry) bool { return *e.Namespace == name || isNamespace(e) && e.Name == name }
		if !slices.ContainsFunc(left, of) {
			continue
		}
		gone, err := a.goneFrom(ctx, grant, name)
		if err != nil {
			return left, fmt.Errorf("get revoked namespace %s: %w", name, err)
		}
		if gone {
			left = slices.DeleteFunc(left, of)
		}
	}
	return left, nil
}

// goneFrom reports whether a namespace has gone, or one of that name is somebody else's by now.
func (a *Applier) goneFrom(ctx context.Context, grant *v1alpha1.Grant, name string) (bool, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := a.Live.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return err == nil && !labelled(namespace, grant.OwnerDigest()), err
}
