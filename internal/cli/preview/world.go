// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/delivery"
	"github.com/lxp-dev/course-completion-operator/internal/limits"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
	"github.com/lxp-dev/course-completion-operator/internal/preview"
)

// world is what the preview works with: of a cluster, or of files.
type world struct {
	client       client.Client
	limits       policies.Limits
	institutions []v1alpha1.Institution
	policies     preview.Policies
	edits        []*edit
	planners     map[v1alpha1.PlatformID]*preview.Planner
	delivery     *v1alpha1.CourseCompletion
	store        *preview.Store
	notes        []string
	// completions and grants are those of files.
	completions []v1alpha1.CourseCompletion
	grants      []v1alpha1.Grant
	// pools are those of the namespace by name; nil where they are not known.
	pools map[string]*v1alpha1.SeatPool
	// roles are those of which it was asked whether the operator may give them.
	roles map[string]answer
	// admitted are the Grants of which something was revoked within the hour.
	admitted []*v1alpha1.Grant
}

func (w *world) note(format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

// world gathers what there is, but for what concerns persons.
func (o *options) world(ctx context.Context, documents []document) (*world, error) {
	w := &world{store: preview.NewStore(), limits: o.limits.Limits(), planners: map[v1alpha1.PlatformID]*preview.Planner{}}
	var mine []document
	for i := range documents {
		d := &documents[i]
		switch {
		case d.ours && d.kind == "CompletionPolicy":
			mine = append(mine, *d)
		case o.offline && d.ours:
			if err := w.file(d); err != nil {
				return nil, err
			}
		case d.ours:
			w.note("%s: the %s is ignored without --offline", d.find("", ""), d.kind)
		}
	}
	if err := o.findNamespace(mine); err != nil {
		return nil, err
	}
	var have []v1alpha1.CompletionPolicy
	if !o.offline {
		var err error
		if have, err = w.connect(ctx, o); err != nil {
			return nil, err
		}
	}
	edits, err := o.edits(mine, have)
	if err != nil {
		return nil, err
	}
	w.edits, w.policies = edits, editedPolicies(have, edits)
	if len(w.institutions) == 0 && o.offline {
		return nil, cmdutil.Usagef("--offline needs the Institution in a file: add it with another -f")
	} else if len(w.institutions) == 0 {
		return nil, fmt.Errorf("namespace %s has no Institution: choose another one with -n; "+
			"`kubectl get institutions -A` lists them", o.namespace)
	}
	return w, nil
}

// file takes an object of a file that is no policy.
func (w *world) file(d *document) error {
	var err error
	switch d.kind {
	case "Institution":
		var institution *v1alpha1.Institution
		if institution, err = institutionOf(d); err == nil {
			w.institutions = append(w.institutions, *institution)
		}
	case "CourseCompletion":
		var completion v1alpha1.CourseCompletion
		if err = d.decode(d.content, &completion); err == nil {
			w.completions = append(w.completions, completion)
		}
	case "Grant":
		var grant v1alpha1.Grant
		if err = d.decode(d.content, &grant); err == nil {
			w.grants = append(w.grants, grant)
		}
	case "SeatPool":
		var pool v1alpha1.SeatPool
		if err = d.decode(d.content, &pool); err == nil {
			if w.pools == nil {
				w.pools = map[string]*v1alpha1.SeatPool{}
			}
			w.pools[pool.Name] = &pool
		}
	default:
		w.note("%s: a %s is ignored", d.find("", ""), d.kind)
	}
	return err
}

// findNamespace finds the namespace of all the policies.
func (o *options) findNamespace(documents []document) error {
	if !o.offline {
		var err error
		if o.namespace, err = o.Namespace(); err != nil {
			return err
		}
	}
	given := o.Flags.Namespace != nil && *o.Flags.Namespace != ""
	first := ""
	for i := range documents {
		var object metav1.PartialObjectMetadata
		if err := json.Unmarshal(documents[i].content, &object); err != nil {
			return fmt.Errorf("%s: %w", documents[i].find("", ""), err)
		}
		at := documents[i].find("metadata.namespace", "")
		switch name := object.Namespace; {
		case name == "":
		case given && name != o.namespace && !o.offline:
			return cmdutil.Usagef("%s: the policy is in namespace %s, but -n says %s", at, name, o.namespace)
		case first != "" && name != first:
			return cmdutil.Usagef("%s: the policies are in different namespaces (%s, %s): preview them separately", at, first,
				name)
		default:
			first = name
		}
	}
	if first != "" {
		o.namespace = first
	}
	return nil
}

// connect reads what the cluster has beside persons, and returns its policies.
func (w *world) connect(ctx context.Context, o *options) ([]v1alpha1.CompletionPolicy, error) {
	c, err := o.Client()
	if err != nil {
		return nil, err
	}
	w.client = c
	if w.institutions, err = cmdutil.Institutions(ctx, c, o.namespace); err != nil {
		return nil, cmdutil.Explain(err, cmdutil.RoleViewer)
	}
	var have []v1alpha1.CompletionPolicy
	err = cmdutil.Each(ctx, c, &v1alpha1.CompletionPolicyList{},
		func(l *v1alpha1.CompletionPolicyList) []v1alpha1.CompletionPolicy { return l.Items },
		func(policy *v1alpha1.CompletionPolicy) error { have = append(have, *policy.DeepCopy()); return nil },
		client.InNamespace(o.namespace))
	if err != nil {
		return nil, cmdutil.Explain(err, cmdutil.RoleViewer)
	}
	if err := w.readPools(ctx, o); err != nil {
		return nil, cmdutil.Explain(err, cmdutil.RoleViewer)
	}
	for i := range w.institutions {
		institution := &w.institutions[i]
		allowed := meta.FindStatusCondition(institution.Status.Conditions, v1alpha1.ConditionAllowed)
		if allowed == nil || allowed.Status != metav1.ConditionTrue {
			w.note("institution %s is not allowed yet: nothing is granted until it is", institution.Name)
		}
		if institution.Spec.Suspend != nil && *institution.Spec.Suspend {
			w.note("institution %s is suspended: these changes take effect once it is resumed", institution.Name)
		}
	}
	if !o.limited {
		w.learnLimits(ctx)
	}
	return have, nil
}

// learnLimits reads the limits of the installation, where the user may.
func (w *world) learnLimits(ctx context.Context) {
	var program appsv1.Deployment
	key := client.ObjectKey{Namespace: "completion-system", Name: "completion-controller-manager"}
	err := w.client.Get(ctx, key, &program)
	if err == nil && len(program.Spec.Template.Spec.Containers) > 0 {
		var flags *limits.Flags
		container := &program.Spec.Template.Spec.Containers[0]
		if flags, err = limits.OfArguments(slices.Concat(container.Command, container.Args)); err == nil {
			w.limits = flags.Limits()
			return
		}
	}
	w.note("Deployment %s cannot be read, so the default limits are assumed: if the installation has others, give them "+
		"with flags such as --pod-security-cap", key)
}

// compile compiles the policies, and has the API server look at them too.
func (w *world) compile(ctx context.Context, o *options, report *report) error {
	for i := range w.institutions {
		institution := &w.institutions[i]
		if w.planners[institution.Spec.ID] != nil {
			return fmt.Errorf("two Institutions, %s and %s, have the same spec.id: nothing is planned for either",
				w.planners[institution.Spec.ID].Institution.Name, institution.Name)
		}
		planner, err := preview.NewPlanner(institution, w.policies, w.limits, o.Now())
		if err != nil {
			return err
		}
		w.planners[institution.Spec.ID] = planner
		for _, one := range w.edits {
			if compiled := planner.Edited(one.Name); compiled != nil {
				report.judge(one, compiled, institution)
				if compiled.Ready() {
					w.reach(ctx, o, one, compiled.FixedBounds(), report)
				}
			}
		}
	}
	if o.offline {
		return nil
	}
	refused, err := o.try(ctx, w.client, w.edits)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RolePolicyAuthor)
	}
	for _, fault := range refused {
		report.addFault(&report.Faults, fault)
	}
	return nil
}

// load reads the completions and Grants.
func (w *world) load(ctx context.Context, o *options) error {
	if w.client == nil {
		for i := range w.completions {
			if err := w.addCompletion(o, &w.completions[i]); err != nil {
				return err
			}
		}
		for i := range w.grants {
			if err := w.addGrant(o, &w.grants[i]); err != nil {
				return err
			}
		}
	} else if err := w.list(ctx, o); err != nil {
		return err
	}
	if w.delivery != nil {
		spec := &w.delivery.Spec
		if o.person == 0 || o.person == spec.User.ID {
			w.store.Concern(v1alpha1.GrantHolder{InstitutionID: spec.Institution.ID, UserID: spec.User.ID})
		}
	}
	return nil
}

func (w *world) list(ctx context.Context, o *options) error {
	ofCompletions := []client.ListOption{client.InNamespace(o.namespace)}
	ofGrants := slices.Clone(ofCompletions)
	if o.person != 0 {
		ofCompletions = append(ofCompletions, client.MatchingFields{"spec.user.id": o.person.String()})
		ofGrants = append(ofGrants, client.MatchingFields{"spec.holder.userID": o.person.String()})
	}
	err := cmdutil.Each(ctx, w.client, &v1alpha1.CourseCompletionList{},
		func(l *v1alpha1.CourseCompletionList) []v1alpha1.CourseCompletion { return l.Items },
		func(c *v1alpha1.CourseCompletion) error { return w.addCompletion(o, c) }, ofCompletions...)
	if err != nil {
		return err
	}
	return cmdutil.Each(ctx, w.client, &v1alpha1.GrantList{},
		func(l *v1alpha1.GrantList) []v1alpha1.Grant { return l.Items },
		func(g *v1alpha1.Grant) error { return w.addGrant(o, g) }, ofGrants...)
}

func (w *world) addCompletion(o *options, completion *v1alpha1.CourseCompletion) error {
	planner := w.planners[completion.Spec.Institution.ID]
	if planner == nil || o.person != 0 && completion.Spec.User.ID != o.person {
		return nil
	}
	return w.store.AddCompletion(completion, planner.ConcernsCompletion(&completion.Spec))
}

func (w *world) addGrant(o *options, grant *v1alpha1.Grant) error {
	planner := w.planners[grant.Spec.Holder.InstitutionID]
	if planner == nil || o.person != 0 && grant.Spec.Holder.UserID != o.person {
		return nil
	}
	recent := func(a v1alpha1.RevocationAdmission) bool { return o.Now().Sub(a.At.Time) < time.Hour }
	if slices.ContainsFunc(grant.Status.Admissions, recent) {
		w.admitted = append(w.admitted, &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Name: grant.Name},
			Spec:   v1alpha1.GrantSpec{Holder: grant.Spec.Holder},
			Status: v1alpha1.GrantStatus{Admissions: slices.Clone(grant.Status.Admissions)}})
	}
	return w.store.AddGrant(grant, planner.ConcernsGrant(grant))
}

// preview goes through everybody whom the change concerns.
func (w *world) preview(o *options, report *report) (*preview.Summary, error) {
	summary := preview.NewSummary()
	for _, grant := range w.admitted {
		planner := w.planners[grant.Spec.Holder.InstitutionID]
		summary.Admitted(planner.Institution, grant, planner.Now)
	}
	err := w.store.Each(func(person preview.Person) error {
		w.look(o, person, report, summary)
		return nil
	})
	return summary, err
}

// deliver reads the delivery of --payload.
func (o *options) deliver(w *world, report *report) error {
	if o.payload == "" {
		return nil
	}
	body, err := readFile(o.In, o.payload)
	if err != nil {
		return err
	}
	doc, wrong := delivery.Decode(body)
	if wrong != nil {
		return refusedDelivery(o.payload, []delivery.Fault{*wrong})
	}
	if slug := doc.OtherEvent(); slug != "" {
		report.note("the delivery is about another event, which the webhook server acknowledges and ignores")
		return nil
	}
	planner := w.planners[doc.Institution()]
	if planner == nil {
		var there []string
		for _, id := range slices.Sorted(maps.Keys(w.planners)) {
			there = append(there, id.String())
		}
		return fmt.Errorf("%s: the delivery is for institution %s (data.institution.id), but this is institution %s: "+
			"`kubectl course send --example --institution ID` prints an example", o.payload, doc.Institution(),
			strings.Join(there, ", "))
	}
	spec, faults, err := delivery.Read(doc, planner.Institution, o.Now())
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return refusedDelivery(o.payload, faults)
	}
	w.delivery = &v1alpha1.CourseCompletion{Spec: spec, ObjectMeta: metav1.ObjectMeta{
		Namespace: o.namespace, Name: spec.Name(), CreationTimestamp: metav1.NewTime(o.Now())}}
	return nil
}

func refusedDelivery(file string, faults []delivery.Fault) error {
	var lines []error
	for _, fault := range faults {
		lines = append(lines, fmt.Errorf("%s: %s %s", file, strings.TrimPrefix(fault.Pointer, "/"), fault.Detail))
	}
	return fmt.Errorf("the webhook server would refuse the delivery:\n%w", errors.Join(lines...))
}

// merged returns the completion of the delivery as it would be stored.
func (w *world) merged(person preview.Person, report *report) *v1alpha1.CourseCompletion {
	for i := range person.Completions {
		if stored := person.Completions[i].DeepCopy(); stored.Name == w.delivery.Name {
			outcome, changed := delivery.Merge(&stored.Spec, &w.delivery.Spec)
			if !changed {
				report.note("the delivery is %s: the stored completion %s is the same or newer", outcome, stored.Name)
			}
			return stored
		}
	}
	return w.delivery
}
