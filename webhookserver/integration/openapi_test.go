// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// recordedCall is what hack/tools/openapicheck reads.
type recordedCall struct {
	Method string      `json:"method"`
	Path   string      `json:"path"`
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	// Sent is what was accepted of the sender; empty for anything else.
	Sent string `json:"sent"`
}

// recorder makes calls in each way that a token can come in, and keeps them with their answers.
type recorder struct {
	t     *testing.T
	calls []recordedCall
}

// call makes the call twice, with the token in the path and in the header.
func (r *recorder) call(want int, method string, server *running, token, body, contentType string) {
	r.t.Helper()
	base := "http://" + server.WebhookAddress()
	for path, authorization := range map[string]string{
		"/webhooks/12345/" + token: "", "/webhooks/12345": "Bearer " + token,
	} {
		header := []string{"Content-Type", contentType}
		if authorization != "" {
			header = append(header, "Authorization", authorization)
		}
		r.keep(want, method, path, send(r.t, method, base+path, body, header...), body)
	}
}

// keep forgets the token, which the document says nothing of.
func (r *recorder) keep(want int, method, path string, got reply, sent ...string) {
	r.t.Helper()
	NewWithT(r.t).Expect(got.status).To(Equal(want), "%s: %s", method, got.text)
	if strings.Count(path, "/") == 3 {
		path = path[:strings.LastIndex(path, "/")] + "/token"
	}
	call := recordedCall{Method: method, Path: path, Status: got.status, Header: got.header, Body: got.text}
	if got.status == http.StatusOK {
		call.Sent = strings.Join(sent, "")
	}
	r.calls = append(r.calls, call)
}

// check has the document and the calls compared with each other.
func (r *recorder) check() {
	r.t.Helper()
	g := NewWithT(r.t)
	var lines []byte
	for _, call := range r.calls {
		line, err := json.Marshal(call)
		g.Expect(err).NotTo(HaveOccurred())
		lines = append(append(lines, line...), '\n')
	}
	path := filepath.Join(r.t.TempDir(), "calls.jsonl")
	g.Expect(os.WriteFile(path, lines, 0o600)).To(Succeed())
	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	check := exec.CommandContext(r.t.Context(), "go", "run", "-C", filepath.Join(root, "hack", "tools"), "./openapicheck",
		filepath.Join(root, "docs", "openapi.yaml"), path)
	output, err := check.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(output))
}

// accepted are habits of senders that the server puts up with, as replacements in the contract's example.
var accepted = [][]string{
	{`"id": 12345 }`, `"id": "12345" }`, `"id": 987654321`, `"id": "9007199254740993"`, `"id": 11,`, `"id": "11",`},
	{`"actived": 1`, `"actived": "true"`, `"status": 1`, `"status": "0"`},
	{`"status": 1`, `"status": true`, `"actived": 1`, `"actived": false`},
	{`"date_expire": null`, `"date_expire": "0000-00-00"`},
	{`"date_expire": null`, `"date_expire": "0000-00-00 00:00:00"`},
	{`"date_expire": null`, `"date_expire": ""`},
	{`"date_expire": null`, `"date_expire": "2027-01-31 00:00:00"`},
	{`"date_expire": null`, `"date_expire": "9999-12-31"`},
	{`"123.456.789-99"`, "191", `"Course Name"`, "1984", `"nickname": null`, `"nickname": 7.5`},
	{`"Student"`, `"Ana \ud83d"`, `student@toolzz`, `stu\u0000dent@toolzz`},
	{`"name": "Atividades - Curso concluído", `, "", `"Course Name"`, "null", `"Student"`, `""`},
	{`"user": {`, `"user": {"unknown":1,`, `"id": 987654321`, `"id": 9223372036854775807`},
}

// The document describes every answer, and every answer is as the document says. What the server accepts is what the
// document says may be sent.
func TestTheDocumentAndTheAnswersAgree(t *testing.T) {
	g := NewWithT(t)
	const plain = "application/json"
	r := &recorder{t: t}
	server := start(t, brief)
	strict := start(t, func(o *webhookserver.Options) { o.FailedAuthenticationsPerMinute = 1 })
	i := newInstitution(t)
	elsewhere := newInstitution(t, func(i *v1alpha1.Institution) {
		i.Spec.Authentication.AllowedCIDRs = []v1alpha1.CIDR{"203.0.113.0/24"}
	})
	slow := newInstitution(t, func(i *v1alpha1.Institution) {
		i.Spec.Limits = v1alpha1.LimitsSpec{DeliveriesPerSecond: 1}
	})
	going := newInstitution(t, func(i *v1alpha1.Institution) { i.Finalizers = []string{"people/finalizer"} })
	url := server.knows(t, i)
	strict.knows(t, i)
	server.knows(t, slow)
	server.knows(t, going)
	g.Eventually(func() int { return send(t, "GET", server.url(elsewhere), "").status }, patience).Should(Equal(403))

	r.keep(200, "POST", "/webhooks/12345/x", post(t, url, example))
	r.keep(200, "POST", "/webhooks/12345", send(t, "POST", strings.TrimSuffix(url, "/"+i.token),
		edited(t, `"id": 11,`, `"id": 12,`), "Content-Type", plain, "Authorization", basic("any", i.token)))
	r.call(200, "POST", server, i.token, example, plain)
	r.call(200, "POST", server, i.token, edited(t, sendAt, `"send_at": "2022-07-03 12:53:41"`), plain)
	for _, oldNew := range accepted {
		r.call(200, "POST", server, i.token, edited(t, oldNew...), plain)
	}
	r.call(200, "POST", server, i.token, `{"event":{"slug":"member.updated"},"data":{}}`, plain)
	forgets := newInstitution(t)
	forgets.erase(t)
	g.Eventually(func() string { return post(t, server.knows(t, forgets), example).outcome() }, patience).Should(
		Equal("erased"))
	r.call(200, "POST", server, forgets.token, example, plain)
	r.call(400, "POST", server, i.token, "{", plain)
	r.call(413, "POST", server, i.token, edited(t, "Student", strings.Repeat("x", 70_000)), plain)
	r.call(415, "POST", server, i.token, example, "text/plain")
	r.call(422, "POST", server, i.token, edited(t, `"id": 987654321`, `"id": 0`, `"actived": 1`, `"actived": 2`), plain)
	for _, method := range []string{"GET", "HEAD"} {
		r.call(200, method, server, i.token, "", plain)
	}
	for _, method := range []string{"GET", "HEAD", "POST"} {
		r.call(401, method, server, i.token+"x", "", plain)
		r.call(403, method, server, elsewhere.token, "", plain)
	}
	// The first failure empties the bucket.
	send(t, "GET", strict.url(i)+"x", "")
	for _, method := range []string{"GET", "HEAD", "POST"} {
		r.call(429, method, strict, i.token+"x", "", plain)
	}
	g.Eventually(func() int { return post(t, server.url(slow), example).status }, patience).Should(Equal(429))
	r.call(405, "PUT", server, i.token, "", plain)
	r.keep(404, "POST", "/elsewhere", send(t, "POST", "http://"+server.WebhookAddress()+"/elsewhere", ""))

	terminate(t, going)
	r.call(200, "POST", server, going.token, example, plain)
	release(t, going)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	away := "https://" + listener.Addr().String()
	g.Expect(listener.Close()).To(Succeed())
	ignorant := startWith(t, &rest.Config{Host: away})
	for _, method := range []string{"GET", "HEAD", "POST"} {
		r.call(503, method, ignorant, i.token, "", plain)
	}
	r.check()
}
