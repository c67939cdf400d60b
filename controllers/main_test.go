// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	_ "time/tzdata" // The zones must not depend on the machine.

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/controllers"
	"github.com/lxp-dev/course-completion-operator/controllers/compiler"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/latewatch"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// soon bounds what the operator does, and what the control plane's own controllers do for it. Only a failure takes
	// so long: the machine may be slow and busy.
	soon = 5 * time.Minute
	// often is how often a condition is looked at. Looking more often makes the API server slower, and nothing faster.
	often = 100 * time.Millisecond
	// margin is how far from a moment a test puts its clock: that goes on meanwhile, on a slow machine for minutes.
	margin = 20 * time.Minute

	serviceAccount = "completion-controller-manager"
)

// What all tests share: a control plane with config/default installed, an administrator, and the rights of the
// controller-manager's ServiceAccount, with which each test runs a manager of its own.
var (
	plane  *cluster.Cluster
	admin  client.WithWatch
	rights *rest.Config
	// late says how late each manager hears of what happens, see package latewatch.
	late latewatch.Options
)

func TestMain(m *testing.M) {
	// Tests wait far more than they compute. A -parallel on the command line goes before this.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	var err error
	if late, err = latewatch.FromEnvironment(); err != nil {
		panic(err)
	}
	if late.Most > 0 {
		fmt.Fprintln(os.Stderr, late)
	}
	os.Exit(cluster.Main(m, cluster.Options{AuditLevel: cluster.AuditMetadata}, func(c *cluster.Cluster) {
		plane = c
		// What is not of a test's own manager.
		ctrl.SetLogger(zap.New(zap.WriteTo(io.Discard)))
		if err := install(context.Background()); err != nil {
			panic(err)
		}
	}))
}

func install(ctx context.Context) error {
	if err := system.Install(ctx, plane); err != nil {
		return err
	}
	var err error
	if admin, err = system.NewClient(plane.AdminConfig()); err != nil {
		return err
	}
	rights, err = plane.ServiceAccountConfig(ctx, system.Namespace, serviceAccount)
	return err
}

// stepClock starts on 2026-03-10 at noon (UTC), goes on as time does, and can be put forward.
type stepClock struct {
	began time.Time
	ahead atomic.Int64
}

// noon is when every test begins.
var noon = time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC)

func (c *stepClock) Now() time.Time {
	return noon.Add(time.Since(c.began) + time.Duration(c.ahead.Load()))
}

func (c *stepClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// logs keeps what a manager logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// world is what one test has: an institution in a namespace of its own, and a manager that sees no other one's, with a
// clock of its own.
type world struct {
	t         *testing.T
	id        v1alpha1.PlatformID
	namespace string
	prefix    string
	token     string
	clock     *stepClock
	logs      *logs
	limits    policies.Limits
	// settings bound nothing unless a test is about them, and let through what they do by default.
	settings installation.Namespaces
	// patience is hardly any unless a test is about it.
	patience memory.Patience
	// beside are further namespaces that the manager sees.
	beside []string
	// foreign is the namespace of another institution.
	foreign string
	// election, where it is set, is the name of the Lease that the manager has to have before it does anything.
	election string
	// cached reads what the manager has seen.
	cached client.Reader
	// compile, where it is set, compiles the policies.
	compile compiler.Func
	// timeout, where it is set, bounds one look at anything.
	timeout time.Duration
	// wrap, where it is set, comes between the manager and the API server.
	wrap func(http.RoundTripper) http.RoundTripper
	// seen is what the manager has seen of the cluster.
	seen client.Reader
	// stop ends the manager and returns once it has ended.
	stop func()
}

// in returns the world for a subtest, which then fails by itself.
func (w *world) in(t *testing.T) *world {
	inside := *w
	inside.t = t
	return &inside
}

var worlds atomic.Int64

// makeWorld makes the namespace, its rights and the token, but neither an Institution nor a manager.
func makeWorld(t *testing.T) *world {
	t.Helper()
	n := worlds.Add(1)
	w := &world{
		t: t, id: v1alpha1.PlatformID(1000 + n), namespace: fmt.Sprintf("world-%d", n), prefix: fmt.Sprintf("wld%d-", n),
		token: fmt.Sprintf("token-of-world-%d-which-is-long-enough", n), clock: &stepClock{began: time.Now()}, logs: &logs{},
		limits: policies.Limits{
			PodSecurityCap: v1alpha1.PodSecurityRestricted, NetworkIsolationCap: v1alpha1.NetworkIsolationNone,
			NamespaceLabelDomains: []string{"example.org"},
			ObjectKinds:           []schema.GroupKind{{Group: fmt.Sprintf("world-%d.example.org", n), Kind: "Badge"}},
		},
		settings: settings(t, "{quota: {}, limits: []}"),
		stop:     func() {},
		patience: memory.Patience{
			Absent: time.Millisecond, Replaced: time.Millisecond, Restored: time.Millisecond},
	}
	w.create(
		system.InstitutionNamespace(w.namespace, w.id, w.prefix),
		w.binding(),
		MakeSecret(w, "token").Token(w.token).Obj(),
	)
	return w
}

// makeLateWorld makes one in which it is 2031: what is sent in 2030 comes after what people make in a test, which the
// API server dates, and yet lies behind.
func makeLateWorld(t *testing.T) *world {
	t.Helper()
	w := makeWorld(t)
	w.clock.ahead.Store(int64(time.Date(2031, time.July, 1, 12, 0, 0, 0, time.UTC).Sub(noon)))
	return w
}

// newWorld also makes the Institution, starts the manager and waits until the Institution is Ready.
func newWorld(t *testing.T) *world {
	t.Helper()
	return makeWorld(t).begin()
}

// newLateWorld does that in a late world.
func newLateWorld(t *testing.T) *world {
	t.Helper()
	return makeLateWorld(t).begin()
}

func (w *world) begin() *world {
	w.t.Helper()
	institution := MakeInstitution(w).Obj()
	w.create(institution)
	w.start()
	w.awaitReason(institution, v1alpha1.ReasonReady)
	return w
}

// binding is what lets the controller-manager read the tokens.
func (w *world) binding() *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "completion-institution"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "completion-institution"},
		Subjects: []rbacv1.Subject{
			{Kind: rbacv1.ServiceAccountKind, Namespace: system.Namespace, Name: serviceAccount},
		},
	}
}

// start runs a manager until the test ends, or until it is stopped.
func (w *world) start() {
	w.t.Helper()
	g := NewWithT(w.t)
	own := rest.CopyConfig(rights)
	own.Wrap(late.Wrapper(w.t.Name()))
	if w.wrap != nil {
		own.Wrap(w.wrap)
	}
	mgr, err := ctrl.NewManager(own, manager.Options{
		Scheme:                 controllers.NewScheme(),
		Cache:                  w.cache(),
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		Logger:                 zap.New(zap.WriteTo(w.logs)),
		Controller:             config.Controller{SkipNameValidation: new(true), ReconciliationTimeout: w.timeout},

		LeaderElection: w.election != "", LeaderElectionID: w.election, LeaderElectionNamespace: w.namespace,
		LeaderElectionConfig: plane.AdminConfig(), RetryPeriod: new(500 * time.Millisecond),
		LeaseDuration: new(10 * time.Minute), RenewDeadline: new(5 * time.Minute),
	})
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	g.Expect(controllers.Setup(ctx, mgr, controllers.Options{
		Limits: w.limits, Clock: w.clock, Workers: 4, Patience: w.patience, Compile: w.compile,
		Namespaces: w.settings})).To(Succeed())
	w.cached = mgr.GetClient()
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	w.stop = sync.OnceFunc(func() {
		w.seen = nil
		cancel()
		g.Expect(<-ended).To(Succeed())
	})
	stop := w.stop
	w.t.Cleanup(func() {
		stop()
		w.checkLogs()
	})
	g.Expect(mgr.GetCache().WaitForCacheSync(ctx)).To(BeTrue())
	w.seen = mgr.GetCache()
}

// cache is that of the program, for the objects of our group only in the test's own namespaces.
func (w *world) cache() cache.Options {
	options := controllers.CacheOptions()
	namespaces := map[string]cache.Config{w.namespace: {}}
	for _, name := range w.beside {
		namespaces[name] = cache.Config{}
	}
	for kind, own := range options.ByObject {
		if _, is := kind.(*v1alpha1.CourseCompletion); is {
			own.Namespaces = namespaces
			options.ByObject[kind] = own
		}
	}
	for _, kind := range []client.Object{
		&v1alpha1.Institution{}, &v1alpha1.CompletionPolicy{}, &v1alpha1.Grant{}, &v1alpha1.SeatPool{}, &v1alpha1.Seat{},
	} {
		options.ByObject[kind] = cache.ByObject{Namespaces: namespaces}
	}
	return index.Lean(options)
}

// checkLogs holds for every test: no token and nothing personal is in the log.
func (w *world) checkLogs() {
	w.t.Helper()
	said := w.logs.String()
	for _, secret := range []string{w.token, "Graciliano", "example.org"} {
		if bytes.Contains([]byte(said), []byte(secret)) {
			w.t.Errorf("the log contains %q", secret)
		}
	}
	if w.t.Failed() {
		w.t.Logf("the log of the manager:\n%s", said[max(0, len(said)-8000):])
	}
}
