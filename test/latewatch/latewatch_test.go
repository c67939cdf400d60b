// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package latewatch_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/test/latewatch"
)

const most = 2 * time.Second

// server answers every request with what is written to the pipe of its path.
type server map[string]*io.PipeReader

func (s server) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: s[request.URL.Path]}, nil
}

// heard is a line of a watch, and how late it came.
type heard struct {
	line string
	late time.Duration
	at   time.Time
}

// listen has so many events said by the watch of a kind, one every interval, and returns them as they were heard.
func listen(client http.RoundTripper, pipes map[string]*io.PipeWriter, kind string, events int,
	interval time.Duration) (
	[]heard, error,
) {
	request := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: kind, RawQuery: "watch=true"}}
	response, err := client.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	begun := time.Now()
	go func() {
		for n := range events {
			// An event may come in two parts.
			fmt.Fprintf(pipes[kind], "%s ", kind)
			fmt.Fprintf(pipes[kind], "%d\n", n)
			<-time.After(interval)
		}
		pipes[kind].Close()
	}()
	var all []heard
	lines := bufio.NewScanner(response.Body)
	for n := 0; lines.Scan(); n++ {
		now := time.Now()
		all = append(all, heard{lines.Text(), now.Sub(begun.Add(time.Duration(n) * interval)), now})
	}
	return all, lines.Err()
}

// both has two kinds watched at the same time, and returns what was heard of each.
func both(t *testing.T, seed uint64, events int, interval time.Duration) (a, b []heard) {
	t.Helper()
	g := NewWithT(t)
	answers, pipes := server{}, map[string]*io.PipeWriter{}
	for _, kind := range []string{"/a", "/b"} {
		answers[kind], pipes[kind] = io.Pipe()
	}
	client := latewatch.Options{Most: most, Seed: seed}.Wrapper("test")(answers)
	type outcome struct {
		heard []heard
		err   error
	}
	other := make(chan outcome)
	go func() {
		heard, err := listen(client, pipes, "/b", events, interval)
		other <- outcome{heard, err}
	}()
	a, err := listen(client, pipes, "/a", events, interval)
	g.Expect(err).NotTo(HaveOccurred())
	got := <-other
	g.Expect(got.err).NotTo(HaveOccurred())
	return a, got.heard
}

func TestWatchesAreLateAndKeepTheirOwnOrder(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			g := NewWithT(t)
			const events, interval = 500, 100 * time.Millisecond
			a, b := both(t, seed, events, interval)
			least, greatest := most, time.Duration(0)
			for kind, all := range map[string][]heard{"/a": a, "/b": b} {
				g.Expect(all).To(HaveLen(events))
				for n, h := range all {
					g.Expect(h.line).To(Equal(fmt.Sprintf("%s %d", kind, n)))
					g.Expect(h.late).To(And(BeNumerically(">=", 0), BeNumerically("<=", most)))
					least, greatest = min(least, h.late), max(greatest, h.late)
				}
			}
			g.Expect(least).To(BeNumerically("<", most/4))
			g.Expect(greatest).To(BeNumerically(">", most*3/4))
			var first, second int
			for n := range events {
				if a[n].at.Before(b[n].at.Add(-most / 4)) {
					first++
				}
				if b[n].at.Before(a[n].at.Add(-most / 4)) {
					second++
				}
			}
			g.Expect(first).To(BeNumerically(">", events/10), "kind a is heard well before kind b")
			g.Expect(second).To(BeNumerically(">", events/10), "kind b is heard well before kind a")
		})
	}
}

func TestSameSeedMakesTheSameDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		late := func(seed uint64) (all []time.Duration) {
			a, b := both(t, seed, 20, most)
			for n := range a {
				all = append(all, a[n].late, b[n].late)
			}
			return all
		}
		first := late(1)
		g.Expect(late(1)).To(Equal(first))
		g.Expect(late(2)).NotTo(Equal(first))
	})
}

func TestClosedWatchIsHeardNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		reader, writer := io.Pipe()
		client := latewatch.Options{Most: most}.Wrapper("test")(server{"/a": reader})
		//nolint:bodyclose // It is closed below, from where it is not read.
		response, err := client.RoundTrip(&http.Request{URL: &url.URL{Path: "/a", RawQuery: "watch=1"}})
		g.Expect(err).NotTo(HaveOccurred())
		go func() { _, _ = io.WriteString(writer, "event\n") }()
		ended := make(chan error)
		go func() {
			_, err := io.ReadAll(response.Body)
			ended <- err
		}()
		synctest.Wait()
		g.Expect(response.Body.Close()).To(Succeed())
		g.Expect(<-ended).To(HaveOccurred())
	})
}

// What is not a watch is not late, and neither is anything without the option.
func TestNothingElseIsLate(t *testing.T) {
	for name, tc := range map[string]struct {
		most  time.Duration
		query string
	}{
		"a list":             {most: most, query: "watch=false"},
		"without the option": {query: "watch=true"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			reader, _ := io.Pipe()
			client := latewatch.Options{Most: tc.most}.Wrapper("test")(server{"/a": reader})
			response, err := client.RoundTrip(&http.Request{URL: &url.URL{Path: "/a", RawQuery: tc.query}})
			g.Expect(err).NotTo(HaveOccurred())
			defer response.Body.Close()
			g.Expect(response.Body).To(BeIdenticalTo(io.ReadCloser(reader)))
		})
	}
}

func TestOptionsComeFromTheEnvironment(t *testing.T) {
	for name, tc := range map[string]struct {
		delay, seed string
		want        latewatch.Options
		wantError   string
	}{
		"nothing":      {},
		"both":         {delay: "2s", seed: "7", want: latewatch.Options{Most: most, Seed: 7}},
		"no delay":     {delay: "soon", wantError: latewatch.EnvDelay},
		"no seed":      {delay: "2s", seed: "-1", wantError: latewatch.EnvSeed},
		"a seed alone": {seed: "7"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			t.Setenv(latewatch.EnvDelay, tc.delay)
			t.Setenv(latewatch.EnvSeed, tc.seed)
			got, err := latewatch.FromEnvironment()
			if tc.wantError != "" {
				g.Expect(err).To(MatchError(ContainSubstring(tc.wantError)))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(tc.want))
			if strings.TrimSpace(tc.delay) != "" {
				g.Expect(got.String()).To(ContainSubstring(latewatch.EnvSeed + "=" + tc.seed))
			}
		})
	}
}
