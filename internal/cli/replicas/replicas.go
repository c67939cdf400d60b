// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package replicas finds the replicas of the webhook server, and asks them about their inboxes by running the program's
// own command in their pods.
package replicas

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedappsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

const (
	// Namespace is where the operator is installed.
	Namespace = "completion-system"
	// Container is that of the webhook server in its pods.
	Container = "webhook-server"

	selector = "app.kubernetes.io/name=course-completion-operator,app.kubernetes.io/component=webhook-server"
	// set is the StatefulSet, whose pods have its name and a number, and whose claims begin with claims.
	set    = "completion-webhook-server"
	claims = "inbox-"
)

// Pods returns the pods of the webhook server.
func Pods(ctx context.Context, c typedcorev1.PodsGetter) ([]corev1.Pod, error) {
	pods, err := c.Pods(Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	if len(pods.Items) == 0 {
		return nil, errNone
	}
	return pods.Items, nil
}

var errNone = fmt.Errorf("namespace %s has no pod of the webhook server: see `kubectl course doctor`", Namespace)

// Argument returns the value of a flag that a pod gives its program; empty where it does not.
func Argument(pod *corev1.Pod, flag string) string {
	for i := range pod.Spec.Containers {
		args := slices.Concat(pod.Spec.Containers[i].Command, pod.Spec.Containers[i].Args)
		for n, arg := range args {
			name, value, joined := strings.Cut(arg, "=")
			if strings.TrimLeft(name, "-") != flag || name == flag {
				continue
			}
			if !joined && n+1 < len(args) {
				value = args[n+1]
			}
			return value
		}
	}
	return ""
}

// Replica is one webhook server with its inbox.
type Replica struct {
	// Pod is the name of its pod.
	Pod string
	// missing says why it cannot be asked; empty where it can.
	missing string
	// where are the arguments that lead to its server.
	where []string
	// program is the path of the webhook server in its container.
	program string
}

// ID is the number of the replica in the StatefulSet.
func (r *Replica) ID() string { return strings.TrimPrefix(r.Pod, set+"-") }

// Connection asks replicas.
type Connection struct {
	config *rest.Config
	// The clients of two groups: one of all groups makes the program a sixth larger.
	core typedcorev1.CoreV1Interface
	apps typedappsv1.AppsV1Interface
	// silence is how long a replica may say nothing.
	silence time.Duration
}

// Connect connects to the cluster. A replica that says nothing for as long as silence says is given up.
func Connect(f *cmdutil.Factory, silence time.Duration) (*Connection, error) {
	config, err := f.Flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	core, err := typedcorev1.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	apps, err := typedappsv1.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return &Connection{config: config, core: core, apps: apps, silence: silence}, nil
}

// Find returns the replicas in the order of their numbers, those included that cannot be asked, and what is to be known
// of inboxes that no replica has any more.
func (c *Connection) Find(ctx context.Context) (found []*Replica, notes []string, err error) {
	pods, err := c.core.Pods(Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, nil, Explain(err)
	}
	byName := make(map[string]*Replica)
	for i := range pods.Items {
		one := replicaOf(&pods.Items[i])
		byName[one.Pod] = one
	}
	absent, notes := c.others(ctx, byName)
	for _, one := range absent {
		byName[one.Pod] = one
	}
	if len(byName) == 0 {
		return nil, notes, errNone
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b *Replica) int {
		return cmp.Or(cmp.Compare(len(a.Pod), len(b.Pod)), strings.Compare(a.Pod, b.Pod))
	}), notes, nil
}

func replicaOf(pod *corev1.Pod) *Replica {
	r := &Replica{Pod: pod.Name, program: "/webhook-server"}
	for i := range pod.Spec.Containers {
		if command := pod.Spec.Containers[i].Command; pod.Spec.Containers[i].Name == Container && len(command) > 0 {
			r.program = command[0]
		}
	}
	if socket := Argument(pod, "inbox-socket"); socket != "" {
		r.where = []string{"--inbox-socket=" + socket}
	} else if file := Argument(pod, "inbox-file"); strings.Contains(file, "/") {
		// The program looks for the socket beside the file that it would have itself.
		r.where = []string{"--inbox-socket=" + file[:strings.LastIndex(file, "/")] + "/inbox.sock"}
	}
	if pod.Spec.NodeName == "" || pod.Status.Phase != corev1.PodRunning {
		r.missing = fmt.Sprintf("its pod is %s, so its inbox stays on its volume: "+
			"`kubectl describe pod -n %s %s` says why", cmp.Or(pod.Status.Phase, corev1.PodPending), Namespace, pod.Name)
	}
	return r
}

// others returns the replicas that should have a pod and have none, and notes about the volumes of those that were
// scaled away. Who may not see that is told so.
func (c *Connection) others(ctx context.Context, pods map[string]*Replica) (absent []*Replica, notes []string) {
	stateful, err := c.apps.StatefulSets(Namespace).Get(ctx, set, metav1.GetOptions{})
	var volumes *corev1.PersistentVolumeClaimList
	if err == nil {
		volumes, err = c.core.PersistentVolumeClaims(Namespace).List(ctx,
			metav1.ListOptions{LabelSelector: selector})
	}
	switch {
	case apierrors.IsForbidden(err):
		return nil, []string{"Replicas without a pod, and volumes of replicas that were scaled away, were not checked: " +
			"you may not read the StatefulSet and its claims. The ClusterRole " + cmdutil.RoleInboxAdmin + " allows it."}
	case err != nil:
		return nil, []string{"Replicas without a pod, and volumes of replicas that were scaled away, were not checked: " +
			err.Error()}
	}
	wanted := int32(1)
	if stateful.Spec.Replicas != nil {
		wanted = *stateful.Spec.Replicas
	}
	for n := range wanted {
		if name := fmt.Sprintf("%s-%d", set, n); pods[name] == nil {
			absent = append(absent, &Replica{Pod: name, missing: "it has no pod, so its inbox stays on its volume: " +
				"`kubectl describe statefulset -n " + Namespace + " " + set + "` says why"})
		}
	}
	for i := range volumes.Items {
		pod, ok := strings.CutPrefix(volumes.Items[i].Name, claims)
		number, err := strconv.ParseInt(strings.TrimPrefix(pod, set+"-"), 10, 32)
		if ok && err == nil && number >= int64(wanted) && pods[pod] == nil {
			notes = append(notes, fmt.Sprintf("Not checked: claim %s, of a replica that was scaled away. Its inbox may contain "+
				"deliveries: scale up again, or empty it with a Job (docs/inbox.md, Scale down)", volumes.Items[i].Name))
		}
	}
	return absent, notes
}

// Failure is what was the matter with one replica.
type Failure struct {
	Replica *Replica
	Err     error
}

// Failures is the error where some replicas could not be asked.
type Failures struct {
	Failed []Failure
	// Of is how many replicas there are.
	Of int
}

// Error names each replica and says what to do.
func (f *Failures) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d of %d replicas failed:", len(f.Failed), f.Of)
	for _, one := range f.Failed {
		fmt.Fprintf(&text, "\n  %s: %v", one.Replica.Pod, one.Err)
	}
	return text.String()
}

// Unwrap returns the errors of the replicas.
func (f *Failures) Unwrap() []error {
	all := make([]error, 0, len(f.Failed))
	for _, one := range f.Failed {
		all = append(all, one.Err)
	}
	return all
}

// Each has something done with all replicas at once. What fails with one concerns no other; the error is a *Failures,
// or what is missing where nobody may ask any of them.
func (c *Connection) Each(
	ctx context.Context, all []*Replica, do func(ctx context.Context, r *Replica) error,
) error {
	failed := make([]error, len(all))
	var running sync.WaitGroup
	for i, one := range all {
		running.Go(func() {
			if failed[i] = one.Unavailable(); failed[i] == nil {
				failed[i] = do(ctx, one)
			}
		})
	}
	running.Wait()
	failures := &Failures{Of: len(all)}
	forbidden := 0
	for i, err := range failed {
		if err == nil {
			continue
		}
		if apierrors.IsForbidden(err) {
			forbidden++
		}
		failures.Failed = append(failures.Failed, Failure{all[i], err})
	}
	switch {
	case len(failures.Failed) == 0:
		return nil
	case forbidden == len(all):
		return failed[0]
	}
	return failures
}

// Unavailable says why a replica cannot be asked; nil where that can be tried.
func (r *Replica) Unavailable() error {
	if r.missing == "" {
		return nil
	}
	return fmt.Errorf("%s", r.missing)
}

// Explain says of an error which role has the right that is missing.
func Explain(err error) error {
	if !apierrors.IsForbidden(err) {
		return cmdutil.Explain(err, cmdutil.RoleInboxAdmin)
	}
	return fmt.Errorf("%w\nThe ClusterRole %s allows it, bound in namespace %s: ask a cluster administrator", err,
		cmdutil.RoleInboxAdmin, Namespace)
}
