// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

func TestDataWaitsWhileTheAccessOfOthersIsTaken(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC)
	var ends accessEnds
	take := func(namespace, name string, after time.Duration) *v1alpha1.Grant {
		grant := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		grant.Status.AccessEndedAt = new(metav1.NewTime(began.Add(after)))
		ends.note(client.ObjectKeyFromObject(grant), began.Add(after))
		return grant
	}
	expect := func(what string, grant *v1alpha1.Grant, after time.Duration, want bool) {
		t.Helper()
		if got := ends.others(grant, began.Add(after)); got != want {
			t.Errorf("%s: waits %t, want %t", what, got, want)
		}
	}
	const soon = lifecycle.AccessFirstInterval / 2
	alone := take("school", "a", 0)
	expect("nobody else ends", alone, 0, false)
	second := take("school", "b", soon)
	expect("the first, while the second ends", alone, soon, true)
	expect("the second, right after the first", second, soon, true)
	take("school", "b", soon)
	expect("the second, which was looked at again", second, soon, true)
	expect("somebody of another institution", take("college", "a", soon), soon, false)
	expect("the first, once nobody has ended for a while", alone, soon+lifecycle.AccessFirstInterval, false)
	for after := time.Duration(0); after < 2*dataWaits; after += soon {
		take("school", "c", after)
	}
	expect("the first, while others go on and on", alone, dataWaits, false)
	expect("who has access", &v1alpha1.Grant{ObjectMeta: alone.ObjectMeta}, dataWaits, false)
}
