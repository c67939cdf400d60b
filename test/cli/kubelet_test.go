// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/test/system"
)

// node has the pods of the webhook servers, see startKubelet. It serves for as long as the tests run.
var (
	node        *system.Node
	nodeStarted sync.Once
)

// startKubelet gives the control plane a node whose kubelet serves logs and runs commands.
func startKubelet(t *testing.T) {
	t.Helper()
	nodeStarted.Do(func() {
		node = system.NewNode(operator)
		NewWithT(t).Expect(node.Register(context.WithoutCancel(t.Context()), admin, false)).To(Succeed())
	})
}
