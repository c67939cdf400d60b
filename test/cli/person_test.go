// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// marked is a user whose personal values are unlike any other text.
type marked struct {
	*school
	id      int64
	markers []string
	// grant and namespace are what the lab policy gives.
	grant, namespace string
}

func (s *school) marked(id int64) *marked {
	m := &marked{
		school: s, id: id, grant: fmt.Sprintf("lab.%d-%d", s.ID, id), namespace: fmt.Sprintf("%s%d", s.prefix(), id),
	}
	for range 4 {
		m.markers = append(m.markers, "m"+strings.ToLower(rand.Text()))
	}
	return m
}

// complete delivers a completion of the user.
func (m *marked) complete() {
	m.t.Helper()
	m.deliver(m.id, map[string]any{
		"user.name": m.markers[0], "user.email": m.markers[1] + "@example.edu", "user.nickname": m.markers[2],
		"user.uuid": m.markers[3],
	})
}

// awaitLab waits until the user has everything.
func (m *marked) awaitLab() {
	m.t.Helper()
	m.complete()
	m.awaitGrant(m.grant, v1alpha1.GrantActive)
}

// expectNothing fails where anything is stored about the user.
func (m *marked) expectNothing() {
	m.t.Helper()
	g := NewWithT(m.t)
	g.Expect(m.stored(g)).NotTo(ContainElement(HaveField("Spec.User.ID", v1alpha1.PlatformID(m.id))))
	for _, object := range []client.Object{
		&v1alpha1.Grant{}, &corev1.Namespace{},
	} {
		key := client.ObjectKey{Name: m.namespace}
		if _, ok := object.(*v1alpha1.Grant); ok {
			key = client.ObjectKey{Namespace: m.Namespace, Name: m.grant}
		}
		err := admin.Get(m.t.Context(), key, object)
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%T is there: %v", object, err)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	user := school.marked(7)
	user.awaitLab()
	school.deliver(8)

	viewer := school.with("completion-viewer")
	said := viewer.does("export", "--user", "7")
	var document struct {
		User   int64
		Stored struct {
			Completions       []v1alpha1.CourseCompletion
			Grants            []v1alpha1.Grant
			GrantedNamespaces []string
		}
		LookedAt    []string
		NotLookedAt []map[string]string
	}
	g.Expect(json.Unmarshal([]byte(said), &document)).To(Succeed())
	g.Expect(document.User).To(Equal(int64(7)))
	g.Expect(document.Stored.Completions).To(HaveLen(1))
	g.Expect(document.Stored.Completions[0].Spec.User.Name).To(Equal(user.markers[0]))
	g.Expect(document.Stored.Grants).To(ConsistOf(HaveField("Name", user.grant)))
	g.Expect(document.Stored.GrantedNamespaces).To(Equal([]string{user.namespace}))
	g.Expect(document.LookedAt).To(ConsistOf(ContainSubstring("namespace " + school.Namespace)))
	g.Expect(fmt.Sprint(document.NotLookedAt)).To(And(
		ContainSubstring("inboxes"), ContainSubstring("backups"), ContainSubstring("logs")))
	for _, marker := range user.markers {
		g.Expect(said).To(ContainSubstring(marker))
	}
	g.Expect(said).NotTo(Or(ContainSubstring("user-8@example.edu"), ContainSubstring("managedFields")))

	nothing := viewer.course("export", "--user", "9")
	g.Expect(nothing.code).To(Equal(0))
	g.Expect(nothing.err).To(ContainSubstring("Nothing is stored about user 9"))
	g.Expect(viewer.fails("export")).To(ContainSubstring("give the platform's id with --user"))
	g.Expect(viewer.fails("export", "--user", "7", "-A")).To(ContainSubstring("completion-viewer"))
	// One right less.
	g.Expect(school.with("completion-coursecompletion-viewer").fails("export", "--user", "7")).To(And(
		ContainSubstring("grants"), ContainSubstring("The ClusterRole completion-viewer allows it")))
}

func TestErase(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	user, other := school.marked(7), school.marked(8)
	user.awaitLab()
	other.awaitLab()
	inEtcd(t, user.markers, true)

	// Whoever runs the institution may end and delete, and not delete namespaces: nothing is begun.
	runs := school.with("completion-institution-admin")
	g.Expect(runs.fails("erase", "--user", "7", "--yes")).To(And(
		ContainSubstring("you may not get Namespace "+user.namespace), ContainSubstring("--keep-grace")))
	g.Expect(school.with("completion-viewer").fails("erase", "--user", "7", "--yes")).To(
		ContainSubstring("you may not patch grants in namespace %s: the ClusterRole completion-institution-admin",
			school.Namespace))

	all := administrator(t)
	args := []string{"erase", "-n", school.Namespace, "--user", "7"}
	shown := all.does(append(args, "--dry-run")...)
	g.Expect(shown).To(And(ContainSubstring("Grant "+user.grant+" of policy lab, Active"),
		ContainSubstring("namespace "+user.namespace+" with all that is in it"),
		ContainSubstring("completion %d-", school.ID)))
	g.Expect(all.fails(args...)).To(Or(ContainSubstring("give --yes"), ContainSubstring("nothing was changed")))
	school.awaitGrant(user.grant, v1alpha1.GrantActive)

	said := all.course(append(args, "--yes", "--reason", "request 4711")...)
	g.Expect(said.code).To(Equal(0), said.String())
	g.Expect(said.out).To(And(ContainSubstring("Erased: 1 completions, 1 Grants, 1 namespaces and 0 other objects."),
		ContainSubstring("Not reached from here:"), ContainSubstring("A late repetition")))
	for _, marker := range user.markers {
		g.Expect(said.out + said.err + shown).NotTo(ContainSubstring(marker))
	}
	user.expectNothing()
	school.awaitGrant(other.grant, v1alpha1.GrantActive)
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: other.namespace}, &corev1.Namespace{})).To(Succeed())

	var events eventsv1.EventList
	g.Expect(admin.List(t.Context(), &events, client.InNamespace(school.Namespace))).To(Succeed())
	g.Expect(events.Items).To(ContainElement(And(HaveField("Reason", "PersonErased"),
		HaveField("Regarding.Kind", "Institution"),
		HaveField("Note", "erased one person (request 4711): 1 completions, 1 grants, 1 namespaces, 0 other objects"))))

	inEtcd(t, user.markers, false)
	inEtcd(t, other.markers, true)
	g.Expect(all.does(append(args, "--yes")...)).To(HavePrefix("Nothing is stored about user 7 in institution"))

	// As it says: what the platform repeats is new.
	user.complete()
	school.awaitGrant(user.grant, v1alpha1.GrantActive)
}

// With grace days the operator deletes the data, and whoever runs the institution needs no right to do it.
func TestEraseKeepsTheGraceDays(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	school.apply(school.labPolicy(func(policy *v1alpha1.CompletionPolicy) {
		policy.Name = "brief"
		policy.Spec.Namespaces[0].Name = v1alpha1.Template(school.prefix() + "brief-${user.id}")
		policy.Spec.Lifetime.GraceDays = new(int32(0))
	}))
	user := school.marked(7)
	user.awaitLab()
	brief := fmt.Sprintf("brief.%d-7", school.ID)
	school.awaitGrant(brief, v1alpha1.GrantActive)

	runs := school.with("completion-institution-admin")
	said := runs.course("erase", "--user", "7", "--keep-grace", "--yes")
	g.Expect(said.code).To(Equal(0), said.String())
	g.Expect(said.out).To(MatchRegexp(`Grant %s has data until \d{4}-\d\d-\d\dT`, user.grant))
	g.Expect(said.err).To(ContainSubstring("keep this output"), "the role writes no events")
	g.Expect(school.stored(g)).To(BeEmpty())
	lab := school.awaitGrant(user.grant, v1alpha1.GrantRevoked)
	g.Expect(lab.Status.AccessEndedAt).NotTo(BeNil())
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: user.namespace}, &corev1.Namespace{})).To(Succeed())

	// Where there are none, all of it goes in time.
	g.Eventually(func(g Gomega) {
		g.Expect(runs.course("erase", "--user", "7", "--keep-grace", "--yes").code).To(Equal(0))
		err := admin.Get(t.Context(), client.ObjectKey{Namespace: school.Namespace, Name: brief}, &v1alpha1.Grant{})
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue())
	}, soon, often).Should(Succeed())
	// And what is left goes when somebody may and says so.
	administrator(t).does("erase", "-n", school.Namespace, "--user", "7", "--yes")
	user.expectNothing()
}

// Wherever it is interrupted, it can be run again.
func TestEraseInterrupted(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	all := administrator(t)
	for id, when := range map[int64]func(g Gomega, m *marked){
		11: func(g Gomega, m *marked) {
			var grant v1alpha1.Grant
			g.Expect(admin.Get(t.Context(), client.ObjectKey{Namespace: m.Namespace, Name: m.grant}, &grant)).To(Succeed())
			g.Expect(grant.Spec.Override.Revoked).NotTo(BeNil())
		},
		12: func(g Gomega, m *marked) {
			g.Expect(m.stored(g)).NotTo(ContainElement(HaveField("Spec.User.ID", v1alpha1.PlatformID(m.id))))
		},
		13: func(g Gomega, m *marked) {
			var namespace corev1.Namespace
			err := admin.Get(t.Context(), client.ObjectKey{Name: m.namespace}, &namespace)
			g.Expect(err != nil || !namespace.DeletionTimestamp.IsZero()).To(BeTrue())
		},
	} {
		user := school.marked(id)
		user.awaitLab()
		args := []string{"erase", "-n", school.Namespace, "--user", fmt.Sprint(id), "--yes"}
		cmd := all.command(args...)
		g.Expect(cmd.Start()).To(Succeed())
		g.Eventually(func(g Gomega) { when(g, user) }, soon, "10ms").Should(Succeed())
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		all.does(args...)
		user.expectNothing()
	}
}

// inEtcd compacts and defragments the data of etcd, and looks for texts in its file: old revisions are in there too,
// until they are compacted.
func inEtcd(t *testing.T, texts []string, want bool) {
	t.Helper()
	g := NewWithT(t)
	etcd := newEtcd(t)
	var state struct{ Header struct{ Revision string } }
	etcd.call("/v3/kv/range", map[string]any{"key": base64.StdEncoding.EncodeToString([]byte("x"))}, &state)
	etcd.call("/v3/kv/compaction", map[string]any{"revision": state.Header.Revision, "physical": true}, nil)
	etcd.call("/v3/maintenance/defragment", map[string]any{}, nil)
	content, err := os.ReadFile(filepath.Join(plane.StateDir(), "etcd", "member", "snap", "db"))
	g.Expect(err).NotTo(HaveOccurred())
	for _, text := range texts {
		g.Expect(bytes.Contains(content, []byte(text))).To(Equal(want), "a personal value in the file of etcd")
	}
}

// etcd is the store of the control plane under test, by its JSON gateway.
type etcd struct {
	t      *testing.T
	server string
	client *http.Client
}

func newEtcd(t *testing.T) *etcd {
	t.Helper()
	g := NewWithT(t)
	pid, err := plane.PID(t.Context(), cluster.APIServer)
	g.Expect(err).NotTo(HaveOccurred())
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	g.Expect(err).NotTo(HaveOccurred())
	_, rest, found := strings.Cut(string(arguments), "--etcd-servers=")
	g.Expect(found).To(BeTrue())
	server, _, _ := strings.Cut(rest, "\x00")
	pki := func(name string) string { return filepath.Join(plane.StateDir(), "pki", name) }
	authority, err := os.ReadFile(pki("etcd-ca.crt"))
	g.Expect(err).NotTo(HaveOccurred())
	certificate, err := tls.LoadX509KeyPair(pki("etcd-client.crt"), pki("etcd-client.key"))
	g.Expect(err).NotTo(HaveOccurred())
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &etcd{t, server, &http.Client{Transport: transport}}
}

func (e *etcd) call(path string, request any, answer any) {
	e.t.Helper()
	g := NewWithT(e.t)
	body, err := json.Marshal(request)
	g.Expect(err).NotTo(HaveOccurred())
	post, err := http.NewRequestWithContext(e.t.Context(), http.MethodPost, e.server+path, bytes.NewReader(body))
	g.Expect(err).NotTo(HaveOccurred())
	response, err := e.client.Do(post)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	if strings.Contains(string(said), "has been compacted") {
		// Nothing was written since the last time.
		return
	}
	g.Expect(response.StatusCode).To(Equal(http.StatusOK), string(said))
	if answer != nil {
		g.Expect(json.Unmarshal(said, answer)).To(Succeed())
	}
}
