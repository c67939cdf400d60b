// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"
)

// scraped is a guard whose API server knows the token "prometheus", which may read, and "nobody", which may not.
type scraped struct {
	*guard
	clock *testingclock.FakePassiveClock
	away  bool
	// revoked reports that "prometheus" is known no more.
	revoked bool
	asked   int
}

func newScraped() *scraped {
	s := &scraped{clock: testingclock.NewFakePassiveClock(time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC))}
	client := &fake.Clientset{}
	client.AddReactor("create", "tokenreviews", func(a k8stesting.Action) (bool, runtime.Object, error) {
		s.asked++
		if s.away {
			return true, nil, errors.New("connection refused")
		}
		review := a.(k8stesting.CreateAction).GetObject().(*authenticationv1.TokenReview)
		known := review.Spec.Token == "prometheus" && !s.revoked || review.Spec.Token == "nobody"
		review.Status = authenticationv1.TokenReviewStatus{
			Authenticated: known, User: authenticationv1.UserInfo{Username: review.Spec.Token}}
		return true, review, nil
	})
	client.AddReactor("create", "subjectaccessreviews", func(a k8stesting.Action) (bool, runtime.Object, error) {
		review := a.(k8stesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview)
		what := review.Spec.NonResourceAttributes
		review.Status.Allowed = review.Spec.User == "prometheus" && what.Path == "/metrics" && what.Verb == "get"
		return true, review, nil
	})
	s.guard = &guard{
		handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
		client:  client, log: logr.Discard(), clock: s.clock,
		reviews: rate.NewLimiter(reviewsPerSecond, reviewBurst), answers: map[tokenKey]answer{},
		addresses: map[netip.Addr]*rate.Limiter{},
	}
	return s
}

func (s *scraped) get(t *testing.T, authorization string) int {
	t.Helper()
	return s.getFrom(t, "192.0.2.1:1234", authorization)
}

func (s *scraped) getFrom(t *testing.T, from, authorization string) int {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	request.RemoteAddr = from
	answered := httptest.NewRecorder()
	s.ServeHTTP(answered, request)
	return answered.Code
}

func TestMetricsAreForThoseWhoMayReadThem(t *testing.T) {
	s := newScraped()
	for _, tc := range []struct {
		authorization string
		want          int
	}{
		{"", http.StatusUnauthorized}, {"Bearer ", http.StatusUnauthorized},
		{"Basic cHJvbWV0aGV1cw==", http.StatusUnauthorized},
		{"Bearer wrong", http.StatusUnauthorized}, {"Bearer nobody", http.StatusForbidden},
		{"Bearer prometheus", http.StatusOK},
	} {
		for range 2 {
			if got := s.get(t, tc.authorization); got != tc.want {
				t.Errorf("%q: %d, want %d", tc.authorization, got, tc.want)
			}
		}
	}
	if s.asked != 3 {
		t.Errorf("the API server was asked %d times, want once for each token", s.asked)
	}
}

func TestReaderStaysWhileTheAPIServerIsAway(t *testing.T) {
	s := newScraped()
	step := func(by time.Duration) { s.clock.SetTime(s.clock.Now().Add(by)) }
	expect := func(what, token string, want int) {
		t.Helper()
		if got := s.get(t, "Bearer "+token); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	expect("at first", "prometheus", http.StatusOK)
	expect("without the right", "nobody", http.StatusForbidden)
	s.away = true
	step(23 * time.Hour)
	expect("after 23 hours", "prometheus", http.StatusOK)
	expect("without the right, after 23 hours", "nobody", http.StatusServiceUnavailable)
	expect("somebody new", "other", http.StatusServiceUnavailable)
	step(2 * time.Hour)
	expect("after 25 hours", "prometheus", http.StatusServiceUnavailable)
	s.away = false
	expect("once it is back", "prometheus", http.StatusOK)
	s.revoked = true
	step(2 * time.Minute)
	expect("once it is taken back", "prometheus", http.StatusUnauthorized)
	s.away = true
	step(2 * time.Minute)
	expect("and then away", "prometheus", http.StatusServiceUnavailable)
}

// Who sends one wrong token after the other does not have the API server asked as often, and keeps no reader out.
func TestFloodOfWrongTokensIsBounded(t *testing.T) {
	s := newScraped()
	if got := s.get(t, "Bearer prometheus"); got != http.StatusOK {
		t.Fatalf("the reader got %d", got)
	}
	s.clock.SetTime(s.clock.Now().Add(2 * time.Minute))
	for i := range 5000 {
		s.get(t, "Bearer wrong-"+strconv.Itoa(i))
	}
	if s.asked > reviewBurst+1 {
		t.Errorf("the API server was asked %d times", s.asked)
	}
	if got := s.get(t, "Bearer prometheus"); got != http.StatusOK {
		t.Errorf("after the flood the reader got %d", got)
	}
	if got := s.getFrom(t, "192.0.2.2:1234", "Bearer nobody"); got != http.StatusForbidden {
		t.Errorf("during the flood somebody new at another address got %d", got)
	}
	// Who was let in and is no more cannot stay by flooding.
	s.revoked = true
	s.clock.SetTime(s.clock.Now().Add(unasked))
	for i := range 20 {
		s.get(t, "Bearer other-"+strconv.Itoa(i))
	}
	if got := s.get(t, "Bearer prometheus"); got == http.StatusOK {
		t.Error("a reader whose token was taken back stays by flooding")
	}
	if len(s.answers) > maxAnswers {
		t.Errorf("%d answers are kept", len(s.answers))
	}
}
