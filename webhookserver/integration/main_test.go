// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration tests the webhook server on a real control plane, with the ServiceAccount and the rights that an
// installation gives it.
package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

const (
	systemNamespace = "completion-system"
	serviceAccount  = "completion-webhook-server"
	exampleName     = "12345-123456-11-987654321"
	// patience is how long something may take on a slow and busy machine before the test gives up.
	patience = 3 * time.Minute
	// often is how often a condition is looked at. Looking more often makes the machine slower, and nothing faster.
	often = 50 * time.Millisecond
)

var (
	controlPlane *cluster.Cluster
	admin        client.Client
	// example is the example of the sender's contract, byte for byte.
	example string
	// httpClient gives up where a server hangs.
	httpClient = &http.Client{Timeout: patience}
)

func TestMain(m *testing.M) {
	os.Exit(cluster.Main(m, cluster.Options{}, func(c *cluster.Cluster) {
		controlPlane = c
		// What the libraries log is no part of the tests; without this they complain that nobody asked for it.
		ctrllog.SetLogger(logr.Discard())
		SetDefaultEventuallyPollingInterval(often)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		utilruntime.Must(install(ctx))
	}))
}

// install does what an installation does for the webhook server.
func install(ctx context.Context) error {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, "webhookserver", "testdata", "contract-example.json"))
	if err != nil {
		return err
	}
	example = string(text)
	rights := filepath.Join(root, "config", "rbac")
	for _, args := range [][]string{
		{"apply", "--server-side", "-f", filepath.Join(root, "config", "crd", "bases")},
		{"create", "namespace", systemNamespace},
		{"apply", "-f", filepath.Join(rights, "webhook_server_service_account.yaml")},
		{"apply", "-f", filepath.Join(rights, "webhook_server_role.yaml")},
		{"apply", "-f", filepath.Join(rights, "webhook_server_role_binding.yaml")},
	} {
		if _, err := controlPlane.Kubectl(ctx, args...); err != nil {
			return err
		}
	}
	if err := controlPlane.AwaitKinds(ctx); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	admin, err = client.New(controlPlane.AdminConfig(), client.Options{Scheme: scheme})
	return err
}

// institution is an Institution with the id of the contract's example, in a namespace of its own.
type institution struct {
	namespace, token string
}

// newInstitution makes one as the controller-manager would leave it.
func newInstitution(t *testing.T, change ...func(*v1alpha1.Institution)) institution {
	t.Helper()
	g, ctx := NewWithT(t), t.Context()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "institution-"}}
	g.Expect(admin.Create(ctx, namespace)).To(Succeed())
	i := institution{namespace: namespace.Name, token: newToken()}
	object := &v1alpha1.Institution{
		ObjectMeta: metav1.ObjectMeta{Namespace: i.namespace, Name: "institution"},
		Spec: v1alpha1.InstitutionSpec{
			ID: 12345,
			Authentication: v1alpha1.AuthenticationSpec{
				TokenSecretRefs: []v1alpha1.TokenSecretReference{{Name: "webhook-token"}},
			},
			NamespacePrefix: "grad-",
			Limits:          v1alpha1.LimitsSpec{DeliveriesPerSecond: 100_000, Burst: 1_000_000},
		},
	}
	tokens := []v1alpha1.TokenStatus{
		{SecretName: "webhook-token", State: v1alpha1.TokenAccepted, SHA256: digest(i.token)},
	}
	object.Status.Tokens = tokens
	for _, c := range change {
		c(object)
	}
	status := object.Status
	g.Expect(admin.Create(ctx, object)).To(Succeed())
	object.Status = status
	g.Expect(admin.Status().Update(ctx, object)).To(Succeed())
	return i
}

func newToken() string { return rand.Text() + rand.Text() }

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// completion returns what is stored of the contract's example.
func (i institution) completion(t *testing.T) *v1alpha1.CourseCompletion {
	t.Helper()
	return i.completionOf(t, exampleName)
}

// completionOf returns a stored completion.
func (i institution) completionOf(t *testing.T, name string) *v1alpha1.CourseCompletion {
	t.Helper()
	stored := &v1alpha1.CourseCompletion{}
	key := client.ObjectKey{Namespace: i.namespace, Name: name}
	NewWithT(t).Expect(admin.Get(t.Context(), key, stored)).To(Succeed())
	return stored
}

// completions returns how many completions the institution has.
func (i institution) completions(t *testing.T) int {
	t.Helper()
	var list v1alpha1.CourseCompletionList
	NewWithT(t).Expect(admin.List(t.Context(), &list, client.InNamespace(i.namespace))).To(Succeed())
	return len(list.Items)
}

// running is a webhook server in this process.
type running struct {
	*webhookserver.Server
	log      *logLines
	registry *prometheus.Registry
	// stop asks the server to stop; ended then gives what Run returned.
	stop  context.CancelFunc
	ended chan error
}

// start runs a webhook server with the rights of its ServiceAccount until the test ends.
func start(t *testing.T, change ...func(*webhookserver.Options)) *running {
	t.Helper()
	config, err := controlPlane.ServiceAccountConfig(t.Context(), systemNamespace, serviceAccount)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return startWith(t, config, change...)
}

func startWith(t *testing.T, config *rest.Config, change ...func(*webhookserver.Options)) *running {
	t.Helper()
	r := &running{log: &logLines{}, registry: prometheus.NewRegistry(), ended: make(chan error, 1)}
	options := webhookserver.Options{
		Config: config, UserAgent: "completion-webhook-server/test",
		ListenAddress: "127.0.0.1:0", HealthAddress: "127.0.0.1:0", MetricsAddress: "127.0.0.1:0",
		MaxBodyBytes: 64 << 10, ShutdownTimeout: 20 * time.Second,
		Storage: newStorage(t),
		// Everything that the server could ever log is looked at.
		Log: funcr.NewJSON(r.log.add, funcr.Options{Verbosity: 10}), Registry: r.registry,
		Clock:    clock.RealClock{},
		Audit:    webhookserver.NewAuditLog(&r.log.audits),
		Exposure: webhookserver.Exposure{MaxConnections: 200},
	}
	for _, c := range change {
		c(&options)
	}
	var err error
	r.Server, err = webhookserver.New(t.Context(), options)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	var ending sync.WaitGroup
	ending.Go(func() { r.ended <- r.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		ending.Wait()
	})
	return r
}

// newStorage is that of a server with a disk of its own.
func newStorage(t *testing.T) webhookserver.Storage {
	t.Helper()
	return storageIn(t.TempDir())
}

// storageIn is that of a server which finds what an earlier one has left.
func storageIn(dir string) webhookserver.Storage {
	return webhookserver.Storage{
		APITimeout: 20 * time.Second, APIConcurrency: 64,
		InboxFile: filepath.Join(dir, "inbox.db"), InboxMaxBytes: 64 << 20, InboxSocket: filepath.Join(dir, "s"),
	}
}

// knows waits until the server takes deliveries of an institution, and returns the URL for them.
func (r *running) knows(t *testing.T, i institution) string {
	t.Helper()
	url := r.url(i)
	NewWithT(t).Eventually(func() int { return send(t, http.MethodGet, url, "").status }, patience).Should(Equal(200))
	return url
}

func (r *running) url(i institution) string {
	return fmt.Sprintf("http://%s/webhooks/12345/%s", r.WebhookAddress(), i.token)
}

// reply is the answer of the server.
type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
	// closed tells that the server closes the connection.
	closed bool
}

// outcome is the outcome of an accepted call or the token of the problem's type.
func (r reply) outcome() string {
	if outcome, ok := r.body["outcome"].(string); ok {
		return outcome
	}
	problem, _ := r.body["type"].(string)
	return strings.TrimPrefix(problem, "https://completions.lxp.dev/problems/")
}

func (r reply) deliveryID() string { return r.header.Get(webhookserver.DeliveryIDHeader) }

// post sends a delivery as the platform does.
func post(t *testing.T, url, body string) reply {
	t.Helper()
	return send(t, http.MethodPost, url, body, "Content-Type", "application/json")
}

func send(t *testing.T, method, url, body string, header ...string) reply {
	t.Helper()
	g := NewWithT(t)
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	g.Expect(err).NotTo(HaveOccurred())
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := httpClient.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	got := reply{status: response.StatusCode, header: response.Header, text: string(text), closed: response.Close}
	if len(text) > 0 {
		g.Expect(json.Unmarshal(text, &got.body)).To(Succeed())
	}
	return got
}

// logLines gathers what a server logs, and its audit records.
type logLines struct {
	audits auditLines
	mu     sync.Mutex
	lines  bytes.Buffer
}

// auditLines gathers audit records.
type auditLines struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *auditLines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(text)
}

func (l *auditLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func (l *logLines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines.WriteString(line + "\n")
}

// String returns all of it.
func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String() + l.audits.String()
}

// flatten puts the members of an object into another one, by their paths.
func flatten(object map[string]any, prefix string, into map[string]any) map[string]any {
	for name, value := range object {
		if inner, ok := value.(map[string]any); ok {
			flatten(inner, prefix+name+".", into)
		} else {
			into[prefix+name] = value
		}
	}
	return into
}

// audit waits for the audit record of a call and returns its members by their paths, such as event.reason.
func (l *logLines) audit(t *testing.T, deliveryID string) map[string]any {
	t.Helper()
	var records []map[string]any
	NewWithT(t).Eventually(func() int {
		records = nil
		for line := range strings.Lines(l.audits.String()) {
			var record map[string]any
			if json.Unmarshal([]byte(line), &record) != nil {
				continue
			}
			record = flatten(record, "", map[string]any{})
			if record["event.id"] == deliveryID && record["completion.outcome"] != nil {
				records = append(records, record)
			}
		}
		return len(records)
	}, patience).Should(Equal(1), "audit records of the call")
	return records[0]
}

// edited returns the contract's example after replacements, each of something that occurs exactly once.
func edited(t *testing.T, oldNew ...string) string {
	t.Helper()
	body := example
	for i := 0; i < len(oldNew); i += 2 {
		NewWithT(t).Expect(strings.Count(body, oldNew[i])).To(Equal(1), oldNew[i])
		body = strings.Replace(body, oldNew[i], oldNew[i+1], 1)
	}
	return body
}
