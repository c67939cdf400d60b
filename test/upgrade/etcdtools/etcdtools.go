// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package etcdtools has nothing but its go.mod, which says what etcdctl and etcdutl are built from.
package etcdtools
