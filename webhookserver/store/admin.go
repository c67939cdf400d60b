// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/lxp-dev/course-completion-operator/internal/inboxapi"
	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// maxListed is how many records a page of the administration has.
const maxListed = 500

// admin answers those who may use the socket, which are the user of the program and root.
type admin struct{ store *Store }

func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", a.status)
	mux.HandleFunc("GET /records", a.list)
	mux.HandleFunc("GET /records/{record}", a.show)
	mux.HandleFunc("POST /records/{record}/retry", a.change("retried", func(ctx context.Context, seq uint64) error {
		return a.store.inbox.Retry(ctx, seq)
	}))
	mux.HandleFunc("DELETE /records/{record}", a.change("dropped", a.store.drainer.drop))
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, _ *http.Request) {
		a.store.drainer.restart()
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

func (a *admin) status(w http.ResponseWriter, r *http.Request) {
	stats := a.store.inbox.Stats()
	status := inboxapi.Status{
		Records: stats.Records, DeadLetters: stats.DeadLetters, Bytes: stats.Bytes, MaxBytes: stats.MaxBytes,
		APIAway: a.store.APIAway(),
	}
	if !stats.Oldest.IsZero() {
		status.Oldest = &stats.Oldest
	}
	if stats.Failure != nil {
		status.Failure = stats.Failure.Error()
	}
	if r.FormValue("namespaces") == "true" {
		status.Namespaces = make(map[string]inboxapi.Count)
		for namespace, count := range a.store.inbox.Namespaces() {
			counted := inboxapi.Count{Records: count.Records, DeadLetters: count.DeadLetters}
			if !count.Oldest.IsZero() {
				counted.Oldest = &count.Oldest
			}
			status.Namespaces[namespace] = counted
		}
	}
	respond(w, status)
}

func (a *admin) list(w http.ResponseWriter, r *http.Request) {
	state := inbox.State(r.FormValue("state"))
	if state != inbox.Waiting && state != inbox.Dead {
		http.Error(w, "state must be waiting or dead", http.StatusBadRequest)
		return
	}
	after, err := strconv.ParseUint(r.FormValue("after"), 10, 64)
	if err != nil {
		http.Error(w, "after must be a record number", http.StatusBadRequest)
		return
	}
	page, err := a.store.inbox.Read(state, after, maxListed)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer := inboxapi.Page{Records: []inboxapi.Record{}}
	for _, record := range page.Records {
		answer.Records = append(answer.Records, a.shown(record, state, false))
	}
	if page.More {
		answer.Next = page.Last
	}
	respond(w, answer)
}

func (a *admin) show(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseUint(r.PathValue("record"), 10, 64)
	if err != nil {
		http.Error(w, "the record must be a number", http.StatusBadRequest)
		return
	}
	record, state, err := a.store.inbox.Get(seq)
	if err != nil {
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	respond(w, a.shown(record, state, r.FormValue("data") == "true"))
}

// change answers a request that changes one record, and puts on record what became of it.
func (a *admin) change(action string, do func(ctx context.Context, seq uint64) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seq, err := strconv.ParseUint(r.PathValue("record"), 10, 64)
		if err != nil {
			http.Error(w, "the record must be a number", http.StatusBadRequest)
			return
		}
		record, state, err := a.store.inbox.Get(seq)
		if err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		// Who asked may go, and what is done is known all the same.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), DiskTimeout)
		defer cancel()
		if err := do(ctx, seq); err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		a.store.measured.administered.WithLabelValues(action).Inc()
		a.store.log.Info("Record changed by hand", "action", action, "record", seq, "state", string(state),
			"deliveryID", record.DeliveryID, "completion", keyOf(record), "reason", record.Reason)
		// What was retried has its old place, which the drainer has passed.
		a.store.drainer.restart()
		w.WriteHeader(http.StatusNoContent)
	}
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, inbox.ErrNoRecord):
		return http.StatusNotFound
	case errors.Is(err, errBeingTried):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

func (a *admin) shown(record *inbox.Record, state inbox.State, data bool) inboxapi.Record {
	if state == inbox.Waiting {
		// The file has what was the matter when it came.
		a.store.drainer.describe(record)
	}
	s := inboxapi.Record{
		Record: record.Seq, State: string(state), Received: record.Received, DeliveryID: record.DeliveryID,
		Completion: record.Namespace + "/" + record.Name, Reason: record.Reason, Attempts: record.Attempts,
	}
	if data {
		s.Data = record.Data
	}
	return s
}

func respond(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	// Whoever asked has gone, or gets less than promised and sees it.
	_ = json.NewEncoder(w).Encode(body)
}
