// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

// BenchmarkQueuedDelivery is what a delivery costs the server that goes to the disk, the network left out.
func BenchmarkQueuedDelivery(b *testing.B) {
	h := newQueueing(b)
	body, err := os.ReadFile("testdata/contract-example.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(32)
	b.ReportAllocs()
	var failed atomic.Int64
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/webhooks/12345/"+token,
				strings.NewReader(string(body)))
			r.Header.Set("Content-Type", "application/json")
			recorded := httptest.NewRecorder()
			h.ServeHTTP(recorded, r)
			if recorded.Code != http.StatusOK {
				failed.Add(1)
			}
		}
	})
	if failed.Load() > 0 {
		b.Errorf("%d deliveries were not queued", failed.Load())
	}
}

// unreachable is an API that nobody reaches.
type unreachable struct{ client.Client }

func (unreachable) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return syscall.ECONNREFUSED
}

func (unreachable) Create(context.Context, client.Object, ...client.CreateOption) error {
	return syscall.ECONNREFUSED
}

// newQueueing returns the handler of a server that knows an institution by its snapshot, and whose API is away.
func newQueueing(b testing.TB) *handler {
	b.Helper()
	h, _ := newQueueingInto(b)
	return h
}

// newQueueingInto returns its inbox too.
func newQueueingInto(b testing.TB) (*handler, *inbox.Inbox) {
	b.Helper()
	registry := prometheus.NewRegistry()
	measured, err := newInstruments(registry)
	if err != nil {
		b.Fatal(err)
	}
	kept, err := inbox.Open(filepath.Join(b.TempDir(), "inbox.db"), inbox.Options{
		MaxBytes: 4 << 30, Clock: clock.RealClock{},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := kept.Close(); err != nil {
			b.Error(err)
		}
	})
	sum := sha256.Sum256([]byte(token))
	institution := &v1alpha1.Institution{}
	institution.Namespace, institution.Name = "institution-12345", "institution"
	institution.Spec.ID, institution.Spec.TimeZone = 12345, "America/Sao_Paulo"
	institution.Spec.Privacy.CPF = v1alpha1.DataMask
	institution.Status.Tokens = []v1alpha1.TokenStatus{
		{SecretName: "token", State: v1alpha1.TokenAccepted, SHA256: hex.EncodeToString(sum[:])},
	}
	institutions := &institutionStore{
		synced:   func() bool { return false },
		snapshot: map[string][]*v1alpha1.Institution{hex.EncodeToString(sum[:]): {institution}},
	}
	institutions.snapshotInUse.Store(true)
	machine := clock.RealClock{}
	queueing, err := store.New(store.Options{
		Log: logr.Discard(), Clock: machine, Inbox: kept, Completions: unreachable{},
		APITimeout: time.Minute, APIConcurrency: 1, Registry: registry,
	})
	if err != nil {
		b.Fatal(err)
	}
	return &handler{
		log: logr.Discard(), clock: machine, newDeliveryID: newDeliveryID, synced: institutions.known,
		authenticator: authenticator{institutions: institutions}, rates: throttle.NewRates(0),
		concurrency: throttle.NewConcurrency(0), instruments: measured,
		store:    queueing,
		auditLog: NewAuditLog(io.Discard), bodies: throttle.NewBodyBudget(64 << 10),
		events: &eventLabels{}, auditLimit: throttle.NewAuditLimit(0),
	}, kept
}
