// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// profiling says whether programs show profiles, and where these go.
type profiling struct {
	// dir gets a folder of profiles for each load; empty for none.
	dir string
	// address is where the controller-manager shows them to others; empty or 0 for nowhere.
	address string
}

// profileWindow is how long one profile is. A load that takes longer has several, which go tool pprof adds up.
const profileWindow = 5 * time.Second

// profiled is a program whose profiles are taken.
type profiled struct {
	name, url string
	client    *http.Client
	// kinds are those of the profiles, by what a file is called.
	kinds map[string]string
	// runs tells whether it does: some figures stop the controller-manager.
	runs func() bool
}

// arguments returns what has both programs show their profiles.
func (p *profiling) arguments() (manager, server []string, err error) {
	if p.dir == "" {
		if p.address != "" && p.address != "0" {
			manager = append(manager, "--pprof-address="+p.address)
		}
		return manager, nil, nil
	}
	free := make([]string, 2)
	for i := range free {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer listener.Close()
		free[i] = listener.Addr().String()
	}
	return []string{"--pprof-address=" + free[0]}, []string{"--pprof-address=" + free[1]}, nil
}

// profiledPrograms returns the programs whose profiles are taken, given the arguments of ours.
func (w *world) profiledPrograms(manager, server []string) ([]profiled, error) {
	api, err := rest.HTTPClientFor(w.plane.AdminConfig())
	if err != nil {
		return nil, err
	}
	kinds := map[string]string{"cpu": "profile", "allocs": "allocs", "mutex": "mutex"}
	at := func(arguments []string) string {
		return "http://" + strings.TrimPrefix(arguments[0], "--pprof-address=")
	}
	return []profiled{
		{"controller-manager", at(manager), http.DefaultClient, kinds,
			func() bool { return w.system.ControllerManager.PID() != 0 }},
		{"webhook-server", at(server), http.DefaultClient, kinds, func() bool { return true }},
		// It counts who waits for locks together with who waits for anything else.
		{"kube-apiserver", w.plane.AdminConfig().Host, api,
			map[string]string{"cpu": "profile", "allocs": "allocs", "block": "block"}, func() bool { return true }},
	}, nil
}

// underLoad does something, and takes profiles meanwhile if there is a folder for them.
func (w *world) underLoad(ctx context.Context, do func() error) error {
	if len(w.profiled) == 0 {
		return do()
	}
	dir := filepath.Join(w.profiles.dir, w.figure)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of profiles: %w", err)
	}
	over := make(chan struct{})
	var taking sync.WaitGroup
	var mu sync.Mutex
	var failures []error
	for _, program := range w.profiled {
		if !program.runs() {
			continue
		}
		for name, kind := range program.kinds {
			taking.Go(func() {
				err := program.take(ctx, dir, name, kind, over)
				mu.Lock()
				defer mu.Unlock()
				failures = append(failures, err)
			})
		}
	}
	err := do()
	close(over)
	taking.Wait()
	return errors.Join(append(failures, err)...)
}

// take takes profiles of one kind, one after the other, until the load is over.
func (p *profiled) take(ctx context.Context, dir, name, kind string, over <-chan struct{}) error {
	for {
		path := filepath.Join(dir, fmt.Sprintf("%s.%s.%d.pb.gz", p.name, name, time.Now().UnixMilli()))
		if err := p.fetch(ctx, kind, path); err != nil {
			return fmt.Errorf("taking the profile %s of %s: %w", kind, p.name, err)
		}
		select {
		case <-over:
			return nil
		default:
		}
	}
}

func (p *profiled) fetch(ctx context.Context, kind, path string) error {
	url := fmt.Sprintf("%s/debug/pprof/%s?seconds=%.0f", p.url, kind, profileWindow.Seconds())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, response.Body)
	return errors.Join(err, file.Close())
}
