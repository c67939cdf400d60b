// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
)

// The ClusterRoles that config/rbac ships for people.
const (
	RoleViewer           = "completion-viewer"
	RolePolicyAuthor     = "completion-policy-author"
	RoleInstitutionAdmin = "completion-institution-admin"
	RoleOperations       = "completion-operations"
	RoleInboxAdmin       = "completion-inbox-admin"
)

// ExitError ends the program with an exit code other than 1.
type ExitError struct {
	Code int
	// Err is what to print; nil prints nothing.
	Err error
}

// Error returns the message.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns what went wrong.
func (e *ExitError) Unwrap() error { return e.Err }

// Explain says of an error of the API server what to do about it: which role has the right that is missing, or that
// the operator is not installed.
func Explain(err error, role string) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w\nThe ClusterRole %s allows it: ask an administrator to bind you to it in this namespace, "+
			"or for -A by a ClusterRoleBinding", err, role)
	case meta.IsNoMatchError(err):
		return fmt.Errorf("%w\nThe Course Completion Operator is not installed in this cluster: "+
			"see `kubectl course doctor`", err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%w\nThe cluster does not know you: check your kubeconfig", err)
	}
	return err
}

// noConfig is where client-go looks for a cluster when nothing says where one is.
const noConfig = "localhost:8080"

// ExplainConnection says of an API server that does not answer what to do about it.
func ExplainConnection(err error) error {
	failed, ok := errors.AsType[*url.Error](err)
	if !ok {
		return err
	}
	if strings.Contains(failed.URL, noConfig) {
		if files := os.Getenv("KUBECONFIG"); files != "" {
			return fmt.Errorf("%w\nNothing in KUBECONFIG (%s) says where the cluster is: is the file there?", err, files)
		}
		return fmt.Errorf("%w\nNo kubeconfig says where the cluster is: set KUBECONFIG, or give --kubeconfig", err)
	}
	return fmt.Errorf("%w\nThe cluster does not answer: check --context, --server and KUBECONFIG, and whether it runs",
		err)
}

// UsageError means that a command was called wrongly.
type UsageError struct{ Err error }

// Error returns the message.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what was wrong.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// IsUsage reports whether a command was called wrongly.
func IsUsage(err error) bool {
	_, ok := errors.AsType[*UsageError](err)
	return ok
}
