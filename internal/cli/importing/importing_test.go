// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package importing

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// everything is a header with all that is required.
const everything = "event.send_at,course.id,enrollment.id,enrollment.date_expire,enrollment.course_id," +
	"enrollment.actived,enrollment.status,user.id,user.name"

func read(t *testing.T, text string, maps, sets []string) (all []*row, err error) {
	t.Helper()
	fields, err := newMapping(maps, sets, 7)
	if err != nil {
		return nil, err
	}
	file, err := open(strings.NewReader(text), fields, 0)
	if err != nil {
		return nil, err
	}
	for {
		r, err := file.next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
}

func TestCSV(t *testing.T) {
	g := NewWithT(t)
	all, err := read(t, "\uFEFF"+everything+"\n"+
		"2026-01-02 03:04:05,9,5,,9,1,1,4,\"Ana, de\nSouza\"\n"+
		"2026-01-02 03:04:05,9,6,2026-12-31,9,1,1,4\n"+
		"2026-01-02 03:04:05,9,6,2026-12-31,9,1,1,4,Jos\xe9\n"+
		"2026-01-02 03:04:05,9,6,2026-12-31,9,1,1,4,a\"b\n", nil, nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(all).To(HaveLen(4))
	g.Expect(string(all[0].body)).To(MatchJSON(`{
		"event": {"slug": "activities.course.completed", "send_at": "2026-01-02 03:04:05"},
		"data": {"institution": {"id": 7}, "course": {"id": "9"}, "user": {"id": "4", "name": "Ana, de\nSouza"},
			"enrollment": {"id": "5", "date_expire": null, "course_id": "9", "actived": "1", "status": "1"}}}`))
	for i, want := range []struct {
		line  int
		fault string
	}{{2, ""}, {4, "has 8 columns, and the header has 9"}, {5, "column user.name is not UTF-8"}, {6, "is not CSV"}} {
		g.Expect(all[i].line).To(Equal(want.line))
		g.Expect(all[i].fault).To(HavePrefix(want.fault))
		g.Expect(all[i].body == nil).To(Equal(want.fault != ""))
	}
}

// Where it goes on after an interruption is the first row without an answer, though later ones have theirs.
func TestFirstLineWithoutAnAnswer(t *testing.T) {
	g := NewWithT(t)
	file := filepath.Join(t.TempDir(), "export.csv")
	text := everything + "\n" + strings.Repeat("2026-01-02 03:04:05,9,5,,9,1,1,4,Ana\n", 5)
	g.Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
	fourth, away := make(chan struct{}), errors.New("the server is away")
	w := &work{options: &options{Factory: cmdutil.NewFactory(genericiooptions.NewTestIOStreamsDiscard()), file: file},
		connections: 2, outcomes: map[string]int{}, judge: func(r *row) (verdict, error) {
			switch r.line {
			case 3:
				<-fourth
				return verdict{}, away
			case 4:
				defer close(fourth)
			}
			return verdict{outcome: "created"}, nil
		}}
	g.Expect(w.run(t.Context(), 7)).To(MatchError(away))
	g.Expect(w.missing()).To(Equal(3))

	whole := &work{options: w.options, connections: 2, outcomes: map[string]int{},
		judge: func(*row) (verdict, error) { return verdict{outcome: "created"}, nil }}
	g.Expect(whole.run(t.Context(), 7)).To(Succeed())
	g.Expect(whole.missing()).To(Equal(7))
}

func TestColumnsAreMapped(t *testing.T) {
	g := NewWithT(t)
	all, err := read(t, "student;finished;course;matrícula;extra\n4;2026-01-02 03:04:05;9;5;x\n",
		[]string{
			"student=user.id", "finished=event.send_at", "course=course.id",
			"matrícula=enrollment.id", "extra=",
		},
		[]string{"enrollment.actived=1", "enrollment.status=0", "enrollment.date_expire="})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(all[0].body)).To(MatchJSON(`{
		"event": {"slug": "activities.course.completed", "send_at": "2026-01-02 03:04:05"},
		"data": {"institution": {"id": 7}, "course": {"id": "9"}, "user": {"id": "4"},
			"enrollment": {"id": "5", "date_expire": null, "course_id": "9", "actived": "1", "status": "0"}}}`))
	for _, tc := range []struct {
		header     string
		maps, sets []string
		fault      string
	}{
		{"user.id", nil, []string{"enrollment.status=1"}, "no column for event.send_at, course.id, enrollment.id, " +
			"enrollment.date_expire, enrollment.actived. Its columns are user.id."},
		{everything, []string{"x=user.id"}, nil, `--map names the column "x"`},
		{everything, []string{"user.id=user.x"}, nil, "the contract has no field user.x"},
		{everything, []string{"user.id"}, nil, "write COLUMN=FIELD"},
		{everything, nil, []string{"user.x=1"}, "use FIELD=VALUE"},
		{everything + ",other", []string{"other=user.id"}, nil, "both are user.id"},
		{" \n", nil, nil, "the file is empty"},
	} {
		_, err := read(t, tc.header+"\n", tc.maps, tc.sets)
		g.Expect(err).To(MatchError(ContainSubstring(tc.fault)))
	}
}

func TestJSONLines(t *testing.T) {
	g := NewWithT(t)
	whole := `{"event": {"slug": "x"}, "data": {}}`
	all, err := read(t, `{"user.id": 4, "course.id": 9, "mail": "a@example.edu", "user.name": null}`+"\n\n"+whole+
		"\n[1]\n"+
		`{"import.line": 9, "import.reason": "no", "import.row": {"user.id": 5}}`, []string{"mail=user.email"}, nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(all).To(HaveLen(4))
	g.Expect(string(all[0].body)).To(ContainSubstring(`"user":{"email":"a@example.edu","id":4,"name":null}`))
	g.Expect(string(all[0].body)).To(And(ContainSubstring(`"course":{"id":9}`), ContainSubstring(`"course_id":9`)))
	g.Expect(string(all[1].body)).To(Equal(whole))
	g.Expect([]int{all[0].line, all[1].line, all[2].line}).To(Equal([]int{1, 3, 4}))
	g.Expect(all[2].fault).To(Equal("is not a JSON object"))
	g.Expect(string(all[3].body)).To(ContainSubstring(`"user":{"id":5}`))
	g.Expect(string(all[3].text)).To(Equal(`{"user.id": 5}`))
}

// What was refused can be imported again, and refused again.
func TestRejectsAreAFileToImport(t *testing.T) {
	g := NewWithT(t)
	header := strings.Split(everything, ",")
	cells := strings.Split("2026-01-02 03:04:05,9,5,,9,1,1,0,Ana", ",")
	path := filepath.Join(t.TempDir(), "rejected.csv")
	r := &rejects{path: path, header: header}
	g.Expect(r.add(&row{line: 2, cells: cells}, "user.id must be, an integer")).To(Succeed())
	g.Expect(r.close()).To(Succeed())
	text, err := os.ReadFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	all, err := read(t, string(text), nil, nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(all).To(HaveLen(1))
	g.Expect(string(all[0].body)).To(ContainSubstring(`"user":{"id":"0","name":"Ana"}`))
	at, err := os.Stat(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(at.Mode().Perm()).To(Equal(os.FileMode(0o600)))

	again := &rejects{path: path + "2", header: append([]string{"import.line", "import.reason"}, header...)}
	g.Expect(again.add(all[0], "user.id must be, an integer")).To(Succeed())
	g.Expect(again.close()).To(Succeed())
	twice, err := os.ReadFile(path + "2")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(twice)).To(Equal(string(text)))

	lines := &rejects{path: path + ".jsonl"}
	g.Expect(lines.add(&row{line: 3, text: []byte(`{"user.id": 0}`)}, "no")).To(Succeed())
	g.Expect(lines.add(&row{line: 4, text: []byte(`{`)}, "is not a JSON object")).To(Succeed())
	g.Expect(lines.close()).To(Succeed())
	text, err = os.ReadFile(path + ".jsonl")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(text)).To(Equal(`{"import.line":3,"import.reason":"no","import.row":{"user.id":0}}` + "\n" +
		`{"import.line":4,"import.reason":"is not a JSON object","import.row":"{"}` + "\n"))
}

// steps is a clock that jumps to the end of each wait, and adds them up.
type steps struct {
	clock.Clock
	now   time.Time
	waits []time.Duration
}

func (s *steps) Now() time.Time                     { return s.now }
func (s *steps) Since(then time.Time) time.Duration { return s.now.Sub(then) }
func (s *steps) NewTimer(wait time.Duration) clock.Timer {
	s.waits = append(s.waits, wait)
	s.now = s.now.Add(wait)
	return s.Clock.NewTimer(0)
}

func TestPostingAgain(t *testing.T) {
	refused, _ := json.Marshal(map[string]any{
		"detail": "general", "errors": []map[string]string{{"pointer": "/data/user/id", "detail": "is required"}},
	})
	for name, tc := range map[string]struct {
		statuses []int
		retry    string
		body     string
		want     verdict
		fault    string
		waits    []time.Duration
	}{
		"taken": {statuses: []int{200}, want: verdict{outcome: "created"}},
		"Retry-After": {statuses: []int{429, 503, 200}, retry: "7", want: verdict{outcome: "created"},
			waits: []time.Duration{7 * time.Second, 7 * time.Second}},
		"waits grow": {statuses: []int{500, 502, 504, 503, 503, 503, 503, 200}, want: verdict{outcome: "created"},
			waits: []time.Duration{1e9, 2e9, 4e9, 8e9, 16e9, 30e9, 30e9}},
		"refused":    {statuses: []int{422}, body: string(refused), want: verdict{refused: "user.id is required"}},
		"no server":  {statuses: []int{413}, want: verdict{refused: "Request Entity Too Large"}},
		"no token":   {statuses: []int{401}, fault: "answers 401"},
		"redirected": {statuses: []int{302}, fault: "answers 302"},
		"gives up": {statuses: []int{503}, retry: "50", fault: "for 1m40s a row could not be delivered",
			waits: []time.Duration{50 * time.Second, 50 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			var calls atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				at := min(int(calls.Add(1))-1, len(tc.statuses)-1)
				w.Header().Set("Completion-Outcome", "created")
				if tc.retry != "" {
					w.Header().Set("Retry-After", tc.retry)
				}
				w.WriteHeader(tc.statuses[at])
				_, _ = io.WriteString(w, tc.body)
			}))
			defer server.Close()
			at := &steps{Clock: clock.RealClock{}, now: time.Unix(0, 0)}
			p := &poster{
				client: sender.NewClient(1, time.Minute, nil), urls: []string{server.URL}, clock: at,
				patience: 100 * time.Second,
			}
			defer p.client.Close()
			got, err := p.post(t.Context(), []byte("{}"))
			g.Expect(at.waits).To(Equal(tc.waits))
			if tc.fault != "" {
				g.Expect(err).To(MatchError(ContainSubstring(tc.fault)))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(tc.want))
		})
	}
}

// A page that a proxy shows with 200 is no promise.
func TestOnlyTheWebhookServerIsBelieved(t *testing.T) {
	_, err := judge(sender.Answer{Status: 200, Body: []byte("<html>")})
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("not answered by the webhook server")))
}

func TestInterruptedWhileWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := &poster{clock: clock.RealClock{}, quiet: time.Now().Add(time.Hour)}
	NewWithT(t).Expect(p.await(ctx)).To(MatchError(context.Canceled))
}

func TestProgress(t *testing.T) {
	g := NewWithT(t)
	p := &progress{total: 200}
	g.Expect(p.line(50, 10*time.Second)).To(Equal("[######..................] 50 of 200 rows, 5 a second, 30s left"))
	g.Expect(p.line(0, 0)).To(Equal("[........................] 0 of 200 rows, 0 a second"))
	p.total = 0
	g.Expect(p.line(50, 10*time.Second)).To(Equal("50 rows, 5 a second"))
}
