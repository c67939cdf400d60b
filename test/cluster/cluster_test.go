// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
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

// asHolder has the test binary start a cluster, print its state folder and wait to be killed.
const asHolder = "CLUSTER_TEST_AS_HOLDER"

// patience is how long something may take on a slow and busy machine before the test gives up.
const patience = 2 * time.Minute

var shared *Cluster

func TestMain(m *testing.M) {
	if os.Getenv(asHolder) != "" {
		if err := hold(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(Main(m, Options{AuditLevel: AuditMetadata}, func(c *Cluster) { shared = c }))
}

func hold() error {
	c, err := Start(context.Background(), Options{})
	if err != nil {
		return err
	}
	fmt.Println(c.StateDir())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func pid(t *testing.T, part Part) int {
	t.Helper()
	got, err := shared.PID(t.Context(), part)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return got
}

func TestFaults(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	before := pid(t, APIServer)
	g.Expect(before).To(BeNumerically(">", 1))

	g.Expect(shared.Kill(ctx, APIServer)).To(Succeed())
	g.Expect(pid(t, APIServer)).To(BeZero())
	_, err := shared.Kubectl(ctx, "get", "namespaces", "--request-timeout=2s")
	g.Expect(err).To(MatchError(ContainSubstring("connection refused")))

	g.Expect(shared.StartPart(ctx, APIServer)).To(Succeed())
	g.Expect(pid(t, APIServer)).NotTo(Or(BeZero(), Equal(before)))

	g.Expect(shared.Pause(ctx, Etcd)).To(Succeed())
	_, err = shared.Kubectl(ctx, "create", "namespace", "paused", "--request-timeout=1s")
	g.Expect(err).To(HaveOccurred())
	g.Expect(shared.Resume(ctx, Etcd)).To(Succeed())
	g.Expect(shared.Restart(ctx, ControllerManager)).To(Succeed())
	g.Eventually(func() error {
		_, err := shared.Kubectl(ctx, "get", "namespaces", "--request-timeout=5s")
		return err
	}).WithTimeout(patience).Should(Succeed())

	g.Expect(shared.StartPart(ctx, Etcd)).To(MatchError(ContainSubstring("runs already")))
	g.Expect(shared.Kill(ctx, "kubelet")).To(MatchError(ContainSubstring("unknown part")))
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
	g.Eventually(func() (string, error) {
		audit, err := os.ReadFile(shared.AuditLog())
		return string(audit), err
	}).Should(MatchRegexp(`"verb":"create","user":{"username":"admin".*"name":"audited"`))
}

func TestStop(t *testing.T) {
	g := NewWithT(t)
	dir := filepath.Join(t.TempDir(), "state")
	c, err := Start(t.Context(), Options{StateDir: dir, Stderr: t.Output()})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = c.Stop() })
	g.Expect(c.StateDir()).To(Equal(dir))

	g.Expect(c.Stop()).To(Succeed())
	g.Expect(dir).NotTo(BeADirectory())
	g.Expect(c.Stop()).To(Succeed())
	g.Expect(c.Kill(t.Context(), Etcd)).To(MatchError(errEnded))
}

func TestFailedStart(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options Options
		timeout time.Duration
		want    string
	}{
		{name: "wrong option", options: Options{AuditLevel: "Loud"}, timeout: time.Minute, want: "the starter has ended"},
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
}

func TestNothingOutlivesAKilledTest(t *testing.T) {
	g := NewWithT(t)
	holder := exec.CommandContext(t.Context(), os.Args[0])
	holder.Env = append(os.Environ(), asHolder+"=1")
	holder.Stderr = t.Output()
	_, err := holder.StdinPipe()
	g.Expect(err).NotTo(HaveOccurred())
	stdout, err := holder.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(holder.Start()).To(Succeed())
	line := bufio.NewScanner(stdout)
	g.Expect(line.Scan()).To(BeTrue(), "the holder printed nothing")
	dir := line.Text()
	g.Expect(dir).To(BeADirectory())

	g.Expect(holder.Process.Kill()).To(Succeed())
	g.Expect(holder.Wait()).To(HaveOccurred())
	g.Eventually(dir).WithTimeout(patience).ShouldNot(BeADirectory())
}
