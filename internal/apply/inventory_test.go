// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func entry(kind, namespace, name, uid string) v1alpha1.InventoryEntry {
	group := map[string]string{"RoleBinding": "rbac.authorization.k8s.io", "NetworkPolicy": "networking.k8s.io"}[kind]
	return v1alpha1.InventoryEntry{Group: new(group), Kind: kind, Namespace: new(namespace), Name: name, UID: uid}
}

func TestMergedInventoryHasEachObjectOnceAndAccessFirst(t *testing.T) {
	recorded := []v1alpha1.InventoryEntry{
		entry("Namespace", "", "lab-1", "1"),
		entry("ResourceQuota", "lab-1", "completion-quota", "2"),
	}
	found := []v1alpha1.InventoryEntry{
		entry("ResourceQuota", "lab-1", "completion-quota", "made again"),
		entry("NetworkPolicy", "lab-1", "completion-isolation", "3"),
		entry("RoleBinding", "lab-1", "access-completion-learner", "4"),
		entry("RoleBinding", "lab-2", "access-completion-learner", "5"),
	}
	want := []v1alpha1.InventoryEntry{
		entry("RoleBinding", "lab-1", "access-completion-learner", "4"),
		entry("RoleBinding", "lab-2", "access-completion-learner", "5"),
		entry("Namespace", "", "lab-1", "1"),
		entry("ResourceQuota", "lab-1", "completion-quota", "made again"),
		entry("NetworkPolicy", "lab-1", "completion-isolation", "3"),
	}
	if diff := cmp.Diff(want, merge(recorded, found)); diff != "" {
		t.Errorf("merged inventory (-want +got):\n%s", diff)
	}
	if got := merge(nil, nil); len(got) != 0 {
		t.Errorf("merge of nothing is %v", got)
	}
}

func TestConflictSaysWhoseItIs(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  ConflictError
		want string
	}{
		{"nobody's grant", ConflictError{Kind: "Namespace", Name: "lab-1"},
			"Namespace lab-1 already exists and was not created by a grant; it was not changed"},
		{"another grant", ConflictError{Kind: "ResourceQuota", Namespace: "lab-1", Name: "q", Holder: "school/other"},
			"ResourceQuota lab-1/q belongs to grant school/other; it was not changed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.err.Error(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
