// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// DataVersion is the apiVersion of what commands print as data. It is no API of the cluster.
const DataVersion = "cli." + v1alpha1.GroupName + "/v1alpha1"

// document is data with the apiVersion and the kind that kubectl's printers ask for.
type document struct {
	kind  string
	value any
}

// GetObjectKind is for the printers.
func (d *document) GetObjectKind() schema.ObjectKind {
	return &metav1.TypeMeta{APIVersion: DataVersion, Kind: d.kind}
}

// DeepCopyObject is for the printers, which change no data.
func (d *document) DeepCopyObject() runtime.Object { return &document{d.kind, d.value} }

// MarshalJSON puts the apiVersion and the kind before the data, and rows into items.
func (d *document) MarshalJSON() ([]byte, error) {
	content, err := json.Marshal(d.value)
	if err != nil {
		return nil, fmt.Errorf("encode as JSON: %w", err)
	}
	switch content = bytes.TrimSpace(content); {
	case content[0] == '[':
		return []byte(`{` + typed(d.kind+"List") + `,"items":` + string(content) + `}`), nil
	case bytes.Equal(content, []byte("null")):
		return []byte(`{` + typed(d.kind+"List") + `,"items":[]}`), nil
	case bytes.Equal(content, []byte("{}")):
		return []byte(`{` + typed(d.kind) + `}`), nil
	}
	return []byte(`{` + typed(d.kind) + `,` + string(content[1:])), nil
}

func typed(kind string) string { return fmt.Sprintf(`"apiVersion":%q,"kind":%q`, DataVersion, kind) }

// List prints rows as data while they come: what Document prints of all of them. Templates see all of them at once.
type List struct {
	output *Output
	out    io.Writer
	count  int
	kept   []any
}

// List begins a list.
func (o *Output) List(out io.Writer) *List { return &List{output: o, out: out, kept: []any{}} }

// Add prints a row.
func (l *List) Add(row any) error {
	l.count++
	switch {
	case l.output.Is("json"):
		content, err := json.MarshalIndent(row, "        ", "    ")
		if err != nil {
			return fmt.Errorf("encode as JSON: %w", err)
		}
		before := ",\n"
		if l.count == 1 {
			before = fmt.Sprintf("{\n    \"apiVersion\": %q,\n    \"kind\": %q,\n    \"items\": [\n", DataVersion,
				l.output.kind+"List")
		}
		_, err = fmt.Fprintf(l.out, "%s        %s", before, content)
		return err
	case l.output.Is("yaml"):
		content, err := yaml.Marshal(row)
		if err != nil {
			return fmt.Errorf("encode as YAML: %w", err)
		}
		before := ""
		if l.count == 1 {
			before = "apiVersion: " + DataVersion + "\nitems:\n"
		}
		text := strings.ReplaceAll(strings.TrimSuffix(string(content), "\n"), "\n", "\n  ")
		_, err = fmt.Fprintf(l.out, "%s- %s\n", before, text)
		return err
	}
	l.kept = append(l.kept, row)
	return nil
}

// Close ends the list.
func (l *List) Close() error {
	var err error
	switch {
	case l.count > 0 && l.output.Is("json"):
		_, err = fmt.Fprint(l.out, "\n    ]\n}\n")
	case l.count > 0 && l.output.Is("yaml"):
		_, err = fmt.Fprintf(l.out, "kind: %sList\n", l.output.kind)
	default:
		_, err = l.output.Document(l.out, l.kept)
	}
	return err
}
