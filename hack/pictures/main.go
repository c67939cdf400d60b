// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command pictures plays days of deliveries to both programs on a real control plane, and has the dashboards drawn from
// what they show. `make pictures` runs it. The programs and their metrics are real. The time is not: between two
// scrapes lie a few seconds, and the dashboard of institutions is drawn as if it had been hours. No Grafana takes part:
// test/alerts runs the queries of the dashboards on Prometheus' own engine, and draws what comes of it.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// apart is what lies between two scrapes in the picture, and pause in the run: metrics are up to five seconds old.
	apart, pause = 3 * time.Hour, 6 * time.Second
	// days is how many the picture has, in so many steps.
	days  = 4
	steps = days * 24 * time.Hour / apart
)

func main() {
	output := flag.String("output", "docs/images", "the folder to draw into")
	kept := flag.String("scrapes", "", "a file that keeps what was scraped, to draw it again by test/alerts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *output, *kept); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, output, kept string) (err error) {
	output, err = filepath.Abs(output)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pictures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Println("==> starting a control plane and both programs")
	p, err := start(ctx, dir)
	if p != nil {
		defer func() { err = errors.Join(err, p.stop()) }()
	}
	if err != nil {
		return err
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	fmt.Printf("==> playing %d days, %d steps of %s\n", days, steps, pause)
	scrapes, err := p.play(ctx)
	if err != nil {
		return err
	}
	text, err := json.Marshal(scrapes)
	if err != nil {
		return err
	}
	file := cmp.Or(kept, filepath.Join(dir, "scrapes.json"))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	return draw(ctx, file, output)
}

// draw has test/alerts draw, which has Prometheus.
func draw(ctx context.Context, scrapes, output string) error {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(output, 0o755); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "go", "test", "-count=1", "-run", "^TestDraw$", ".")
	command.Dir = filepath.Join(root, "test", "alerts")
	command.Env = append(os.Environ(), "GOWORK=off", "SCRAPES="+scrapes, "PICTURES="+output)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command.Run()
}

// scrape is what one program showed at a moment, as test/alerts reads it, and the moment that this plays.
type scrape struct {
	At, Played     time.Time
	Job, Pod, Text string
}

// school is an institution that is played.
type school struct {
	id v1alpha1.PlatformID
	// graduates is how many there are in a busy step, spread over the courses.
	graduates float64
	courses   []int
	opened    *system.Institution
}

// player has everything that runs.
type player struct {
	plane   *cluster.Cluster
	system  *system.System
	admin   client.Client
	schools []school
	random  *rand.Rand
	users   int
	// stored are the completions that may be withdrawn.
	stored []client.ObjectKey
}

func start(ctx context.Context, dir string) (*player, error) {
	bin := filepath.Join(dir, "bin")
	if err := system.Build(ctx, bin, os.Stderr); err != nil {
		return nil, err
	}
	plane, err := cluster.Start(ctx, cluster.Options{})
	if err != nil {
		return nil, err
	}
	p := &player{plane: plane, random: rand.New(rand.NewPCG(1, 2)), schools: []school{
		{id: 501, graduates: 7, courses: []int{1001, 1002, 1003}},
		{id: 502, graduates: 4, courses: []int{1001, 1004}},
		{id: 503, graduates: 2, courses: []int{1005, 9001}},
	}}
	if p.admin, err = system.NewClient(plane.AdminConfig()); err == nil {
		p.system, err = system.Start(ctx, plane, system.Options{Dir: dir, Bin: bin})
	}
	return p, err
}

func (p *player) stop() error {
	var stopped error
	if p.system != nil {
		stopped = p.system.Stop()
	}
	return errors.Join(stopped, p.plane.Stop())
}

// open makes the institutions, each with a lab for its first course, a seat for its second, and approval for its third.
func (p *player) open(ctx context.Context) error {
	for i := range p.schools {
		s := &p.schools[i]
		opened, err := p.system.OpenInstitution(ctx, p.admin, s.id)
		if err != nil {
			return err
		}
		s.opened = opened
		named := func(name string) metav1.ObjectMeta {
			return metav1.ObjectMeta{Namespace: opened.Namespace, Name: name}
		}
		objects := []client.Object{
			&v1alpha1.SeatPool{ObjectMeta: named("room"), Spec: v1alpha1.SeatPoolSpec{Capacity: new(int32(8))}},
		}
		for j, name := range []string{"lab", "seat", "exam"} {
			if j >= len(s.courses) || s.courses[j] > 9000 {
				continue
			}
			policy := &v1alpha1.CompletionPolicy{ObjectMeta: named(name), Spec: v1alpha1.CompletionPolicySpec{
				Match:    v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{v1alpha1.PlatformID(s.courses[j])}},
				Lifetime: v1alpha1.Lifetime{MaxDays: int32(5 + 20*j)},
			}}
			if name == "seat" {
				policy.Spec.Seats = []v1alpha1.SeatTemplate{{Pool: "room"}}
			} else {
				prefix := fmt.Sprintf("i%d-%s-", s.id, name)
				policy.Spec.Namespaces = []v1alpha1.NamespaceTemplate{{Name: v1alpha1.Template(prefix + "${user.id}")}}
			}
			if name == "exam" {
				policy.Spec.Approval = v1alpha1.ApprovalManual
			}
			objects = append(objects, policy)
		}
		for _, object := range objects {
			if err := p.admin.Create(ctx, object); err != nil {
				return fmt.Errorf("making what institution %d has: %w", s.id, err)
			}
		}
	}
	return nil
}

// play delivers, and reads the metrics after each step.
func (p *player) play(ctx context.Context) ([]scrape, error) {
	reader, err := p.system.MetricsReader(ctx)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	var scrapes []scrape
	at := time.Now().Truncate(24 * time.Hour)
	for step := range int(steps) {
		for _, one := range []struct{ job, pod, url string }{
			{"completion-webhook-server-metrics", "completion-webhook-server-0", p.system.WebhookServerMetrics},
			{"completion-controller-manager-metrics", "completion-controller-manager-0", p.system.ControllerManagerMetrics},
		} {
			text, err := reader.Read(ctx, one.url)
			if err != nil {
				return nil, err
			}
			scrapes = append(scrapes, scrape{time.Now(), at, one.job, one.pod, text})
		}
		at = at.Add(apart)
		if err := p.deliver(ctx, step); err != nil {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return scrapes, nil
}

// deliver plays the deliveries of one step: many by day, few by night.
func (p *player) deliver(ctx context.Context, step int) error {
	perDay := int(24 * time.Hour / apart)
	daylight := 0.1 + math.Max(0, math.Sin(2*math.Pi*(float64(step%perDay)/float64(perDay)-0.25)))
	for i := range p.schools {
		s := &p.schools[i]
		for range int(s.graduates*daylight*(0.6+0.8*p.random.Float64()) + 0.5) {
			if err := p.graduate(ctx, s); err != nil {
				return err
			}
		}
	}
	// Now and then something else happens: a repetition of what does not keep the contract, a withdrawal.
	if step%5 == 4 {
		if _, err := system.Deliver(ctx, p.schools[0].opened.URLs[0], []byte(`{}`)); err != nil {
			return err
		}
	}
	if step%4 == 3 && len(p.stored) > 4 {
		gone := p.stored[p.random.IntN(len(p.stored))]
		object := &v1alpha1.CourseCompletion{ObjectMeta: metav1.ObjectMeta{Namespace: gone.Namespace, Name: gone.Name}}
		return client.IgnoreNotFound(p.admin.Delete(ctx, object))
	}
	return nil
}

// graduate delivers one completion, mostly of the first courses.
func (p *player) graduate(ctx context.Context, s *school) error {
	p.users++
	course := s.courses[min(int(p.random.ExpFloat64()), len(s.courses)-1)]
	body, err := system.Variant(map[string]any{
		"event.send_at":  time.Now().UTC().Add(-24 * time.Hour).Format(time.DateTime),
		"institution.id": s.id, "course.id": course, "enrollment.course_id": course, "enrollment.id": p.users,
		"user.id": p.users, "user.name": fmt.Sprintf("Graduate %d", p.users),
		"user.email": fmt.Sprintf("graduate.%d@example.com", p.users),
	})
	if err != nil {
		return err
	}
	answer, err := system.Deliver(ctx, s.opened.URLs[0], body)
	if err != nil {
		return err
	}
	if answer.Outcome == "created" {
		name := fmt.Sprintf("%d-%d-%d-%d", s.id, course, p.users, p.users)
		p.stored = append(p.stored, client.ObjectKey{Namespace: s.opened.Namespace, Name: name})
	}
	return nil
}
