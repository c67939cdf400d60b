/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// An institution that has very much to do delays another one by its turns and no more. What counts is how much of the
// noisy one's work was done before the quiet one's, which does not depend on the machine.
func TestNoisyInstitutionDelaysNoOther(t *testing.T) {
	t.Parallel()
	const crowd, few = 200, 5
	w := makeWorld(t)
	quiet := *w
	quiet.id, quiet.namespace, quiet.prefix = w.id+50_000, w.namespace+"-quiet", w.prefix+"q-"
	w.beside = []string{quiet.namespace}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: quiet.namespace}}, quiet.binding(),
		MakeSecret(&quiet, "token").Token(w.token+"-quiet").Obj())
	for _, institution := range []*world{w, &quiet} {
		// Nobody gets the seat, so that the Grants make no work for the cluster.
		w.create(MakeInstitution(institution).Obj(), MakePolicy(institution, "desk").Seat("nowhere").Obj())
	}
	for user := range v1alpha1.PlatformID(crowd) {
		w.create(MakeCompletion(w, 1+user).Obj())
	}
	for user := range v1alpha1.PlatformID(few) {
		w.create(MakeCompletion(&quiet, 1+user).Obj())
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
