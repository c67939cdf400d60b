/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
