// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"strings"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// account is the ServiceAccount of the policies with objects.
const account = "policies"

// Object grants an object by a template in YAML.
func (p *PolicyWrapper) Object(name v1alpha1.EntryName, text string) *PolicyWrapper {
	p.Spec.ServiceAccountName = account
	p.Spec.Objects = append(p.Spec.Objects, v1alpha1.ObjectTemplate{Name: name, Template: raw(text)})
	return p
}

// Object has the Grant say an object, in YAML.
func (g *GrantWrapper) Object(name v1alpha1.EntryName, text string) *GrantWrapper {
	g.Spec.ServiceAccountName = account
	g.Spec.Objects = append(g.Spec.Objects, v1alpha1.GrantedObject{Name: name, Object: raw(text)})
	return g
}

func raw(text string) runtime.RawExtension {
	content, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		panic(err)
	}
	return runtime.RawExtension{Raw: content}
}

// fill writes a world's own names into a template.
func (w *world) fill(text string) string {
	return strings.NewReplacer("PREFIX", w.prefix, "INSTITUTION", w.namespace, "FOREIGN", w.foreign).Replace(text)
}

// welcome is a template of a ConfigMap in the namespace of a user.
const welcome = `
apiVersion: v1
kind: ConfigMap
metadata:
  name: welcome
  namespace: PREFIX${user.id}
  labels: {course: "${course.id}"}
data:
  text: Welcome, ${user.name}!
`

// note is a template of a ConfigMap in the namespace of the institution.
const note = `
apiVersion: v1
kind: ConfigMap
metadata:
  name: note-${user.id}
  namespace: INSTITUTION
data:
  name: ${user.name}
`

// MakeWelcome makes a policy that grants a namespace and a ConfigMap in it.
func MakeWelcome(w *world) *PolicyWrapper {
	return MakeLab(w, "lab").Object("welcome", w.fill(welcome))
}

// account makes the ServiceAccount of the policies, with the label that lets them use it.
func (w *world) account() *corev1.ServiceAccount {
	made := &corev1.ServiceAccount{ObjectMeta: w.meta(account)}
	made.Labels = map[string]string{v1alpha1.LabelPolicyServiceAccount: "true"}
	return made
}

// rule is what the account may do.
func rule(group, resources string, verbs ...string) rbacv1.PolicyRule {
	if len(verbs) == 0 {
		verbs = []string{"get", "create", "patch", "delete"}
	}
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: strings.Split(resources, ","), Verbs: verbs}
}

// allow lets the account do something, in one namespace or, with an empty one, everywhere. It returns how to take that
// away again.
func (w *world) allow(namespace string, rules ...rbacv1.PolicyRule) func() {
	w.t.Helper()
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.namespace, Name: account}}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: w.namespace + "-"}, Rules: rules}
	w.create(role)
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}
	var binding client.Object = &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name}, RoleRef: ref, Subjects: subjects}
	if namespace != "" {
		binding = &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role.Name}, RoleRef: ref, Subjects: subjects}
	}
	w.create(binding)
	return func() { w.delete(binding) }
}

func (w *world) configMap(namespace, name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// awaitData waits until a ConfigMap is there with the data; it is then as it was read.
func (w *world) awaitData(configMap *corev1.ConfigMap, data map[string]string) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(w.t.Context(), client.ObjectKeyFromObject(configMap), configMap)).To(Succeed())
		g.Expect(configMap.Data).To(Equal(data))
	})
}

// awaitAccess waits until the condition AccessReady of a policy has a reason.
func (w *world) awaitAccess(policy *v1alpha1.CompletionPolicy, reason string) metav1.Condition {
	w.t.Helper()
	var condition metav1.Condition
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(w.t.Context(), client.ObjectKeyFromObject(policy), policy)).To(Succeed())
		found := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionAccessReady)
		g.Expect(found).NotTo(BeNil())
		condition = *found
		g.Expect(condition.Reason).To(Equal(reason), condition.Message)
	})
	return condition
}

// entryOf returns the entry of an inventory for a ConfigMap, an empty one where there is none.
func entryOf(grant *v1alpha1.Grant, namespace, name string) v1alpha1.InventoryEntry {
	for _, entry := range grant.Status.Inventory {
		if entry.Kind == "ConfigMap" && *entry.Namespace == namespace && entry.Name == name {
			return entry
		}
	}
	return v1alpha1.InventoryEntry{}
}

// absent reports whether there is no object of a kind, namespace and name.
func (w *world) absent(g Gomega, text string) {
	object := &unstructured.Unstructured{}
	g.Expect(yaml.Unmarshal([]byte(text), object)).To(Succeed())
	err := admin.Get(w.t.Context(), client.ObjectKeyFromObject(object), object)
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%s %s/%s: %v", object.GetKind(), object.GetNamespace(),
		object.GetName(), err)
}
