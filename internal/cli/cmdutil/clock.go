// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"context"
	"errors"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// ErrNoTime means that the API server answers without saying what time it is, as behind some proxies.
var ErrNoTime = errors.New("the API server sent no time")

// ServerTime returns the time that the API server shows, to the second.
func ServerTime(ctx context.Context, f *Factory) (time.Time, error) {
	config, err := f.Flags.ToRESTConfig()
	if err != nil {
		return time.Time{}, err
	}
	connection, err := rest.HTTPClientFor(config)
	if err != nil {
		return time.Time{}, err
	}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return time.Time{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.JoinPath("version").String(), http.NoBody)
	if err != nil {
		return time.Time{}, err
	}
	response, err := connection.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	defer response.Body.Close()
	at, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return time.Time{}, ErrNoTime
	}
	return at, nil
}
