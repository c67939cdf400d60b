// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Every answer that asks the sender to change something. Nothing is stored, and nothing that was sent is said again,
// neither in the answer nor in the log.
func TestRefused(t *testing.T) {
	const planted = "planted-8731"
	i, server := newInstitution(t), start(t)
	url := server.knows(t, i)
	for _, tc := range []struct {
		name    string
		method  string
		url     string
		header  []string
		body    string
		want    int
		problem string
		// pointers are the places of the faults.
		pointers []any
	}{
		{"malformed JSON", "POST", url, nil, `{"event": ` + planted, 400, "malformed-json", []any{"/event"}},
		{"empty body", "POST", url, nil, "", 400, "malformed-json", []any{""}},
		{"duplicate keys", "POST", url, nil, edited(t, `"id": 11,`, `"id": 11, "id": 12,`), 400, "malformed-json",
			[]any{"/data/enrollment"}},
		{"trailing data", "POST", url, nil, example + `{"a":"` + planted + `"}`, 400, "malformed-json", []any{""}},
		{"not UTF-8", "POST", url, nil, edited(t, "Student", planted+"\xe7"), 400, "malformed-json", []any{""}},
		{"unknown institution", "POST", strings.Replace(url, "12345", "54321", 1), nil, example, 401, "unauthorized", nil},
		{"no number", "POST", strings.Replace(url, "12345", planted, 1), nil, example, 401, "unauthorized", nil},
		{"a leading zero", "POST", strings.Replace(url, "12345", "012345", 1), nil, example, 401, "unauthorized", nil},
		{"wrong token", "POST", url + "x", nil, example, 401, "unauthorized", nil},
		{"no token", "POST", strings.TrimSuffix(url, i.token), nil, example, 401, "unauthorized", nil},
		{"the digest as token", "POST", strings.Replace(url, i.token, digest(i.token), 1), nil, example, 401, "unauthorized",
			nil},
		{"wrong token, checking the URL", "GET", url + "x", nil, "", 401, "unauthorized", nil},
		{"wrong token and everything else wrong", "POST", url + "x", []string{"Content-Type", "text/plain"},
			strings.Repeat("x", 70_000), 401, "unauthorized", nil},
		{"wrong method", "PUT", url, nil, example, 405, "method-not-allowed", nil},
		{"wrong method and token", "DELETE", url + "x", nil, "", 405, "method-not-allowed", nil},
		{"body too large", "POST", url, nil, edited(t, "Student", strings.Repeat(planted, 6000)), 413, "body-too-large", nil},
		{"wrong media type", "POST", url, []string{"Content-Type", "application/x-www-form-urlencoded"}, example, 415,
			"unsupported-media-type", nil},
		{"another charset", "POST", url, []string{"Content-Type", "application/json; charset=latin1"}, example, 415,
			"unsupported-media-type", nil},
		{"no media type", "POST", url, []string{"Content-Type", ""}, example, 415, "unsupported-media-type", nil},
		{"another institution in the body", "POST", url, nil, edited(t, `"id": 12345 }`, `"id": 54321 }`), 422,
			"invalid-delivery", []any{"/data/institution/id"}},
		{"wrong slug", "POST", url, nil, edited(t, "activities.course.completed", "no slug "+planted), 422,
			"invalid-delivery",
			[]any{"/event/slug"}},
		{"every fault", "POST", url, nil, edited(t, sendAt, `"send_at": "2023-02-30 00:00:00"`, `"id": 987654321`,
			`"id": "`+planted+`"`, `"date_expire": null, `, "", `"actived": 1`, `"actived": "`+planted+`"`,
			`"student@toolzz.com"`, `["`+planted+`"]`), 422, "invalid-delivery", []any{
			"/event/send_at", "/data/enrollment/date_expire", "/data/enrollment/actived", "/data/user/id", "/data/user/email",
		}},
		{"a moment that the API cannot hold", "POST", url, nil, edited(t, sendAt, `"send_at": "9999-12-31 23:59:59"`), 422,
			"invalid-delivery", []any{"/event/send_at"}},
		{"another path", "POST", url + "/" + planted, nil, example, 404, "not-found", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			header := tc.header
			if header == nil {
				header = []string{"Content-Type", "application/json"}
			}
			got := send(t, tc.method, tc.url, tc.body, header...)
			g.Expect(got.status).To(Equal(tc.want), got.text)
			g.Expect(got.header.Get("Content-Type")).To(Equal("application/problem+json"))
			g.Expect(got.outcome()).To(Equal(tc.problem))
			g.Expect(got.body).To(And(HaveKeyWithValue("status", float64(tc.want)),
				HaveKeyWithValue("deliveryID", got.deliveryID()), HaveKey("title"), HaveKey("detail")))
			var pointers []any
			faults, _ := got.body["errors"].([]any)
			for _, fault := range faults {
				pointers = append(pointers, fault.(map[string]any)["pointer"])
			}
			g.Expect(pointers).To(Equal(tc.pointers))
			g.Expect(got.text).NotTo(ContainSubstring(planted))

			record := server.log.audit(t, got.deliveryID())
			g.Expect(record).To(And(
				HaveKeyWithValue("completion.outcome", "refused"), HaveKeyWithValue("event.reason", tc.problem),
				HaveKeyWithValue("http.response.status_code", float64(tc.want)), HaveKeyWithValue("source.ip", "127.0.0.1")))
			_, known := record["organization.id"]
			g.Expect(known).To(Equal(tc.want != 401 && tc.want != 404 && tc.want != 405))
		})
	}
	g := NewWithT(t)
	g.Expect(i.completions(t)).To(BeZero())
	for _, private := range []string{planted, i.token, digest(i.token), "Student"} {
		g.Expect(server.log.String()).NotTo(ContainSubstring(private))
	}
}

// An unknown institution and a wrong token are told apart by nothing in the answer but its id.
func TestUnauthorizedIsOneAnswer(t *testing.T) {
	g := NewWithT(t)
	i, other, server := newInstitution(t), newInstitution(t), start(t)
	url := server.knows(t, i)
	server.knows(t, other)
	shape := func(url string, header ...string) (string, http.Header) {
		got := send(t, http.MethodPost, url, example, append(header, "Content-Type", "application/json")...)
		shown := got.header.Clone()
		shown.Del("Date")
		shown.Del("Completion-Delivery-Id")
		return strings.ReplaceAll(got.text, got.deliveryID(), "ID"), shown
	}
	wantText, wantHeader := shape(url + "x")
	g.Expect(wantHeader.Values("WWW-Authenticate")).To(HaveLen(2))
	bare := strings.TrimSuffix(url, "/"+i.token)
	for _, tried := range [][]string{
		{strings.Replace(url, "12345", "54321", 1)},
		{strings.Replace(url, "12345", "99999999999999999999", 1)},
		{strings.TrimSuffix(url, i.token)},
		{url[:len(url)-1]},
		{bare},
		{bare, "Authorization", "Bearer " + i.token + "x"},
		{strings.Replace(bare, "12345", "54321", 1), "Authorization", "Bearer " + i.token},
		{bare, "Authorization", basic("12345", "x")},
		{bare, "Authorization", "Digest " + i.token},
		{url, "Authorization", "Bearer " + i.token + "x"},
	} {
		text, header := shape(tried[0], tried[1:]...)
		g.Expect(text).To(Equal(wantText), tried[0])
		g.Expect(header).To(Equal(wantHeader), tried[0])
	}
}

// Two Institutions that claim one id, in different namespaces, each get the deliveries with their own tokens.
func TestTheTokenChoosesTheInstitution(t *testing.T) {
	g := NewWithT(t)
	a, b, server := newInstitution(t), newInstitution(t), start(t)
	urlA, urlB := server.knows(t, a), server.knows(t, b)
	g.Expect(post(t, urlA, example).outcome()).To(Equal("created"))
	g.Expect(a.completions(t)).To(Equal(1))
	g.Expect(b.completions(t)).To(BeZero())
	g.Expect(post(t, urlB, example).outcome()).To(Equal("created"))
	g.Expect(b.completions(t)).To(Equal(1))
}

// A token that two Institutions accept is accepted for neither, even where the status fails to say so.
func TestASharedTokenIsAcceptedForNeither(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	url := server.knows(t, i)
	newInstitution(t, func(other *v1alpha1.Institution) {
		other.Spec.ID = 54321
		other.Status.Tokens[0].SHA256 = digest(i.token)
	})
	g.Eventually(func() int { return post(t, url, example).status }, patience).Should(Equal(401))
	g.Expect(post(t, strings.Replace(url, "12345", "54321", 1), example).status).To(Equal(401))
}

// Rotation: both tokens are taken while both are accepted, and none that is not.
func TestOnlyAcceptedTokensAreTaken(t *testing.T) {
	g := NewWithT(t)
	second, shared := newToken(), newToken()
	i := newInstitution(t, func(i *v1alpha1.Institution) {
		i.Status.Tokens = append(i.Status.Tokens,
			v1alpha1.TokenStatus{SecretName: "second", State: v1alpha1.TokenAccepted, SHA256: digest(second)},
			v1alpha1.TokenStatus{SecretName: "shared", State: v1alpha1.TokenShared, SHA256: digest(shared)})
	})
	server := start(t)
	url := server.knows(t, i)
	g.Expect(post(t, url, example).outcome()).To(Equal("created"))
	g.Expect(post(t, strings.Replace(url, i.token, second, 1), example).outcome()).To(Equal("duplicate"))
	g.Expect(post(t, strings.Replace(url, i.token, shared, 1), example).status).To(Equal(401))
}

func TestCheck(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	url := server.knows(t, i)
	got := send(t, http.MethodGet, url, "")
	g.Expect(got.status).To(Equal(200))
	g.Expect(got.body).To(Equal(map[string]any{
		"deliveryID": got.deliveryID(), "outcome": "checked", "institution": float64(12345),
		"event": "activities.course.completed", "method": "POST", "contentType": "application/json",
	}))
	head := send(t, http.MethodHead, url, "")
	g.Expect(head.status).To(Equal(200))
	g.Expect(head.text).To(BeEmpty())
	g.Expect(head.header.Get("Content-Type")).To(Equal("application/json"))
	g.Expect(i.completions(t)).To(BeZero())
}

// A sender that does not say beforehand how much comes is read up to the limit.
func TestBodyTooLargeWithoutALength(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	body := edited(t, "Student", strings.Repeat("x", 70_000))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.knows(t, i),
		io.MultiReader(strings.NewReader(body)))
	g.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/json")
	g.Expect(request.ContentLength).To(BeZero())
	response, err := httpClient.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	g.Expect(response.StatusCode).To(Equal(413))
	g.Expect(i.completions(t)).To(BeZero())
}
