// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers holds the loops of the operator, one file each: institution (tokens to digests), policycompiler
// (compiles policies, for the others), completionpolicy (what came of that), planner (what a person has), grant (into
// effect and out of it) and seatpool (who sits where). What to do is decided by package plan; the loops gather, call
// it, and write. Each divides its workers fairly between the institutions.
package controllers

import (
	"context"
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
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// Options are what an installation decides.
type Options struct {
	// Limits hold for policies and Grants.
	Limits plan.Limits
	// Namespaces is put into every granted namespace, for what its policy says nothing of.
	Namespaces installation.Namespaces
	// Clock tells the time to every decision.
	Clock clock.PassiveClock
	// Patience is how long what is absent is waited for.
	Patience Patience
	// Workers is how many persons, and how many Grants, are worked on at the same time.
	Workers int
	// Compile compiles policies; nil is plan.Compile with the limits.
	Compile CompilePolicy
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

func (o *Options) compile() CompilePolicy {
	if o.Compile != nil {
		return o.Compile
	}
	return func(policy *v1alpha1.CompletionPolicy, privacy v1alpha1.PrivacySpec) *plan.Policy {
		return plan.Compile(policy, privacy, o.Limits)
	}
}

// Setup registers every loop with the manager, whose cache has been made with CacheOptions.
func Setup(ctx context.Context, mgr ctrl.Manager, options Options) error {
	if err := setupIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	if err := fillCaches(ctx, mgr.GetCache()); err != nil {
		return err
	}
	seen := newWitness(options.Clock)
	if err := seen.watch(ctx, mgr.GetCache()); err != nil {
		return err
	}
	gauges, err := newBrakeGauges(metrics.Registry)
	if err != nil {
		return err
	}
	namespaces, err := newNamespaceCache(ctx, mgr)
	if err != nil {
		return err
	}
	if err := mgr.Add(namespaces); err != nil {
		return fmt.Errorf("add the cache of namespaces: %w", err)
	}
	counts := newNamespaceCounts(options.Clock)
	if err := counts.watch(ctx, mgr.GetCache()); err != nil {
		return err
	}
	label := apply.NewOwnerLabel(mgr.GetAPIReader(), options.Clock)
	admission, err := newAdmissionPolicies(metrics.Registry, label, mgr.GetLogger().WithName("admission"))
	if err != nil {
		return err
	}
	if err := mgr.Add(admission); err != nil {
		return fmt.Errorf("add the look at the admission policies: %w", err)
	}
	for _, loop := range loopsOf(mgr, &options, seen, namespaces, counts, gauges, label) {
		if err := loop.setup(); err != nil {
			return fmt.Errorf("set up the %s loop: %w", loop.name, err)
		}
	}
	return nil
}

// loop is one of the loops, by its name.
type loop struct {
	name  string
	setup func() error
}

// loopsOf returns the loops with what they share.
func loopsOf(
	mgr ctrl.Manager, options *Options, seen *witness, namespaces *namespaceCache, counts *namespaceCounts,
	gauges *brakeGauges, label *apply.OwnerLabel,
) []loop {
	c, live := mgr.GetClient(), mgr.GetAPIReader()
	recorder := printableEvents{mgr.GetEventRecorder("completion-controller-manager")}
	compiler := NewPolicyCompiler(c, options.compile())
	noted, behind, patience := &plans{}, &backlog{}, options.Patience.orDefault()
	braking := newBrakes(c, live, options.Clock)
	accounts := apply.NewAccounts(mgr.GetConfig(), mgr.GetRESTMapper(), c, live)
	return []loop{
		{"institution", func() error {
			institutions := &InstitutionReconciler{
				Client: c, Live: live, Namespaces: namespaces, Recorder: recorder, Clock: options.Clock,
				counts: counts, brakes: braking, gauges: gauges, refused: newRefusals(),
				holders: newTokenHolders(options.Clock), patience: patience}
			return institutions.SetupWithManager(mgr)
		}},
		{"policycompiler", func() error { return compiler.SetupWithManager(mgr) }},
		{"completionpolicy", func() error {
			return (&CompletionPolicyReconciler{
				Client: c, Compiler: compiler, Recorder: recorder, Clock: options.Clock, Accounts: accounts,
			}).SetupWithManager(mgr)
		}},
		{"planner", func() error {
			planner := &PlannerReconciler{
				Client: c, Live: live, Compiler: compiler, Recorder: recorder, Clock: options.Clock,
				plans: noted, witness: seen, backlog: behind, patience: patience, tracing: options.Tracing}
			return planner.SetupWithManager(mgr, options.Workers)
		}},
		{"grant", func() error {
			grants := &GrantReconciler{
				Client: c, Live: live, Limits: options.Limits, Recorder: recorder, Clock: options.Clock,
				Accounts: accounts, Label: label, Namespaces: options.Namespaces,
				plans: noted, counts: counts, brakes: braking, witness: seen, patienceWith: patience}
			return grants.SetupWithManager(mgr, options.Workers)
		}},
		{"seatpool", func() error {
			pools := &SeatPoolReconciler{
				Client: c, Live: live, Clock: options.Clock, witness: seen, backlog: behind, patience: patience}
			return pools.SetupWithManager(mgr)
		}},
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
