// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planner

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// absentees is what a person's Grants come from and that is not there: what of it counts as withdrawn or removed, and
// when to look again for the rest; zero if there is nothing to wait for.
type absentees struct {
	gone    map[string]bool
	awaited map[string]bool
	after   time.Duration
}

// look has the absence of something that a Grant comes from looked at again.
func (a *absentees) look(after time.Duration) {
	a.after = kube.Sooner(a.after, max(time.Second, after))
}

// wait has an absence looked at again, soon at first: that it was deleted may be about to be seen.
func (a *absentees) wait(absent, patience time.Duration) {
	if absent < patience {
		a.look(min(patience-absent, absent))
	}
}

// absentees works out what of the absent counts. An absence is an order only where a presence went before it: this
// process saw it being deleted under the Grant, or the Grant has been looked at together with it, and so was not just
// restored. The latter is waited for, because what was deleted may be about to be restored.
func (r *Reconciler) absentees(
	ctx context.Context, tenant *kube.Tenant, gathered *plan.Person, policies []v1alpha1.CompletionPolicy,
) (absentees, error) {
	found := absentees{gone: map[string]bool{}, awaited: map[string]bool{}}
	missing, err := r.missing(ctx, tenant, gathered)
	if err != nil {
		return found, err
	}
	for i := range gathered.Grants {
		grant := &gathered.Grants[i]
		for _, cause := range grant.Spec.Causes {
			if name := string(cause.Completion); missing[name] && !found.gone[name] {
				found.gone[name] = r.withdrawn(grant, cause.Completion, &found)
			}
		}
	}
	return found, r.awaited(ctx, gathered, policies, &found)
}

// missing returns the completions that a Grant records as a cause and that are no longer there, each confirmed by a
// live read. None is missing while the institution, its namespace or the kind itself is being deleted: that is no order
// to revoke anything.
func (r *Reconciler) missing(
	ctx context.Context, tenant *kube.Tenant, gathered *plan.Person,
) (map[string]bool, error) {
	present, missing := map[string]bool{}, map[string]bool{}
	for i := range gathered.Completions {
		present[gathered.Completions[i].Name] = true
		r.Witness.Present(memory.IdentityOf(&gathered.Completions[i]))
	}
	for i := range gathered.Grants {
		for _, cause := range gathered.Grants[i].Spec.Causes {
			name := string(cause.Completion)
			if present[name] || missing[name] || cause.End == v1alpha1.CauseWithdrawn || cause.ArchivedAt != nil {
				continue
			}
			err := r.Live.Get(ctx, client.ObjectKey{Namespace: tenant.Namespace, Name: name}, &v1alpha1.CourseCompletion{})
			if err == nil {
				// It has come back, and the cache will show it.
				present[name] = true
				continue
			}
			if !apierrors.IsNotFound(err) {
				return nil, fmt.Errorf("get completion %s: %w", name, err)
			}
			missing[name] = true
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	dissolving, err := kube.Dissolving(ctx, r.Live, tenant)
	if err != nil || dissolving {
		return nil, err
	}
	return missing, r.undefinedBefore(ctx, gathered, missing)
}

// undefinedBefore leaves out the causes of Grants that are older than the kind of their completions: somebody deleted
// the kind and made it again, and all the completions are missing, which nobody withdrew.
func (r *Reconciler) undefinedBefore(
	ctx context.Context, gathered *plan.Person, missing map[string]bool,
) error {
	since, err := kube.DefinedSince(ctx, r.Live, kube.CompletionsCRD)
	if err != nil {
		return err
	}
	for i := range gathered.Grants {
		if grant := &gathered.Grants[i]; grant.CreationTimestamp.Time.Before(since) {
			for _, cause := range grant.Spec.Causes {
				delete(missing, string(cause.Completion))
			}
		}
	}
	return nil
}

// withdrawn reports whether a completion that is missing counts as withdrawn from a Grant.
func (r *Reconciler) withdrawn(grant *v1alpha1.Grant, name v1alpha1.LocalName, found *absentees) bool {
	completion := memory.CompletionNamed(grant.Namespace, name)
	if _, seen := r.Witness.DeletedUnder(grant, completion); seen {
		return true
	}
	absent := r.Clock.Since(r.Witness.AbsentSince(completion))
	found.wait(absent, r.Patience.Absent)
	return absent >= r.Patience.Absent && !memory.Doubtful(grant)
}

// awaited works out which policies are missing and still waited for. Only where a policy's removal ends something is
// there anything to wait for; before it does, a live look confirms that the policy is missing.
func (r *Reconciler) awaited(
	ctx context.Context, gathered *plan.Person, policies []v1alpha1.CompletionPolicy, found *absentees,
) error {
	present := map[v1alpha1.LocalName]bool{}
	for i := range policies {
		present[v1alpha1.LocalName(policies[i].Name)] = true
	}
	for i := range gathered.Grants {
		grant := &gathered.Grants[i]
		if name := grant.Spec.Policy; !present[name] && grant.Spec.OnPolicyRemoval == v1alpha1.RemovalDelete {
			waits := r.waitsForPolicy(grant, found)
			if !waits && slices.ContainsFunc(grant.Spec.Causes, endsByRemoval) {
				policy, err := kube.LivePolicy(ctx, r.Live, grant.Namespace, string(name))
				if err != nil {
					return err
				}
				if waits = policy != nil; waits {
					// It is there again, and the cache will show it.
					found.look(time.Second)
				}
			}
			if waits {
				found.awaited[string(name)] = true
			}
		} else if present[name] {
			r.Witness.Present(memory.PolicyNamed(grant.Namespace, name))
		}
	}
	return nil
}

// endsByRemoval reports whether the removal of the policy would end a cause that nothing has ended on order.
func endsByRemoval(cause v1alpha1.GrantCause) bool {
	return cause.End != v1alpha1.CausePolicyRemoved && cause.End != v1alpha1.CauseWithdrawn
}

func (r *Reconciler) waitsForPolicy(grant *v1alpha1.Grant, found *absentees) bool {
	policy := memory.PolicyNamed(grant.Namespace, grant.Spec.Policy)
	if at, seen := r.Witness.DeletedUnder(grant, policy); seen {
		left := r.Patience.Replaced - r.Clock.Since(at)
		if left > 0 {
			found.look(left)
		}
		return left > 0
	}
	absent := r.Clock.Since(r.Witness.AbsentSince(policy))
	found.wait(absent, r.Patience.Absent)
	return absent < r.Patience.Absent || memory.Doubtful(grant)
}
