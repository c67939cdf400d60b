// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package index

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/apply"
)

// controller-runtime has each object in an index twice, under its namespace and under this one; and names the indexes
// of fields so.
const (
	everywhere  = "__all_namespaces/"
	fieldPrefix = "field:"
)

// scope says where an index is looked into.
type scope struct{ inNamespace, inAll bool }

// scopes are those of the indexes that are looked into in one way only: an entry of an index takes a quarter of a
// KiB where few objects share its value, and there are hundreds of thousands of them.
var scopes = map[string]scope{
	Holder: {inNamespace: true}, Unplanned: {inNamespace: true}, Course: {inNamespace: true},
	GrantHolder: {inNamespace: true}, RevokedPool: {inNamespace: true}, Policy: {inNamespace: true},
	Pool: {inNamespace: true}, SeatGrant: {inNamespace: true}, Admitted: {inNamespace: true},
	OwnerDigest: {inAll: true}, apply.IndexGrant: {inAll: true},
}

// Lean returns the options of a cache whose indexes have nothing that is not looked for. To look for it all the same is
// an error, so that nothing is taken for absent which is only not indexed.
func Lean(options cache.Options) cache.Options {
	upstream := options.NewInformer
	if upstream == nil {
		upstream = toolscache.NewSharedIndexInformer
	}
	options.NewInformer = func(
		lw toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers,
	) toolscache.SharedIndexInformer {
		if isProvisioned(object) {
			// They are looked for by their Grants: each namespace has one of each.
			delete(indexers, toolscache.NamespaceIndex)
		}
		return &leanInformer{upstream(lw, object, resync, indexers)}
	}
	return options
}

func isProvisioned(object runtime.Object) bool {
	return slices.ContainsFunc(apply.Kinds(), func(kind client.Object) bool {
		return reflect.TypeOf(kind) == reflect.TypeOf(object)
	})
}

type leanInformer struct{ toolscache.SharedIndexInformer }

// AddIndexers leaves out what is not looked for.
func (i *leanInformer) AddIndexers(indexers toolscache.Indexers) error {
	lean := toolscache.Indexers{}
	for name, values := range indexers {
		lean[name] = values
		of, found := scopes[strings.TrimPrefix(name, fieldPrefix)]
		if !found {
			continue
		}
		lean[name] = func(object any) ([]string, error) {
			all, err := values(object)
			return slices.DeleteFunc(all, func(value string) bool { return !of.has(value) }), err
		}
	}
	return i.SharedIndexInformer.AddIndexers(lean)
}

// GetIndexer returns what is read.
func (i *leanInformer) GetIndexer() toolscache.Indexer {
	return leanIndexer{i.SharedIndexInformer.GetIndexer()}
}

type leanIndexer struct{ toolscache.Indexer }

// ByIndex returns the objects that an index has under a value.
func (i leanIndexer) ByIndex(name, value string) ([]any, error) {
	if of, found := scopes[strings.TrimPrefix(name, fieldPrefix)]; found && !of.has(value) {
		return nil, fmt.Errorf("index %s is not kept both for one namespace and for all of them", name)
	}
	return i.Indexer.ByIndex(name, value)
}

func (s scope) has(value string) bool {
	if strings.HasPrefix(value, everywhere) {
		return s.inAll
	}
	return s.inNamespace
}
