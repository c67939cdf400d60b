// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const (
	// maxCourses, maxPolicies and maxPools bound the label values of one institution, so that no tenant can make as many
	// series as it likes. What is beyond them counts as other.
	maxCourses, maxPolicies, maxPools = 32, 32, 32
	// other is the label of what has none of its own.
	other = "other"
	// refresh is for how long what was collected is shown again, so that many who scrape cost no more than one.
	refresh = 5 * time.Second
)

// horizons are how far the ends of access are looked ahead.
var horizons = []struct {
	label  string
	within time.Duration
}{{"7d", 7 * 24 * time.Hour}, {"30d", 30 * 24 * time.Hour}}

var phases = []v1alpha1.GrantPhase{
	v1alpha1.GrantPending, v1alpha1.GrantAwaitingApproval, v1alpha1.GrantWaiting, v1alpha1.GrantActive,
	v1alpha1.GrantEnded, v1alpha1.GrantRevoked, v1alpha1.GrantSuspended,
}

var changes = []string{changeMade, changeActive, changeEnded, changeRevoked}

var (
	descCompletions = describe("completion_completions",
		"Stored completions, by institution and course; other for courses that no policy names, and after the first 32 "+
			"courses of the institution.", "institution", "course")
	descStored = describe("completion_completions_stored_total",
		"Completions stored since the start, by institution and course as in completion_completions.",
		"institution", "course")
	descGrants = describe("completion_grants", "Grants by institution and phase.", "institution", "phase")
	descEnding = describe("completion_grants_ending",
		"Grants whose access is due to end within 7 or 30 days, by institution.", "institution", "within")
	descChanges = describe("completion_grant_changes_total",
		"Changes of Grants, by institution and policy: made, active (everything is in place), ended, revoked (by a "+
			"person). The policy is empty for Grants made by hand, and other after the first 32 of the institution.",
		"institution", "policy", "change")
	descCapacity = describe("completion_seats",
		"Seats of a SeatPool; other after the first 32 pools of the namespace.", "pool")
	descTaken   = describe("completion_seats_taken", "Seats of a SeatPool that are taken.", "pool")
	descWaiting = describe("completion_seats_waiting", "Grants waiting for a seat of a SeatPool.", "pool")
)

// describe describes a metric of an institution or a pool, which is known by its namespace as well.
func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"namespace"}, labels...), nil)
}

// Describe implements prometheus.Collector.
func (f *Flow) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{
		descCompletions, descStored, descGrants, descEnding, descChanges, descCapacity, descTaken, descWaiting,
	} {
		descriptions <- description
	}
	f.granted.Describe(descriptions)
}

// Collect implements prometheus.Collector.
func (f *Flow) Collect(metrics chan<- prometheus.Metric) {
	f.granted.Collect(metrics)
	for _, metric := range f.current() {
		metrics <- metric
	}
}

// current returns the metrics as they are, or were moments ago.
func (f *Flow) current() []prometheus.Metric {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	if since := now.Sub(f.at); f.shown != nil && since >= 0 && since < refresh {
		return f.shown
	}
	shown := make([]prometheus.Metric, 0, len(f.shown))
	add := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		shown = append(shown, prometheus.MustNewConstMetric(desc, kind, value, labels...))
	}
	ending := f.ending(now)
	for _, key := range f.named() {
		id := tenantKey{key.Namespace, f.institutions[key]}
		f.collectInstitution(key, f.of(id), ending[id], add)
	}
	for namespace, pools := range f.pools {
		for name, p := range bounded(pools) {
			add(descCapacity, prometheus.GaugeValue, float64(p.capacity), namespace, name)
			add(descTaken, prometheus.GaugeValue, float64(p.taken), namespace, name)
			add(descWaiting, prometheus.GaugeValue, float64(p.waiting), namespace, name)
		}
	}
	f.shown, f.at = shown, now
	return shown
}

// adder adds a metric.
type adder func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string)

// collectInstitution adds the metrics of an institution, also those that are zero, without which the first event would
// not count: a rate needs a value before it.
func (f *Flow) collectInstitution(key types.NamespacedName, known *tenant, ending []int, add adder) {
	courses := f.coursesIn(key.Namespace)
	completions, stored := map[string]float64{other: 0}, map[string]float64{other: known.stored[other]}
	for _, course := range courses {
		label := course.String()
		completions[label], stored[label] = 0, known.stored[label]
	}
	for course, count := range known.completions {
		completions[labelOf(course, courses)] += float64(count)
	}
	// Courses that no policy names any more are let go of.
	known.stored = stored
	for course, count := range completions {
		add(descCompletions, prometheus.GaugeValue, count, key.Namespace, key.Name, course)
		add(descStored, prometheus.CounterValue, stored[course], key.Namespace, key.Name, course)
	}
	for _, phase := range phases {
		add(descGrants, prometheus.GaugeValue, float64(known.phases[phase]), key.Namespace, key.Name, string(phase))
	}
	for i, horizon := range horizons {
		count := 0
		if ending != nil {
			count = ending[i]
		}
		add(descEnding, prometheus.GaugeValue, float64(count), key.Namespace, key.Name, horizon.label)
	}
	known.showPolicies(f.courses[key.Namespace])
	for what, count := range known.changes {
		add(descChanges, prometheus.CounterValue, count, key.Namespace, key.Name, what.policy, what.change)
	}
}

// named returns the Institutions that are shown, one for each id of a namespace.
func (f *Flow) named() []types.NamespacedName {
	first := map[tenantKey]types.NamespacedName{}
	for key, id := range f.institutions {
		if at, there := first[tenantKey{key.Namespace, id}]; !there || key.Name < at.Name {
			first[tenantKey{key.Namespace, id}] = key
		}
	}
	return slices.Collect(maps.Values(first))
}

// ending counts the Grants whose access ends within each of the horizons.
func (f *Flow) ending(now time.Time) map[tenantKey][]int {
	counts := map[tenantKey][]int{}
	for _, record := range f.grants {
		left := record.ends.Sub(now)
		if record.ends.IsZero() || left <= 0 || left > horizons[len(horizons)-1].within {
			continue
		}
		if counts[record.tenant] == nil {
			counts[record.tenant] = make([]int, len(horizons))
		}
		for i, horizon := range horizons {
			if left <= horizon.within {
				counts[record.tenant][i]++
			}
		}
	}
	return counts
}

// coursesIn returns the courses that policies of a namespace name and that have a label of their own, ordered.
func (f *Flow) coursesIn(namespace string) []v1alpha1.PlatformID {
	if known, has := f.selected[namespace]; has {
		return known
	}
	var all []v1alpha1.PlatformID
	for _, courses := range f.courses[namespace] {
		all = append(all, courses...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	all = slices.Clone(all[:min(len(all), maxCourses)])
	f.selected[namespace] = all
	return all
}

// labelOf returns the label of a course, given those that have one of their own.
func labelOf(course v1alpha1.PlatformID, own []v1alpha1.PlatformID) string {
	if _, has := slices.BinarySearch(own, course); has {
		return course.String()
	}
	return other
}

// policies returns the policies that have a label of their own.
func (t *tenant) policies() map[string]bool {
	own := map[string]bool{}
	for what := range t.changes {
		if what.policy != "" && what.policy != other {
			own[what.policy] = true
		}
	}
	return own
}

// policyLabel returns the label of a policy.
func (t *tenant) policyLabel(policy string) string { return labelAmong(t.policies(), policy) }

// labelAmong returns the label of a policy, given those that have one of their own.
func labelAmong(own map[string]bool, policy string) string {
	if policy == "" || own[policy] || len(own) < maxPolicies {
		return policy
	}
	return other
}

// showPolicies has every policy counted from zero, as far as there are labels. Where these are short, policies that
// have gone are let go of.
func (t *tenant) showPolicies(there map[string][]v1alpha1.PlatformID) {
	own := t.policies()
	if len(own) >= maxPolicies {
		maps.DeleteFunc(t.changes, func(what changeKey, _ float64) bool {
			_, exists := there[what.policy]
			return own[what.policy] && !exists
		})
		own = t.policies()
	}
	for _, policy := range append(slices.Sorted(maps.Keys(there)), "") {
		label := labelAmong(own, policy)
		if label != "" && label != other {
			own[label] = true
		}
		for _, change := range changes {
			t.changes[changeKey{label, change}] += 0
		}
	}
}

// bounded returns the first pools of a namespace by name, and the sum of the others.
func bounded(pools map[string]pool) map[string]pool {
	shown := map[string]pool{}
	for i, name := range slices.Sorted(maps.Keys(pools)) {
		label := name
		if i >= maxPools {
			label = other
		}
		sum, one := shown[label], pools[name]
		shown[label] = pool{sum.capacity + one.capacity, sum.taken + one.taken, sum.waiting + one.waiting}
	}
	return shown
}
