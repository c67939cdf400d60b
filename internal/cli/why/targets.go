// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// focus is whose story is told, and which part of it.
type focus struct {
	holder v1alpha1.GrantHolder
	// completion, grants and policy narrow it down; empty for everything.
	completion string
	grants     []string
	policy     string
}

// users returns the person with a number of the platform.
func (r *reader) users(ctx context.Context, name string) ([]focus, error) {
	user, err := cmdutil.PlatformID(name, "user")
	if err != nil {
		return nil, err
	}
	var candidates []v1alpha1.GrantHolder
	var names []string
	for i := range r.institutions {
		institution := &r.institutions[i]
		if r.institution == "" || r.institution == institution.Name || r.institution == institution.Spec.ID.String() {
			candidates = append(candidates, v1alpha1.GrantHolder{InstitutionID: institution.Spec.ID, UserID: user})
		}
		names = append(names, institution.Name)
	}
	if len(candidates) == 0 {
		return nil, fmt.Errorf("namespace %s has no Institution %s: there is %s", r.namespace, r.institution,
			strings.Join(names, ", "))
	}
	if len(candidates) == 1 {
		return []focus{{holder: candidates[0]}}, nil
	}
	var found []focus
	for _, holder := range candidates {
		known, err := r.knows(ctx, holder)
		if err != nil {
			return nil, err
		}
		if known {
			found = append(found, focus{holder: holder})
		}
	}
	if len(found) == 0 {
		return nil, cmdutil.Usagef("none of the Institutions of namespace %s knows user %s: there is %s", r.namespace, name,
			strings.Join(names, ", "))
	}
	return found, nil
}

// knows reports whether there is anything about a person.
func (r *reader) knows(ctx context.Context, holder v1alpha1.GrantHolder) (bool, error) {
	var completions v1alpha1.CourseCompletionList
	err := r.client.List(ctx, &completions, client.InNamespace(r.namespace), completionsOf(holder), client.Limit(1))
	if err != nil || len(completions.Items) > 0 {
		return len(completions.Items) > 0, err
	}
	var grants v1alpha1.GrantList
	err = r.client.List(ctx, &grants, client.InNamespace(r.namespace), grantsOf(holder), client.Limit(1))
	return len(grants.Items) > 0, err
}

// completionFocus returns the person of a completion, also where it is not there.
func (r *reader) completionFocus(ctx context.Context, name string) ([]focus, error) {
	var completion v1alpha1.CourseCompletion
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: name}, &completion)
	if err == nil {
		spec := &completion.Spec
		return []focus{{completion: name,
			holder: v1alpha1.GrantHolder{InstitutionID: spec.Institution.ID, UserID: spec.User.ID}}}, nil
	}
	if holder, ok := holderOf(name); ok && apierrors.IsNotFound(err) {
		return []focus{{completion: name, holder: holder}}, nil
	}
	return nil, r.notThere(err, "kubectl get coursecompletions")
}

// holderOf reads the person in the name of a completion.
func holderOf(name string) (v1alpha1.GrantHolder, bool) {
	parts := strings.Split(name, "-")
	if len(parts) != 4 {
		return v1alpha1.GrantHolder{}, false
	}
	return numbers(parts[0], parts[3])
}

func numbers(institution, user string) (v1alpha1.GrantHolder, bool) {
	i, failed := strconv.ParseInt(institution, 10, 64)
	u, err := strconv.ParseInt(user, 10, 64)
	return v1alpha1.GrantHolder{InstitutionID: v1alpha1.PlatformID(i), UserID: v1alpha1.PlatformID(u)},
		errors.Join(failed, err) == nil
}

// grantFocus returns the holder of a Grant; where there is none, the person whom it would be for.
func (r *reader) grantFocus(ctx context.Context, name string) ([]focus, error) {
	var grant v1alpha1.Grant
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: name}, &grant)
	if err == nil {
		return []focus{{holder: grant.Spec.Holder, grants: []string{name}, policy: string(grant.Spec.Policy)}}, nil
	}
	policy, who, planned := strings.Cut(name, ".")
	holder, ok := holderOf(who)
	if parts := strings.Split(who, "-"); !ok && len(parts) == 2 {
		holder, ok = numbers(parts[0], parts[1])
	}
	if planned && ok && apierrors.IsNotFound(err) {
		return []focus{{holder: holder, grants: []string{name}, policy: policy}}, nil
	}
	return nil, r.notThere(err, "kubectl get grants")
}

func (r *reader) notThere(err error, list string) error {
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%w in namespace %s\nGive another namespace with -n; `%s -n %s` lists what there is", err,
			r.namespace, list, r.namespace)
	}
	return err
}

// namespaceFocus returns the holders of the Grants that name a namespace, or have it.
func (r *reader) namespaceFocus(ctx context.Context, name string) ([]focus, error) {
	byHolder := map[v1alpha1.GrantHolder][]string{}
	var order []v1alpha1.GrantHolder
	err := r.eachGrant(ctx, func(grant *v1alpha1.Grant) error {
		if !names(grant, name) {
			return nil
		}
		if byHolder[grant.Spec.Holder] == nil {
			order = append(order, grant.Spec.Holder)
		}
		byHolder[grant.Spec.Holder] = append(byHolder[grant.Spec.Holder], grant.Name)
		return nil
	})
	var found []focus
	for _, holder := range order {
		found = append(found, focus{holder: holder, grants: byHolder[holder]})
	}
	return found, err
}

// names reports whether a Grant gives a namespace, has it, or takes it away.
func names(grant *v1alpha1.Grant, namespace string) bool {
	gives := func(ns v1alpha1.GrantedNamespace) bool { return ns.Name == namespace }
	has := func(e v1alpha1.InventoryEntry) bool { return e.Kind == "Namespace" && e.Name == namespace }
	return slices.ContainsFunc(grant.Spec.Namespaces, gives) || slices.ContainsFunc(grant.Status.Inventory, has) ||
		slices.Contains(grant.Spec.Revokes.Namespaces, v1alpha1.GrantRevokedNamespace{Name: namespace})
}

// seatFocus returns the holder of a seat, and its pool. Nobody has a seat that is not there.
func (r *reader) seatFocus(ctx context.Context, name string) ([]focus, *poolFacts, error) {
	dash := strings.LastIndexByte(name, '-')
	if dash < 1 {
		return nil, nil, cmdutil.Usagef("%q is not a seat: use the name of the pool, a dash and a number, such as tutors-0",
			name)
	}
	number, err := strconv.ParseInt(name[dash+1:], 10, 32)
	if err != nil || number < 0 {
		return nil, nil, cmdutil.Usagef("%q is not a seat: %q is not a number", name, name[dash+1:])
	}
	facts, err := r.pool(ctx, v1alpha1.LocalName(name[:dash]))
	if err != nil {
		return nil, nil, err
	}
	seat, err := r.seat(ctx, name)
	if err != nil || seat == nil {
		return nil, facts, err
	}
	var grant v1alpha1.Grant
	err = r.client.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: string(seat.Spec.Grant)}, &grant)
	if apierrors.IsNotFound(err) {
		return nil, facts, nil
	}
	return []focus{{holder: grant.Spec.Holder, grants: []string{grant.Name}, policy: string(grant.Spec.Policy)}}, facts,
		err
}
