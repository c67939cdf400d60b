// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package policies is what a CompletionPolicy says: compile.go checks and compiles it, explain.go says whether it is
// about a completion, render.go, objects.go and revoke.go fill in what it grants and revokes because of one, and
// limits.go holds that against what the installation allows. It is pure, and knows no Grant but the one that it fills.
package policies

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/expression"
)

// Policy is a CompletionPolicy, compiled. It is safe for concurrent use.
type Policy struct {
	// Name of the CompletionPolicy.
	Name string
	// Spec it was compiled from.
	Spec v1alpha1.CompletionPolicySpec
	// Faults are what is wrong with it. A policy with faults grants nothing new and keeps what it granted.
	Faults []Fault

	// namespace that the policy is in.
	namespace string
	// partial reports that compiling ended at the first faults, so that there may be more.
	partial bool
	pending bool
	// work and cost are what compiling took, and what one evaluation of everything takes over the longest texts.
	work       int
	cost       uint64
	limits     Limits
	courses    map[v1alpha1.PlatformID]bool
	match      *expression.Predicate
	namespaces []namespaceTemplate
	objects    []objectTemplate
	revoked    []nameTemplate
}

// Suspended reports whether the policy plans nothing for now.
func (p *Policy) Suspended() bool { return p.Spec.Suspended() }

type namespaceTemplate struct {
	path        string
	name        *expression.Template
	labels      map[string]*expression.Template
	annotations map[string]*expression.Template
	quota       quantityTemplates
	limits      []limitTemplate
	access      [][]*expression.Template
	fixed       *v1alpha1.NamespaceTemplate
}

type limitTemplate struct {
	kind                               v1alpha1.LimitType
	standard, defaultRequest, max, min quantityTemplates
}

// quantityTemplates are the quantities of resources.
type quantityTemplates map[string]*expression.Template

// maxFaults is how many faults end the compiling of a policy: they say enough, and each costs.
const maxFaults = 8

// Compile compiles and type-checks every expression of a policy and holds its fixed values against the limits. It
// never fails: what is wrong is in Faults. Its work is bounded for the policy as a whole, and so is that of each
// evaluation of everything. Privacy is that of the policy's institution; a field that it does not keep
// cannot be used.
func Compile(policy *v1alpha1.CompletionPolicy, privacy v1alpha1.PrivacySpec, limits Limits) *Policy {
	compiled := &Policy{Name: policy.Name, Spec: *policy.Spec.DeepCopy(), namespace: policy.Namespace, limits: limits}
	compiled.courses = coursesOf(policy.Spec.Match)
	env, err := expression.NewCompiler(expression.Scope{GrantPer: compiled.Spec.GrantPer, Privacy: privacy})
	if err != nil {
		compiled.Faults = []Fault{{"spec", err.Error()}}
		return compiled
	}
	budget := &expression.Budget{}
	c := compilation{policy: compiled, env: env.Within(budget), budget: budget}
	c.match()
	for i := range compiled.Spec.Namespaces {
		c.namespace(&compiled.Spec.Namespaces[i], fmt.Sprintf("spec.namespaces[%d]", i))
	}
	for i := range compiled.Spec.Objects {
		c.object(&compiled.Spec.Objects[i], fmt.Sprintf("spec.objects[%d]", i))
	}
	c.revocation()
	_, compiled.work, compiled.cost = budget.Spent()
	return compiled
}

type compilation struct {
	policy *Policy
	env    *expression.Compiler
	budget *expression.Budget
}

// over reports whether to compile nothing more.
func (c *compilation) over() bool {
	over := len(c.policy.Faults) >= maxFaults || c.budget.Exhausted()
	c.policy.partial = c.policy.partial || over
	return over
}

func (c *compilation) fault(path string, err error) {
	for _, one := range flatten(err) {
		c.policy.Faults = append(c.policy.Faults, Fault{path, one.Error()})
	}
}

func flatten(err error) []error {
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// coursesOf returns the courses that a policy is about, nil where its courseIDs do not say.
func coursesOf(match v1alpha1.PolicyMatch) map[v1alpha1.PlatformID]bool {
	if len(match.CourseIDs) == 0 {
		return nil
	}
	courses := make(map[v1alpha1.PlatformID]bool, len(match.CourseIDs))
	for _, id := range match.CourseIDs {
		courses[id] = true
	}
	return courses
}

func (c *compilation) match() {
	match := c.policy.Spec.Match
	if match.Expression == "" {
		return
	}
	predicate, err := c.env.Predicate(match.Expression)
	if err != nil {
		c.fault("spec.match.expression", err)
		return
	}
	c.policy.match = predicate
}

func (c *compilation) namespace(ns *v1alpha1.NamespaceTemplate, path string) {
	compiled := namespaceTemplate{
		path:        path,
		fixed:       ns,
		name:        c.template(ns.Name, path+".name", expression.UseMetadata),
		labels:      c.templates(ns.Labels, path+".labels", expression.UseMetadata),
		annotations: c.templates(ns.Annotations, path+".annotations", expression.UseMetadata),
		quota:       c.quantities(ns.ResourceQuota.Hard, path+".resourceQuota.hard"),
	}
	c.policy.Faults = append(c.policy.Faults, c.policy.limits.checkPodSecurity(ns.PodSecurity, path+".podSecurity")...)
	c.policy.Faults = append(c.policy.Faults,
		c.policy.limits.checkIsolation(ns.NetworkIsolation, path+".networkIsolation")...)
	c.policy.Faults = append(c.policy.Faults,
		checkNamespaceKeys(c.policy.limits, ns.Labels, path+".labels", v1alpha1.LabelRevocable)...)
	c.policy.Faults = append(c.policy.Faults, checkNamespaceKeys(c.policy.limits, ns.Annotations, path+".annotations")...)
	for i := range ns.Limits {
		limit := &ns.Limits[i]
		at := fmt.Sprintf("%s.limits[%d]", path, i)
		compiled.limits = append(compiled.limits, limitTemplate{
			kind:           limit.Type,
			standard:       c.quantities(limit.Default, at+".default"),
			defaultRequest: c.quantities(limit.DefaultRequest, at+".defaultRequest"),
			max:            c.quantities(limit.Max, at+".max"),
			min:            c.quantities(limit.Min, at+".min"),
		})
	}
	for i, access := range ns.Access {
		var names []*expression.Template
		for j, subject := range access.Subjects {
			at := fmt.Sprintf("%s.access[%d].subjects[%d]", path, i, j)
			c.policy.Faults = append(c.policy.Faults, c.policy.limits.checkSubject(subject.Kind, at)...)
			name := c.template(subject.Name, at+".name", expression.UseSubject)
			if text, fixed := literal(name); fixed {
				c.policy.Faults = append(c.policy.Faults, checkSubjectName(subject.Kind, text, at)...)
			}
			names = append(names, name)
		}
		compiled.access = append(compiled.access, names)
	}
	c.policy.namespaces = append(c.policy.namespaces, compiled)
}

func literal(t *expression.Template) (string, bool) {
	if t == nil {
		return "", false
	}
	return t.Literal()
}

func (c *compilation) template(text v1alpha1.Template, path string, use expression.Use) *expression.Template {
	if c.over() {
		return nil
	}
	compiled, err := c.env.Template(string(text), use)
	if err != nil {
		c.fault(path, err)
		return nil
	}
	return compiled
}

func (c *compilation) templates(
	texts map[string]v1alpha1.Template, path string, use expression.Use,
) map[string]*expression.Template {
	compiled := make(map[string]*expression.Template, len(texts))
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		compiled[key] = c.template(texts[key], path+"["+key+"]", use)
	}
	return compiled
}

func (c *compilation) quantities(values map[string]v1alpha1.QuantityTemplate, path string) quantityTemplates {
	if len(values) == 0 {
		return nil
	}
	compiled := make(quantityTemplates, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text := c.template(v1alpha1.Template(values[name]), path+"["+name+"]", expression.UseMetadata)
		if fixed, ok := literal(text); ok {
			c.policy.Faults = append(c.policy.Faults,
				checkQuantities(map[string]v1alpha1.Quantity{name: v1alpha1.Quantity(fixed)}, path)...)
		}
		compiled[name] = text
	}
	return compiled
}

// Pending returns a policy that is not compiled yet. As one with faults, it grants nothing new and keeps what it
// granted.
func Pending(policy *v1alpha1.CompletionPolicy) *Policy {
	return &Policy{Name: policy.Name, Spec: *policy.Spec.DeepCopy(), pending: true}
}

// Pending reports whether the policy is not compiled yet.
func (p *Policy) Pending() bool { return p.pending }

// Partial reports that compiling ended at the first faults, so that there may be more.
func (p *Policy) Partial() bool { return p.partial }

// Ready reports whether the policy is compiled and has no faults.
func (p *Policy) Ready() bool { return len(p.Faults) == 0 && !p.pending }

// Message returns what is wrong with the policy, for its condition.
func (p *Policy) Message() string {
	message := MessageOf(p.Faults)
	if p.partial {
		message += "; there may be more: checking stopped here"
	}
	return message
}

// MessageOf returns faults as one message, for a condition.
func MessageOf(faults []Fault) string {
	lines := make([]string, 0, maxFaults+1)
	for i, fault := range faults {
		if i == maxFaults {
			lines = append(lines, fmt.Sprintf("and %d more", len(faults)-maxFaults))
			break
		}
		lines = append(lines, fault.Error())
	}
	return strings.Join(lines, "; ")
}

// Matches reports whether the policy is about a completion. An expression that does not compile counts as true.
func (p *Policy) Matches(spec *v1alpha1.CourseCompletionSpec) (bool, error) {
	if p.courses != nil && !p.courses[spec.Course.ID] {
		return false, nil
	}
	if p.match == nil {
		return true, nil
	}
	matched, err := p.match.Eval(expression.VariablesOf(spec))
	if err != nil {
		return false, fmt.Errorf("spec.match.expression: %w", err)
	}
	return matched, nil
}

// Required returns the courses that a policy requires together, ordered; none where one completion is enough.
func (p *Policy) Required() []v1alpha1.PlatformID {
	if p.Spec.Match.Require != v1alpha1.MatchAll || p.Spec.GrantPer != v1alpha1.GrantPerUser {
		return nil
	}
	return slices.Sorted(maps.Keys(p.courses))
}

// ByCourse reports whether the policy is about some courses only.
func (p *Policy) ByCourse() bool { return p.courses != nil }

// Names reports whether the policy names a course. One that names none is about all of them.
func (p *Policy) Names(course v1alpha1.PlatformID) bool { return p.courses[course] }
