// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/erasure"
)

// errErasuresUnreadable says that nobody knows who was erased in a namespace, though somebody was: what is delivered
// there must wait.
var errErasuresUnreadable = errors.New("the erasure register of the namespace cannot be read")

// erasures knows what was erased, by the ErasureRegisters of the namespaces. It follows an informer, and asks the API
// as long as that has not told of all registers. Each concerns its own namespace alone. A nil one knows of no erasure.
type erasures struct {
	live client.Reader
	// synced is false as long as registers may be unknown; nil is for ever.
	synced func() bool
	// changed has something in it after a register has.
	changed chan struct{}

	mu sync.RWMutex
	// registers are those of the namespaces that have one; nil for one that cannot be read.
	registers map[string]*erasure.Register
}

func newErasures(live client.Reader) *erasures {
	return &erasures{live: live, changed: make(chan struct{}, 1), registers: map[string]*erasure.Register{}}
}

// Informer tells what it sees.
type Informer interface {
	AddEventHandler(toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error)
}

// observe has it follow an informer.
func (e *erasures) observe(informer Informer) error {
	saw := func(object any) {
		if register, ok := object.(*v1alpha1.ErasureRegister); ok {
			e.saw(register)
		}
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    saw,
		UpdateFunc: func(_, after any) { saw(after) },
		DeleteFunc: func(object any) {
			if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = unknown.Obj
			}
			if register, ok := object.(*v1alpha1.ErasureRegister); ok {
				e.gone(register)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watching erasure registers: %w", err)
	}
	// That of the informer is true before everything has been seen here.
	e.synced = registration.HasSynced
	return nil
}

func (e *erasures) saw(register *v1alpha1.ErasureRegister) {
	// One that cannot be read is nil.
	read, _ := erasure.Read(&register.Spec)
	e.mu.Lock()
	e.registers[register.Namespace] = read
	e.mu.Unlock()
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

func (e *erasures) gone(register *v1alpha1.ErasureRegister) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.registers, register.Namespace)
}

// complete tells whether all registers are known.
func (e *erasures) complete() bool { return e == nil || e.synced != nil && e.synced() }

// has tells whether a namespace has a register, as far as is known.
func (e *erasures) has(namespace string) bool {
	if e == nil {
		return false
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	_, found := e.registers[namespace]
	return found
}

// known tells, without asking the API, whether what a delivery is about was erased, as far as is known.
func (e *erasures) known(completion *v1alpha1.CourseCompletion) (bool, error) {
	if e == nil {
		return false, nil
	}
	e.mu.RLock()
	register, found := e.registers[completion.Namespace]
	e.mu.RUnlock()
	switch {
	case !found:
		return false, nil
	case register == nil:
		return false, errErasuresUnreadable
	}
	return covers(register, completion), nil
}

// ask tells it by what the API says, where not all registers are known.
func (e *erasures) ask(ctx context.Context, completion *v1alpha1.CourseCompletion) (bool, error) {
	if e.complete() {
		return false, nil
	}
	var found v1alpha1.ErasureRegister
	key := client.ObjectKey{Namespace: completion.Namespace, Name: v1alpha1.ErasureRegisterName}
	err := e.live.Get(ctx, key, &found)
	switch {
	case apierrors.IsNotFound(err) && !apierrors.IsUnexpectedServerError(err):
		return false, nil
	case err != nil:
		// The kind itself may be missing, too.
		return false, fmt.Errorf("reading the erasure register: %w", err)
	}
	register, err := erasure.Read(&found.Spec)
	if err != nil {
		return false, errErasuresUnreadable
	}
	return covers(register, completion), nil
}

func covers(register *erasure.Register, completion *v1alpha1.CourseCompletion) bool {
	spec := &completion.Spec
	return register.Covers(erasure.Person{Institution: spec.Institution.ID, User: spec.User.ID}, spec.Enrollment.ID,
		spec.Event.SentAt.Time)
}
