// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package index

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
)

func lean(t *testing.T, object runtime.Object, name string, values ...string) toolscache.Indexer {
	t.Helper()
	g := NewWithT(t)
	informer := Lean(cache.Options{}).NewInformer(&toolscache.ListWatch{}, object, 0,
		toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc})
	g.Expect(informer.AddIndexers(toolscache.Indexers{
		fieldPrefix + name: func(any) ([]string, error) { return values, nil },
	})).To(Succeed())
	g.Expect(informer.GetIndexer().Add(object)).To(Succeed())
	return informer.GetIndexer()
}

func TestAnIndexHasWhatIsLookedFor(t *testing.T) {
	g := NewWithT(t)
	completion := &v1alpha1.CourseCompletion{}
	completion.Namespace, completion.Name = "law", "one"
	for _, tc := range []struct{ name, finds, refuses string }{
		{Holder, "law/1/2", everywhere + "1/2"},
		{apply.IndexGrant, everywhere + "1/2", "law/1/2"},
		{OwnerDigest, everywhere + "1/2", "law/1/2"},
		{TokenDigest, "law/1/2", ""},
		{TokenDigest, everywhere + "1/2", ""},
	} {
		indexer := lean(t, completion, tc.name, "law/1/2", everywhere+"1/2")
		g.Expect(indexer.ByIndex(fieldPrefix+tc.name, tc.finds)).To(ConsistOf(completion), tc.name)
		if tc.refuses == "" {
			continue
		}
		_, err := indexer.ByIndex(fieldPrefix+tc.name, tc.refuses)
		g.Expect(err).To(MatchError(ContainSubstring("not kept")), tc.name)
		g.Expect(indexer.ListIndexFuncValues(fieldPrefix+tc.name)).To(ConsistOf(tc.finds), tc.name)
	}
}

func TestWhatGrantsProvisionIsNotIndexedByNamespace(t *testing.T) {
	g := NewWithT(t)
	quota := &corev1.ResourceQuota{}
	quota.Namespace, quota.Name = "law-1", "completion-quota"
	_, err := lean(t, quota, apply.IndexGrant).ByIndex(toolscache.NamespaceIndex, "law-1")
	g.Expect(err).To(HaveOccurred(), "what is not indexed seems not to be there")
	completion := &v1alpha1.CourseCompletion{}
	completion.Namespace, completion.Name = "law", "one"
	g.Expect(lean(t, completion, Holder).ByIndex(toolscache.NamespaceIndex, "law")).To(ConsistOf(completion))
}
