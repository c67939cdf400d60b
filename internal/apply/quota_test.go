// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func quantities(pairs map[string]string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for name, value := range pairs {
		list[corev1.ResourceName(name)] = resource.MustParse(value)
	}
	return list
}

func TestDefaultQuotaBoundsWhatLearnersMakeMost(t *testing.T) {
	g := NewWithT(t)
	list, err := ParseQuota(DefaultQuota)
	g.Expect(err).NotTo(HaveOccurred())
	for _, name := range []string{"count/configmaps", "count/secrets", "count/services", "count/pods",
		"requests.storage"} {
		g.Expect(list).To(HaveKey(corev1.ResourceName(name)))
	}
}

func TestQuotaOfTheInstallationIsRead(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want corev1.ResourceList
		// fails is empty where it is fine.
		fails string
	}{
		"nothing": {text: "", want: corev1.ResourceList{}},
		"two": {text: "count/pods=10, requests.storage=5Gi",
			want: quantities(map[string]string{"count/pods": "10", "requests.storage": "5Gi"})},
		"a class of storage": {text: "fast.storageclass.storage.k8s.io/requests.storage=1Gi",
			want: quantities(map[string]string{"fast.storageclass.storage.k8s.io/requests.storage": "1Gi"})},
		"a device": {text: "requests.nvidia.com/gpu=0",
			want: quantities(map[string]string{"requests.nvidia.com/gpu": "0"})},
		"no quantity":       {text: "count/pods", fails: "such as"},
		"an odd quantity":   {text: "count/pods=many", fails: "quantity"},
		"less than nothing": {text: "count/pods=-1", fails: "quantity"},
		"half a pod":        {text: "count/pods=500m", fails: "whole number"},
		"no such resource":  {text: "pots=1", fails: "such as"},
		"twice":             {text: "count/pods=1,count/pods=2", fails: "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseQuota(tc.text)
			if tc.fails != "" {
				NewWithT(t).Expect(err).To(MatchError(ContainSubstring(tc.fails)))
				return
			}
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("quota (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPolicyHasTheLastWordOnAResource(t *testing.T) {
	defaults := quantities(map[string]string{"count/pods": "50", "count/secrets": "50", "requests.storage": "20Gi"})
	for name, tc := range map[string]struct{ quota, want corev1.ResourceList }{
		"no quota": {nil, defaults},
		"another": {quantities(map[string]string{"requests.cpu": "1"}),
			quantities(map[string]string{
				"requests.cpu": "1", "count/pods": "50", "count/secrets": "50", "requests.storage": "20Gi"})},
		"the same": {quantities(map[string]string{"count/pods": "100"}),
			quantities(map[string]string{"count/pods": "100", "count/secrets": "50", "requests.storage": "20Gi"})},
		"by another name": {quantities(map[string]string{"pods": "100"}), quantities(map[string]string{"pods": "100",
			"count/secrets": "50", "requests.storage": "20Gi"})},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, withDefaults(tc.quota, defaults)); diff != "" {
				t.Errorf("quota (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.quota, withDefaults(tc.quota, nil)); diff != "" {
				t.Errorf("without a default (-want +got):\n%s", diff)
			}
		})
	}
}
