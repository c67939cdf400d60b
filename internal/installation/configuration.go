// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package installation reads the configuration file of the controller-manager: what an installation puts into every
// granted namespace, whatever the policy says, and where the policy says nothing. What policies may ask for at all is
// said by flags (package limits).
package installation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"
	kyaml "sigs.k8s.io/yaml"
)

// APIVersion and Kind are what a configuration file starts with.
const (
	APIVersion = "config.completions.lxp.dev/v1alpha1"
	Kind       = "ControllerManagerConfiguration"
)

// maxFile bounds the file, in bytes. A ConfigMap holds no more.
const maxFile = 1 << 20

// Configuration is the file. What it leaves out is as in Defaults; a list or a map that is there replaces the default
// as a whole, and an empty one stands for nothing.
type Configuration struct {
	APIVersion        string            `json:"apiVersion"`
	Kind              string            `json:"kind"`
	GrantedNamespaces GrantedNamespaces `json:"grantedNamespaces"`
}

// GrantedNamespaces is what the file says of them.
type GrantedNamespaces struct {
	// Quota is for each resource that a policy does not bound.
	Quota map[string]Quantity `json:"quota"`
	// Limits are for each resource of a type (Container, Pod, PersistentVolumeClaim) that a policy says nothing of.
	Limits []Limit `json:"limits"`
	// Network is what the network policy lets through beside the traffic within the namespace.
	Network Network `json:"network"`
}

// Quantity is an amount, such as 10 or 5Gi, as text or as a number.
type Quantity string

// UnmarshalJSON takes numbers too, which is how people write them.
func (q *Quantity) UnmarshalJSON(content []byte) error {
	if bytes.HasPrefix(content, []byte(`"`)) {
		return json.Unmarshal(content, (*string)(q))
	}
	var number json.Number
	if err := json.Unmarshal(content, &number); err != nil {
		return fmt.Errorf("%s is not a quantity such as 10 or 5Gi", content)
	}
	*q = Quantity(number)
	return nil
}

// Namespaces is the same, checked, for those who put it into effect. The zero value adds nothing.
type Namespaces struct {
	Quota   corev1.ResourceList
	Limits  []corev1.LimitRangeItem
	Network Network
}

// Defaults returns what holds where the file says nothing, or where there is none.
func Defaults() Configuration {
	return Configuration{APIVersion: APIVersion, Kind: Kind, GrantedNamespaces: GrantedNamespaces{
		Quota: defaultQuota(), Limits: defaultLimits(), Network: defaultNetwork()}}
}

// Load reads the configuration file; without a path it returns the default.
func Load(path string) (Namespaces, error) {
	if path == "" {
		c := Defaults()
		return c.resolve()
	}
	file, err := os.Open(path)
	if err != nil {
		return Namespaces{}, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return Namespaces{}, fmt.Errorf("%s: %w", path, err)
	}
	if len(content) > maxFile {
		return Namespaces{}, fmt.Errorf("%s is larger than %d MiB", path, maxFile>>20)
	}
	namespaces, err := Parse(content)
	if err != nil {
		return Namespaces{}, fmt.Errorf("%s: %w", path, err)
	}
	return namespaces, nil
}

// Parse reads a configuration. What it does not know is an error, so that a mistyped field opens or closes nothing.
func Parse(content []byte) (Namespaces, error) {
	text, err := only(content)
	if err != nil {
		return Namespaces{}, err
	}
	var c Configuration
	// The version first: of another one, the fields may be others.
	if err := json.Unmarshal(text, &struct{ APIVersion, Kind *string }{&c.APIVersion, &c.Kind}); err != nil {
		return Namespaces{}, errors.New("not a configuration: apiVersion and kind are missing or not text")
	}
	if c.APIVersion != APIVersion || c.Kind != Kind {
		return Namespaces{}, fmt.Errorf("apiVersion is %q and kind is %q: this version supports %s and %s",
			c.APIVersion, c.Kind, APIVersion, Kind)
	}
	strict, err := kjson.UnmarshalStrict(text, &c)
	if err = errors.Join(append(strict, err)...); err != nil {
		return Namespaces{}, err
	}
	c.fill()
	return c.resolve()
}

// only returns the only document of a file as JSON.
func only(content []byte) ([]byte, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, next yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file is empty")
		}
		return nil, err
	}
	if err := decoder.Decode(&next); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file has more than one document: put everything into one")
	}
	return kyaml.YAMLToJSONStrict(content)
}

// fill puts the default where nothing is said.
func (c *Configuration) fill() {
	have, standard := &c.GrantedNamespaces, Defaults().GrantedNamespaces
	if have.Quota == nil {
		have.Quota = standard.Quota
	}
	if have.Limits == nil {
		have.Limits = standard.Limits
	}
	have.Network.fill(standard.Network)
}

// resolve checks everything, and names every fault at once.
func (c *Configuration) resolve() (Namespaces, error) {
	of, faults := &c.GrantedNamespaces, &faults{}
	namespaces := Namespaces{
		Quota:   quotaOf(of.Quota, faults),
		Limits:  limitsOf(of.Limits, faults),
		Network: of.Network.checked(faults),
	}
	if err := errors.Join(faults.found...); err != nil {
		return Namespaces{}, err
	}
	return namespaces, nil
}

// faults gathers what is wrong.
type faults struct{ found []error }

// add notes a fault at a path below grantedNamespaces.
func (f *faults) add(path, format string, args ...any) {
	f.found = append(f.found, fmt.Errorf("grantedNamespaces."+path+": "+format, args...))
}
