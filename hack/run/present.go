// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// exampleCompletion and exampleNamespace are what the contract's example becomes with the sample policy.
	exampleCompletion = "12345-123456-11-987654321"
	exampleNamespace  = "grad-987654321"
	exampleUser       = "987654321"
)

// present posts the example, shows what came of it and waits for ctrl-C.
func (s *session) present(ctx context.Context, began time.Time) error {
	if _, err := s.postExample(ctx); err != nil {
		return err
	}
	took, err := s.awaitReady(ctx, exampleCompletion)
	if err != nil {
		return err
	}
	say("the completion is Ready, %s after it was acknowledged", took.Round(time.Millisecond))
	if err := s.show(ctx); err != nil {
		return err
	}
	s.explain(began)
	<-ctx.Done()
	return context.Cause(ctx)
}

// postExample posts the contract's example, byte for byte.
func (s *session) postExample(ctx context.Context) (system.Answer, error) {
	example, err := system.ContractExample()
	if err != nil {
		return system.Answer{}, err
	}
	say("posting the example delivery, as the platform does")
	answer, err := system.Deliver(ctx, s.url, example)
	if err != nil {
		return answer, err
	}
	fmt.Printf("    %s\n", answer)
	return answer, nil
}

// awaitReady returns how long it took from now on until the completion was Ready.
func (s *session) awaitReady(ctx context.Context, name string) (time.Duration, error) {
	began := time.Now()
	err := system.WaitFor(ctx, 30*time.Second, func(ctx context.Context) error {
		var completion v1alpha1.CourseCompletion
		if err := s.client.Get(ctx, client.ObjectKey{Namespace: sampleName, Name: name}, &completion); err != nil {
			return err
		}
		return ready(completion.Status.Conditions)
	})
	if err != nil {
		return 0, fmt.Errorf("completion %s is not Ready: %w; the end of %s:\n%s", name, err,
			s.system.ControllerManager.Log, s.system.ControllerManager.LogTail())
	}
	return time.Since(began), nil
}

// show prints what a person would look at.
func (s *session) show(ctx context.Context) error {
	for _, args := range [][]string{
		{"get", "institutions,completionpolicies,seatpools", "-A"},
		{"get", "cc,grants", "-A"},
		{"get", "namespace", exampleNamespace, "--show-labels"},
		{"get", "resourcequota,limitrange,networkpolicy,rolebinding", "-n", exampleNamespace},
	} {
		output, err := s.cluster.Kubectl(ctx, args...)
		if err != nil {
			return err
		}
		fmt.Printf("\n$ kubectl")
		for _, arg := range args {
			fmt.Printf(" %s", arg)
		}
		fmt.Printf("\n%s", output)
	}
	return s.showPlugin(ctx)
}

// showPlugin shows what the plugin says.
func (s *session) showPlugin(ctx context.Context) error {
	for _, args := range [][]string{
		{"status"},
		{"why", exampleUser},
		{"report", "--by", "course"},
	} {
		args = append(append([]string{"course"}, args...), "-n", sampleName)
		fmt.Printf("\n$ kubectl %s\n", strings.Join(args, " "))
		cmd := exec.CommandContext(ctx, s.kubectl, args...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "KUBERC=off")
		output, err := cmd.CombinedOutput()
		fmt.Printf("%s", output)
		if err != nil {
			return fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}

// explain says how to go on.
func (s *session) explain(began time.Time) {
	kubeconfig, urlFile, kubectl, dir := s.kubeconfig, s.urlFile, s.kubectl, s.dir
	if here, err := os.Getwd(); err == nil {
		for _, path := range []*string{&kubeconfig, &urlFile, &kubectl, &dir} {
			*path = relative(here, *path)
		}
	}
	fmt.Printf(`
Up after %s. The webhook URL, with a token generated for this run:

    %s

In another terminal, in this folder, look at the result, post a delivery, create an institution of your own:

    export KUBECONFIG="$PWD/%s" PATH="$PWD/%s:$PATH"
    kubectl get inst,cpol,cc,grants -A
    kubectl course why %s -n %s
    curl -i -H 'Content-Type: application/json' -d @webhookserver/testdata/contract-example.json "$(cat %s)"
    kubectl course create institution 777 --namespace-prefix uni- --host %s
    kubectl course --help

Withdraw the completion, which revokes what it granted:

    kubectl delete cc -n %s %s

Logs of both programs are in %s. Press Ctrl-C to stop everything.
`, time.Since(began).Round(100*time.Millisecond), s.url, kubeconfig, filepath.Dir(kubectl), exampleUser, sampleName,
		urlFile, s.system.URL, sampleName, exampleCompletion, dir)
}

func relative(base, path string) string {
	if short, err := filepath.Rel(base, path); err == nil {
		return short
	}
	return path
}
