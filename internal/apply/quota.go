// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
)

// DefaultQuota is what a granted namespace holds at most where its policy says nothing of a resource, unless the
// installation says otherwise: without it, one person could fill the store of the whole cluster. A Deployment keeps ten
// ReplicaSets besides its own, and a StatefulSet as many revisions.
const DefaultQuota = "count/configmaps=50,count/secrets=50,count/services=20,count/pods=50," +
	"count/persistentvolumeclaims=10,requests.storage=20Gi,count/serviceaccounts=20,count/replicationcontrollers=20," +
	"count/deployments.apps=20,count/replicasets.apps=220,count/statefulsets.apps=10,count/controllerrevisions.apps=110," +
	"count/jobs.batch=50,count/cronjobs.batch=10,count/horizontalpodautoscalers.autoscaling=20," +
	"count/ingresses.networking.k8s.io=20"

// countedCore are the resources that a quota counts under their own name too.
var countedCore = sets.New("pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
	"persistentvolumeclaims")

// plainResources are what else a quota can bound by a name without a domain.
var plainResources = countedCore.Union(sets.New("cpu", "memory", "ephemeral-storage", "services.nodeports",
	"services.loadbalancers"))

// ParseQuota reads a quota such as count/pods=10,requests.storage=5Gi; empty for none.
func ParseQuota(text string) (corev1.ResourceList, error) {
	list := corev1.ResourceList{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, found := strings.Cut(part, "=")
		quantity, err := resource.ParseQuantity(value)
		switch {
		case !found || !quotaName(name):
			return nil, fmt.Errorf("%q is not a resource and its quantity, such as count/pods=10 or requests.storage=5Gi", part)
		case err != nil || quantity.Sign() < 0:
			return nil, fmt.Errorf("%q is not a quantity such as 10 or 5Gi", value)
		case strings.HasPrefix(name, "count/") && quantity.MilliValue()%1000 != 0:
			return nil, fmt.Errorf("%s is not a whole number: %s", name, value)
		}
		if _, twice := list[corev1.ResourceName(name)]; twice {
			return nil, fmt.Errorf("%s is there twice", name)
		}
		list[corev1.ResourceName(name)] = quantity
	}
	return list, nil
}

// quotaName reports whether the API server takes a name in a quota.
func quotaName(name string) bool {
	for _, prefix := range []string{"requests.", "limits."} {
		if rest, found := strings.CutPrefix(name, prefix); found {
			name = rest
			return slices.Contains([]string{"cpu", "memory", "ephemeral-storage"}, name) ||
				prefix == "requests." && name == "storage" || strings.Contains(name, "/")
		}
	}
	return plainResources.Has(name) || strings.Contains(name, "/") && len(validation.IsQualifiedName(name)) == 0
}

// withDefaults returns a quota together with what the installation's says of resources that it does not bound. What
// counts pods, by whatever name, is said of pods.
func withDefaults(quota, defaults corev1.ResourceList) corev1.ResourceList {
	if len(defaults) == 0 {
		return quota
	}
	said := sets.New[string]()
	for name := range quota {
		said.Insert(countedAs(name))
	}
	all := maps.Clone(quota)
	if all == nil {
		all = corev1.ResourceList{}
	}
	for name, quantity := range defaults {
		if !said.Has(countedAs(name)) {
			all[name] = quantity
		}
	}
	return all
}

func countedAs(name corev1.ResourceName) string {
	if counted, found := strings.CutPrefix(string(name), "count/"); found && countedCore.Has(counted) {
		return counted
	}
	return string(name)
}
