// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

const (
	// asPlugin makes the program of the tests the plugin, and names the file that it writes its peak of memory to.
	asPlugin = "TEST_PLUGIN_MEMORY"
	// howMany completions there are, each with a Grant; five thousand unless it is set.
	howMany = "MEMORY_COMPLETIONS"
	// What the plugin may have in memory beside its own code, which is in a file and takes no room where that is short, in
	// bytes: in any case, and for each completion, so that a hundred thousand fit in 100 MiB.
	anyway, each = 32 << 20, 700
)

func TestMain(m *testing.M) {
	file := os.Getenv(asPlugin)
	if file == "" {
		os.Exit(m.Run())
	}
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	code := Run(context.Background(), NewCommand(streams), os.Args[1:])
	if err := os.WriteFile(file, []byte(peak()), 0o600); err != nil {
		code = 3
	}
	os.Exit(code)
}

// peak returns the most resident memory that this process has had, less what of it is in files, in KiB, and what is in
// files.
func peak() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return ""
	}
	found := map[string]int{}
	for line := range strings.Lines(string(status)) {
		name, text, _ := strings.Cut(line, ":")
		found[name], _ = strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")))
	}
	return fmt.Sprint(found["VmHWM"]-found["RssFile"], found["RssFile"])
}

// TestMemory has the commands read many completions and Grants of an API server, page by page, and holds the memory of
// the whole process against a bound.
func TestMemory(t *testing.T) {
	count := 5_000
	if text := os.Getenv(howMany); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(&crowd{count: count})
	defer server.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	config := `{"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"clusters": [{"name": "c", "cluster": {"server": ` + strconv.Quote(server.URL) + `}}],
		"contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "institution-1"}}],
		"users": [{"name": "u", "user": {"token": "t"}}]}`
	if err := os.WriteFile(kubeconfig, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	changed := strings.Replace(crowdPolicy, `"maxDays": 30`, `"maxDays": 31`, 1)
	if err := os.WriteFile(policy, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"status"}, 0, fmt.Sprintf("%d in all", count)},
		{[]string{"report", "--by", "day,policy"}, 0, fmt.Sprintf("Completions: %d", count)},
		{[]string{"export", "--user", "100000000"}, 0, `"userID": 100000000`},
		{[]string{"why", "100000000"}, 0, "User 100000000"},
		{[]string{"why", "namespace/grad-100000000"}, 0, "grad-100000000"},
		{[]string{"deliveries", "--limit", "5"}, 0, fmt.Sprintf("%d older ones are not shown", count-5)},
		{[]string{"preview", "-f", policy}, 1, fmt.Sprintf("Changes:   %d grants", count)},
		{[]string{"revoke", "--policy", "lab", "--reason", "x"}, 1, fmt.Sprintf("Revoke these %d Grants?", count)},
	} {
		t.Run(strings.Join(tc.args[:1], " "), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "peak")
			cmd := exec.CommandContext(t.Context(), os.Args[0], tc.args...)
			cmd.Env = append(os.Environ(), asPlugin+"="+file, "KUBECONFIG="+kubeconfig, "HOME="+t.TempDir())
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			began := time.Now()
			_ = cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != tc.code || !strings.Contains(said.String(), tc.says) {
				t.Fatalf("exit code %d, and no %q in:\n%s", code, tc.says, last(said.String()))
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var kib, files int
			if _, err := fmt.Sscan(string(text), &kib, &files); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d completions: %d MiB at most, and %d MiB of the program's file, %s", count, kib>>10, files>>10,
				time.Since(began).Round(time.Millisecond))
			if most := (anyway + count*each) >> 10; kib > most {
				t.Errorf("%d KiB were in memory at most, want %d", kib, most)
			}
		})
	}
}

// last returns the end of a long text.
func last(text string) string { return text[max(0, len(text)-2000):] }

// crowd is what the commands see of an API server that has many completions, each with a Grant of its own: lists, in
// pages, of objects that are made up as they are asked for.
type crowd struct{ count int }

const crowdPolicy = `{"apiVersion": "completions.lxp.dev/v1alpha1", "kind": "CompletionPolicy",
  "metadata": {"name": "lab", "namespace": "institution-1", "generation": 1},
  "spec": {"match": {"courseIDs": [7]}, "grantPer": "Completion", "lifetime": {"maxDays": 30},
    "namespaces": [{"name": "grad-${enrollment.id}"}]}}`

const crowdInstitution = `{"apiVersion": "completions.lxp.dev/v1alpha1", "kind": "Institution",
  "metadata": {"name": "one", "namespace": "institution-1", "generation": 1},
  "spec": {"id": 1, "namespacePrefix": "grad-", "timeZone": "America/Sao_Paulo",
    "authentication": {"tokenSecretRefs": [{"name": "token"}]}},
  "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "",
      "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1},
    {"type": "Allowed", "status": "True", "reason": "Allowed", "message": "",
      "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}]}}`

// sentAt is when the nth completion came: one a minute, the first one long ago.
func (c *crowd) sentAt(n int) time.Time {
	return time.Now().Add(-time.Duration(c.count-n) * time.Minute).UTC().Truncate(time.Second)
}

func (c *crowd) completion(n int) string {
	at := c.sentAt(n)
	user, enrollment := 100_000_000+n, 500_000+n
	return fmt.Sprintf(`{"apiVersion": "completions.lxp.dev/v1alpha1", "kind": "CourseCompletion", "metadata": {
	"name": "1-7-%[2]d-%[1]d", "namespace": "institution-1", "uid": "4a1c66a4-9c5f-4be4-8f5d-%012[1]d", "generation": 1,
	"creationTimestamp": "%[3]s", "labels": {"completions.lxp.dev/institution-id": "1",
	"completions.lxp.dev/course-id": "7", "completions.lxp.dev/user-id": "%[1]d"}}, "spec": {
	"event": {"name": "Atividades - Curso concluído", "slug": "course-completed", "sendAt": "%[4]s", "sentAt": "%[3]s",
	"firstSentAt": "%[3]s"}, "institution": {"id": 1, "name": "Institution"}, "course": {"id": 7, "name": "Course"},
	"enrollment": {"id": %[2]d, "courseID": 7, "activated": true, "status": 1, "dateExpire": "2046-12-31"},
	"user": {"id": %[1]d, "name": "Ada %[1]x Lovelace", "email": "ada.%[1]x@example.edu", "cpf": "***.***.***-99",
	"uuid": "4a1c66a4-5cc4-4372-a567-%012[1]d"}, "delivery": {"id": "01a218c4-1111-71ce-bebb-%012[1]d"}},
	"status": {"observedGeneration": 1, "grants": ["lab.1-7-%[2]d-%[1]d"],
	"conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "everything is in place",
	"lastTransitionTime": "%[3]s", "observedGeneration": 1}]}}`, user, enrollment, at.Format(time.RFC3339),
		at.Format(time.DateTime))
}

func (c *crowd) grant(n int) string {
	at := c.sentAt(n)
	user, enrollment := 100_000_000+n, 500_000+n
	return fmt.Sprintf(`{"apiVersion": "completions.lxp.dev/v1alpha1", "kind": "Grant", "metadata": {
	"name": "lab.1-7-%[2]d-%[1]d", "namespace": "institution-1", "uid": "5b1c66a4-9c5f-4be4-8f5d-%012[1]d",
	"generation": 1, "creationTimestamp": "%[3]s", "finalizers": ["completions.lxp.dev/grant"]}, "spec": {
	"policy": "lab", "holder": {"institutionID": 1, "userID": %[1]d}, "onRevoke": "Delete", "onPolicyRemoval": "Retain",
	"causes": [{"completion": "1-7-%[2]d-%[1]d", "sendAt": "%[4]s", "courseID": 7}],
	"accessEndsAt": "2046-12-31T03:00:00Z", "namespaces": [{"name": "grad-%[2]d",
	"podSecurity": "restricted", "networkIsolation": "IngressAndEgress",
	"access": [{"clusterRole": "completion-learner", "subjects": [{"kind": "User", "name": "ada.%[1]x@example.edu"}]}]}]},
	"status": {"observedGeneration": 1, "phase": "Active", "inventory": [
	{"group": "", "kind": "Namespace", "name": "grad-%[2]d", "uid": "6b1c66a4-9c5f-4be4-8f5d-%012[1]d"},
	{"group": "rbac.authorization.k8s.io", "kind": "RoleBinding", "namespace": "grad-%[2]d",
	"name": "completion-learner", "uid": "7b1c66a4-9c5f-4be4-8f5d-%012[1]d"}],
	"conditions": [{"type": "Ready", "status": "True", "reason": "Active", "message": "everything is in place",
	"lastTransitionTime": "%[3]s", "observedGeneration": 1}]}}`, user, enrollment, at.Format(time.RFC3339),
		at.Format(time.DateTime))
}

func (c *crowd) record(n int) string {
	return fmt.Sprintf(`{"@timestamp":%q,"event":{"id":"01a218c4-1111-71ce-bebb-%012d","reason":"stored"},`+
		`"http":{"request":{"method":"POST"},"response":{"status_code":200}},"source":{"ip":"203.0.113.7"},`+
		`"organization":{"id":"1"},"user":{"target":{"id":"%d"}},`+
		`"orchestrator":{"namespace":"institution-1","resource":{"name":"1-7-%d-%d"}},`+
		`"completion":{"outcome":"created","course_id":"7","enrollment_id":"%d","token_secret":"token"}}`,
		c.sentAt(n).Format(time.RFC3339Nano), n, 100_000_000+n, 500_000+n, 100_000_000+n, 500_000+n)
}

// ServeHTTP answers.
func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	const ours = "/apis/completions.lxp.dev/v1alpha1"
	path := strings.Replace(r.URL.Path, "/namespaces/institution-1", "", 1)
	switch path {
	case "/api":
		fmt.Fprint(w, `{"kind": "APIVersions", "versions": ["v1"]}`)
	case "/apis":
		fmt.Fprint(w, `{"kind": "APIGroupList", "apiVersion": "v1", "groups": [`+crowdGroup+`]}`)
	case "/apis/completions.lxp.dev":
		fmt.Fprint(w, crowdGroup)
	case "/api/v1":
		fmt.Fprint(w, resources("v1", "pods:Pod", "namespaces:Namespace"))
	case ours:
		fmt.Fprint(w, resources("completions.lxp.dev/v1alpha1", "institutions:Institution",
			"completionpolicies:CompletionPolicy", "coursecompletions:CourseCompletion", "grants:Grant",
			"seatpools:SeatPool", "seats:Seat", "erasureregisters:ErasureRegister"))
	case ours + "/institutions":
		list(w, r, "Institution", 1, func(int) string { return crowdInstitution })
	case ours + "/completionpolicies":
		list(w, r, "CompletionPolicy", 1, func(int) string { return crowdPolicy })
	case ours + "/coursecompletions":
		list(w, r, "CourseCompletion", c.count, c.completion)
	case ours + "/grants":
		list(w, r, "Grant", c.count, c.grant)
	case ours + "/seatpools":
		list(w, r, "SeatPool", 0, nil)
	case ours + "/seats":
		list(w, r, "Seat", 0, nil)
	case ours + "/erasureregisters":
		list(w, r, "ErasureRegister", 0, nil)
	case "/api/v1/namespaces/completion-system/pods":
		list(w, r, "Pod", 1, func(int) string {
			return `{"metadata": {"name": "completion-webhook-server-0", "namespace": "completion-system"},
				"spec": {"nodeName": "n", "containers": [{"name": "webhook-server"}]}, "status": {"phase": "Running"}}`
		})
	case "/api/v1/namespaces/completion-system/pods/completion-webhook-server-0/log":
		for n := range c.count {
			fmt.Fprintln(w, c.record(n))
		}
	default:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403,
			"message": "forbidden"}`)
	}
}

const crowdGroup = `{"kind": "APIGroup", "apiVersion": "v1", "name": "completions.lxp.dev",
	"versions": [{"groupVersion": "completions.lxp.dev/v1alpha1", "version": "v1alpha1"}],
	"preferredVersion": {"groupVersion": "completions.lxp.dev/v1alpha1", "version": "v1alpha1"}}`

func resources(version string, kinds ...string) string {
	var all []map[string]any
	for _, one := range kinds {
		name, kind, _ := strings.Cut(one, ":")
		all = append(all, map[string]any{"name": name, "singularName": "", "namespaced": kind != "Namespace", "kind": kind,
			"verbs": []string{"get", "list", "watch", "create", "patch", "update", "delete"}})
	}
	text, _ := json.Marshal(map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
		"resources": all})
	return string(text)
}

// list writes a page of a list. A selector of one user leaves the first object alone.
func list(w http.ResponseWriter, r *http.Request, kind string, count int, object func(int) string) {
	query := r.URL.Query()
	if strings.Contains(query.Get("fieldSelector"), "serID=100000000") ||
		strings.Contains(query.Get("fieldSelector"), "user.id=100000000") {
		count = min(count, 1)
	}
	from, _ := strconv.Atoi(query.Get("continue"))
	to := count
	if limit, _ := strconv.Atoi(query.Get("limit")); limit > 0 {
		to = min(from+limit, count)
	}
	next := ""
	if to < count {
		next = strconv.Itoa(to)
	}
	version := "completions.lxp.dev/v1alpha1"
	if kind == "Pod" {
		version = "v1"
	}
	fmt.Fprintf(w, `{"kind": "%sList", "apiVersion": %q, "metadata": {"resourceVersion": "1", "continue": %q}, "items": [`,
		kind, version, next)
	for n := from; n < to; n++ {
		if n > from {
			fmt.Fprint(w, ",")
		}
		fmt.Fprint(w, object(n))
	}
	fmt.Fprint(w, "]}")
}
