// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/controllers"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/slim"
)

// number stands in the objects of testdata for the person, as the operator and the API server wrote them.
const number = "7000001"

// kinds has an empty object of each kind of testdata, and how many bytes one of them may take in the cache with its
// places in the indexes, a tenth more than it does.
var kinds = map[string]struct {
	empty client.Object
	most  float64
}{
	"coursecompletion": {&v1alpha1.CourseCompletion{}, 2070},
	"grant":            {&v1alpha1.Grant{}, 4000},
	"namespace":        {&corev1.Namespace{}, 2000},
	"resourcequota":    {&corev1.ResourceQuota{}, 1980},
	"limitrange":       {&corev1.LimitRange{}, 1950},
	"networkpolicy":    {&networkingv1.NetworkPolicy{}, 2100},
	"rolebinding":      {&rbacv1.RoleBinding{}, 2170},
}

func textOf(t *testing.T, kind string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", kind+".json"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	var object map[string]any
	NewWithT(t).Expect(utiljson.Unmarshal(content, &object)).To(Succeed())
	compact, err := json.Marshal(object)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return string(compact)
}

// decoded returns an object as an informer decodes it.
func decoded(t *testing.T, text string, empty client.Object) client.Object {
	t.Helper()
	object := reflect.New(reflect.TypeOf(empty).Elem()).Interface().(client.Object)
	NewWithT(t).Expect(utiljson.Unmarshal([]byte(text), object)).To(Succeed())
	return object
}

func slimmed(t *testing.T, object client.Object) client.Object {
	t.Helper()
	small, err := slim.Object(object)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return small.(client.Object)
}

// indexers returns the stores of the cache as the controller-manager has it, by kind. They are not filled.
func indexers(t *testing.T) map[reflect.Type]toolscache.Indexer {
	t.Helper()
	g := NewWithT(t)
	scheme := controllers.NewScheme()
	mapper := meta.NewDefaultRESTMapper(nil)
	for kind := range scheme.AllKnownTypes() {
		mapper.Add(kind, meta.RESTScopeNamespace)
	}
	stores := map[reflect.Type]toolscache.Indexer{}
	options := index.Lean(cache.Options{Scheme: scheme, Mapper: mapper, NewInformer: func(
		lw toolscache.ListerWatcher, object k8sruntime.Object, resync time.Duration, indexers toolscache.Indexers,
	) toolscache.SharedIndexInformer {
		informer := toolscache.NewSharedIndexInformer(lw, object, resync, indexers)
		stores[reflect.TypeOf(object)] = informer.GetIndexer()
		return informer
	}})
	made, err := cache.New(&rest.Config{Host: "http://127.0.0.1:1"}, options)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(index.Setup(t.Context(), made)).To(Succeed())
	return stores
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// The memory of the controller-manager is that of its cache. What an object takes there does not depend on the machine.
func TestAnObjectOfTheCacheTakesLittle(t *testing.T) {
	const n = 2000
	for kind, of := range kinds {
		t.Run(kind, func(t *testing.T) {
			text, store := textOf(t, kind), indexers(t)[reflect.TypeOf(of.empty)]
			owner := ""
			if _, after, found := strings.Cut(text, `"labels":{"completions.lxp.dev/grant":"`); found {
				owner = after[:40]
			}
			put := func(i int) {
				one := strings.ReplaceAll(text, number, fmt.Sprint(8_000_000+i))
				if owner != "" {
					one = strings.ReplaceAll(one, owner, fmt.Sprintf("%040d", i))
				}
				object := decoded(t, one, of.empty)
				NewWithT(t).Expect(store.Add(slimmed(t, object))).To(Succeed())
			}
			put(0)
			before := heap()
			for i := range n {
				put(i + 1)
			}
			each := (heap() - before) / n
			runtime.KeepAlive(store)
			t.Logf("%.0f bytes, %d as JSON", each, len(text))
			if each > of.most {
				t.Errorf("a %s takes %.0f bytes, want at most %.0f", kind, each, of.most)
			}
		})
	}
}

// What is left out is read by nothing: the managed fields, the labels of completions and Grants, and what Kubernetes
// keeps in namespaces and quotas for itself.
func TestNothingIsLeftOutThatIsNeeded(t *testing.T) {
	for kind, of := range kinds {
		t.Run(kind, func(t *testing.T) {
			g := NewWithT(t)
			want := decoded(t, textOf(t, kind), of.empty)
			want.SetManagedFields(nil)
			switch o := want.(type) {
			case *v1alpha1.CourseCompletion:
				o.Labels = nil
			case *v1alpha1.Grant:
				o.Labels = nil
			case *corev1.Namespace:
				o.Spec, o.Status = corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
			case *corev1.ResourceQuota:
				o.Status = corev1.ResourceQuotaStatus{}
			}
			for range 2 {
				small := slimmed(t, decoded(t, textOf(t, kind), of.empty))
				g.Expect(equality.Semantic.DeepEqual(small, want)).To(BeTrue(), "got %+v, want %+v", small, want)
				g.Expect(equality.Semantic.DeepEqual(slimmed(t, small), want)).To(BeTrue(), "it is made slim twice")
			}
		})
	}
}

// A quota that somebody changed is not taken for the one that it was like before.
func TestWhatDiffersIsNotShared(t *testing.T) {
	g := NewWithT(t)
	text := textOf(t, "resourcequota")
	one := slimmed(t, decoded(t, text, &corev1.ResourceQuota{})).(*corev1.ResourceQuota)
	other := slimmed(t, decoded(t, strings.ReplaceAll(text, `"count/pods":"10"`, `"count/pods":"11"`),
		&corev1.ResourceQuota{})).(*corev1.ResourceQuota)
	g.Expect(one.Spec.Hard.Name("count/pods", "").Value()).To(BeEquivalentTo(10))
	g.Expect(other.Spec.Hard.Name("count/pods", "").Value()).To(BeEquivalentTo(11))
}

// What has gone comes wrapped.
func TestWhatIsUnknownStaysAsItIs(t *testing.T) {
	gone := toolscache.DeletedFinalStateUnknown{Key: "a/b"}
	same, err := slim.Object(gone)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(same).To(Equal(gone))
}
