// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"
)

// exampleJob returns a Job that is shipped for copying.
func exampleJob(t *testing.T, example string) *batchv1.Job {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../config/examples", example, "job.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var job batchv1.Job
	if err := yaml.UnmarshalStrict(text, &job); err != nil {
		t.Fatal(err)
	}
	return &job
}

// A Job is copied by somebody who is in need: what it asks this program for must be what the program knows.
func TestTheExampleJobsAskForWhatThereIs(t *testing.T) {
	kubeconfig := kubeconfigOfNobody(t)
	for _, tc := range []struct {
		example  string
		damaged  bool
		wantCode int
		// want is what the log of the pod has.
		want string
	}{
		{"drain-inbox", false, exitDead, "0 records waiting, 2 dead letters left"},
		{"drain-inbox", true, exitFailed, "A damaged inbox"},
		{"set-aside-inbox", false, exitFailed, "the inbox is not damaged"},
		{"set-aside-inbox", true, exitDone, ".set-aside-"},
	} {
		path := leftBehind(t)
		var out strings.Builder
		if code := runInbox(t.Context(), []string{"drop", "--file=" + path, "1"}, &out, &out); code != exitDone {
			t.Fatal(out.String())
		}
		if tc.damaged {
			if err := os.Truncate(path, 4096); err != nil {
				t.Fatal(err)
			}
		}
		container := exampleJob(t, tc.example).Spec.Template.Spec.Containers[0]
		if !slices.Equal(container.Command, []string{"/webhook-server", "inbox"}) {
			t.Errorf("%s runs %q", tc.example, container.Command)
		}
		args := []string{container.Args[0], "--kubeconfig=" + kubeconfig}
		for _, arg := range container.Args[1:] {
			args = append(args, strings.ReplaceAll(arg, "/inbox/inbox.db", path))
		}
		if code := runInbox(t.Context(), args, &out, &out); code != tc.wantCode || !strings.Contains(out.String(), tc.want) {
			t.Errorf("%s, damaged %v: exit code %d, want %d: %s", tc.example, tc.damaged, code, tc.wantCode, out.String())
		}
	}
}

// What only a person can decide about ends the Job at once; what may pass is tried again.
func TestTheJobThatDrainsTriesAgainWhereThatHelps(t *testing.T) {
	job := exampleJob(t, "drain-inbox")
	rule := job.Spec.PodFailurePolicy.Rules[0]
	for code, want := range map[int]bool{exitFailed: false, exitUsage: true, exitLeft: false, exitDead: true} {
		got := rule.Action == batchv1.PodFailurePolicyActionFailJob && slices.Contains(rule.OnExitCodes.Values, int32(code))
		if got != want {
			t.Errorf("exit code %d ends the Job: %v, want %v", code, got, want)
		}
	}
	if name := job.Spec.Template.Spec.Containers[0].Name; *rule.OnExitCodes.ContainerName != name {
		t.Errorf("the rule is about %s, the container is %s", *rule.OnExitCodes.ContainerName, name)
	}
}
