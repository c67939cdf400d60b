// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// What the examples in the help texts speak of.
const (
	sampleNamespace = "institution-12345"
	sampleGrant     = "grad-lab.12345-987654321"
	sampleToken     = "webhook-token"
	// usedToken is the one by which deliveries come, since examples remove the other, which takes that it is not in use.
	usedToken = "used"
)

// examples is a shell in the world that the examples are about.
type examples struct {
	t    *testing.T
	dir  string
	tool *person
	// others are users that examples lose.
	others int64
	// refuses is called to end that the API server refuses some completions.
	refuses func()
	// record is a dead letter, in the place of the one that examples name.
	record string
}

// sequence has every command with examples, in an order in which they can run one after the other, with what has to be
// so before each example. Exit codes other than 0 are named.
var sequence = []struct {
	command string
	before  func(*examples)
	codes   []int
}{
	{command: "create institution", before: (*examples).anew},
	{command: "create seatpool", before: (*examples).open},
	{command: "create policy"},
	{command: "version", before: (*examples).simplify},
	{command: "status", before: (*examples).complete},
	{command: "report"},
	{command: "why"},
	// As kubectl diff, it says by 1 that something would change.
	{command: "preview", codes: []int{0, 1}},
	{command: "deliveries"},
	{command: "export"},
	{command: "inbox", before: (*examples).held},
	{command: "inbox list"},
	{command: "inbox show", before: (*examples).held},
	{command: "inbox retry", before: (*examples).held},
	{command: "inbox drop", before: (*examples).held},
	// Other tests may have something that waits for as long as they run.
	{command: "inbox drain", codes: []int{0, 1}},
	{command: "send", before: (*examples).taken},
	{command: "import"},
	// The control plane has no nodes, so no pod is Ready.
	{command: "doctor", codes: []int{0, 1}},
	{command: "approve", before: (*examples).unapproved},
	{command: "extend", before: (*examples).approved},
	{command: "revoke", before: (*examples).approved},
	{command: "restore", before: (*examples).revoked},
	{command: "suspend institution"},
	{command: "suspend policy"},
	{command: "resume institution"},
	{command: "resume policy"},
	{command: "release", before: (*examples).tripped},
	{command: "erase", before: (*examples).back},
	{command: "token"},
	{command: "token list"},
	{command: "token add", before: (*examples).roomForToken},
	{command: "token rotate", before: (*examples).roomForToken},
	{command: "token remove", before: (*examples).spareToken},
}

// Every example of every command runs as it stands in its help text.
func TestExamples(t *testing.T) {
	t.Parallel()
	all := examplesOf(cli.NewCommand(genericiooptions.NewTestIOStreamsDiscard()), "")
	e := &examples{t: t, dir: t.TempDir(), tool: administrator(t)}
	e.prepare()
	for _, step := range sequence {
		lines := all[step.command]
		delete(all, step.command)
		if len(lines) == 0 {
			t.Errorf("%s has no examples", step.command)
		}
		for _, line := range lines {
			if step.before != nil {
				step.before(e)
			}
			t.Log(line)
			e.run(line, append(slices.Clone(step.codes), 0))
		}
		if step.command == "create institution" {
			// The last one keeps less than the other examples need.
			e.anew()
			e.run(lines[0], []int{0})
		}
	}
	for command := range all {
		t.Errorf("the examples of %s were not run: name the command in sequence", command)
	}
}

// examplesOf returns the examples of a command and of those below it, by the command without `kubectl course`.
func examplesOf(cmd *cobra.Command, path string) map[string][]string {
	found := map[string][]string{}
	joined := strings.ReplaceAll(cmd.Example, "\\\n", "")
	for line := range strings.Lines(joined) {
		if line = strings.TrimSpace(line); strings.Contains(line, "kubectl course ") && !strings.HasPrefix(line, "#") {
			found[path] = append(found[path], line)
		}
	}
	for _, sub := range cmd.Commands() {
		if sub.Name() == "options" {
			continue
		}
		maps.Copy(found, examplesOf(sub, strings.TrimSpace(path+" "+sub.Name())))
	}
	return found
}

// prepare writes the files that examples name, and a kubectl that finds the plugin.
func (e *examples) prepare() {
	e.t.Helper()
	g := NewWithT(e.t)
	startKubelet(e.t)
	policy := `{apiVersion: completions.lxp.dev/v1alpha1, kind: CompletionPolicy,
metadata: {name: grad-lab, namespace: institution-12345}, spec: {grantPer: User, match: {courseIDs: [123456, 123457]},
namespaces: [{name: "grad-${user.id}"}]}}`
	institution := `{apiVersion: completions.lxp.dev/v1alpha1, kind: Institution,
metadata: {name: institution-12345, namespace: institution-12345}, spec: {id: 12345, namespacePrefix: grad-,
authentication: {tokenSecretRefs: [{name: webhook-token}]}}}`
	example, err := system.ContractExample()
	g.Expect(err).NotTo(HaveOccurred())
	csv := "event.send_at,institution.id,course.id,course.name,enrollment.id,enrollment.course_id,enrollment.actived," +
		"enrollment.status,enrollment.date_expire,user.id,user.name,user.email\n" +
		"2026-10-01 12:00:00,12345,123458,Go,501,123458,true,1,,601,Ada,ada@example.edu\n"
	for name, content := range map[string]string{
		"graduates.csv": strings.NewReplacer("enrollment.status,", "", "true,1,", "true,", "user.id", "student").Replace(csv),
		"policy.yaml":   policy, "institution.yaml": institution, "delivery.json": string(example), "export.csv": csv,
	} {
		g.Expect(os.WriteFile(filepath.Join(e.dir, name), []byte(content), 0o600)).To(Succeed())
	}
	e.link()
	config, err := os.ReadFile(plane.Kubeconfig())
	g.Expect(err).NotTo(HaveOccurred())
	e.tool.kubeconfig = filepath.Join(e.dir, "kubeconfig")
	g.Expect(os.WriteFile(e.tool.kubeconfig, config, 0o600)).To(Succeed())
	e.shell("kubectl config set-context --current --namespace " + sampleNamespace)
}

// link writes a kubectl that finds the plugin.
func (e *examples) link() {
	e.t.Helper()
	script := fmt.Sprintf("#!/bin/sh\nPATH=%q:\"$PATH\" exec %q \"$@\"\n", filepath.Dir(plugin), plane.KubectlPath())
	NewWithT(e.t).Expect(os.WriteFile(filepath.Join(e.dir, "kubectl"), []byte(script), 0o755)).To(Succeed())
}

// shell prepares a line of a shell.
func (e *examples) command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-ec", line)
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+e.tool.kubeconfig, "HOME="+e.dir, "KUBERC=off",
		"PATH="+e.dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return cmd
}

func (e *examples) shell(line string) {
	e.t.Helper()
	out, err := e.command(e.t.Context(), line).CombinedOutput()
	NewWithT(e.t).Expect(err).NotTo(HaveOccurred(), "%s\n%s", line, out)
}

// run runs an example. What asks is answered by --yes, what is sent is less, and what goes on without an end is
// interrupted once it has said something.
func (e *examples) run(line string, codes []int) {
	e.t.Helper()
	line = strings.NewReplacer(
		"--count 1000", "--count 20", "--timeout 30m", "--timeout 5s", " 0/17", " "+e.record,
	).Replace(line)
	if asks(line) && !strings.Contains(line, "--yes") {
		line += " --yes"
	}
	ctx, cancel := context.WithTimeout(e.t.Context(), soon)
	defer cancel()
	cmd := e.command(ctx, "exec "+line)
	if strings.HasPrefix(line, "(") {
		cmd = e.command(ctx, line)
	}
	out := &said{}
	cmd.Stdout, cmd.Stderr = out, out
	if strings.Contains(line, "--watch") || strings.Contains(line, "--follow") {
		out.first = func() { _ = cmd.Process.Signal(syscall.SIGTERM) }
	}
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); !slices.Contains(codes, code) {
		e.t.Errorf("%s: exit code %d, %v\n%s", line, code, err, out.String())
	}
}

// asks reports whether a command asks before it changes something.
func asks(line string) bool {
	return slices.ContainsFunc([]string{" erase ", " release ", " import ", " token remove ", " revoke ", " approve ",
		" inbox retry ", " inbox drop "},
		func(command string) bool { return strings.Contains(line, "kubectl course"+command) }) &&
		!strings.Contains(line, "--dry-run")
}

// said is what a program said, and tells when it said something.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
	// first is called once there is something.
	first func()
}

// String returns all of it.
func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Write does what io.Writer asks for.
func (s *said) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first != nil {
		s.first()
		s.first = nil
	}
	return s.text.Write(text)
}

// anew removes the institution that an example made.
func (e *examples) anew() {
	e.t.Helper()
	g := NewWithT(e.t)
	institution := &v1alpha1.Institution{ObjectMeta: metav1.ObjectMeta{Namespace: sampleNamespace, Name: sampleNamespace}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: sampleNamespace, Name: sampleToken}}
	for _, object := range []client.Object{institution, secret} {
		g.Expect(client.IgnoreNotFound(admin.Delete(e.t.Context(), object))).To(Succeed())
		g.Eventually(func() bool {
			return apierrors.IsNotFound(admin.Get(e.t.Context(), client.ObjectKeyFromObject(object), object))
		}, soon, often).Should(BeTrue())
	}
}

// simplify removes the policies that examples made, whose names are those of the sample's.
func (e *examples) simplify() {
	e.t.Helper()
	for _, name := range []string{"grad-course", "tutor"} {
		policy := &v1alpha1.CompletionPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: sampleNamespace, Name: name}}
		NewWithT(e.t).Expect(client.IgnoreNotFound(admin.Delete(e.t.Context(), policy))).To(Succeed())
	}
}

// open makes sure that deliveries of the institution are taken, and writes its webhook URL to a file.
func (e *examples) open() {
	e.t.Helper()
	g := NewWithT(e.t)
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: sampleNamespace, Name: usedToken}
	err := admin.Get(e.t.Context(), key, secret)
	if apierrors.IsNotFound(err) {
		e.shell("kubectl course token add institution-12345 --secret " + usedToken)
		err = admin.Get(e.t.Context(), key, secret)
	}
	g.Expect(err).NotTo(HaveOccurred())
	url := operator.WebhookURL(12345, string(secret.Data[v1alpha1.SecretKeyToken]))
	g.Expect(os.WriteFile(filepath.Join(e.dir, "webhook-url"), []byte(url+"\n"), 0o600)).To(Succeed())
	// Many of those whom the examples post are approved too, and must not take the sample user's seat.
	pool := &v1alpha1.SeatPool{ObjectMeta: metav1.ObjectMeta{Namespace: sampleNamespace, Name: "tutors"}}
	more := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"capacity":5000}}`))
	g.Expect(client.IgnoreNotFound(admin.Patch(e.t.Context(), pool, more))).To(Succeed())
	e.policy("grad-lab", 123456, v1alpha1.ApprovalManual)
	e.policy("auto", 777777, v1alpha1.ApprovalAutomatic)
}

// policy makes a policy, if there is none.
func (e *examples) policy(name string, course v1alpha1.PlatformID, approval v1alpha1.Approval) {
	e.t.Helper()
	policy := &v1alpha1.CompletionPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: sampleNamespace, Name: name},
		Spec: v1alpha1.CompletionPolicySpec{
			Match:    v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{course}},
			GrantPer: v1alpha1.GrantPerUser, Approval: approval,
			Namespaces: []v1alpha1.NamespaceTemplate{{Name: "grad-${user.id}"}},
			Seats:      []v1alpha1.SeatTemplate{{Pool: "tutors"}},
		},
	}
	if approval == v1alpha1.ApprovalAutomatic {
		policy.Spec.Seats = nil
	}
	NewWithT(e.t).Expect(client.IgnoreAlreadyExists(admin.Create(e.t.Context(), policy))).To(Succeed())
}

// post sends a delivery.
func (e *examples) post(values map[string]any) {
	e.t.Helper()
	g := NewWithT(e.t)
	values["enrollment.date_expire"] = "2046-12-31"
	body, err := system.Variant(values)
	g.Expect(err).NotTo(HaveOccurred())
	url, err := os.ReadFile(filepath.Join(e.dir, "webhook-url"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func(g Gomega) {
		answer, err := system.Deliver(e.t.Context(), strings.TrimSpace(string(url)), body)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(answer.Status).To(Equal(200), answer.String())
		g.Expect(answer.Outcome).NotTo(Equal("erased"))
	}, soon, often).Should(Succeed())
}

// back makes sure that the sample user is stored, also after an example has erased it.
func (e *examples) back() {
	e.t.Helper()
	e.shell("kubectl course erase --user 987654321 --allow-again --yes")
	e.complete()
}

// complete makes sure that the sample user has completed the course, and has a seat.
func (e *examples) complete() {
	e.t.Helper()
	e.post(map[string]any{"event.send_at": time.Now().UTC().Add(-time.Hour).Format(time.DateTime)})
	e.await(sampleGrant, v1alpha1.GrantAwaitingApproval, v1alpha1.GrantActive)
	e.approved()
}

// await waits until a Grant is in one of the phases.
func (e *examples) await(name string, phases ...v1alpha1.GrantPhase) {
	e.t.Helper()
	NewWithT(e.t).Eventually(func(g Gomega) {
		grant := &v1alpha1.Grant{}
		key := client.ObjectKey{Namespace: sampleNamespace, Name: name}
		g.Expect(admin.Get(e.t.Context(), key, grant)).To(Succeed())
		g.Expect(grant.Status.ObservedGeneration).To(Equal(grant.Generation))
		g.Expect(grant.Status.Phase).To(BeElementOf(phases), "%+v", grant.Status.Conditions)
	}, soon, often).Should(Succeed())
}

// override sets what people say of the sample Grant, and waits for the phase that comes of it.
func (e *examples) override(text string, phase v1alpha1.GrantPhase) {
	e.t.Helper()
	grant := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: sampleNamespace, Name: sampleGrant}}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"override":null}}`))
	g := NewWithT(e.t)
	g.Expect(admin.Patch(e.t.Context(), grant, patch)).To(Succeed())
	if text != "null" {
		patch = client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"override":`+text+`}}`))
		g.Expect(admin.Patch(e.t.Context(), grant, patch)).To(Succeed())
	}
	e.await(sampleGrant, phase)
}

func (e *examples) unapproved() { e.override("null", v1alpha1.GrantAwaitingApproval) }

func (e *examples) approved() { e.override(`{"approved":true,"reason":"yes"}`, v1alpha1.GrantActive) }

func (e *examples) revoked() { e.override(`{"revoked":true,"reason":"no"}`, v1alpha1.GrantRevoked) }

// held makes sure that the inbox of the first replica has a dead letter, of a user of its own.
func (e *examples) held() {
	e.t.Helper()
	if e.refuses == nil {
		e.refuses = refuseSome(e.t, sampleNamespace)
	}
	url, err := os.ReadFile(filepath.Join(e.dir, "webhook-url"))
	NewWithT(e.t).Expect(err).NotTo(HaveOccurred())
	s := &school{t: e.t, Institution: &system.Institution{
		ID: 12345, Namespace: sampleNamespace, URLs: []string{strings.TrimSpace(string(url))},
	}}
	e.others++
	e.record = s.keep(administrator(e.t), 0, refusedForGood+e.others*10, "held").record
}

// taken ends that the API server refuses some completions.
func (e *examples) taken() {
	if e.refuses != nil {
		e.refuses()
		e.refuses = nil
	}
}

// tripped makes sure that the brake holds something back.
func (e *examples) tripped() {
	e.t.Helper()
	g := NewWithT(e.t)
	institution := &v1alpha1.Institution{ObjectMeta: metav1.ObjectMeta{Namespace: sampleNamespace, Name: sampleNamespace}}
	g.Expect(admin.Patch(e.t.Context(), institution, client.RawPatch("application/merge-patch+json",
		[]byte(`{"spec":{"revocationBudget":0}}`)))).To(Succeed())
	if institution.Status.Brake.Trip != "" {
		return
	}
	e.others++
	user := 700 + e.others
	e.post(map[string]any{"user.id": user, "enrollment.id": user, "course.id": 777777})
	e.await(fmt.Sprintf("auto.12345-%d", user), v1alpha1.GrantActive)
	g.Expect(admin.Delete(e.t.Context(), &v1alpha1.CourseCompletion{ObjectMeta: metav1.ObjectMeta{
		Namespace: sampleNamespace, Name: fmt.Sprintf("12345-777777-%d-%d", user, user)}})).To(Succeed())
	g.Eventually(func(g Gomega) {
		g.Expect(admin.Get(e.t.Context(), client.ObjectKeyFromObject(institution), institution)).To(Succeed())
		g.Expect(institution.Status.Brake.Trip).NotTo(BeEmpty())
	}, soon, often).Should(Succeed())
}

// roomForToken removes the tokens that examples have added, since there may be four.
func (e *examples) roomForToken() {
	e.t.Helper()
	e.shell("for token in $(kubectl course token list institution-12345 -o name | grep " + sampleToken + "-); do " +
		"kubectl course token remove institution-12345 $token --yes || exit; done")
}

// spareToken makes sure that there is the token which the examples remove, and another one.
func (e *examples) spareToken() {
	e.t.Helper()
	g := NewWithT(e.t)
	secret := &corev1.Secret{}
	err := admin.Get(e.t.Context(), client.ObjectKey{Namespace: sampleNamespace, Name: sampleToken}, secret)
	if client.IgnoreNotFound(err) == nil && err != nil {
		e.shell("kubectl course token add institution-12345 --secret " + sampleToken)
	}
	g.Expect(client.IgnoreNotFound(err)).To(Succeed())
}
