// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// What all tests share: an API server with the CRDs, and an administrator who may send no unknown field.
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
	if _, err := plane.Kubectl(ctx, "apply", "-f", filepath.Join(root, "config", "crd", "bases")); err != nil {
		return err
	}
	if err := plane.AwaitKinds(ctx); err != nil {
		return err
	}
	made, err := system.NewClient(plane.AdminConfig())
	if err != nil {
		return err
	}
	admin = client.WithFieldValidation(made, "Strict")
	return nil
}

// kind is how one of our kinds is called.
type kind struct{ name, plural, short string }

func kinds() []kind {
	return []kind{
		{"Institution", "institutions", "inst"},
		{"CourseCompletion", "coursecompletions", "cc"},
		{"CompletionPolicy", "completionpolicies", "cpol"},
		{"Grant", "grants", ""},
		{"SeatPool", "seatpools", "spool"},
		{"Seat", "seats", ""},
		{"ErasureRegister", "erasureregisters", ""},
	}
}

// listed reports whether `kubectl get completions` lists a kind: all but what is not for the same readers.
func (k kind) listed() bool { return k.name != "ErasureRegister" }

// object is an object as a person writes it: only what is given is in it.
type object = map[string]any

// written returns an object of our group in the namespace default.
func written(kind, name string, spec object) *unstructured.Unstructured {
	made := &unstructured.Unstructured{Object: object{
		"apiVersion": "completions.lxp.dev/v1alpha1", "kind": kind,
		"metadata": object{"namespace": "default", "name": name},
		"spec":     spec,
	}}
	return made.DeepCopy()
}

// edit changes one field; a nil value takes it away.
type edit struct {
	path  string
	value any
}

func edited(t *testing.T, base *unstructured.Unstructured, edits []edit) *unstructured.Unstructured {
	t.Helper()
	changed := base.DeepCopy()
	for _, e := range edits {
		fields := strings.Split(e.path, ".")
		if e.value == nil {
			unstructured.RemoveNestedField(changed.Object, fields...)
			continue
		}
		NewWithT(t).Expect(unstructured.SetNestedField(changed.Object, e.value, fields...)).To(Succeed())
	}
	return changed
}

// rule is a case of a validation table: what is refused says each of want, what is accepted has none.
type rule struct {
	name  string
	edits []edit
	want  []string
}

func (r rule) check(t *testing.T, err error) {
	t.Helper()
	g := NewWithT(t)
	if len(r.want) == 0 {
		g.Expect(err).NotTo(HaveOccurred())
		return
	}
	g.Expect(err).To(HaveOccurred(), "it was accepted")
	for _, want := range r.want {
		g.Expect(err.Error()).To(ContainSubstring(want))
	}
}

// checkCreates sends each case as a new object, without storing it.
func checkCreates(t *testing.T, base *unstructured.Unstructured, rules []rule) {
	t.Helper()
	for _, tc := range rules {
		t.Run("create/"+tc.name, func(t *testing.T) {
			tc.check(t, admin.Create(t.Context(), edited(t, base, tc.edits), client.DryRunAll))
		})
	}
}

// checkUpdates stores the base, and sends each case as a change of it without storing it.
func checkUpdates(t *testing.T, base *unstructured.Unstructured, rules []rule) {
	t.Helper()
	stored := store(t, base)
	for _, tc := range rules {
		t.Run("update/"+tc.name, func(t *testing.T) {
			tc.check(t, admin.Update(t.Context(), edited(t, stored, tc.edits), client.DryRunAll))
		})
	}
}

// store creates an object until the test ends.
func store(t *testing.T, base *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	stored := base.DeepCopy()
	g := NewWithT(t)
	g.Expect(admin.Create(t.Context(), stored)).To(Succeed())
	t.Cleanup(func() {
		g.Expect(admin.Delete(context.WithoutCancel(t.Context()), stored)).To(Succeed())
	})
	return stored
}

// field returns a field of an object, or says that it is not there.
func field(stored *unstructured.Unstructured, path string) any {
	value, found, err := unstructured.NestedFieldNoCopy(stored.Object, strings.Split(path, ".")...)
	if err != nil || !found {
		return fmt.Sprintf("no %s: %v", path, err)
	}
	return value
}

// list makes a list of one kind of value.
func list[T any](n int, item func(i int) T) []any {
	var values []any
	for i := range n {
		values = append(values, item(i))
	}
	return values
}
