// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
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

// newQueueing returns the handler of a server that knows an institution by its snapshot and that the API is away.
func newQueueing(b testing.TB) *handler {
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
	institutions := &directory{
		synced:   func() bool { return false },
		snapshot: map[string][]*v1alpha1.Institution{hex.EncodeToString(sum[:]): {institution}},
	}
	institutions.fallback.Store(true)
	machine := clock.RealClock{}
	away := newCircuit(machine)
	away.settle(pass{}, true, time.Hour)
	return &handler{
		log: logr.Discard(), clock: machine, newDeliveryID: newDeliveryID, synced: institutions.known,
		authenticator: authenticator{institutions: institutions}, gate: newGate(0, 0), instruments: measured,
		store: &store{
			log: logr.Discard(), clock: machine, slots: newSlots(1), circuit: away, inbox: kept,
		},
		auditLog: NewAuditLog(io.Discard), bodies: newBodies(64 << 10),
		events: &eventLabels{}, strangers: newStrangers(0),
	}
}
