// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replicas

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
)

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: Namespace, Name: name, Labels: map[string]string{
		"app.kubernetes.io/name": "course-completion-operator", "app.kubernetes.io/component": "webhook-server",
	}}
}

func pod(name string, phase corev1.PodPhase, args ...string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: named(name),
		Spec: corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{
			Name: Container, Command: []string{"/webhook-server"}, Args: args,
		}}},
		Status: corev1.PodStatus{Phase: phase},
	}
}

// connected is a connection to a cluster that has these objects.
func connected(objects ...runtime.Object) *Connection {
	clients := fake.NewClientset(objects...)
	return &Connection{core: clients.CoreV1(), apps: clients.AppsV1()}
}

// Each replica is found that there should be, with where its server listens, and each volume that nobody has any more.
func TestFind(t *testing.T) {
	t.Parallel()
	objects := []runtime.Object{
		&appsv1.StatefulSet{ObjectMeta: named(set), Spec: appsv1.StatefulSetSpec{Replicas: new(int32(3))}},
		pod(set+"-0", corev1.PodRunning, "--inbox-file=/inbox/inbox.db"),
		pod(set+"-1", corev1.PodPending, "--inbox-socket", "/run/socket", "--inbox-file=/inbox/inbox.db"),
		// It is on its way out.
		pod(set+"-4", corev1.PodRunning),
	}
	for _, claim := range []string{"0", "1", "2", "3", "4", "x"} {
		objects = append(objects, &corev1.PersistentVolumeClaim{ObjectMeta: named(claims + set + "-" + claim)})
	}
	found, notes, err := connected(objects...).Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range found {
		missing, _, _ := strings.Cut(r.missing, ",")
		got = append(got, strings.TrimSpace(r.ID()+" "+strings.Join(r.where, " ")+" "+missing))
	}
	want := []string{
		"0 --inbox-socket=/inbox/inbox.sock", "1 --inbox-socket=/run/socket its pod is Pending", "2  it has no pod", "4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "claim inbox-completion-webhook-server-3, of a replica that was") {
		t.Errorf("notes %q", notes)
	}
	if _, _, err := connected().Find(t.Context()); !errors.Is(err, errNone) {
		t.Errorf("got %v", err)
	}
}

func TestArgument(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"":                   {"--listen-address=:8080", "audit-log"},
		"/audit/audit.jsonl": {"--audit-log=/audit/audit.jsonl"},
		"/audit/other.jsonl": {"-audit-log", "/audit/other.jsonl"},
	} {
		if got := Argument(pod("p", corev1.PodRunning, args...), "audit-log"); got != want {
			t.Errorf("%q: got %q, want %q", args, got, want)
		}
	}
}

// What comes in pieces is cut into lines, and nothing is taken after that was refused or is over.
func TestLines(t *testing.T) {
	t.Parallel()
	var got []string
	var failed error
	silent := time.AfterFunc(time.Hour, func() {})
	l := &lines{silent: silent, silence: time.Hour, fail: func(err error) { failed = err }, take: func(line []byte) error {
		if got = append(got, string(line)); len(got) == 3 {
			return ErrEnough
		}
		return nil
	}}
	for _, part := range []string{"on", "e\ntwo\nth", "ree\nfour\n", "five\n"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("wrote %d: %v", n, err)
		}
	}
	if diff := cmp.Diff([]string{"one", "two", "three"}, got); diff != "" || !errors.Is(failed, ErrEnough) {
		t.Errorf("%v, (-want +got):\n%s", failed, diff)
	}
	failed = nil
	endless := &lines{silent: silent, silence: time.Hour, fail: func(err error) { failed = err }}
	for range maxLine/1024 + 1 {
		_, _ = endless.Write(make([]byte, 1024))
	}
	if failed == nil || len(endless.rest) > 0 {
		t.Errorf("got %v with %d bytes kept", failed, len(endless.rest))
	}
}

// One replica that cannot be asked keeps no other from it, and is named; one right that is missing is said once.
func TestEach(t *testing.T) {
	t.Parallel()
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods/exec"}, "pod", errors.New("no"))
	all := []*Replica{{Pod: "a"}, {Pod: "b", missing: "it has no pod"}, {Pod: "c"}}
	for name, tc := range map[string]struct {
		all  []*Replica
		fail map[string]error
		want string
	}{
		"one is missing":       {all, nil, "1 of 3 replicas failed:\n  b: it has no pod"},
		"all are there":        {[]*Replica{all[0], all[2]}, nil, ""},
		"one is forbidden":     {[]*Replica{all[0], all[2]}, map[string]error{"c": forbidden}, "1 of 2 replicas"},
		"nobody may ask any":   {[]*Replica{all[0], all[2]}, map[string]error{"a": forbidden, "c": forbidden}, "pods/exec"},
		"none of them answers": {all[:2], map[string]error{"a": errors.New("gone")}, "2 of 2 replicas failed:"},
	} {
		err := (&Connection{}).Each(t.Context(), tc.all, func(_ context.Context, r *Replica) error { return tc.fail[r.Pod] })
		if (err == nil) != (tc.want == "") || err != nil && !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
	if text := Explain(forbidden).Error(); !strings.Contains(text, "ClusterRole completion-inbox-admin allows it, "+
		"bound in namespace completion-system") {
		t.Error(text)
	}
}

func TestWhatACommandSaid(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]*ExitError{
		"connect to the server: gone": {1, "webhook-server inbox: connect to the server: gone\n"},
		"its command ended with":      {137, ""},
		"is it older than this p":     {2, "flag provided but not defined: -json\n"},
	} {
		if !strings.HasPrefix(err.Error(), want) && !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q", err.Error(), want)
		}
	}
}
