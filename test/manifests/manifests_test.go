// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifests has a real API server check every object in config, those of other projects' kinds included: Argo
// CD, Flux, the Gateway API, the Prometheus operator and cert-manager. Their CRDs come from their Go modules.
package manifests

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/modules"
)

const config = "../../config"

// others are the projects whose kinds are in config, and where their modules have the CRDs.
var others = []struct {
	modules.Module
	crds []string
}{
	{modules.Module{
		Path: "github.com/argoproj/argo-cd/v3", Version: "v3.5.7",
		Sum: "h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0=",
	}, []string{"manifests/crds/application-crd.yaml"}},
	{modules.Module{
		Path: "github.com/fluxcd/kustomize-controller", Version: "v1.9.6",
		Sum: "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=",
	}, []string{"config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml"}},
	{modules.Module{
		Path: "github.com/fluxcd/source-controller", Version: "v1.9.6",
		Sum: "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc=",
	}, []string{"config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml"}},
	{modules.Module{
		Path: "sigs.k8s.io/gateway-api", Version: "v1.6.3",
		Sum: "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
	}, []string{"config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"}},
	{modules.Module{
		Path: "github.com/prometheus-operator/prometheus-operator", Version: "v0.85.0",
		Sum: "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
	}, []string{
		"example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
		"example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
	}},
	{modules.Module{
		Path: "github.com/cert-manager/cert-manager", Version: "v1.21.2",
		Sum: "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=",
	}, []string{"deploy/crds/cert-manager.io_certificates.yaml"}},
}

var plane *cluster.Cluster

func TestMain(m *testing.M) {
	os.Exit(cluster.Main(m, cluster.Options{}, func(c *cluster.Cluster) { plane = c }))
}

// TestEveryObject: the API server takes each object as it is, and knows each of its fields.
func TestEveryObject(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	g.Expect(installCRDs(ctx)).To(Succeed())
	objects := shipped(t)
	namespaces, kinds := map[string]bool{}, map[string]int{}
	for _, place := range objects {
		for _, o := range place {
			namespaces[o.GetNamespace()] = true
			kinds[o.GroupVersionKind().Group+"/"+o.GetKind()]++
		}
	}
	delete(namespaces, "")
	for _, namespace := range slices.Sorted(maps.Keys(namespaces)) {
		_, err := plane.KubectlInput(ctx, strings.NewReader(
			"{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}"), "apply", "--server-side", "-f", "-")
		g.Expect(err).NotTo(HaveOccurred())
	}
	for _, place := range slices.Sorted(maps.Keys(objects)) {
		text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects[place]})
		g.Expect(err).NotTo(HaveOccurred())
		_, err = plane.KubectlInput(ctx, bytes.NewReader(text), "apply", "--server-side", "--force-conflicts",
			"--dry-run=server", "--validate=strict", "-f", "-")
		if err != nil {
			t.Errorf("%s: %v", place, err)
		}
	}
	for _, kind := range []string{
		"argoproj.io/Application", "kustomize.toolkit.fluxcd.io/Kustomization", "source.toolkit.fluxcd.io/GitRepository",
		"gateway.networking.k8s.io/HTTPRoute", "networking.k8s.io/Ingress", "cert-manager.io/Certificate",
		"monitoring.coreos.com/ServiceMonitor", "monitoring.coreos.com/PrometheusRule",
		"autoscaling/HorizontalPodAutoscaler", "completions.lxp.dev/CompletionPolicy",
	} {
		g.Expect(kinds).To(HaveKey(kind), "nobody looked at it")
	}
}

func installCRDs(ctx context.Context) error {
	if _, err := plane.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(config, "crd")); err != nil {
		return err
	}
	for _, other := range others {
		files, err := other.Files(ctx, other.crds...)
		if err != nil {
			return err
		}
		if _, err := plane.Kubectl(ctx, "apply", "--server-side", "-f", strings.Join(files, ",")); err != nil {
			return err
		}
	}
	return plane.AwaitKinds(ctx)
}

// shipped returns the objects of all kustomizations and of the files that are in none, each once, by where they are.
func shipped(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	g := NewWithT(t)
	found, seen := map[string][]*unstructured.Unstructured{}, map[string]bool{}
	for _, folder := range append(kustomizations(t), allComponents(t), filesOf(t, "argocd"), filesOf(t, "flux")) {
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
		g.Expect(err).NotTo(HaveOccurred(), folder)
		for _, object := range built.Resources() {
			text, err := object.MarshalJSON()
			g.Expect(err).NotTo(HaveOccurred())
			if seen[string(text)] {
				continue
			}
			seen[string(text)] = true
			o := &unstructured.Unstructured{}
			g.Expect(o.UnmarshalJSON(text)).To(Succeed(), folder)
			found[folder] = append(found[folder], o)
		}
	}
	return found
}

// kustomizations returns the folders that kustomize builds.
func kustomizations(t *testing.T) []string {
	t.Helper()
	var found []string
	NewWithT(t).Expect(filepath.WalkDir(config, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "kustomization.yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if !strings.Contains(string(text), "kind: Component") {
			found = append(found, filepath.Dir(path))
		}
		return err
	})).To(Succeed())
	return found
}

// allComponents makes an installation with every component.
func allComponents(t *testing.T) string {
	t.Helper()
	g := NewWithT(t)
	folder, err := filepath.EvalSymlinks(t.TempDir())
	g.Expect(err).NotTo(HaveOccurred())
	here, err := filepath.Abs(config)
	g.Expect(err).NotTo(HaveOccurred())
	// A kustomization names others by relative paths.
	base, err := filepath.Rel(folder, here)
	g.Expect(err).NotTo(HaveOccurred())
	components, err := filepath.Glob(filepath.Join(config, "components", "*"))
	g.Expect(err).NotTo(HaveOccurred())
	text := "resources: [" + base + "/default]\ncomponents:\n"
	for _, component := range components {
		text += "  - " + base + "/components/" + filepath.Base(component) + "\n"
	}
	g.Expect(os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600)).To(Succeed())
	return folder
}

// filesOf makes a kustomization of what a GitOps tool is given, which is no part of one.
func filesOf(t *testing.T, tool string) string {
	t.Helper()
	g := NewWithT(t)
	folder := filepath.Join(t.TempDir(), tool)
	g.Expect(os.Mkdir(folder, 0o700)).To(Succeed())
	files, err := filepath.Glob(filepath.Join(config, "examples", "gitops", tool, "*.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	list := "resources:\n"
	for _, file := range files {
		text, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(os.WriteFile(filepath.Join(folder, filepath.Base(file)), text, 0o600)).To(Succeed())
		list += "  - " + filepath.Base(file) + "\n"
	}
	g.Expect(os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(list), 0o600)).To(Succeed())
	return folder
}
