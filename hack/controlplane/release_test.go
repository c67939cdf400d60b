// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long something may take on a slow and busy machine before the test gives up.
const patience = 2 * time.Minute

func wantContains(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("got %q, want it to contain %q", text, want)
	}
}

func TestRequiredVersion(t *testing.T) {
	const mod = "module x\n\nrequire example.org/one v1.2.3\n\nrequire (\n\texample.org/two v0.1.0 // indirect\n)\n\n" +
		"replace (\n\texample.org/three => example.org/three v9.9.9\n)\n"
	for _, tc := range []struct{ module, want string }{
		{"example.org/one", "v1.2.3"},
		{"example.org/two", "v0.1.0"},
		{"example.org/three", ""},
		{"example.org", ""},
	} {
		got, err := requiredVersion([]byte(mod), tc.module)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: got %q, %v, want %q", tc.module, got, err, tc.want)
		}
	}
}

func TestStampFlags(t *testing.T) {
	got, err := stampFlags("v1.37.2")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"-s -w ", "-X k8s.io/component-base/version.gitVersion=v1.37.2", "-X k8s.io/component-base/version.gitMinor=37",
		"-X k8s.io/client-go/pkg/version.gitMajor=1",
	} {
		wantContains(t, got, want)
	}
	if _, err := stampFlags("v1.37"); err == nil {
		t.Error("v1.37 was accepted, want an error")
	}
}

func TestCacheFolder(t *testing.T) {
	t.Setenv(cacheEnv, "/from/environment")
	for _, tc := range []struct{ name, flag, want string }{
		{"the flag wins", "/from/flag", "/from/flag"},
		{"then the environment", "", "/from/environment"},
		{"a relative one is refused", "somewhere", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			release, err := newRelease(tc.flag)
			if tc.want == "" {
				if err == nil {
					t.Errorf("got %s, want an error", release.dir)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := filepath.Dir(release.dir); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			wantContains(t, filepath.Base(release.dir), "kubernetes-v1.")
		})
	}
}

func TestCleanKeepsThisReleaseAndWhatIsNotOurs(t *testing.T) {
	release, err := newRelease(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Base(release.dir), "kubernetes-v1.1.1-etcd-v3.0.0-x", "photos"} {
		if err := os.MkdirAll(filepath.Join(release.cache, dir, "content"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := release.clean(t.Output()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(release.cache)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if want := []string{"build.lock", filepath.Base(release.dir), "photos"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSecondBuilderWaitsAndSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "build.lock")
	first, err := lockNow(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockNow(path); !errors.Is(err, errLocked) {
		t.Fatalf("second lock: got %v, want errLocked", err)
	}
	said := make(signalWriter, 1)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		second, err := lockWaiting(t.Context(), path, said)
		if err != nil {
			t.Errorf("waiting: %v", err)
			return
		}
		_ = second.Close()
	})
	select {
	case line := <-said:
		wantContains(t, line, "another process is building")
	case <-time.After(patience):
		t.Error("the second builder does not say that it waits")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
}

// signalWriter passes on what is written while there is room.
type signalWriter chan string

func (w signalWriter) Write(p []byte) (int, error) {
	select {
	case w <- string(p):
	default:
	}
	return len(p), nil
}

func TestFailedBuildShowsWhatTheCompilerSaid(t *testing.T) {
	release, err := newRelease(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	release.programs = []program{{name: "nothing", pkg: kubernetesModule + "/cmd/nothing", version: "v0"}}
	// Neither flags for another build mode nor a module mode of the caller get through.
	t.Setenv("GOFLAGS", "-mod=vendor -race")
	var said bytes.Buffer
	err = release.build(t.Context(), &said)
	if err == nil {
		t.Fatal("a package that does not exist was built")
	}
	wantContains(t, err.Error(), "cmd/nothing")
	wantContains(t, said.String(), "building nothing v0 from source")
	if entries, err := os.ReadDir(release.dir); err != nil || len(entries) > 0 {
		t.Errorf("the failed build left %v (%v), want nothing", entries, err)
	}
}

func TestCancelledBuildEnds(t *testing.T) {
	release, err := newRelease(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := release.build(ctx, t.Output()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
