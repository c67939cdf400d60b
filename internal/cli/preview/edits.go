// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kjson "sigs.k8s.io/json"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/config/crd"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/preview"
)

// edit is a policy that is to be made, changed or removed.
type edit struct {
	Name string `json:"name"`
	// Action is create, change, delete or none, where the policy is like that already.
	Action string `json:"action"`
	// Trial says what the API server makes of it: accepted, refused, or why that is not known.
	Trial string `json:"trial,omitempty"`

	document *document
	existing *v1alpha1.CompletionPolicy
	policy   *v1alpha1.CompletionPolicy
}

// Actions of edits.
const (
	actionCreate = "create"
	actionChange = "change"
	actionDelete = "delete"
	actionNone   = "none"
)

// lastApplied is where kubectl apply notes what it was given.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// edits works out what becomes of the policies that there are.
func (o *options) edits(documents []document, have []v1alpha1.CompletionPolicy) ([]*edit, error) {
	var all []*edit
	seen := map[string]bool{}
	for i := range documents {
		d := &documents[i]
		said := &v1alpha1.CompletionPolicy{}
		if err := d.decode(d.content, said); err != nil {
			return nil, err
		}
		switch {
		case said.Name == "":
			return nil, fmt.Errorf("%s: metadata.name is required", d.find("metadata", ""))
		case seen[said.Name]:
			return nil, fmt.Errorf("%s: policy %s appears twice", d.find("metadata.name", ""), said.Name)
		}
		seen[said.Name] = true
		one := &edit{Name: said.Name, Action: actionCreate, document: d}
		for j := range have {
			if have[j].Name == said.Name {
				one.existing, one.Action = &have[j], actionChange
			}
		}
		if err := o.become(one); err != nil {
			return nil, fmt.Errorf("%s: %w", d.find("", ""), err)
		}
		all = append(all, one)
	}
	for _, name := range o.remove {
		i := slices.IndexFunc(have, func(p v1alpha1.CompletionPolicy) bool { return p.Name == name })
		switch {
		case seen[name]:
			return nil, cmdutil.Usagef("policy %s is both in a file and in --delete", name)
		case i < 0:
			return nil, fmt.Errorf("there is no CompletionPolicy %s to delete: `kubectl get completionpolicies` lists them",
				name)
		}
		all = append(all, &edit{Name: name, Action: actionDelete, existing: &have[i]})
	}
	return all, nil
}

// become works out the policy as it would be.
func (o *options) become(one *edit) error {
	content := one.document.content
	if one.existing != nil {
		var err error
		if content, err = applied(one.existing, content); err != nil {
			return err
		}
	}
	content, err := defaulted(content, crd.CompletionPolicies)
	if err != nil {
		return err
	}
	one.policy = &v1alpha1.CompletionPolicy{}
	if err := json.Unmarshal(content, one.policy); err != nil {
		return err
	}
	one.policy.Namespace = o.namespace
	if one.existing != nil && preview.SameSpec(one.existing, one.policy) {
		one.Action = actionNone
	}
	return nil
}

// applied returns the content of a policy once a file is applied. Where nobody applied it before as kubectl does, it is
// what the file says.
func applied(existing *v1alpha1.CompletionPolicy, content []byte) ([]byte, error) {
	before := existing.Annotations[lastApplied]
	if before == "" {
		return content, nil
	}
	stored := existing.DeepCopy()
	stored.ManagedFields = nil
	text, err := json.Marshal(stored)
	if err != nil {
		return nil, err
	}
	var last, said, current map[string]any
	for _, one := range []struct {
		text []byte
		to   *map[string]any
	}{{[]byte(before), &last}, {content, &said}, {text, &current}} {
		if err := kjson.UnmarshalCaseSensitivePreserveInts(one.text, one.to); err != nil {
			return nil, err
		}
	}
	merge(last, said, current)
	return json.Marshal(current)
}

// try lets the API server check the edits without storing them, where the user may.
func (o *options) try(ctx context.Context, c client.Client, edits []*edit) (refused []fault, err error) {
	dry := client.NewDryRunClient(c)
	for _, one := range edits {
		var err error
		switch one.Action {
		case actionCreate:
			err = dry.Create(ctx, one.policy.DeepCopy())
		case actionChange:
			changed := one.existing.DeepCopy()
			changed.Spec = *one.policy.Spec.DeepCopy()
			err = dry.Patch(ctx, changed, client.MergeFrom(one.existing))
		case actionDelete:
			err = dry.Delete(ctx, one.existing.DeepCopy())
		}
		switch {
		case one.Action == actionNone:
		case err == nil:
			one.Trial = "accepted"
		case apierrors.IsForbidden(err) && !isAdmission(err):
			one.Trial = "not asked, since you may not " + one.Action + " completionpolicies here; the ClusterRole " +
				cmdutil.RolePolicyAuthor + " allows it"
		case apierrors.IsInvalid(err), isAdmission(err), apierrors.IsBadRequest(err):
			one.Trial = "refused"
			refused = append(refused, refusals(one, err)...)
		default:
			return nil, err
		}
	}
	return refused, nil
}

// isAdmission reports whether an admission policy refused an object, and not a missing right.
func isAdmission(err error) bool {
	return strings.Contains(err.Error(), "ValidatingAdmissionPolicy") || strings.Contains(err.Error(), "admission webhook")
}

// refusals returns what the API server said, with the places in the file.
func refusals(one *edit, err error) []fault {
	var found []fault
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			found = append(found, one.fault(cause.Field, cause.Message))
		}
	}
	if len(found) == 0 {
		found = append(found, one.fault("", err.Error()))
	}
	return found
}

func (e *edit) fault(field, message string) fault {
	f := fault{Policy: e.Name, Field: field, Message: message}
	if e.document != nil {
		f.place = e.document.find(field, message)
	}
	return f
}

// editedPolicies returns all policies of the namespace as they would be.
func editedPolicies(have []v1alpha1.CompletionPolicy, edits []*edit) preview.Policies {
	of := preview.Policies{Before: have}
	for i := range have {
		if !slices.ContainsFunc(edits, func(e *edit) bool { return e.Name == have[i].Name }) {
			of.After = append(of.After, have[i])
		}
	}
	for _, one := range edits {
		switch one.Action {
		case actionDelete:
		case actionNone:
			of.After = append(of.After, *one.existing)
		default:
			of.After = append(of.After, *one.policy)
		}
	}
	return of
}

// institutionOf decodes an Institution of a file.
func institutionOf(d *document) (*v1alpha1.Institution, error) {
	content, err := defaulted(d.content, crd.Institutions)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.find("", ""), err)
	}
	institution := &v1alpha1.Institution{}
	if err := d.decode(content, institution); err != nil {
		return nil, err
	}
	institution.Status = v1alpha1.InstitutionStatus{}
	institution.CreationTimestamp = metav1.Time{}
	if institution.Spec.ID < 1 {
		return nil, fmt.Errorf("%s: spec.id is required", d.find("spec", ""))
	}
	return institution, nil
}
