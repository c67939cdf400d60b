// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// What the API server stores, our types decode: a list of a kind is all or nothing, and so one object that does not
// decode would hide all the others of its kind from the programs. Every field of every schema gets every value that is
// odd for its type, with what the schema demands beside it; what the API server would store is decoded as the programs
// do it, and what that encodes to has to be taken again.
func TestWhatTheAPIServerStoresDecodes(t *testing.T) {
	NewWithT(t).Expect(admin.Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: storedNamespace}})).To(Succeed())
	for plural, crd := range definitions(t) {
		t.Run(plural, func(t *testing.T) {
			t.Parallel()
			api := rawAPI(t)
			// It has the status that is changed.
			stored := least(crd).object("")
			answer, err := api.send(t.Context(), request{"POST", storedNamespace, plural, "", false}, stored)
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			version := metadataIn(answer).ResourceVersion
			tried, taken := 0, 0
			for _, tr := range trials(crd) {
				accepted, first := 0, error(nil)
				for _, value := range tr.values() {
					tried++
					err := api.try(t, tr, value, version)
					if err == nil {
						accepted++
					} else if first == nil {
						first = err
					}
				}
				taken += accepted
				if accepted == 0 {
					t.Errorf("no value of %s is accepted: add what it needs to beside or together, or a sample: %v", tr.name(), first)
				}
			}
			t.Logf("%d of %d values were accepted", taken, tried)
		})
	}
}

// The metadata of an object is not of our schemas; the API server sees to it that it decodes.
func TestOddMetadataDecodes(t *testing.T) {
	api := rawAPI(t)
	for field, values := range map[string][]string{
		"labels":      {`null`, `{"a":null}`, `{"a":1}`, `{"a":"b"}`, `[]`},
		"annotations": {`{"a":null}`, `{"a":true}`, `{"a":"\ud800"}`},
		"finalizers":  {`null`, `[null]`, `[1]`, `["example.org/a"]`},
		"ownerReferences": {`null`, `[null]`,
			`[{"apiVersion":"v1","kind":"ConfigMap","name":"a","uid":"b","controller":null}]`},
		"generation": {`null`, `9223372036854775808`, `1.5`, `"1"`, `8589934592`},
		"creationTimestamp": {`null`, `"2026-11-01t03:00:00z"`, `"2026-11-01T03:00:00+99:99"`,
			`"0001-01-01T00:00:00Z"`},
		"deletionTimestamp":          {`"2026-11-01t03:00:00z"`},
		"deletionGracePeriodSeconds": {`9223372036854775808`, `1.0`, `8589934592`},
		"managedFields": {`[null]`, `[{"time":"2026-11-01t03:00:00z"}]`,
			`[{"manager":"a","operation":"Apply","apiVersion":"v1"}]`},
		"resourceVersion": {`1`, `"a"`},
		"uid":             {`1`, `""`},
		"unknown":         {`1e400`, `{}`},
	} {
		for _, value := range values {
			body := least(definitions(t)["seatpools"]).object("")
			body["metadata"].(object)[field] = json.RawMessage(value)
			_ = api.check(t, request{"POST", "default", "seatpools", "", true}, body, field+": "+value)
		}
	}
}

func least(crd definition) trial {
	return trial{plural: crd.Spec.Names.Plural, kind: crd.Spec.Names.Kind, root: crd.Spec.Versions[0].Schema.OpenAPI}
}

// storedNamespace has one object of each kind; what is tried elsewhere is never stored.
const storedNamespace = "decoded"

// raw sends objects as they are written.
type raw struct{ client rest.Interface }

// request is a way to send an object.
type request struct {
	verb, namespace, plural, subresource string
	dry                                  bool
}

func rawAPI(t *testing.T) raw {
	t.Helper()
	config := plane.AdminConfig()
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	made, err := kubernetes.NewForConfig(config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return raw{made.CoreV1().RESTClient()}
}

// send returns what the API server stores, or would store.
func (r raw) send(ctx context.Context, how request, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	path := []string{"/apis", v1alpha1.GroupVersion.String(), "namespaces", how.namespace, how.plural}
	if how.subresource != "" {
		path = append(path, metadataIn(text).Name, how.subresource)
	}
	sent := r.client.Verb(how.verb).AbsPath(path...).SetHeader("Content-Type", "application/json").Body(text)
	if how.dry {
		sent = sent.Param("dryRun", "All")
	}
	answer, err := sent.Do(ctx).Raw()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, answer)
	}
	return answer, nil
}

// try returns why a value is refused, nil if it is not.
func (r raw) try(t *testing.T, tr trial, value, version string) error {
	t.Helper()
	how, made := request{"POST", "default", tr.plural, "", true}, tr.object(value)
	if tr.path[0] == "status" {
		how = request{"PUT", storedNamespace, tr.plural, "status", true}
		made["metadata"].(object)["resourceVersion"] = version
	}
	return r.check(t, how, made, tr.name()+" = "+short(value))
}

func (r raw) check(t *testing.T, how request, body object, what string) error {
	t.Helper()
	answer, err := r.send(t.Context(), how, body)
	if err != nil {
		return err
	}
	decoded, _, err := decoder.Decode(answer, nil, nil)
	if err != nil {
		t.Errorf("%s is stored, and does not decode: %v", what, err)
		return nil
	}
	if _, err := r.send(t.Context(), how, decoded); err != nil {
		t.Errorf("%s is stored, and what it decodes to is refused: %v", what, err)
	}
	return nil
}

func short(value string) string {
	if len(value) > 60 {
		return fmt.Sprintf("%s... (%d bytes)", value[:60], len(value))
	}
	return value
}

var decoder = func() runtime.Decoder {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		panic(err)
	}
	return serializer.NewCodecFactory(scheme).UniversalDeserializer()
}()

// nameOf is the name that an object has to have, by what stands in it.
func nameOf(plural string, made object) string {
	type numbered struct {
		ID json.RawMessage `json:"id"`
	}
	var read struct {
		Spec struct {
			Institution, Course, Enrollment, User numbered
			Pool, Number                          json.RawMessage
		}
	}
	text, err := json.Marshal(made)
	// What is of another type is refused, whatever its name is.
	if err != nil || json.Unmarshal(text, &read) != nil {
		return "decoded"
	}
	s := read.Spec
	switch plural {
	case "coursecompletions":
		return fmt.Sprintf("%s-%s-%s-%s", s.Institution.ID, s.Course.ID, s.Enrollment.ID, s.User.ID)
	case "erasureregisters":
		return v1alpha1.ErasureRegisterName
	case "seats":
		return strings.Trim(string(s.Pool), `"`) + "-" + string(s.Number)
	}
	return "decoded"
}

func metadataIn(text []byte) metav1.ObjectMeta {
	var read metav1.PartialObjectMetadata
	_ = json.Unmarshal(text, &read)
	return read.ObjectMeta
}
