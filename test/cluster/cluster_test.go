// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// patience is how long something may take on a slow and busy machine before the test gives up.
const patience = 2 * time.Minute

var shared *Cluster

func TestMain(m *testing.M) {
	if os.Getenv(asHolder) != "" {
		os.Exit(hold(m))
	}
	os.Exit(Main(m, Options{AuditLevel: AuditMetadata}, func(c *Cluster) { shared = c }))
}

func TestVersions(t *testing.T) {
	g := NewWithT(t)
	versions, err := shared.Kubectl(t.Context(), "version")
	g.Expect(err).NotTo(HaveOccurred())
	client, server := "", ""
	for line := range strings.Lines(versions) {
		what, version, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch what {
		case "Client Version":
			client = version
		case "Server Version":
			server = version
		}
	}
	g.Expect(client).To(MatchRegexp(`^v1\.\d+\.\d+$`))
	g.Expect(server).To(Equal(client))
}

// TestControllersWork has a namespace come, with what a pod in it needs, and go.
func TestControllersWork(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	_, err := shared.Kubectl(ctx, "create", "namespace", "visitor")
	g.Expect(err).NotTo(HaveOccurred())
	// ServiceAccount admission refuses a pod until a controller has made the ServiceAccount.
	g.Eventually(func() error {
		_, err := shared.Kubectl(ctx, "run", "guest", "-n", "visitor", "--image=none.invalid/none")
		return err
	}).WithTimeout(patience).Should(Succeed())
	_, err = shared.Kubectl(ctx, "delete", "namespace", "visitor", "--timeout=110s")
	g.Expect(err).NotTo(HaveOccurred())
}

func TestKillAndStart(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	_, err := shared.Kubectl(ctx, "create", "namespace", "survivor")
	g.Expect(err).NotTo(HaveOccurred())
	for _, part := range parts {
		before := shared.PID(part)
		g.Expect(before).To(BeNumerically(">", 1))
		g.Expect(shared.Kill(ctx, part)).To(Succeed())
		g.Expect(shared.PID(part)).To(BeZero())
		g.Expect(alive(before)).To(BeFalse())
		g.Expect(shared.StartPart(ctx, part)).To(Succeed())
		g.Expect(shared.PID(part)).NotTo(Or(BeZero(), Equal(before)))
	}
	g.Eventually(func() error {
		_, err := shared.Kubectl(ctx, "get", "namespace", "survivor", "--request-timeout=5s")
		return err
	}).WithTimeout(patience).Should(Succeed())
}

func TestPauseAndResume(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	for _, part := range []Part{APIServer, Etcd} {
		g.Expect(shared.Pause(ctx, part)).To(Succeed())
		_, err := shared.Kubectl(ctx, "create", "namespace", "paused", "--request-timeout=1s")
		g.Expect(err).To(HaveOccurred(), "with %s paused", part)
		g.Expect(shared.Resume(ctx, part)).To(Succeed())
		g.Eventually(func() error {
			_, err := shared.Kubectl(ctx, "get", "namespaces", "--request-timeout=5s")
			return err
		}).WithTimeout(patience).Should(Succeed())
	}
}

func TestRestart(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	for _, part := range []Part{APIServer, ControllerManager} {
		before := shared.PID(part)
		g.Expect(shared.Restart(ctx, part)).To(Succeed())
		g.Expect(shared.PID(part)).NotTo(Or(BeZero(), Equal(before)))
	}
	_, err := shared.Kubectl(ctx, "get", "namespaces")
	g.Expect(err).NotTo(HaveOccurred())
}

func TestWrongOperations(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	g.Expect(shared.StartPart(ctx, Etcd)).To(MatchError(ContainSubstring("runs already")))
	g.Expect(shared.Kill(ctx, "kubelet")).To(MatchError(ContainSubstring("unknown part")))
	g.Expect(shared.StartPart(ctx, "kubelet")).To(MatchError(ContainSubstring("unknown part")))
	g.Expect(shared.Kill(ctx, ControllerManager)).To(Succeed())
	g.Expect(shared.Pause(ctx, ControllerManager)).To(MatchError(ContainSubstring("does not run")))
	g.Expect(shared.StartPart(ctx, ControllerManager)).To(Succeed())
}

func TestServiceAccountHasItsOwnRightsOnly(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	manifest := `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"namespace":"default","name":"reader"}}`
	_, err := shared.KubectlInput(ctx, strings.NewReader(manifest), "create", "-f", "-")
	g.Expect(err).NotTo(HaveOccurred())

	config, err := shared.ServiceAccountConfig(ctx, "default", "reader")
	g.Expect(err).NotTo(HaveOccurred())
	client, err := kubernetes.NewForConfig(config)
	g.Expect(err).NotTo(HaveOccurred())
	list := func() error {
		_, err := client.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{})
		return err
	}
	g.Expect(list()).To(Satisfy(apierrors.IsForbidden))

	admin, err := kubernetes.NewForConfig(shared.AdminConfig())
	g.Expect(err).NotTo(HaveOccurred())
	_, err = admin.RbacV1().RoleBindings("default").Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "reader"}},
	}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(list).WithTimeout(patience).Should(Succeed())
}

func TestServiceAccountKubeconfig(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	g.Expect(os.WriteFile(path, []byte("old"), 0o644)).To(Succeed())
	g.Expect(shared.ServiceAccountKubeconfig(ctx, "default", "default", path)).To(Succeed())

	info, err := os.Stat(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
	g.Expect(shared.Kubectl(ctx, "--kubeconfig", path, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")).
		To(Equal("system:serviceaccount:default:default"))

	err = shared.ServiceAccountKubeconfig(ctx, "default", "nobody", path)
	g.Expect(err).To(MatchError(ContainSubstring("default/nobody")))
}

func TestKubectlShowsWhatItSaid(t *testing.T) {
	g := NewWithT(t)
	_, err := shared.Kubectl(t.Context(), "get", "namespace", "absent")
	g.Expect(err).To(MatchError(ContainSubstring(`namespaces "absent" not found`)))
}

func TestAuditLogSaysWhoDidWhat(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	_, err := shared.Kubectl(ctx, "create", "namespace", "audited")
	g.Expect(err).NotTo(HaveOccurred())
	var audit string
	g.Eventually(func() (string, error) {
		content, err := os.ReadFile(shared.AuditLog())
		audit = string(content)
		return audit, err
	}).Should(MatchRegexp(`"verb":"create","user":{"username":"admin".*"name":"audited"`))
	g.Expect(audit).NotTo(ContainSubstring(`"stage":"RequestReceived"`))
}

func TestFilesArePrivate(t *testing.T) {
	g := NewWithT(t)
	for path, want := range map[string]os.FileMode{
		shared.StateDir(): 0o700, shared.Kubeconfig(): 0o600, shared.AuditLog(): 0o600, shared.Log(Etcd): 0o600,
	} {
		info, err := os.Stat(path)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(info.Mode().Perm()).To(Equal(want), path)
	}
}

func TestFailedStart(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options Options
		timeout time.Duration
		want    string
	}{
		{name: "wrong audit level", options: Options{AuditLevel: "Loud"}, timeout: time.Minute,
			want: `audit level "Loud" is none of`},
		{name: "out of time", timeout: time.Second / 4, want: context.DeadlineExceeded.Error()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			ctx, cancel := context.WithTimeout(t.Context(), tc.timeout)
			defer cancel()
			tc.options.Stderr = t.Output()
			tc.options.StateDir = filepath.Join(t.TempDir(), "state")
			_, err := Start(ctx, tc.options)
			g.Expect(err).To(MatchError(ContainSubstring(tc.want)))
			g.Expect(tc.options.StateDir).NotTo(BeADirectory())
		})
	}
	_, err := Start(t.Context(), Options{StateDir: "somewhere"})
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("absolute")))
}

// alive says false for a process that ended and that nobody has waited for yet.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
