// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package informers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// annotationUndecodable is on what stands for an object that does not decode, in memory only. Its value says why.
const annotationUndecodable = v1alpha1.GroupName + "/undecodable"

// Undecodable reports whether an object from the cache only stands for one that does not decode: its metadata is
// right, and its spec is not.
func Undecodable(object metav1.Object) bool { return WhyUndecodable(object) != "" }

// WhyUndecodable returns why an object does not decode, and nothing for one that does.
func WhyUndecodable(object metav1.Object) string {
	return object.GetAnnotations()[annotationUndecodable]
}

func ours(gvk schema.GroupVersionKind) bool { return gvk.GroupVersion() == v1alpha1.GroupVersion }

// tolerant returns what lists and watches a kind of ours, and leaves out what does not decode. Of that, what is known
// from before stays as it was. Never left out are a policy, since one that is absent ends Grants: it is suspended; and
// a register of erasures, without which it would seem that nobody was erased: it has no key.
func (k *Keeper) tolerant(
	gvk schema.GroupVersionKind, known func(key string) (runtime.Object, bool),
) (toolscache.ListerWatcherWithContext, error) {
	list, err := k.scheme.New(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	if err != nil {
		return nil, fmt.Errorf("create a list: %w", err)
	}
	version := gvk.GroupVersion()
	config := rest.CopyConfig(k.config)
	config.APIPath, config.GroupVersion = "/apis", &version
	config.NegotiatedSerializer = negotiated{
		serializer.WithoutConversionCodecFactory{CodecFactory: serializer.NewCodecFactory(k.scheme)},
		func(upstream runtime.Decoder) runtime.Decoder {
			return &decoder{upstream: upstream, keeper: k, kind: gvk.Kind, known: known}
		},
	}
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("create a client: %w", err)
	}
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	parameters := runtime.NewParameterCodec(k.scheme)
	return &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			listed := list.DeepCopyObject()
			err := client.Get().Resource(plural.Resource).VersionedParams(&options, parameters).Do(ctx).Into(listed)
			return listed, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.Watch, options.AllowWatchBookmarks = true, true
			return client.Get().Resource(plural.Resource).VersionedParams(&options, parameters).Watch(ctx)
		},
	}, nil
}

// negotiated decodes in another way.
type negotiated struct {
	runtime.NegotiatedSerializer
	wrap func(runtime.Decoder) runtime.Decoder
}

func (n negotiated) DecoderToVersion(decoder runtime.Decoder, version runtime.GroupVersioner) runtime.Decoder {
	return n.wrap(n.NegotiatedSerializer.DecoderToVersion(decoder, version))
}

// decoder decodes what it can.
type decoder struct {
	upstream runtime.Decoder
	keeper   *Keeper
	kind     string
	known    func(key string) (runtime.Object, bool)
}

// Decode decodes as upstream does. Where that fails, it decodes a list object by object, and returns for an object
// what stands for it.
func (d *decoder) Decode(
	data []byte, defaults *schema.GroupVersionKind, into runtime.Object,
) (runtime.Object, *schema.GroupVersionKind, error) {
	decoded, gvk, err := d.upstream.Decode(data, defaults, into)
	if err == nil {
		if list, ok := decoded.(metav1.ListInterface); ok && list != nil {
			d.keeper.forgetOthers(d.kind, nil)
		}
		return decoded, gvk, nil
	}
	var read struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metav1.ListMeta   `json:"metadata"`
		Items           []json.RawMessage `json:"items"`
	}
	if json.Unmarshal(data, &read) != nil {
		return decoded, gvk, err
	}
	kind := read.GroupVersionKind()
	switch read.Kind {
	case d.kind:
		object, failed := d.standIn(data, err)
		return object, &kind, failed
	case d.kind + "List":
		if into == nil {
			return decoded, gvk, err
		}
		return into, &kind, d.items(read.Items, read.Metadata, into)
	}
	return decoded, gvk, err
}

func (d *decoder) items(items []json.RawMessage, listed metav1.ListMeta, into runtime.Object) error {
	var objects []runtime.Object
	odd := map[types.UID]bool{}
	for _, item := range items {
		object, _, err := d.upstream.Decode(item, nil, nil)
		if err != nil {
			var failed error
			if object, failed = d.standIn(item, err); failed != nil {
				return failed
			}
			accessor, _ := meta.Accessor(object)
			odd[accessor.GetUID()] = true
			if _, ok := object.(*metav1.PartialObjectMetadata); ok {
				continue
			}
		}
		objects = append(objects, object)
	}
	d.keeper.forgetOthers(d.kind, odd)
	if err := meta.SetList(into, objects); err != nil {
		return fmt.Errorf("fill the list: %w", err)
	}
	list, err := meta.ListAccessor(into)
	if err != nil {
		return fmt.Errorf("fill the list: %w", err)
	}
	list.SetResourceVersion(listed.ResourceVersion)
	list.SetContinue(listed.Continue)
	list.SetRemainingItemCount(listed.RemainingItemCount)
	return nil
}

// standIn returns what stands for an object that does not decode: its metadata, where nothing else does.
func (d *decoder) standIn(data []byte, why error) (runtime.Object, error) {
	odd := &metav1.PartialObjectMetadata{}
	if err := json.Unmarshal(data, odd); err != nil {
		return nil, fmt.Errorf("decode the metadata: %w", err)
	}
	d.keeper.odd(d.kind, odd, why)
	object, found := d.known(strings.TrimPrefix(odd.Namespace+"/"+odd.Name, "/"))
	switch d.kind {
	case "CompletionPolicy":
		object, found = &v1alpha1.CompletionPolicy{Spec: v1alpha1.CompletionPolicySpec{Suspend: new(true)}}, true
	case "ErasureRegister":
		object, found = &v1alpha1.ErasureRegister{}, true
	}
	if !found {
		return odd, nil
	}
	object = object.DeepCopyObject()
	accessor, err := meta.Accessor(object)
	if err != nil {
		return nil, fmt.Errorf("read the metadata: %w", err)
	}
	if accessor.GetUID() != odd.UID && accessor.GetUID() != "" {
		return odd, nil
	}
	annotate(odd, discreet(why))
	setMetadata(object, odd.ObjectMeta)
	return object, nil
}

func annotate(object metav1.Object, why string) {
	annotations := map[string]string{}
	maps.Copy(annotations, object.GetAnnotations())
	annotations[annotationUndecodable] = why
	object.SetAnnotations(annotations)
}

func setMetadata(object runtime.Object, metadata metav1.ObjectMeta) {
	switch o := object.(type) {
	case *v1alpha1.Institution:
		o.ObjectMeta = metadata
	case *v1alpha1.CourseCompletion:
		o.ObjectMeta = metadata
	case *v1alpha1.CompletionPolicy:
		o.ObjectMeta = metadata
	case *v1alpha1.Grant:
		o.ObjectMeta = metadata
	case *v1alpha1.SeatPool:
		o.ObjectMeta = metadata
	case *v1alpha1.Seat:
		o.ObjectMeta = metadata
	case *v1alpha1.ErasureRegister:
		o.ObjectMeta = metadata
	}
}
