// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// InboxStatus is what the administration of an inbox says of it.
type InboxStatus struct {
	Records     int        `json:"records"`
	DeadLetters int        `json:"deadLetters"`
	Bytes       int64      `json:"bytes"`
	MaxBytes    int64      `json:"maxBytes"`
	Oldest      *time.Time `json:"oldest,omitempty"`
	// Failure is why it cannot be written; empty where it can.
	Failure string `json:"failure,omitempty"`
	// APIAway tells that the API is known not to take anything.
	APIAway bool `json:"apiAway"`
	// Namespaces is what each namespace has that has anything. It is there only where it was asked for.
	Namespaces map[string]InboxCount `json:"namespaces,omitempty"`
}

// InboxCount is what one namespace has in an inbox.
type InboxCount struct {
	Records     int        `json:"records"`
	DeadLetters int        `json:"deadLetters"`
	Oldest      *time.Time `json:"oldest,omitempty"`
}

// InboxRecord is what the administration says of a record.
type InboxRecord struct {
	Record     uint64    `json:"record"`
	State      string    `json:"state"`
	Received   time.Time `json:"received"`
	DeliveryID string    `json:"deliveryID"`
	Completion string    `json:"completion"`
	Reason     string    `json:"reason"`
	Attempts   uint32    `json:"attempts,omitempty"`
	// Data is the delivery, which holds personal data. It is there only where it was asked for.
	Data json.RawMessage `json:"data,omitempty"`
}

// InboxPage is a part of the records, oldest first.
type InboxPage struct {
	Records []InboxRecord `json:"records"`
	// Next is the number to ask with for the next part; 0 where there is none.
	Next uint64 `json:"next,omitempty"`
}

// maxListed is how many records a page of the administration has.
const maxListed = 500

// admin answers those who may use the socket, which are the user of the program and root.
type admin struct {
	inbox   *inbox.Inbox
	drainer *drainer
}

func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", a.status)
	mux.HandleFunc("GET /records", a.list)
	mux.HandleFunc("GET /records/{record}", a.show)
	mux.HandleFunc("POST /records/{record}/retry", a.change("retried", func(ctx context.Context, seq uint64) error {
		return a.inbox.Retry(ctx, seq)
	}))
	mux.HandleFunc("DELETE /records/{record}", a.change("dropped", a.drainer.drop))
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, _ *http.Request) {
		a.drainer.wake()
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

func (a *admin) status(w http.ResponseWriter, r *http.Request) {
	stats := a.inbox.Stats()
	away, _ := a.drainer.circuit.away()
	status := InboxStatus{
		Records: stats.Records, DeadLetters: stats.DeadLetters, Bytes: stats.Bytes, MaxBytes: stats.MaxBytes,
		APIAway: away,
	}
	if !stats.Oldest.IsZero() {
		status.Oldest = &stats.Oldest
	}
	if stats.Failure != nil {
		status.Failure = stats.Failure.Error()
	}
	if r.FormValue("namespaces") == "true" {
		status.Namespaces = make(map[string]InboxCount)
		for namespace, count := range a.inbox.Namespaces() {
			counted := InboxCount{Records: count.Records, DeadLetters: count.DeadLetters}
			if !count.Oldest.IsZero() {
				counted.Oldest = &count.Oldest
			}
			status.Namespaces[namespace] = counted
		}
	}
	respond(w, status)
}

func (a *admin) list(w http.ResponseWriter, r *http.Request) {
	place := inbox.Place(r.FormValue("state"))
	if place != inbox.Waiting && place != inbox.Dead {
		http.Error(w, "the state is waiting or dead", http.StatusBadRequest)
		return
	}
	after, err := strconv.ParseUint(r.FormValue("after"), 10, 64)
	if err != nil {
		http.Error(w, "after is the number of a record", http.StatusBadRequest)
		return
	}
	page, err := a.inbox.Read(place, after, maxListed)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer := InboxPage{Records: []InboxRecord{}}
	for _, record := range page.Records {
		answer.Records = append(answer.Records, a.shown(record, place, false))
	}
	if page.More {
		answer.Next = page.Last
	}
	respond(w, answer)
}

func (a *admin) show(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseUint(r.PathValue("record"), 10, 64)
	if err != nil {
		http.Error(w, "a record has a number", http.StatusBadRequest)
		return
	}
	record, place, err := a.inbox.Get(seq)
	if err != nil {
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	respond(w, a.shown(record, place, r.FormValue("data") == "true"))
}

// change answers a request that changes one record, and puts on record what became of it.
func (a *admin) change(action string, do func(ctx context.Context, seq uint64) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seq, err := strconv.ParseUint(r.PathValue("record"), 10, 64)
		if err != nil {
			http.Error(w, "a record has a number", http.StatusBadRequest)
			return
		}
		record, place, err := a.inbox.Get(seq)
		if err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		// Who asked may go, and what is done is known all the same.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), diskTimeout)
		defer cancel()
		if err := do(ctx, seq); err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		a.drainer.measured.administered.WithLabelValues(action).Inc()
		a.drainer.log.Info("Record was "+action+" by hand", "record", seq, "state", string(place),
			"deliveryID", record.DeliveryID, "completion", keyOf(record), "reason", record.Reason)
		// What was retried has its old place, which the drainer has passed.
		a.drainer.wake()
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

func (a *admin) shown(record *inbox.Record, place inbox.Place, data bool) InboxRecord {
	if place == inbox.Waiting {
		// The file has what was the matter when it came.
		a.drainer.update(record)
	}
	s := InboxRecord{
		Record: record.Seq, State: string(place), Received: record.Received, DeliveryID: record.DeliveryID,
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

// listenSocket opens a socket that only this program's user may use. One that a killed process left is replaced: the
// lock of the inbox says that no other process uses it.
func listenSocket(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode().Type() != os.ModeSocket:
		return nil, fmt.Errorf("opening the socket of the inbox: %s is there and no socket", path)
	case err == nil:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("opening the socket of the inbox: %w", err)
		}
	}
	// Nobody may connect before the mode is set: it is made in a folder of its own and moved.
	private, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return nil, fmt.Errorf("opening the socket of the inbox: %w", err)
	}
	defer os.RemoveAll(private)
	made := filepath.Join(private, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("opening the socket of the inbox: %w", err)
	}
	listener.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the socket of the inbox: %w", err), listener.Close())
	}
	return listener, nil
}
