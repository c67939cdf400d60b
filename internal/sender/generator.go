// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// remembered is how many of its latest completions an institution repeats and updates.
const remembered = 4096

// idsPerSeed is how many users and enrollments an institution has before they meet those of the next seed.
const idsPerSeed = 100_000_000

// Institution is one that deliveries are sent for.
type Institution struct {
	// ID is the platform's number of the institution.
	ID v1alpha1.PlatformID
	// URLs are the webhook URLs of the replicas of the server, each with the institution's number and token.
	URLs []string
}

// ParseInstitutions reads webhook URLs, .../webhooks/{institution id}/{token} or, with the token as password,
// https://{user}:{token}@.../webhooks/{institution id}. Several of one institution are its replicas. Its errors do not
// quote the URLs, which hold tokens.
func ParseInstitutions(urls []string) ([]Institution, error) {
	var institutions []Institution
	for i, text := range urls {
		id, err := institutionOf(text)
		if err != nil {
			return nil, fmt.Errorf("webhook URL %d: %w", i+1, err)
		}
		at := slices.IndexFunc(institutions, func(known Institution) bool { return known.ID == id })
		if at < 0 {
			institutions = append(institutions, Institution{ID: id})
			at = len(institutions) - 1
		}
		institutions[at].URLs = append(institutions[at].URLs, text)
	}
	return institutions, nil
}

var errNoWebhookURL = errors.New("invalid: use http(s)://HOST/webhooks/{institution id}/{token}, " +
	"or http(s)://USER:{token}@HOST/webhooks/{institution id}")

func institutionOf(text string) (v1alpha1.PlatformID, error) {
	parsed, err := url.Parse(text)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
		return 0, errNoWebhookURL
	}
	parts := strings.Split(parsed.Path, "/")
	at := slices.Index(parts, "webhooks")
	_, password := parsed.User.Password()
	if at < 0 || (len(parts) != at+3 && (len(parts) != at+2 || !password)) {
		return 0, errNoWebhookURL
	}
	id, err := strconv.ParseInt(parts[at+1], 10, 64)
	if err != nil || id < 1 {
		return 0, errNoWebhookURL
	}
	return v1alpha1.PlatformID(id), nil
}

// withWrongToken returns the URL with another token of the same length.
func withWrongToken(text string) string {
	wrong := func(token string) string { return strings.Repeat("x", max(len(token), 1)) }
	parsed, err := url.Parse(text)
	if err != nil {
		return text
	}
	if token, ok := parsed.User.Password(); ok {
		parsed.User = url.UserPassword(parsed.User.Username(), wrong(token))
		return parsed.String()
	}
	dir, token := path.Split(parsed.Path)
	parsed.Path, parsed.RawPath = dir+wrong(token), ""
	return parsed.String()
}

// Content is what differs between the deliveries of one completion.
type Content struct {
	SendAt     string
	CourseName string
	// DateExpire is empty for none.
	DateExpire string
}

// Delivery is one call that the platform makes.
type Delivery struct {
	// Index counts the deliveries of a Generator from 0.
	Index int
	Kind  Kind
	// Institution and Completion say which object a good delivery is about; Completion is its name.
	Institution v1alpha1.PlatformID
	Completion  string
	Content     Content
	URL         string
	Body        []byte
}

// Plan says what is sent.
type Plan struct {
	// Institutions, at least one, take turns at random.
	Institutions []Institution
	// Courses, at least one, are what people complete.
	Courses []v1alpha1.PlatformID
	// Seed chooses everything else: the same Plan always makes the same deliveries in the same order.
	Seed uint64
	Mix  Mix
	// Start is the send_at of the first deliveries, as a clock of the platform shows it; its zone does not count. The
	// server refuses what lies more than two days ahead.
	Start time.Time
}

// Generator makes deliveries. Safe for use by several goroutines.
type Generator struct {
	plan    Plan
	mu      sync.Mutex
	random  *rand.Rand
	next    int
	schools []*school
}

// school is what a Generator remembers of an institution.
type school struct {
	Institution
	made   int
	recent []*completion
}

// completion is one that was sent before.
type completion struct {
	course, enrollment, user v1alpha1.PlatformID
	contents                 []Content
	// least and most are the times of its deliveries, in seconds after the start of the plan.
	least, most int
}

// NewGenerator checks the plan.
func NewGenerator(plan Plan) (*Generator, error) {
	if len(plan.Institutions) == 0 || len(plan.Courses) == 0 {
		return nil, errors.New("nothing to send: at least one institution with a webhook URL and one course are required")
	}
	if err := plan.Mix.validate(); err != nil {
		return nil, err
	}
	g := &Generator{plan: plan, random: rand.New(rand.NewPCG(plan.Seed, 0))}
	for _, institution := range plan.Institutions {
		if len(institution.URLs) == 0 {
			return nil, fmt.Errorf("institution %d has no webhook URL", institution.ID)
		}
		g.schools = append(g.schools, &school{Institution: institution})
	}
	return g, nil
}

// Next returns the next delivery. It never ends.
func (g *Generator) Next() Delivery {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.schools[g.random.IntN(len(g.schools))]
	d := Delivery{
		Index: g.next, Kind: g.plan.Mix.draw(g.random), Institution: s.ID,
		URL: s.URLs[g.random.IntN(len(s.URLs))],
	}
	g.next++
	var c *completion
	if len(s.recent) == 0 && (d.Kind == KindRepeat || d.Kind == KindNewer || d.Kind == KindOlder || d.Kind == KindTie) {
		d.Kind = KindNew
	}
	switch d.Kind {
	case KindRepeat, KindNewer, KindOlder, KindTie:
		c = s.recent[g.random.IntN(len(s.recent))]
	default:
		c = g.newCompletion(s)
	}
	d.Content = g.content(c, d.Kind)
	d.Completion = fmt.Sprintf("%d-%d-%d-%d", s.ID, c.course, c.enrollment, c.user)
	g.finish(&d, s, c)
	return d
}

// newCompletion makes one. Every fifth is of the person before.
func (g *Generator) newCompletion(s *school) *completion {
	first := v1alpha1.PlatformID(1 + (g.plan.Seed%1_000_000)*idsPerSeed)
	// A busy platform finishes many courses in one second.
	at := s.made / 20
	c := &completion{
		course:     g.plan.Courses[g.random.IntN(len(g.plan.Courses))],
		enrollment: first + v1alpha1.PlatformID(s.made),
		user:       first + v1alpha1.PlatformID(s.made-s.made/5),
		least:      at, most: at,
	}
	s.made++
	return c
}

// content returns what a delivery of this kind says, and remembers it.
func (g *Generator) content(c *completion, kind Kind) Content {
	at := c.most
	switch kind {
	case KindRepeat:
		return c.contents[g.random.IntN(len(c.contents))]
	case KindNewer:
		c.most += 1 + g.random.IntN(60)
		at = c.most
	case KindOlder:
		c.least -= 1 + g.random.IntN(60)
		at = c.least
	}
	sent := g.plan.Start.Add(time.Duration(at) * time.Second)
	content := Content{
		SendAt:     sent.Format(time.DateTime),
		CourseName: fmt.Sprintf("Fundamentos de Álgebra %d, edição %d", c.course, len(c.contents)+1),
	}
	if g.random.IntN(2) == 0 {
		content.DateExpire = sent.AddDate(1, g.random.IntN(12), 0).Format(time.DateOnly)
	}
	c.contents = append(c.contents, content)
	return content
}

// finish writes the body, spoils it where the kind asks for it, and remembers a completion that can be sent again.
func (g *Generator) finish(d *Delivery, s *school, c *completion) {
	p := payload(g.plan.Seed, s.ID, c, d.Content)
	switch d.Kind {
	case KindNew:
		if len(s.recent) < remembered {
			s.recent = append(s.recent, c)
		} else {
			s.recent[s.made%remembered] = c
		}
	case KindOtherEvent:
		p.Event.Name, p.Event.Slug = "Atividades - Curso iniciado", "activities.course.started"
	case KindForeign:
		p.Data.Institution.ID++
	case KindInvalid:
		p.spoil(g.random)
	case KindWrongToken:
		d.URL = withWrongToken(d.URL)
	}
	d.Body = p.encode()
	if d.Kind == KindMalformed {
		d.Body = d.Body[:1+g.random.IntN(len(d.Body)-1)]
	}
}

// body is the payload of the contract.
type body struct {
	Event struct {
		Name   string `json:"name"`
		Slug   string `json:"slug"`
		SendAt string `json:"send_at"`
	} `json:"event"`
	Data struct {
		Institution struct {
			ID v1alpha1.PlatformID `json:"id"`
		} `json:"institution"`
		Course struct {
			ID   v1alpha1.PlatformID `json:"id"`
			Name string              `json:"name"`
		} `json:"course"`
		Enrollment struct {
			ID         v1alpha1.PlatformID `json:"id"`
			DateExpire *string             `json:"date_expire"`
			CourseID   v1alpha1.PlatformID `json:"course_id"`
			Actived    int                 `json:"actived"`
			Status     int                 `json:"status"`
		} `json:"enrollment"`
		User person `json:"user"`
	} `json:"data"`
}

func payload(seed uint64, institution v1alpha1.PlatformID, c *completion, content Content) *body {
	p := &body{}
	p.Event.Name, p.Event.Slug, p.Event.SendAt = "Atividades - Curso concluído", v1alpha1.EventSlug, content.SendAt
	p.Data.Institution.ID = institution
	p.Data.Course.ID, p.Data.Course.Name = c.course, content.CourseName
	p.Data.Enrollment.ID, p.Data.Enrollment.CourseID = c.enrollment, c.course
	p.Data.Enrollment.Actived, p.Data.Enrollment.Status = 1, 1
	if content.DateExpire != "" {
		p.Data.Enrollment.DateExpire = &content.DateExpire
	}
	p.Data.User = invent(seed, c.user)
	return p
}

// spoil breaks one rule of the contract.
func (p *body) spoil(random *rand.Rand) {
	spoilers := []func(){
		func() { p.Event.Slug = "activities.course.Completed" },
		func() { p.Event.SendAt = "2026-02-30 12:00:00" },
		func() { p.Data.Course.ID = 0 },
		func() { p.Data.Enrollment.DateExpire = new("next year") },
		func() { p.Data.Enrollment.Status = 2 },
		func() { p.Data.User.ID = -1 },
		func() { p.Data.User.Name = strings.Repeat("a", v1alpha1.MaxUserNameLength+1) },
	}
	spoilers[random.IntN(len(spoilers))]()
}

func (p *body) encode() []byte {
	text, err := json.Marshal(p)
	if err != nil {
		// A struct of strings and numbers always has a JSON form.
		panic(fmt.Sprintf("encoding a delivery: %v", err))
	}
	return text
}
