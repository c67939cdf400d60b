// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// readyWithin is how soon after the answer a completion has to be Ready.
	readyWithin = time.Second
	// settles bounds what depends on the control plane's own controllers, such as the end of a namespace.
	settles = 60 * time.Second
)

// demonstrate posts deliveries and checks what comes of them, step by step, until one is not as it should be.
func (s *session) demonstrate(ctx context.Context) error {
	for _, step := range []struct {
		what  string
		check func(context.Context) error
	}{
		{"the example delivery is stored and granted within a second", s.checkCreated},
		{"sending it again changes nothing", s.checkDuplicate},
		{"new, repeated, out-of-order and invalid deliveries are handled correctly", s.checkStream},
		{"the namespace has everything that the policy grants", s.checkNamespace},
		{"the graduate can work there, but not raise the limits", s.checkAccess},
		{"a namespace that already exists is never taken over", s.checkConflict},
		{"deleting the completion removes the namespace", s.checkWithdrawal},
		{"completing another course revokes the student's seat and lab namespace", s.checkRevocation},
	} {
		if err := step.check(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		fmt.Printf("    ok: %s\n", step.what)
	}
	return nil
}

func (s *session) checkCreated(ctx context.Context) error {
	answer, err := s.postExample(ctx)
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK || answer.Outcome != "created" || answer.Completion == "" {
		return fmt.Errorf("want 200 created with the name of the completion, got %s", answer)
	}
	took, err := s.awaitReady(ctx, exampleCompletion)
	if err != nil {
		return err
	}
	fmt.Printf("    Ready after %s\n", took.Round(time.Millisecond))
	if took > readyWithin {
		return fmt.Errorf("it took %s to become Ready, want at most %s", took, readyWithin)
	}
	return s.show(ctx)
}

func (s *session) checkDuplicate(ctx context.Context) error {
	answer, err := s.postExample(ctx)
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK || answer.Outcome != "duplicate" {
		return fmt.Errorf("want 200 duplicate, got %s", answer)
	}
	return nil
}

func (s *session) checkNamespace(ctx context.Context) error {
	var namespace corev1.Namespace
	if err := s.client.Get(ctx, client.ObjectKey{Name: exampleNamespace}, &namespace); err != nil {
		return err
	}
	for label, want := range map[string]string{
		"purpose": "graduate-lab", "pod-security.kubernetes.io/enforce": "restricted",
	} {
		if got := namespace.Labels[label]; got != want {
			return fmt.Errorf("label %s of namespace %s is %q, want %q", label, exampleNamespace, got, want)
		}
	}
	if namespace.Labels[v1alpha1.LabelGrant] == "" {
		return fmt.Errorf("namespace %s has no label %s", exampleNamespace, v1alpha1.LabelGrant)
	}
	for what, list := range map[string]client.ObjectList{
		"resource quota": &corev1.ResourceQuotaList{},
		"limit range":    &corev1.LimitRangeList{},
		"network policy": &networkingv1.NetworkPolicyList{},
		"role binding":   &rbacv1.RoleBindingList{},
	} {
		if err := s.client.List(ctx, list, client.InNamespace(exampleNamespace)); err != nil {
			return err
		}
		if meta.LenList(list) == 0 {
			return fmt.Errorf("namespace %s has no %s", exampleNamespace, what)
		}
	}
	return nil
}

func (s *session) checkAccess(ctx context.Context) error {
	for _, right := range []struct {
		verb, resource string
		want           bool
	}{
		{"create", "pods", true},
		{"create", "deployments.apps", true},
		{"update", "resourcequotas", false},
		{"delete", "networkpolicies.networking.k8s.io", false},
		{"create", "rolebindings.rbac.authorization.k8s.io", false},
		{"delete", "namespaces", false},
	} {
		// can-i also says no by its exit code.
		output, err := s.cluster.Kubectl(ctx, "auth", "can-i", right.verb, right.resource,
			"--namespace", exampleNamespace, "--as", "student@toolzz.com")
		switch got := strings.TrimSpace(output); {
		case got != "yes" && got != "no":
			return errors.Join(fmt.Errorf("reviewing access to %s %s: %q", right.verb, right.resource, got), err)
		case (got == "yes") != right.want:
			return fmt.Errorf("can the graduate %s %s? %s", right.verb, right.resource, got)
		}
	}
	return nil
}

// checkConflict has a user whose namespace exists already.
func (s *session) checkConflict(ctx context.Context) error {
	foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "grad-555", Labels: map[string]string{"mine": "yes"}}}
	if err := s.client.Create(ctx, foreign); err != nil {
		return err
	}
	delivery, err := system.Variant(map[string]any{"user.id": 555, "enrollment.id": 55, "user.email": "five@example.com"})
	if err != nil {
		return err
	}
	if answer, err := system.Deliver(ctx, s.url, delivery); err != nil || answer.Status != http.StatusOK {
		return errors.Join(fmt.Errorf("want 200, got %s", answer), err)
	}
	if err := s.awaitGrant(ctx, 555, v1alpha1.ReasonConflict); err != nil {
		return err
	}
	var now corev1.Namespace
	if err := s.client.Get(ctx, client.ObjectKeyFromObject(foreign), &now); err != nil {
		return err
	}
	if now.UID != foreign.UID || now.ResourceVersion != foreign.ResourceVersion {
		return fmt.Errorf("namespace %s was touched", foreign.Name)
	}
	if err := s.client.Delete(ctx, foreign); err != nil {
		return err
	}
	// Nobody has to tell the Grant.
	return s.awaitGrant(ctx, 555, v1alpha1.ReasonActive)
}

// awaitGrant waits until the user's only Grant has this reason.
func (s *session) awaitGrant(ctx context.Context, user int64, reason string) error {
	return system.WaitFor(ctx, settles, func(ctx context.Context) error {
		var grants v1alpha1.GrantList
		err := s.client.List(ctx, &grants, client.InNamespace(sampleName),
			client.MatchingFields{"spec.holder.userID": fmt.Sprint(user)})
		if err != nil {
			return err
		}
		if len(grants.Items) != 1 {
			return fmt.Errorf("user %d has %d grants, want one", user, len(grants.Items))
		}
		condition := meta.FindStatusCondition(grants.Items[0].Status.Conditions, v1alpha1.ConditionReady)
		if condition == nil || condition.Reason != reason {
			return fmt.Errorf("the grant of user %d has the condition %v, want the reason %s", user, condition, reason)
		}
		return nil
	})
}

func (s *session) checkWithdrawal(ctx context.Context) error {
	completion := &v1alpha1.CourseCompletion{ObjectMeta: metav1.ObjectMeta{Namespace: sampleName, Name: exampleCompletion}}
	if err := s.client.Delete(ctx, completion); err != nil {
		return err
	}
	return system.WaitFor(ctx, settles, func(ctx context.Context) error {
		var namespace corev1.Namespace
		err := s.client.Get(ctx, client.ObjectKey{Name: exampleNamespace}, &namespace)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(fmt.Errorf("namespace %s is still there", exampleNamespace), err)
	})
}

// ready returns nil when the conditions say so.
func ready(conditions []metav1.Condition) error {
	condition := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if condition == nil {
		return errors.New("no condition Ready yet")
	}
	if condition.Status != metav1.ConditionTrue {
		return fmt.Errorf("%s: %s", condition.Reason, condition.Message)
	}
	return nil
}
