// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// differences describes how what a Grant says differs.
func differences(was, now *v1alpha1.Grant) []string {
	var what []string
	add := func(format string, args ...any) { what = append(what, fmt.Sprintf(format, args...)) }
	if !was.Spec.AccessEndsAt.Equal(now.Spec.AccessEndsAt) {
		add("end of access: %s (was %s)", moment(now.Spec.AccessEndsAt), moment(was.Spec.AccessEndsAt))
	} else if !was.Spec.DataEndsAt.Equal(now.Spec.DataEndsAt) {
		add("deletion of data: %s (was %s)", moment(now.Spec.DataEndsAt), moment(was.Spec.DataEndsAt))
	}
	what = append(what, namespaceDifferences(was.Spec.Namespaces, now.Spec.Namespaces)...)
	for _, seat := range now.Spec.Seats {
		if !slices.Contains(was.Spec.Seats, seat) {
			add("requests a seat of %s", seat.Pool)
		}
	}
	for _, seat := range was.Spec.Seats {
		if !holdsSeat(was, seat) && !slices.Contains(now.Spec.Seats, seat) {
			add("no longer waits for a seat of %s", seat.Pool)
		}
	}
	what = append(what, objectDifferences(was, now)...)
	if !equality.Semantic.DeepEqual(was.Spec.Revokes, now.Spec.Revokes) {
		if said := revokes(now); len(said) > 0 && !slices.Equal(said, revokes(was)) {
			what = append(what, said...)
		} else {
			add("spec.revokes")
		}
	}
	for field, values := range map[string][2]any{
		"causes":             {was.Spec.Causes, now.Spec.Causes},
		"requiredCourseIDs":  {was.Spec.RequiredCourseIDs, now.Spec.RequiredCourseIDs},
		"lifetime":           {was.Spec.Lifetime, now.Spec.Lifetime},
		"approval":           {was.Spec.Approval, now.Spec.Approval},
		"onRevoke":           {was.Spec.OnRevoke, now.Spec.OnRevoke},
		"onPolicyRemoval":    {was.Spec.OnPolicyRemoval, now.Spec.OnPolicyRemoval},
		"serviceAccountName": {was.Spec.ServiceAccountName, now.Spec.ServiceAccountName},
	} {
		if !equality.Semantic.DeepEqual(values[0], values[1]) {
			add("spec.%s", field)
		}
	}
	// Fields in order, behind what is in words.
	slices.SortStableFunc(what, func(a, b string) int {
		fieldA, fieldB := strings.HasPrefix(a, "spec."), strings.HasPrefix(b, "spec.")
		switch {
		case fieldA && fieldB:
			return strings.Compare(a, b)
		case fieldA:
			return 1
		case fieldB:
			return -1
		}
		return 0
	})
	return what
}

func namespaceDifferences(was, now []v1alpha1.GrantedNamespace) []string {
	var what []string
	find := func(in []v1alpha1.GrantedNamespace, name string) *v1alpha1.GrantedNamespace {
		for i := range in {
			if in[i].Name == name {
				return &in[i]
			}
		}
		return nil
	}
	for i := range now {
		before := find(was, now[i].Name)
		if before == nil {
			what = append(what, "namespace "+now[i].Name+" is added")
			continue
		}
		var fields []string
		a, b := reflect.ValueOf(*before), reflect.ValueOf(now[i])
		for f := range a.NumField() {
			if !equality.Semantic.DeepEqual(a.Field(f).Interface(), b.Field(f).Interface()) {
				name, _, _ := strings.Cut(a.Type().Field(f).Tag.Get("json"), ",")
				fields = append(fields, name)
			}
		}
		if len(fields) > 0 {
			what = append(what, "namespace "+now[i].Name+": "+strings.Join(fields, ", "))
		}
	}
	for i := range was {
		if find(now, was[i].Name) == nil {
			what = append(what, "namespace "+was[i].Name+" is no longer listed, and is kept until the grant ends")
		}
	}
	return what
}

func objectDifferences(was, now *v1alpha1.Grant) []string {
	objects := func(grant *v1alpha1.Grant) map[v1alpha1.EntryName]*v1alpha1.GrantedObject {
		found := map[v1alpha1.EntryName]*v1alpha1.GrantedObject{}
		for i := range grant.Spec.Objects {
			found[grant.Spec.Objects[i].Name] = &grant.Spec.Objects[i]
		}
		return found
	}
	before, after := objects(was), objects(now)
	var what []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] == nil {
			what = append(what, fmt.Sprintf("object %s is added", name))
			continue
		}
		one := v1alpha1.GrantSpec{Objects: []v1alpha1.GrantedObject{*after[name]}}
		if (&plan.Planned{Spec: one, Existing: &v1alpha1.Grant{
			Spec: v1alpha1.GrantSpec{Objects: []v1alpha1.GrantedObject{*before[name]}},
		}}).Changed() {
			what = append(what, fmt.Sprintf("object %s changes", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if after[name] == nil {
			what = append(what, fmt.Sprintf("object %s is no longer listed", name))
		}
	}
	return what
}
