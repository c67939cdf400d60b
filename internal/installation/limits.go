// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Limit is one type of a LimitRange, in the words of Kubernetes.
type Limit struct {
	Type           corev1.LimitType    `json:"type"`
	Default        map[string]Quantity `json:"default,omitempty"`
	DefaultRequest map[string]Quantity `json:"defaultRequest,omitempty"`
	Max            map[string]Quantity `json:"max,omitempty"`
	Min            map[string]Quantity `json:"min,omitempty"`
}

// defaultLimits are what a container gets that asks for nothing. With a quota on CPU and memory, the API server refuses
// pods that say neither what they need nor how much they may have.
func defaultLimits() []Limit {
	return []Limit{{
		Type:           corev1.LimitTypeContainer,
		Default:        map[string]Quantity{"cpu": "1", "memory": "512Mi"},
		DefaultRequest: map[string]Quantity{"cpu": "50m", "memory": "128Mi"},
	}}
}

// limited are the resources that can be limited, by type.
var limited = map[corev1.LimitType][]string{
	corev1.LimitTypeContainer:             {"cpu", "memory", "ephemeral-storage"},
	corev1.LimitTypePod:                   {"cpu", "memory", "ephemeral-storage"},
	corev1.LimitTypePersistentVolumeClaim: {"storage"},
}

// parts are the fields of an item, from the least to the greatest: none of a resource may be above the next.
func parts(item *corev1.LimitRangeItem) []*corev1.ResourceList {
	return []*corev1.ResourceList{&item.Min, &item.DefaultRequest, &item.Default, &item.Max}
}

var partNames = []string{"min", "defaultRequest", "default", "max"}

// limitsOf holds limits to what the API server holds a LimitRange to: it would refuse it in every namespace.
func limitsOf(limits []Limit, faults *faults) []corev1.LimitRangeItem {
	var items []corev1.LimitRangeItem
	for i := range limits {
		item, path := corev1.LimitRangeItem{Type: limits[i].Type}, fmt.Sprintf("limits[%d]", i)
		_, known := limited[item.Type]
		switch {
		case !known:
			faults.add(path+".type", "unknown type %q: use Container, Pod or PersistentVolumeClaim", item.Type)
			continue
		case ofType(items, item.Type) != nil:
			faults.add(path+".type", "duplicate type %s", item.Type)
		case item.Type == corev1.LimitTypePod && len(limits[i].Default)+len(limits[i].DefaultRequest) > 0:
			faults.add(path, "default and defaultRequest are not allowed for Pod: set them for Container")
		}
		given := []map[string]Quantity{limits[i].Min, limits[i].DefaultRequest, limits[i].Default, limits[i].Max}
		for j, part := range parts(&item) {
			*part = limitPart(given[j], item.Type, path+"."+partNames[j], faults)
		}
		checkOrder(&item, path, faults)
		checkDevices(&item, path, faults)
		if item.Type == corev1.LimitTypePersistentVolumeClaim && len(item.Min)+len(item.Max) == 0 {
			faults.add(path, "PersistentVolumeClaim needs min or max of storage")
		}
		items = append(items, item)
	}
	return items
}

// limitPart reads one part. Devices, which have a domain, are of containers and pods.
func limitPart(
	values map[string]Quantity, of corev1.LimitType, path string, faults *faults,
) corev1.ResourceList {
	if len(values) == 0 {
		return nil
	}
	names, devices := limited[of], of != corev1.LimitTypePersistentVolumeClaim
	list := corev1.ResourceList{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		at := path + "[" + name + "]"
		device := devices && strings.Contains(name, "/") && quotaName(name) && wholeInQuota(name)
		if !slices.Contains(names, name) && !device {
			faults.add(at, "cannot be limited for this type: use %s", strings.Join(names, ", "))
		}
		quantity, ok := quantityOf(values[name], at, faults)
		if ok && device && !whole(quantity) {
			faults.add(at, "%s must be a whole number", values[name])
		}
		if ok {
			list[corev1.ResourceName(name)] = quantity
		}
	}
	return list
}

// checkDevices sees that a container that says nothing gets as many devices as it asks for: nodes do not have more of
// them than there are.
func checkDevices(item *corev1.LimitRangeItem, path string, faults *faults) {
	for _, name := range slices.Sorted(maps.Keys(item.DefaultRequest)) {
		request := item.DefaultRequest[name]
		if limit, found := item.Default[name]; found && strings.Contains(string(name), "/") && request.Cmp(limit) != 0 {
			faults.add(path+".defaultRequest["+string(name)+"]",
				"%s must equal the default %s: devices cannot be overcommitted", request.String(), limit.String())
		}
	}
}

// checkOrder looks for a resource of which one part is above a later one.
func checkOrder(item *corev1.LimitRangeItem, path string, faults *faults) {
	lists := parts(item)
	for i, lower := range lists {
		for _, name := range slices.Sorted(maps.Keys(*lower)) {
			for j := i + 1; j < len(lists); j++ {
				low := (*lower)[name]
				if high, found := (*lists[j])[name]; found && low.Cmp(high) > 0 {
					faults.add(path+"."+partNames[i]+"["+string(name)+"]", "%s is greater than %s, which is %s",
						low.String(), partNames[j], high.String())
				}
			}
		}
	}
}

func ofType(items []corev1.LimitRangeItem, kind corev1.LimitType) *corev1.LimitRangeItem {
	for i := range items {
		if items[i].Type == kind {
			return &items[i]
		}
	}
	return nil
}

// WithLimits returns limits together with what the installation's say of resources that they do not mention, by type.
func (n *Namespaces) WithLimits(limits []corev1.LimitRangeItem) []corev1.LimitRangeItem {
	all := slices.Clone(limits)
	for i := range n.Limits {
		standard := &n.Limits[i]
		item := ofType(all, standard.Type)
		if item == nil {
			all = append(all, *standard)
			continue
		}
		*item = united(item, standard)
	}
	return all
}

// united adds to a policy's item what the installation's says of other resources. A resource that has no limit in the
// policy's gets the installation's: otherwise a quota on limits would keep every pod out that names none.
func united(item, standard *corev1.LimitRangeItem) corev1.LimitRangeItem {
	all := *item.DeepCopy()
	mentions := func(name corev1.ResourceName) bool {
		return slices.ContainsFunc(parts(item), func(part *corev1.ResourceList) bool {
			_, found := (*part)[name]
			return found
		})
	}
	lists := parts(&all)
	for i, part := range parts(standard) {
		for name, quantity := range *part {
			if !mentions(name) {
				put(lists[i], name, quantity)
			}
		}
	}
	if all.Type != corev1.LimitTypeContainer {
		return all
	}
	for name, limit := range standard.Default {
		_, has := all.Default[name]
		if _, capped := all.Max[name]; has || capped {
			continue
		}
		// The policy says what is asked for, or at least to be asked for: the limit cannot be below that.
		for _, least := range []corev1.ResourceList{all.DefaultRequest, all.Min} {
			if quantity, found := least[name]; found && quantity.Cmp(limit) > 0 {
				limit = quantity
			}
		}
		put(&all.Default, name, limit)
	}
	return all
}

func put(list *corev1.ResourceList, name corev1.ResourceName, quantity resource.Quantity) {
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[name] = quantity
}
