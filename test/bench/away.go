// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/lxp-dev/course-completion-operator/internal/sender"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// groupCommitVariable makes this program the reference of the figure away: the path of the file to write.
const groupCommitVariable = "BENCH_GROUP_COMMIT_FILE"

// groupCommit is the least that a server can do to acknowledge durably: net/http in front, a bbolt file behind, and one
// goroutine that commits at once what has come in the meantime. It looks at nothing that it stores.
type groupCommit struct {
	db       *bbolt.DB
	arrivals chan arrival
	sequence uint64
}

type arrival struct {
	body   []byte
	stored chan error
}

var groupBucket = []byte("queue")

// serveGroupCommits serves until stdin ends, and prints its address first.
func serveGroupCommits(path string) int {
	err := func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		})
		if err != nil {
			return err
		}
		defer db.Close()
		err = db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists(groupBucket)
			return err
		})
		if err != nil {
			return err
		}
		g := &groupCommit{db: db, arrivals: make(chan arrival, 4*connections)}
		go g.write()
		listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println(listener.Addr())
		server := &http.Server{Handler: g, ReadHeaderTimeout: 10 * time.Second}
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			_ = server.Close()
		}()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (g *groupCommit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a := arrival{body: body, stored: make(chan error, 1)}
	g.arrivals <- a
	if err := <-a.stored; err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// write commits what has come, again and again: while one commit waits for the disk, the next one gathers.
func (g *groupCommit) write() {
	for first := range g.arrivals {
		batch := []arrival{first}
		for more := true; more; {
			select {
			case next := <-g.arrivals:
				batch = append(batch, next)
			default:
				more = false
			}
		}
		err := g.db.Update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket(groupBucket)
			// What only ever grows at its end need not leave room between.
			bucket.FillPercent = 0.9
			for _, a := range batch {
				g.sequence++
				if err := bucket.Put(binary.BigEndian.AppendUint64(nil, g.sequence), a.body); err != nil {
					return err
				}
			}
			return nil
		})
		for _, a := range batch {
			a.stored <- err
		}
	}
}

// reference is the running process of a groupCommit.
type reference struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
}

// startReference runs this program as a groupCommit, so that it has a process of its own as the webhook server has.
func startReference(ctx context.Context, path string) (*reference, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &reference{cmd: exec.CommandContext(ctx, self)}
	r.cmd.Env = append(os.Environ(), groupCommitVariable+"="+path)
	r.cmd.Stderr = os.Stderr
	if r.stdin, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the reference: %w", err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the reference did not start: %w", err), r.stop())
	}
	r.url = "http://" + strings.TrimSpace(line) + "/webhooks/1/reference"
	return r, nil
}

func (r *reference) pid() int { return r.cmd.Process.Pid }

func (r *reference) stop() error { return errors.Join(r.stdin.Close(), r.cmd.Wait()) }

// measureAway measures how fast deliveries are acknowledged while the API does not answer.
func (w *world) measureAway(ctx context.Context, s size, t *table) (err error) {
	w.say("acknowledgements while the API server is stopped: %d runs of %d deliveries", s.runs, s.away)
	bare, err := startReference(ctx, w.dir+"/reference.db")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	if err := w.plane.Pause(ctx, cluster.APIServer); err != nil {
		return err
	}
	w.memory.enter("away")
	cost := &costs{}
	figures, references, latency, err := w.runAway(ctx, s, bare, cost)
	if resumed := w.plane.Resume(ctx, cluster.APIServer); err != nil || resumed != nil {
		return errors.Join(err, resumed)
	}
	t.compare("deliveries acknowledged, API server stopped", "minimal server", figures, references, 0.7)
	p99 := latency.Quantile(0.99)
	cost.note(t, "deliveries acknowledged, API server stopped", "minimal server")
	t.bound("deliveries acknowledged, API server stopped, p99", p99.Round(10*time.Microsecond).String(), "< 50ms",
		p99 < 50*time.Millisecond)
	t.note("deliveries acknowledged, API server stopped: with SIGSTOP, %d connections, p50 %s, maximum %s; minimal "+
		"server: a process with net/http and one bbolt file that commits in groups, same load",
		connections, latency.Quantile(0.5).Round(10*time.Microsecond), latency.Max().Round(10*time.Microsecond))
	w.say("the API server is back: draining the inbox")
	if err := w.awaitDrained(ctx); err != nil {
		return err
	}
	w.say("checking that every delivery is stored")
	return w.check(ctx)
}

// runAway takes the figure and its reference in turns.
func (w *world) runAway(
	ctx context.Context, s size, bare *reference, cost *costs,
) (figures, references []float64, latency *sender.Histogram, err error) {
	// The server has to notice that the API is away, which is no part of the figure; both get their files grown.
	for range 2 {
		if _, err := w.send(ctx, s.away/4, connections, 0); err != nil {
			return nil, nil, nil, err
		}
		if _, err := w.sendBare(ctx, bare, s.away/4); err != nil {
			return nil, nil, nil, err
		}
	}
	latency = &sender.Histogram{}
	for run := range s.runs {
		for _, figure := range []bool{run%2 == 0, run%2 != 0} {
			before := w.cpu(bare.pid())
			var report *sender.Report
			if figure {
				report, err = w.send(ctx, s.away, connections, 0)
			} else {
				report, err = w.sendBare(ctx, bare, s.away)
			}
			if err != nil {
				return nil, nil, nil, err
			}
			cost.add(figure, before, w.cpu(bare.pid()), s.away)
			if figure {
				figures = append(figures, report.PerSecond())
				latency.Merge(&report.Latency)
			} else {
				references = append(references, report.PerSecond())
			}
		}
		w.say("run %d: %.0f acknowledged, %.0f per second by the minimal server", run+1, figures[run], references[run])
	}
	return figures, references, latency, nil
}

// sendBare sends the same load to the reference.
func (w *world) sendBare(ctx context.Context, bare *reference, n int) (*sender.Report, error) {
	next, err := w.deliveries(n)
	if err != nil {
		return nil, err
	}
	report, err := sender.Run(ctx, func() sender.Delivery {
		d := next()
		d.URL = bare.url
		return d
	}, sender.Options{Connections: connections, Count: n, Timeout: deliveryTimeout, Ledger: &sender.Ledger{}})
	if err != nil {
		return nil, err
	}
	return report, report.Err()
}
