// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// build builds a kustomization and returns each of its objects, by kind and name.
func build(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	found := map[string][]byte{}
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		found[resource.GetKind()+"/"+resource.GetName()] = text
	}
	return found
}

// with builds an installation with components, in their order.
func with(t *testing.T, components ...string) map[string][]byte {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	here, err := os.Getwd()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	// A kustomization names others by relative paths.
	base, err := filepath.Rel(folder, here)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
	text += fmt.Sprintf("resources: [%s/default]\n", base)
	if len(components) > 0 {
		text += "components:\n"
	}
	for _, component := range components {
		text += fmt.Sprintf("  - %s/components/%s\n", base, component)
	}
	NewWithT(t).Expect(os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600)).To(Succeed())
	return build(t, folder)
}

// read decodes one object strictly.
func read[T any](t *testing.T, objects map[string][]byte, name string) *T {
	t.Helper()
	object := new(T)
	NewWithT(t).Expect(objects).To(HaveKey(name))
	NewWithT(t).Expect(yaml.UnmarshalStrict(objects[name], object)).To(Succeed())
	return object
}

const server = "completion-webhook-server"

func TestTLSComponent(t *testing.T) {
	g := NewWithT(t)
	plain := read[appsv1.StatefulSet](t, with(t), "StatefulSet/"+server).Spec.Template.Spec
	objects := with(t, "ingress", "gateway", "audit-volume", "tls")
	pod := read[appsv1.StatefulSet](t, objects, "StatefulSet/"+server).Spec.Template.Spec
	container := pod.Containers[0]
	g.Expect(container.Args).To(Equal(append(plain.Containers[0].Args,
		"--audit-log=/var/log/completion-webhook-server/audit.jsonl",
		"--tls-cert-file=/etc/completion-webhook-server/tls/tls.crt",
		"--tls-key-file=/etc/completion-webhook-server/tls/tls.key")))
	var mounts []string
	for _, mount := range container.VolumeMounts {
		mounts = append(mounts, mount.Name)
		if mount.Name == "certificate" {
			g.Expect(mount.MountPath).To(Equal("/etc/completion-webhook-server/tls"))
			g.Expect(mount.ReadOnly).To(BeTrue())
		}
	}
	g.Expect(mounts).To(ConsistOf("inbox", "audit", "certificate"))
	g.Expect(pod.Volumes).To(HaveLen(1))
	g.Expect(pod.Volumes[0].Secret.SecretName).To(Equal("completion-webhook-server-certificate"))
	g.Expect(*pod.Volumes[0].Secret.DefaultMode).To(Equal(int32(0o440)))

	ports := read[corev1.Service](t, objects, "Service/"+server).Spec.Ports
	g.Expect(ports).To(HaveLen(1))
	g.Expect(ports[0].Port).To(Equal(int32(443)))
	g.Expect(ports[0].TargetPort.StrVal).To(Equal("http"), "the port of the container")
	backend := read[networkingv1.Ingress](t, objects, "Ingress/"+server).Spec.Rules[0].HTTP.Paths[0].Backend
	g.Expect(backend.Service.Port.Name).To(Equal(ports[0].Name))
	g.Expect(string(objects["HTTPRoute/"+server])).To(ContainSubstring("port: 443"))
}

func TestTrustedProxiesComponent(t *testing.T) {
	g := NewWithT(t)
	const argument = "--trusted-proxies=$(TRUSTED_PROXIES)"
	value := func(objects map[string][]byte) string {
		container := read[appsv1.StatefulSet](t, objects, "StatefulSet/"+server).Spec.Template.Spec.Containers[0]
		g.Expect(container.Args).To(ContainElement(argument))
		at := slices.IndexFunc(container.Env, func(e corev1.EnvVar) bool { return e.Name == "TRUSTED_PROXIES" })
		g.Expect(at).To(BeNumerically(">=", 0))
		return container.Env[at].Value
	}
	g.Expect(value(with(t, "trusted-proxies"))).To(Equal("192.0.2.1"), "an address of documentation: nobody's")
	g.Expect(value(build(t, "examples/trusted-proxies"))).To(Equal("10.20.0.0/28,10.20.1.7"), "what the overlay says")
	both := with(t, "trusted-proxies", "tls")
	g.Expect(value(both)).NotTo(BeEmpty())
	g.Expect(string(both["StatefulSet/"+server])).To(ContainSubstring("--tls-cert-file="))
}

// A replica that goes takes deliveries along until somebody drains its inbox, and a role names the pods.
func TestAutoscalingOnlyAddsWhatTheInboxAdminCanReach(t *testing.T) {
	g := NewWithT(t)
	objects := with(t, "autoscaling")
	autoscaler := read[autoscalingv2.HorizontalPodAutoscaler](t, objects, "HorizontalPodAutoscaler/"+server)
	g.Expect(objects).To(HaveKey(autoscaler.Spec.ScaleTargetRef.Kind + "/" + autoscaler.Spec.ScaleTargetRef.Name))
	g.Expect(autoscaler.Spec.Behavior.ScaleDown.SelectPolicy).To(HaveValue(Equal(autoscalingv2.DisabledPolicySelect)))
	named := 0
	for _, rule := range read[rbacv1.ClusterRole](t, objects, "ClusterRole/completion-inbox-admin").Rules {
		for _, name := range rule.ResourceNames {
			if strings.HasPrefix(name, server+"-") && slices.Contains(rule.Resources, "pods/exec") {
				named++
			}
		}
	}
	g.Expect(autoscaler.Spec.MaxReplicas).To(BeNumerically("==", named))
}

// Whatever is put together, every component builds, and each example does.
func TestComponentsAndExamplesBuild(t *testing.T) {
	components, err := filepath.Glob("components/*/kustomization.yaml")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(components).NotTo(BeEmpty())
	for _, component := range components {
		name := filepath.Base(filepath.Dir(component))
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(len(with(t, name))).To(BeNumerically(">", 10))
		})
	}
	examples, err := filepath.Glob("examples/*/kustomization.yaml")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, example := range examples {
		folder := filepath.Dir(example)
		t.Run(filepath.Base(folder), func(t *testing.T) { NewWithT(t).Expect(build(t, folder)).NotTo(BeEmpty()) })
	}
}
