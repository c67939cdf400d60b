// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/config"
)

const (
	helpCRDs = "apply config/crd of the release of this plugin, before the programs (see docs/upgrade.md)"
	// helpOlder is for a definition that lacks something: it is of an older release, as the programs may be.
	helpOlder = helpCRDs + "; or use the plugin of the release that is installed"
	// helpNewer is for one that only has more.
	helpNewer = "use the plugin of the release that is installed; after a downgrade this is intended (see docs/upgrade.md)"
)

// maxDifferences is how many differences of a kind a finding names.
const maxDifferences = 3

// crds compares the kinds with those of this plugin.
func (e *examination) crds(ctx context.Context) error {
	return documents(config.CRDs, func(text []byte) error {
		var shipped, found apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(text, &shipped); err != nil {
			return err
		}
		check := "CRD " + shipped.Name
		err := e.c.Get(ctx, client.ObjectKey{Name: shipped.Name}, &found)
		switch {
		case apierrors.IsNotFound(err):
			e.problem(check, helpCRDs, "is missing")
			return nil
		case err != nil:
			return e.unseen(check, err)
		case !found.DeletionTimestamp.IsZero():
			e.problem(check, "all its objects go with it: see docs/backup.md", "is being deleted")
			return nil
		}
		e.compare(check, &shipped, &found)
		return nil
	})
}

func isEstablished(condition apiextensionsv1.CustomResourceDefinitionCondition) bool {
	return condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue
}

func (e *examination) compare(check string, shipped, found *apiextensionsv1.CustomResourceDefinition) {
	if !slices.ContainsFunc(found.Status.Conditions, isEstablished) {
		e.problem(check, "kubectl describe crd "+found.Name, "is not served")
		return
	}
	for i := range shipped.Spec.Versions {
		version := &shipped.Spec.Versions[i]
		at := slices.IndexFunc(found.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
			return v.Name == version.Name && v.Served
		})
		if at < 0 {
			e.problem(check, helpCRDs, "does not serve %s", version.Name)
			return
		}
		if d := differencesOf(version, &found.Spec.Versions[at]); d.any() {
			help := helpOlder
			if len(d.lacks)+len(d.differs) == 0 {
				help = helpNewer
			}
			e.warning(check, help, "does not match this plugin: it %s", d)
			return
		}
	}
	e.ok(check, "matches this plugin")
}

// differences are what a definition in the cluster has otherwise than that of this plugin.
type differences struct{ lacks, adds, differs []string }

func (d *differences) any() bool { return len(d.lacks)+len(d.adds)+len(d.differs) > 0 }

func (d *differences) String() string {
	var parts []string
	for _, kind := range []struct {
		says  string
		names []string
	}{{"lacks", d.lacks}, {"also has", d.adds}, {"has another definition of", d.differs}} {
		switch n := len(kind.names) - maxDifferences; {
		case len(kind.names) == 0:
		case n > 0:
			parts = append(parts, fmt.Sprintf("%s %s and %d more", kind.says,
				strings.Join(kind.names[:maxDifferences], ", "), n))
		default:
			parts = append(parts, kind.says+" "+strings.Join(kind.names, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

func differencesOf(shipped, found *apiextensionsv1.CustomResourceDefinitionVersion) *differences {
	d := &differences{}
	if shipped.Schema != nil && found.Schema != nil {
		d.compare("", shipped.Schema.OpenAPIV3Schema, found.Schema.OpenAPIV3Schema)
	}
	// Without one of these, lists that select by the field are refused.
	selectors := func(version *apiextensionsv1.CustomResourceDefinitionVersion) []string {
		var all []string
		for _, field := range version.SelectableFields {
			all = append(all, "the selectable field "+strings.TrimPrefix(field.JSONPath, "."))
		}
		return all
	}
	d.names(selectors(shipped), selectors(found))
	if !equality.Semantic.DeepEqual(shipped.Subresources, found.Subresources) {
		d.differs = append(d.differs, "the subresources")
	}
	return d
}

// names notes which names only one side has.
func (d *differences) names(shipped, found []string) {
	for _, name := range shipped {
		if !slices.Contains(found, name) {
			d.lacks = append(d.lacks, name)
		}
	}
	for _, name := range found {
		if !slices.Contains(shipped, name) {
			d.adds = append(d.adds, name)
		}
	}
}

// compare compares the schemas of a field. A field that only one side has stands for all below it.
func (d *differences) compare(path string, shipped, found *apiextensionsv1.JSONSchemaProps) {
	if shipped == nil || found == nil {
		if shipped != found {
			d.differs = append(d.differs, strings.TrimPrefix(path, "."))
		}
		return
	}
	// What is required differs by itself where a field is missing.
	alone := func(schema *apiextensionsv1.JSONSchemaProps) *apiextensionsv1.JSONSchemaProps {
		one := *schema
		one.Description, one.Properties, one.Items, one.AdditionalProperties = "", nil, nil, nil
		one.Required = slices.DeleteFunc(slices.Clone(one.Required), func(name string) bool {
			_, here := shipped.Properties[name]
			_, there := found.Properties[name]
			return here != there
		})
		return &one
	}
	if !equality.Semantic.DeepEqual(alone(shipped), alone(found)) {
		d.differs = append(d.differs, cmp.Or(strings.TrimPrefix(path, "."), "the object itself"))
	}
	under := func(names []string) []string {
		for i := range names {
			names[i] = strings.TrimPrefix(path+"."+names[i], ".")
		}
		return names
	}
	d.names(under(slices.Sorted(maps.Keys(shipped.Properties))), under(slices.Sorted(maps.Keys(found.Properties))))
	for _, name := range slices.Sorted(maps.Keys(shipped.Properties)) {
		if other, both := found.Properties[name]; both {
			one := shipped.Properties[name]
			d.compare(path+"."+name, &one, &other)
		}
	}
	d.compare(path+"[]", elements(shipped), elements(found))
}

// elements returns the schema of the items of a list, or of the values of a map; nil where it is neither.
func elements(schema *apiextensionsv1.JSONSchemaProps) *apiextensionsv1.JSONSchemaProps {
	switch {
	case schema.Items != nil:
		return schema.Items.Schema
	case schema.AdditionalProperties != nil:
		return schema.AdditionalProperties.Schema
	}
	return nil
}
