// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// makeNeighbours makes two institutions' namespaces, which the manager of the first sees both.
func makeNeighbours(t *testing.T) (noisy, quiet *world) {
	t.Helper()
	noisy, quiet = makeWorld(t), makeWorld(t)
	noisy.beside = []string{quiet.namespace}
	return noisy, quiet
}

// An institution that has very much to do delays another one by its turns and no more. What counts is how much of the
// noisy one's work was done before the quiet one's, which does not depend on the machine.
func TestNoisyInstitutionDelaysNoOther(t *testing.T) {
	t.Parallel()
	const crowd, few = 200, 5
	w, quiet := makeNeighbours(t)
	for _, institution := range []*world{w, quiet} {
		// Nobody gets the seat, so that the Grants make no work for the cluster.
		w.create(MakeInstitution(institution).Obj(), MakePolicy(institution, "desk").Seat("nowhere").Obj())
	}
	for user := range v1alpha1.PlatformID(crowd) {
		w.create(MakeCompletion(w, 1+user).Obj())
	}
	for user := range v1alpha1.PlatformID(few) {
		w.create(MakeCompletion(quiet, 1+user).Obj())
	}
	grants, err := admin.Watch(t.Context(), &v1alpha1.GrantList{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	defer grants.Stop()
	// Everything is there when the loops start, as after a restart.
	w.start()
	made, quietly, patience := 0, 0, time.After(soon)
	for quietly < few {
		select {
		case event := <-grants.ResultChan():
			grant, is := event.Object.(*v1alpha1.Grant)
			switch {
			case !is || event.Type != watch.Added:
			case grant.Namespace == w.namespace:
				made++
			case grant.Namespace == quiet.namespace:
				quietly++
			}
		case <-patience:
			t.Fatalf("%d of the quiet institution's %d Grants were made, and %d of the noisy one's", quietly, few, made)
		}
	}
	t.Logf("%d of the noisy institution's %d Grants were made before the last of the quiet one's %d", made, crowd, few)
	if made > crowd/4 {
		t.Errorf("%d of the noisy institution's %d Grants were made before the last of the quiet one's %d", made, crowd, few)
	}
}

// hanging never answers what is asked about namespaces whose names begin so, as an admission webhook may not that a
// tenant has a part in.
type hanging struct {
	http.RoundTripper
	prefix string
}

func (h hanging) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet && strings.HasPrefix(request.URL.Path, "/api/v1/namespaces/"+h.prefix) {
		<-request.Context().Done()
		return nil, request.Context().Err()
	}
	return h.RoundTripper.RoundTrip(request)
}

// However many Grants of one institution hang, some workers are left for those of another one.
func TestHangingGrantsDelayNoOtherInstitution(t *testing.T) {
	t.Parallel()
	w, quiet := makeNeighbours(t)
	w.wrap = func(next http.RoundTripper) http.RoundTripper { return hanging{next, w.prefix + "never-"} }
	lab := MakePolicy(w, "lab").Namespace(v1alpha1.Template(w.prefix + "never-${user.id}")).Obj()
	w.create(MakeInstitution(w).Obj(), lab, MakeInstitution(quiet).Obj(), MakeLab(quiet, "lab").Obj())
	for user := range v1alpha1.PlatformID(10) {
		w.create(MakeCompletion(w, 1+user).Obj())
	}
	w.start()
	w.eventually(func(g Gomega) {
		var grants v1alpha1.GrantList
		g.Expect(admin.List(t.Context(), &grants, client.InNamespace(w.namespace))).To(Succeed())
		g.Expect(grants.Items).To(HaveLen(10))
	})
	completion := MakeCompletion(quiet, 1).Obj()
	quiet.create(completion)
	quiet.awaitActive(quiet.grantOf("lab", completion))
}

// What hangs costs an attempt: it says so, and lets others of the same institution go on.
func TestAttemptIsBoundedInTime(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	w.timeout = 4 * time.Second
	w.wrap = func(next http.RoundTripper) http.RoundTripper { return hanging{next, w.prefix + "never-"} }
	lab := MakePolicy(w, "lab").
		Namespace(v1alpha1.Template(w.prefix + "${user.id < 5 ? 'never-' : 'lab-'}${user.id}")).Obj()
	w.create(MakeInstitution(w).Obj(), lab)
	w.start()
	var completions []*v1alpha1.CourseCompletion
	for user := range v1alpha1.PlatformID(6) {
		completions = append(completions, MakeCompletion(w, 1+user).Obj())
		w.create(completions[user])
	}
	w.awaitActive(w.grantOf("lab", completions[5]))
	hangs := w.grantOf("lab", completions[0])
	w.awaitReason(hangs, v1alpha1.ReasonProgressingWithRetry)
	NewWithT(t).Expect(ready(hangs).Message).To(ContainSubstring("did not respond in time"))
}
