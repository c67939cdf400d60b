// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// The requirements travel inside the program, so that its cache key always belongs to what it would build, and it
// builds the same from any working folder.
var (
	//go:embed go.mod
	goMod []byte
	//go:embed go.sum
	goSum []byte
)

// cacheEnv names the cache folder when no flag does.
const cacheEnv = "CONTROLPLANE_CACHE"

const (
	kubernetesModule = "k8s.io/kubernetes"
	etcdModule       = "go.etcd.io/etcd/server/v3"
)

// program is one executable of the control plane.
type program struct {
	name, pkg, version, ldflags string
}

// executable is what the go command calls it.
func (p *program) executable() string {
	name := path.Base(p.pkg)
	if major, found := strings.CutPrefix(name, "v"); found && strings.Trim(major, "0123456789") == "" {
		name = path.Base(path.Dir(p.pkg))
	}
	return name
}

// release is one set of programs and the folder that holds them once built.
type release struct {
	cache, dir string
	programs   []program
}

// newRelease computes the folder from the versions, the platform and the whole recipe; cache may be empty.
func newRelease(cache string) (*release, error) {
	if cache == "" {
		cache = os.Getenv(cacheEnv)
	}
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("no cache folder: set %s or use --cache: %w", cacheEnv, err)
		}
		cache = filepath.Join(user, "course-completion-operator", "controlplane")
	}
	if !filepath.IsAbs(cache) {
		return nil, fmt.Errorf("cache folder %q is relative: give an absolute path (go run -C changes folders)", cache)
	}
	kubernetes, err := requiredVersion(goMod, kubernetesModule)
	if err != nil {
		return nil, err
	}
	etcd, err := requiredVersion(goMod, etcdModule)
	if err != nil {
		return nil, err
	}
	stamp, err := stampFlags(kubernetes)
	if err != nil {
		return nil, err
	}
	programs := []program{
		{name: "etcd", pkg: etcdModule, version: etcd, ldflags: stripFlags},
	}
	for _, p := range []program{{name: "kube-apiserver"}, {name: "kube-controller-manager"}, {name: "kubectl"}} {
		p.pkg, p.version, p.ldflags = kubernetesModule+"/cmd/"+p.name, kubernetes, stamp
		programs = append(programs, p)
	}
	key := fmt.Sprintf("kubernetes-%s-etcd-%s-%s-%s-%s",
		kubernetes, etcd, runtime.GOOS, runtime.GOARCH, recipeHash(programs))
	return &release{cache: cache, dir: filepath.Join(cache, key), programs: programs}, nil
}

// recipeHash covers everything that decides what is built, besides the Go release and whether there is cgo, with and
// without which the programs do the same.
func recipeHash(programs []program) string {
	hash := sha256.New()
	for _, part := range [][]byte{goMod, goSum} {
		fmt.Fprintf(hash, "%d\n", len(part))
		hash.Write(part)
	}
	fmt.Fprintln(hash, buildFlags, buildEnvironment)
	for _, p := range programs {
		fmt.Fprintln(hash, p.name, p.pkg, p.version, p.ldflags)
	}
	return fmt.Sprintf("%x", hash.Sum(nil))[:12]
}

// requiredVersion reads a version from go.mod, the only place where versions are written.
func requiredVersion(mod []byte, module string) (string, error) {
	for line := range strings.Lines(string(mod)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == module && strings.HasPrefix(fields[1], "v") {
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("go.mod of hack/controlplane requires no version of %s", module)
}

const stripFlags = "-s -w"

// stampFlags gives the Kubernetes programs their version: without it they call themselves v0.0.0-master, which
// clients cannot parse.
func stampFlags(version string) (string, error) {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("version %q of %s is not of the form v1.2.3", version, kubernetesModule)
	}
	flags := []string{stripFlags}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, kv := range []string{
			"gitVersion=" + version, "gitMajor=" + parts[0], "gitMinor=" + parts[1],
			"gitCommit=unknown", "gitTreeState=archive",
		} {
			flags = append(flags, "-X "+pkg+"."+kv)
		}
	}
	return strings.Join(flags, " "), nil
}

// path is where a program of the release is, or will be.
func (r *release) path(program string) string { return filepath.Join(r.dir, program) }

// missing lists the programs that are not built yet.
func (r *release) missing() []program {
	return slices.DeleteFunc(slices.Clone(r.programs), func(p program) bool {
		info, err := os.Stat(r.path(p.name))
		return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
	})
}

// build builds what is missing. One builder works at a time in a cache folder; the others wait and then find
// everything there.
func (r *release) build(ctx context.Context, stderr io.Writer) error {
	if len(r.missing()) == 0 {
		return nil
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return fmt.Errorf("creating the cache folder: %w", err)
	}
	lock, err := lockWaiting(ctx, r.lockPath(), stderr)
	if err != nil {
		return err
	}
	defer lock.Close()
	b := &builder{release: r, stderr: stderr}
	return b.buildAll(ctx, r.missing())
}

func (r *release) lockPath() string { return filepath.Join(r.cache, "build.lock") }

// clean removes everything from the cache folder but this release and the lock.
func (r *release) clean(stderr io.Writer) error {
	entries, err := os.ReadDir(r.cache)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the cache folder: %w", err)
	}
	lock, err := lockNow(r.lockPath())
	if err != nil {
		return fmt.Errorf("cleaning the cache folder while a build runs: %w", err)
	}
	defer lock.Close()
	for _, entry := range entries {
		// Only what this program names is removed: a cache folder may be shared by mistake.
		if !strings.HasPrefix(entry.Name(), "kubernetes-v") {
			continue
		}
		folder := filepath.Join(r.cache, entry.Name())
		if folder == r.dir {
			continue
		}
		fmt.Fprintf(stderr, "controlplane: removing %s\n", folder)
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("cleaning the cache folder: %w", err)
		}
	}
	return nil
}
