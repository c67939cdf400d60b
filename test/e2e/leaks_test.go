// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// odd is somebody whose every personal field is unlike any other text there is, and awkward besides.
func (s *school) odd() *student {
	u := s.student()
	marker := func(what string) string { return what + strings.ToLower(rand.Text()) }
	u.values["user.name"] = `Zózimo "` + marker("name") + `"}: {` + "\n${user.email} 👩‍🎓 <b>"
	u.values["user.email"] = marker("mail") + "@" + marker("host") + ".example"
	u.values["user.cpf"] = marker("cpf")[:14]
	u.values["user.nickname"] = marker("nick") + "\u202e"
	u.values["user.uuid"] = marker("uuid")
	return u
}

// markers are the parts of a person's data that nothing else contains, by what they are, and the school's token in
// the forms in which it was sent.
func (u *student) markers() map[string]string {
	email := u.values["user.email"].(string)
	name := u.values["user.name"].(string)
	return map[string]string{
		"name": name[strings.Index(name, "name"):][:20], "email": email[:20],
		"host": email[strings.Index(email, "@")+1:][:20], "cpf": u.values["user.cpf"].(string),
		"nickname": u.values["user.nickname"].(string)[:20],
		"uuid":     u.values["user.uuid"].(string), "token": u.school.token,
		"token as basic":  base64.StdEncoding.EncodeToString([]byte("platform:" + u.school.token))[12:],
		"misplaced token": strings.ToLower(u.school.token),
	}
}

// misbehave sends what is wrong in every way, with the person's data where it does not belong.
func (u *student) misbehave(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	good := string(u.delivery(t))
	email, _ := json.Marshal(u.values["user.email"])
	for _, body := range []string{
		"{", good + good, good[:len(good)/2], strings.Replace(good, `"user":`, string(email)+`:1,"user":`, 1),
		strings.Replace(good, `"id":`, `"id":`+string(email)+`,"x":`, 1),
		strings.Replace(good, `"activities.course.completed"`, string(email), 1),
		strings.Replace(good, `"2023-07-03 12:53:41"`, string(email), 1),
		strings.Replace(good, `"user":{`, `"user":{"email":`+string(email)+`,`, 1),
		string(email), "[" + string(email) + "]",
	} {
		answer, err := system.Deliver(t.Context(), u.school.url(), []byte(body))
		g.Expect(err).NotTo(HaveOccurred())
		expectNone(t, "an answer", answer.Body, u.markers())
	}
	token := u.school.token
	for _, url := range []string{
		u.school.url() + "x", operator.WebhookURL(4, token), operator.URL + "/" + token, u.school.url() + "/more",
		operator.URL + "/webhooks/" + token, u.school.url() + "?token=" + token, operator.URL + "/?" + token,
	} {
		answer, err := system.Deliver(t.Context(), url, []byte(good))
		g.Expect(err).NotTo(HaveOccurred())
		expectNone(t, "an answer", answer.Body, u.markers())
	}
	for _, header := range [][2]string{
		{"Authorization", "Bearer " + token}, {"Authorization", "Bearer " + token + "x"}, {"Authorization", token},
		{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("platform:"+token))},
		{"User-Agent", u.values["user.email"].(string)}, {"X-Forwarded-For", u.values["user.email"].(string)},
		{"Traceparent", u.values["user.email"].(string)}, {"Baggage", "user=" + u.values["user.email"].(string)},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			strings.TrimSuffix(u.school.url(), "/"+token), strings.NewReader(good))
		g.Expect(err).NotTo(HaveOccurred())
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set(header[0], header[1])
		response, err := http.DefaultClient.Do(request)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(response.Body.Close()).To(Succeed())
	}
}

// A full run of people who are odd, at institutions that keep, mask and drop, with much that goes wrong. What was not
// to be stored is found nowhere at all; what was to be stored is found in specs only.
func TestNothingLeaks(t *testing.T) {
	g := NewWithT(t)
	everything := func(handling v1alpha1.DataHandling) func(*v1alpha1.InstitutionSpec) {
		return func(spec *v1alpha1.InstitutionSpec) {
			spec.Privacy = v1alpha1.PrivacySpec{
				Name: handling, Email: handling, CPF: handling, Nickname: handling, UUID: handling,
			}
		}
	}
	var kept *student
	var minimised []*student
	for _, handling := range []v1alpha1.DataHandling{v1alpha1.DataKeep, v1alpha1.DataMask, v1alpha1.DataDrop} {
		s := openSchool(t, everything(handling))
		policy := s.labPolicy()
		if handling != v1alpha1.DataKeep {
			// Not Ready, since it needs what is not kept; and one that does not need it.
			g.Expect(admin.Create(t.Context(), policy)).To(Succeed())
			policy = s.labPolicy()
			policy.Name = "impersonal"
			policy.Spec.Namespaces[0].Access = nil
		}
		s.apply(t, policy)
		u := s.odd()
		u.misbehave(t)
		u.deliver(t)
		u.awaitGrant(t, v1alpha1.ReasonActive)
		u.deliver(t, "event.send_at", "2023-07-05 00:00:00", "enrollment.status", 0)
		u.awaitGrant(t, v1alpha1.ReasonEnded)
		u.deliver(t, "event.send_at", "2023-07-06 00:00:00", "enrollment.status", 1)
		u.awaitGrant(t, v1alpha1.ReasonActive)
		if handling == v1alpha1.DataKeep {
			kept = u
		} else {
			minimised = append(minimised, u)
		}
	}
	everyone := append(minimised, kept)
	waiting := queued(t, everyone)
	g.Expect(waiting).To(ContainSubstring(kept.markers()["email"]), "what is kept waits in the inbox")
	for where, text := range told(t) {
		for _, u := range everyone {
			expectNone(t, where, text, u.markers())
		}
	}
	whole, outside := stored(t)
	g.Expect(whole).To(ContainSubstring(kept.markers()["email"]), "where what is kept stands is looked at")
	expectNone(t, "what is stored outside of specs", outside, kept.markers())
	for n, u := range minimised {
		secrets := u.markers()
		if n == 0 {
			// A mask keeps the domain of an address.
			delete(secrets, "host")
		}
		g.Expect(whole).To(ContainSubstring(u.completion.Name))
		expectNone(t, "what is stored", whole, secrets)
		g.Expect(waiting).To(ContainSubstring(u.completion.Name))
		expectNone(t, "the inbox", waiting, secrets)
	}
}

// queued has newer deliveries wait in the inbox, and returns what is in its file meanwhile.
func queued(t *testing.T, everyone []*student) string {
	t.Helper()
	g := NewWithT(t)
	g.Expect(plane.Pause(t.Context(), cluster.APIServer)).To(Succeed())
	resume := sync.OnceValue(func() error { return plane.Resume(context.WithoutCancel(t.Context()), cluster.APIServer) })
	t.Cleanup(func() { _ = resume() })
	for _, u := range everyone {
		g.Expect(u.deliver(t, "event.send_at", "2023-07-07 00:00:00").Outcome).To(Equal("queued"))
	}
	file, err := os.ReadFile(operator.Replicas[0].Inbox)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(resume()).To(Succeed())
	for _, u := range everyone {
		g.Eventually(func(g Gomega) {
			var completion v1alpha1.CourseCompletion
			g.Expect(admin.Get(t.Context(), u.completion, &completion)).To(Succeed())
			g.Expect(completion.Spec.Event.SendAt).To(Equal("2023-07-07 00:00:00"))
		}, eventually, often).Should(Succeed())
	}
	return string(file)
}

// told is everything that the programs say to anybody, by where: logs, audit records and whatever else they keep in
// files, metrics, and spans.
func told(t *testing.T) map[string]string {
	t.Helper()
	g := NewWithT(t)
	texts := map[string]string{"the spans": collector.Text()}
	err := filepath.WalkDir(filepath.Dir(auditLog), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "bin" {
			return filepath.SkipDir
		}
		if path == operator.Replicas[0].Inbox {
			// What is kept may stand there.
			return nil
		}
		if !entry.Type().IsRegular() || strings.HasSuffix(path, ".kubeconfig") {
			return nil
		}
		content, err := os.ReadFile(path)
		texts[entry.Name()] = string(content)
		return err
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(texts).To(And(HaveKey("audit.jsonl"), HaveKey("webhook-server.log"), HaveKey("controller-manager.log")))
	requests, err := os.ReadFile(plane.AuditLog())
	g.Expect(err).NotTo(HaveOccurred())
	texts["the audit log of the API server"] = string(requests)
	texts["the metrics of the webhook server"], err = readMetrics(t, operator.WebhookServerMetrics)
	g.Expect(err).NotTo(HaveOccurred())
	texts["the metrics of the controller-manager"], err = readMetrics(t, operator.ControllerManagerMetrics)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(texts["the metrics of the controller-manager"]).To(ContainSubstring("controller_runtime_reconcile_total"))
	return texts
}

// readMetrics reads the metrics of a program as somebody who may.
func readMetrics(t *testing.T, url string) (string, error) {
	t.Helper()
	reader, err := operator.MetricsReader(t.Context())
	if err != nil {
		return "", err
	}
	defer reader.Close()
	return reader.Read(t.Context(), url)
}

// stored is everything in the API that deliveries led to, whole, and without the fields where what is kept may stand:
// the specs of completions and Grants, and the subjects of RoleBindings.
func stored(t *testing.T) (whole, outside string) {
	t.Helper()
	g := NewWithT(t)
	whole, err := plane.Kubectl(t.Context(), "get", "-A", "-o", "json",
		"cc,grants,cpol,inst,seatpools,seats,namespaces,events,events.v1.events.k8s.io,rolebindings,configmaps,"+
			"resourcequotas,limitranges,networkpolicies,leases,serviceaccounts")
	g.Expect(err).NotTo(HaveOccurred())
	var list struct {
		Items []map[string]any `json:"items"`
	}
	g.Expect(json.Unmarshal([]byte(whole), &list)).To(Succeed())
	for _, item := range list.Items {
		switch item["kind"] {
		case "CourseCompletion", "Grant":
			delete(item, "spec")
		case "RoleBinding":
			delete(item, "subjects")
		}
	}
	text, err := json.Marshal(list)
	g.Expect(err).NotTo(HaveOccurred())
	return whole, string(text)
}
