// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A mistake in the configuration is told before anything is asked of a cluster.
func TestConfigurationWithAMistakeKeepsTheProgramFromStarting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "configuration.yaml")
	if err := os.WriteFile(path, []byte("apiVersion: config.completions.lxp.dev/v1alpha1\n"+
		"kind: ControllerManagerConfiguration\ngrantedNamespaces: {network: {dns: [{}]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var o options
	flags := flag.NewFlagSet("controller-manager", flag.ContinueOnError)
	o.bind(flags)
	if err := flags.Parse([]string{"--config=" + path}); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), o)
	if err == nil {
		t.Fatal("it has started")
	}
	for _, want := range []string{"--config", path, "grantedNamespaces.network.dns[0]"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %s in the error, got %v", want, err)
		}
	}
}

func TestFlagsThatAreRefused(t *testing.T) {
	for _, tc := range []struct {
		flag string
		want string
	}{
		{"--zap-log-level=7", ""},
		{"--zap-log-level=debug", ""},
		{"--zap-log-level=8", "--zap-log-level"},
		{"--pod-security-cap=baseline", ""},
		{"--pod-security-cap=none", "--pod-security-cap"},
		{"--allow-workload-objects", ""},
		{"--network-isolation-cap=None", ""},
		{"--network-isolation-cap=none", "--network-isolation-cap"},
		{"--namespace-label-domains=example.com,app.kubernetes.io", ""},
		{"--namespace-label-domains=example.com,x.k8s.io", "--namespace-label-domains"},
		{"--namespace-label-domains=completions.lxp.dev", "--namespace-label-domains"},
		{"--namespace-label-domains=*", "--namespace-label-domains"},
		{"--object-namespaces=shared", ""},
		{"--object-namespaces=shared,kube-system", "--object-namespaces"},
		{"--pprof-address=0", ""},
		{"--pprof-address=127.0.0.1:6060", ""},
		{"--pprof-address=[::1]:6060", ""},
		{"--pprof-address=localhost:6060", ""},
		{"--pprof-address=:6060", "--pprof-address"},
		{"--pprof-address=0.0.0.0:6060", "--pprof-address"},
		{"--pprof-address=[::]:6060", "--pprof-address"},
		{"--pprof-address=10.0.0.1:6060", "--pprof-address"},
		{"--pprof-address=6060", "--pprof-address"},
		{"--workers=0", "--workers"},
		{"--workers=65", "--workers"},
	} {
		t.Run(tc.flag, func(t *testing.T) {
			var o options
			flags := flag.NewFlagSet("controller-manager", flag.ContinueOnError)
			o.bind(flags)
			if err := flags.Parse([]string{tc.flag}); err != nil {
				t.Fatal(err)
			}
			err := o.validate()
			if tc.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("want an error that names %s, got %v", tc.want, err)
			}
		})
	}
}
