// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// attack is an object that somebody who may write policies, and no more, would like to have.
type attack struct {
	name   string
	object string
	// want is the reason on the policy where the operator refuses it when it is written, otherwise that on the Grant.
	want string
	// handmade is the reason on a Grant made by hand that says the same.
	handmade string
}

// attacks are objects with the rights of a ServiceAccount that may do everything with ConfigMaps and RBAC in the
// institution's namespace, and with ClusterRoles and their bindings, but neither bind nor escalate.
func attacks() []attack {
	const (
		invalid, forbidden, refused = v1alpha1.ReasonInvalidPolicy, v1alpha1.ReasonForbidden, v1alpha1.ReasonRefused
		eve                         = "subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}]"
		rbac                        = "apiVersion: rbac.authorization.k8s.io/v1\n"
	)
	return []attack{
		{"a system namespace", "{apiVersion: v1, kind: ConfigMap, metadata: {name: evil, namespace: kube-system}}",
			invalid, refused},
		{"a public namespace", "{apiVersion: v1, kind: ConfigMap, metadata: {name: evil, namespace: kube-public}}",
			invalid, refused},
		{"our namespace", "{apiVersion: v1, kind: ConfigMap, metadata: {name: evil, namespace: completion-system}}",
			invalid, refused},
		{"a namespace", "{apiVersion: v1, kind: Namespace, metadata: {name: PREFIXevil}}", invalid, refused},
		{"an institution", `
apiVersion: completions.lxp.dev/v1alpha1
kind: Institution
metadata: {name: evil, namespace: INSTITUTION}
spec: {id: 1, namespacePrefix: evil-, authentication: {tokenSecretRefs: [{name: evil}]}}
`, invalid, refused},
		{"a grant", `
apiVersion: completions.lxp.dev/v1alpha1
kind: Grant
metadata: {name: evil, namespace: INSTITUTION}
spec: {holder: {institutionID: 1, userID: 1}}
`, invalid, refused},
		{"a pod", `
apiVersion: v1
kind: Pod
metadata: {name: evil, namespace: INSTITUTION}
spec: {containers: [{name: evil, image: evil}]}
`, invalid, refused},
		{"a cron job", `
apiVersion: batch/v1
kind: CronJob
metadata: {name: evil, namespace: INSTITUTION}
spec: {schedule: "* * * * *"}
`, invalid, refused},
		{"a ServiceAccount that lets policies use it", `
apiVersion: v1
kind: ServiceAccount
metadata: {name: evil, namespace: INSTITUTION, labels: {completions.lxp.dev/policy-service-account: "true"}}
`, invalid, refused},
		{"the owner label of another grant", `
apiVersion: v1
kind: ConfigMap
metadata: {name: evil, namespace: INSTITUTION, labels: {completions.lxp.dev/grant: evil}}
`, invalid, refused},
		{"a finalizer", `
apiVersion: v1
kind: ConfigMap
metadata: {name: evil, namespace: INSTITUTION, finalizers: [example.org/evil]}
`, invalid, refused},
		{"an owner", `
apiVersion: v1
kind: ConfigMap
metadata:
  name: evil
  namespace: INSTITUTION
  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: evil, uid: evil}]
`, invalid, refused},
		{"a foreign namespace", "{apiVersion: v1, kind: ConfigMap, metadata: {name: evil, namespace: FOREIGN}}",
			invalid, refused},
		{"a rollout", `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: evil, namespace: INSTITUTION}
`, invalid, refused},
		{"another kind", "{apiVersion: v1, kind: Secret, metadata: {name: evil, namespace: INSTITUTION}}",
			forbidden, forbidden},
		{"a secret elsewhere", "{apiVersion: v1, kind: Secret, metadata: {name: token, namespace: FOREIGN}}",
			invalid, refused},
		{"everybody, in the namespace", rbac + `kind: RoleBinding
metadata: {name: evil, namespace: INSTITUTION}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: system:authenticated}]
`, invalid, refused},
		{"a ServiceAccount elsewhere", rbac + `kind: RoleBinding
metadata: {name: evil, namespace: INSTITUTION}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: default, namespace: FOREIGN}]
`, invalid, refused},
		{"a token of a ServiceAccount", `
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: evil, namespace: INSTITUTION, annotations: {example.org/for: default}}
`, forbidden, forbidden},
		{"everything, in the cluster", rbac + `kind: ClusterRoleBinding
metadata: {name: INSTITUTION-evil}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
` + eve, forbidden, forbidden},
		{"everything, in the namespace", rbac + `kind: RoleBinding
metadata: {name: evil, namespace: INSTITUTION}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
` + eve, forbidden, forbidden},
		{"a role of more than it has", rbac + `kind: ClusterRole
metadata: {name: INSTITUTION-evil}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
`, forbidden, forbidden},
		{"the role of every learner", rbac + `kind: ClusterRole
metadata: {name: completion-learner}
rules: []
`, v1alpha1.ReasonConflict, v1alpha1.ReasonConflict},
	}
}

func attackedWorld(t *testing.T) *world {
	t.Helper()
	w, foreign := newWorld(t), makeWorld(t)
	w.foreign = foreign.namespace
	w.allow(w.namespace, rule("", "configmaps"), rule(rbacv1.GroupName, "roles,rolebindings"))
	w.allow("", rule(rbacv1.GroupName, "clusterroles,clusterrolebindings"))
	w.create(w.account())
	return w
}

// stillSafe checks that nothing came of an attack.
func (w *world) stillSafe(a attack) {
	w.t.Helper()
	g := NewWithT(w.t)
	switch a.name {
	case "the role of every learner":
		role := &rbacv1.ClusterRole{}
		role.Name = "completion-learner"
		w.get(role)
		g.Expect(role.Rules).NotTo(BeEmpty())
	case "a secret elsewhere":
		secret := &corev1.Secret{}
		secret.Namespace, secret.Name = w.foreign, "token"
		w.get(secret)
		g.Expect(secret.Data).NotTo(BeEmpty())
		g.Expect(secret.Labels).To(BeEmpty())
	case "a rollout":
		// The kind is not even served.
	default:
		w.absent(g, w.fill(a.object))
	}
}

// Through a policy an author can do nothing that its ServiceAccount could not.
func TestAttacksThroughPolicies(t *testing.T) {
	t.Parallel()
	shared := attackedWorld(t)
	for i, tc := range attacks() {
		t.Run(tc.name, func(t *testing.T) {
			w := shared.in(t)
			user := v1alpha1.PlatformID(100 + i)
			policy := MakePolicy(w, "attack").Courses(user).Object("evil", w.fill(tc.object)).Obj()
			completion := MakeCompletion(w, user).Course(user).Obj()
			w.create(policy, completion)
			if tc.want == v1alpha1.ReasonInvalidPolicy {
				w.awaitReason(policy, tc.want)
				w.awaitReason(completion, v1alpha1.ReasonPolicyFailed)
			} else {
				w.awaitReason(w.grantOf("attack", completion), tc.want)
			}
			w.stillSafe(tc)
			w.delete(policy)
			w.awaitGone(policy)
		})
	}
}

// A Grant is executable, whoever wrote it: everything holds for those made by hand too.
func TestAttacksThroughHandmadeGrants(t *testing.T) {
	t.Parallel()
	shared := attackedWorld(t)
	for i, tc := range attacks() {
		t.Run(tc.name, func(t *testing.T) {
			w := shared.in(t)
			grant := MakeGrant(w, "by-hand", v1alpha1.PlatformID(100+i)).Object("evil", w.fill(tc.object)).Obj()
			w.create(grant)
			w.awaitReason(grant, tc.handmade)
			w.stillSafe(tc)
			w.delete(grant)
			w.awaitGone(grant)
		})
	}
}

// What a delivery says cannot lead anywhere that the policy does not.
func TestAttacksThroughDeliveries(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	w.allow(w.namespace, rule("", "configmaps"))
	w.create(w.account(), MakePolicy(w, "lab").Object("note", w.fill(`
apiVersion: v1
kind: ConfigMap
metadata: {name: "note-${user.id}", namespace: "${course.name}"}
data: {name: "${user.name}", more: "<${user.name}>"}
`)).Obj())
	for i, place := range []string{
		"kube-system", "completion-system", "default", "../kube-system", "a/b", "${user.id}", "Vidas Secas", "",
	} {
		completion := MakeCompletion(w, v1alpha1.PlatformID(i+1)).Obj()
		completion.Spec.Course.Name = place
		w.create(completion)
		w.awaitReason(completion, v1alpha1.ReasonPolicyFailed)
	}
	for i, name := range []string{`"}: {`, "${user.email}", "a\nb: c", "$${x}", `{"apiVersion":"v1"}`} {
		completion := MakeCompletion(w, v1alpha1.PlatformID(i+101)).Obj()
		completion.Spec.Course.Name, completion.Spec.User.Name = w.namespace, name
		w.create(completion)
		w.awaitActive(w.grantOf("lab", completion))
		configMap := w.configMap(w.namespace, "note-"+completion.Spec.User.ID.String())
		w.get(configMap)
		g.Expect(configMap.Data).To(Equal(map[string]string{"name": name, "more": "<" + name + ">"}))
	}
}
