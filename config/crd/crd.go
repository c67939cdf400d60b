// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crd holds the definitions of the kinds, for programs that need what the schemas say.
package crd

import _ "embed"

// CompletionPolicies defines CompletionPolicy.
//
//go:embed bases/completions.lxp.dev_completionpolicies.yaml
var CompletionPolicies []byte

// Institutions defines Institution.
//
//go:embed bases/completions.lxp.dev_institutions.yaml
var Institutions []byte
