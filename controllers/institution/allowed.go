// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package institution

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
)

// allowance says whether an Institution may be the one that it says it is.
type allowance struct {
	reason, message string
	// rival is the prefix of a younger Institution that overlaps with this one's, empty without one.
	rival string
}

func (a allowance) allowed() bool { return a.reason == v1alpha1.ReasonAllowed }

// allowance works out whether an Institution may be the one that it says it is: its namespace has to say so, and no
// Institution may have an older claim to what its prefix says.
func (r *Reconciler) allowance(
	ctx context.Context, institution *v1alpha1.Institution,
) (allowance, error) {
	permitted, err := r.permitted(ctx, institution)
	if err != nil {
		return allowance{}, err
	}
	if !permitted {
		return allowance{reason: v1alpha1.ReasonNotAllowed, message: notAllowed(institution)}, nil
	}
	rivals, err := r.rivals(ctx, institution)
	if err != nil {
		return allowance{}, err
	}
	holders := claims{reconciler: r, known: map[client.ObjectKey]bool{}}
	found := allowance{reason: v1alpha1.ReasonAllowed, message: "the namespace allows the id and the prefix"}
	for i := range rivals {
		first, err := r.before(ctx, &rivals[i], institution)
		if err != nil {
			return allowance{}, err
		}
		if !first {
			found.rival = rivals[i].Spec.NamespacePrefix
			continue
		}
		if holds, err := holders.hold(ctx, &rivals[i]); err != nil {
			return allowance{}, err
		} else if holds {
			return allowance{reason: v1alpha1.ReasonPrefixOverlaps, message: fmt.Sprintf("spec.namespacePrefix %q overlaps "+
				"with %q of an older Institution, which keeps it: create another Institution with a prefix such that neither is "+
				"the beginning of the other", institution.Spec.NamespacePrefix, rivals[i].Spec.NamespacePrefix)}, nil
		}
	}
	if found.rival != "" {
		found.message = fmt.Sprintf("%s; it overlaps with the prefix %q %s", found.message, found.rival, ofYounger)
	}
	return found, nil
}

// permitted reports whether the namespace of an Institution says that it may live there.
func (r *Reconciler) permitted(ctx context.Context, institution *v1alpha1.Institution) (bool, error) {
	namespace := kube.NamespaceMetadata()
	err := r.Namespaces.Get(ctx, client.ObjectKey{Name: institution.Namespace}, namespace)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("get namespace %s: %w", institution.Namespace, err)
	}
	return namespace.Annotations[v1alpha1.AnnotationInstitutionID] == institution.Spec.ID.String() &&
		namespace.Annotations[v1alpha1.AnnotationNamespacePrefix] == institution.Spec.NamespacePrefix, nil
}

func notAllowed(institution *v1alpha1.Institution) string {
	return fmt.Sprintf("namespace %s does not allow institution %d with the namespace prefix %q; a cluster "+
		"administrator can allow it: kubectl annotate namespace %s %s=%d %s=%s --overwrite",
		institution.Namespace, institution.Spec.ID, institution.Spec.NamespacePrefix, institution.Namespace,
		v1alpha1.AnnotationInstitutionID, institution.Spec.ID,
		v1alpha1.AnnotationNamespacePrefix, institution.Spec.NamespacePrefix)
}

// rivals returns the other Institutions whose namespaces allow them a prefix that overlaps with this one's.
func (r *Reconciler) rivals(
	ctx context.Context, institution *v1alpha1.Institution,
) ([]v1alpha1.Institution, error) {
	overlapping, err := r.overlapping(ctx, institution)
	if err != nil {
		return nil, err
	}
	var rivals []v1alpha1.Institution
	for i := range overlapping {
		permitted, err := r.permitted(ctx, &overlapping[i])
		if err != nil {
			return nil, err
		}
		if permitted {
			rivals = append(rivals, overlapping[i])
		}
	}
	return rivals, nil
}

// overlapping returns the other Institutions, those in the same namespace apart, whose prefix is the start of this
// one's, or starts with it.
func (r *Reconciler) overlapping(
	ctx context.Context, institution *v1alpha1.Institution,
) ([]v1alpha1.Institution, error) {
	prefix := institution.Spec.NamespacePrefix
	wanted := []client.MatchingFields{{index.PrefixPart: prefix}}
	for _, part := range index.PrefixParts(prefix) {
		if part != prefix {
			wanted = append(wanted, client.MatchingFields{index.Prefix: part})
		}
	}
	var found []v1alpha1.Institution
	for _, fields := range wanted {
		var list v1alpha1.InstitutionList
		if err := r.Client.List(ctx, &list, fields); err != nil {
			return nil, fmt.Errorf("list institutions with an overlapping prefix: %w", err)
		}
		for i := range list.Items {
			if list.Items[i].Namespace != institution.Namespace {
				found = append(found, list.Items[i])
			}
		}
	}
	return found, nil
}

// claims works out who of many rivals holds a prefix: who has no rival that goes before and holds one.
type claims struct {
	reconciler *Reconciler
	known      map[client.ObjectKey]bool
}

func (c *claims) hold(ctx context.Context, institution *v1alpha1.Institution) (bool, error) {
	key := client.ObjectKeyFromObject(institution)
	if holds, found := c.known[key]; found {
		return holds, nil
	}
	rivals, err := c.reconciler.rivals(ctx, institution)
	if err != nil {
		return false, err
	}
	for i := range rivals {
		first, err := c.reconciler.before(ctx, &rivals[i], institution)
		if err != nil {
			return false, err
		}
		if !first {
			continue
		}
		// Each step goes to one that is before the last, so that this ends.
		holds, err := c.hold(ctx, &rivals[i])
		if err != nil {
			return false, err
		}
		if holds {
			c.known[key] = false
			return false, nil
		}
	}
	c.known[key] = true
	return true, nil
}

// before reports whether a keeps what only one of two Institutions can have. Who is in use goes before who is not:
// after a restore from a backup everything is equally old, and only what came of deliveries tells who had it. Then the
// older one, then the name.
func (r *Reconciler) before(ctx context.Context, a, b *v1alpha1.Institution) (bool, error) {
	usedA, err := r.used(ctx, a)
	if err != nil {
		return false, err
	}
	usedB, err := r.used(ctx, b)
	if err != nil {
		return false, err
	}
	if usedA != usedB {
		return usedA, nil
	}
	order := cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	return order < 0, nil
}

// used reports whether deliveries have come of an Institution: those that are not allowed take none. A Grant that a
// person made tells nothing.
func (r *Reconciler) used(ctx context.Context, institution *v1alpha1.Institution) (bool, error) {
	within := []client.ListOption{client.InNamespace(institution.Namespace), client.UnsafeDisableDeepCopy}
	var completions v1alpha1.CourseCompletionList
	if err := r.Client.List(ctx, &completions, within...); err != nil {
		return false, fmt.Errorf("list completions: %w", err)
	}
	for i := range completions.Items {
		if completions.Items[i].Spec.Institution.ID == institution.Spec.ID {
			return true, nil
		}
	}
	var grants v1alpha1.GrantList
	if err := r.Client.List(ctx, &grants, within...); err != nil {
		return false, fmt.Errorf("list grants: %w", err)
	}
	for i := range grants.Items {
		if grants.Items[i].Planned() && grants.Items[i].Spec.Holder.InstitutionID == institution.Spec.ID {
			return true, nil
		}
	}
	return false, nil
}

// setAllowed writes down whether an Institution is allowed. Everything else that works for one reads it from there.
func setAllowed(institution *v1alpha1.Institution, found allowance, now time.Time) {
	status := metav1.ConditionFalse
	if found.allowed() {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&institution.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionAllowed, Status: status, Reason: found.reason, Message: found.message,
		ObservedGeneration: institution.Generation, LastTransitionTime: metav1.NewTime(now),
	})
}
