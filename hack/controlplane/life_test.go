// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"
)

// TestLifeOfAControlPlane goes through everything that tests and demos do with a control plane.
func TestLifeOfAControlPlane(t *testing.T) {
	s := launch(t, "--audit-level", "Metadata")
	s.waitReady()
	checkVersion(t, s)
	checkNamespaceComesAndGoes(t, s)
	checkKillAndStart(t, s)
	checkPauseAndResume(t, s)
	checkRestart(t, s)
	checkWrongCommands(t, s)
	checkAuditLog(t, s)
	checkPermissions(t, s)

	parts := s.do("status", "")
	s.do("stop", "")
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the starter ended with %v, want exit code 0", err)
	}
	s.wantGone(parts)
}

func checkVersion(t *testing.T, s *starter) {
	want, err := requiredVersion(goMod, kubernetesModule)
	if err != nil {
		t.Fatal(err)
	}
	got := s.mustKubectl("version")
	if n := strings.Count(got, want); n != 2 {
		t.Errorf("kubectl version says %q, want %s for the client and for the server", got, want)
	}
}

func checkNamespaceComesAndGoes(t *testing.T, s *starter) {
	s.mustKubectl("create", "namespace", "visitor")
	// ServiceAccount admission refuses a pod until a controller has made the ServiceAccount.
	eventually(t, patience, func() error {
		_, err := s.kubectl("run", "guest", "-n", "visitor", "--image=none.invalid/none")
		return err
	})
	s.mustKubectl("delete", "namespace", "visitor", "--timeout=110s")
	if out, err := s.kubectl("get", "namespace", "visitor"); err == nil || !strings.Contains(err.Error(), "NotFound") {
		t.Errorf("the deleted namespace is still there: %q, %v", out, err)
	}
}

func checkKillAndStart(t *testing.T, s *starter) {
	s.mustKubectl("create", "namespace", "survivor")
	for _, part := range partNames {
		before := s.do("status", "")[part]
		if got := s.do("kill", part)[part]; got.PID != 0 || got.State != "stopped" {
			t.Errorf("%s after kill: got %+v, want it stopped", part, got)
		}
		if alive(before.PID) {
			t.Errorf("%s (pid %d) is alive after kill", part, before.PID)
		}
		if got := s.do("start", part)[part]; got.PID == before.PID || got.State != "running" {
			t.Errorf("%s after start: got %+v, want it running with another pid than %d", part, got, before.PID)
		}
	}
	eventually(t, patience, func() error {
		_, err := s.kubectl("get", "namespace", "survivor")
		return err
	})
}

func checkPauseAndResume(t *testing.T, s *starter) {
	if got := s.do("pause", partAPIServer)[partAPIServer]; got.State != "paused" {
		t.Errorf("after pause: got %+v, want it paused", got)
	}
	if out, err := s.kubectl("get", "namespaces", "--request-timeout=1s"); err == nil {
		t.Errorf("a paused API server answered %q", out)
	}
	if got := s.do("resume", partAPIServer)[partAPIServer]; got.State != "running" {
		t.Errorf("after resume: got %+v, want it running", got)
	}
	eventually(t, patience, func() error {
		_, err := s.kubectl("get", "namespace", "survivor", "--request-timeout=5s")
		return err
	})
}

func checkRestart(t *testing.T, s *starter) {
	before := s.do("status", "")[partAPIServer]
	after := s.do("restart", partAPIServer)[partAPIServer]
	if after.PID == before.PID || after.State != "running" {
		t.Errorf("after restart: got %+v, want it running with another pid than %d", after, before.PID)
	}
	s.mustKubectl("get", "namespace", "survivor")
}

func checkWrongCommands(t *testing.T, s *starter) {
	for _, tc := range []struct {
		command command
		want    string
	}{
		{command{Op: "start", Part: partEtcd}, "runs already"},
		{command{Op: "kill", Part: "kubelet"}, "unknown part"},
		{command{Op: "dance", Part: partEtcd}, "unknown command"},
		{command{Op: "restart"}, "unknown part"},
	} {
		if got := s.ask(tc.command); got.OK || !strings.Contains(got.Error, tc.want) {
			t.Errorf("%+v: got %+v, want an error with %q", tc.command, got, tc.want)
		}
	}
}

func checkAuditLog(t *testing.T, s *starter) {
	audit, err := os.ReadFile(s.ready.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"requestURI":"/api/v1/namespaces/visitor"`, `"username":"admin"`, `"verb":"delete"`} {
		if !strings.Contains(string(audit), want) {
			t.Errorf("the audit log has no %s", want)
		}
	}
	if strings.Contains(string(audit), `"stage":"RequestReceived"`) {
		t.Error("the audit log has the stage RequestReceived, want it omitted")
	}
}

func checkPermissions(t *testing.T, s *starter) {
	for path, want := range map[string]os.FileMode{s.state: 0o700, s.ready.Kubeconfig: 0o600, s.ready.AuditLog: 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %s, want %s", path, got, want)
		}
	}
	if part := s.ready.Parts[partEtcd]; part.Log == "" || part.PID == 0 {
		t.Errorf("etcd is %+v, want a log and a pid", part)
	}
}
