// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package doctor is `kubectl course doctor`, which looks whether an installation is sound.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// level is how bad a finding is.
type level string

const (
	levelOK      level = "OK"
	levelWarning level = "Warning"
	levelProblem level = "Problem"
)

// finding is what came of one look.
type finding struct {
	Level level `json:"level"`
	// Check is what was looked at.
	Check   string `json:"check"`
	Message string `json:"message"`
	// Help says what to do.
	Help string `json:"help,omitempty"`
}

type options struct {
	*cmdutil.Factory
	output    cmdutil.Output
	webhook   cmdutil.Webhook
	namespace string
	timeout   time.Duration
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the health of the installation",
		Long: templates.LongDesc(`
			Check the health of the installation: the CRDs match this plugin; both programs run, their volumes are bound,
			and one controller-manager leads; both ServiceAccounts have their rights; the admission policies are in place;
			every Institution is Ready; and the clocks agree.

			With --url, it also checks that the webhook answers, from which address this machine arrives there, how
			--trusted-proxies treats that address, and the clock of the replica that answered. The last three come from the
			audit log, and require the ClusterRole completion-operations.

			Each finding is OK, a warning or a problem, and says what to do. What you may not read is a warning: a cluster
			administrator sees everything. The exit code is 1 if there is a problem.`),
		Example: templates.Examples(`
			# Check everything, as a cluster administrator
			kubectl course doctor

			# Check also whether the webhook can be reached from here
			kubectl course doctor --url-file webhook-url`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.webhook.AddFlags(cmd)
	cmd.Flags().StringVar(&o.namespace, "system-namespace", "completion-system", "Namespace of the operator.")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second,
		"The maximum time to wait for an answer of the webhook.")
	o.output.AddFlags(cmd, "Finding")
	return cmd
}

// examination gathers findings.
type examination struct {
	*options
	c        client.Client
	findings []finding
}

func (o *options) run(ctx context.Context) error {
	c, err := o.Client()
	if err != nil {
		return err
	}
	e := &examination{options: o, c: c}
	for _, look := range []func(context.Context) error{
		e.crds, e.programs, e.lease, e.rights, e.admission, e.institutions, e.clock, e.urls,
	} {
		if err := look(ctx); err != nil {
			return err
		}
	}
	if done, err := o.output.Document(o.Out, e.findings); done && err != nil {
		return err
	} else if !done {
		e.print()
	}
	problems := 0
	for _, found := range e.findings {
		if found.Level == levelProblem {
			problems++
		}
	}
	if problems > 0 {
		return fmt.Errorf("%d of %d findings are problems", problems, len(e.findings))
	}
	return nil
}

func (e *examination) print() {
	for _, found := range e.findings {
		fmt.Fprintf(e.Out, "%-8s %s: %s\n", found.Level, found.Check, found.Message)
		if found.Help != "" {
			fmt.Fprintf(e.Out, "         %s\n", strings.ReplaceAll(found.Help, "\n", "\n         "))
		}
	}
}

func (e *examination) ok(check, format string, args ...any) {
	e.findings = append(e.findings, finding{Level: levelOK, Check: check, Message: fmt.Sprintf(format, args...)})
}

func (e *examination) warning(check, help, format string, args ...any) {
	e.findings = append(e.findings, finding{levelWarning, check, fmt.Sprintf(format, args...), help})
}

func (e *examination) problem(check, help, format string, args ...any) {
	e.findings = append(e.findings, finding{levelProblem, check, fmt.Sprintf(format, args...), help})
}

// unseen makes a warning of what may not be looked at, and returns every other error: an API server that does not
// answer says nothing about the installation.
func (e *examination) unseen(check string, err error) error {
	if apierrors.IsForbidden(err) {
		e.warning(check, "ask a cluster administrator", "you may not read it: %v", err)
		return nil
	}
	return fmt.Errorf("%s: %w", check, err)
}
