// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package compiler is the loop that compiles policies, for the loops that ask for them.
package compiler

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/informers"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// compileWorkers compile at the same time, which takes a processor and nothing else.
const compileWorkers = 2

// Func compiles a policy with the privacy of its institution.
type Func func(*v1alpha1.CompletionPolicy, v1alpha1.PrivacySpec) *policies.Policy

// Reconciler is the loop that compiles policies: each once for each generation and privacy, and in workers of its
// own, so that no other loop waits for it. Those loops ask for what is compiled; what is not yet is compiled because of
// that, and who asked is told. It is safe for concurrent use. All of its state is lost by a restart, and then compiled
// anew, the institutions in turn.
type Reconciler struct {
	Client  client.Reader
	Compile Func
	// Compiled sets off the loop that says of policies whether they work, and Awaited the planner, for persons who waited
	// for one.
	Compiled kube.Trigger[reconcile.Request]
	Awaited  kube.Trigger[memory.Person]
	// asked sets off this loop.
	asked kube.Trigger[reconcile.Request]

	mu       sync.Mutex
	compiled map[client.ObjectKey][]compiledPolicy
	// wanted are the policies that were asked for in vain, and who is to be planned again once they are there: urgently
	// where something new was delivered.
	wanted map[client.ObjectKey]map[memory.Person]bool
}

type compiledPolicy struct {
	uid        types.UID
	generation int64
	privacy    v1alpha1.PrivacySpec
	policy     *policies.Policy
}

func (p *compiledPolicy) of(policy *v1alpha1.CompletionPolicy, privacy v1alpha1.PrivacySpec) bool {
	return p.uid == policy.UID && p.generation == policy.Generation && p.privacy == privacy
}

// New returns a compiler of the policies that the client reads.
func New(reader client.Reader, compile Func) *Reconciler {
	return &Reconciler{
		Client: reader, Compile: compile,
		compiled: map[client.ObjectKey][]compiledPolicy{}, wanted: map[client.ObjectKey]map[memory.Person]bool{},
	}
}

// SetupWithManager registers the loop.
func (c *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("policycompiler").
		WatchesRawSource(c.asked.Source()).
		WithOptions(kube.Fairly(mgr, compileWorkers, kube.OneWorker, kube.NamespaceOf)).
		Complete(kube.Redact(c))
}

// Policy returns a policy, compiled, and whether it is. What is not is compiled then, and after that looked at again
// by the loop of the policies.
func (c *Reconciler) Policy(
	policy *v1alpha1.CompletionPolicy, privacy v1alpha1.PrivacySpec,
) (*policies.Policy, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.find(policy, privacy); known != nil {
		return known, true
	}
	c.want(client.ObjectKeyFromObject(policy))
	return nil, false
}

// Policies returns all the policies of an institution for the plan of a person. Those that are not compiled yet are
// pending: they change nothing. Where there are any the person is planned again once they are compiled.
func (c *Reconciler) Policies(
	person memory.Person, urgent bool, sources []v1alpha1.CompletionPolicy, privacy v1alpha1.PrivacySpec,
) (all []*policies.Policy, pending bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range sources {
		known := c.find(&sources[i], privacy)
		if known == nil {
			pending = true
			known = policies.Pending(&sources[i])
			c.want(client.ObjectKeyFromObject(&sources[i]))[person] = urgent
		}
		all = append(all, known)
	}
	return all, pending
}

func (c *Reconciler) find(policy *v1alpha1.CompletionPolicy, privacy v1alpha1.PrivacySpec) *policies.Policy {
	for _, known := range c.compiled[client.ObjectKeyFromObject(policy)] {
		if known.of(policy, privacy) {
			return known.policy
		}
	}
	return nil
}

// want asks for a policy, and returns who waits for it.
func (c *Reconciler) want(key client.ObjectKey) map[memory.Person]bool {
	waiting, asked := c.wanted[key]
	if !asked {
		waiting = map[memory.Person]bool{}
		c.wanted[key] = waiting
		c.asked.Now(reconcile.Request{NamespacedName: key})
	}
	return waiting
}

// Reconcile compiles a policy for every institution of its namespace, and tells those who asked for it.
func (c *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	policy := &v1alpha1.CompletionPolicy{}
	if err := c.Client.Get(ctx, req.NamespacedName, policy); err != nil {
		if client.IgnoreNotFound(err) != nil {
			return reconcile.Result{}, fmt.Errorf("get policy: %w", err)
		}
		c.done(req.NamespacedName, nil)
		return reconcile.Result{}, nil
	}
	var institutions v1alpha1.InstitutionList
	if err := c.Client.List(ctx, &institutions, client.InNamespace(req.Namespace)); err != nil {
		return reconcile.Result{}, fmt.Errorf("list institutions: %w", err)
	}
	var compiled []compiledPolicy
	for i := range institutions.Items {
		privacy := institutions.Items[i].Spec.Privacy
		one := compiledPolicy{policy.UID, policy.Generation, privacy, nil}
		if slices.ContainsFunc(compiled, func(other compiledPolicy) bool { return other.privacy == privacy }) {
			continue
		}
		c.mu.Lock()
		one.policy = c.find(policy, privacy)
		c.mu.Unlock()
		if one.policy == nil {
			one.policy = c.compile(ctx, policy, privacy)
		}
		compiled = append(compiled, one)
	}
	c.done(req.NamespacedName, compiled)
	return reconcile.Result{}, nil
}

// compile compiles a policy. One that the compiler fails on is as one with faults: it must not stay pending, and with
// it what is told of everybody whom it may concern.
func (c *Reconciler) compile(
	ctx context.Context, policy *v1alpha1.CompletionPolicy, privacy v1alpha1.PrivacySpec,
) (compiled *policies.Policy) {
	defer func() {
		if failure := recover(); failure != nil {
			ctrl.LoggerFrom(ctx).Error(fmt.Errorf("compile: %v", failure), "Panic while compiling a policy")
			compiled = &policies.Policy{Name: policy.Name, Spec: *policy.Spec.DeepCopy(), Faults: []policies.Fault{{
				Field: "spec", Message: "the expression compiler failed on this policy: please report it as a bug",
			}}}
		}
	}()
	if why := informers.WhyUndecodable(policy); why != "" {
		return &policies.Policy{Name: policy.Name, Faults: []policies.Fault{{Field: "spec", Message: why}}}
	}
	return c.Compile(policy, privacy)
}

// done notes what is compiled of a policy, forgets what was before, and tells those who asked.
func (c *Reconciler) done(key client.ObjectKey, compiled []compiledPolicy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(compiled) == 0 {
		delete(c.compiled, key)
	} else {
		c.compiled[key] = compiled
	}
	waiting := c.wanted[key]
	delete(c.wanted, key)
	c.Compiled.Now(reconcile.Request{NamespacedName: key})
	for person, urgent := range waiting {
		if urgent {
			c.Awaited.Now(person)
		} else {
			c.Awaited.Behind(person)
		}
	}
}

// Forget forgets a policy that has gone.
func (c *Reconciler) Forget(key client.ObjectKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.compiled, key)
}
