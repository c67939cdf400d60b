// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// redactor leaves out of Grants what may be personal: the names of subjects and the values of objects, unless a policy
// has them written out. Equal values are told apart from others by a number.
type redactor struct {
	off     bool
	written map[string]bool
	numbers map[string]int
}

// redactor returns one that knows what the policies have written out.
func (o *options) redactor(w *world) *redactor {
	r := &redactor{off: o.personal, written: map[string]bool{}, numbers: map[string]int{}}
	for _, policies := range [][]v1alpha1.CompletionPolicy{w.policies.Before, w.policies.After} {
		for i := range policies {
			r.learn(&policies[i].Spec)
		}
	}
	return r
}

func (r *redactor) learn(spec *v1alpha1.CompletionPolicySpec) {
	for i := range spec.Namespaces {
		for _, access := range spec.Namespaces[i].Access {
			for _, subject := range access.Subjects {
				r.literal(string(subject.Name))
			}
		}
	}
	for i := range spec.Objects {
		var content any
		if json.Unmarshal(spec.Objects[i].Template.Raw, &content) == nil {
			walk(content, func(text string) string { r.literal(text); return text })
		}
	}
}

func (r *redactor) literal(text string) {
	if !strings.Contains(text, "${") {
		r.written[text] = true
	}
}

func (r *redactor) hide(text string) string {
	if r.off || text == "" || r.written[text] {
		return text
	}
	if r.numbers[text] == 0 {
		r.numbers[text] = len(r.numbers) + 1
	}
	return fmt.Sprintf("(personal data %d, see --show-personal-data)", r.numbers[text])
}

// spec returns the spec of a Grant without what may be personal.
func (r *redactor) spec(of *v1alpha1.GrantSpec) v1alpha1.GrantSpec {
	spec := *of.DeepCopy()
	for i := range spec.Namespaces {
		for j := range spec.Namespaces[i].Access {
			subjects := spec.Namespaces[i].Access[j].Subjects
			for k := range subjects {
				if subjects[k].Kind != v1alpha1.SubjectServiceAccount {
					subjects[k].Name = r.hide(subjects[k].Name)
				}
			}
		}
	}
	spec.Override.Reason = r.hide(spec.Override.Reason)
	for i := range spec.Objects {
		spec.Objects[i].Object = r.object(spec.Objects[i].Object)
	}
	return spec
}

// object hides the values of an object, but for what it is and what it is called, which holds nothing personal.
func (r *redactor) object(raw runtime.RawExtension) runtime.RawExtension {
	var content map[string]any
	if r.off || json.Unmarshal(raw.Raw, &content) != nil {
		return raw
	}
	for key, value := range content {
		if key != "apiVersion" && key != "kind" && key != "metadata" {
			content[key] = walk(value, r.hide)
		}
	}
	text, err := json.Marshal(content)
	if err != nil {
		return runtime.RawExtension{}
	}
	return runtime.RawExtension{Raw: text}
}

// walk replaces the texts and numbers in a value of JSON.
func walk(value any, replace func(string) string) any {
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			value[key] = walk(item, replace)
		}
		return value
	case []any:
		for i, item := range value {
			value[i] = walk(item, replace)
		}
		return value
	case string:
		return replace(value)
	case float64:
		text := fmt.Sprint(value)
		if replaced := replace(text); replaced != text {
			return replaced
		}
	}
	return value
}

// unified returns the difference of two texts.
func unified(before, after string) string {
	lines := func(text string) []string {
		if text == "" {
			return nil
		}
		return difflib.SplitLines(strings.TrimSuffix(text, "\n"))
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: lines(before), B: lines(after),
		FromFile: "current", ToFile: "preview", Context: 3})
	if err != nil {
		return err.Error()
	}
	return text
}
