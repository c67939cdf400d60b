// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// What the Grant of config/samples/revoke.yaml gives, and to whom.
const (
	enrolledUser = 888
	enrolledLab  = "grad-lab-888"
	desk         = "desks-0"
)

// checkRevocation has the student of the sample complete the course: the desk is freed, and the lab goes.
func (s *session) checkRevocation(ctx context.Context) error {
	if err := s.awaitGrant(ctx, enrolledUser, v1alpha1.ReasonActive); err != nil {
		return err
	}
	seat := client.ObjectKey{Namespace: sampleName, Name: desk}
	for key, object := range map[client.ObjectKey]client.Object{
		seat: &v1alpha1.Seat{}, {Name: enrolledLab}: &corev1.Namespace{},
	} {
		if err := s.client.Get(ctx, key, object); err != nil {
			return err
		}
	}
	zone, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		return err
	}
	// What was made by hand after a completion is not taken by it: the course is completed now.
	delivery, err := system.Variant(map[string]any{
		"event.send_at": time.Now().In(zone).Format(time.DateTime), "course.id": 777003, "user.id": enrolledUser,
		"enrollment.id": 88, "user.email": "student.888@example.com"})
	if err != nil {
		return err
	}
	if answer, err := system.Deliver(ctx, s.url, delivery); err != nil || answer.Status != http.StatusOK {
		return errors.Join(fmt.Errorf("want 200, got %s", answer), err)
	}
	return system.WaitFor(ctx, settles, func(ctx context.Context) error {
		if err := s.client.Get(ctx, seat, &v1alpha1.Seat{}); !apierrors.IsNotFound(err) {
			return errors.Join(fmt.Errorf("seat %s is still taken", desk), err)
		}
		err := s.client.Get(ctx, client.ObjectKey{Name: enrolledLab}, &corev1.Namespace{})
		if !apierrors.IsNotFound(err) {
			return errors.Join(fmt.Errorf("namespace %s is still there", enrolledLab), err)
		}
		return nil
	})
}
