// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/order"
)

const (
	sendAt = `"send_at": "2023-07-03 12:53:41"`
	later  = `"send_at": "2023-07-03 12:53:42"`
)

// The published example, byte for byte, becomes a completion with every field in its place.
func TestCreated(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	got := post(t, server.knows(t, i), example)

	g.Expect(got.status).To(Equal(200), got.text)
	g.Expect(got.header.Get("Content-Type")).To(Equal("application/json"))
	g.Expect(got.header.Get("Completion-Outcome")).To(Equal("created"))
	g.Expect(got.deliveryID()).To(MatchRegexp(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`))
	g.Expect(got.body).To(Equal(map[string]any{
		"deliveryID": got.deliveryID(), "outcome": "created", "completion": i.namespace + "/" + exampleName,
		"warnings": []any{"CourseIDsDiffer", "CPFInvalid"},
	}))
	stored := i.completion(t)
	want := v1alpha1.CourseCompletionSpec{
		Event: v1alpha1.CompletionEvent{
			Name: "Atividades - Curso concluído", Slug: "activities.course.completed", SendAt: "2023-07-03 12:53:41",
			SentAt:      metav1.NewTime(time.Date(2023, 7, 3, 15, 53, 41, 0, time.UTC)),
			FirstSentAt: new(metav1.NewTime(time.Date(2023, 7, 3, 15, 53, 41, 0, time.UTC))),
		},
		Institution: v1alpha1.CompletionInstitution{ID: 12345},
		Course:      v1alpha1.CompletionCourse{ID: 123456, Name: "Course Name"},
		Enrollment: v1alpha1.CompletionEnrollment{
			ID: 11, CourseID: 123456789, Activated: new(true), Status: new(int32(1)),
		},
		User: v1alpha1.CompletionUser{
			ID: 987654321, Name: "Student", Email: "student@toolzz.com", CPF: "***.***.***-99",
		},
		Delivery: v1alpha1.CompletionDelivery{
			ID: got.deliveryID(), Warnings: []v1alpha1.DeliveryWarning{"CourseIDsDiffer", "CPFInvalid"},
		},
	}
	g.Expect(cmp.Diff(want, stored.Spec)).To(BeEmpty())
	g.Expect(stored.Labels).To(Equal(map[string]string{
		"completions.lxp.dev/institution-id": "12345", "completions.lxp.dev/course-id": "123456",
		"completions.lxp.dev/enrollment-id": "11", "completions.lxp.dev/user-id": "987654321",
	}))
	g.Expect(stored.ManagedFields).To(HaveLen(1))
	g.Expect(stored.ManagedFields[0].Manager).To(Equal("completion-webhook-server"))
}

func TestDuplicate(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	url := server.knows(t, i)
	g.Expect(post(t, url, example).outcome()).To(Equal("created"))
	before := i.completion(t)

	for _, body := range []string{
		example,
		edited(t, `"actived": 1`, `"actived": "true"`, `, "nickname": null`, ``, `{ "event"`, "{\n\"event\""),
		edited(t, `"user": {`, `"user": {"unknown":1,`),
	} {
		got := post(t, url, body)
		g.Expect(got.status).To(Equal(200), got.text)
		g.Expect(got.outcome()).To(Equal("duplicate"))
		g.Expect(got.deliveryID()).NotTo(Equal(before.Spec.Delivery.ID))
	}
	g.Expect(i.completion(t).ResourceVersion).To(Equal(before.ResourceVersion))
}

func TestStale(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	url := server.knows(t, i)
	g.Expect(post(t, url, edited(t, sendAt, later)).outcome()).To(Equal("created"))
	before := i.completion(t)

	got := post(t, url, example)
	g.Expect(got.status).To(Equal(200), got.text)
	g.Expect(got.outcome()).To(Equal("stale"))
	after := i.completion(t)
	want := before.Spec
	want.Event.FirstSentAt = new(metav1.NewTime(time.Date(2023, time.July, 3, 15, 53, 41, 0, time.UTC)))
	g.Expect(cmp.Diff(want, after.Spec)).To(BeEmpty(), "nothing but when it was sent first has changed")

	g.Expect(post(t, url, example).outcome()).To(Equal("stale"))
	g.Expect(i.completion(t).ResourceVersion).To(Equal(after.ResourceVersion),
		"what is known already is not written again")
}

func TestUpdated(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	url := server.knows(t, i)
	g.Expect(post(t, url, example).outcome()).To(Equal("created"))
	before := i.completion(t)
	before.Labels["people"] = "mine"
	delete(before.Labels, v1alpha1.LabelUserID)
	before.Annotations = map[string]string{"people/note": "keep"}
	before.Finalizers = []string{"people/finalizer"}
	g.Expect(admin.Update(t.Context(), before)).To(Succeed())

	got := post(t, url, edited(t, sendAt, later, `"actived": 1`, `"actived": 0`, `"Student"`, `"Ana"`))
	g.Expect(got.status).To(Equal(200), got.text)
	g.Expect(got.outcome()).To(Equal("updated"))
	stored := i.completion(t)
	g.Expect(stored.UID).To(Equal(before.UID))
	g.Expect(stored.Spec.Event.SendAt).To(Equal("2023-07-03 12:53:42"))
	g.Expect(stored.Spec.Enrollment.Activated).To(HaveValue(BeFalse()))
	g.Expect(stored.Spec.User.Name).To(Equal("Ana"))
	g.Expect(stored.Spec.Delivery.ID).To(Equal(got.deliveryID()))
	g.Expect(stored.Labels).To(And(
		HaveKeyWithValue("people", "mine"), HaveKeyWithValue("completions.lxp.dev/user-id", "987654321")))
	g.Expect(stored.Annotations).To(HaveKeyWithValue("people/note", "keep"))
	g.Expect(stored.Finalizers).To(ConsistOf("people/finalizer"))

	stored.Finalizers = nil
	g.Expect(admin.Update(t.Context(), stored)).To(Succeed())
}

// Deliveries of one completion, among them different ones of the same second, arrive in any order at two servers at
// once. The greatest stays.
func TestConcurrentDeliveriesEndInTheGreatest(t *testing.T) {
	g := NewWithT(t)
	i := newInstitution(t)
	var urls []string
	for range 2 {
		urls = append(urls, start(t).knows(t, i))
	}
	var bodies []string
	for second := range 4 {
		for _, name := range []string{"Ana", "Bia", "Caio", "Davi"} {
			body := edited(t, sendAt, fmt.Sprintf(`"send_at": "2023-07-03 12:53:0%d"`, second), `"Student"`, `"`+name+`"`)
			bodies = append(bodies, body, body)
		}
	}
	rand.Shuffle(len(bodies), func(a, b int) { bodies[a], bodies[b] = bodies[b], bodies[a] })

	outcomes := make([]string, len(bodies))
	var sending sync.WaitGroup
	for n, body := range bodies {
		sending.Go(func() { outcomes[n] = post(t, urls[n%2], body).outcome() })
	}
	sending.Wait()

	g.Expect(outcomes).To(HaveEach(BeElementOf("created", "updated", "duplicate", "stale")))
	created := slices.DeleteFunc(slices.Clone(outcomes), func(o string) bool { return o != "created" })
	g.Expect(created).To(HaveLen(1))
	stored := i.completion(t)
	greatest := order.Key{}
	for _, name := range []string{"Ana", "Bia", "Caio", "Davi"} {
		spec := stored.Spec.DeepCopy()
		spec.Event.SendAt, spec.User.Name = "2023-07-03 12:53:03", name
		if key := order.Of(spec); order.Compare(key, greatest) > 0 {
			greatest = key
		}
	}
	g.Expect(order.Of(&stored.Spec)).To(Equal(greatest))
	// What lost before loses again.
	for _, body := range bodies {
		g.Expect(post(t, urls[0], body).outcome()).To(BeElementOf("duplicate", "stale"))
	}
}

func TestPrivacyIsAppliedBeforeStoring(t *testing.T) {
	mask, drop := v1alpha1.DataMask, v1alpha1.DataDrop
	described := []string{
		`"nickname": null`, `"nickname": "Stu"`, `"uuid": null`, `"uuid": "0198c5a1-7d3e-7c11-9f2a-3b5d7e9f1a2b"`,
	}
	for _, tc := range []struct {
		name    string
		privacy v1alpha1.PrivacySpec
		want    v1alpha1.CompletionUser
	}{
		{"mask", v1alpha1.PrivacySpec{Name: mask, Email: mask, CPF: mask, Nickname: mask, UUID: mask},
			v1alpha1.CompletionUser{
				ID: 987654321, Name: "S***", Email: "s***@toolzz.com", CPF: "***.***.***-99", Nickname: "S***",
				UUID: "********-****-****-****-********1a2b",
			}},
		{"drop", v1alpha1.PrivacySpec{Name: drop, Email: drop, CPF: drop, Nickname: drop, UUID: drop},
			v1alpha1.CompletionUser{ID: 987654321}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			i := newInstitution(t, func(i *v1alpha1.Institution) { i.Spec.Privacy = tc.privacy })
			got := post(t, start(t).knows(t, i), edited(t, described...))
			g.Expect(got.status).To(Equal(200), got.text)
			stored := i.completion(t)
			g.Expect(cmp.Diff(tc.want, stored.Spec.User)).To(BeEmpty())
			// The check digits are judged before they are masked or dropped.
			g.Expect(stored.Spec.Delivery.Warnings).To(ContainElement(v1alpha1.WarningCPFInvalid))
			g.Expect(stored.Spec.Delivery.Warnings).NotTo(ContainElement(v1alpha1.WarningEmailMissing))
		})
	}
}

// What the checks of the server let through, the schema takes too: otherwise a delivery could never be stored.
func TestTheSchemaTakesWhatTheServerAccepts(t *testing.T) {
	long := func(length int) string { return `"` + strings.Repeat("😀", length) + `"` }
	i, server := newInstitution(t, func(i *v1alpha1.Institution) { i.Spec.Privacy.CPF = v1alpha1.DataKeep }), start(t)
	url := server.knows(t, i)
	for n, oldNew := range [][]string{
		{`"Atividades - Curso concluído"`, long(256), `"Course Name"`, long(512), `"Student"`, long(256),
			`"student@toolzz.com"`, long(320), `"123.456.789-99"`, long(32), `"nickname": null`, `"nickname": ` + long(256),
			`"uuid": null`, `"uuid": ` + long(128)},
		{`"Atividades - Curso concluído"`, `""`, `"Course Name"`, `null`, `"Student"`, `""`,
			`"student@toolzz.com"`, `null`, `"123.456.789-99"`, `""`, `"user": {`, `"user": {"unknown":1,`},
		{`"Student"`, `"\u0000\n<b>&\u2028\ud800"`, `"date_expire": null`, `"date_expire": "0000-00-00 00:00:00"`},
		{`"id": 12345 }`, `"id": "12345" }`, `"id": 987654321`, `"id": "9007199254740993"`, `"status": 1`, `"status": "1"`,
			`"123.456.789-99"`, `191`, `"date_expire": null`, `"date_expire": "2027-01-31 00:00:00"`, `"Course Name"`, `1984`},
		{sendAt, `"send_at": "1000-01-01 00:00:00"`},
		{sendAt, `"send_at": "2024-02-29 23:59:59"`},
		{`"date_expire": null`, `"date_expire": "0001-01-01"`},
		{`"date_expire": null`, `"date_expire": "9999-12-31"`, `"actived": 1`, `"actived": false`, `"status": 1`,
			`"status": 0`},
		{`"course_id": 123456789`, `"course_id": 9223372036854775807`},
	} {
		// Each is the completion of another enrollment.
		body := edited(t, append(oldNew, `"id": 11,`, fmt.Sprintf(`"id": %d,`, 9223372036854775807-n))...)
		got := post(t, url, body)
		NewWithT(t).Expect(got.outcome()).To(Equal("created"), "%v: %s", oldNew, got.text)
		NewWithT(t).Expect(post(t, url, body).outcome()).To(Equal("duplicate"), "%v", oldNew)
	}
}
