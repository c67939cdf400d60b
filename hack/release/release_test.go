// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

var committed = time.Unix(1_790_000_001, 0).UTC()

// files writes files into a new folder and returns their paths.
func files(t *testing.T, names ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for _, name := range names {
		path := filepath.Join(dir, name)
		mode := os.FileMode(0o644)
		if !strings.Contains(name, ".") {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte("content of "+name+"\n"), mode); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// An archive has to be the same whenever, wherever and by whomever it is made.
func TestArchivesAreReproducible(t *testing.T) {
	for _, name := range []string{"a.tar.gz", "a.zip"} {
		t.Run(name, func(t *testing.T) {
			first, err := makeArchive(name, committed, files(t, "plugin", "LICENSE.txt"))
			if err != nil {
				t.Fatal(err)
			}
			again := files(t, "LICENSE.txt", "plugin")
			for _, path := range again {
				if err := os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
					t.Fatal(err)
				}
			}
			// Another umask.
			for i, mode := range []os.FileMode{0o600, 0o700} {
				if err := os.Chmod(again[i], mode); err != nil {
					t.Fatal(err)
				}
			}
			second, err := makeArchive("b"+filepath.Ext(name), committed, again)
			if name == "a.tar.gz" {
				second, err = makeArchive("b.tar.gz", committed, again)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, second) {
				t.Error("the same files made another archive")
			}
			later, err := makeArchive(name, committed.Add(2*time.Second), again)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(first, later) {
				t.Error("the time of the commit is not in the archive")
			}
		})
	}
}

func TestArchivesThatAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name, archive string
		paths         []string
		want          string
	}{
		{"an unknown kind", "a.rar", files(t, "plugin"), ".tar.gz or .zip"},
		{"two files of one name", "a.zip", append(files(t, "plugin"), files(t, "plugin")...), "same name"},
		{"no file", "a.zip", []string{filepath.Join(t.TempDir(), "none")}, "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := makeArchive(tc.archive, committed, tc.paths); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("want an error that says %q, got %v", tc.want, err)
			}
		})
	}
}

func TestChecksums(t *testing.T) {
	dir := filepath.Dir(files(t, "b.txt", "a.txt", checksumsName)[0])
	got, err := checksums(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%x  a.txt\n%x  b.txt\n",
		sha256.Sum256([]byte("content of a.txt\n")), sha256.Sum256([]byte("content of b.txt\n")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checksums (-want +got):\n%s", diff)
	}
	if _, err := checksums(t.TempDir()); err == nil {
		t.Error("an empty folder has no checksums")
	}
}

func TestKrewManifest(t *testing.T) {
	dir := filepath.Dir(files(t, "kubectl-course_v0.1.0_linux_amd64.tar.gz", "kubectl-course_v0.1.0_windows_arm64.zip",
		"kubectl-course_v0.1.0_linux_amd64.spdx.json", "kubectl-course_v0.0.9_linux_amd64.tar.gz", "install.yaml")[0])
	output := filepath.Join(t.TempDir(), "course.yaml")
	if err := runKrew([]string{"--version", "v0.1.0", "--output", output, dir}, nil, nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Spec struct {
			Version   string
			Platforms []struct {
				Selector struct {
					MatchLabels map[string]string `yaml:"matchLabels"`
				}
				URI, SHA256, Bin string
			}
		}
	}
	if err := yaml.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range manifest.Spec.Platforms {
		sum, err := sha256Of(filepath.Join(dir, filepath.Base(p.URI)))
		if err != nil || sum != p.SHA256 {
			t.Errorf("%s: the checksum is %s, %v, the manifest says %s", p.URI, sum, err, p.SHA256)
		}
		on := p.Selector.MatchLabels
		got = append(got, strings.Join([]string{on["os"], on["arch"], p.Bin, p.URI}, " "))
	}
	want := []string{
		"linux amd64 kubectl-course " + project + "/releases/download/v0.1.0/kubectl-course_v0.1.0_linux_amd64.tar.gz",
		"windows arm64 kubectl-course.exe " + project + "/releases/download/v0.1.0/kubectl-course_v0.1.0_windows_arm64.zip",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	if err := runKrew([]string{"--version", "v0.2.0", "--output", output, dir}, nil, nil); err == nil {
		t.Error("a manifest without platforms was written")
	}
}

func TestSBOM(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	archive := files(t, "plugin.tar.gz")[0]
	s := sbom{
		name: "plugin_linux_amd64", version: "v0.1.0", purpose: "ARCHIVE", created: committed, subject: archive,
		programs: []string{program}, modules: []string{"example.com/Roots v1.2.3+incompatible"},
	}
	document, err := s.document()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]spdxPackage{}
	ids := map[string]bool{document.ID: true}
	for _, p := range document.Packages {
		if ids[p.ID] {
			t.Errorf("two packages are %s", p.ID)
		}
		ids[p.ID], byName[p.Name] = true, p
	}
	for _, r := range document.Relationships {
		if !ids[r.Element] || !ids[r.Related] {
			t.Errorf("%v names what is not there", r)
		}
	}
	if got := byName["stdlib"].References[0].Locator; !strings.HasPrefix(got, "pkg:golang/stdlib@1.") {
		t.Errorf("the standard library is %q", got)
	}
	const roots = "pkg:golang/example.com/roots@v1.2.3%2Bincompatible"
	if got := byName["example.com/Roots"].References[0].Locator; got != roots {
		t.Errorf("a module that no program has is %q", got)
	}
	sum, _ := sha256Of(archive)
	if got := document.Packages[0]; got.Name != s.name || got.Checksums[0].Value != sum {
		t.Errorf("the document is about %+v", got)
	}
	again, err := s.document()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(document, again); diff != "" {
		t.Errorf("the same input made another document:\n%s", diff)
	}
}

func TestSBOMNamesWhatWasLinked(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Deps: []*debug.Module{
		{Path: "example.com/a", Version: "v1.0.0", Sum: "h1:"},
		{Path: "example.com/b", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.0.1"}},
	}}
	var got []string
	for _, p := range linked(info) {
		got = append(got, p.References[0].Locator)
	}
	want := []string{"pkg:golang/stdlib@1.26.8", "pkg:golang/example.com/a@v1.0.0", "pkg:golang/example.com/fork@v1.0.1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

const changelog = `# Changelog

## [Unreleased]

### Added

- What comes next.

## [0.2.0] - 2026-12-01

### Fixed

- A [fault](docs/operations.md#upgrading), see [the spec](https://example.com/spec).

## [0.1.1]

- No date.

## [0.1.0] - 2026-11-01

[Unreleased]: https://example.com/compare/v0.2.0...HEAD
[0.2.0]: https://example.com/releases/v0.2.0
`

func TestReleaseNotes(t *testing.T) {
	for _, tc := range []struct{ version, want, fault string }{
		{version: "v0.2.0", want: "### Fixed\n\n- A [fault](" + project + "/blob/v0.2.0/docs/operations.md#upgrading), " +
			"see [the spec](https://example.com/spec).\n"},
		{version: "v0.3.0-rc.1", want: "### Added\n\n- What comes next.\n"},
		{version: "v0.0.0-dev.gabc", want: "### Added\n\n- What comes next.\n"},
		{version: "v0.3.0", fault: "no section [0.3.0]"},
		{version: "v0.1.1", fault: "no date"},
		{version: "v0.1.0", fault: "is empty"},
	} {
		t.Run(tc.version, func(t *testing.T) {
			got, err := releaseNotes(changelog, tc.version)
			if tc.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fault) {
					t.Errorf("want an error that says %q, got %v", tc.fault, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

// What govulncheck -format openvex writes, shortened.
const found = `{
  "@context": "https://openvex.dev/ns/v0.2.0",
  "@id": "govulncheck/vex:0000",
  "author": "Unknown Author",
  "timestamp": "2026-11-26T10:00:00Z",
  "version": 1,
  "tooling": "https://pkg.go.dev/golang.org/x/vuln/cmd/govulncheck",
  "statements": [
    {
      "vulnerability": {"@id": "https://pkg.go.dev/vuln/GO-2026-0001", "name": "GO-2026-0001"},
      "products": [{"@id": "Unknown Product", "subcomponents": [{"@id": "pkg:golang/example.com/a@v1.0.0"}]}],
      "status": "not_affected",
      "justification": "vulnerable_code_not_in_execute_path",
      "impact_statement": "Govulncheck determined that the vulnerable code isn't called"
    },
    {
      "vulnerability": {"@id": "https://pkg.go.dev/vuln/GO-2026-0002", "name": "GO-2026-0002", "description": "loops"},
      "products": [{"@id": "Unknown Product"}],
      "status": "affected"
    }
  ]
}`

func TestVEX(t *testing.T) {
	const image = "ghcr.io/team/program@sha256:0123"
	args := []string{"--version", "v0.1.0", "--epoch", "1790000001", "--image", image}
	var out bytes.Buffer
	if err := runVEX(args, strings.NewReader(found), &out); err == nil || !strings.Contains(err.Error(), "GO-2026-0002") {
		t.Errorf("want an error that names what the release is affected by, got %v", err)
	}
	out.Reset()
	err := runVEX(append(args, "--action", "GO-2026-0002=Do not send it 2."), strings.NewReader(found), &out)
	if err != nil {
		t.Fatal(err)
	}
	var document vexDocument
	if err := json.Unmarshal(out.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if document.Author != project || !document.Timestamp.Equal(committed) || strings.Contains(out.String(), "Unknown") {
		t.Errorf("got %s", &out)
	}
	const product = "pkg:oci/program@sha256%3A0123?repository_url=ghcr.io/team/program"
	if got := document.Statements[0].Products[0]; got.ID != product || len(got.Subcomponents) != 1 {
		t.Errorf("the product is %+v", got)
	}
	if got := document.Statements[1].ActionStatement; got != "Do not send it 2." {
		t.Errorf("the action is %q", got)
	}
	out.Reset()
	if err := runVEX(args, strings.NewReader(`{"@context": "c", "author": "a"}`), &out); err != nil || out.Len() > 0 {
		t.Errorf("want nothing of a document without statements, got %q, %v", &out, err)
	}
}

func TestCommandsNameWhatIsMissing(t *testing.T) {
	for _, c := range commands() {
		if err := c.run(nil, strings.NewReader(""), &bytes.Buffer{}); err == nil {
			t.Errorf("%s did something without being told what", c.name)
		}
	}
}
