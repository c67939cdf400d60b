// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers puts the loops of the operator together, one package each: institution (tokens to digests),
// compiler (compiles policies, for the others), policy (what came of that), planner (what a person has), grant (into
// effect and out of it) and seatpool (who sits where). What to do is decided by the pure packages in internal; the
// loops gather, ask them, and write. Each divides its workers fairly between the institutions. What they have to know
// of one another beside what the API server records is in package memory, and in package budget.
package controllers

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/controllers/compiler"
	"github.com/lxp-dev/course-completion-operator/controllers/grant"
	"github.com/lxp-dev/course-completion-operator/controllers/institution"
	"github.com/lxp-dev/course-completion-operator/controllers/planner"
	"github.com/lxp-dev/course-completion-operator/controllers/policy"
	"github.com/lxp-dev/course-completion-operator/controllers/seatpool"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/budget"
	"github.com/lxp-dev/course-completion-operator/internal/flow"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// Options are what an installation decides.
type Options struct {
	// Limits hold for policies and Grants.
	Limits policies.Limits
	// Namespaces is put into every granted namespace, for what its policy says nothing of.
	Namespaces installation.Namespaces
	// Clock tells the time to every decision.
	Clock clock.PassiveClock
	// Patience is how long what is absent is waited for.
	Patience memory.Patience
	// Workers is how many persons, and how many Grants, are worked on at the same time.
	Workers int
	// Compile compiles policies; nil is policies.Compile with the limits.
	Compile compiler.Func
	// Tracing makes the spans; nil is no tracing.
	Tracing trace.TracerProvider
}

// NewScheme returns the scheme with every kind that the loops work with.
func NewScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

func (o *Options) compile() compiler.Func {
	if o.Compile != nil {
		return o.Compile
	}
	return func(source *v1alpha1.CompletionPolicy, privacy v1alpha1.PrivacySpec) *policies.Policy {
		return policies.Compile(source, privacy, o.Limits)
	}
}

// Setup registers every loop with the manager, whose cache has been made with CacheOptions.
func Setup(ctx context.Context, mgr ctrl.Manager, options Options) error {
	if err := index.Setup(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	if err := fillCaches(ctx, mgr.GetCache()); err != nil {
		return err
	}
	seen := memory.NewWitness(options.Clock)
	if err := seen.Watch(ctx, mgr.GetCache()); err != nil {
		return err
	}
	gauges, err := institution.NewBrakeGauges(metrics.Registry)
	if err != nil {
		return err
	}
	namespaces, err := institution.NewNamespaceCache(ctx, mgr)
	if err != nil {
		return err
	}
	if err := mgr.Add(namespaces); err != nil {
		return fmt.Errorf("add the cache of namespaces: %w", err)
	}
	graduates := flow.New(options.Clock)
	if err := errors.Join(graduates.Register(metrics.Registry), graduates.Watch(ctx, mgr.GetCache())); err != nil {
		return fmt.Errorf("count the flow of graduates: %w", err)
	}
	counts := memory.NewNamespaceCounts(options.Clock)
	if err := counts.Watch(ctx, mgr.GetCache()); err != nil {
		return err
	}
	label := apply.NewOwnerLabel(mgr.GetAPIReader(), options.Clock)
	admission, err := newAdmissionPolicies(metrics.Registry, label, mgr.GetLogger().WithName("admission"))
	if err != nil {
		return err
	}
	if err := mgr.Add(admission); err != nil {
		return fmt.Errorf("add the admission policy check: %w", err)
	}
	for _, loop := range loopsOf(mgr, &options, &shared{seen, counts, namespaces, gauges, label}) {
		if err := loop.setup(mgr); err != nil {
			return fmt.Errorf("set up the %s loop: %w", loop.name, err)
		}
	}
	return nil
}

// shared is what several loops need, and what they know of one another.
type shared struct {
	seen       *memory.Witness
	counts     *memory.NamespaceCounts
	namespaces *institution.NamespaceCache
	gauges     *institution.BrakeGauges
	label      *apply.OwnerLabel
}

// loop is one of the loops, by its name.
type loop struct {
	name  string
	setup func(ctrl.Manager) error
}

// loopsOf returns the loops with what they share.
func loopsOf(mgr ctrl.Manager, options *Options, shared *shared) []loop {
	c, live, now := mgr.GetClient(), mgr.GetAPIReader(), options.Clock
	recorder := kube.PrintableEvents{EventRecorder: mgr.GetEventRecorder("completion-controller-manager")}
	plans, backlog, patience := &memory.Plans{}, &memory.Backlog{}, options.Patience.OrDefault()
	brakes := budget.New(c, live, now)
	accounts := apply.NewAccounts(mgr.GetConfig(), mgr.GetRESTMapper(), c, live)
	compiles := compiler.New(c, options.compile())
	institutions := &institution.Reconciler{
		Client: c, Live: live, Namespaces: shared.namespaces, Recorder: recorder, Clock: now,
		Counts: shared.counts, Brakes: brakes, Gauges: shared.gauges, Patience: patience}
	readiness := &policy.Reconciler{
		Client: c, Compiler: compiles, Recorder: recorder, Clock: now, Accounts: accounts}
	plansOf := &planner.Reconciler{
		Client: c, Live: live, Compiler: compiles, Recorder: recorder, Clock: now,
		Plans: plans, Witness: shared.seen, Backlog: backlog, Patience: patience, Tracing: options.Tracing}
	grants := &grant.Reconciler{
		Client: c, Live: live, Limits: options.Limits, Recorder: recorder, Clock: now,
		Accounts: accounts, Label: shared.label, Namespaces: options.Namespaces,
		Plans: plans, Counts: shared.counts, Brakes: brakes, Witness: shared.seen, Patience: patience}
	pools := &seatpool.Reconciler{
		Client: c, Live: live, Clock: now, Witness: shared.seen, Backlog: backlog, Patience: patience}
	return []loop{
		{"institution", institutions.SetupWithManager},
		{"policycompiler", compiles.SetupWithManager},
		{"completionpolicy", readiness.SetupWithManager},
		{"planner", func(mgr ctrl.Manager) error { return plansOf.SetupWithManager(mgr, options.Workers) }},
		{"grant", func(mgr ctrl.Manager) error { return grants.SetupWithManager(mgr, options.Workers) }},
		{"seatpool", pools.SetupWithManager},
	}
}

// fillCaches has every kind cached from the start and not from the first loop that asks for it, so that a standby is
// warm, and ready only once it has seen everything.
func fillCaches(ctx context.Context, informers cache.Cache) error {
	kinds := append(apply.Kinds(), &v1alpha1.Institution{}, &v1alpha1.CourseCompletion{}, &v1alpha1.CompletionPolicy{},
		&v1alpha1.Grant{}, &v1alpha1.SeatPool{}, &v1alpha1.Seat{})
	for _, kind := range kinds {
		if _, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("cache %T: %w", kind, err)
		}
	}
	return nil
}
