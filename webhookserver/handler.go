// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/delivery"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

// DeliveryIDHeader is the header that every answer carries: the id under which the logs, the audit record and the
// stored completion know the call.
const DeliveryIDHeader = "Completion-Delivery-Id"

// OutcomeHeader is the header that every answer carries: what came of the call, in a word. The status of all that is
// safe is 200, since a platform may take any other for a failure.
const OutcomeHeader = "Completion-Outcome"

// handler answers the calls of the webhook.
type handler struct {
	log           logr.Logger
	clock         clock.WithTicker
	newDeliveryID func() string
	// synced reports whether the Institutions are known.
	synced        func() bool
	proxies       throttle.TrustedProxies
	rates         *throttle.Rates
	concurrency   *throttle.Concurrency
	bodies        *throttle.BodyBudget
	authenticator authenticator
	store         *store.Store
	instruments   *instruments
	auditLog      *AuditLog
	auditLimit    *throttle.AuditLimit
	// tracer is nil where nothing is traced.
	tracer trace.Tracer
	events *eventLabels
}

// answer is what a call gets, and what the audit record and the metrics say of it.
type answer struct {
	status      int
	contentType string
	header      http.Header
	outcome     store.Outcome
	reason      string
	body        func(deliveryID string) any
	// hangUp has the connection closed after the answer.
	hangUp bool
}

// ServeHTTP handles one call from its header to its audit record.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{id: h.newDeliveryID(), received: h.clock.Now(), origin: h.proxies.OriginOf(r)}
	a := h.handleSafely(w, r, c)
	duration := h.clock.Since(c.received)
	c.endSpan(a)
	h.instruments.observe(a, duration)
	// Before the answer: what a sender knows to be done is on record.
	if c.institution != nil ||
		h.auditLimit.Record(c.origin.LimitedBy(), c.received, a.reason, a.reason == ProblemTooManyFailures) {
		h.audit(newAuditRecord(r, c, a, duration))
	}
	if a.hangUp || !c.bodyRead && r.ContentLength != 0 {
		h.hangUp(w)
	}
	if err := a.write(w, c.id); err != nil {
		// The sender has gone, which changes nothing about what was stored.
		h.log.V(1).Info("Could not send response", "deliveryID", c.id)
	}
}

// lingering is how long a body that nobody wants may still come, so that its sender gets to read the answer.
const lingering = time.Second

// hangUp has the server close the connection after the answer. By itself it would wait for the rest of the body as long
// as for one that it wants, and somebody without a token could hold every connection that way.
func (h *handler) hangUp(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	if err := http.NewResponseController(w).SetReadDeadline(clock.RealClock{}.Now().Add(lingering)); err != nil {
		h.log.V(1).Info("Could not set read deadline", "reason", err.Error())
	}
}

// handleSafely turns a panic into an answer. The log gets its type and where it happened, not its value, which may be
// anybody's data.
func (h *handler) handleSafely(w http.ResponseWriter, r *http.Request, c *call) (a *answer) {
	defer func() {
		if defect := recover(); defect != nil {
			h.log.Error(nil, "Panic while handling a delivery", "deliveryID", c.id,
				"type", fmt.Sprintf("%T", defect), "stack", string(debug.Stack()))
			a = internalError()
		}
	}()
	return h.handle(w, r, c)
}

// handle is the way of a call: path, method, authentication, and then what the method asks for.
func (h *handler) handle(w http.ResponseWriter, r *http.Request, c *call) *answer {
	credentials, ok := parseCredentials(r.URL, r.Header)
	if !ok {
		return notFound()
	}
	check := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !check && r.Method != http.MethodPost {
		return methodNotAllowed()
	}
	if !h.synced() {
		return unavailable("institutions-unknown")
	}
	if refused := h.authenticate(r.Context(), c, credentials); refused != nil {
		return refused
	}
	h.startSpan(r, c)
	if check {
		return checked(c.institution)
	}
	if wait := h.rates.Delivery(c.institution, c.received); wait > 0 {
		h.instruments.throttled.WithLabelValues("institution-rate").Inc()
		return rateLimited(wait)
	}
	permit, ok := h.concurrency.Acquire(c.institution.UID)
	if !ok {
		h.instruments.throttled.WithLabelValues("institution-places").Inc()
		return hangUp(rateLimited(time.Second))
	}
	defer permit.Release()
	a := h.deliver(w, r, c, permit)
	if permit.OverLimit {
		// Its connections make room for those of others.
		return hangUp(a)
	}
	return a
}

// authenticate finds the institution that a call speaks for, or refuses the call. The credentials come first: whoever
// has good ones is let in, however many others fail from the same address.
func (h *handler) authenticate(ctx context.Context, c *call, presented credentials) *answer {
	institution, secret, err := h.authenticator.authenticate(ctx, presented)
	switch {
	case err != nil:
		h.log.Error(err, "Could not look up institution", "deliveryID", c.id)
		return unavailable("institutions-unknown")
	case institution == nil && h.authenticator.undecided(presented):
		return unavailable("institution-unread")
	case institution == nil:
		c.rejected = cmp.Or(presented.invalid, rejectedWrong)
		h.instruments.rejected.WithLabelValues(string(c.rejected)).Inc()
		if wait := h.rates.AuthenticationFailed(c.origin.LimitedBy(), c.received); wait > 0 {
			h.instruments.throttled.WithLabelValues("address-failures").Inc()
			return tooManyFailures(wait)
		}
		return unauthorized()
	}
	c.institution, c.tokenSecret = institution, secret
	if !throttle.AllowedFrom(institution, c.origin.Client) {
		c.rejected = rejectedAddress
		h.instruments.rejected.WithLabelValues(string(c.rejected)).Inc()
		return addressNotAllowed()
	}
	return nil
}

// deliver takes the delivery of an authenticated sender.
func (h *handler) deliver(w http.ResponseWriter, r *http.Request, c *call, permit *throttle.RequestPermit) *answer {
	if refused := checkMediaType(r.Header); refused != nil {
		return refused
	}
	memory, err := h.bodies.Reserve(r, c.institution.UID)
	if err != nil {
		return bodyNotTaken(err, h.bodies.Limit())
	}
	defer memory.Release()
	body, err := memory.Read(w, r)
	permit.BodyRead()
	c.bytes, c.bodyRead = len(body), err == nil
	if err != nil {
		return bodyNotTaken(err, h.bodies.Limit())
	}
	doc, fault := delivery.Decode(body)
	if fault != nil {
		return malformedJSON(*fault)
	}
	if c.event = doc.OtherEvent(); c.event != "" {
		h.instruments.ignoredEvents.WithLabelValues(h.events.label(c.event, c.institution.UID)).Inc()
		return acknowledged(store.Ignored, "other-event")
	}
	spec, faults, err := delivery.Read(doc, c.institution, c.received)
	if err != nil {
		h.log.Error(err, "Institution cannot accept deliveries", "deliveryID", c.id,
			"institution", client.ObjectKeyFromObject(c.institution))
		return unavailable("time-zone")
	}
	if len(faults) > 0 {
		return invalidDelivery(faults)
	}
	spec.Delivery.ID, spec.Delivery.Traceparent = c.id, c.traceparent()
	h.instruments.unknownFields.Add(float64(doc.Unknown()))
	// A sender that hangs up now has still delivered.
	return h.save(context.WithoutCancel(r.Context()), c, spec)
}

// save makes a valid delivery safe.
func (h *handler) save(ctx context.Context, c *call, spec v1alpha1.CourseCompletionSpec) *answer {
	completion := store.NewCompletion(c.institution.Namespace, spec)
	c.spec, c.completion = &completion.Spec, client.ObjectKeyFromObject(completion)
	switch r := h.store.Put(ctx, completion, c.received); r.Outcome {
	case store.Unavailable:
		return unavailable(r.Reason)
	case store.Erased:
		// The audit log says no more of a person who was erased.
		c.spec, c.completion = nil, types.NamespacedName{}
		return acknowledged(r.Outcome, r.Reason)
	default:
		return accepted(r, c.completion, spec.Delivery.Warnings)
	}
}

// accepted answers a delivery that is safe. Why the API has not taken it yet is none of the sender's business.
func accepted(r store.Result, completion types.NamespacedName, warnings []v1alpha1.DeliveryWarning) *answer {
	return &answer{
		status:      http.StatusOK,
		contentType: mediaType,
		outcome:     r.Outcome,
		reason:      cmp.Or(r.Reason, "stored"),
		body: func(deliveryID string) any {
			return struct {
				DeliveryID string                     `json:"deliveryID"`
				Outcome    store.Outcome              `json:"outcome"`
				Completion string                     `json:"completion"`
				Warnings   []v1alpha1.DeliveryWarning `json:"warnings,omitempty"`
			}{deliveryID, r.Outcome, completion.String(), warnings}
		},
	}
}

// acknowledged answers what nothing is stored of: an event that is not about a completed course, or what was erased.
func acknowledged(out store.Outcome, reason string) *answer {
	return &answer{
		status:      http.StatusOK,
		contentType: mediaType,
		outcome:     out,
		reason:      reason,
		body: func(deliveryID string) any {
			return struct {
				DeliveryID string        `json:"deliveryID"`
				Outcome    store.Outcome `json:"outcome"`
			}{deliveryID, out}
		},
	}
}

// checked answers a check of the URL with what it takes.
func checked(institution *v1alpha1.Institution) *answer {
	return &answer{
		status:      http.StatusOK,
		contentType: mediaType,
		outcome:     store.Checked,
		reason:      "checked",
		body: func(deliveryID string) any {
			return struct {
				DeliveryID  string              `json:"deliveryID"`
				Outcome     string              `json:"outcome"`
				Institution v1alpha1.PlatformID `json:"institution"`
				Event       string              `json:"event"`
				Method      string              `json:"method"`
				ContentType string              `json:"contentType"`
			}{deliveryID, string(store.Checked), institution.Spec.ID, v1alpha1.EventSlug, http.MethodPost, mediaType}
		},
	}
}

// write sends the answer. Nobody on the way may keep it: the path of the request holds the token.
func (a *answer) write(w http.ResponseWriter, deliveryID string) error {
	body, err := json.Marshal(a.body(deliveryID))
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	header := w.Header()
	maps.Copy(header, a.header)
	header.Set(DeliveryIDHeader, deliveryID)
	header.Set(OutcomeHeader, string(a.outcome))
	header.Set("Content-Type", a.contentType)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	_, err = w.Write(append(body, '\n'))
	return err
}
