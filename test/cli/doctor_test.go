// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// finding is one of `kubectl course doctor`.
type finding struct{ Level, Check, Message, Help string }

// findings runs the doctor, and returns what it finds by what it looked at.
func (p *person) findings(args ...string) (map[string]finding, result) {
	p.t.Helper()
	got := p.course(append([]string{"doctor", "-o", "json"}, args...)...)
	var all struct{ Items []finding }
	if err := json.Unmarshal([]byte(got.out), &all); err != nil {
		p.t.Fatalf("%v: %s", err, got)
	}
	byCheck := make(map[string]finding)
	for _, one := range all.Items {
		byCheck[one.Check] = one
	}
	return byCheck, got
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	startKubelet(t)
	school, broken := openSchool(t), openSchool(t)
	var institution v1alpha1.Institution
	key := client.ObjectKey{Namespace: broken.Namespace, Name: "institution"}
	g.Expect(admin.Get(t.Context(), key, &institution)).To(Succeed())
	institution.Spec.Authentication.TokenSecretRefs[0].Name = "another"
	g.Expect(admin.Update(t.Context(), &institution)).To(Succeed())
	g.Eventually(func(g Gomega) {
		found, got := administrator(t).findings("--url", school.URLs[0], "--url", broken.URLs[0]+"x")
		g.Expect(got.code).To(Equal(1))
		g.Expect(found[fmt.Sprintf("Institution %s/institution", broken.Namespace)]).To(And(
			HaveField("Level", "Problem"), HaveField("Message", HavePrefix("TokenNotFound"))))
	}, soon, often).Should(Succeed())

	found, got := administrator(t).findings("--url", school.URLs[0], "--url", broken.URLs[0]+"x")
	g.Expect(got.err).To(MatchRegexp(`^error: \d+ of \d+ findings are problems\n$`))
	for _, check := range []string{
		"CRD coursecompletions.completions.lxp.dev", "CRD institutions.completions.lxp.dev",
		"CRD grants.completions.lxp.dev", "CRD completionpolicies.completions.lxp.dev",
		"CRD seatpools.completions.lxp.dev", "CRD seats.completions.lxp.dev", "CRD erasureregisters.completions.lxp.dev",
		"leader of completion-controller-manager", "clocks",
		"rights of ServiceAccount completion-controller-manager (ClusterRole completion-controller-manager)",
		"rights of ServiceAccount completion-controller-manager (Role completion-leader-election)",
		"rights of ServiceAccount completion-webhook-server (ClusterRole completion-webhook-server)",
		"admission policy completion-owner-label", "admission policy completion-planned-grants",
		"admission policy completion-provisioned-objects", "admission policy completion-recorded-completions",
		"admission policy completion-granted-namespaces", "admission policy completion-institution-secrets",
		fmt.Sprintf("Institution %s/institution", school.Namespace),
		fmt.Sprintf("webhook URL 1 of institution %d", school.ID),
	} {
		g.Expect(found[check]).To(HaveField("Level", "OK"), "%s: %v", check, found[check])
	}
	// How the call arrived is in the audit log of the replica that answered.
	g.Expect(found[fmt.Sprintf("address of this machine at webhook URL 1 of institution %d", school.ID)]).To(And(
		HaveField("Level", "OK"), HaveField("Message", HavePrefix("is 127.0.0.1, without a trusted proxy"))))
	g.Expect(found["clock of completion-webhook-server-0"]).To(And(
		HaveField("Level", "OK"), HaveField("Message", "the pod and this machine agree")))
	// Pods do not get Ready here, since their node runs nothing.
	for _, check := range []string{
		"completion-controller-manager", "completion-webhook-server", "volume inbox-completion-webhook-server-0",
	} {
		g.Expect(found[check]).To(And(HaveField("Level", "Problem"), HaveField("Help", Not(BeEmpty()))), check)
	}
	g.Expect(found[fmt.Sprintf("webhook URL 1 of institution %d", broken.ID)]).To(And(
		HaveField("Level", "Problem"), HaveField("Message", HavePrefix("401"))))
	g.Expect(got.out + got.err).NotTo(ContainSubstring(school.URLs[0]))
	g.Expect(administrator(t).course("doctor").out).To(MatchRegexp(
		`(?m)^Problem  completion-webhook-server: 0 of 2 pods are Ready\n {9}kubectl describe pods -n completion-system`))

	// Where nothing is installed nobody has a right, and each finding says what to do.
	found, got = administrator(t).findings("--system-namespace", "default")
	g.Expect(got.code).To(Equal(1))
	for _, check := range []string{"completion-controller-manager", "completion-webhook-server"} {
		g.Expect(found[check]).To(And(HaveField("Level", "Problem"),
			HaveField("Message", "is not installed in namespace default"),
			HaveField("Help", ContainSubstring("apply config/default"))))
		g.Expect(found["rights of ServiceAccount "+check+" (ClusterRole "+check+")"]).To(And(HaveField("Level", "Problem"),
			HaveField("Message", MatchRegexp(`^\d+ of \d+ are missing: .*list .*\.completions\.lxp\.dev`)),
			HaveField("Help", ContainSubstring("config/rbac"))))
	}

	// Who sees an institution alone is told what to ask for.
	found, got = school.with("completion-viewer").findings()
	g.Expect(got.code).To(Equal(0), got.String())
	g.Expect(found["Institutions of all namespaces"]).To(And(
		HaveField("Level", "Warning"), HaveField("Message", ContainSubstring("forbidden"))))
	g.Expect(found[fmt.Sprintf("Institution %s/institution", school.Namespace)]).To(HaveField("Level", "OK"))
	g.Expect(found["clocks"]).To(HaveField("Level", "OK"))
	found, _ = school.with("completion-viewer").findings("--url", school.URLs[0])
	g.Expect(found[fmt.Sprintf("address of this machine at webhook URL 1 of institution %d", school.ID)]).To(And(
		HaveField("Level", "Warning"), HaveField("Message", ContainSubstring("forbidden"))))
}

// A CRD of another release is a warning that names what differs. This runs alone: the CRDs are those of every test.
func TestDoctorNamesWhatDiffersInACRD(t *testing.T) {
	g := NewWithT(t)
	scheme := runtime.NewScheme()
	g.Expect(apiextensionsv1.AddToScheme(scheme)).To(Succeed())
	c, err := client.New(plane.AdminConfig(), client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())
	const older, newer = "apply config/crd of the release of this plugin, before the programs", "after a downgrade"
	type version = apiextensionsv1.CustomResourceDefinitionVersion
	type schema = apiextensionsv1.JSONSchemaProps
	field := func(v *version, name string) *schema { return new(v.Schema.OpenAPIV3Schema.Properties[name]) }
	for name, tc := range map[string]struct {
		crd           string
		edit          func(*version)
		message, help string
	}{
		"an older one": {"seatpools", func(v *version) { delete(field(v, "status").Properties, "waiting") },
			"it lacks status.waiting", older},
		"a newer one": {"seatpools", func(v *version) { field(v, "status").Properties["later"] = schema{Type: "string"} },
			"it also has status.later", newer},
		"another bound": {"seatpools", func(v *version) {
			*field(v, "spec").Properties["capacity"].Maximum = 7
		}, "it has another definition of spec.capacity", older},
		"another rule in a list": {"seatpools", func(v *version) {
			conditions := field(v, "status").Properties["conditions"].Items.Schema
			conditions.Properties["reason"] = schema{Type: "string"}
		}, "it has another definition of status.conditions[].reason", older},
		"without a selectable field": {"seats", func(v *version) {
			v.SelectableFields = v.SelectableFields[:1]
		}, "it lacks the selectable field spec.grant", older},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			var crd apiextensionsv1.CustomResourceDefinition
			key := client.ObjectKey{Name: tc.crd + ".completions.lxp.dev"}
			g.Expect(c.Get(t.Context(), key, &crd)).To(Succeed())
			before := crd.Spec.DeepCopy()
			tc.edit(&crd.Spec.Versions[0])
			g.Expect(c.Update(t.Context(), &crd)).To(Succeed())
			defer func() {
				g.Expect(c.Get(t.Context(), key, &crd)).To(Succeed())
				crd.Spec = *before
				g.Expect(c.Update(t.Context(), &crd)).To(Succeed())
				found, _ := administrator(t).findings()
				g.Expect(found["CRD "+key.Name]).To(And(HaveField("Level", "OK"), HaveField("Message", "matches this plugin")))
			}()
			found, _ := administrator(t).findings()
			g.Expect(found["CRD "+key.Name]).To(And(HaveField("Level", "Warning"),
				HaveField("Message", "does not match this plugin: "+tc.message),
				HaveField("Help", ContainSubstring(tc.help))))
		})
	}
}
