// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// release is a version of the operator: the folder with its manifests, and that with its programs.
type release struct{ root, bin string }

// git runs git in the checkout and returns what it prints.
func git(ctx context.Context, root string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...).Output()
	return strings.TrimSpace(string(out)), err
}

// errNotHere says why the release before cannot be had from this checkout.
var errNotHere = errors.New("the release before is not here")

// commitBefore returns the commit of the release before this version: the latest tag below it that is no pre-release,
// or what the file from names.
func commitBefore(ctx context.Context, root string) (string, error) {
	// A source archive may lie in a checkout of something else.
	if prefix, err := git(ctx, root, "rev-parse", "--show-prefix"); err != nil || prefix != "" {
		return "", fmt.Errorf("%w: this is no checkout of git", errNotHere)
	}
	tag, err := git(ctx, root, "describe", "--tags", "--abbrev=0", "--match=v[0-9]*", "--exclude=*-*", "HEAD^")
	name := tag
	if err != nil {
		if name, err = named(filepath.Join(root, "test", "upgrade", "from")); err != nil {
			return "", err
		}
	}
	commit, err := git(ctx, root, "rev-parse", "--verify", "--quiet", name+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("%w: this clone has not %s: git fetch --unshallow --tags", errNotHere, name)
	}
	return commit, nil
}

// named returns the one line of a file that is no comment.
func named(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 {
		return "", fmt.Errorf("%s names %d commits, want one", path, len(lines))
	}
	return lines[0], nil
}

// before builds the release before this version. Where this checkout does not have it, it is this version itself: every
// step is still taken, and what must not change still must not.
func before(t *testing.T) release {
	t.Helper()
	root, err := cluster.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	commit, err := commitBefore(t.Context(), root)
	if errors.Is(err, errNotHere) {
		t.Logf("upgrading from this version to itself: %v", err)
		return this
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Log("the release before is commit", commit)
	r := release{root: filepath.Join(t.TempDir(), "before")}
	if err := extract(t.Context(), root, commit, r.root); err != nil {
		t.Fatal(err)
	}
	if r.bin, err = built(t.Context(), commit, r.root, t.Output()); err != nil {
		t.Fatal(err)
	}
	return r
}

// extract puts the files of a commit into a folder.
func extract(ctx context.Context, root, commit, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	archive := dir + ".tar"
	if _, err := git(ctx, root, "archive", "--format=tar", "--output="+archive, commit); err != nil {
		return fmt.Errorf("taking the files of commit %s: %w", commit, err)
	}
	defer os.Remove(archive)
	if said, err := exec.CommandContext(ctx, "tar", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("unpacking commit %s: %w: %s", commit, err, said)
	}
	return nil
}

// built returns the folder with the programs of a commit, whose files are in root. They are kept in the user's cache,
// since they never change, and building them takes longer than the test.
func built(ctx context.Context, commit, root string, output io.Writer) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder: %w", err)
	}
	key := sha256.Sum256([]byte(commit + runtime.Version() + runtime.GOOS + runtime.GOARCH))
	folder := filepath.Join(cache, "course-completion-operator", "upgrade")
	bin := filepath.Join(folder, fmt.Sprintf("%x", key[:8]))
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	// Built elsewhere and moved: who sees the folder under its name sees all of it.
	temporary, err := os.MkdirTemp(folder, ".build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	if err := system.BuildFrom(ctx, root, temporary, output); err != nil {
		return "", fmt.Errorf("building the release before: %w", err)
	}
	if err := os.Rename(temporary, bin); err != nil {
		if _, others := os.Stat(bin); others == nil {
			return bin, nil // another run was faster
		}
		return "", err
	}
	return bin, nil
}

// this is the version of this checkout, see TestMain.
var this release

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds this version once for all tests, and returns their exit code.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "upgrade-")
	if err == nil {
		defer os.RemoveAll(dir)
		this.bin = dir
		this.root, err = cluster.RepositoryRoot()
	}
	if err == nil {
		err = system.BuildFrom(context.Background(), this.root, this.bin, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
