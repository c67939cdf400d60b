// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

const (
	// reviewsPerSecond and reviewBurst bound what the API server is asked, whatever comes in.
	reviewsPerSecond = 5
	reviewBurst      = 10
	// requestsPerReview are one for who has a token, and one for whether that one may.
	requestsPerReview = 2
	reviewTimeout     = 10 * time.Second
	// kept is for how long an answer of the API server holds.
	kept = time.Minute
	// trusted is for how long who was let in still is while the API server cannot say: metrics are needed most then.
	trusted = 24 * time.Hour
	// unasked is for how long that is so where the API server was not asked, because too many others were asked about.
	unasked = 10 * time.Minute
	// share is how many addresses the requests are for, in the long run, where all of them ask.
	share = 2.0
	// maxAnswers is how many answers are kept, and how many addresses.
	maxAnswers = 1000
)

// Authorized lets those read a handler who may get its path as a non-resource URL, by the API server's TokenReview and
// SubjectAccessReview. Its answers are kept for a minute. While it does not answer, those whom it let in within a day
// are let in. The filter of controller-runtime does not tell a wrong token from an API server that cannot be reached,
// nor bound what it asks.
func Authorized(
	config *rest.Config, log logr.Logger, passing clock.PassiveClock, handler http.Handler,
) (http.Handler, error) {
	asking := rest.CopyConfig(config)
	asking.Timeout, asking.QPS = reviewTimeout, -1
	client, err := kubernetes.NewForConfig(asking)
	if err != nil {
		return nil, fmt.Errorf("create the client for reviews: %w", err)
	}
	return &guard{
		handler: handler, client: client, log: log, clock: passing,
		reviews: rate.NewLimiter(reviewsPerSecond, reviewBurst), answers: map[tokenKey]answer{},
		addresses: map[netip.Addr]*rate.Limiter{},
	}, nil
}

// guard asks the API server about callers and remembers what it said.
type guard struct {
	handler http.Handler
	client  kubernetes.Interface
	log     logr.Logger
	clock   clock.PassiveClock
	reviews *rate.Limiter

	mu        sync.Mutex
	answers   map[tokenKey]answer
	addresses map[netip.Addr]*rate.Limiter
}

// tokenKey stands for a token and what it is to read: tokens themselves are not kept.
type tokenKey [sha256.Size]byte

type answer struct {
	code int
	at   time.Time
}

// ServeHTTP serves the handler to those who may read it.
func (g *guard) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	token, found := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
	if token = strings.TrimSpace(token); !found || token == "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "send the token of a ServiceAccount as Authorization: Bearer <token>", http.StatusUnauthorized)
		return
	}
	switch code := g.judge(request, token); code {
	case http.StatusOK:
		g.handler.ServeHTTP(w, request)
	case http.StatusServiceUnavailable:
		http.Error(w, "the API server could not be asked whether you are allowed to read this path", code)
	case http.StatusForbidden:
		http.Error(w, "you are not allowed to get this path: bind the ClusterRole completion-metrics-reader", code)
	default:
		http.Error(w, "invalid token", code)
	}
}

// judge returns the status to answer with; 200 where the caller may read.
func (g *guard) judge(request *http.Request, token string) int {
	key, now := tokenKey(sha256.Sum256([]byte(request.Method+" "+request.URL.Path+" "+token))), g.clock.Now()
	g.mu.Lock()
	before, known := g.answers[key]
	g.mu.Unlock()
	if known && now.Sub(before.at) < kept {
		return before.code
	}
	trust := unasked
	if g.mayAsk(addressAt(request.RemoteAddr), now) {
		trust = trusted
		code, err := g.review(request.Context(), token, strings.ToLower(request.Method), request.URL.Path)
		if err == nil {
			g.remember(key, answer{code, now})
			return code
		}
		g.log.Error(err, "Could not review access to metrics")
	}
	if known && before.code == http.StatusOK && now.Sub(before.at) < trust {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

// mayAsk reports whether the API server may be asked about a caller, which takes two requests: of all addresses
// together within the bound, and of each within its share, so that a flood from one keeps no other out.
func (g *guard) mayAsk(from netip.Addr, now time.Time) bool {
	g.mu.Lock()
	own, found := g.addresses[from]
	if !found {
		if len(g.addresses) >= maxAnswers {
			clear(g.addresses)
		}
		own = rate.NewLimiter(reviewsPerSecond/share, reviewBurst-requestsPerReview)
		g.addresses[from] = own
	}
	g.mu.Unlock()
	return own.AllowN(now, requestsPerReview) && g.reviews.AllowN(now, requestsPerReview)
}

// remember keeps an answer. Where there are too many, those go that are no longer needed, and if all are, refusals.
func (g *guard) remember(key tokenKey, a answer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.answers) >= maxAnswers {
		for other, before := range g.answers {
			if before.code != http.StatusOK || a.at.Sub(before.at) >= trusted {
				delete(g.answers, other)
			}
		}
	}
	if _, have := g.answers[key]; have || len(g.answers) < maxAnswers {
		g.answers[key] = a
	}
}

// review asks who has a token, and whether that one may.
func (g *guard) review(ctx context.Context, token, verb, path string) (int, error) {
	who, err := g.client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review a token: %w", err)
	}
	if !who.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	extra := map[string]authorizationv1.ExtraValue{}
	for name, values := range who.Status.User.Extra {
		extra[name] = authorizationv1.ExtraValue(values)
	}
	may, err := g.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: who.Status.User.Username, UID: who.Status.User.UID, Groups: who.Status.User.Groups, Extra: extra,
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: verb},
		}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review access: %w", err)
	}
	if !may.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}
