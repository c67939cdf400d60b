// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package limits has the flags by which an installation says what policies and Grants may do: the controller-manager
// is started with them, and who works out beforehand what it will do has to know them.
package limits

import (
	"flag"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// Flags are the values of the flags.
type Flags struct {
	podSecurityCap       string
	allowGroupSubjects   bool
	allowWorkloadObjects bool
	networkIsolationCap  string
	labelDomains         string
	objectKinds          string
	objectNamespaces     string
}

// Bind adds the flags to a set.
func (f *Flags) Bind(flags *flag.FlagSet) {
	flags.StringVar(&f.podSecurityCap, "pod-security-cap", string(v1alpha1.PodSecurityRestricted),
		"The least strict pod security level allowed for granted namespaces: restricted, baseline or privileged.")
	flags.BoolVar(&f.allowGroupSubjects, "allow-group-subjects", false,
		"Allow policies and grants to give access to groups.")
	flags.BoolVar(&f.allowWorkloadObjects, "allow-workload-objects", false,
		"Allow policies and grants to contain pods and the built-in kinds that create pods.")
	flags.StringVar(&f.objectKinds, "object-kinds", "",
		"Additional kinds of objects that policies and grants may contain, such as Certificate.cert-manager.io, separated "+
			"by commas.")
	flags.StringVar(&f.objectNamespaces, "object-namespaces", "",
		"Namespaces that objects may be created in besides an institution's own and those it grants, separated by commas.")
	flags.StringVar(&f.networkIsolationCap, "network-isolation-cap", string(policies.DefaultNetworkIsolationCap),
		"The least network isolation allowed for granted namespaces: IngressAndEgress, Ingress or None.")
	flags.StringVar(&f.labelDomains, "namespace-label-domains", "",
		"Domains allowed in labels and annotations of granted namespaces, such as example.com, separated by commas.")
}

// Validate returns what is wrong with the flags.
func (f *Flags) Validate() error {
	switch v1alpha1.PodSecurityLevel(f.podSecurityCap) {
	case v1alpha1.PodSecurityPrivileged, v1alpha1.PodSecurityBaseline, v1alpha1.PodSecurityRestricted:
	default:
		return fmt.Errorf("--pod-security-cap is %q: use restricted, baseline or privileged", f.podSecurityCap)
	}
	switch v1alpha1.NetworkIsolation(f.networkIsolationCap) {
	case v1alpha1.NetworkIsolationNone, v1alpha1.NetworkIsolationIngress, v1alpha1.NetworkIsolationIngressAndEgress:
	default:
		return fmt.Errorf("--network-isolation-cap is %q: use IngressAndEgress, Ingress or None", f.networkIsolationCap)
	}
	for _, domain := range list(f.labelDomains) {
		if wrong := policies.CheckLabelDomain(domain); wrong != "" {
			return fmt.Errorf("--namespace-label-domains contains %q: %s", domain, wrong)
		}
	}
	for _, namespace := range list(f.objectNamespaces) {
		if lifecycle.SystemNamespace(namespace) {
			return fmt.Errorf("--object-namespaces contains %q: objects are never created in system namespaces", namespace)
		}
	}
	return nil
}

// Limits returns what the flags say.
func (f *Flags) Limits() policies.Limits {
	limits := policies.Limits{
		PodSecurityCap:        v1alpha1.PodSecurityLevel(f.podSecurityCap),
		AllowGroupSubjects:    f.allowGroupSubjects,
		AllowWorkloadObjects:  f.allowWorkloadObjects,
		NetworkIsolationCap:   v1alpha1.NetworkIsolation(f.networkIsolationCap),
		NamespaceLabelDomains: list(f.labelDomains),
		ObjectNamespaces:      list(f.objectNamespaces),
	}
	for _, kind := range list(f.objectKinds) {
		limits.ObjectKinds = append(limits.ObjectKinds, schema.ParseGroupKind(kind))
	}
	return limits
}

// OfArguments returns the flags that a program was started with, of which it may have others as well.
func OfArguments(arguments []string) (*Flags, error) {
	f, flags := &Flags{}, flag.NewFlagSet("", flag.ContinueOnError)
	f.Bind(flags)
	for i, argument := range arguments {
		name, value, given := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		known := flags.Lookup(name)
		if known == nil || !strings.HasPrefix(argument, "-") {
			continue
		}
		boolean, ok := known.Value.(interface{ IsBoolFlag() bool })
		switch {
		case given:
		case ok && boolean.IsBoolFlag():
			value = "true"
		case i+1 < len(arguments):
			value = arguments[i+1]
		}
		if err := flags.Set(name, value); err != nil {
			return nil, fmt.Errorf("--%s: %w", name, err)
		}
	}
	return f, f.Validate()
}

// list returns what is between the commas of a flag.
func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
}
