// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// SharedError means that what a Grant names together with another one of the same holder and policy is that one's to
// make, or to take over, and that it has not done so yet.
type SharedError struct{ Kind, Name, Grant string }

// Error says what is waited for.
func (e *SharedError) Error() string {
	return fmt.Sprintf("%s %s is shared with grant %s of the same user and policy, which has not provisioned it yet",
		e.Kind, e.Name, e.Grant)
}

// shared is what the Grants of one holder and one policy name together, seen from one of them.
type shared struct {
	// grants are the others, by their owner labels.
	grants map[string]*v1alpha1.Grant
	// named has, by identity, the other Grant that entitles to an object: the first one, where several do.
	named map[string]lifecycle.Sharer
}

func (a *Applier) shared() shared {
	if len(a.Sharers) == 0 {
		return shared{}
	}
	s := shared{grants: map[string]*v1alpha1.Grant{}, named: map[string]lifecycle.Sharer{}}
	for _, sharer := range a.Sharers {
		s.grants[sharer.Grant.OwnerDigest()] = sharer.Grant
		if !sharer.Active {
			continue
		}
		for _, id := range a.identities(sharer.Grant) {
			if _, found := s.named[id]; !found {
				s.named[id] = sharer
			}
		}
	}
	return s
}

// identities returns everything that a Grant says.
func (a *Applier) identities(grant *v1alpha1.Grant) []string {
	var ids []string
	for i := range grant.Spec.Namespaces {
		objects := objectsOf(grant, &grant.Spec.Namespaces[i], &a.Namespaces)
		for j := range objects {
			ids = append(ids, identity(entryOf(objects[j].group, objects[j].kind, objects[j].want, "")))
		}
	}
	objects, err := templatedOf(grant)
	if err != nil {
		// Nothing of it is applied.
		return ids
	}
	for i := range objects {
		ids = append(ids, identity(objects[i].entry))
	}
	return ids
}

// keeps reports whether another Grant entitles to an object: it is not deleted, only left to that one.
func (s shared) keeps(entry v1alpha1.InventoryEntry) bool {
	_, found := s.named[identity(entry)]
	return found
}

// goesBefore reports whether an object is as another Grant says.
func (s shared) goesBefore(entry v1alpha1.InventoryEntry) bool {
	return s.named[identity(entry)].Before
}

// SharedNamespaces returns the namespaces of a Grant that another one has in place, each with the name of that one.
func (a *Applier) SharedNamespaces(grant *v1alpha1.Grant) map[string]string {
	names := map[string]string{}
	s := a.shared()
	for i := range grant.Spec.Namespaces {
		name := grant.Spec.Namespaces[i].Name
		if sharer := s.named[identity(namespaceEntry(name))]; sharer.Before {
			names[name] = sharer.Grant.Name
		}
	}
	return names
}

// SharedObjects tells what is as another Grant says, and changes when that does.
func (a *Applier) SharedObjects() string {
	s := a.shared()
	var told []string
	for id, sharer := range s.named {
		if sharer.Before {
			told = append(told, id+"="+sharer.Grant.Name)
		}
	}
	slices.Sort(told)
	return strings.Join(told, " ")
}

func namespaceEntry(name string) v1alpha1.InventoryEntry {
	return v1alpha1.InventoryEntry{Group: new(""), Kind: "Namespace", Namespace: new(""), Name: name}
}

// inPlace returns an error unless a namespace that another Grant goes before in is there, and theirs.
func (a *Applier) inPlace(ctx context.Context, grant *v1alpha1.Grant, s shared, object *owned) error {
	entry := entryOf(object.group, object.kind, object.want, "")
	if !isNamespace(entry) {
		return nil
	}
	have := object.empty()
	err := a.Client.Get(ctx, object.key(), have)
	owner := have.GetLabels()[v1alpha1.LabelGrant]
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return err
	case err == nil && !have.GetDeletionTimestamp().IsZero():
		return &TerminatingError{Kind: object.kind, Name: entry.Name}
	case err != nil, owner == grant.OwnerDigest():
		return &SharedError{object.kind, entry.Name, s.named[identity(entry)].Grant.Name}
	case s.grants[owner] == nil:
		return conflictOf(object.kind, have)
	}
	return nil
}

// takeOver makes an object the Grant's that another Grant has which shares it, and no longer entitles, or comes after
// it.
func (a *Applier) takeOver(
	ctx context.Context, object *owned, from *v1alpha1.Grant,
) (types.UID, error) {
	have := object.empty()
	err := a.Live.Get(ctx, object.key(), have)
	switch {
	case err != nil:
		return "", err
	case !labelled(have, from.OwnerDigest()):
		return "", conflictOf(object.kind, have)
	case !have.GetDeletionTimestamp().IsZero():
		return "", &TerminatingError{Kind: object.kind, Name: have.GetName()}
	}
	if err := a.believe(ctx, from, object.group, object.kind, have); err != nil {
		return "", err
	}
	return a.write(ctx, object, have.GetResourceVersion(), have.GetUID())
}

// leave reports whether a Grant has nothing to do any more with an object that it leaves to another one: that one has
// taken it over, or it has gone.
func (a *Applier) leave(ctx context.Context, grant *v1alpha1.Grant, entry v1alpha1.InventoryEntry) (bool, error) {
	if entry.ServiceAccountName != "" {
		return a.asAccount(ctx, grant, entry, leaveTemplated)
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(versionOf(entry))
	err := a.Live.Get(ctx, client.ObjectKey{Namespace: *entry.Namespace, Name: entry.Name}, object)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return err == nil && (another(object, entry) || !labelled(object, grant.OwnerDigest())), err
}

// made reports whether a templated object is that of another Grant that shares it.
func (s shared) made(object client.Object) bool {
	from := s.grants[object.GetLabels()[v1alpha1.LabelAppliedFor]]
	return from != nil && madeBy(object, from)
}

// AwaitedBy returns, as a SharedError, what of an inventory another Grant is about to take over; nil where that is
// nothing.
func (a *Applier) AwaitedBy(inventory []v1alpha1.InventoryEntry) error {
	s := a.shared()
	for _, entry := range inventory {
		if s.keeps(entry) {
			name := strings.TrimPrefix(*entry.Namespace+"/"+entry.Name, "/")
			return &SharedError{entry.Kind, name, s.named[identity(entry)].Grant.Name}
		}
	}
	return nil
}

// Left reports whether everything that is left of a Grant is what another one is about to take over.
func (a *Applier) Left(inventory []v1alpha1.InventoryEntry) error {
	s := a.shared()
	if slices.ContainsFunc(inventory, func(e v1alpha1.InventoryEntry) bool { return !s.keeps(e) }) {
		return nil
	}
	return a.AwaitedBy(inventory)
}
