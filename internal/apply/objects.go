// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
)

// Names of what a granted namespace holds.
const (
	QuotaName     = "completion-quota"
	LimitsName    = "completion-limits"
	IsolationName = "completion-isolation"
	// bindingPrefix starts the name of a RoleBinding. The ClusterRole's name follows, because a binding's role cannot
	// be changed: another role is another binding.
	bindingPrefix = "access-"
)

const (
	// annotationApplied is the digest of what was applied last. It shows that a field that is no longer wanted still
	// stands, which the comparison of the wanted fields cannot.
	annotationApplied = v1alpha1.GroupName + "/applied"

	podSecurityEnforce = "pod-security.kubernetes.io/enforce"
	podSecurityWarn    = "pod-security.kubernetes.io/warn"
	namespaceNameLabel = "kubernetes.io/metadata.name"
)

// owned is one object that a Grant provisions.
type owned struct {
	group, kind string
	// want holds the fields that the operator owns and no others.
	want client.Object
	// empty returns an object of the same type to read into.
	empty func() client.Object
	// config returns the apply configuration, guarded by a resourceVersion or a uid where one is given.
	config func(resourceVersion string, uid types.UID) runtime.ApplyConfiguration
	// same reports whether the fields that the operator owns are in an object as they should be.
	same func(have client.Object) bool
}

func (o *owned) key() client.ObjectKey { return client.ObjectKeyFromObject(o.want) }

// configuration is what the generated apply configurations have in common.
type configuration[C any] interface {
	runtime.ApplyConfiguration
	WithResourceVersion(string) C
	WithUID(types.UID) C
	WithLabels(map[string]string) C
	WithAnnotations(map[string]string) C
}

// own makes an object of a Grant from its apply configuration.
func own[C configuration[C], T any, P interface {
	*T
	client.Object
}](grant *v1alpha1.Grant, group, kind string, build func() C, same func(want, have P) bool) owned {
	applied := digest(build())
	labelledConfig := func() C {
		return build().
			WithLabels(map[string]string{v1alpha1.LabelGrant: grant.OwnerDigest()}).
			WithAnnotations(map[string]string{
				v1alpha1.AnnotationGrant: grant.Namespace + "/" + grant.Name,
				annotationApplied:        applied,
			})
	}
	want := P(new(T))
	decode(labelledConfig(), want)
	return owned{
		group: group, kind: kind, want: want,
		empty: func() client.Object { return P(new(T)) },
		config: func(resourceVersion string, uid types.UID) runtime.ApplyConfiguration {
			config := labelledConfig()
			if resourceVersion != "" {
				config = config.WithResourceVersion(resourceVersion)
			}
			if uid != "" {
				config = config.WithUID(uid)
			}
			return config
		},
		same: func(have client.Object) bool {
			typed, ok := have.(P)
			return ok && within(want.GetLabels(), have.GetLabels()) &&
				within(want.GetAnnotations(), have.GetAnnotations()) && same(want, typed)
		},
	}
}

func decode(config any, into any) {
	text, err := json.Marshal(config)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		// Both are generated from the same types.
		panic("decoding an apply configuration: " + err.Error())
	}
}

func digest(config any) string {
	text, err := json.Marshal(config)
	if err != nil {
		panic("encoding an apply configuration: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// within reports whether all of the wanted pairs are there.
func within(want, have map[string]string) bool {
	for key, value := range want {
		if got, found := have[key]; !found || got != value {
			return false
		}
	}
	return true
}

// objectsOf returns what a Grant provisions for a namespace, the namespace first.
func objectsOf(
	grant *v1alpha1.Grant, ns *v1alpha1.GrantedNamespace, settings *installation.Namespaces,
) []owned {
	objects := []owned{namespaceOf(grant, ns)}
	if hard := settings.WithQuota(resources(ns.Quota)); len(hard) > 0 {
		objects = append(objects, quotaOf(grant, ns.Name, hard))
	}
	if limits := settings.WithLimits(limitItems(ns.Limits)); len(limits) > 0 {
		objects = append(objects, limitsOf(grant, ns.Name, limits))
	}
	if ns.NetworkIsolation != v1alpha1.NetworkIsolationNone {
		objects = append(objects, isolationOf(grant, ns, &settings.Network))
	}
	for i := range ns.Access {
		objects = append(objects, bindingOf(grant, ns.Name, &ns.Access[i]))
	}
	return objects
}

// Objects returns what a Grant provisions, as it is made, each namespace before what is in it; not what its templates
// say.
func Objects(grant *v1alpha1.Grant, settings *installation.Namespaces) []client.Object {
	var objects []client.Object
	for i := range grant.Spec.Namespaces {
		for _, object := range objectsOf(grant, &grant.Spec.Namespaces[i], settings) {
			objects = append(objects, object.want)
		}
	}
	return objects
}

func namespaceOf(grant *v1alpha1.Grant, ns *v1alpha1.GrantedNamespace) owned {
	build := func() *corev1ac.NamespaceApplyConfiguration {
		return corev1ac.Namespace(ns.Name).
			WithLabels(ns.Labels).
			WithAnnotations(ns.Annotations).
			WithLabels(map[string]string{
				podSecurityEnforce: string(ns.PodSecurity),
				podSecurityWarn:    string(ns.PodSecurity),
			}).
			WithLabels(accountOf(grant))
	}
	return own(grant, "", "Namespace", build, func(_, _ *corev1.Namespace) bool { return true })
}

// accountOf returns the labels by which people find a namespace, and put its costs to somebody's account.
func accountOf(grant *v1alpha1.Grant) map[string]string {
	labels := map[string]string{
		v1alpha1.LabelInstitutionID: grant.Spec.Holder.InstitutionID.String(),
		v1alpha1.LabelUserID:        grant.Spec.Holder.UserID.String(),
	}
	if grant.Planned() {
		labels[v1alpha1.LabelPolicy] = string(grant.Spec.Policy)
	}
	if course, one := courseOf(grant); one {
		labels[v1alpha1.LabelCourseID] = course.String()
	}
	return labels
}

// courseOf returns the course that a Grant was earned by, where that is one: a sum over courses must not depend on
// which of several was completed first.
func courseOf(grant *v1alpha1.Grant) (v1alpha1.PlatformID, bool) {
	var course v1alpha1.PlatformID
	for i := range grant.Spec.Causes {
		id, ok := v1alpha1.CourseOfCompletion(grant.Spec.Causes[i].Completion)
		if !ok || course != 0 && id != course {
			return 0, false
		}
		course = id
	}
	return course, course != 0
}

func quotaOf(grant *v1alpha1.Grant, namespace string, hard corev1.ResourceList) owned {
	build := func() *corev1ac.ResourceQuotaApplyConfiguration {
		return corev1ac.ResourceQuota(QuotaName, namespace).
			WithSpec(corev1ac.ResourceQuotaSpec().WithHard(hard))
	}
	return own(grant, "", "ResourceQuota", build, func(want, have *corev1.ResourceQuota) bool {
		return resourcesWithin(want.Spec.Hard, have.Spec.Hard)
	})
}

func resources(values map[string]v1alpha1.Quantity) corev1.ResourceList {
	list := make(corev1.ResourceList, len(values))
	for name, value := range values {
		// Limits.CheckGrant has parsed it before.
		if quantity, err := resource.ParseQuantity(string(value)); err == nil {
			list[corev1.ResourceName(name)] = quantity
		}
	}
	return list
}

func resourcesWithin(want, have corev1.ResourceList) bool {
	for name, quantity := range want {
		if got, found := have[name]; !found || got.Cmp(quantity) != 0 {
			return false
		}
	}
	return true
}

func limitsOf(grant *v1alpha1.Grant, namespace string, limits []corev1.LimitRangeItem) owned {
	build := func() *corev1ac.LimitRangeApplyConfiguration {
		spec := corev1ac.LimitRangeSpec()
		for _, limit := range limits {
			item := corev1ac.LimitRangeItem().WithType(limit.Type)
			for _, part := range []struct {
				values corev1.ResourceList
				set    func(corev1.ResourceList) *corev1ac.LimitRangeItemApplyConfiguration
			}{
				{limit.Default, item.WithDefault}, {limit.DefaultRequest, item.WithDefaultRequest},
				{limit.Max, item.WithMax}, {limit.Min, item.WithMin},
			} {
				if len(part.values) > 0 {
					part.set(part.values)
				}
			}
			spec.WithLimits(item)
		}
		return corev1ac.LimitRange(LimitsName, namespace).WithSpec(spec)
	}
	return own(grant, "", "LimitRange", build, sameLimits)
}

// limitItems returns limits as a LimitRange has them.
func limitItems(limits []v1alpha1.GrantedLimit) []corev1.LimitRangeItem {
	var items []corev1.LimitRangeItem
	for _, limit := range limits {
		items = append(items, corev1.LimitRangeItem{
			Type: corev1.LimitType(limit.Type), Default: resources(limit.Default),
			DefaultRequest: resources(limit.DefaultRequest), Max: resources(limit.Max), Min: resources(limit.Min),
		})
	}
	return items
}

// sameLimits compares what is wanted only: the API server fills in defaults of its own.
func sameLimits(want, have *corev1.LimitRange) bool {
	return slices.EqualFunc(want.Spec.Limits, have.Spec.Limits, func(w, h corev1.LimitRangeItem) bool {
		return w.Type == h.Type && resourcesWithin(w.Default, h.Default) &&
			resourcesWithin(w.DefaultRequest, h.DefaultRequest) &&
			resourcesWithin(w.Max, h.Max) && resourcesWithin(w.Min, h.Min)
	})
}

func bindingOf(grant *v1alpha1.Grant, namespace string, access *v1alpha1.GrantedAccess) owned {
	build := func() *rbacv1ac.RoleBindingApplyConfiguration {
		binding := rbacv1ac.RoleBinding(bindingPrefix+access.ClusterRole, namespace).
			WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName(access.ClusterRole))
		for _, subject := range access.Subjects {
			s := subject.Subject(namespace)
			config := rbacv1ac.Subject().WithKind(s.Kind).WithName(s.Name)
			if s.APIGroup != "" {
				config.WithAPIGroup(s.APIGroup)
			}
			if s.Namespace != "" {
				config.WithNamespace(s.Namespace)
			}
			binding.WithSubjects(config)
		}
		return binding
	}
	return own(grant, rbacv1.GroupName, "RoleBinding", build, func(want, have *rbacv1.RoleBinding) bool {
		return want.RoleRef == have.RoleRef && slices.Equal(want.Subjects, have.Subjects)
	})
}

// Kinds returns an empty object of each kind that a Grant provisions, the namespace first.
func Kinds() []client.Object {
	return []client.Object{
		&corev1.Namespace{}, &corev1.ResourceQuota{}, &corev1.LimitRange{},
		&networkingv1.NetworkPolicy{}, &rbacv1.RoleBinding{},
	}
}

// labelled reports whether an object carries the owner label of a Grant.
func labelled(object client.Object, ownerDigest string) bool {
	return object.GetLabels()[v1alpha1.LabelGrant] == ownerDigest
}

// isolationOf lets pods talk to those of their own namespace, and to what the installation names.
func isolationOf(
	grant *v1alpha1.Grant, ns *v1alpha1.GrantedNamespace, network *installation.Network,
) owned {
	build := func() *networkingv1ac.NetworkPolicyApplyConfiguration {
		own := networkingv1ac.NetworkPolicyPeer().WithPodSelector(metav1ac.LabelSelector())
		spec := networkingv1ac.NetworkPolicySpec().
			WithPodSelector(metav1ac.LabelSelector()).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).
			WithIngress(networkingv1ac.NetworkPolicyIngressRule().WithFrom(own))
		for _, peer := range slices.Concat(network.Ingress, network.Monitoring) {
			spec.WithIngress(networkingv1ac.NetworkPolicyIngressRule().WithFrom(peerOf(&peer)).WithPorts(portsOf(&peer)...))
		}
		if ns.NetworkIsolation == v1alpha1.NetworkIsolationIngressAndEgress {
			spec.WithPolicyTypes(networkingv1.PolicyTypeEgress).
				WithEgress(networkingv1ac.NetworkPolicyEgressRule().WithTo(own))
			for _, peer := range slices.Concat(network.DNS, network.Egress) {
				spec.WithEgress(networkingv1ac.NetworkPolicyEgressRule().WithTo(peerOf(&peer)).WithPorts(portsOf(&peer)...))
			}
		}
		return networkingv1ac.NetworkPolicy(IsolationName, ns.Name).WithSpec(spec)
	}
	return own(grant, networkingv1.GroupName, "NetworkPolicy", build, func(want, have *networkingv1.NetworkPolicy) bool {
		return digest(want.Spec) == digest(have.Spec)
	})
}

// peerOf selects a namespace by the label that the API server sets to its name: nobody else can have that one. All
// pods are selected by a selector that is empty, and not by none, with which OpenShift leaves out those on the network
// of the host.
func peerOf(peer *installation.Peer) *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	config := networkingv1ac.NetworkPolicyPeer()
	if peer.CIDR != "" {
		return config.WithIPBlock(networkingv1ac.IPBlock().WithCIDR(peer.CIDR).WithExcept(peer.Except...))
	}
	return config.
		WithNamespaceSelector(metav1ac.LabelSelector().
			WithMatchLabels(map[string]string{namespaceNameLabel: peer.Namespace})).
		WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(peer.PodLabels))
}

func portsOf(peer *installation.Peer) []*networkingv1ac.NetworkPolicyPortApplyConfiguration {
	var ports []*networkingv1ac.NetworkPolicyPortApplyConfiguration
	for _, port := range peer.Ports {
		ports = append(ports,
			networkingv1ac.NetworkPolicyPort().WithProtocol(port.Protocol).WithPort(intstr.FromInt32(port.Port)))
	}
	return ports
}
