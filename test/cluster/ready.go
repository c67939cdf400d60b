// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// probes see from outside whether a part does its work.
type probes struct {
	endpoints     endpoints
	cluster, etcd *http.Client
}

func newProbes(e endpoints, cluster *authority, admin keyPair, etcd *authority, etcdClient keyPair) (*probes, error) {
	clusterTLS, err := cluster.tlsConfig(admin)
	if err != nil {
		return nil, err
	}
	etcdTLS, err := etcd.tlsConfig(etcdClient)
	if err != nil {
		return nil, err
	}
	// Without keep-alives no probe talks to a killed process through a connection of its predecessor.
	client := func(config *tls.Config) *http.Client {
		transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
		return &http.Client{Timeout: 5 * time.Second, Transport: transport}
	}
	return &probes{endpoints: e, cluster: client(clusterTLS), etcd: client(etcdTLS)}, nil
}

func (p *probes) etcdReady(ctx context.Context) error {
	_, err := request(ctx, p.etcd, http.MethodGet, loopback(p.endpoints.etcd)+"/readyz")
	return err
}

func (p *probes) apiServerReady(ctx context.Context) error {
	_, err := request(ctx, p.cluster, http.MethodGet, loopback(p.endpoints.apiServer)+"/readyz")
	return err
}

const (
	defaultServiceAccount = "/api/v1/namespaces/default/serviceaccounts/default"
	// rootCA is published into every namespace by a controller; in this namespace nobody misses it for a moment.
	rootCA = "/api/v1/namespaces/kube-node-lease/configmaps/kube-root-ca.crt"
)

// controllerManagerReady returns a check for one start of the controller manager. The objects that controllers make
// may date from before that start, so the proof is an object that this check deletes once and that comes back.
func (p *probes) controllerManagerReady() func(context.Context) error {
	api := loopback(p.endpoints.apiServer)
	deleted := ""
	return func(ctx context.Context) error {
		if _, err := request(ctx, p.cluster, http.MethodGet, loopback(p.endpoints.controllerManager)+"/healthz"); err != nil {
			return err
		}
		if _, err := request(ctx, p.cluster, http.MethodGet, api+defaultServiceAccount); err != nil {
			return err
		}
		uid, err := p.uid(ctx, api+rootCA)
		if err != nil {
			return err
		}
		if deleted == "" {
			if _, err := request(ctx, p.cluster, http.MethodDelete, api+rootCA); err != nil {
				return err
			}
			deleted = uid
		}
		if uid == deleted {
			return errors.New("the root CA publisher has not restored a deleted ConfigMap yet")
		}
		return nil
	}
}

func (p *probes) uid(ctx context.Context, url string) (string, error) {
	body, err := request(ctx, p.cluster, http.MethodGet, url)
	if err != nil {
		return "", err
	}
	var object struct {
		Metadata struct{ UID string } `json:"metadata"`
	}
	if err := json.Unmarshal(body, &object); err != nil {
		return "", fmt.Errorf("GET %s: %w", url, err)
	}
	if object.Metadata.UID == "" {
		return "", fmt.Errorf("GET %s: the object has no uid", url)
	}
	return object.Metadata.UID, nil
}

// request wants status 200 and returns the body, of which it reads at most a megabyte.
func request(ctx context.Context, client *http.Client, method, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s: %.300s", method, url, response.Status, body)
	}
	return body, nil
}
