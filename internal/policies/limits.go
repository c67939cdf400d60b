// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// Limits are what an installation allows. They hold for policies when they are compiled, and again for every Grant
// when it is applied, because a Grant can be made by hand.
type Limits struct {
	// PodSecurityCap is the least strict pod security level that a granted namespace may have.
	PodSecurityCap v1alpha1.PodSecurityLevel
	// AllowGroupSubjects lets access be given to groups.
	AllowGroupSubjects bool
	// AllowWorkloadObjects lets templated objects be pods, and the kinds of Kubernetes that make pods.
	AllowWorkloadObjects bool
	// NetworkIsolationCap is the least isolation that a granted namespace may have. Empty is DefaultNetworkIsolationCap.
	NetworkIsolationCap v1alpha1.NetworkIsolation
	// NamespaceLabelDomains are the domains that labels and annotations of granted namespaces may have; see
	// CheckLabelDomain. Keys without a domain need none.
	NamespaceLabelDomains []string
	// ObjectKinds are the kinds that templated objects may have beside those that are harmless everywhere.
	ObjectKinds []schema.GroupKind
	// ObjectNamespaces are namespaces of others that templated objects may go into.
	ObjectNamespaces []string
}

// DefaultNetworkIsolationCap is the least isolation where the installation says nothing: nobody else's pods reach in.
const DefaultNetworkIsolationCap = v1alpha1.NetworkIsolationIngress

// Site is where an institution is: the namespace that it lives in, and what the names of its others start with.
type Site struct{ Namespace, Prefix string }

// Fault is one thing that is wrong in a policy or a Grant.
type Fault struct {
	// Field is the path of the field, such as spec.namespaces[0].name.
	Field string
	// Message says what is wrong and what to do. It holds no personal data.
	Message string
}

// Error returns the fault as one line.
func (f Fault) Error() string { return f.Field + ": " + f.Message }

// strictness orders the pod security levels; a greater number is stricter.
var strictness = map[v1alpha1.PodSecurityLevel]int{
	v1alpha1.PodSecurityPrivileged: 0,
	v1alpha1.PodSecurityBaseline:   1,
	v1alpha1.PodSecurityRestricted: 2,
}

// isolation orders what network policies let through; a greater number is stricter.
var isolation = map[v1alpha1.NetworkIsolation]int{
	v1alpha1.NetworkIsolationNone:             0,
	v1alpha1.NetworkIsolationIngress:          1,
	v1alpha1.NetworkIsolationIngressAndEgress: 2,
}

// trustedKeys are labels without a domain by which well-known software, or the network policies that people copy,
// recognise a namespace.
var trustedKeys = []string{"control-plane", "istio-injection", "istio-discovery", "metrics", "monitoring", "name",
	"prometheus", "webhook"}

// reservedDomains are label and annotation domains that belong to Kubernetes or to this operator: a granted namespace
// that could set them could, for one, choose its own pod security level.
var reservedDomains = []string{"kubernetes.io", "k8s.io", v1alpha1.GroupName, "openshift.io"}

const (
	notANamespaceName = "not a valid namespace name: at most 63 lowercase letters, digits and '-', " +
		"starting and ending with a letter or digit"
	notALabelValue = "not a valid label value: at most 63 letters, digits, '-', '_' and '.', starting and ending " +
		"with a letter or digit; dnsLabel(...) converts any text"
)

// CheckGrant returns what the installation or the institution does not allow in a Grant.
func (l Limits) CheckGrant(spec *v1alpha1.GrantSpec, site Site) []Fault {
	var faults []Fault
	for i := range spec.Namespaces {
		path := fmt.Sprintf("spec.namespaces[%d]", i)
		faults = append(faults, l.checkNamespace(&spec.Namespaces[i], path, site.Prefix)...)
		faults = append(faults, checkRevocable(&spec.Namespaces[i], path, spec.Holder.InstitutionID)...)
	}
	faults = append(faults, checkRevocation(&spec.Revokes)...)
	return append(faults, l.checkObjects(spec.Objects, "object", l.reachOf(site, spec.Namespaces))...)
}

func (l Limits) checkNamespace(ns *v1alpha1.GrantedNamespace, path, prefix string) []Fault {
	faults := checkNamespaceName(ns.Name, path+".name", prefix)
	faults = append(faults, checkNamespaceKeys(l, ns.Labels, path+".labels", v1alpha1.LabelRevocable)...)
	faults = append(faults, checkNamespaceKeys(l, ns.Annotations, path+".annotations")...)
	for key, value := range ns.Labels {
		if len(content.IsLabelValue(value)) > 0 {
			faults = append(faults, Fault{path + ".labels[" + key + "]", notALabelValue})
		}
	}
	faults = append(faults, l.checkPodSecurity(ns.PodSecurity, path+".podSecurity")...)
	faults = append(faults, l.checkIsolation(ns.NetworkIsolation, path+".networkIsolation")...)
	faults = append(faults, checkQuantities(ns.Quota, path+".quota")...)
	for _, limit := range ns.Limits {
		at := path + ".limits[" + string(limit.Type) + "]"
		faults = append(faults, checkQuantities(limit.Default, at+".default")...)
		faults = append(faults, checkQuantities(limit.DefaultRequest, at+".defaultRequest")...)
		faults = append(faults, checkQuantities(limit.Max, at+".max")...)
		faults = append(faults, checkQuantities(limit.Min, at+".min")...)
	}
	for i, access := range ns.Access {
		for j, subject := range access.Subjects {
			at := fmt.Sprintf("%s.access[%d].subjects[%d]", path, i, j)
			faults = append(faults, l.checkSubject(subject.Kind, at)...)
			faults = append(faults, checkSubjectName(subject.Kind, subject.Name, at)...)
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return strings.Compare(a.Field, b.Field) })
	return faults
}

// checkRevocable lets a namespace be revoked by its own institution and by no other.
func checkRevocable(ns *v1alpha1.GrantedNamespace, path string, institution v1alpha1.PlatformID) []Fault {
	if value, found := ns.Labels[v1alpha1.LabelRevocable]; found && value != institution.String() {
		return []Fault{{path + ".labels[" + v1alpha1.LabelRevocable + "]",
			"the value must be the id of the institution: ${institution.id}"}}
	}
	return nil
}

func checkNamespaceName(name, path, prefix string) []Fault {
	switch {
	case len(content.IsDNS1123Label(name)) > 0:
		return []Fault{{path, notANamespaceName}}
	case !strings.HasPrefix(name, prefix):
		return []Fault{{path, fmt.Sprintf("must start with %q, the spec.namespacePrefix of the Institution", prefix)}}
	case name == prefix:
		return []Fault{{path, "the name is only the institution's prefix: add something that identifies the user"}}
	case lifecycle.SystemNamespace(name):
		return []Fault{{path, "system namespaces are never granted"}}
	}
	return nil
}

const notAKey = "not a valid key: at most 63 letters, digits, '-', '_' and '.', after an optional DNS " +
	"prefix and '/'"

// checkNamespaceKeys checks the keys of a granted namespace's labels or annotations. Much software trusts a namespace
// by what it carries: so a key may have no domain, or one that the installation allows, or be one of those that are
// free.
func checkNamespaceKeys[V any](l Limits, keyed map[string]V, path string, free ...string) []Fault {
	var faults []Fault
	for key := range keyed {
		domain, _, found := strings.Cut(key, "/")
		at := path + "[" + key + "]"
		switch {
		case len(content.IsLabelKey(key)) > 0:
			faults = append(faults, Fault{at, notAKey})
		case slices.Contains(free, key):
		case !found && slices.Contains(trustedKeys, key):
			faults = append(faults, Fault{at, "other software trusts namespaces with this key: use another one"})
		case found && reserved(domain):
			faults = append(faults, Fault{at, "the domain " + domain + " is reserved: use a key without a domain"})
		case found && !slices.Contains(l.NamespaceLabelDomains, domain):
			faults = append(faults, Fault{at, "this installation does not allow the domain " + domain + " on granted " +
				"namespaces: use a key without a domain, or see --namespace-label-domains of the controller-manager"})
		}
	}
	return faults
}

// CheckLabelDomain returns why an installation cannot allow a domain on granted namespaces; empty if it can.
func CheckLabelDomain(domain string) string {
	switch {
	case len(content.IsDNS1123Subdomain(domain)) > 0:
		return "not a domain"
	case reserved(domain):
		return "reserved for Kubernetes or this operator"
	}
	return ""
}

// checkKeys checks the keys of labels or annotations of an object.
func checkKeys[V any](keyed map[string]V, path string) []Fault {
	var faults []Fault
	for key := range keyed {
		if len(content.IsLabelKey(key)) > 0 {
			faults = append(faults, Fault{path + "[" + key + "]", notAKey})
			continue
		}
		domain, _, found := strings.Cut(key, "/")
		if found && reserved(domain) {
			faults = append(faults, Fault{path + "[" + key + "]", "the domain " + domain + " is reserved: use one of your own"})
		}
	}
	return faults
}

func reserved(domain string) bool {
	// The recommended labels of applications are for everybody.
	return domain != "app.kubernetes.io" && slices.ContainsFunc(reservedDomains, func(r string) bool {
		return domain == r || strings.HasSuffix(domain, "."+r)
	})
}

func (l Limits) checkPodSecurity(level v1alpha1.PodSecurityLevel, path string) []Fault {
	if level == "" || strictness[level] >= strictness[l.PodSecurityCap] {
		return nil
	}
	return []Fault{{path, fmt.Sprintf("%s is less strict than this installation allows (%s): see --pod-security-cap of "+
		"the controller-manager", level, l.PodSecurityCap)}}
}

func (l Limits) checkIsolation(level v1alpha1.NetworkIsolation, path string) []Fault {
	least := cmp.Or(l.NetworkIsolationCap, DefaultNetworkIsolationCap)
	if level == "" || isolation[level] >= isolation[least] {
		return nil
	}
	return []Fault{{path, fmt.Sprintf("%s isolates less than this installation requires (%s): see "+
		"--network-isolation-cap of the controller-manager", level, least)}}
}

func (l Limits) checkSubject(kind v1alpha1.SubjectKind, path string) []Fault {
	if kind == v1alpha1.SubjectGroup && !l.AllowGroupSubjects {
		return []Fault{{path + ".kind",
			"this installation does not allow access for groups: see --allow-group-subjects of the " +
				"controller-manager"}}
	}
	return nil
}

func checkSubjectName(kind v1alpha1.SubjectKind, name, path string) []Fault {
	switch {
	case kind == v1alpha1.SubjectServiceAccount && len(content.IsDNS1123Subdomain(name)) > 0:
		return []Fault{{path + ".name",
			"not a valid ServiceAccount name: lowercase letters, digits, '-' and '.'"}}
	case strings.TrimSpace(name) == "":
		return []Fault{{path + ".name", "yields an empty name: the delivery may lack the field that it uses"}}
	case strings.HasSuffix(strings.TrimSpace(name), ":"):
		return []Fault{{path + ".name", "yields only a prefix: the delivery may lack the field that follows it"}}
	case len(name) > 512:
		return []Fault{{path + ".name", "yields a name of more than 512 bytes"}}
	case strings.HasPrefix(name, "system:"):
		return []Fault{{path + ".name", "names that start with system: are reserved for Kubernetes"}}
	}
	return nil
}

func checkQuantities(values map[string]v1alpha1.Quantity, path string) []Fault {
	var faults []Fault
	for name, value := range values {
		if _, err := resource.ParseQuantity(string(value)); err != nil {
			faults = append(faults, Fault{path + "[" + name + "]", "not a quantity such as 2, 500m or 1Gi"})
		}
	}
	return faults
}
