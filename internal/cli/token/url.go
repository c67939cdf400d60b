// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"net/url"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// Where the webhook server is.
const (
	systemNamespace = "completion-system"
	webhookService  = "completion-webhook-server"
)

// Base reads --host, a name with or without a scheme, and returns how webhook URLs begin.
func Base(host string) (string, error) {
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	base, err := url.Parse(host)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil ||
		base.RawQuery != "" {
		return "", cmdutil.Usagef("--host=%s is not a host: give one such as completions.example.com", host)
	}
	return base.Scheme + "://" + base.Host + strings.TrimSuffix(base.Path, "/"), nil
}

// FindBase returns how webhook URLs begin, as an Ingress or an HTTPRoute of the webhook server says; empty where there
// is none that can be read.
func FindBase(ctx context.Context, c client.Reader) string {
	var ingresses networkingv1.IngressList
	if err := c.List(ctx, &ingresses, client.InNamespace(systemNamespace)); err == nil {
		for i := range ingresses.Items {
			if base := ofIngress(&ingresses.Items[i]); base != "" {
				return base
			}
		}
	}
	routes := &unstructured.UnstructuredList{}
	routes.SetGroupVersionKind(
		schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRouteList"},
	)
	if err := c.List(ctx, routes, client.InNamespace(systemNamespace)); err == nil {
		for i := range routes.Items {
			if base := ofRoute(&routes.Items[i]); base != "" {
				return base
			}
		}
	}
	return ""
}

func ofIngress(ingress *networkingv1.Ingress) string {
	for _, rule := range ingress.Spec.Rules {
		if !named(rule.Host) || rule.HTTP == nil {
			continue
		}
		if !slices.ContainsFunc(rule.HTTP.Paths, func(path networkingv1.HTTPIngressPath) bool {
			return path.Backend.Service != nil && path.Backend.Service.Name == webhookService
		}) {
			continue
		}
		secure := slices.ContainsFunc(ingress.Spec.TLS, func(tls networkingv1.IngressTLS) bool {
			return len(tls.Hosts) == 0 || slices.Contains(tls.Hosts, rule.Host)
		})
		if secure {
			return "https://" + rule.Host
		}
		return "http://" + rule.Host
	}
	return ""
}

// ofRoute reads an HTTPRoute. Its Gateway says whether it ends TLS; a token is not for anything else.
func ofRoute(route *unstructured.Unstructured) string {
	hosts, _, _ := unstructured.NestedStringSlice(route.Object, "spec", "hostnames")
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	for _, rule := range rules {
		fields, _ := rule.(map[string]any)
		backends, _, _ := unstructured.NestedSlice(fields, "backendRefs")
		for _, backend := range backends {
			if to, _ := backend.(map[string]any); to["name"] == webhookService {
				for _, host := range hosts {
					if named(host) {
						return "https://" + host
					}
				}
			}
		}
	}
	return ""
}

// named reports whether a host is one, and not empty or for many.
func named(host string) bool { return host != "" && !strings.HasPrefix(host, "*") }
