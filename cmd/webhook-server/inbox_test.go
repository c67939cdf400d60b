// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// leftBehind is an inbox that no server has open, with a waiting record and two dead letters.
func leftBehind(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "inbox.db")
	i, err := inbox.Open(path, inbox.Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for n, keep := range []func(*inbox.Record) error{
		func(r *inbox.Record) error { return i.Put(t.Context(), r) },
		func(r *inbox.Record) error { return i.Hold(t.Context(), r) },
		func(r *inbox.Record) error { return i.Hold(t.Context(), r) },
	} {
		err := keep(&inbox.Record{
			Received:   time.Date(2026, 11, 23, 21, 0, n, 0, time.UTC),
			DeliveryID: fmt.Sprintf("delivery-%d", n+1), Namespace: "school", Name: fmt.Sprintf("1-2-%d-4", n+1),
			Reason: "api-invalid", Attempts: 1, Data: []byte(`{"user":{"name":"Student"}}`),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInboxCommandOnAFile(t *testing.T) {
	const (
		table   = "RECORD  STATE    RECEIVED              REASON           ATTEMPTS  COMPLETION            DELIVERY\n"
		two     = "2       dead     2026-11-23T21:00:01Z  api-invalid      1         school/1-2-2-4        delivery-2\n"
		three   = "3       dead     2026-11-23T21:00:02Z  api-invalid      1         school/1-2-3-4        delivery-3\n"
		waiting = "1       waiting  2026-11-23T21:00:00Z  api-invalid      1         school/1-2-1-4        delivery-1\n"
	)
	path := leftBehind(t)
	for _, tc := range []struct {
		name     string
		args     string
		wantCode int
		want     string
	}{
		{"what there is", "list", exitDone, table + two + three + waiting},
		{"one", "show 2", exitDone, "record:      2\nstate:       dead\nreceived:    2026-11-23T21:00:01Z\n" +
			"reason:      api-invalid\nattempts:    1\ncompletion:  school/1-2-2-4\ndelivery:    delivery-2\n"},
		{"one with what it says", "show --with-data --json 2", exitDone, `{"record":2,"state":"dead",` +
			`"received":"2026-11-23T21:00:01Z","deliveryID":"delivery-2","completion":"school/1-2-2-4",` +
			`"reason":"api-invalid","attempts":1,"data":{"user":{"name":"Student"}}}` + "\n"},
		{"retry one and what is no dead letter", "retry --json 1 2 99", exitFailed, `{"record":1,"outcome":"gone"}` + "\n" +
			`{"record":2,"outcome":"retried"}` + "\n" + `{"record":99,"outcome":"gone"}` + "\n"},
		{"retry what waits", "retry 2", exitFailed, ""},
		{"drop, and some that are gone", "drop --json 1 98", exitFailed, `{"record":1,"outcome":"dropped"}` + "\n" +
			`{"record":98,"outcome":"gone"}` + "\n"},
		{"drop what is gone and another one", "drop 1 2", exitFailed, "record 2 dropped\n"},
		{"show what is gone", "show 1", exitFailed, ""},
		{"show what is gone, and others", "show --json 1", exitFailed, `{"record":1,"outcome":"gone"}` + "\n"},
		{"what is left", "list --json", exitDone, `{"record":3,"state":"dead","received":"2026-11-23T21:00:02Z",` +
			`"deliveryID":"delivery-3","completion":"school/1-2-3-4","reason":"api-invalid","attempts":1}` + "\n"},
		{"retry all", "retry --all", exitDone, "record 3 queued for retry\n"},
		{"no dead letters", "list --state dead", exitDone, table},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := strings.Fields(tc.args)
			args = append([]string{args[0], "--file=" + path}, args[1:]...)
			var out, errOut strings.Builder
			if got := runInbox(t.Context(), args, &out, &errOut); got != tc.wantCode {
				t.Errorf("exit code %d, want %d: %s", got, tc.wantCode, errOut.String())
			}
			if out.String() != tc.want {
				t.Errorf("printed:\n%s\nwant:\n%s", out.String(), tc.want)
			}
			if (tc.wantCode == exitDone) != (errOut.Len() == 0) {
				t.Errorf("standard error: %q", errOut.String())
			}
		})
	}
}

// Whoever asks several replicas about one institution counts what its namespace has.
func TestTheStatusSaysWhatEachNamespaceHas(t *testing.T) {
	var out, errOut strings.Builder
	args := []string{"status", "--file=" + leftBehind(t), "--json"}
	if got := runInbox(t.Context(), args, &out, &errOut); got != exitDone {
		t.Fatalf("exit code %d: %s", got, errOut.String())
	}
	const want = `"namespaces":{"school":{"records":1,"deadLetters":2,"oldest":"2026-11-23T21:00:00Z"}}}` + "\n"
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("printed %s, which does not end in %s", out.String(), want)
	}
}

// kubeconfigOfNobody is for an API that nothing listens for.
func kubeconfigOfNobody(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: away\n"+
		"clusters: [{name: away, cluster: {server: 'https://%s'}}]\n"+
		"contexts: [{name: away, context: {cluster: away, user: nobody}}]\n", listener.Addr())
	if err := errors.Join(listener.Close(), os.WriteFile(kubeconfig, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// A Job that leaves something in an inbox has only its log to say why.
func TestDrainingAFileSaysWhyNothingIsStored(t *testing.T) {
	kubeconfig := kubeconfigOfNobody(t)
	var out, errOut strings.Builder
	args := []string{"drain", "--file=" + leftBehind(t), "--kubeconfig=" + kubeconfig, "--timeout=5s"}
	if got := runInbox(t.Context(), args, &out, &errOut); got != exitLeft {
		t.Errorf("exit code %d, want %d", got, exitLeft)
	}
	for _, want := range []string{`"reason":"api-unreachable"`, `"namespace":"school"`} {
		if !strings.Contains(errOut.String(), want) {
			t.Errorf("no %s in the log:\n%s", want, errOut.String())
		}
	}
}

func TestInboxCommandUsedWrongly(t *testing.T) {
	path := leftBehind(t)
	for _, tc := range []struct {
		name     string
		args     []string
		wantCode int
		want     string
	}{
		{"nothing", nil, exitUsage, "Usage: webhook-server inbox"},
		{"no such command", []string{"empty"}, exitUsage, `unknown command "empty"`},
		{"no such flag", []string{"list", "--dead"}, exitUsage, "flag provided but not defined"},
		{"no such state", []string{"list", "--file", path, "--state", "lost"}, exitUsage,
			"--state must be waiting, dead or all"},
		{"no record", []string{"show", "--file", path}, exitUsage, "name the records to show"},
		{"no number", []string{"drop", "--file", path, "1-2-3-4"}, exitUsage, `"1-2-3-4" is not a record number`},
		{"drop nothing", []string{"drop", "--file", path}, exitUsage, "name the records to drop"},
		{"retry some and all", []string{"retry", "--file", path, "--all", "1"}, exitUsage, "or use --all"},
		{"records for status", []string{"status", "1"}, exitUsage, "status takes no records"},
		{"a limit that is none", []string{"list", "--file", path, "--limit=-1"}, exitUsage, "--limit must be a number"},
		{"set aside what", []string{"set-aside"}, exitUsage, "set-aside needs --file"},
		{"set aside a record", []string{"set-aside", "--file", path, "1"}, exitUsage, "set-aside takes no records"},
		{"set aside a whole one", []string{"set-aside", "--file", path}, exitFailed, "the inbox is not damaged"},
		{"no server", []string{"status", "--inbox-socket", path + ".sock"}, exitFailed, "is it running? --file opens"},
		{"no file", []string{"status", "--file", path + ".other"}, exitFailed, "no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out, errOut strings.Builder
			if got := runInbox(t.Context(), tc.args, &out, &errOut); got != tc.wantCode {
				t.Errorf("exit code %d, want %d", got, tc.wantCode)
			}
			if !strings.Contains(errOut.String(), tc.want) || out.Len() > 0 {
				t.Errorf("standard error %q has no %q; standard output %q", errOut.String(), tc.want, out.String())
			}
		})
	}
}
