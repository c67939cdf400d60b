// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// fullNamespace asks for everything that a namespace can have.
func fullNamespace(w *world) v1alpha1.NamespaceTemplate {
	memory := func(value v1alpha1.QuantityTemplate) map[string]v1alpha1.QuantityTemplate {
		return map[string]v1alpha1.QuantityTemplate{"memory": value}
	}
	return v1alpha1.NamespaceTemplate{
		Name:             v1alpha1.Template(w.prefix + "${user.id}"),
		Labels:           map[string]v1alpha1.Template{"course": "c-${course.id}"},
		Annotations:      map[string]v1alpha1.Template{"example.org/what": "${course.name} is $${done}"},
		PodSecurity:      v1alpha1.PodSecurityRestricted,
		NetworkIsolation: v1alpha1.NetworkIsolationIngressAndEgress,
		ResourceQuota: v1alpha1.ResourceQuotaTemplate{Hard: map[string]v1alpha1.QuantityTemplate{
			"count/pods": "10", "requests.memory": "${string(1 + 1)}Gi",
		}},
		Limits: []v1alpha1.LimitTemplate{{
			Type: "Container", Default: memory("512Mi"), DefaultRequest: memory("0.25Gi"),
			Max: memory("1Gi"), Min: memory("1Mi"),
		}},
		Access: []v1alpha1.AccessTemplate{{Subjects: []v1alpha1.SubjectTemplate{
			{Name: "${user.email}"}, {Kind: v1alpha1.SubjectServiceAccount, Name: "runner"},
		}}},
	}
}

func TestGrantedNamespaceHasExactlyWhatIsGranted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	policy := MakePolicy(w, "lab").Obj()
	policy.Spec.Namespaces = []v1alpha1.NamespaceTemplate{fullNamespace(w)}
	completion := MakeCompletion(w, 7).Obj()
	w.create(policy, completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	owner := grant.OwnerDigest()

	namespace := w.learner(7)
	w.get(namespace)
	wantLabels := map[string]string{
		"course": "c-123456", v1alpha1.LabelGrant: owner,
		v1alpha1.LabelInstitutionID: w.id.String(), v1alpha1.LabelUserID: "7",
		v1alpha1.LabelPolicy: "lab", v1alpha1.LabelCourseID: "123456",
		"kubernetes.io/metadata.name":        namespace.Name,
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted",
	}
	if diff := cmp.Diff(wantLabels, namespace.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	g.Expect(namespace.Annotations).To(And(
		HaveKeyWithValue("example.org/what", "Vidas Secas is ${done}"),
		HaveKeyWithValue(v1alpha1.AnnotationGrant, w.namespace+"/"+grant.Name)))
	g.Expect(namespace.OwnerReferences).To(BeEmpty(), "a namespace must not go with an object of ours")

	quota, isolation, access := w.quotaOf(7), w.isolationOf(7), w.accessOf(7)
	limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "completion-limits"}}
	for _, object := range []client.Object{quota, limits, isolation, access} {
		w.get(object)
		g.Expect(object.GetLabels()).To(Equal(map[string]string{v1alpha1.LabelGrant: owner}), "%T", object)
	}
	for _, tc := range []struct {
		what      string
		want, got any
	}{
		{"quota", corev1.ResourceList{
			"count/pods": resource.MustParse("10"), "requests.memory": resource.MustParse("2Gi")}, quota.Spec.Hard},
		{"limits", []corev1.LimitRangeItem{wantLimits()}, limits.Spec.Limits},
		{"isolation", wantIsolation(), isolation.Spec},
		{"role", rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "completion-learner"}, access.RoleRef},
		{"subjects", []rbacv1.Subject{
			{APIGroup: rbacv1.GroupName, Kind: "User", Name: "graciliano.7@example.org"},
			{Kind: "ServiceAccount", Namespace: namespace.Name, Name: "runner"},
		}, access.Subjects},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.what, diff)
		}
	}
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	g.Expect(completion.Status.Grants).To(Equal([]v1alpha1.LocalName{v1alpha1.LocalName(grant.Name)}))
}

func wantLimits() corev1.LimitRangeItem {
	memory := func(value string) corev1.ResourceList {
		return corev1.ResourceList{"memory": resource.MustParse(value)}
	}
	return corev1.LimitRangeItem{
		Type: "Container", Default: memory("512Mi"), DefaultRequest: memory("256Mi"), Max: memory("1Gi"), Min: memory("1Mi"),
	}
}

func wantIsolation() networkingv1.NetworkPolicySpec {
	own := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}
	pods := func(namespace, key, value string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
			PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{key: value}},
		}
	}
	names := func(to networkingv1.NetworkPolicyPeer, port int32) networkingv1.NetworkPolicyEgressRule {
		return networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{to},
			Ports: []networkingv1.NetworkPolicyPort{
				{Protocol: new(corev1.ProtocolUDP), Port: new(intstr.FromInt32(port))},
				{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(port))},
			}}
	}
	return networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"},
		Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{own}}},
		Egress: []networkingv1.NetworkPolicyEgressRule{
			{To: []networkingv1.NetworkPolicyPeer{own}},
			names(networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "169.254.169.254/32"}}, 53),
			names(networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "169.254.20.10/32"}}, 53),
			names(pods("kube-system", "k8s-app", "kube-dns"), 53),
			names(pods("kube-system", "k8s-app", "node-local-dns"), 53),
			names(pods("openshift-dns", "dns.operator.openshift.io/daemonset-dns", "default"), 5353),
		},
	}
}

func TestInventoryListsWhatWasProvisioned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy, completion := MakePolicy(w, "lab").Obj(), MakeCompletion(w, 7).Obj()
	policy.Spec.Namespaces = []v1alpha1.NamespaceTemplate{fullNamespace(w)}
	w.create(policy, completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	got := map[string]string{}
	for _, entry := range grant.Status.Inventory {
		got[entry.Kind+" "+*entry.Namespace+"/"+entry.Name] = entry.UID
	}
	namespace, name := w.learner(7), w.prefix+"7"
	quota, isolation, access := w.quotaOf(7), w.isolationOf(7), w.accessOf(7)
	limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "completion-limits"}}
	want := map[string]string{}
	for kind, object := range map[string]client.Object{
		"Namespace": namespace, "ResourceQuota": quota, "LimitRange": limits, "NetworkPolicy": isolation,
		"RoleBinding": access,
	} {
		w.get(object)
		want[kind+" "+object.GetNamespace()+"/"+object.GetName()] = string(object.GetUID())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("inventory (-want +got):\n%s", diff)
	}
}

func TestGrantAsksForWhatIsNotAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, tc := range []struct {
		name   string
		change func(ns *v1alpha1.GrantedNamespace)
		says   string
	}{
		{"a name without the prefix", func(ns *v1alpha1.GrantedNamespace) { ns.Name = "elsewhere" }, "spec.namespacePrefix"},
		{"a system namespace", func(ns *v1alpha1.GrantedNamespace) { ns.Name = "kube-system" }, "spec.namespaces[0].name"},
		{"less pod security", func(ns *v1alpha1.GrantedNamespace) { ns.PodSecurity = "privileged" }, "--pod-security-cap"},
		{"a reserved label", func(ns *v1alpha1.GrantedNamespace) {
			ns.Labels = map[string]string{"pod-security.kubernetes.io/enforce": "privileged"}
		}, "reserved"},
		{"the owner label of another grant", func(ns *v1alpha1.GrantedNamespace) {
			ns.Labels = map[string]string{v1alpha1.LabelGrant: "0"}
		}, "reserved"},
		{"access for the system", func(ns *v1alpha1.GrantedNamespace) {
			ns.Access[0].Subjects[0].Name = "system:anonymous"
		}, "system:"},
		{"access for a group", func(ns *v1alpha1.GrantedNamespace) {
			ns.Access[0].Subjects[0].Kind = v1alpha1.SubjectGroup
		}, "--allow-group-subjects"},
		{"an odd quota", func(ns *v1alpha1.GrantedNamespace) {
			ns.Quota = map[string]v1alpha1.Quantity{"count/pods": "many"}
		}, "quantity"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, g := w.in(t), NewWithT(t)
			user := v1alpha1.PlatformID(100 + i)
			grant := MakeGrant(w, "refused-"+user.String(), user).Namespace(w.prefix + user.String()).Obj()
			tc.change(&grant.Spec.Namespaces[0])
			w.create(grant)
			w.awaitReason(grant, v1alpha1.ReasonRefused)
			g.Expect(stalled(grant)).To(BeTrue())
			g.Expect(ready(grant).Message).To(ContainSubstring(tc.says))
			g.Expect(grant.Status.Inventory).To(BeEmpty())
			g.Expect(client.IgnoreNotFound(admin.Get(t.Context(), keyOf(w.learner(user)), w.learner(user)))).
				To(Succeed())
		})
	}
}

// A role that the installation does not list cannot be given: the API server refuses to bind it.
func TestGrantOfAnotherRoleIsForbidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	grant := MakeGrant(w, "climber", 9).Namespace(w.prefix + "9").Obj()
	grant.Spec.Namespaces[0].Access[0].ClusterRole = "cluster-admin"
	w.create(grant)
	w.awaitReason(grant, v1alpha1.ReasonForbidden)
	g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantPending))
	g.Expect(ready(grant).Message).NotTo(MatchRegexp(`\bana\b`), "API errors quote values")
	var bindings rbacv1.RoleBindingList
	g.Expect(admin.List(t.Context(), &bindings, client.InNamespace(w.prefix+"9"))).To(Succeed())
	g.Expect(bindings.Items).To(BeEmpty())

	w.change(grant, func() { grant.Spec.Namespaces[0].Access[0].ClusterRole = v1alpha1.DefaultClusterRole })
	w.awaitActive(grant)
}
