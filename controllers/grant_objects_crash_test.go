// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// failing has a manager end at its first apply of a ConfigMap: before the API server hears of it, or after it is done,
// and in both cases before the manager learns that it is.
type failing struct {
	next    http.RoundTripper
	applied bool
	once    *sync.Once
	reached chan struct{}
}

func (f *failing) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodPatch || !strings.Contains(request.URL.Path, "/configmaps/") {
		return f.next.RoundTrip(request)
	}
	if f.applied {
		response, err := f.next.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		if err := response.Body.Close(); err != nil {
			return nil, err
		}
	}
	f.once.Do(func() { close(f.reached) })
	<-request.Context().Done()
	return nil, request.Context().Err()
}

// No cache shows templated objects: whatever the manager may have made before it ended has to be in the inventory.
func TestManagerThatEndsInTheMiddleLeaksNothing(t *testing.T) {
	t.Parallel()
	for name, applied := range map[string]bool{"before the object is made": false, "after it is made": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, w := NewWithT(t), makeWorld(t)
			reached, once := make(chan struct{}), &sync.Once{}
			w.wrap = func(next http.RoundTripper) http.RoundTripper {
				return &failing{next: next, applied: applied, once: once, reached: reached}
			}
			w.allow(w.namespace, rule("", "configmaps"))
			completion := MakeCompletion(w, 1).Obj()
			policy := MakePolicy(w, "lab").Seat("room").Object("note", w.fill(note)).Obj()
			w.create(MakeInstitution(w).Obj(), w.account(), MakePool(w, "room", 1).Obj(), policy, completion)
			w.start()
			g.Eventually(reached, soon).Should(BeClosed())
			w.stop()

			grant, configMap := w.grantOf("lab", completion), w.configMap(w.namespace, "note-1")
			w.get(grant)
			entry := entryOf(grant, w.namespace, "note-1")
			g.Expect(entry.ServiceAccountName).To(BeEquivalentTo(account))
			g.Expect(entry.UID).To(BeEmpty())
			if applied {
				w.get(configMap)
			} else {
				w.absent(g, w.fill("{apiVersion: v1, kind: ConfigMap, metadata: {name: note-1, namespace: INSTITUTION}}"))
			}

			// Meanwhile the policy no longer says it: only the inventory knows.
			w.change(policy, func() { policy.Spec.Objects, policy.Spec.ServiceAccountName = nil, "" })
			w.wrap = nil
			w.start()
			w.awaitGone(configMap)
			w.eventually(func(g Gomega) {
				g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
				g.Expect(grant.Status.Inventory).To(BeEmpty())
				g.Expect(grant.Spec.Objects).To(BeEmpty())
			})
			w.awaitActive(grant)
		})
	}
}

// The entries of the inventory are filled in once the manager goes on.
func TestManagerGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), makeWorld(t)
	reached, once := make(chan struct{}), &sync.Once{}
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		return &failing{next: next, applied: true, once: once, reached: reached}
	}
	w.allow("", rule("", "configmaps"))
	completion := MakeCompletion(w, 1).Obj()
	w.create(MakeInstitution(w).Obj(), w.account(), MakeWelcome(w).Obj(), completion)
	w.start()
	g.Eventually(reached, soon).Should(BeClosed())
	w.stop()
	configMap := w.configMap(w.prefix+"1", "welcome")
	w.get(configMap)
	version := configMap.ResourceVersion

	w.wrap = nil
	w.start()
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	w.get(configMap)
	g.Expect(configMap.ResourceVersion).To(Equal(version), "what is right is not written again")
	g.Expect(entryOf(grant, configMap.Namespace, "welcome")).To(Equal(v1alpha1.InventoryEntry{
		Group: new(""), Kind: "ConfigMap", Namespace: new(configMap.Namespace), Name: "welcome",
		UID: string(configMap.UID), ServiceAccountName: account,
	}))
}
