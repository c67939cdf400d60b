// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/validate/content"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/expression"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/order"
)

// nameTemplate is the name of a namespace that a policy revokes.
type nameTemplate struct {
	path string
	name *expression.Template
}

const (
	revokesItsOwnSeat      = "the policy itself grants a seat of this pool: revoke only what other policies grant"
	revokesItsOwnNamespace = "the policy itself grants this namespace: revoke only what other policies grant"
)

// revocation compiles what a policy revokes. What it grants itself is no such thing: who completes a course would
// get it and lose it.
func (c *compilation) revocation() {
	spec := &c.policy.Spec
	for i, seat := range spec.Revoke.Seats {
		if slices.Contains(spec.Seats, v1alpha1.SeatTemplate(seat)) {
			c.fault(fmt.Sprintf("spec.revoke.seats[%d].pool", i), errors.New(revokesItsOwnSeat))
		}
	}
	for i, ns := range spec.Revoke.Namespaces {
		path := fmt.Sprintf("spec.revoke.namespaces[%d].name", i)
		name := c.template(ns.Name, path, expression.UseMetadata)
		if text, fixed := literal(name); fixed {
			c.policy.Faults = append(c.policy.Faults, checkRevoked(text, path)...)
		}
		if slices.ContainsFunc(spec.Namespaces, func(n v1alpha1.NamespaceTemplate) bool { return n.Name == ns.Name }) {
			c.fault(path, errors.New(revokesItsOwnNamespace))
		}
		c.policy.revoked = append(c.policy.revoked, nameTemplate{path, name})
	}
}

// checkRevoked returns what is wrong with the name of a namespace to revoke. It need not start with the institution's
// prefix: the label of the namespace says whether the institution may take it.
func checkRevoked(name, path string) []Fault {
	switch {
	case len(content.IsDNS1123Label(name)) > 0:
		return []Fault{{path, notANamespaceName}}
	case lifecycle.SystemNamespace(name):
		return []Fault{{path, "system namespaces are never revoked"}}
	}
	return nil
}

func checkRevocation(revokes *v1alpha1.GrantRevocation) []Fault {
	var faults []Fault
	for i, ns := range revokes.Namespaces {
		faults = append(faults, checkRevoked(ns.Name, fmt.Sprintf("spec.revokes.namespaces[%d].name", i))...)
	}
	return faults
}

// Revokes returns what a completion revokes by the policy.
func (p *Policy) Revokes(completion *v1alpha1.CourseCompletion) (v1alpha1.GrantRevocation, error) {
	key := order.Of(&completion.Spec)
	revokes := v1alpha1.GrantRevocation{
		Completion: v1alpha1.LocalName(completion.Name), SendAt: key.SendAt, Digest: key.Digest,
		SentAt: *completion.Spec.Event.SentAt.DeepCopy(), Seats: slices.Clone(p.Spec.Revoke.Seats),
	}
	revokes.SentAt.Time = revokes.SentAt.UTC()
	r := renderer{values: metered(&completion.Spec)}
	granted := map[string]bool{}
	for i := range p.namespaces {
		granted[r.text(p.namespaces[i].name, p.namespaces[i].path+".name")] = true
	}
	for _, t := range p.revoked {
		name := v1alpha1.GrantRevokedNamespace{Name: r.text(t.name, t.path)}
		switch {
		case r.err != nil:
		case granted[name.Name]:
			r.err = Fault{t.path, revokesItsOwnNamespace}
		case slices.Contains(revokes.Namespaces, name):
			r.err = Fault{t.path, "two namespaces that the policy revokes have the same name"}
		default:
			for _, fault := range checkRevoked(name.Name, t.path) {
				r.err = fault
			}
		}
		revokes.Namespaces = append(revokes.Namespaces, name)
	}
	return revokes, r.err
}

// StillRevokes returns what the policy still says of what was recorded because of a completion that is no longer there.
func (p *Policy) StillRevokes(recorded v1alpha1.GrantRevocation) v1alpha1.GrantRevocation {
	recorded.Seats = slices.DeleteFunc(slices.Clone(recorded.Seats), func(seat v1alpha1.RevokedSeat) bool {
		return !slices.Contains(p.Spec.Revoke.Seats, seat)
	})
	if len(p.Spec.Revoke.Namespaces) == 0 {
		recorded.Namespaces = nil
	}
	if len(recorded.Seats)+len(recorded.Namespaces) == 0 {
		return v1alpha1.GrantRevocation{}
	}
	return recorded
}
