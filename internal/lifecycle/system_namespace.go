// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"slices"
	"strings"
)

// systemNamespaces are never granted, whatever the prefix.
var systemNamespaces = []string{"default", "kube-system", "kube-public", "kube-node-lease", "completion-system"}

// SystemNamespace reports whether a namespace belongs to the cluster: such a one is neither granted nor revoked.
func SystemNamespace(name string) bool {
	return slices.Contains(systemNamespaces, name) || strings.HasPrefix(name, "kube-") ||
		strings.HasPrefix(name, "openshift-")
}
