// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The programs, as config names them.
const (
	controllerManager = "completion-controller-manager"
	webhookServer     = "completion-webhook-server"
)

const helpInstall = "apply config/default of the release of this plugin: make deploy IMG=..."

// documents calls each with every object of a folder's files.
func documents(files fs.FS, each func(text []byte) error) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Base(name) == "kustomization.yaml" {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		for part := range strings.SplitSeq("\n"+string(text), "\n---\n") {
			if strings.TrimSpace(part) == "" {
				continue
			}
			if err := each([]byte(part)); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
}

// programs looks at the pods of both programs, and at the volumes of the webhook server.
func (e *examination) programs(ctx context.Context) error {
	var deployment appsv1.Deployment
	var set appsv1.StatefulSet
	images := make(map[string]string)
	for _, program := range []struct {
		name     string
		object   client.Object
		replicas func() (*int32, int32, *metav1.LabelSelector, corev1.PodSpec)
	}{
		{controllerManager, &deployment, func() (*int32, int32, *metav1.LabelSelector, corev1.PodSpec) {
			return deployment.Spec.Replicas, deployment.Status.ReadyReplicas, deployment.Spec.Selector,
				deployment.Spec.Template.Spec
		}},
		{webhookServer, &set, func() (*int32, int32, *metav1.LabelSelector, corev1.PodSpec) {
			return set.Spec.Replicas, set.Status.ReadyReplicas, set.Spec.Selector, set.Spec.Template.Spec
		}},
	} {
		err := e.c.Get(ctx, client.ObjectKey{Namespace: e.namespace, Name: program.name}, program.object)
		if apierrors.IsNotFound(err) {
			e.problem(program.name, helpInstall, "is not installed in namespace %s", e.namespace)
			continue
		}
		if err != nil {
			if err := e.unseen(program.name, err); err != nil {
				return err
			}
			continue
		}
		wanted, ready, selector, spec := program.replicas()
		if len(spec.Containers) > 0 {
			images[program.name] = spec.Containers[0].Image
		}
		if err := e.pods(ctx, program.name, wanted, ready, selector); err != nil {
			return err
		}
	}
	if a, b := images[controllerManager], images[webhookServer]; a != "" && b != "" && a != b {
		e.warning("images", "use the same release for both programs", "%s runs %s, and %s runs %s", controllerManager, a,
			webhookServer, b)
	}
	return e.volumes(ctx, &set)
}

func (e *examination) pods(
	ctx context.Context, name string, wanted *int32, ready int32, selector *metav1.LabelSelector,
) error {
	want := int32(1)
	if wanted != nil {
		want = *wanted
	}
	if ready >= want && want > 0 {
		e.ok(name, "%d of %d pods are Ready", ready, want)
		return nil
	}
	match, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return err
	}
	var pods corev1.PodList
	if err := e.c.List(ctx, &pods, client.InNamespace(e.namespace),
		client.MatchingLabelsSelector{Selector: match}); err != nil && !apierrors.IsForbidden(err) {
		return err
	}
	help := []string{fmt.Sprintf("kubectl describe pods -n %s -l %s", e.namespace, match)}
	for i := range pods.Items {
		if why := notReady(&pods.Items[i]); why != "" {
			help = append(help, fmt.Sprintf("pod %s: %s", pods.Items[i].Name, why))
		}
	}
	e.problem(name, strings.Join(help, "\n"), "%d of %d pods are Ready", ready, want)
	return nil
}

// notReady says why a pod is not Ready; empty where it is.
func notReady(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return ""
		}
	}
	for _, container := range pod.Status.ContainerStatuses {
		if waiting := container.State.Waiting; waiting != nil {
			return waiting.Reason + " " + waiting.Message
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Reason + " " + condition.Message
		}
	}
	return string(pod.Status.Phase) + " " + pod.Status.Reason
}

// volumes looks at the claims of the webhook server's inboxes.
func (e *examination) volumes(ctx context.Context, set *appsv1.StatefulSet) error {
	if set.Name == "" || len(set.Spec.VolumeClaimTemplates) == 0 {
		return nil
	}
	replicas := int32(1)
	if set.Spec.Replicas != nil {
		replicas = *set.Spec.Replicas
	}
	for replica := range replicas {
		for i := range set.Spec.VolumeClaimTemplates {
			name := fmt.Sprintf("%s-%s-%d", set.Spec.VolumeClaimTemplates[i].Name, set.Name, replica)
			check := "volume " + name
			var claim corev1.PersistentVolumeClaim
			err := e.c.Get(ctx, client.ObjectKey{Namespace: e.namespace, Name: name}, &claim)
			switch {
			case apierrors.IsNotFound(err):
				e.problem(check, "it is created with the pod: see the pods of "+set.Name, "is missing")
			case err != nil:
				if err := e.unseen(check, err); err != nil {
					return err
				}
			case claim.Status.Phase != corev1.ClaimBound:
				e.problem(check, fmt.Sprintf("kubectl describe pvc %s -n %s: is there a StorageClass?", name, e.namespace),
					"is %s", claim.Status.Phase)
			default:
				e.ok(check, "is bound")
			}
		}
	}
	return nil
}

// lease looks whether a controller-manager leads.
func (e *examination) lease(ctx context.Context) error {
	const check = "leader of " + controllerManager
	help := fmt.Sprintf("nothing is granted or revoked without one: kubectl logs -n %s deploy/%s", e.namespace,
		controllerManager)
	var lease coordinationv1.Lease
	err := e.c.Get(ctx, client.ObjectKey{Namespace: e.namespace, Name: controllerManager}, &lease)
	if apierrors.IsNotFound(err) {
		e.problem(check, help, "none has ever led")
		return nil
	}
	if err != nil {
		return e.unseen(check, err)
	}
	spec := &lease.Spec
	if spec.HolderIdentity == nil || *spec.HolderIdentity == "" || spec.RenewTime == nil ||
		spec.LeaseDurationSeconds == nil {
		e.problem(check, help, "none leads")
		return nil
	}
	age := e.Now().Sub(spec.RenewTime.Time)
	// The clock here may differ from that of the leader.
	if most := 2 * time.Duration(*spec.LeaseDurationSeconds) * time.Second; age > most {
		e.problem(check, help, "has not renewed its Lease for %s", age.Round(time.Second))
		return nil
	}
	e.ok(check, "%s renewed its Lease %s ago", *spec.HolderIdentity, max(age, 0).Round(time.Second))
	return nil
}

// readyOf returns the condition Ready.
func readyOf(conditions []metav1.Condition) *metav1.Condition {
	return meta.FindStatusCondition(conditions, "Ready")
}
