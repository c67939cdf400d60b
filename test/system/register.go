// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	nodeName = "webhook-node"
	// heartbeat is how often the node says that it is there, or its pods are evicted; podsWithin how long the cluster may
	// take to make the pods.
	heartbeat  = 10 * time.Second
	podsWithin = 3 * time.Minute
)

// Register makes the node known, and binds the pods of the webhook servers to it, which run from then on. The node says
// that it is there until the context ends. With ready the pods of both programs are Ready, and the volumes of the
// inboxes bound, as in a cluster whose nodes run them.
func (n *Node) Register(ctx context.Context, c client.Client, ready bool) error {
	if err := n.appear(ctx, c); err != nil {
		return err
	}
	for number := range n.system.Replicas {
		if ready {
			if err := bindVolume(ctx, c, number); err != nil {
				return err
			}
		}
		key := client.ObjectKey{Namespace: Namespace, Name: ReplicaPod(number)}
		err := run(ctx, c, WebhookServer, ready, func(ctx context.Context) (*corev1.Pod, error) {
			pod := &corev1.Pod{}
			return pod, c.Get(ctx, key, pod)
		})
		if err != nil {
			return err
		}
	}
	if !ready {
		return nil
	}
	return run(ctx, c, ControllerManager, true, func(ctx context.Context) (*corev1.Pod, error) {
		var pods corev1.PodList
		err := c.List(ctx, &pods, client.InNamespace(Namespace),
			client.MatchingLabels{"app.kubernetes.io/component": "controller-manager"})
		if err == nil && len(pods.Items) != 1 {
			err = fmt.Errorf("there are %d pods of the controller-manager", len(pods.Items))
		}
		if err != nil {
			return nil, err
		}
		return &pods.Items[0], nil
	})
}

// appear makes the node known, and has it say that it is there until the context ends.
func (n *Node) appear(ctx context.Context, c client.Client) error {
	host, port, err := n.address()
	if err != nil {
		return err
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}
	if err := c.Create(ctx, node); err != nil {
		return fmt.Errorf("register the node: %w", err)
	}
	// The controllers of the cluster write to it as well.
	err = WaitFor(ctx, podsWithin, func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(node), node); err != nil {
			return err
		}
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
		node.Status.DaemonEndpoints.KubeletEndpoint.Port = port
		now := metav1.Now()
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue,
			Reason: "KubeletReady", Message: "the programs run", LastHeartbeatTime: now, LastTransitionTime: now}}
		return c.Status().Update(ctx, node)
	})
	if err != nil {
		return fmt.Errorf("say where the kubelet is: %w", err)
	}
	if err := WaitFor(ctx, podsWithin, func(ctx context.Context) error { return n.beat(ctx, c) }); err != nil {
		return err
	}
	go func() {
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				// The next one makes up for one that fails.
				_ = n.beat(ctx, c)
			}
		}
	}()
	return nil
}

// beat renews the Lease of the node.
func (n *Node) beat(ctx context.Context, c client.Client) error {
	lease := &coordinationv1.Lease{}
	err := c.Get(ctx, client.ObjectKey{Namespace: corev1.NamespaceNodeLease, Name: nodeName}, lease)
	lease.Namespace, lease.Name = corev1.NamespaceNodeLease, nodeName
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = new(nodeName), new(int32(40))
	lease.Spec.RenewTime = new(metav1.NowMicro())
	switch {
	case apierrors.IsNotFound(err):
		err = c.Create(ctx, lease)
	case err == nil:
		err = c.Update(ctx, lease)
	}
	if err != nil {
		return fmt.Errorf("renew the lease of the node: %w", err)
	}
	return nil
}

// run has a pod run on the node, whatever the controllers of the cluster do to it meanwhile.
func run(
	ctx context.Context, c client.Client, container string, ready bool,
	find func(context.Context) (*corev1.Pod, error),
) error {
	err := WaitFor(ctx, podsWithin, func(ctx context.Context) error {
		pod, err := find(ctx)
		if err != nil {
			return err
		}
		if pod.Spec.NodeName == "" {
			err := c.SubResource("binding").Create(ctx, pod, &corev1.Binding{
				ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: pod.Name},
				Target:     corev1.ObjectReference{Kind: "Node", Name: nodeName}})
			if err != nil {
				return err
			}
			if pod, err = find(ctx); err != nil {
				return err
			}
		}
		now := metav1.Now()
		pod.Status.Phase = corev1.PodRunning
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: container, Image: "none", ImageID: "none", Ready: ready,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}}}
		if ready {
			pod.Status.Conditions = append(pod.Status.Conditions,
				corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: now},
				corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now})
		}
		return c.Status().Update(ctx, pod)
	})
	if err != nil {
		return fmt.Errorf("have the pod of %s run: %w", container, err)
	}
	return nil
}

// bindVolume gives the claim of a replica a volume.
func bindVolume(ctx context.Context, c client.Client, number int) error {
	claim := "inbox-" + ReplicaPod(number)
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: claim}, Spec: corev1.PersistentVolumeSpec{
		Capacity:    corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")},
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		ClaimRef:    &corev1.ObjectReference{Namespace: Namespace, Name: claim},
		PersistentVolumeSource: corev1.PersistentVolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: "/nonexistent"}},
	}}
	if err := c.Create(ctx, volume); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make the volume of claim %s: %w", claim, err)
	}
	return nil
}

// Scale has the cluster want as many pods of both programs as there are processes for them.
func (s *System) Scale(ctx context.Context) error {
	for workload, replicas := range map[string]int{
		"deployment/completion-controller-manager": 1, "statefulset/completion-webhook-server": len(s.Replicas),
	} {
		_, err := s.Cluster.Kubectl(ctx, "scale", workload, "-n", Namespace, fmt.Sprintf("--replicas=%d", replicas))
		if err != nil {
			return err
		}
	}
	// Of a replica that there will never be again there is nothing to save.
	_, err := s.Cluster.Kubectl(ctx, "delete", "persistentvolumeclaim", "-n", Namespace, "--ignore-not-found",
		"--wait=false", "inbox-"+ReplicaPod(len(s.Replicas)))
	return err
}
