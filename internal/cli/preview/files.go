// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"
	kyaml "sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// maxFile bounds a file that is read, in bytes.
const maxFile = 64 << 20

// document is one object of a file, with where its parts are.
type document struct {
	file  string
	lines []string
	node  *yaml.Node
	// content is the object as JSON.
	content []byte
	kind    string
	// group reports that it is of this operator's API.
	ours bool
}

// readFile reads a file, or stdin for -.
func readFile(in io.Reader, path string) ([]byte, error) {
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	content, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("%s is larger than %d MiB", path, maxFile>>20)
	}
	return content, err
}

// parse returns the objects of a file of YAML or JSON, those of lists one by one.
func parse(name string, content []byte) ([]document, error) {
	var found []document
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	lines := strings.Split(string(content), "\n")
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
			if len(root.Content) > 0 && root.Content[0].Tag != "!!null" {
				return nil, fmt.Errorf("%s:%d: this is not a Kubernetes object", name, root.Content[0].Line)
			}
			continue
		}
		objects, err := split(name, lines, root.Content[0])
		if err != nil {
			return nil, err
		}
		found = append(found, objects...)
	}
}

// split returns an object, or the items of a list.
func split(name string, lines []string, node *yaml.Node) ([]document, error) {
	text, err := yaml.Marshal(node)
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, node.Line, err)
	}
	content, err := kyaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, node.Line, err)
	}
	var kind struct{ APIVersion, Kind string }
	if err := json.Unmarshal(content, &kind); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, node.Line, err)
	}
	if kind.Kind == "" || kind.APIVersion == "" {
		return nil, fmt.Errorf("%s:%d: apiVersion and kind are required", name, node.Line)
	}
	if items := child(node, "items"); items != nil && strings.HasSuffix(kind.Kind, "List") {
		var found []document
		for _, item := range items.Content {
			objects, err := split(name, lines, item)
			if err != nil {
				return nil, err
			}
			found = append(found, objects...)
		}
		return found, nil
	}
	return []document{{file: name, lines: lines, node: node, content: content, kind: kind.Kind,
		ours: kind.APIVersion == v1alpha1.GroupVersion.String()}}, nil
}

// unknownField is how a strict decoder names a field that a kind does not have, or that is there twice.
var unknownField = regexp.MustCompile(`field "([^"]*)"`)

// decode fills in an object. What its kind does not know is an error, as the API server has it for kubectl.
func (d *document) decode(content []byte, object any) error {
	strict, err := kjson.UnmarshalStrict(content, object)
	if err != nil {
		return fmt.Errorf("%s: %w", d.find("", ""), err)
	}
	var all []error
	for _, err := range strict {
		at := d.find("", "")
		if found := unknownField.FindStringSubmatch(err.Error()); found != nil {
			at = d.key(found[1])
		}
		all = append(all, fmt.Errorf("%s: %w", at, err))
	}
	return errors.Join(all...)
}

// key returns the place of a field's name.
func (d *document) key(field string) place {
	all := steps(field)
	node := d.node
	for i, step := range all {
		if i == len(all)-1 && node.Kind == yaml.MappingNode {
			for j := 0; j < len(node.Content); j += 2 {
				if node.Content[j].Value == step {
					return place{d.file, node.Content[j].Line, node.Content[j].Column}
				}
			}
		}
		next := child(node, step)
		if next == nil {
			break
		}
		node = next
	}
	return place{d.file, node.Line, node.Column}
}
