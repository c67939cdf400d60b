// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fairqueue

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

const low = -100

// testQueue is a queue of keys such as a/1, which is the tenant a's.
func testQueue(t *testing.T, share int) (*Queue[string], *clocktesting.FakeClock) {
	t.Helper()
	now := clocktesting.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	q := New(Options[string]{
		Tenant: func(key string) string { return key[:1] }, Share: share, Clock: now,
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[string](time.Second, time.Minute),
	})
	t.Cleanup(q.ShutDown)
	return q, now
}

func add(q *Queue[string], priority int, keys ...string) {
	q.AddWithOpts(priorityqueue.AddOpts{Priority: new(priority)}, keys...)
}

func flood(tenant string, n int) []string {
	keys := make([]string, 0, n)
	for i := range n {
		keys = append(keys, fmt.Sprintf("%s/%d", tenant, i))
	}
	return keys
}

// drain takes what is ready, one key after the other.
func drain(q *Queue[string]) []string {
	var keys []string
	for q.Len() > 0 {
		key, _ := q.Get()
		q.Done(key)
		keys = append(keys, key)
	}
	return keys
}

func wantOrder(t *testing.T, q *Queue[string], want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, drain(q)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestTurnsGoRoundTheTenants(t *testing.T) {
	q, _ := testQueue(t, 0)
	q.AddWithOpts(priorityqueue.AddOpts{}, flood("a", 5)...)
	q.AddWithOpts(priorityqueue.AddOpts{}, "b/0", "b/1", "c/0")
	wantOrder(t, q, "a/0", "b/0", "c/0", "a/1", "b/1", "a/2", "a/3", "a/4")
}

// However much one has, another one waits for a turn of each tenant and no more.
func TestFloodDelaysNobodyElse(t *testing.T) {
	q, _ := testQueue(t, 0)
	q.AddWithOpts(priorityqueue.AddOpts{}, flood("a", 10_000)...)
	for i := range 100 {
		quiet := fmt.Sprintf("b/%d", i)
		q.Add(quiet)
		waited := 0
		for key, _ := q.Get(); key != quiet; key, _ = q.Get() {
			q.Done(key)
			waited++
		}
		q.Done(quiet)
		if waited > 1 {
			t.Fatalf("%s waited for %d keys of the flood", quiet, waited)
		}
	}
}

// Nor does who comes back at once each time keep the others out.
func TestComingBackAtOnceIsNoAdvantage(t *testing.T) {
	q, _ := testQueue(t, 0)
	q.AddWithOpts(priorityqueue.AddOpts{}, flood("b", 50)...)
	q.Add("a/0")
	again := 0
	for q.Len() > 1 {
		key, _ := q.Get()
		if key == "a/0" {
			again++
			q.Add(key)
		}
		q.Done(key)
	}
	if again > 51 {
		t.Errorf("50 keys of b took %d turns of a", again)
	}
}

func TestPriority(t *testing.T) {
	q, _ := testQueue(t, 0)
	add(q, low, "a/resync", "b/resync")
	add(q, 0, "a/delivery")
	add(q, 5, "b/urgent")
	wantOrder(t, q, "b/urgent", "a/delivery", "b/resync", "a/resync")
}

func TestPriorityIsRaisedAndNeverLowered(t *testing.T) {
	q, _ := testQueue(t, 0)
	add(q, low, "a/0", "a/1", "a/2")
	add(q, 0, "a/2")
	add(q, low, "a/2")
	key, priority, _ := q.GetWithPriority()
	if key != "a/2" || priority != 0 {
		t.Errorf("got %s with priority %d, want a/2 with 0", key, priority)
	}
	q.Done(key)
	wantOrder(t, q, "a/0", "a/1")
}

// What is urgent somewhere all the time does not let the rest wait for ever: neither that of another tenant, nor its
// own.
func TestNothingStarves(t *testing.T) {
	for _, waiting := range []string{"b/resync", "a/resync"} {
		q, _ := testQueue(t, 0)
		add(q, low, waiting)
		for i := range 10 {
			add(q, 0, fmt.Sprintf("a/%d", i), fmt.Sprintf("c/%d", i))
			key, _ := q.Get()
			q.Done(key)
			if key == waiting {
				waiting = ""
				break
			}
		}
		if waiting != "" {
			t.Errorf("%s was not taken in ten turns", waiting)
		}
	}
}

func TestShareOfTheWorkers(t *testing.T) {
	q, _ := testQueue(t, 2)
	q.AddWithOpts(priorityqueue.AddOpts{}, flood("a", 10)...)
	first, _ := q.Get()
	second, _ := q.Get()
	got := make(chan string, 2)
	go func() {
		for range 2 {
			key, _ := q.Get()
			got <- key
		}
	}()
	select {
	case key := <-got:
		t.Fatalf("%s is worked on beside %s and %s", key, first, second)
	case <-time.After(50 * time.Millisecond):
	}
	q.Add("b/0")
	if key := <-got; key != "b/0" {
		t.Errorf("got %s, want what is another tenant's", key)
	}
	q.Done(first)
	if key := <-got; key != "a/2" {
		t.Errorf("got %s, want a/2 in the place of %s", key, first)
	}
}

// Beside others a tenant has its contended share, also when these have nothing to do for a moment.
func TestShareBesideOthers(t *testing.T) {
	q, now := testQueue(t, 3)
	q.options.ContendedShare = 1
	q.AddWithOpts(priorityqueue.AddOpts{}, flood("a", 20)...)
	handedOut := func(want ...string) { t.Helper(); wantHandedOut(t, q, want...) }
	handedOut("a/0", "a/1", "a/2")
	q.Done("a/0")
	q.Add("b/0")
	handedOut("b/0")
	for _, key := range []string{"a/1", "b/0"} {
		q.Done(key)
		handedOut()
	}
	q.Done("a/2")
	handedOut("a/3")
	now.Step(contention - time.Millisecond)
	handedOut()
	now.Step(time.Millisecond)
	handedOut("a/4", "a/5")

	// Work that takes long is work for as long as it takes.
	q.Add("c/0")
	handedOut("c/0")
	now.Step(time.Hour)
	for _, key := range []string{"a/3", "a/4"} {
		q.Done(key)
		handedOut()
	}
	q.Done("c/0")
	handedOut("a/6", "a/7")
}

// wantHandedOut takes all that may be worked on now, and returns nothing.
func wantHandedOut(t *testing.T, q *Queue[string], want ...string) {
	t.Helper()
	var keys []string
	for it := q.next(); it != nil; it = q.next() {
		keys = append(keys, it.key)
	}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("handed out (-want +got):\n%s", diff)
	}
}

// Beside more urgent work of the same tenant, the rest has the share that it would have beside others: until the urgent
// has been away for a while.
func TestShareBesideWhatIsMoreUrgent(t *testing.T) {
	q, now := testQueue(t, 3)
	q.options.ContendedShare = 1
	add(q, low, flood("a", 20)...)
	handedOut := func(want ...string) { t.Helper(); wantHandedOut(t, q, want...) }
	handedOut("a/0", "a/1", "a/2")
	add(q, 0, "a/new")
	handedOut()
	q.Done("a/0")
	handedOut("a/new")
	q.Done("a/1")
	handedOut()
	q.Done("a/2")
	handedOut("a/3")
	// What is urgent has all that is left of the share, whosever turn it is.
	add(q, 0, "a/newer", "a/newest")
	handedOut("a/newer")
	q.Done("a/new")
	handedOut("a/newest")
	for _, key := range []string{"a/newer", "a/newest"} {
		q.Done(key)
		handedOut()
	}
	now.Step(contention - time.Millisecond)
	handedOut()
	now.Step(time.Millisecond)
	handedOut("a/4", "a/5")
}

// What others do that is as little urgent does not count.
func TestShareBesideWhatIsMoreUrgentIsOnesOwn(t *testing.T) {
	q, _ := testQueue(t, 3)
	q.options.ContendedShare = 2
	add(q, low, "b/0", "b/1", "a/0")
	wantHandedOut(t, q, "b/0", "a/0", "b/1")
	add(q, 0, "a/new")
	q.Done("a/0")
	add(q, low, "a/1")
	wantHandedOut(t, q, "a/new", "a/1")
}

// Nor does it starve where the urgent takes every worker that it may have.
func TestNothingStarvesBesideWhatIsMoreUrgent(t *testing.T) {
	q, _ := testQueue(t, 3)
	q.options.ContendedShare = 1
	add(q, low, "a/late")
	var working []string
	for i := range 20 {
		add(q, 0, fmt.Sprintf("a/%d", i))
		for it := q.next(); it != nil; it = q.next() {
			if it.key == "a/late" {
				return
			}
			working = append(working, it.key)
		}
		if len(working) == 3 {
			q.Done(working[0])
			working = working[1:]
		}
	}
	t.Error("20 urgent keys went before the one that came first")
}

func TestKeyThatIsWorkedOnIsNotHandedOut(t *testing.T) {
	q, _ := testQueue(t, 0)
	q.Add("a/0")
	key, _ := q.Get()
	q.AddWithOpts(priorityqueue.AddOpts{}, "a/0", "a/0", "a/1")
	if next, _ := q.Get(); next != "a/1" {
		t.Errorf("got %s, want a/1", next)
	}
	if q.next() != nil {
		t.Error("a/0 is handed out twice")
	}
	q.Done("a/1")
	q.Done(key)
	wantOrder(t, q, "a/0")
	if len(q.tenants) != 0 || len(q.items) != 0 || len(q.working) != 0 || q.round.Len() != 0 {
		t.Errorf("an empty queue remembers %d tenants, %d items, %d in work", len(q.tenants), len(q.items), len(q.working))
	}
}

func TestAddAfter(t *testing.T) {
	g := NewWithT(t)
	q, now := testQueue(t, 0)
	q.AddAfter("a/late", time.Hour)
	q.AddAfter("a/soon", time.Minute)
	q.AddAfter("a/late", 2*time.Hour)
	if got := q.Len(); got != 0 {
		t.Errorf("%d are ready before their time", got)
	}
	g.Eventually(now.HasWaiters).Should(BeTrue())
	step := func(d time.Duration) {
		now.Step(d)
		g.Eventually(q.Len).WithTimeout(10 * time.Second).Should(Equal(1))
	}
	step(time.Minute)
	wantOrder(t, q, "a/soon")
	// The earliest time holds.
	q.AddAfter("a/late", time.Minute)
	g.Eventually(now.HasWaiters).Should(BeTrue())
	step(time.Minute)
	wantOrder(t, q, "a/late")
	q.AddAfter("a/now", time.Hour)
	q.Add("a/now")
	wantOrder(t, q, "a/now")
}

func TestAddRateLimitedAndForget(t *testing.T) {
	q, now := testQueue(t, 0)
	for range 3 {
		q.AddRateLimited("a/0")
	}
	if got := q.NumRequeues("a/0"); got != 3 {
		t.Errorf("%d attempts, want 3", got)
	}
	if at, want := q.delayed.first().at, now.Now().Add(time.Second); !at.Equal(want) {
		t.Errorf("due at %s, want the earliest, %s", at, want)
	}
	q.Forget("a/0")
	if got := q.NumRequeues("a/0"); got != 0 {
		t.Errorf("%d attempts after Forget", got)
	}
}

func TestShutDown(t *testing.T) {
	q, _ := testQueue(t, 0)
	var waiting sync.WaitGroup
	for range 4 {
		waiting.Go(func() {
			if _, shutdown := q.Get(); !shutdown {
				t.Error("it handed something out")
			}
		})
	}
	q.ShutDown()
	q.ShutDownWithDrain()
	waiting.Wait()
	q.Add("a/0")
	if q.Len() != 0 || !q.ShuttingDown() {
		t.Error("it takes what is added after its end")
	}
}

// The metrics are those that controller-runtime's own queues have.
func TestMetrics(t *testing.T) {
	own := priorityqueue.New("theirs", func(*priorityqueue.Opts[string]) {})
	t.Cleanup(own.ShutDown)
	q := New(Options[string]{Name: "ours", Tenant: func(key string) string { return key[:1] }})
	t.Cleanup(q.ShutDown)
	for _, queue := range []priorityqueue.PriorityQueue[string]{own, q} {
		queue.Add("a/0")
		queue.AddAfter("a/1", time.Hour)
		key, _ := queue.Get()
		queue.Done(key)
		queue.AddWithOpts(priorityqueue.AddOpts{Priority: new(low)}, "a/2")
	}
	g := NewWithT(t)
	// Theirs adds a moment later.
	g.Eventually(func() string { return cmp.Diff(measured(t, "theirs"), measured(t, "ours")) }).
		WithTimeout(10 * time.Second).Should(BeEmpty())
	g.Expect(measured(t, "ours")).To(ContainSubstring("workqueue_depth priority=-100 1"))
}

// measured returns the metrics of a queue, without those of time.
func measured(t *testing.T, name string) string {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "workqueue_") {
			continue
		}
		for _, metric := range family.GetMetric() {
			line, of := family.GetName(), false
			for _, label := range metric.GetLabel() {
				if of = of || label.GetValue() == name; label.GetName() == "priority" {
					line += " priority=" + label.GetValue()
				}
			}
			if of {
				lines = append(lines, line+" "+count(metric))
			}
		}
	}
	return strings.Join(lines, "\n")
}

func count(metric *dto.Metric) string {
	switch {
	case metric.Histogram != nil:
		return fmt.Sprint(metric.Histogram.GetSampleCount())
	case metric.Counter != nil:
		return fmt.Sprint(metric.Counter.GetValue())
	}
	return fmt.Sprint(metric.Gauge.GetValue())
}

// Many workers and many who add lose nothing, and never work on one key at the same time.
func TestConcurrentUse(t *testing.T) {
	q := New(Options[string]{Tenant: func(key string) string { return key[:1] }, Share: 3})
	var mu sync.Mutex
	inWork, perTenant, done := map[string]bool{}, map[string]int{}, map[string]bool{}
	var workers, adders sync.WaitGroup
	all := make(chan struct{})
	const keys = 400
	for range 8 {
		workers.Go(func() {
			for {
				key, shutdown := q.Get()
				if shutdown {
					return
				}
				mu.Lock()
				if perTenant[key[:1]]++; inWork[key] || perTenant[key[:1]] > 3 {
					t.Errorf("%s is worked on twice, or its tenant has more than its share", key)
				}
				inWork[key] = true
				mu.Unlock()
				mu.Lock()
				inWork[key] = false
				perTenant[key[:1]]--
				if done[key] = true; len(done) == 4*keys {
					select {
					case <-all:
					default:
						close(all)
					}
				}
				mu.Unlock()
				q.Done(key)
			}
		})
	}
	for _, tenant := range []string{"a", "b", "c", "d"} {
		adders.Go(func() {
			for i, key := range flood(tenant, keys) {
				q.AddWithOpts(priorityqueue.AddOpts{Priority: new(i % 3), After: time.Duration(i%5) * time.Millisecond}, key)
				q.Add(key)
			}
		})
	}
	adders.Wait()
	select {
	case <-all:
	case <-time.After(time.Minute):
		t.Errorf("%d of %d keys were worked on", len(done), 4*keys)
	}
	q.ShutDown()
	workers.Wait()
}

func BenchmarkManyTenants(b *testing.B) {
	q := New(Options[string]{Name: "bench", Tenant: func(key string) string { return key[:4] }, Share: 6})
	b.Cleanup(q.ShutDown)
	for tenant := range 500 {
		for i := range 100 {
			q.Add(fmt.Sprintf("%04d/%d", tenant, i))
		}
	}
	for b.Loop() {
		key, _ := q.Get()
		q.Add(key)
		q.Done(key)
	}
}
