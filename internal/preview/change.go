// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// Kind is what a change means for the holder of a Grant.
type Kind string

const (
	// Gains means that there is a Grant that there was not, or that one entitles again.
	Gains Kind = "Gains"
	// Changes means that the Grant says something else, and nobody loses anything now.
	Changes Kind = "Changes"
	// Loses means that access, a seat or a namespace is revoked.
	Loses Kind = "Loses"
)

// Change is what happens to one Grant.
type Change struct {
	Kind  Kind
	Grant string
	// What happens, in words.
	What []string
	// Before and After are the Grant; Before is nil where there is none yet.
	Before, After *v1alpha1.Grant
	// Counts are the revocations of the Grant that the brake would count now.
	Counts []lifecycle.Revocation
	// CountsLater reports that the brake counts the end of the Grant when it falls due, within a day.
	CountsLater bool
	// Demand is what it asks for that was not asked for before.
	Demand Demand
}

// SameSpec reports whether two policies say the same, however their JSON is written.
func SameSpec(a, b *v1alpha1.CompletionPolicy) bool {
	values := func(policy *v1alpha1.CompletionPolicy) (value any) {
		text, err := json.Marshal(policy.Spec)
		if err != nil {
			return err
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		return value
	}
	return reflect.DeepEqual(values(a), values(b))
}

func (p *Planner) compare(before, after *state) []Change {
	var changes []Change
	for i := range after.grants {
		now := &after.grants[i]
		was, found := before.find(now.Name)
		var change *Change
		if found {
			change = p.changed(was, now, before, after)
		} else {
			change = &Change{Kind: Gains, What: p.granted(now)}
		}
		if change == nil {
			continue
		}
		change.Grant, change.Before, change.After = now.Name, was, now
		p.count(change, was, now, before, after)
		change.Demand = p.demand(was, now, after)
		changes = append(changes, *change)
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Grant, b.Grant) })
	return changes
}

// gives reports whether a Grant entitles its holder, or only until the brake lets its end through.
func (p *Planner) gives(grant *v1alpha1.Grant) bool {
	decision := lifecycle.Foresee(grant, p.Now)
	return decision.Provides() && !decision.Asks(v1alpha1.RevocationAccessEnd) && grant.DeletionTimestamp.IsZero()
}

func (p *Planner) awaitsApproval(grant *v1alpha1.Grant) bool {
	return lifecycle.Foresee(grant, p.Now).Phase == v1alpha1.GrantAwaitingApproval
}

// granted describes a Grant that is new.
func (p *Planner) granted(grant *v1alpha1.Grant) []string {
	what := listed(grant)
	if p.awaitsApproval(grant) {
		what = append(what, "waits for approval")
	}
	if at := grant.Spec.AccessEndsAt; at != nil {
		what = append(what, "access ends "+moment(at))
	}
	return append(what, revokes(grant)...)
}

func listed(grant *v1alpha1.Grant) []string {
	var what []string
	for i := range grant.Spec.Namespaces {
		what = append(what, "namespace "+grant.Spec.Namespaces[i].Name)
	}
	for _, seat := range grant.Spec.Seats {
		what = append(what, "a seat of "+string(seat.Pool))
	}
	if n := len(grant.Spec.Objects); n > 0 {
		what = append(what, "objects: "+strings.Join(objectNames(grant), ", "))
	}
	return what
}

func revokes(grant *v1alpha1.Grant) []string {
	var what []string
	for _, seat := range grant.Spec.Revokes.Seats {
		what = append(what, "revokes a seat of "+string(seat.Pool))
	}
	for _, ns := range grant.Spec.Revokes.Namespaces {
		what = append(what, "revokes namespace "+ns.Name)
	}
	return what
}

func objectNames(grant *v1alpha1.Grant) []string {
	var names []string
	for i := range grant.Spec.Objects {
		names = append(names, string(grant.Spec.Objects[i].Name))
	}
	return names
}

// changed compares a Grant before and after; nil where nothing happens to it.
func (p *Planner) changed(was, now *v1alpha1.Grant, before, after *state) *Change {
	lost, back := p.lost(was, now, before, after)
	gave, gives := p.gives(was), p.gives(now)
	differs := (&plan.Planned{Spec: withoutOverride(now), Existing: was}).Changed()
	if !differs && len(lost)+len(back) == 0 && gave == gives {
		return nil
	}
	change := &Change{Kind: Changes}
	said := differences(was, now)
	switch {
	case gave && !gives:
		change.Kind = Loses
		change.What = append(p.ending(now), lost...)
	case len(lost) > 0:
		change.Kind = Loses
		change.What = slices.Concat(lost, back, said)
	case !gave && gives:
		change.Kind = Gains
		change.What = append([]string{"takes effect again"}, listed(now)...)
		if p.awaitsApproval(was) {
			change.What[0] = "takes effect without approval"
		}
		change.What = append(change.What, said...)
	default:
		change.What = slices.Concat(back, said)
	}
	return change
}

func withoutOverride(grant *v1alpha1.Grant) v1alpha1.GrantSpec {
	spec := *grant.Spec.DeepCopy()
	spec.Override = v1alpha1.GrantOverride{}
	return spec
}

// ending describes what goes with the end of a Grant.
func (p *Planner) ending(grant *v1alpha1.Grant) []string {
	what := []string{"access ends"}
	if grant.Spec.AccessEndsAt != nil {
		what[0] += " " + moment(grant.Spec.AccessEndsAt)
	}
	if len(grant.Spec.Namespaces)+len(grant.Spec.Objects) == 0 {
		return what
	}
	var all []string
	for i := range grant.Spec.Namespaces {
		all = append(all, grant.Spec.Namespaces[i].Name)
	}
	data := "data in " + strings.Join(all, ", ")
	if len(all) == 0 {
		data = "data"
	}
	switch {
	case grant.Spec.OnRevoke == v1alpha1.RemovalRetain:
		return append(what, data+" is kept")
	case grant.Spec.DataEndsAt != nil:
		return append(what, data+" is deleted at "+moment(grant.Spec.DataEndsAt))
	}
	return what
}

// lost returns what is taken from a Grant beside its end, and what comes back to it.
func (p *Planner) lost(was, now *v1alpha1.Grant, before, after *state) (lost, back []string) {
	revokedBefore := lifecycle.RevokedFrom(was, before.begun, p.Now)
	revokedAfter := lifecycle.RevokedFrom(now, after.begun, p.Now)
	gave, gives := p.gives(was), p.gives(now)
	for _, pool := range slices.Sorted(maps.Keys(revokedAfter.Seats)) {
		_, already := revokedBefore.Seats[pool]
		said := fmt.Sprintf("a seat of %s is revoked by grant %s", pool, revokedAfter.Seats[pool].Grant)
		switch {
		case already || !gives:
		case gave && holdsSeat(was, v1alpha1.GrantedSeat{Pool: pool}):
			lost = append(lost, said)
		default:
			back = append(back, said)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(revokedAfter.Namespaces)) {
		by, anew := revokedAnew(revokedBefore, revokedAfter, name)
		if had := gave && namespaceOf(was, name) != nil || hasNamespace(was, name); had && anew {
			lost = append(lost, fmt.Sprintf("namespace %s is revoked by grant %s, its data is deleted at %s", name, by.Grant,
				moment(new(metav1.NewTime(by.DataEndsAt)))))
		}
	}
	if gives {
		back = append(back, givenBack(revokedBefore, revokedAfter)...)
	}
	for _, seat := range was.Spec.Seats {
		if holdsSeat(was, seat) && !slices.Contains(now.Spec.Seats, seat) {
			lost = append(lost, "loses its seat of "+string(seat.Pool))
		}
	}
	// Where access ends only now, its end says what becomes of the data.
	if !gave && !lifecycle.DataGoes(was, before.grants, p.Now) && lifecycle.DataGoes(now, after.grants, p.Now) {
		lost = append(lost, "its data is deleted now")
	}
	if !gave {
		return lost, back
	}
	return append(lost, losesAccess(was, now)...), back
}

// revokedAnew returns who revokes a namespace, and whether nobody did before. One without an end is another Grant's by
// now.
func revokedAnew(before, after lifecycle.Revoked, name string) (lifecycle.Revoker, bool) {
	_, already := before.Namespaces[name]
	by := after.Namespaces[name]
	return by, !already && !by.DataEndsAt.IsZero()
}

// givenBack returns what was revoked and is no more.
func givenBack(revokedBefore, revokedAfter lifecycle.Revoked) (back []string) {
	for _, pool := range slices.Sorted(maps.Keys(revokedBefore.Seats)) {
		if _, still := revokedAfter.Seats[pool]; !still {
			back = append(back, "a seat of "+string(pool)+" is no longer revoked")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(revokedBefore.Namespaces)) {
		if _, still := revokedAfter.Namespaces[name]; !still {
			back = append(back, "namespace "+name+" is no longer revoked")
		}
	}
	return back
}

func holdsSeat(grant *v1alpha1.Grant, seat v1alpha1.GrantedSeat) bool {
	return slices.ContainsFunc(grant.Status.Seats, func(held v1alpha1.HeldSeat) bool { return held.Pool == seat.Pool })
}

func hasNamespace(grant *v1alpha1.Grant, name string) bool {
	return slices.ContainsFunc(grant.Status.Inventory, func(entry v1alpha1.InventoryEntry) bool {
		return entry.Kind == "Namespace" && entry.Name == name
	})
}

// losesAccess returns where somebody would lose access by what a Grant says: only what is in place counts.
func losesAccess(was, now *v1alpha1.Grant) []string {
	var lost []string
	for _, name := range boundNamespaces(was) {
		said, left := namespaceOf(was, name), namespaceOf(now, name)
		switch {
		case left == nil && now.Spec.OnPolicyRemoval != v1alpha1.RemovalDelete:
			// What is said no more stays.
		case said == nil && left != nil:
			// Who has access there since an older policy is not in the Grant, but in which roles.
			for _, role := range boundRoles(was, name) {
				if !slices.ContainsFunc(left.Access, func(a v1alpha1.GrantedAccess) bool {
					return strings.HasSuffix(role, a.ClusterRole)
				}) {
					lost = append(lost, "loses access to namespace "+name)
				}
			}
		case said == nil && was.Spec.OnPolicyRemoval != v1alpha1.RemovalDelete:
			lost = append(lost, "loses access to namespace "+name)
		case said != nil:
			for _, access := range said.Access {
				if left == nil || losesRole(access, left.Access) {
					lost = append(lost, fmt.Sprintf("loses access as %s to namespace %s", access.ClusterRole, name))
				}
			}
		}
	}
	return lost
}

// boundNamespaces returns the namespaces in which a Grant has given access by itself.
func boundNamespaces(grant *v1alpha1.Grant) []string {
	var names []string
	for _, entry := range grant.Status.Inventory {
		if entry.Kind == "RoleBinding" && entry.ServiceAccountName == "" && entry.Namespace != nil &&
			!slices.Contains(names, *entry.Namespace) {
			names = append(names, *entry.Namespace)
		}
	}
	return names
}

// boundRoles returns the names of a Grant's RoleBindings in a namespace, which end with those of the ClusterRoles.
func boundRoles(grant *v1alpha1.Grant, namespace string) []string {
	var names []string
	for _, entry := range grant.Status.Inventory {
		if entry.Kind == "RoleBinding" && entry.ServiceAccountName == "" && *entry.Namespace == namespace {
			names = append(names, entry.Name)
		}
	}
	return names
}

func namespaceOf(grant *v1alpha1.Grant, name string) *v1alpha1.GrantedNamespace {
	for i := range grant.Spec.Namespaces {
		if grant.Spec.Namespaces[i].Name == name {
			return &grant.Spec.Namespaces[i]
		}
	}
	return nil
}

func losesRole(access v1alpha1.GrantedAccess, left []v1alpha1.GrantedAccess) bool {
	i := slices.IndexFunc(left, func(a v1alpha1.GrantedAccess) bool { return a.ClusterRole == access.ClusterRole })
	return i < 0 || slices.ContainsFunc(access.Subjects, func(subject v1alpha1.GrantedSubject) bool {
		return !slices.Contains(left[i].Subjects, subject)
	})
}

// moment writes a time, of which nil is never.
func moment(at *metav1.Time) string {
	if at == nil {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}

// count adds what of a change the brake counts.
func (p *Planner) count(change *Change, was, now *v1alpha1.Grant, before, after *state) {
	// What the loop asks the brake about, and did not before.
	asks := func(kind v1alpha1.RevocationType, at time.Time) bool {
		asked := was != nil && lifecycle.Foresee(was, at).Asks(kind)
		return !asked && lifecycle.Foresee(now, at).Asks(kind)
	}
	if asks(v1alpha1.RevocationAccessEnd, p.Now) || was != nil && asks(v1alpha1.RevocationEndForward, p.Now) {
		change.Counts = append(change.Counts, lifecycle.Foresee(now, p.Now).Revocation)
	}
	if ends := now.Spec.AccessEndsAt; ends != nil && was != nil && p.Now.Before(ends.Time) {
		change.CountsLater = ends.Sub(p.Now) < 24*time.Hour && asks(v1alpha1.RevocationAccessEnd, ends.Time)
	}
	if was != nil && now.Planned() && lifecycle.Foresee(now, p.Now).Provides() && len(losesAccess(was, now)) > 0 {
		if access, err := lifecycle.AccessChangeOf(now, p.Now); err == nil {
			change.Counts = append(change.Counts, access.Revocation())
		}
	}
	loses := p.losers(now, after)
	if was != nil {
		already := p.losers(was, before)
		loses = slices.DeleteFunc(loses, func(name string) bool { return slices.Contains(already, name) })
	}
	if len(loses) > 0 {
		change.Counts = append(change.Counts, lifecycle.NamespacesRevocation(now, loses, p.Now))
	}
	slices.SortStableFunc(change.Counts, func(a, b lifecycle.Revocation) int { return cmp.Compare(a.Type, b.Type) })
}

// losers returns the namespaces that somebody loses once a Grant begins to take them away.
func (p *Planner) losers(revoker *v1alpha1.Grant, s *state) []string {
	if !lifecycle.RevokesNow(revoker) {
		return nil
	}
	var names []string
	for _, ns := range revoker.Spec.Revokes.Namespaces {
		loss, _ := lifecycle.ImpactOf(revoker, s.grants, ns.Name, p.Now)
		if loss == lifecycle.Lost && !lifecycle.HasStarted(revoker, ns.Name) {
			names = append(names, ns.Name)
		}
	}
	return names
}
