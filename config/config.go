// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package config has the manifests that an installation is made of, for programs that look whether one is sound.
package config

import "embed"

// CRDs, RBAC and Admission are the folders crd/bases, rbac and admission.
var (
	//go:embed crd/bases/*.yaml
	CRDs embed.FS
	//go:embed rbac/*.yaml
	RBAC embed.FS
	//go:embed admission/*.yaml
	Admission embed.FS
)
