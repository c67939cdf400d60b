// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// The last days of the calendar are how platforms say "never".
func TestForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	last := time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)
	forEver := MakeCompletion(w, 1).Expire("9999-12-31").Obj()
	nearly := MakeCompletion(w, 2).Expire("9999-12-02").Obj()
	extended := MakeCompletion(w, 3).Expire("2026-03-15").Obj()
	byHand := MakeGrant(w, "guest", 4).Namespace(w.prefix + "4").Obj()
	byHand.Spec.AccessEndsAt, byHand.Spec.Lifetime.GraceDays = new(metav1.NewTime(last)), new(int32(3650))
	w.create(MakeLab(w, "lab").Grace(30).Obj(), forEver, nearly, extended, byHand)
	grant := w.grantOf("lab", extended)
	w.awaitActive(grant)
	g.Expect(grant.Spec.AccessEndsAt).NotTo(BeNil())
	w.change(extended, func() {
		sendAt(extended, "2026-03-02 10:00:00")
		extended.Spec.Enrollment.DateExpire = "9999-12-31"
	})
	w.eventually(func(g Gomega) {
		w.get(grant)
		g.Expect(grant.Spec.AccessEndsAt).To(BeNil())
	})
	w.awaitActive(w.grantOf("lab", forEver))
	far := w.grantOf("lab", nearly)
	w.awaitActive(far)
	g.Expect(far.Spec.DataEndsAt.Time.Equal(last)).To(BeTrue(), "it is %s", far.Spec.DataEndsAt)
	w.awaitActive(byHand)
	w.step(10 * oneDay)
	namespace := w.learner(3)
	w.get(namespace)
	w.stays(namespace, namespace.UID)
	w.awaitActive(grant)
}

// refusing answers that a write of a Grant is invalid where it has this text in it.
type refusing struct {
	http.RoundTripper
	text string
}

func (r refusing) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body == nil || !strings.Contains(request.URL.Path, "/grants") || strings.HasSuffix(request.URL.Path,
		"/status") {
		return r.RoundTripper.RoundTrip(request)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	if !bytes.Contains(body, []byte(r.text)) {
		return r.RoundTripper.RoundTrip(request)
	}
	const refusal = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,` +
		`"details":{"kind":"Grant","causes":[{"field":"spec.namespaces[0].labels"}]}}`
	return &http.Response{StatusCode: http.StatusUnprocessableEntity, Request: request,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(refusal))}, nil
}

// The API server refuses what an edit of the policy renders. The end of the Grant moves all the same, and the
// completion says that something is wrong.
func TestEndOfARefusedGrantMoves(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	w.wrap = func(to http.RoundTripper) http.RoundTripper { return refusing{to, "unlucky"} }
	institution := MakeInstitution(w).Obj()
	policy, completion := MakeLab(w, "lab").Obj(), MakeCompletion(w, 1).Expire("2026-03-15").Obj()
	w.create(institution, policy, completion)
	w.start()
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	w.change(policy, func() { policy.Spec.Namespaces[0].Labels = map[string]v1alpha1.Template{"team": "unlucky"} })
	w.awaitReason(completion, v1alpha1.ReasonPolicyFailed)
	NewWithT(t).Expect(completion.Status.Policies[0].Outcome).To(Equal(v1alpha1.OutcomeFailed))
	NewWithT(t).Expect(completion.Status.Policies[0].Message).To(ContainSubstring("spec.namespaces[0].labels"))
	w.change(completion, func() {
		sendAt(completion, "2026-03-02 10:00:00")
		completion.Spec.Enrollment.DateExpire = "2026-12-31"
	})
	w.eventually(func(g Gomega) {
		w.get(grant)
		g.Expect(grant.Spec.AccessEndsAt.UTC().Format(time.DateOnly)).To(Equal("2027-01-01"))
		g.Expect(grant.Spec.Namespaces[0].Labels).To(BeEmpty())
	})
	w.eventually(func(g Gomega) {
		var events eventsv1.EventList
		g.Expect(admin.List(t.Context(), &events, client.InNamespace(w.namespace))).To(Succeed())
		var warned []string
		for _, event := range events.Items {
			if event.Type == "Warning" && event.Regarding.Name == completion.Name {
				warned = append(warned, event.Reason)
			}
		}
		g.Expect(warned).To(ContainElement(v1alpha1.ReasonPolicyFailed))
	})
}
