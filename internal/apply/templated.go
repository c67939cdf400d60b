// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// templated is an object that a policy's template made. It is applied, read and deleted as the policy's ServiceAccount,
// so that nothing can be done through a policy that the ServiceAccount could not do.
type templated struct {
	// want holds the fields that the operator owns and no others.
	want *unstructured.Unstructured
	// entry has no uid yet.
	entry v1alpha1.InventoryEntry
	// What follows is known once it has been looked at: who acts, how the kind is served, and what is there, nil if
	// nothing is.
	as      client.Client
	mapping *meta.RESTMapping
	have    *unstructured.Unstructured
}

func (t *templated) key() client.ObjectKey { return client.ObjectKeyFromObject(t.want) }

func templatedOf(grant *v1alpha1.Grant) ([]templated, error) {
	objects := make([]templated, 0, len(grant.Spec.Objects))
	for i := range grant.Spec.Objects {
		want := &unstructured.Unstructured{}
		if err := json.Unmarshal(grant.Spec.Objects[i].Object.Raw, want); err != nil {
			return nil, fmt.Errorf("decode spec.objects[%d]: %w", i, err)
		}
		applied := digest(want)
		want.SetLabels(with(want.GetLabels(), map[string]string{v1alpha1.LabelAppliedFor: grant.OwnerDigest()}))
		want.SetAnnotations(with(want.GetAnnotations(), map[string]string{
			v1alpha1.AnnotationGrant:          grant.Namespace + "/" + grant.Name,
			v1alpha1.AnnotationServiceAccount: string(grant.Spec.ServiceAccountName),
			annotationApplied:                 applied,
		}))
		entry := entryOf(want.GroupVersionKind().Group, want.GetKind(), want, "")
		entry.ServiceAccountName = grant.Spec.ServiceAccountName
		objects = append(objects, templated{want: want, entry: entry})
	}
	return objects, nil
}

// templatedOf returns the templated objects of a Grant, without those that are as another Grant says that shares them.
func (a *Applier) templatedOf(grant *v1alpha1.Grant) ([]templated, error) {
	objects, err := templatedOf(grant)
	s := a.shared()
	return slices.DeleteFunc(objects, func(t templated) bool { return s.goesBefore(t.entry) }), err
}

func with(pairs, more map[string]string) map[string]string {
	if pairs == nil {
		return more
	}
	maps.Copy(pairs, more)
	return pairs
}

// Versions are the resourceVersions of templated objects as they were last seen to be right, by identity.
type Versions map[string]string

// ProvisionObjects applies the templated objects of a Grant and deletes those that it no longer says, each as the
// ServiceAccount that it is recorded with. It returns the inventory and the versions of what is as it should be, also
// along with errors: one object that fails does not hold up the others. An object that still has the version of known
// is not compared again.
//
// Record writes an inventory to the status of the Grant. It is called at most once, before anything that the status
// does not record yet is made: no cache shows these objects, so only what is recorded is found again after a crash.
func (a *Applier) ProvisionObjects(
	ctx context.Context, grant *v1alpha1.Grant, known Versions, record func([]v1alpha1.InventoryEntry) error,
) (inventory []v1alpha1.InventoryEntry, versions Versions, err error) {
	defer func() { a.nameHolder(ctx, grant, err) }()
	objects, err := a.templatedOf(grant)
	if err != nil {
		return grant.Status.Inventory, nil, err
	}
	inventory, failed := grant.Status.Inventory, []error(nil)
	wanted := map[string]bool{}
	versions = Versions{}
	for i := range objects {
		wanted[identity(objects[i].entry)] = true
	}
	found, errs := a.look(ctx, grant, objects)
	failed = append(failed, errs...)
	if missing := unrecorded(inventory, found); len(missing) > 0 {
		if len(merge(inventory, missing)) > maxInventory {
			if inventory, err = a.forget(ctx, grant, inventory); err != nil {
				return inventory, nil, err
			}
		}
		all := merge(inventory, missing)
		if len(all) > maxInventory {
			return inventory, nil, &FullError{Entries: len(all)}
		}
		inventory = all
		if err := record(inventory); err != nil {
			return inventory, nil, fmt.Errorf("record the inventory: %w", err)
		}
	}
	for _, object := range found {
		have, err := a.ensureTemplated(ctx, grant, object, known[identity(object.entry)])
		if err != nil {
			failed = append(failed, err)
			continue
		}
		object.entry.UID = string(have.GetUID())
		inventory = merge(inventory, []v1alpha1.InventoryEntry{object.entry})
		versions[identity(object.entry)] = have.GetResourceVersion()
	}
	kept, err := a.pruneTemplated(ctx, grant, inventory, wanted)
	return kept, versions, errors.Join(append(failed, err)...)
}

// look reads the templated objects as their ServiceAccount, and returns those that may be made or changed.
func (a *Applier) look(
	ctx context.Context, grant *v1alpha1.Grant, objects []templated,
) (found []*templated, failed []error) {
	if len(objects) == 0 {
		return nil, nil
	}
	account := Account{grant.Namespace, string(grant.Spec.ServiceAccountName)}
	as, err := a.Accounts.as(ctx, account)
	if err != nil {
		return nil, []error{err}
	}
	for i := range objects {
		object := &objects[i]
		object.as = as
		mapping, err := a.Accounts.Mapping(object.want.GroupVersionKind())
		if err == nil {
			err = placed(mapping, object.want)
		}
		if err == nil {
			object.mapping = mapping
			err = a.Accounts.clean(ctx, object.read(ctx, grant, a.shared()), account, mapping, object.key())
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		found = append(found, object)
	}
	return found, failed
}

// unrecorded returns the entries of objects that the inventory does not have.
func unrecorded(inventory []v1alpha1.InventoryEntry, objects []*templated) []v1alpha1.InventoryEntry {
	var missing []v1alpha1.InventoryEntry
	for _, object := range objects {
		known := func(e v1alpha1.InventoryEntry) bool { return identity(e) == identity(object.entry) }
		if !slices.ContainsFunc(inventory, known) {
			missing = append(missing, object.entry)
		}
	}
	return missing
}

// pruneTemplated deletes the templated objects that the Grant has and no longer says, and returns what is left of the
// inventory.
func (a *Applier) pruneTemplated(
	ctx context.Context, grant *v1alpha1.Grant, inventory []v1alpha1.InventoryEntry, wanted map[string]bool,
) ([]v1alpha1.InventoryEntry, error) {
	var failed []error
	s := a.shared()
	kept := make([]v1alpha1.InventoryEntry, 0, len(inventory))
	for _, entry := range inventory {
		if entry.ServiceAccountName == "" || wanted[identity(entry)] || retained(grant, entry, inventory) {
			kept = append(kept, entry)
			continue
		}
		gone, err := a.remove(ctx, grant, entry)
		if err == nil && !gone && !s.keeps(entry) {
			err = &TerminatingError{Kind: entry.Kind, Name: entry.Name}
		}
		if err != nil {
			failed = append(failed, err)
		}
		if !gone {
			kept = append(kept, entry)
		}
	}
	return kept, errors.Join(failed...)
}

// retained reports whether an object is in a namespace that the Grant has and no longer says: such a one stays, with
// what is in it, until the Grant's data goes.
func retained(grant *v1alpha1.Grant, entry v1alpha1.InventoryEntry, inventory []v1alpha1.InventoryEntry) bool {
	said := func(ns v1alpha1.GrantedNamespace) bool { return ns.Name == *entry.Namespace }
	has := func(e v1alpha1.InventoryEntry) bool { return isNamespace(e) && e.Name == *entry.Namespace }
	return !accessGoes(grant, entry) && !slices.ContainsFunc(grant.Spec.Namespaces, said) &&
		slices.ContainsFunc(inventory, has)
}

// read reads the object. It returns a ConflictError where it is somebody else's.
func (t *templated) read(ctx context.Context, grant *v1alpha1.Grant, s shared) error {
	t.have = &unstructured.Unstructured{}
	t.have.SetGroupVersionKind(t.want.GroupVersionKind())
	err := t.as.Get(ctx, t.key(), t.have)
	switch {
	case apierrors.IsNotFound(err):
		t.have = nil
		return nil
	case err != nil:
		return err
	case !madeBy(t.have, grant) && !s.made(t.have):
		return conflictOf(t.have.GetKind(), t.have)
	case !t.have.GetDeletionTimestamp().IsZero():
		return &TerminatingError{Kind: t.have.GetKind(), Name: t.have.GetName()}
	}
	return nil
}

// madeBy reports whether an object is a templated one of the Grant. What the operator makes for the Grant with its own
// rights is none.
func madeBy(object client.Object, grant *v1alpha1.Grant) bool {
	labels := object.GetLabels()
	return labels[v1alpha1.LabelAppliedFor] == grant.OwnerDigest() && labels[v1alpha1.LabelGrant] == "" &&
		object.GetAnnotations()[v1alpha1.AnnotationServiceAccount] != ""
}

// ensureTemplated makes one templated object that has been read as it should be, and returns it as it is then.
func (a *Applier) ensureTemplated(
	ctx context.Context, grant *v1alpha1.Grant, object *templated, known string,
) (client.Object, error) {
	account := Account{grant.Namespace, string(grant.Spec.ServiceAccountName)}
	if object.have == nil {
		made, err := object.apply(ctx, func(made *unstructured.Unstructured) { made.SetResourceVersion(absent) })
		if !apierrors.IsConflict(err) {
			return made, a.Accounts.clean(ctx, err, account, object.mapping, object.key())
		}
		// Somebody has made it at the same moment.
		if err = object.read(ctx, grant, a.shared()); err != nil {
			return nil, a.Accounts.clean(ctx, err, account, object.mapping, object.key())
		}
		if object.have == nil {
			return nil, &TerminatingError{Kind: object.entry.Kind, Name: object.entry.Name}
		}
	}
	if object.right(known) {
		return object.have, nil
	}
	changed, err := object.apply(ctx, func(changed *unstructured.Unstructured) { changed.SetUID(object.have.GetUID()) })
	return changed, a.Accounts.clean(ctx, err, account, object.mapping, object.key())
}

// right reports whether what is there needs no write: it has not changed since the same was applied last, or covers it.
func (t *templated) right(known string) bool {
	applied := t.have.GetAnnotations()[annotationApplied] == t.want.GetAnnotations()[annotationApplied]
	return applied && (t.have.GetResourceVersion() == known || covers(t.want.Object, t.have.Object))
}

func (t *templated) apply(
	ctx context.Context, guard func(*unstructured.Unstructured),
) (*unstructured.Unstructured, error) {
	config := t.want.DeepCopy()
	guard(config)
	// The client leaves the server's answer in the configuration.
	err := t.as.Apply(ctx, client.ApplyConfigurationFromUnstructured(config), FieldOwner, client.ForceOwnership)
	return config, err
}

// placed checks that an object has a namespace exactly if its kind is in namespaces.
func placed(mapping *meta.RESTMapping, object client.Object) error {
	namespaced := mapping.Scope.Name() == meta.RESTScopeNameNamespace
	kind := mapping.GroupVersionKind.Kind
	switch {
	case namespaced && object.GetNamespace() == "":
		return &AccountError{v1alpha1.ReasonRefused, fmt.Sprintf("%s %s is namespaced: set metadata.namespace",
			kind, object.GetName())}
	case !namespaced && object.GetNamespace() != "":
		return &AccountError{v1alpha1.ReasonRefused, fmt.Sprintf(
			"%s %s is cluster-scoped: remove metadata.namespace", kind, object.GetName())}
	}
	return nil
}

// covers reports whether everything that is wanted is there. Lists have to be of the same length: who adds to a list
// may have taken it over. Where the API server writes a value in another way than it was given, an apply that changes
// nothing settles it, and the version is known from then on.
func covers(want, have any) bool {
	switch want := want.(type) {
	case nil:
		return true
	case map[string]any:
		fields, ok := have.(map[string]any)
		for key, value := range want {
			if !ok || !covers(value, fields[key]) {
				return false
			}
		}
		return ok
	case []any:
		items, ok := have.([]any)
		return ok && slices.EqualFunc(want, items, covers)
	}
	switch have.(type) {
	case map[string]any, []any:
		return false
	}
	return want == have
}

// removeTemplated deletes a templated object as the account that it was applied as, and reports whether it is gone.
func (a *Applier) removeTemplated(
	ctx context.Context, grant *v1alpha1.Grant, entry v1alpha1.InventoryEntry,
) (bool, error) {
	gone, err := a.asAccount(ctx, grant, entry, deleteTemplated)
	if err == nil || *entry.Namespace == "" {
		return gone, err
	}
	// With a namespace goes everything in it, and the rights in it too.
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if apierrors.IsNotFound(a.Live.Get(ctx, client.ObjectKey{Name: *entry.Namespace}, namespace)) {
		return true, nil
	}
	// Access has to end when it ends, whatever the ServiceAccount may do by then. Nobody can use this to have something
	// deleted that is not his to delete: the entry says which object, and whoever can label a RoleBinding can empty it.
	if _, lacking := errors.AsType[*AccountError](err); lacking && isAccess(entry) && entry.Kind == "RoleBinding" {
		return a.removeIf(ctx, entry, func(object client.Object) bool { return madeBy(object, grant) })
	}
	return false, err
}

// another reports whether an object is another one than that of an entry, which knows no uid if it was recorded ahead.
func another(object client.Object, entry v1alpha1.InventoryEntry) bool {
	return entry.UID != "" && entry.UID != string(object.GetUID())
}

// asAccount does something with a templated object as the account that it was applied as, and reports whether the Grant
// has it no longer.
func (a *Applier) asAccount(
	ctx context.Context, grant *v1alpha1.Grant, entry v1alpha1.InventoryEntry,
	do func(
		context.Context, client.Client, schema.GroupVersionKind, *v1alpha1.Grant, v1alpha1.InventoryEntry,
	) (bool, error),
) (bool, error) {
	account := Account{grant.Namespace, string(entry.ServiceAccountName)}
	mapping, err := a.Accounts.Mapping(schema.GroupVersionKind{Group: *entry.Group, Kind: entry.Kind})
	if unknown, ok := errors.AsType[*AccountError](err); ok && unknown.Reason == v1alpha1.ReasonKindUnknown {
		// The objects of a kind go with it.
		return true, nil
	}
	if err != nil {
		return false, err
	}
	as, err := a.Accounts.as(ctx, account)
	if err != nil {
		return false, err
	}
	gone, err := do(ctx, as, mapping.GroupVersionKind, grant, entry)
	if err != nil {
		key := client.ObjectKey{Namespace: *entry.Namespace, Name: entry.Name}
		return false, a.Accounts.clean(ctx, err, account, mapping, key)
	}
	return gone, nil
}

func deleteTemplated(
	ctx context.Context, as client.Client, kind schema.GroupVersionKind,
	grant *v1alpha1.Grant, entry v1alpha1.InventoryEntry,
) (bool, error) {
	key := client.ObjectKey{Namespace: *entry.Namespace, Name: entry.Name}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	err := as.Get(ctx, key, object)
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, err
	case another(object, entry) || !madeBy(object, grant):
		return true, nil
	case !object.DeletionTimestamp.IsZero():
		return false, nil
	}
	// What the object owns goes with it, also where its kind has another default.
	background := client.PropagationPolicy(metav1.DeletePropagationBackground)
	err = as.Delete(ctx, object, client.Preconditions{UID: new(object.UID)}, background)
	if client.IgnoreNotFound(err) != nil {
		return false, err
	}
	// A finalizer may hold it.
	err = as.Get(ctx, key, object)
	return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
}

// leaveTemplated reports whether a templated object is another Grant's by now, or has gone.
func leaveTemplated(
	ctx context.Context, as client.Client, kind schema.GroupVersionKind,
	grant *v1alpha1.Grant, entry v1alpha1.InventoryEntry,
) (bool, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	err := as.Get(ctx, client.ObjectKey{Namespace: *entry.Namespace, Name: entry.Name}, object)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return err == nil && (another(object, entry) || !madeBy(object, grant)), err
}
