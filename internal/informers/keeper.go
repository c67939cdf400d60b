// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package informers keeps one object from costing all others. A list of a kind is decoded as a whole: one object that
// the API server took and our types do not would leave the informer of its kind with nothing, in every institution.
// Here such an object costs only itself, and is told of; and an informer that fails all the same is known to fail.
package informers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Keeper makes the informers of a cache, and knows which of them fail and which objects do not decode. It is safe for
// concurrent use.
type Keeper struct {
	config *rest.Config
	scheme *runtime.Scheme
	log    logr.Logger

	failing, undecodable *prometheus.GaugeVec

	mu    sync.Mutex
	kinds map[string]*state
}

// state is what is known of one kind.
type state struct {
	// err is why it fails, nil while it does not.
	err error
	// odd are the objects that do not decode, with the version that was told of.
	odd map[types.UID]string
}

// New returns a Keeper for the caches that are made with its Options. The scheme has the kinds of the caches.
func New(config *rest.Config, scheme *runtime.Scheme, log logr.Logger) *Keeper {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"kind"})
	}
	return &Keeper{
		config: config, scheme: scheme, log: log.WithName("informers"), kinds: map[string]*state{},
		failing: gauge("completion_informer_failing",
			"1 while the objects of a kind cannot be listed or watched, for any reason, otherwise 0."),
		undecodable: gauge("completion_undecodable_objects",
			"Stored objects of a kind that do not decode, and are not processed."),
	}
}

// Register adds the metrics to a registry.
func (k *Keeper) Register(registry prometheus.Registerer) error {
	return errors.Join(registry.Register(k.failing), registry.Register(k.undecodable))
}

// Options returns the options of a cache, with informers of the Keeper. Kinds of our own must not have selectors.
func (k *Keeper) Options(options cache.Options) cache.Options {
	options.NewInformer = k.newInformer
	return options
}

func (k *Keeper) newInformer(
	lw toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers,
) toolscache.SharedIndexInformer {
	gvk, err := apiutil.GVKForObject(object, k.scheme)
	if err != nil {
		// The cache has asked the same before.
		return toolscache.NewSharedIndexInformer(lw, object, resync, indexers)
	}
	kind := gvk.Kind
	k.start(kind)
	watched := &listerWatcher{keeper: k, kind: kind, upstream: toolscache.ToListerWatcherWithContext(lw)}
	var informer toolscache.SharedIndexInformer
	if ours(gvk) {
		tolerant, err := k.tolerant(gvk, func(key string) (runtime.Object, bool) {
			known, found, _ := informer.GetStore().GetByKey(key)
			object, ok := known.(runtime.Object)
			return object, found && ok
		})
		if err != nil {
			k.log.Error(err, "Could not set up tolerant decoding, one undecodable object will block its kind", "kind", kind)
		} else {
			watched.upstream = tolerant
		}
	}
	informer = toolscache.NewSharedIndexInformer(watched, object, resync, indexers)
	err = informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *toolscache.Reflector, err error) {
		toolscache.DefaultWatchErrorHandler(ctx, r, err)
		k.failed(kind, err)
	})
	if err != nil {
		k.log.Error(err, "Could not watch for failures of an informer", "kind", kind)
	}
	return informer
}

func (k *Keeper) start(kind string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kinds[kind] == nil {
		k.kinds[kind] = &state{odd: map[types.UID]string{}}
		k.failing.WithLabelValues(kind).Set(0)
		k.undecodable.WithLabelValues(kind).Set(0)
	}
}

// failed notes that a kind could not be listed or watched. The informer tries again.
func (k *Keeper) failed(kind string, err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) ||
		apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		// The watch was long, or the program ends.
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kinds[kind].err == nil {
		k.log.Error(errors.New(discreet(err)), "Could not list or watch objects of a kind",
			"kind", kind)
	}
	k.kinds[kind].err = err
	k.failing.WithLabelValues(kind).Set(1)
}

// works notes that a kind was listed, or that its watch has told of something.
func (k *Keeper) works(kind string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kinds[kind].err == nil {
		return
	}
	k.kinds[kind].err = nil
	k.log.Info("Listing and watching objects of a kind works again", "kind", kind)
	k.failing.WithLabelValues(kind).Set(0)
}

// odd notes an object that does not decode, and tells of each version of it once.
func (k *Keeper) odd(kind string, object *metav1.PartialObjectMetadata, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.kinds[kind].odd
	if known[object.UID] != object.ResourceVersion {
		k.log.Error(errors.New(discreet(err)), "Ignored object that cannot be decoded, correct or delete it",
			"kind", kind, "namespace", object.Namespace, "name", object.Name)
	}
	known[object.UID] = object.ResourceVersion
	k.undecodable.WithLabelValues(kind).Set(float64(len(known)))
}

// forget notes that an object decodes, or is gone.
func (k *Keeper) forget(kind string, uid types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.kinds[kind].odd
	if _, found := known[uid]; found {
		delete(known, uid)
		k.undecodable.WithLabelValues(kind).Set(float64(len(known)))
	}
}

// forgetOthers notes that a list had no other object of the kind that does not decode.
func (k *Keeper) forgetOthers(kind string, listed map[types.UID]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.kinds[kind].odd
	for uid := range known {
		if !listed[uid] {
			delete(known, uid)
		}
	}
	k.undecodable.WithLabelValues(kind).Set(float64(len(known)))
}

// Check is a readiness check. It fails while a kind cannot be listed or watched and the API server is there: an API
// server that is away is nothing that another replica of the program would do better with.
func (k *Keeper) Check(*http.Request) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var failing []string
	for kind, state := range k.kinds {
		if state.err != nil && !away(state.err) {
			failing = append(failing, fmt.Sprintf("%s: %s", kind, discreet(state.err)))
		}
	}
	if len(failing) == 0 {
		return nil
	}
	slices.Sort(failing)
	return fmt.Errorf("kinds that cannot be listed or watched: %s", strings.Join(failing, "; "))
}

// away reports whether the API server was not there, or could not answer, when it was asked.
func away(err error) bool {
	if _, unreachable := errors.AsType[*url.Error](err); unreachable {
		return true
	}
	if apierrors.IsInternalError(err) {
		// A watch that tells of what does not decode ends like this, too.
		return !apierrors.HasStatusCause(err, metav1.CauseType("ClientWatchDecoding"))
	}
	return utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsTimeout(err) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsTimeout(err) ||
		apierrors.IsServerTimeout(err) || errors.Is(err, context.DeadlineExceeded)
}

var quoted = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// discreet returns what an error says without what it quotes, which may be personal.
func discreet(err error) string { return quoted.ReplaceAllString(err.Error(), `"..."`) }
