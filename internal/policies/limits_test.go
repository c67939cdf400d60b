// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// checkBoth holds what is wrong in a policy and in a Grant by hand that says the same against what is wanted: a part of
// the message, empty where nothing is wrong.
func checkBoth(t *testing.T, limits Limits, ns v1alpha1.GrantedNamespace, want string) {
	t.Helper()
	texts := func(values map[string]string) map[string]v1alpha1.Template {
		templates := map[string]v1alpha1.Template{}
		for key, value := range values {
			templates[key] = v1alpha1.Template(value)
		}
		return templates
	}
	policy := &v1alpha1.CompletionPolicy{}
	policy.Spec.Namespaces = []v1alpha1.NamespaceTemplate{{Name: "grad-${user.id}", Labels: texts(ns.Labels),
		Annotations: texts(ns.Annotations), NetworkIsolation: ns.NetworkIsolation}}
	ns.Name = "grad-1"
	granted := &v1alpha1.GrantSpec{Namespaces: []v1alpha1.GrantedNamespace{ns}}
	for what, faults := range map[string][]Fault{
		"policy": Compile(policy, allKept, limits).Faults,
		"grant":  limits.CheckGrant(granted, Site{"school", "grad-"}),
	} {
		if want == "" && len(faults) > 0 || want != "" && (len(faults) != 1 || !strings.Contains(faults[0].Message, want)) {
			t.Errorf("the %s has the faults %v, want %q", what, faults, want)
		}
	}
}

// Much software trusts a namespace by its labels and annotations.
func TestKeysOfGrantedNamespaces(t *testing.T) {
	t.Parallel()
	const trusted, reserved, flag = "other software trusts", "is reserved", "--namespace-label-domains"
	limits := ordinary
	limits.NamespaceLabelDomains = []string{"example.com", "app.kubernetes.io"}
	for key, want := range map[string]string{
		"course": "", "cost-center": "", "example.com/course": "", "app.kubernetes.io/part-of": "",
		"metrics": trusted, "istio-injection": trusted, "control-plane": trusted, "name": trusted,
		"admission.gatekeeper.sh/ignore": flag, "capsule.clastix.io/tenant": flag, "argocd.argoproj.io/managed-by": flag,
		"field.cattle.io/projectId": flag, "cni.projectcalico.org/ipv4pools": flag, "sub.example.com/course": flag,
		"hnc.x-k8s.io/included-namespace": flag, "scheduler.alpha.kubernetes.io/node-selector": reserved,
		"pod-security.kubernetes.io/enforce": reserved, "completions.lxp.dev/grant": reserved,
		"openshift.io/node-selector": reserved, "not/a/key": "not a valid key",
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			checkBoth(t, limits, v1alpha1.GrantedNamespace{Labels: map[string]string{key: "1"}}, want)
			checkBoth(t, limits, v1alpha1.GrantedNamespace{Annotations: map[string]string{key: "1"}}, want)
		})
	}
	checkBoth(t, ordinary, v1alpha1.GrantedNamespace{Labels: map[string]string{"example.com/a": "1"}}, flag)
}

func TestNetworkIsolationIsCapped(t *testing.T) {
	t.Parallel()
	const none, ingress, both = v1alpha1.NetworkIsolationNone, v1alpha1.NetworkIsolationIngress,
		v1alpha1.NetworkIsolationIngressAndEgress
	for _, tc := range []struct {
		least, asked v1alpha1.NetworkIsolation
		fits         bool
	}{
		{"", none, false}, {"", ingress, true}, {"", both, true}, {none, none, true}, {both, ingress, false}, {both, both,
			true},
	} {
		limits, want := ordinary, ""
		limits.NetworkIsolationCap = tc.least
		if !tc.fits {
			want = "--network-isolation-cap"
		}
		checkBoth(t, limits, v1alpha1.GrantedNamespace{NetworkIsolation: tc.asked}, want)
	}
}

// refusal returns what is wrong with an object: of the policy when it is compiled, or in its institution, or what it
// renders to, which is held to be the same in a Grant by hand.
func refusal(t *testing.T, limits Limits, object, course string) string {
	t.Helper()
	policy := objectsPolicy(t, limits, object)
	if !policy.Ready() {
		return policy.Message()
	}
	if misplaced := policy.Misplaced("grad-"); len(misplaced) > 0 {
		return MessageOf(misplaced)
	}
	completion := deliveredTo("Graciliano")
	completion.Course.Name = course
	rendered, err := policy.Render(completion)
	if err != nil {
		t.Fatal(err)
	}
	byHand := limits.CheckGrant(&v1alpha1.GrantSpec{Namespaces: rendered.Namespaces, Objects: rendered.Objects},
		Site{"school", "grad-"})
	if err = policy.Allowed(rendered, v1alpha1.GrantHolder{}, "grad-"); err == nil {
		if len(byHand) > 0 {
			t.Errorf("a grant by hand has the faults %v", byHand)
		}
		return ""
	}
	if len(byHand) == 0 {
		t.Error("a grant by hand has no faults")
	}
	return err.Error()
}

func checkRefusal(t *testing.T, got, want string) {
	t.Helper()
	if want == "" && got != "" || !strings.Contains(got, want) {
		t.Errorf("it is refused with %q, want %q", got, want)
	}
}

func TestPlacesOfObjects(t *testing.T) {
	t.Parallel()
	limits := ordinary
	limits.ObjectNamespaces = []string{"shared"}
	const elsewhere = "--object-namespaces"
	for place, want := range map[string]string{
		"school": "", "grad-${user.id}": "", "grad-someone": "", "shared": "",
		"team-b": elsewhere, "shared-2": elsewhere, "gradual": elsewhere, "kube-system": "system namespaces",
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			const object = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: PLACE}}"
			checkRefusal(t, refusal(t, limits, strings.Replace(object, "PLACE", `"`+place+`"`, 1), ""), want)
			if !strings.Contains(place, "$") {
				checkRefusal(t, refusal(t, limits, strings.Replace(object, "PLACE", `"${course.name}"`, 1), place), want)
			}
		})
	}
}

func TestKindsOfObjects(t *testing.T) {
	t.Parallel()
	limits := ordinary
	limits.ObjectKinds = []schema.GroupKind{{Group: "cert-manager.io", Kind: "Certificate"}}
	for _, tc := range []struct{ version, kind, want string }{
		{"v1", "ConfigMap", ""},
		{"rbac.authorization.k8s.io/v1", "RoleBinding", ""},
		{"networking.k8s.io/v1", "NetworkPolicy", ""},
		{"cert-manager.io/v1", "Certificate", ""},
		{"cert-manager.io/v1", "Issuer", "--object-kinds=Issuer.cert-manager.io"},
		{"argoproj.io/v1alpha1", "Rollout", "--object-kinds=Rollout.argoproj.io"},
		{"argoproj.io/v1alpha1", "Workflow", "--object-kinds"},
		{"serving.knative.dev/v1", "Service", "--object-kinds"},
		{"tekton.dev/v1", "PipelineRun", "--object-kinds"},
		{"kubevirt.io/v1", "VirtualMachine", "--object-kinds"},
		{"helm.toolkit.fluxcd.io/v2", "HelmRelease", "--object-kinds"},
		{"v1", "PersistentVolume", "--object-kinds"},
		{"admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "--object-kinds"},
		{"apps/v1", "Deployment", "--allow-workload-objects"},
	} {
		t.Run(tc.version+" "+tc.kind, func(t *testing.T) {
			t.Parallel()
			object := "{apiVersion: " + tc.version + ", kind: " + tc.kind + ", metadata: {name: a, namespace: school}}"
			checkRefusal(t, refusal(t, limits, object, ""), tc.want)
		})
	}
}

// Who may write a RoleBinding gives access to nobody whom spec.namespaces could not give it to.
func TestSubjectsOfTemplatedBindings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, subject, course, want string }{
		{"a user", `{kind: User, name: "${user.email}"}`, "", ""},
		{"everybody", "{kind: Group, name: system:authenticated}", "", "--allow-group-subjects"},
		{"a group", "{kind: Group, name: teachers}", "", "--allow-group-subjects"},
		{"a user of the system", "{kind: User, name: system:admin}", "", "system:"},
		{"what starts as one of the system", `{kind: User, name: "system:${course.name}"}`, "admin", "system:"},
		{"what renders to a user of the system", `{kind: User, name: "${course.name}"}`, "system:admin", "system:"},
		{"what renders to a group", `"${{'kind': course.name, 'name': 'teachers'}}"`, "Group", "--allow-group-subjects"},
		{"what renders to a prefix alone", `{kind: User, name: "oidc:${course.name}"}`, " ", "only a prefix"},
		{"what renders to nobody", `{kind: User, name: "${course.name}"}`, " ", "yields an empty name"},
		{"a ServiceAccount of the institution", "{kind: ServiceAccount, name: a, namespace: school}", "", ""},
		{"a ServiceAccount of the user", `{kind: ServiceAccount, name: a, namespace: "grad-${user.id}"}`, "", ""},
		{"a ServiceAccount elsewhere", "{kind: ServiceAccount, name: a, namespace: team-b}", "",
			"not a namespace of this institution"},
		{"what renders to elsewhere", `{kind: ServiceAccount, name: a, namespace: "${course.name}"}`, "team-b",
			"not a namespace of this institution"},
		{"no ServiceAccount", "{kind: ServiceAccount, name: a}", "", "not a namespace of this institution"},
		{"no subject", "everybody", "", "must be a subject"},
		{"another kind", "{kind: Everybody, name: a}", "", "User, Group or ServiceAccount"},
	} {
		for _, kind := range []string{"RoleBinding", "ClusterRoleBinding"} {
			t.Run(tc.name+" in a "+kind, func(t *testing.T) {
				t.Parallel()
				object := "apiVersion: rbac.authorization.k8s.io/v1\nkind: " + kind + "\nmetadata: {name: a, namespace: school}\n" +
					"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\nsubjects: [" + tc.subject + "]\n"
				checkRefusal(t, refusal(t, ordinary, object, tc.course), tc.want)
			})
		}
	}
}
