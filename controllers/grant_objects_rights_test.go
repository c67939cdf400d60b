// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestMissingRightsShowOnPolicyAndGrantAndHeal(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	policy, completion := MakeWelcome(w).Obj(), MakeCompletion(w, 1).Obj()
	w.create(w.account(), policy, completion)
	w.awaitReason(policy, v1alpha1.ReasonReady)
	condition := w.awaitAccess(policy, v1alpha1.ReasonForbidden)
	g.Expect(condition.Status).To(Equal(metav1.ConditionFalse))
	g.Expect(condition.Message).To(HavePrefix(
		"spec.objects[0].template: ServiceAccount policies is not allowed to get, create, patch, delete configmaps in "))
	grant := w.grantOf("lab", completion)
	w.awaitReason(grant, v1alpha1.ReasonForbidden)
	g.Expect(ready(grant).Message).To(Equal("ServiceAccount policies is not allowed to get, create, patch, delete " +
		"configmaps in namespace " + w.prefix + "1"))
	g.Expect(entryOf(grant, w.prefix+"1", "welcome")).To(BeZero(), "it may not even look")
	w.awaitReason(completion, v1alpha1.ReasonGrantNotReady)

	w.allow("", rule("", "configmaps", "get"))
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
		g.Expect(ready(grant).Message).To(HavePrefix("ServiceAccount policies is not allowed to create, patch, delete " +
			"configmaps"))
	})

	w.allow("", rule("", "configmaps", "create", "patch", "delete"))
	w.awaitActive(grant)
	w.awaitAccess(policy, v1alpha1.ReasonReady)
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	w.get(w.configMap(w.prefix+"1", "welcome"))
}

// Rights in a namespace that is written out are known beforehand; those in one that only rendering names are not.
func TestPolicySaysWhatItKnowsOfRights(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow(w.namespace, rule("", "configmaps"))
	known := MakePolicy(w, "known").Object("note", w.fill(note)).Obj()
	unknown := MakePolicy(w, "unknown").Object("welcome", w.fill(welcome)).Obj()
	scope := MakePolicy(w, "scope").Object("role", w.fill(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "${string(user.id)}", namespace: INSTITUTION}
`)).Object("map", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}").Obj()
	w.create(w.account(), known, unknown, scope)
	w.awaitAccess(known, v1alpha1.ReasonReady)
	w.awaitAccess(unknown, v1alpha1.ReasonReady)
	condition := w.awaitAccess(scope, v1alpha1.ReasonRefused)
	g.Expect(condition.Message).To(Equal("spec.objects[0].template: ClusterRole is cluster-scoped: remove " +
		"metadata.namespace; spec.objects[1].template: ConfigMap is namespaced: set metadata.namespace"))
}

func TestServiceAccountHasToOptIn(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow("", rule("", "configmaps"))
	policy, completion := MakeWelcome(w).Obj(), MakeCompletion(w, 1).Obj()
	w.create(policy, completion)
	grant := w.grantOf("lab", completion)
	w.awaitReason(grant, v1alpha1.ReasonServiceAccountNotOptedIn)
	g.Expect(ready(grant).Message).To(ContainSubstring("does not exist"))

	serviceAccount := w.account()
	serviceAccount.Labels = map[string]string{v1alpha1.LabelPolicyServiceAccount: "yes"}
	w.create(serviceAccount)
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
		g.Expect(ready(grant).Message).To(ContainSubstring("has not opted in"))
	})
	w.awaitAccess(policy, v1alpha1.ReasonServiceAccountNotOptedIn)
	w.consistently(func(g Gomega) {
		w.absent(g, w.fill("{apiVersion: v1, kind: ConfigMap, metadata: "+
			"{name: welcome, namespace: PREFIX1}}"))
	})

	w.change(serviceAccount, func() { serviceAccount.Labels[v1alpha1.LabelPolicyServiceAccount] = "true" })
	w.awaitActive(grant)
	w.awaitAccess(policy, v1alpha1.ReasonReady)
}

// Without the RoleBinding that lets the operator act for the institution, nobody is impersonated.
func TestTheInstitutionsNamespaceHasToLetTheOperatorIn(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow("", rule("", "configmaps"))
	w.delete(w.binding())
	policy, completion := MakeWelcome(w).Obj(), MakeCompletion(w, 1).Obj()
	w.create(w.account(), policy, completion)
	grant := w.grantOf("lab", completion)
	w.awaitReason(grant, v1alpha1.ReasonAccessMissing)
	g.Expect(ready(grant).Message).To(ContainSubstring("needs a RoleBinding of the ClusterRole completion-institution"))
	w.awaitAccess(policy, v1alpha1.ReasonAccessMissing)
	w.create(w.binding())
	w.awaitActive(grant)
}

func TestForeignObjectStaysUntouchedAndTheGrantWaits(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow(w.namespace, rule("", "configmaps"))
	foreign := w.configMap(w.namespace, "note-1")
	foreign.Data = map[string]string{"mine": "yes"}
	completion := MakeCompletion(w, 1).Obj()
	w.create(w.account(), foreign, completion, MakePolicy(w, "lab").Object("note", w.fill(note)).Obj())
	version := foreign.ResourceVersion
	grant := w.grantOf("lab", completion)
	w.awaitReason(grant, v1alpha1.ReasonConflict)
	g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantWaiting))
	g.Expect(ready(grant).Message).To(Equal("ConfigMap " + w.namespace + "/note-1 already exists and was not created by " +
		"a grant; it was not changed"))
	w.get(foreign)
	g.Expect(foreign.ResourceVersion).To(Equal(version))

	// Two grants that want the same object: the second says whose it is.
	second := MakePolicy(w, "second").Object("note", w.fill(note)).Obj()
	w.delete(foreign)
	w.awaitActive(grant)
	w.create(second)
	other := w.grantOf("second", completion)
	w.awaitReason(other, v1alpha1.ReasonConflict)
	g.Expect(ready(other).Message).To(ContainSubstring("belongs to grant " + grant.Name + ";"))
	w.change(grant, func() { grant.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "left"} })
	w.awaitReason(grant, v1alpha1.ReasonRevoked)
	w.awaitActive(other)
	w.get(foreign)
	g.Expect(foreign.Labels).To(HaveKeyWithValue(v1alpha1.LabelAppliedFor, other.OwnerDigest()))
}

// What the operator makes with its own rights is not for a template to change, whatever its ServiceAccount may do.
func TestTemplateCannotTakeOverWhatTheOperatorMakes(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow("", rule("networking.k8s.io", "networkpolicies"))
	completion := MakeCompletion(w, 1).Obj()
	w.create(w.account(), completion, MakeLab(w, "lab").Object("open", w.fill(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: completion-isolation, namespace: "PREFIX${user.id}"}
spec: {podSelector: {}, ingress: [{}], egress: [{}], policyTypes: [Ingress, Egress]}
`)).Obj())
	grant := w.grantOf("lab", completion)
	w.awaitReason(grant, v1alpha1.ReasonConflict)
	g.Expect(ready(grant).Message).To(ContainSubstring("belongs to grant " + grant.Name + ";"))
	isolation := w.isolationOf(1)
	w.get(isolation)
	g.Expect(isolation.Spec).To(Equal(wantIsolation()))
}

func TestObjectsAreRevokedWithoutTheirPolicy(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	disallow := w.allow(w.namespace, rule("", "configmaps"))
	completion := MakeCompletion(w, 1).Obj()
	policy := MakePolicy(w, "lab").OnPolicyRemoval(v1alpha1.RemovalDelete).Object("note", w.fill(note)).Obj()
	serviceAccount := w.account()
	w.create(serviceAccount, completion, policy)
	grant, configMap := w.grantOf("lab", completion), w.configMap(w.namespace, "note-1")
	w.awaitActive(grant)
	w.get(configMap)

	// The rights go first, then the ServiceAccount: what cannot be deleted is not forgotten.
	disallow()
	w.delete(policy)
	w.awaitReason(grant, v1alpha1.ReasonForbidden)
	g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantEnded))
	g.Expect(entryOf(grant, w.namespace, "note-1").UID).To(BeEquivalentTo(configMap.UID))
	w.delete(serviceAccount)
	w.awaitReason(grant, v1alpha1.ReasonServiceAccountNotOptedIn)
	g.Expect(entryOf(grant, w.namespace, "note-1").UID).To(BeEquivalentTo(configMap.UID))
	w.get(configMap)

	w.create(w.account())
	w.allow(w.namespace, rule("", "configmaps"))
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	w.awaitGone(configMap)
	g.Expect(grant.Status.Inventory).To(BeEmpty())
}

func TestDeletedHandmadeGrantSaysWhatHoldsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	disallow := w.allow(w.namespace, rule("", "configmaps"))
	grant := MakeGrant(w, "by-hand", 1).Object("note", w.fill(`
apiVersion: v1
kind: ConfigMap
metadata: {name: note-1, namespace: INSTITUTION}
`)).Obj()
	w.create(w.account(), grant)
	w.awaitActive(grant)
	disallow()
	w.delete(grant)
	w.awaitReason(grant, v1alpha1.ReasonForbidden)
	w.allow(w.namespace, rule("", "configmaps"))
	w.awaitGone(grant)
	w.awaitGone(w.configMap(w.namespace, "note-1"))
}

// Another ServiceAccount takes over what the policy still says; what it no longer says is left to the one before.
func TestEachObjectIsDeletedAsItWasApplied(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow(w.namespace, rule("", "configmaps"))
	completion := MakeCompletion(w, 1).Obj()
	policy := MakePolicy(w, "lab").Object("note", w.fill(note)).Obj()
	w.create(w.account(), completion, policy)
	grant, configMap := w.grantOf("lab", completion), w.configMap(w.namespace, "note-1")
	w.awaitActive(grant)
	other := w.account()
	other.Name = "other"
	w.create(other)
	w.change(policy, func() {
		policy.Spec.ServiceAccountName = "other"
		policy.Spec.Objects[0].Template = raw(w.fill("{apiVersion: v1, kind: Secret, metadata: " +
			"{name: note, namespace: INSTITUTION}}"))
	})
	w.awaitGone(configMap)
	w.awaitReason(grant, v1alpha1.ReasonForbidden)
	g.Expect(ready(grant).Message).To(ContainSubstring("ServiceAccount other is not allowed to"))
}

// A kind whose definition comes later is granted then, and goes with its definition.
func TestKindThatIsNotServedYet(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	group := w.namespace + ".example.org"
	w.allow("", rule(group, "badges"))
	completion := MakeCompletion(w, 1).Obj()
	policy := MakePolicy(w, "lab").Object("badge", w.fill(`
apiVersion: INSTITUTION.example.org/v1
kind: Badge
metadata: {name: "badge-${user.id}", namespace: INSTITUTION}
spec: {user: "${user.id}", courses: ["${course.id}"], text: "user ${user.id}", none: "${null}"}
`)).Obj()
	w.create(w.account(), completion, policy)
	grant := w.grantOf("lab", completion)
	w.awaitReason(grant, v1alpha1.ReasonKindUnknown)
	w.awaitAccess(policy, v1alpha1.ReasonKindUnknown)

	crd := badges(group)
	w.create(crd)
	w.awaitActive(grant)
	badge := &unstructured.Unstructured{}
	badge.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: "v1", Kind: "Badge"})
	g.Expect(admin.Get(t.Context(), types.NamespacedName{Namespace: w.namespace, Name: "badge-1"}, badge)).To(Succeed())
	g.Expect(badge.Object["spec"]).To(Equal(map[string]any{
		"user": int64(1), "courses": []any{int64(123456)}, "text": "user 1"}))

	w.delete(crd)
	w.awaitGone(crd)
	w.delete(completion)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	g.Expect(grant.Status.Inventory).To(BeEmpty())
}

// badges defines a kind that takes any field.
func badges(group string) client.Object {
	names := map[string]any{"kind": "Badge", "listKind": "BadgeList", "plural": "badges", "singular": "badge"}
	open := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	crd := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"group": group, "scope": "Namespaced", "names": names,
		"versions": []any{map[string]any{
			"name": "v1", "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": open},
		}},
	}}}
	crd.SetGroupVersionKind(schema.GroupVersionKind{
		Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	crd.SetName("badges." + group)
	return crd
}

// What the API server refuses for good is told without the values that it quotes.
func TestRefusedObjectTellsNoValues(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ object, want string }{
		"invalid": {`
apiVersion: v1
kind: ConfigMap
metadata: {name: note, namespace: INSTITUTION}
data: {"a b": "${user.name}"}
`, v1alpha1.ReasonRefused},
		"mistyped": {`
apiVersion: v1
kind: ConfigMap
metadata: {name: note, namespace: INSTITUTION}
data: {name: {nested: "${user.name}"}}
`, v1alpha1.ReasonProgressingWithRetry},
		"quota": {`
apiVersion: v1
kind: ConfigMap
metadata: {name: note, namespace: PREFIX1}
data: {name: "${user.name}"}
`, v1alpha1.ReasonForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, w := NewWithT(t), newWorld(t)
			w.allow("", rule("", "configmaps"))
			full := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: w.prefix + "1", Name: "full"}}
			full.Spec.Hard = corev1.ResourceList{"count/configmaps": resource.MustParse("0")}
			w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.prefix + "1"}}, full)
			w.eventually(func(g Gomega) {
				g.Expect(admin.Get(t.Context(), keyOf(full), full)).To(Succeed())
				g.Expect(full.Status.Hard).NotTo(BeEmpty())
			})
			completion := MakeCompletion(w, 1).Obj()
			w.create(w.account(), completion, MakePolicy(w, "lab").Object("note", w.fill(tc.object)).Obj())
			grant := w.grantOf("lab", completion)
			w.awaitReason(grant, tc.want)
			g.Expect(ready(grant).Message).NotTo(ContainSubstring("Graciliano"))
			g.Expect(ready(grant).Message).To(ContainSubstring("ConfigMap note"))
		})
	}
}

// Access ends when it ends: for a role binding the operator's own rights will do where the ServiceAccount has gone.
func TestAccessEndsWithoutTheServiceAccount(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow(w.namespace, rule("", "configmaps"), rule(rbacv1.GroupName, "rolebindings"))
	reader := &rbacv1.Role{ObjectMeta: w.meta("reader"), Rules: []rbacv1.PolicyRule{rule("", "configmaps", "get")}}
	completion, serviceAccount := MakeCompletion(w, 1).Obj(), w.account()
	w.create(serviceAccount, reader, completion, MakePolicy(w, "lab").Object("reader", w.fill(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: INSTITUTION}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "${user.email}"}]
`)).Obj())
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	w.delete(serviceAccount, completion)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	w.awaitGone(&rbacv1.RoleBinding{ObjectMeta: w.meta("reader")})
	g.Expect(grant.Status.Inventory).To(BeEmpty())
}
