// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

const day = 24 * time.Hour

func TestObjectsAreAppliedIntoTheNamespaceAndVanishWithIt(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow("", rule("", "configmaps"))
	completion := MakeCompletion(w, 1).Obj()
	policy := MakeWelcome(w).Obj()
	w.create(w.account(), policy, completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	w.awaitAccess(policy, v1alpha1.ReasonReady)

	configMap := w.configMap(w.prefix+"1", "welcome")
	w.awaitData(configMap, map[string]string{"text": "Welcome, Graciliano Ramos!"})
	g.Expect(configMap.Labels).To(Equal(map[string]string{"course": "123456",
		v1alpha1.LabelAppliedFor: grant.OwnerDigest()}))
	g.Expect(configMap.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationGrant, grant.Namespace+"/"+grant.Name))
	g.Expect(configMap.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationServiceAccount, account))
	g.Expect(entryOf(grant, configMap.Namespace, "welcome")).To(Equal(v1alpha1.InventoryEntry{
		Group: new(""), Kind: "ConfigMap", Namespace: new(configMap.Namespace), Name: "welcome",
		UID: string(configMap.UID), ServiceAccountName: account,
	}))
	g.Expect(grant.Generation).To(BeEquivalentTo(1), "the planner and the API server write the objects differently")

	w.delete(completion)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	w.awaitGone(configMap)
	g.Expect(grant.Status.Inventory).To(BeEmpty())
}

func TestWhatIsInANamespaceNeedsNoRightsToGoWithIt(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	disallow := w.allow("", rule("", "configmaps"))
	completion, serviceAccount := MakeCompletion(w, 1).Obj(), w.account()
	w.create(serviceAccount, MakeWelcome(w).Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)

	disallow()
	w.delete(serviceAccount, completion)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	g.Expect(grant.Status.Inventory).To(BeEmpty())
}

// Objects are data: they stay for the grace days. Role bindings among them are access.
func TestObjectsGoWithTheDataAndBindingsWithTheAccess(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow(w.namespace, rule("", "configmaps"), rule(rbacv1.GroupName, "rolebindings"))
	completion := MakeCompletion(w, 1).Obj()
	policy := MakePolicy(w, "lab").Grace(10).Object("note", w.fill(note)).Object("reader", w.fill(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: "reader-${user.id}", namespace: INSTITUTION}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "${user.email}"}]
`)).Obj()
	reader := &rbacv1.Role{ObjectMeta: w.meta("reader"), Rules: []rbacv1.PolicyRule{rule("", "configmaps", "get")}}
	w.create(w.account(), reader, policy, completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	configMap, binding := w.configMap(w.namespace, "note-1"), &rbacv1.RoleBinding{ObjectMeta: w.meta("reader-1")}
	w.get(configMap)
	w.get(binding)
	g.Expect(binding.Subjects).To(Equal([]rbacv1.Subject{
		{APIGroup: rbacv1.GroupName, Kind: "User", Name: "graciliano.1@example.org"}}))

	w.change(grant, func() {
		grant.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "left"}
	})
	w.awaitGone(binding)
	w.awaitReason(grant, v1alpha1.ReasonRevoked)
	w.stays(configMap, configMap.UID)

	// Within the grace access comes back, and the data is what it was.
	w.change(grant, func() { grant.Spec.Override = v1alpha1.GrantOverride{} })
	w.awaitActive(grant)
	w.get(binding)
	w.stays(configMap, configMap.UID)

	w.change(grant, func() {
		grant.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "left"}
	})
	w.awaitReason(grant, v1alpha1.ReasonRevoked)
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
		g.Expect(grant.Status.AccessEndedAt).NotTo(BeNil())
	})
	w.step(11 * day)
	w.awaitGone(configMap)
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
		g.Expect(grant.Status.Inventory).To(BeEmpty())
	})
}

func TestObjectsAreRetainedWherePoliciesSaySo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(w.namespace, rule("", "configmaps"))
	completion := MakeCompletion(w, 1).Obj()
	policy := MakePolicy(w, "lab").OnRevoke(v1alpha1.RemovalRetain).Object("note", w.fill(note)).Obj()
	w.create(w.account(), policy, completion)
	grant, configMap := w.grantOf("lab", completion), w.configMap(w.namespace, "note-1")
	w.awaitActive(grant)
	w.get(configMap)
	w.delete(completion)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	w.stays(configMap, configMap.UID)
}

func TestTemplatedObjectsArePrunedAfterAnEdit(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow("", rule("", "configmaps"))
	completion := MakeCompletion(w, 1).Obj()
	policy := MakeWelcome(w).Object("note", w.fill(note)).Obj()
	w.create(w.account(), policy, completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	inside, beside := w.configMap(w.prefix+"1", "welcome"), w.configMap(w.namespace, "note-1")
	w.get(inside)
	w.get(beside)

	w.change(policy, func() {
		policy.Spec.Objects = policy.Spec.Objects[:1]
		policy.Spec.Objects[0].Template = raw(w.fill(welcome) + "  more: ${string(user.id)}\n")
	})
	w.awaitGone(beside)
	w.awaitData(inside, map[string]string{"text": "Welcome, Graciliano Ramos!", "more": "1"})
	w.awaitActive(grant)
	g.Expect(grant.Spec.Objects).To(HaveLen(1))

	w.change(policy, func() { policy.Spec.Objects, policy.Spec.ServiceAccountName = nil, "" })
	w.awaitGone(inside)
	w.awaitActive(grant)
	for _, entry := range grant.Status.Inventory {
		g.Expect(entry.ServiceAccountName).To(BeEmpty())
	}
}

// Nothing watches templated objects: they are looked at every so often.
func TestDriftOfObjectsIsCorrectedSlowly(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow("", rule("", "configmaps"))
	completion := MakeCompletion(w, 1).Obj()
	w.create(w.account(), MakeWelcome(w).Obj(), completion)
	grant, configMap := w.grantOf("lab", completion), w.configMap(w.prefix+"1", "welcome")
	w.awaitActive(grant)
	wanted := map[string]string{"text": "Welcome, Graciliano Ramos!"}
	w.awaitData(configMap, wanted)

	// What others add is theirs.
	w.change(configMap, func() { configMap.Data = map[string]string{"text": "Go away", "mine": "kept"} })
	w.step(15 * time.Minute)
	w.awaitData(configMap, map[string]string{"text": wanted["text"], "mine": "kept"})

	w.delete(configMap)
	w.step(15 * time.Minute)
	w.awaitData(configMap, wanted)
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
		g.Expect(entryOf(grant, configMap.Namespace, "welcome").UID).To(BeEquivalentTo(configMap.UID))
	})

	// A namespace that is made anew gets its objects at once.
	namespace := w.learner(1)
	w.get(namespace)
	w.delete(namespace)
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(namespace), namespace)).To(Succeed())
		g.Expect(admin.Get(t.Context(), keyOf(configMap), configMap)).To(Succeed())
		g.Expect(configMap.CreationTimestamp.Before(&namespace.CreationTimestamp)).To(BeFalse())
		g.Expect(configMap.DeletionTimestamp).To(BeNil())
		g.Expect(namespace.DeletionTimestamp).To(BeNil())
	})

	// Nothing is written while nothing has changed.
	w.awaitActive(grant)
	w.get(configMap)
	version := configMap.ResourceVersion
	var fields []metav1.ManagedFieldsEntry
	fields = append(fields, configMap.ManagedFields...)
	w.step(15 * time.Minute)
	w.consistently(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(configMap), configMap)).To(Succeed())
		g.Expect(configMap.ResourceVersion).To(Equal(version))
	})
	g.Expect(configMap.ManagedFields).To(Equal(fields))
}

// The sample gives the ServiceAccount rights on one name in all namespaces, and that is enough.
func TestSampleOfObjects(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	sample, err := os.ReadFile(filepath.Join(root, "config", "samples", "objects.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	text := strings.NewReplacer("institution-12345", w.namespace, "grad-", w.prefix).Replace(string(sample))
	for document := range strings.SplitSeq(text, "\n---\n") {
		object := &unstructured.Unstructured{}
		g.Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed())
		w.create(object)
	}
	policy := &v1alpha1.CompletionPolicy{ObjectMeta: w.meta("welcome")}
	w.awaitReason(policy, v1alpha1.ReasonReady)
	w.awaitAccess(policy, v1alpha1.ReasonReady)
	completion := MakeCompletion(w, 7).Course(777002).Obj()
	w.create(completion)
	w.awaitActive(w.grant("welcome." + w.id.String() + "-7"))
	w.awaitData(w.configMap(w.prefix+"welcome-7", "welcome"), map[string]string{
		"text": "Welcome, Graciliano Ramos!\nYou have completed your course.\n"})
}
