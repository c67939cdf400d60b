// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// workloads are the kinds that run programs, by their groups. Only an installation can allow them.
var workloads = map[string][]string{
	"":           {"Pod", "PodTemplate", "ReplicationController"},
	"apps":       {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"},
	"batch":      {"Job", "CronJob"},
	"extensions": {"Deployment", "DaemonSet", "ReplicaSet"},
}

// harmless are the kinds that templated objects may have everywhere: none of them runs programs, by itself or by a
// controller that many clusters have. What a kind of others does nobody can know here, so an installation allows each.
var harmless = map[string][]string{
	"": {"ConfigMap", "Secret", "Service", "ServiceAccount", "PersistentVolumeClaim",
		"ResourceQuota", "LimitRange"},
	"networking.k8s.io":         {"NetworkPolicy", "Ingress"},
	"rbac.authorization.k8s.io": {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"},
	"policy":                    {"PodDisruptionBudget"},
	"autoscaling":               {"HorizontalPodAutoscaler"},
}

// metadataFields are what the metadata of a templated object may hold. Everything else is the API server's or the
// operator's: with a finalizer or an owner, for one, somebody else would decide when the object goes.
var metadataFields = []string{"name", "namespace", "labels", "annotations"}

// reach says which namespaces templated objects may go into, and whose ServiceAccounts they may give access to.
type reach struct {
	site    Site
	granted []string
	foreign []string
}

func (l Limits) reachOf(site Site, namespaces []v1alpha1.GrantedNamespace) reach {
	r := reach{site: site, foreign: l.ObjectNamespaces}
	for i := range namespaces {
		r.granted = append(r.granted, namespaces[i].Name)
	}
	return r
}

// own reports whether a namespace is the institution's.
func (r reach) own(name string) bool {
	return name != "" && name == r.site.Namespace || slices.Contains(r.granted, name) ||
		r.site.Prefix != "" && strings.HasPrefix(name, r.site.Prefix)
}

func (r reach) check(name, path string) []Fault {
	if r.own(name) || slices.Contains(r.foreign, name) {
		return nil
	}
	return []Fault{{path, "not a namespace of the grant or the institution, nor one that starts with the institution's " +
		"namespacePrefix: see --object-namespaces of the controller-manager"}}
}

// checkObjects holds the objects of a Grant against the limits. Part is the field of an entry that has the object.
func (l Limits) checkObjects(objects []v1alpha1.GrantedObject, part string, reach reach) []Fault {
	var faults []Fault
	first := map[string]v1alpha1.EntryName{}
	for i := range objects {
		path := fmt.Sprintf("spec.objects[%d].%s", i, part)
		if size := len(objects[i].Object.Raw); size > maxObjectSize {
			faults = append(faults, Fault{path, fmt.Sprintf("yields %d bytes, at most %d are allowed", size, maxObjectSize)})
			continue
		}
		object, err := decodeObject(objects[i].Object)
		if err != nil {
			faults = append(faults, Fault{path, err.Error()})
			continue
		}
		wrong := l.checkShape(object, path)
		if len(wrong) == 0 {
			wrong = checkMetadata(object["metadata"].(map[string]any), path+".metadata", reach)
			wrong = append(wrong, l.checkBinding(object, path, reach, false)...)
		}
		faults = append(faults, wrong...)
		if len(wrong) > 0 {
			continue
		}
		key := identityOf(object)
		if other, found := first[key]; found {
			faults = append(faults, Fault{path, fmt.Sprintf("same object as in entry %s", other)})
		}
		first[key] = objects[i].Name
	}
	return faults
}

func identityOf(object map[string]any) string {
	apiVersion, _ := object["apiVersion"].(string)
	metadata, _ := object["metadata"].(map[string]any)
	return fmt.Sprint(schema.FromAPIVersionAndKind(apiVersion, "").Group, "/", object["kind"], "/",
		metadata["namespace"], "/", metadata["name"])
}

// checkShape checks what of an object, or its template, no rendering can change: its kind, and which fields it has.
func (l Limits) checkShape(object map[string]any, path string) []Fault {
	faults := l.checkKind(object, path)
	spec, _ := object["spec"].(map[string]any)
	if addresses := spec["externalIPs"]; addresses != nil && object["apiVersion"] == "v1" && object["kind"] == "Service" {
		faults = append(faults, Fault{path + ".spec.externalIPs",
			"externalIPs are not allowed in a Service, since they can " +
				"intercept traffic of others: remove the field"})
	}
	if _, found := object["status"]; found {
		faults = append(faults, Fault{path + ".status", "status is not applied: remove the field"})
	}
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		return append(faults, Fault{path + ".metadata", "must be an object with at least a name"})
	}
	for key, value := range metadata {
		if !slices.Contains(metadataFields, key) && value != nil {
			faults = append(faults, Fault{fieldPath(path+".metadata", key), "only name, namespace, labels and annotations " +
				"are allowed: remove the field"})
		}
	}
	for _, key := range []string{"name", "namespace"} {
		if value, found := metadata[key]; found && value != nil || key == "name" {
			if _, ok := value.(string); !ok {
				faults = append(faults, Fault{path + ".metadata." + key, "must be a string"})
			}
		}
	}
	for _, key := range []string{"labels", "annotations"} {
		if metadata[key] == nil {
			continue
		}
		at := path + ".metadata." + key
		pairs, ok := metadata[key].(map[string]any)
		if !ok {
			faults = append(faults, Fault{at, "must be a map of strings with literal keys"})
			continue
		}
		faults = append(faults, checkKeys(pairs, at)...)
		for name, value := range pairs {
			if _, ok := value.(string); !ok && value != nil {
				faults = append(faults, Fault{at + "[" + name + "]", "must be a string: put the value in quotes"})
			}
		}
	}
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.Field, b.Field) })
	return faults
}

func (l Limits) checkKind(object map[string]any, path string) []Fault {
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	version, err := schema.ParseGroupVersion(apiVersion)
	switch {
	case err != nil || apiVersion == "" || strings.Contains(apiVersion, "${"):
		return []Fault{{path + ".apiVersion", "must be a literal such as v1 or apps/v1: expressions are not allowed here"}}
	case kind == "" || strings.Contains(kind, "${"):
		return []Fault{{path + ".kind", "must be a literal: expressions are not allowed here"}}
	case version.Group == v1alpha1.GroupName || strings.HasSuffix(version.Group, "."+v1alpha1.GroupName):
		return []Fault{{path + ".kind", "kinds of " + v1alpha1.GroupName + " cannot be granted"}}
	case version.Group == "" && kind == "Namespace":
		return []Fault{{path + ".kind", "use spec.namespaces to grant namespaces"}}
	case slices.Contains(workloads[version.Group], kind):
		if l.AllowWorkloadObjects {
			return nil
		}
		return []Fault{{path + ".kind", "this installation does not allow objects that run programs: " +
			"see --allow-workload-objects of the controller-manager"}}
	case !slices.Contains(harmless[version.Group], kind) &&
		!slices.Contains(l.ObjectKinds, schema.GroupKind{Group: version.Group, Kind: kind}):
		name := schema.GroupKind{Group: version.Group, Kind: kind}.String()
		return []Fault{{path + ".kind", "this installation does not allow the kind " + name + ", which may run programs: " +
			"allow it with --object-kinds=" + name + " of the controller-manager"}}
	}
	return nil
}

// checkBinding checks to whom a RoleBinding or ClusterRoleBinding gives access: to those that spec.namespaces could
// give it to. Of a template, what holds an expression is looked at once it is rendered, and ServiceAccounts once the
// prefix is known.
func (l Limits) checkBinding(object map[string]any, path string, reach reach, template bool) []Fault {
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	if schema.FromAPIVersionAndKind(apiVersion, kind).Group != "rbac.authorization.k8s.io" ||
		kind != "RoleBinding" && kind != "ClusterRoleBinding" || object["subjects"] == nil {
		return nil
	}
	subjects, ok := object["subjects"].([]any)
	if !ok && !template {
		return []Fault{{path + ".subjects", "must be a list of subjects"}}
	}
	var faults []Fault
	for i := range subjects {
		at := fmt.Sprintf("%s.subjects[%d]", path, i)
		subject, ok := subjects[i].(map[string]any)
		if !ok && !template {
			faults = append(faults, Fault{at, "must be a subject with kind and name"})
		}
		if ok {
			faults = append(faults, l.checkBound(subject, at, reach, template)...)
		}
	}
	return faults
}

func (l Limits) checkBound(subject map[string]any, path string, reach reach, template bool) []Fault {
	text := func(key string) (value string, known bool) {
		value, _ = subject[key].(string)
		return value, !template || !strings.Contains(value, "${")
	}
	kind, known := text("kind")
	if !known {
		return []Fault{{path + ".kind", "must be a literal User, Group or ServiceAccount: expressions are not allowed here"}}
	}
	if !slices.Contains([]string{"User", "Group", "ServiceAccount"}, kind) {
		return []Fault{{path + ".kind", "must be User, Group or ServiceAccount"}}
	}
	faults := l.checkSubject(v1alpha1.SubjectKind(kind), path)
	name, known := text("name")
	if known || strings.HasPrefix(name, "system:") {
		faults = append(faults, checkSubjectName(v1alpha1.SubjectKind(kind), name, path)...)
	}
	namespace, known := text("namespace")
	if kind == "ServiceAccount" && known && reach.site.Prefix != "" && !reach.own(namespace) {
		faults = append(faults, Fault{path + ".namespace",
			"not a namespace of this institution: only ServiceAccounts in the institution's own " +
				"namespace and in its granted namespaces can get access"})
	}
	return faults
}

// checkMetadata checks the metadata of a rendered object, whose shape has been checked.
func checkMetadata(metadata map[string]any, path string, reach reach) []Fault {
	name, _ := metadata["name"].(string)
	faults := checkObjectName(name, path+".name")
	if namespace, ok := metadata["namespace"].(string); ok {
		wrong := checkObjectNamespace(namespace, path+".namespace")
		if len(wrong) == 0 {
			wrong = reach.check(namespace, path+".namespace")
		}
		faults = append(faults, wrong...)
	}
	labels, _ := metadata["labels"].(map[string]any)
	for key, value := range labels {
		if text, _ := value.(string); len(content.IsLabelValue(text)) > 0 {
			faults = append(faults, Fault{path + ".labels[" + key + "]", notALabelValue})
		}
	}
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.Field, b.Field) })
	return faults
}

// checkObjectName checks what holds for the names of all kinds; the API server knows what holds for each.
func checkObjectName(name, path string) []Fault {
	if name == "" || len(name) > 253 || len(content.IsPathSegmentName(name)) > 0 ||
		strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return []Fault{{path, "not a valid object name: at most 253 printable characters without spaces, " +
			"'/' and '%'; dnsLabel(...) converts any text"}}
	}
	return nil
}

func checkObjectNamespace(name, path string) []Fault {
	switch {
	case len(content.IsDNS1123Label(name)) > 0:
		return []Fault{{path, notANamespaceName}}
	case lifecycle.SystemNamespace(name):
		return []Fault{{path, "objects are never created in system namespaces"}}
	}
	return nil
}
