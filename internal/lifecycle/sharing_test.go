// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func sharing(name, sendAt string, ends time.Duration) v1alpha1.Grant {
	cause := v1alpha1.GrantCause{Completion: v1alpha1.LocalName(name), SendAt: sendAt, Digest: "d"}
	grant := v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: "school", Name: "lab." + name}}
	grant.Spec = v1alpha1.GrantSpec{
		Policy: "lab", Holder: v1alpha1.GrantHolder{InstitutionID: 1, UserID: 7},
		Namespaces: []v1alpha1.GrantedNamespace{{Name: "grad-7"}},
		// Known long before, so that the brake has nothing to do with it.
		EndKnownAt: new(metav1.NewMicroTime(noon.Add(-1000 * time.Hour))),
	}
	if ends != 0 {
		cause.EndsAt = new(metav1.NewTime(noon.Add(ends)))
		grant.Spec.AccessEndsAt = cause.EndsAt
	}
	grant.Spec.Causes = []v1alpha1.GrantCause{cause}
	return grant
}

func TestSharersOf(t *testing.T) {
	grant := sharing("b", "2026-02-01 10:00:00", 0)
	type want struct{ found, entitled, before bool }
	for _, tc := range []struct {
		name  string
		other func() v1alpha1.Grant
		want  want
	}{
		{"a newer one", func() v1alpha1.Grant { return sharing("a", "2026-02-02 10:00:00", 0) }, want{true, true, true}},
		{"an older one", func() v1alpha1.Grant { return sharing("c", "2026-01-02 10:00:00", 0) }, want{true, true, false}},
		{"the same moment, a name before", func() v1alpha1.Grant { return sharing("a", "2026-02-01 10:00:00", 0) },
			want{true, true, false}},
		{"the same moment, a name after", func() v1alpha1.Grant { return sharing("c", "2026-02-01 10:00:00", 0) },
			want{true, true, true}},
		{"a newer one that has ended", func() v1alpha1.Grant { return sharing("a", "2026-02-02 10:00:00", -time.Hour) },
			want{true, false, false}},
		{"a newer one that ends later", func() v1alpha1.Grant { return sharing("a", "2026-02-02 10:00:00", time.Hour) },
			want{true, true, true}},
		{"one that is being deleted", func() v1alpha1.Grant {
			other := sharing("a", "2026-02-02 10:00:00", 0)
			other.DeletionTimestamp = new(metav1.NewTime(noon))
			return other
		}, want{true, false, false}},
		{"one that waits for approval", func() v1alpha1.Grant {
			other := sharing("a", "2026-02-02 10:00:00", 0)
			other.Spec.Approval = v1alpha1.ApprovalManual
			return other
		}, want{true, false, false}},
		{"one that a person revoked", func() v1alpha1.Grant {
			other := sharing("a", "2026-02-02 10:00:00", 0)
			other.Spec.Override.Revoked = new(true)
			return other
		}, want{true, false, false}},
		{"one of another user", func() v1alpha1.Grant {
			other := sharing("a", "2026-02-02 10:00:00", 0)
			other.Spec.Holder.UserID = 8
			return other
		}, want{}},
		{"one of another institution", func() v1alpha1.Grant {
			other := sharing("a", "2026-02-02 10:00:00", 0)
			other.Spec.Holder.InstitutionID = 2
			return other
		}, want{}},
		{"one of another policy", func() v1alpha1.Grant {
			other := sharing("a", "2026-02-02 10:00:00", 0)
			other.Spec.Policy = "other"
			return other
		}, want{}},
		{"one that a person made", func() v1alpha1.Grant {
			other := sharing("a", "2026-02-02 10:00:00", 0)
			other.Spec.Policy = ""
			return other
		}, want{}},
		{"the grant itself", func() v1alpha1.Grant { return grant }, want{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found := SharersOf(&grant, []v1alpha1.Grant{grant, tc.other()}, noon)
			got := want{found: len(found) > 0}
			if got.found {
				got.entitled, got.before = found[0].Active, found[0].Before
			}
			if got != tc.want {
				t.Errorf("SharersOf: %+v, want %+v", got, tc.want)
			}
		})
	}
}

// Of two Grants that entitle exactly one comes first, so that neither waits for the other for ever.
func TestSharersAgreeWhoComesFirst(t *testing.T) {
	var grants []v1alpha1.Grant
	for _, name := range []string{"a", "b", "c"} {
		for _, day := range []string{"2026-02-01", "2026-02-02"} {
			grants = append(grants, sharing(name+day, day+" 10:00:00", 0))
		}
	}
	before := func(a, b *v1alpha1.Grant) bool {
		sharers := SharersOf(a, []v1alpha1.Grant{*b}, noon)
		return sharers[0].Before
	}
	for i := range grants {
		for j := range grants {
			if i != j && before(&grants[i], &grants[j]) == before(&grants[j], &grants[i]) {
				t.Errorf("%s and %s do not agree", grants[i].Name, grants[j].Name)
			}
		}
	}
}
