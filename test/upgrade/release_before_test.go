// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

// checkout makes a repository with so many commits, each of which names the first one in the file from.
func checkout(t *testing.T, commits int) (root, first string) {
	t.Helper()
	g := NewWithT(t)
	root = t.TempDir()
	run := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=Ana", "GIT_AUTHOR_EMAIL=ana@example.com",
			"GIT_COMMITTER_NAME=Ana", "GIT_COMMITTER_EMAIL=ana@example.com")
		said, err := cmd.CombinedOutput()
		g.Expect(err).NotTo(HaveOccurred(), string(said))
	}
	run("init", "--quiet")
	for range commits {
		run("commit", "--quiet", "--allow-empty", "--message=a change")
		if first == "" {
			var err error
			first, err = git(t.Context(), root, "rev-parse", "HEAD")
			g.Expect(err).NotTo(HaveOccurred())
		}
	}
	folder := filepath.Join(root, "test", "upgrade")
	g.Expect(os.MkdirAll(folder, 0o755)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(folder, "from"), []byte("# a comment\n"+first+"\n"), 0o600)).To(Succeed())
	return root, first
}

func TestReleaseBefore(t *testing.T) {
	g := NewWithT(t)
	root, first := checkout(t, 3)
	g.Expect(commitBefore(t.Context(), root)).To(Equal(first), "no tag")

	second, err := git(t.Context(), root, "rev-parse", "HEAD^")
	g.Expect(err).NotTo(HaveOccurred())
	for tag, at := range map[string]string{"v0.1.0": second, "v0.2.0-rc.1": "HEAD^", "v0.2.0": "HEAD"} {
		_, err = git(t.Context(), root, "tag", tag, at)
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(commitBefore(t.Context(), root)).To(Equal(second), "neither a pre-release nor what HEAD itself is")

	shallow := filepath.Join(t.TempDir(), "shallow")
	said, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", "--depth=1", "--no-tags",
		"file://"+root, shallow).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(said))
	g.Expect(os.CopyFS(filepath.Join(shallow, "test"), os.DirFS(filepath.Join(root, "test")))).To(Succeed())
	_, err = commitBefore(t.Context(), shallow)
	g.Expect(err).To(MatchError(errNotHere))
	g.Expect(err).To(MatchError(ContainSubstring("git fetch --unshallow")))

	g.Expect(os.RemoveAll(filepath.Join(root, ".git"))).To(Succeed())
	_, err = commitBefore(t.Context(), root)
	g.Expect(err).To(MatchError(errNotHere))
	g.Expect(err).To(MatchError(ContainSubstring("no checkout of git")))
}
