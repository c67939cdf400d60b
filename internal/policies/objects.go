// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/expression"
)

const (
	// maxObjectSize bounds a templated object, before and after rendering, in bytes of JSON: a Grant with 16 of them is
	// still well below what the API server stores.
	maxObjectSize = 32 << 10
	// maxObjectDepth bounds how deep a template may be nested.
	maxObjectDepth = 32
)

// Place says where a templated object goes.
type Place int

const (
	// PlaceCluster means that the template names no namespace.
	PlaceCluster Place = iota
	// PlaceFixed means that the namespace is written out.
	PlaceFixed
	// PlaceGranted means that it goes into a namespace of the same policy, which does not exist before.
	PlaceGranted
	// PlaceUnknown means that only rendering will tell.
	PlaceUnknown
)

// ObjectOutline is what is known of a templated object before anything is rendered.
type ObjectOutline struct {
	// Field is the path of the template, such as spec.objects[0].template.
	Field string
	// Kind with group and version.
	Kind schema.GroupVersionKind
	// Name is empty where only rendering will tell.
	Name string
	// Place and, where it is PlaceFixed, the Namespace.
	Place     Place
	Namespace string
}

type objectTemplate struct {
	name    v1alpha1.EntryName
	path    string
	root    *node
	outline ObjectOutline
	// content is the template as it was written.
	content map[string]any
}

// node is one value in the template of an object: exactly one of its fields counts.
type node struct {
	path string
	// fixed holds no expression.
	fixed any
	// text holds one; where asText is set what it yields is text whatever its type.
	text   *expression.Template
	asText bool
	fields map[string]*node
	items  []*node
}

// Objects returns the outlines of the policy's templated objects. It is for a policy that is Ready.
func (p *Policy) Objects() []ObjectOutline {
	outlines := make([]ObjectOutline, 0, len(p.objects))
	for i := range p.objects {
		outlines = append(outlines, p.objects[i].outline)
	}
	return outlines
}

// Misplaced returns which objects go into namespaces, or give access to ServiceAccounts, that are not for them, as far
// as that is known before anything is rendered. It is for a policy that is Ready, in an institution with this prefix.
func (p *Policy) Misplaced(prefix string) []Fault {
	reach := reach{site: Site{Namespace: p.namespace, Prefix: prefix}, foreign: p.limits.ObjectNamespaces}
	for i := range p.namespaces {
		if name, fixed := literal(p.namespaces[i].name); fixed {
			reach.granted = append(reach.granted, name)
		}
	}
	var faults []Fault
	for i := range p.objects {
		if outline := &p.objects[i].outline; outline.Place == PlaceFixed {
			faults = append(faults, reach.check(outline.Namespace, outline.Field+".metadata.namespace")...)
		}
		faults = append(faults, p.limits.checkBinding(p.objects[i].content, p.objects[i].path, reach, true)...)
	}
	return faults
}

func (c *compilation) object(template *v1alpha1.ObjectTemplate, path string) {
	path += ".template"
	if c.over() {
		return
	}
	if len(template.Template.Raw) > maxObjectSize {
		c.fault(path, fmt.Errorf("the template has %d bytes, at most %d are allowed", len(template.Template.Raw),
			maxObjectSize))
		return
	}
	content, err := decodeObject(template.Template)
	if err != nil {
		c.fault(path, err)
		return
	}
	faults := len(c.policy.Faults)
	c.policy.Faults = append(c.policy.Faults, c.policy.limits.checkShape(content, path)...)
	c.policy.Faults = append(c.policy.Faults, c.policy.limits.checkBinding(content, path, reach{}, true)...)
	compiled := objectTemplate{name: template.Name, path: path, content: content}
	compiled.root = c.node(content, path, expression.UseValue, 0)
	// Without a sound shape and expressions there is nothing to say about what they yield.
	if len(c.policy.Faults) > faults || c.over() {
		return
	}
	c.outline(&compiled)
	c.policy.objects = append(c.policy.objects, compiled)
}

func decodeObject(raw runtime.RawExtension) (map[string]any, error) {
	var content map[string]any
	if err := utiljson.Unmarshal(raw.Raw, &content); err != nil || content == nil {
		return nil, errors.New("must be an object with apiVersion, kind, metadata and the fields of its kind")
	}
	return content, nil
}

// outline notes what is known of an object, and checks what is written out.
func (c *compilation) outline(object *objectTemplate) {
	metadata := object.root.fields["metadata"].fields
	outline := &object.outline
	outline.Field = object.path
	apiVersion, _ := object.root.fields["apiVersion"].fixed.(string)
	kind, _ := object.root.fields["kind"].fixed.(string)
	outline.Kind = schema.FromAPIVersionAndKind(apiVersion, kind)
	if name, fixed := metadata["name"].literal(); fixed {
		outline.Name = name
		c.policy.Faults = append(c.policy.Faults, checkObjectName(name, object.path+".metadata.name")...)
	}
	namespace, written := metadata["namespace"]
	if !written || namespace.fixed == nil && namespace.text == nil {
		return
	}
	outline.Place = PlaceUnknown
	if name, fixed := namespace.literal(); fixed {
		outline.Place, outline.Namespace = PlaceFixed, name
		c.policy.Faults = append(c.policy.Faults, checkObjectNamespace(name, object.path+".metadata.namespace")...)
		return
	}
	granted := func(ns v1alpha1.NamespaceTemplate) bool { return string(ns.Name) == namespace.source() }
	if slices.ContainsFunc(c.policy.Spec.Namespaces, granted) {
		outline.Place = PlaceGranted
	}
}

func (n *node) literal() (string, bool) {
	if n.text != nil {
		return n.text.Literal()
	}
	text, ok := n.fixed.(string)
	return text, ok
}

// source returns the text of a template as it was written.
func (n *node) source() string {
	if n.text == nil {
		return ""
	}
	text, _ := n.fixed.(string)
	return text
}

// node compiles the strings in a part of an object.
func (c *compilation) node(content any, path string, use expression.Use, depth int) *node {
	compiled := &node{path: path}
	if depth > maxObjectDepth {
		c.fault(path, fmt.Errorf("nested more than %d levels deep", maxObjectDepth))
		return compiled
	}
	switch content := content.(type) {
	case map[string]any:
		compiled.fields = make(map[string]*node, len(content))
		for _, key := range slices.Sorted(maps.Keys(content)) {
			if strings.Contains(key, "${") {
				c.fault(path, fmt.Errorf("the key %q contains an expression: expressions are not allowed in keys", key))
			}
			below := use
			// Also that of a pod template and its like: many may read metadata who may not read completions.
			if _, nested := content[key].(map[string]any); nested && key == "metadata" {
				below = expression.UseMetadata
			}
			compiled.fields[key] = c.node(content[key], fieldPath(path, key), below, depth+1)
		}
	case []any:
		compiled.items = make([]*node, 0, len(content))
		for i, item := range content {
			compiled.items = append(compiled.items, c.node(item, fmt.Sprintf("%s[%d]", path, i), use, depth+1))
		}
	case string:
		compiled.fixed = content
		if strings.Contains(content, "${") {
			compiled.text = c.template(v1alpha1.Template(content), path, use)
			compiled.asText = use == expression.UseMetadata
		}
	default:
		compiled.fixed = content
	}
	return compiled
}

// fieldPath returns the path of a field, with keys that are no plain names in brackets.
func fieldPath(path, key string) string {
	plain := func(r rune) bool {
		return r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	if key != "" && strings.IndexFunc(key, func(r rune) bool { return !plain(r) }) < 0 {
		return path + "." + key
	}
	return path + "[" + key + "]"
}

func (t *objectTemplate) render(values expression.Variables) (*v1alpha1.GrantedObject, error) {
	r := renderer{values: values}
	content, _ := r.node(t.root).(map[string]any)
	if r.err != nil {
		return nil, r.err
	}
	if metadata, ok := content["metadata"].(map[string]any); ok {
		// The API server leaves out empty ones, and what was stored is compared with what is rendered.
		for _, key := range []string{"labels", "annotations"} {
			if pairs, ok := metadata[key].(map[string]any); ok && len(pairs) == 0 {
				delete(metadata, key)
			}
		}
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, Fault{t.path, "cannot be encoded as JSON"}
	}
	return &v1alpha1.GrantedObject{Name: t.name, Object: runtime.RawExtension{Raw: raw}}, nil
}

// node returns the value of a node, in the types of JSON and int64. A field that is or yields null is left out.
func (r *renderer) node(n *node) any {
	switch {
	case n.fields != nil:
		content := make(map[string]any, len(n.fields))
		// In order, so that of several errors it is always the same one that is told.
		for _, key := range slices.Sorted(maps.Keys(n.fields)) {
			if value := r.node(n.fields[key]); value != nil {
				content[key] = value
			}
		}
		return content
	case n.items != nil:
		items := make([]any, 0, len(n.items))
		for _, item := range n.items {
			value := r.node(item)
			if value == nil && r.err == nil {
				r.fail(item.path, errors.New("yields null, which is not allowed in a list"))
			}
			items = append(items, value)
		}
		return items
	case n.text == nil:
		return n.fixed
	case r.err != nil:
		return nil
	case n.asText:
		return r.text(n.text, n.path)
	}
	value, err := n.text.Eval(r.values)
	if err != nil {
		r.fail(n.path, err)
	}
	return value
}

// Canonical returns objects in the one way of writing their JSON by which equal ones are equal.
func Canonical(objects []v1alpha1.GrantedObject) []v1alpha1.GrantedObject {
	if objects == nil {
		return nil
	}
	written := make([]v1alpha1.GrantedObject, 0, len(objects))
	for _, object := range objects {
		if content, err := decodeObject(object.Object); err == nil {
			if raw, err := json.Marshal(content); err == nil {
				object.Object = runtime.RawExtension{Raw: raw}
			}
		}
		written = append(written, object)
	}
	return written
}
