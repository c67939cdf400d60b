// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package slim makes what the cache holds small: there are hundreds of thousands of completions, and each Grant has a
// handful of objects. What nothing here reads is left out, what many objects say alike is held once, and lists are no
// longer than what is in them, which a decoder makes room for in fours. What it leaves out is never written over: our
// writes are patches, which carry what differs from the same slim object, or applied configurations.
package slim

import (
	"encoding/json"
	"slices"
	"sync"
	"unique"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Object returns an object of the cache as it is to be held. What it does not know it only takes the managed fields
// from; the last known state of what has gone comes wrapped, and stays as it is.
func Object(object any) (any, error) {
	switch o := object.(type) {
	case *v1alpha1.CourseCompletion:
		return completion(o), nil
	case *v1alpha1.Grant:
		return grant(o), nil
	case *corev1.Namespace:
		o.ManagedFields = nil
		o.Spec, o.Status = corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
	case *corev1.ResourceQuota:
		metadata(&o.ObjectMeta)
		o.Spec, o.Status = quotas.shared(o.Spec), corev1.ResourceQuotaStatus{}
	case *corev1.LimitRange:
		metadata(&o.ObjectMeta)
		o.Spec = limits.shared(o.Spec)
	case *networkingv1.NetworkPolicy:
		metadata(&o.ObjectMeta)
		o.Spec = isolations.shared(o.Spec)
	case *rbacv1.RoleBinding:
		metadata(&o.ObjectMeta)
		once(&o.RoleRef.APIGroup, &o.RoleRef.Kind, &o.RoleRef.Name)
		for i := range o.Subjects {
			once(&o.Subjects[i].APIGroup, &o.Subjects[i].Kind)
		}
	case metav1.Object:
		o.SetManagedFields(nil)
	}
	return object, nil
}

// completion leaves out the labels, which are for people.
func completion(c *v1alpha1.CourseCompletion) *v1alpha1.CourseCompletion {
	c.ManagedFields, c.Labels = nil, nil
	c = c.DeepCopy()
	once(&c.Namespace, &c.Spec.Event.Name, &c.Spec.Event.Slug, &c.Spec.Course.Name)
	conditions(c.Status.Conditions)
	eachOnce(c.Spec.Delivery.Warnings)
	eachOnce(c.Status.Warnings)
	for i := range c.Status.Policies {
		row := &c.Status.Policies[i]
		once((*string)(&row.Policy), (*string)(&row.Outcome), &row.Reason, &row.Message)
		if at := slices.Index(c.Status.Grants, row.Grant); at >= 0 {
			row.Grant = c.Status.Grants[at]
		}
	}
	return c
}

// grant leaves out the labels, which are for people: they are written with every change, whether they are there or not.
func grant(g *v1alpha1.Grant) *v1alpha1.Grant {
	g.ManagedFields, g.Labels = nil, nil
	g = g.DeepCopy()
	once(&g.Namespace, (*string)(&g.Spec.Policy))
	eachOnce(g.Finalizers)
	conditions(g.Status.Conditions)
	for i := range g.Spec.Namespaces {
		namespace := &g.Spec.Namespaces[i]
		namespace.Quota = grantedQuotas.shared(namespace.Quota)
		namespace.Limits = grantedLimits.shared(namespace.Limits)
		namespace.Labels, namespace.Annotations = texts.shared(namespace.Labels), texts.shared(namespace.Annotations)
		once((*string)(&namespace.PodSecurity), (*string)(&namespace.NetworkIsolation))
		for j := range namespace.Access {
			once(&namespace.Access[j].ClusterRole)
			for k := range namespace.Access[j].Subjects {
				once((*string)(&namespace.Access[j].Subjects[k].Kind))
			}
		}
	}
	inventory(g.Status.Inventory)
	return g
}

// inventory has what stands in one namespace have one text for it.
func inventory(entries []v1alpha1.InventoryEntry) {
	for i := range entries {
		entry := &entries[i]
		once(&entry.Kind)
		for _, before := range entries[:i] {
			if before.Namespace != nil && entry.Namespace != nil && *before.Namespace == *entry.Namespace {
				entry.Namespace = before.Namespace
			}
			if before.Group != nil && entry.Group != nil && *before.Group == *entry.Group {
				entry.Group = before.Group
			}
		}
		if entry.Kind != "Namespace" {
			once(&entry.Name)
		}
	}
}

// metadata is for what has the same name in every namespace.
func metadata(m *metav1.ObjectMeta) {
	m.ManagedFields = nil
	once(&m.Name)
}

func conditions(all []metav1.Condition) {
	for i := range all {
		once(&all[i].Type, (*string)(&all[i].Status), &all[i].Reason, &all[i].Message)
	}
}

// once has texts that many objects say alike be held once.
func once(texts ...*string) {
	for _, text := range texts {
		*text = unique.Make(*text).Value()
	}
}

func eachOnce[T ~string](texts []T) {
	for i := range texts {
		texts[i] = T(unique.Make(string(texts[i])).Value())
	}
}

// poolBound is how many values a pool knows. Policies are few; what a template says of each person is not worth it.
const poolBound = 1024

// pool holds equal values once. Nobody may change what is in them.
type pool[T any] struct {
	text func(*T) ([]byte, error)

	mu    sync.Mutex
	known map[string]T
}

// What a policy gives is the same in the namespaces of all who have it.
var (
	quotas     = pool[corev1.ResourceQuotaSpec]{text: (*corev1.ResourceQuotaSpec).Marshal}
	limits     = pool[corev1.LimitRangeSpec]{text: (*corev1.LimitRangeSpec).Marshal}
	isolations = pool[networkingv1.NetworkPolicySpec]{text: (*networkingv1.NetworkPolicySpec).Marshal}

	grantedQuotas = pool[map[string]v1alpha1.Quantity]{text: asJSON[map[string]v1alpha1.Quantity]}
	grantedLimits = pool[[]v1alpha1.GrantedLimit]{text: asJSON[[]v1alpha1.GrantedLimit]}
	texts         = pool[map[string]string]{text: asJSON[map[string]string]}
)

func asJSON[T any](value *T) ([]byte, error) { return json.Marshal(*value) }

// shared returns the value that is known of those that equal this one.
func (p *pool[T]) shared(value T) T {
	text, err := p.text(&value)
	if err != nil {
		return value
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if same, found := p.known[string(text)]; found {
		return same
	}
	if p.known == nil || len(p.known) >= poolBound {
		p.known = map[string]T{}
	}
	p.known[string(text)] = value
	return value
}
