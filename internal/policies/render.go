// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"maps"
	"slices"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/expression"
)

// Granted is what a policy grants because of a completion. It holds no template any more.
type Granted struct {
	Namespaces []v1alpha1.GrantedNamespace
	Objects    []v1alpha1.GrantedObject
}

// Render fills in what a policy grants because of a completion.
func (p *Policy) Render(completion *v1alpha1.CourseCompletionSpec) (*Granted, error) {
	values := metered(completion)
	rendered := &Granted{}
	names := map[string]bool{}
	for i := range p.namespaces {
		ns, err := p.namespaces[i].render(values)
		if err != nil {
			return nil, err
		}
		if names[ns.Name] {
			return nil, Fault{p.namespaces[i].path + ".name", "two namespaces of the policy have the same name"}
		}
		names[ns.Name] = true
		rendered.Namespaces = append(rendered.Namespaces, *ns)
	}
	for i := range p.objects {
		object, err := p.objects[i].render(values)
		if err != nil {
			return nil, err
		}
		rendered.Objects = append(rendered.Objects, *object)
	}
	return rendered, nil
}

// metered returns the variables of a completion for one evaluation of everything in a policy. That it costs no more
// than is allowed was tried when the policy was compiled, but only over one completion.
func metered(completion *v1alpha1.CourseCompletionSpec) expression.Variables {
	values := expression.VariablesOf(completion)
	values.Meter = &expression.Meter{}
	return values
}

func (t *namespaceTemplate) render(values expression.Variables) (*v1alpha1.GrantedNamespace, error) {
	r := renderer{values: values}
	ns := &v1alpha1.GrantedNamespace{
		Name:             r.text(t.name, t.path+".name"),
		Labels:           r.texts(t.labels, t.path+".labels"),
		Annotations:      r.texts(t.annotations, t.path+".annotations"),
		PodSecurity:      t.fixed.PodSecurity,
		NetworkIsolation: t.fixed.NetworkIsolation,
		Quota:            r.quantities(t.quota, t.path+".resourceQuota.hard"),
	}
	for i, limit := range t.limits {
		at := fmt.Sprintf("%s.limits[%d]", t.path, i)
		ns.Limits = append(ns.Limits, v1alpha1.GrantedLimit{
			Type:           limit.kind,
			Default:        r.quantities(limit.standard, at+".default"),
			DefaultRequest: r.quantities(limit.defaultRequest, at+".defaultRequest"),
			Max:            r.quantities(limit.max, at+".max"),
			Min:            r.quantities(limit.min, at+".min"),
		})
	}
	for i, names := range t.access {
		access := v1alpha1.GrantedAccess{ClusterRole: t.fixed.Access[i].ClusterRole}
		for j, name := range names {
			access.Subjects = append(access.Subjects, v1alpha1.GrantedSubject{
				Kind: t.fixed.Access[i].Subjects[j].Kind,
				Name: r.filled(name, fmt.Sprintf("%s.access[%d].subjects[%d].name", t.path, i, j)),
			})
		}
		ns.Access = append(ns.Access, access)
	}
	return ns, r.err
}

// renderer evaluates templates and keeps the first error, so that the shape of what is rendered stays readable.
type renderer struct {
	values expression.Variables
	err    error
}

func (r *renderer) fail(path string, err error) {
	if r.err == nil {
		r.err = Fault{path, err.Error()}
	}
}

func (r *renderer) text(t *expression.Template, path string) string {
	if r.err != nil {
		return ""
	}
	text, err := t.String(r.values)
	if err != nil {
		r.fail(path, err)
	}
	return text
}

// filled is the text of a name, each part of which must be there.
func (r *renderer) filled(t *expression.Template, path string) string {
	text, err := t.Filled(r.values)
	if err != nil {
		r.fail(path, err)
	}
	return text
}

func (r *renderer) texts(templates map[string]*expression.Template, path string) map[string]string {
	if len(templates) == 0 {
		return nil
	}
	texts := make(map[string]string, len(templates))
	// In order, so that of several errors it is always the same one that is told.
	for _, key := range slices.Sorted(maps.Keys(templates)) {
		texts[key] = r.text(templates[key], path+"["+key+"]")
	}
	return texts
}

func (r *renderer) quantities(templates quantityTemplates, path string) map[string]v1alpha1.Quantity {
	if len(templates) == 0 {
		return nil
	}
	values := make(map[string]v1alpha1.Quantity, len(templates))
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		values[name] = v1alpha1.Quantity(r.text(templates[name], path+"["+name+"]"))
	}
	return values
}

// Allowed returns the first thing about what was rendered that the institution or the installation does not allow.
func (p *Policy) Allowed(rendered *Granted, holder v1alpha1.GrantHolder, prefix string) error {
	site := Site{Namespace: p.namespace, Prefix: prefix}
	faults := p.limits.CheckGrant(&v1alpha1.GrantSpec{Holder: holder, Namespaces: rendered.Namespaces}, site)
	faults = append(faults,
		p.limits.checkObjects(rendered.Objects, "template", p.limits.reachOf(site, rendered.Namespaces))...)
	if len(faults) == 0 {
		return nil
	}
	return faults[0]
}
