// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package informers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// patience is how long something may take on a slow machine. An informer that has failed a while asks twice a minute.
const patience = 2 * time.Minute

// What all tests share: an API server whose CRDs take what our types do not decode.
var (
	plane *cluster.Cluster
	admin client.Client
)

func TestMain(m *testing.M) {
	os.Exit(cluster.Main(m, cluster.Options{}, func(c *cluster.Cluster) {
		plane = c
		if err := install(context.Background()); err != nil {
			panic(err)
		}
	}))
}

func install(ctx context.Context) error {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := loosened(file)
		if err != nil {
			return err
		}
		if _, err := plane.KubectlInput(ctx, bytes.NewReader(text), "apply", "-f", "-"); err != nil {
			return err
		}
	}
	if err := plane.AwaitKinds(ctx); err != nil {
		return err
	}
	admin, err = system.NewClient(plane.AdminConfig())
	return err
}

// loosened returns a CRD that takes any text for one field that Go has another type for.
func loosened(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var crd unstructured.Unstructured
	if err := yaml.Unmarshal(text, &crd.Object); err != nil {
		return nil, err
	}
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if err != nil {
		return nil, err
	}
	field := map[string]string{"Grant": "endKnownAt", "CompletionPolicy": "suspend"}
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	if name, found := field[kind]; found {
		err := unstructured.SetNestedMap(versions[0].(map[string]any), map[string]any{"type": "string"},
			"schema", "openAPIV3Schema", "properties", "spec", "properties", name)
		if err != nil {
			return nil, err
		}
	}
	if err := unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions"); err != nil {
		return nil, err
	}
	return yaml.Marshal(crd.Object)
}

func written(kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": kind,
		"metadata": map[string]any{"namespace": "default", "name": name}, "spec": spec,
	}}
}

func grant(name, endKnownAt string) *unstructured.Unstructured {
	return written("Grant", name, map[string]any{
		"holder":       map[string]any{"institutionID": int64(1), "userID": int64(4)},
		"accessEndsAt": "2027-01-01T00:00:00Z", "endKnownAt": endKnownAt,
	})
}

const (
	decodes      = "2026-11-01T00:00:00.000000Z"
	decodesNever = "2026-11-01T00:00:00Z"
)

// started returns a cache that runs until the test ends, and its keeper.
func started(t *testing.T, config *rest.Config) (cache.Cache, *Keeper) {
	t.Helper()
	g := NewWithT(t)
	scheme := runtime.NewScheme()
	g.Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	config.QPS = -1
	keeper := New(config, scheme, logr.Discard())
	made, err := cache.New(config, keeper.Options(cache.Options{Scheme: scheme}))
	g.Expect(err).NotTo(HaveOccurred())
	for _, kind := range []client.Object{&v1alpha1.Grant{}, &v1alpha1.CompletionPolicy{}, &v1alpha1.Seat{}} {
		_, err := made.GetInformer(t.Context(), kind, cache.BlockUntilSynced(false))
		g.Expect(err).NotTo(HaveOccurred())
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- made.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		NewWithT(t).Expect(<-ended).To(Succeed())
	})
	return made, keeper
}

func valueOf(t *testing.T, gauge *prometheus.GaugeVec, kind string) float64 {
	t.Helper()
	var read dto.Metric
	NewWithT(t).Expect(gauge.WithLabelValues(kind).Write(&read)).To(Succeed())
	return read.GetGauge().GetValue()
}

func TestAnObjectThatDoesNotDecodeCostsOnlyItself(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	g.SetDefaultEventuallyTimeout(patience)
	good, bad := grant("good", decodes), grant("bad", decodesNever)
	policy := written("CompletionPolicy", "odd", map[string]any{
		"match": map[string]any{"courseIDs": []any{int64(1)}}, "suspend": "later",
		"seats": []any{map[string]any{"pool": "room"}},
	})
	for _, object := range []client.Object{good, bad, policy} {
		g.Expect(admin.Create(ctx, object)).To(Succeed())
		t.Cleanup(func() { _ = admin.Delete(context.WithoutCancel(ctx), object) })
	}
	cached, keeper := started(t, plane.AdminConfig())
	names := func() []string {
		var list v1alpha1.GrantList
		g.Expect(cached.List(ctx, &list)).To(Succeed())
		var names []string
		for _, grant := range list.Items {
			names = append(names, grant.Name)
		}
		return names
	}
	odd := func(kind string) func() float64 {
		return func() float64 { return valueOf(t, keeper.undecodable, kind) }
	}
	g.Expect(cached.WaitForCacheSync(ctx)).To(BeTrue())
	g.Expect(names()).To(ConsistOf("good"))
	g.Expect(odd("Grant")()).To(BeEquivalentTo(1))
	g.Expect(keeper.Check(nil)).To(Succeed())

	// A policy that is absent ends Grants: this one is there, does nothing, and says why.
	var stands v1alpha1.CompletionPolicy
	g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(policy), &stands)).To(Succeed())
	g.Expect(stands.Spec.Suspend).To(HaveValue(BeTrue()))
	g.Expect(WhyUndecodable(&stands)).To(ContainSubstring("suspend"))

	// The informer goes on.
	later := grant("later", decodes)
	g.Expect(admin.Create(ctx, later)).To(Succeed())
	t.Cleanup(func() { _ = admin.Delete(context.WithoutCancel(ctx), later) })
	g.Eventually(names).Should(ConsistOf("good", "later"))

	// What was known stays as it was.
	g.Expect(setKnown(ctx, good, decodesNever)).To(Succeed())
	g.Eventually(odd("Grant")).Should(BeEquivalentTo(2))
	g.Eventually(func(g Gomega) {
		var read v1alpha1.Grant
		g.Expect(cached.Get(ctx, client.ObjectKeyFromObject(good), &read)).To(Succeed())
		g.Expect(Undecodable(&read)).To(BeTrue())
		g.Expect(read.ResourceVersion).To(Equal(good.GetResourceVersion()))
		g.Expect(read.Spec.Holder.UserID).To(BeEquivalentTo(4))
	}).Should(Succeed())

	g.Expect(setKnown(ctx, good, decodes)).To(Succeed())
	g.Expect(setKnown(ctx, bad, decodes)).To(Succeed())
	g.Expect(admin.Delete(ctx, policy)).To(Succeed())
	g.Eventually(names).Should(ConsistOf("good", "later", "bad"))
	g.Eventually(odd("Grant")).Should(BeZero())
	g.Eventually(odd("CompletionPolicy")).Should(BeZero())
}

func setKnown(ctx context.Context, grant *unstructured.Unstructured, at string) error {
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"endKnownAt":"`+at+`"}}`))
	return admin.Patch(ctx, grant, patch)
}

func TestAKindThatCannotBeListedIsKnown(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	g.SetDefaultEventuallyTimeout(patience)
	allow := func(name string, resources ...string) {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{v1alpha1.GroupName}, Resources: resources, Verbs: []string{"list", "watch"}}}}
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "watcher@example.com"}}}
		g.Expect(admin.Create(ctx, role)).To(Succeed())
		g.Expect(admin.Create(ctx, binding)).To(Succeed())
	}
	allow("watches-most", "grants", "completionpolicies")
	config := plane.AdminConfig()
	config.Impersonate.UserName = "watcher@example.com"
	_, keeper := started(t, config)
	g.Eventually(func() error { return keeper.Check(nil) }).Should(MatchError(And(
		ContainSubstring("Seat: "), ContainSubstring("forbidden"), Not(ContainSubstring("Grant")))))
	g.Expect(valueOf(t, keeper.failing, "Seat")).To(BeEquivalentTo(1))
	allow("watches-seats", "seats")
	g.Eventually(func() error { return keeper.Check(nil) }).Should(Succeed())
	g.Expect(valueOf(t, keeper.failing, "Seat")).To(BeZero())
}

// A replica that is not ready because the API server is away would only hide what is wrong.
func TestAnAPIServerThatIsAwayIsNoFaultOfTheProgram(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		away bool
	}{
		"refused":      {&url.Error{Op: "Get", Err: errors.New("connect: connection refused")}, true},
		"busy":         {apierrors.NewTooManyRequests("later", 1), true},
		"etcd is away": {apierrors.NewInternalError(errors.New("etcdserver: request timed out")), true},
		"forbidden": {apierrors.NewForbidden(v1alpha1.GroupVersion.WithResource("seats").GroupResource(), "", nil),
			false},
		"does not decode": {errors.New("json: cannot unmarshal number into Go struct field"), false},
		"a watch that does not decode": {apierrors.FromObject(
			apierrors.NewClientErrorReporter(500, "GET", "ClientWatchDecoding").AsObject(
				errors.New("unable to decode"))), false},
	} {
		t.Run(name, func(t *testing.T) { NewWithT(t).Expect(away(tc.err)).To(Equal(tc.away)) })
	}
}

func TestWhatIsQuotedIsNotTold(t *testing.T) {
	told := discreet(errors.New(`parsing time "ada@example.com": extra text: "\"Ada\""`))
	NewWithT(t).Expect(told).To(Equal(`parsing time "...": extra text: "..."`))
	NewWithT(t).Expect(strings.Contains(discreet(io.EOF), "EOF")).To(BeTrue())
}
