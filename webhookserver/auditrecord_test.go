// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

// auditRecords are one of each sort, with every member that a record can have.
func auditRecords() map[string]*auditRecord {
	received := time.Date(2026, 3, 10, 12, 0, 0, 500_000_000, time.UTC)
	institution := &v1alpha1.Institution{}
	institution.Namespace, institution.Spec.ID = "institution-12345", 12345
	spec := &v1alpha1.CourseCompletionSpec{}
	spec.Institution.ID, spec.Course.ID, spec.Enrollment.ID, spec.User.ID = 12345, 123456, 11, 987654321
	spec.User.Name, spec.User.Email, spec.User.CPF = "Ana Souza", "ana.souza@example.com", "529.982.247-25"
	client, proxy := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("10.0.0.1")
	record := func(method, path string, c call, outcome store.Outcome, reason string, status int) *auditRecord {
		c.id, c.received = "019f0000-0000-7000-8000-000000000001", received
		r := httptest.NewRequest(method, path, http.NoBody)
		return newAuditRecord(r, &c, &answer{outcome: outcome, reason: reason, status: status}, 90*time.Millisecond)
	}
	const path = "/webhooks/12345/" + token
	known := call{
		origin: throttle.Origin{Client: client, Peer: proxy}, institution: institution, tokenSecret: "webhook-token",
		bytes: 407,
	}
	stored, other := known, known
	stored.spec, stored.completion.Name = spec, spec.Name()
	other.event = "certificate.issued"
	return map[string]*auditRecord{
		"created":     record("POST", path, stored, store.Created, "stored", 200),
		"updated":     record("POST", path, stored, "updated", "stored", 200),
		"queued":      record("POST", path, stored, store.Queued, "api-away", 200),
		"ignored":     record("POST", path, other, store.Ignored, "other-event", 200),
		"checked":     record("GET", path, known, store.Checked, "checked", 200),
		"unavailable": record("POST", path, stored, store.Unavailable, "inbox-full", 503),
		"refused": record("POST", path+"x", call{origin: throttle.Origin{Client: client, Peer: client},
			rejected: rejectedWrong}, store.Refused, "unauthorized", 401),
		"from nowhere": record("BREW", "/", call{origin: throttle.Origin{Peer: proxy}}, store.Refused, "not-found", 404),
		"summary": newSummaryRecord(&throttle.AuditSummary{Since: received.Add(-time.Minute), Time: received,
			RemoteNetwork: "2001:db8::/64", Calls: 195, Reasons: map[string]int{"not-found": 97, "unauthorized": 98}}),
	}
}

// ecsField is what the schema says of a field.
type ecsField struct {
	Type   string
	Array  bool
	Values []string
	Types  map[string][]string
}

// A SIEM reads the records by the schema: every member is a field of it, of its type and with one of its values, or is
// in the object completion.
func TestAuditRecordsKeepToTheSchema(t *testing.T) {
	text, err := os.ReadFile("testdata/ecs-" + ecsVersion + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct{ Fields map[string]ecsField }
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for name, record := range auditRecords() {
		for path, value := range membersOf(t, record) {
			used[path] = true
			if !strings.Contains(string(page), "\n| `"+strings.TrimRight(path, "*")) {
				t.Errorf("docs/audit.md does not describe %s", path)
			}
			field, has := schema.Fields[path]
			if !has && !strings.HasPrefix(path, "completion.") {
				t.Errorf("%s: the schema has no field %s", name, path)
			} else if has {
				if err := field.fits(value); err != nil {
					t.Errorf("%s: %s: %v", name, path, err)
				}
			}
		}
		allowed := schema.Fields["event.category"].Types[record.Event.Category[0]]
		if !slices.Contains(allowed, record.Event.Type[0]) {
			t.Errorf("%s: the schema expects no %s of the category %s", name, record.Event.Type, record.Event.Category)
		}
	}
	for field := range schema.Fields {
		if !used[field] {
			t.Errorf("no record has %s", field)
		}
	}
}

// fits says why a value cannot be that of a field.
func (f ecsField) fits(value any) error {
	if list, ok := value.([]any); ok != f.Array {
		return fmt.Errorf("%v: a list is wanted: %t", value, f.Array)
	} else if f.Array {
		value = list[0]
	}
	text, isText := value.(string)
	number, isNumber := value.(json.Number)
	switch f.Type {
	case "long":
		if _, err := number.Int64(); err != nil || !isNumber {
			return fmt.Errorf("%v is no whole number", value)
		}
	case "date":
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			return err
		}
	case "ip":
		if _, err := netip.ParseAddr(text); err != nil {
			return err
		}
	default:
		if !isText || text == "" {
			return fmt.Errorf("%v is no text", value)
		}
	}
	if len(f.Values) > 0 && !slices.Contains(f.Values, text) {
		return fmt.Errorf("%s is none of %s", text, f.Values)
	}
	return nil
}

// membersOf returns the members of a record by their paths. Those of completion.reasons are named by what they count.
func membersOf(t *testing.T, record *auditRecord) map[string]any {
	t.Helper()
	line, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		t.Fatal(err)
	}
	found := map[string]any{}
	var collect func(string, map[string]any)
	collect = func(prefix string, object map[string]any) {
		for name, value := range object {
			if inner, ok := value.(map[string]any); !ok {
				found[prefix+name] = value
			} else if prefix+name == "completion.reasons" {
				found["completion.reasons.*"] = value
			} else {
				collect(prefix+name+".", inner)
			}
		}
	}
	collect("", object)
	return found
}

// Members never change their meaning, and nothing personal is among them. UPDATE_GOLDEN=1 records the lines anew.
func TestAuditRecordsAreAsTheyWere(t *testing.T) {
	const golden = "testdata/audit-records.jsonl"
	var lines bytes.Buffer
	records := auditRecords()
	for _, name := range slices.Sorted(maps.Keys(records)) {
		line, err := json.Marshal(records[name])
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	for _, private := range []string{"Ana", "example.com", "529", token} {
		if strings.Contains(lines.String(), private) {
			t.Errorf("%q is in the records", private)
		}
	}
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(golden, lines.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v: record it with UPDATE_GOLDEN=1", err)
	}
	if diff := cmp.Diff(string(want), lines.String()); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}
