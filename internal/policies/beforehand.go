// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/expression"
)

// Unprefixed returns which namespaces cannot get a name of an institution with this prefix, whatever the delivery. It
// is for a policy that is Ready.
func (p *Policy) Unprefixed(prefix string) []Fault {
	var faults []Fault
	for i := range p.namespaces {
		ns := &p.namespaces[i]
		start := ns.name.Start()
		_, fixed := ns.name.Literal()
		if !strings.HasPrefix(start, prefix) && (fixed || !strings.HasPrefix(prefix, start)) {
			faults = append(faults, Fault{ns.path + ".name",
				fmt.Sprintf("must start with %q, the spec.namespacePrefix of the Institution", prefix)})
		}
	}
	return faults
}

// FixedBounds returns the quotas and limits of each namespace whose values are written out, in the order of the policy.
// It is for a policy that is Ready.
func (p *Policy) FixedBounds() []v1alpha1.GrantedNamespace {
	bounds := make([]v1alpha1.GrantedNamespace, 0, len(p.namespaces))
	for i := range p.namespaces {
		ns := &p.namespaces[i]
		fixed := v1alpha1.GrantedNamespace{Quota: ns.quota.fixed()}
		for _, limit := range ns.limits {
			fixed.Limits = append(fixed.Limits, v1alpha1.GrantedLimit{
				Type: limit.kind, Default: limit.standard.fixed(), DefaultRequest: limit.defaultRequest.fixed(),
				Max: limit.max.fixed(), Min: limit.min.fixed(),
			})
		}
		bounds = append(bounds, fixed)
	}
	return bounds
}

func (q quantityTemplates) fixed() map[string]v1alpha1.Quantity {
	values := map[string]v1alpha1.Quantity{}
	for name, template := range q {
		if text, ok := template.Literal(); ok {
			values[name] = v1alpha1.Quantity(text)
		}
	}
	return values
}

// SharedNames returns which namespaces and objects have the same name in the grants of different users, of which only
// one can have it, and which in the grants of different completions of a user, who share it. It is for a policy that is
// Ready.
func (p *Policy) SharedNames() (ofUsers, ofCompletions []Fault) {
	look := func(path string, texts ...*expression.Template) {
		selects := func(variable string) bool {
			return slices.ContainsFunc(texts, func(t *expression.Template) bool { return t != nil && t.Selects(variable, "id") })
		}
		switch {
		case selects("enrollment"):
			// An enrollment is one user's, and has one completion.
		case !selects("user"):
			ofUsers = append(ofUsers, Fault{path, "the name is the same for different users, so only the first one gets it: " +
				"use ${user.id} in the name"})
		case p.Spec.GrantPer != v1alpha1.GrantPerUser:
			ofCompletions = append(ofCompletions, Fault{path,
				"the name is the same for several completions of a user, so their " +
					"grants share it: use ${enrollment.id} in the name, or create the policy with grantPer: User"})
		}
	}
	for i := range p.namespaces {
		look(p.namespaces[i].path+".name", p.namespaces[i].name)
	}
	for i := range p.objects {
		metadata := p.objects[i].root.fields["metadata"].fields
		var texts []*expression.Template
		for _, key := range []string{"name", "namespace"} {
			if metadata[key] != nil {
				texts = append(texts, metadata[key].text)
			}
		}
		look(p.objects[i].path+".metadata.name", texts...)
	}
	return ofUsers, ofCompletions
}
