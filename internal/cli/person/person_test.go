// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"bytes"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

func entry(kind, namespace, name string) v1alpha1.InventoryEntry {
	return v1alpha1.InventoryEntry{Group: new(""), Kind: kind, Namespace: &namespace, Name: name}
}

func inventoryOf(entries ...v1alpha1.InventoryEntry) v1alpha1.Grant {
	return v1alpha1.Grant{Status: v1alpha1.GrantStatus{Inventory: entries}}
}

// What is in a namespace goes with it: nobody needs a right to delete each object in there.
func TestWhatGoesWithItsNamespace(t *testing.T) {
	g := NewWithT(t)
	e := &erasure{found: &stored{Grants: []v1alpha1.Grant{
		inventoryOf(entry("Namespace", "", "lab"), entry("ResourceQuota", "lab", "quota"),
			entry("ConfigMap", "home", "welcome")),
		inventoryOf(entry("RoleBinding", "lab", "access")),
	}}}
	var names []string
	for _, owned := range e.owned() {
		names = append(names, describe(&owned.entry))
	}
	g.Expect(names).To(Equal([]string{"Namespace lab", "ConfigMap home/welcome"}))
}

func TestWhatTheGrantsGive(t *testing.T) {
	g := NewWithT(t)
	grant := inventoryOf(entry("Namespace", "", "b"), entry("ConfigMap", "a", "welcome"))
	grant.Spec.Namespaces = []v1alpha1.GrantedNamespace{{Name: "a"}, {Name: "b"}}
	s := &stored{Grants: []v1alpha1.Grant{grant}}
	s.inventory()
	g.Expect(s.GrantedNamespaces).To(Equal([]string{"a", "b"}))
	g.Expect(s.Objects).To(ConsistOf(HaveField("Name", "welcome")))
}

// Until when data stays, or what to do where it stays for ever.
func TestWhenToRunItAgain(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	grant := inventoryOf(entry("Namespace", "", "lab"))
	grant.Name = "lab.1-2"
	grant.Spec.Override.Revoked = new(true)
	grant.Spec.Lifetime.GraceDays = new(int32(10))
	grant.Status.AccessEndedAt = new(metav1.NewTime(noon))
	for _, tc := range []struct {
		now      time.Time
		onRevoke v1alpha1.RemovalAction
		want     string
	}{
		{noon.AddDate(0, 0, 3), v1alpha1.RemovalDelete, "keeps its data until 2026-01-11T12:00:00Z"},
		{noon.AddDate(0, 0, 11), v1alpha1.RemovalDelete, "The operator is deleting"},
		{noon, v1alpha1.RemovalRetain, "forever"},
	} {
		var out bytes.Buffer
		f := cmdutil.NewFactory(genericiooptions.IOStreams{Out: &out})
		f.Clock = clocktesting.NewFakePassiveClock(tc.now)
		e := &erasure{eraseOptions: &eraseOptions{Factory: f}}
		grant.Spec.OnRevoke = tc.onRevoke
		e.tellWhen(&grant)
		NewWithT(t).Expect(out.String()).To(ContainSubstring(tc.want))
	}
}
