// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
)

// maxQuota is how many resources a quota may bound.
const maxQuota = 64

// defaultQuota bounds what a person can use up: without the counts, one could fill the store of the whole cluster, and
// without the others its nodes. A Deployment keeps ten ReplicaSets besides its own, and a StatefulSet as many
// revisions. Ephemeral storage is left out: where nodes do not measure theirs, no pod that asks for some could run.
func defaultQuota() map[string]Quantity {
	return map[string]Quantity{
		"count/configmaps": "50", "count/secrets": "50", "count/services": "20", "count/pods": "50",
		"count/persistentvolumeclaims": "10", "count/serviceaccounts": "20", "count/replicationcontrollers": "20",
		"count/deployments.apps": "20", "count/replicasets.apps": "220", "count/statefulsets.apps": "10",
		"count/controllerrevisions.apps": "110", "count/jobs.batch": "50", "count/cronjobs.batch": "10",
		"count/horizontalpodautoscalers.autoscaling": "20", "count/ingresses.networking.k8s.io": "20",
		"requests.cpu": "4", "limits.cpu": "8", "requests.memory": "8Gi", "limits.memory": "16Gi",
		"requests.storage": "20Gi", "services.loadbalancers": "0", "services.nodeports": "0",
	}
}

// countedCore are the resources that a quota counts under their own name too.
var countedCore = sets.New("pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
	"persistentvolumeclaims")

// requested are the resources that a quota bounds the requests for, also under their own name.
var requested = sets.New("cpu", "memory", "ephemeral-storage")

// plainResources are what a quota can bound by a name without a domain.
var plainResources = countedCore.Union(requested).Union(sets.New("services.nodeports", "services.loadbalancers"))

func quotaOf(values map[string]Quantity, faults *faults) corev1.ResourceList {
	if len(values) > maxQuota {
		faults.add("quota", "%d resources, at most %d are allowed", len(values), maxQuota)
	}
	list := corev1.ResourceList{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		path := "quota[" + name + "]"
		if !quotaName(name) {
			faults.add(path, "not a quota resource such as count/pods or requests.storage")
		}
		quantity, ok := quantityOf(values[name], path, faults)
		if ok && wholeInQuota(name) && !whole(quantity) {
			faults.add(path, "%s must be a whole number", values[name])
		}
		list[corev1.ResourceName(name)] = quantity
	}
	return list
}

func quantityOf(value Quantity, path string, faults *faults) (resource.Quantity, bool) {
	quantity, err := resource.ParseQuantity(string(value))
	if err != nil || quantity.Sign() < 0 {
		faults.add(path, "%q is not a quantity such as 10 or 5Gi", value)
		return resource.Quantity{}, false
	}
	return quantity, true
}

// whole reports whether a quantity has no fraction.
func whole(quantity resource.Quantity) bool { return quantity.MilliValue()%1000 == 0 }

// wholeInQuota reports whether the API server takes only whole numbers of a resource in a quota: of what it counts, and
// of devices.
func wholeInQuota(name string) bool {
	return !requested.Has(name) && !strings.HasPrefix(name, "requests.") && !strings.HasPrefix(name, "limits.")
}

// quotaName reports whether the API server takes a name in a quota.
func quotaName(name string) bool {
	for _, prefix := range []string{"requests.", "limits."} {
		if rest, found := strings.CutPrefix(name, prefix); found {
			return requested.Has(rest) || prefix == "requests." && rest == "storage" ||
				strings.Contains(rest, "/") && len(validation.IsQualifiedName(rest)) == 0
		}
	}
	return plainResources.Has(name) || strings.Contains(name, "/") && len(validation.IsQualifiedName(name)) == 0
}

// WithQuota returns a quota together with what the installation's says of resources that it does not bound. What counts
// pods, by whatever name, is said of pods.
func (n *Namespaces) WithQuota(quota corev1.ResourceList) corev1.ResourceList {
	if len(n.Quota) == 0 {
		return quota
	}
	said := sets.New[string]()
	for name := range quota {
		said.Insert(boundAs(name))
	}
	all := maps.Clone(quota)
	if all == nil {
		all = corev1.ResourceList{}
	}
	for name, quantity := range n.Quota {
		if !said.Has(boundAs(name)) {
			all[name] = quantity
		}
	}
	return all
}

// boundAs returns the one name of a resource that has several.
func boundAs(name corev1.ResourceName) string {
	if counted, found := strings.CutPrefix(string(name), "count/"); found && countedCore.Has(counted) {
		return counted
	}
	if requested.Has(string(name)) {
		return "requests." + string(name)
	}
	return string(name)
}
