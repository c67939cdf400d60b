// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	keyed "github.com/lxp-dev/course-completion-operator/internal/erasure"
)

// registerOf returns the register of a namespace, nil where there is none.
func registerOf(ctx context.Context, c client.Reader, namespace string) (*v1alpha1.ErasureRegister, error) {
	register := &v1alpha1.ErasureRegister{}
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.ErasureRegisterName}, register)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return register, nil
}

// erased is an erasure of a person.
type erased struct {
	Namespace   string              `json:"namespace"`
	Institution v1alpha1.PlatformID `json:"institution"`
	// ErasedAt is when; what was sent until then is not stored.
	ErasedAt time.Time `json:"erasedAt"`
}

// erasuresOf finds a user in the registers of a namespace, or of all where it is empty.
func erasuresOf(
	ctx context.Context, c client.Reader, namespace string, user v1alpha1.PlatformID,
) ([]erased, error) {
	all := []erased{}
	err := cmdutil.Each(ctx, c, &v1alpha1.ErasureRegisterList{},
		func(l *v1alpha1.ErasureRegisterList) []v1alpha1.ErasureRegister { return l.Items },
		func(found *v1alpha1.ErasureRegister) error {
			register, err := keyed.Read(&found.Spec)
			if err != nil {
				return fmt.Errorf("namespace %s: %w", found.Namespace, err)
			}
			institutions, err := cmdutil.Institutions(ctx, c, found.Namespace)
			for i := range institutions {
				id := institutions[i].Spec.ID
				if at, ok := register.ErasedAt(keyed.Person{Institution: id, User: user}); ok {
					all = append(all, erased{found.Namespace, id, at.UTC()})
				}
			}
			return err
		}, client.InNamespace(namespace))
	return all, err
}

// who is the person in the register.
func (e *erasure) who() keyed.Person {
	return keyed.Person{Institution: e.institution.Spec.ID, User: e.user}
}

// erasedAt returns when the person was erased, as far as the register may be read.
func (e *erasure) erasedAt() (at time.Time, erased bool, err error) {
	if e.register == nil {
		return at, false, nil
	}
	register, err := keyed.Read(&e.register.Spec)
	if err != nil {
		return at, false, err
	}
	at, erased = register.ErasedAt(e.who())
	return at, erased, nil
}

// remember notes the erasure in the register, and makes one where there is none.
func (e *erasure) remember(ctx context.Context) error {
	// Deliveries are dated by the platform: the clock of an administrator's machine may be far off.
	at, err := cmdutil.ServerTime(ctx, e.Factory)
	if errors.Is(err, cmdutil.ErrNoTime) {
		at, err = e.Now(), nil
	}
	if err != nil {
		return err
	}
	enrollments := e.found.enrollments(e.who())
	err = e.changeRegister(ctx, func(spec *v1alpha1.ErasureRegisterSpec) (bool, error) {
		return true, keyed.Add(spec, e.who(), at, enrollments)
	})
	if errors.Is(err, keyed.ErrFull) {
		return fmt.Errorf("%w in namespace %s. Nothing was erased. Forget old ones, whose deliveries nobody "+
			"repeats now: kubectl course erase -n %s --allow-again --before DAY", err, e.institution.Namespace,
			e.institution.Namespace)
	}
	return err
}

// changeRegister changes the register, whoever else does at the same time. What reports no change is not written.
func (e *erasure) changeRegister(
	ctx context.Context, change func(*v1alpha1.ErasureRegisterSpec) (changed bool, err error),
) error {
	again := func(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }
	return retry.OnError(retry.DefaultBackoff, again, func() error {
		register, err := registerOf(ctx, e.c, e.institution.Namespace)
		if err != nil {
			return err
		}
		write := func() error { return e.c.Update(ctx, register) }
		if register == nil {
			register = &v1alpha1.ErasureRegister{
				ObjectMeta: metav1.ObjectMeta{Namespace: e.institution.Namespace, Name: v1alpha1.ErasureRegisterName},
				Spec:       keyed.NewSpec(),
			}
			write = func() error { return e.c.Create(ctx, register) }
		}
		if changed, err := change(&register.Spec); err != nil || !changed {
			return err
		}
		if err := write(); err != nil {
			return fmt.Errorf("write the erasure register: %w", err)
		}
		e.register = register
		return nil
	})
}

// enrollments are those that are stored of a person.
func (s *stored) enrollments(who keyed.Person) []v1alpha1.PlatformID {
	var all []v1alpha1.PlatformID
	for i := range s.Completions {
		all = append(all, s.Completions[i].Spec.Enrollment.ID)
	}
	for i := range s.Grants {
		for _, cause := range s.Grants[i].Spec.Causes {
			// Also of completions that have gone before, by retention or by hand.
			if id, ok := keyed.EnrollmentIn(string(cause.Completion), who); ok {
				all = append(all, id)
			}
		}
	}
	return all
}

// allow forgets that a person was erased, or that all were who were before a day.
func (e *erasure) allow(ctx context.Context) error {
	forget := func(spec *v1alpha1.ErasureRegisterSpec) (bool, error) { return keyed.Remove(spec, e.who()) }
	whom := fmt.Sprintf("user %d of institution %d", e.user, e.institution.Spec.ID)
	if e.before != "" {
		forget = func(spec *v1alpha1.ErasureRegisterSpec) (bool, error) {
			return keyed.RemoveBefore(spec, e.day) > 0, nil
		}
		whom = "anybody who was erased before " + e.before
	}
	known := false
	if e.register != nil {
		var err error
		if known, err = forget(e.register.Spec.DeepCopy()); err != nil {
			return err
		}
	}
	if !known {
		fmt.Fprintf(e.text(), "The erasure register of namespace %s does not contain %s.\n", e.institution.Namespace, whom)
		return nil
	}
	fmt.Fprintf(e.text(), "The erasure register of namespace %s contains %s.\n", e.institution.Namespace, whom)
	if e.dryRun {
		return nil
	}
	question := "Remove this from the register? Repeated deliveries are then stored, and can grant."
	if err := e.confirm.Ask(e.Factory, question); err != nil {
		return err
	}
	if err := e.changeRegister(ctx, forget); err != nil {
		return err
	}
	e.told.Forgotten = true
	fmt.Fprintln(e.text(),
		"Removed. This restores nothing; what is delivered again is stored again.")
	return nil
}
