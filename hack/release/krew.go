// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

var krewManifest = template.Must(template.New("krew").Parse(`apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: course
spec:
  version: {{.Version}}
  homepage: {{.Homepage}}
  shortDescription: Follow course completions and what they grant
  description: |
    For clusters with the Course Completion Operator, where a learning platform
    reports who completed which course, and policies say what that grants:
    namespaces, seats and other objects. Opens institutions, writes and previews
    policies, explains why somebody has access or has none, and makes exceptions.
  platforms:
{{- range .Platforms}}
    - selector:
        matchLabels:
          os: {{.OS}}
          arch: {{.Arch}}
      uri: {{.URI}}
      sha256: {{.SHA256}}
      bin: {{.Bin}}
{{- end}}
`))

// krewPlatform is one archive of the plugin.
type krewPlatform struct {
	OS, Arch, URI, SHA256, Bin string
}

func runKrew(args []string, _ io.Reader, _ io.Writer) error {
	flags, parse := flagSet("krew")
	version := flags.String("version", "", "the version of the release, such as v0.1.0")
	output := flags.String("output", "", "the manifest to write")
	if err := parse(args, "version", "output"); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("name the folder with the archives")
	}
	platforms, err := krewPlatforms(flags.Arg(0), *version)
	if err != nil {
		return err
	}
	var manifest bytes.Buffer
	err = krewManifest.Execute(&manifest, struct {
		Version, Homepage string
		Platforms         []krewPlatform
	}{*version, project, platforms})
	if err != nil {
		return err
	}
	return os.WriteFile(*output, manifest.Bytes(), 0o644)
}

// krewPlatforms finds the archives of a version, and what the manifest says of them.
func krewPlatforms(dir, version string) ([]krewPlatform, error) {
	prefix := fmt.Sprintf("kubectl-course_%s_", version)
	found, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(found)
	var platforms []krewPlatform
	for _, path := range found {
		name := filepath.Base(path)
		platform, archived := strings.CutSuffix(name, ".tar.gz")
		if !archived {
			platform, archived = strings.CutSuffix(name, ".zip")
		}
		goos, goarch, ok := strings.Cut(strings.TrimPrefix(platform, prefix), "_")
		if !archived || !ok {
			continue
		}
		sum, err := sha256Of(path)
		if err != nil {
			return nil, err
		}
		bin := "kubectl-course"
		if goos == "windows" {
			bin += ".exe"
		}
		platforms = append(platforms, krewPlatform{
			OS: goos, Arch: goarch, URI: assetURL(version, name), SHA256: sum, Bin: bin,
		})
	}
	if len(platforms) == 0 {
		return nil, fmt.Errorf("no archive of the plugin at %s in %s: run make release-archives", version, dir)
	}
	return platforms, nil
}
