// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package deliveries

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

const (
	// arrivalPatience is how long a record may take from the program into the log of its pod.
	arrivalPatience = 10 * time.Second
	arrivalPoll     = 500 * time.Millisecond
	// clockSlack is how far behind the clock of a pod may be, so that its records are found.
	clockSlack = time.Hour
)

// errNoRecord means that no log that can be read has the record of a call.
var errNoRecord = errors.New("its audit record is in no log that can be read")

// Arrival is how a call arrived at a webhook server.
type Arrival struct {
	// Pod is who answered, and Time what its clock said.
	Pod  string
	Time time.Time
	// Client is the address that counts, and Proxy that of the trusted proxy that named it; empty where there is none.
	Client, Proxy string
	// TrustedProxies is what the pod was told to trust.
	TrustedProxies string
}

// FindArrival finds the audit record of a call that was just made.
func FindArrival(ctx context.Context, f *cmdutil.Factory, deliveryID string) (*Arrival, error) {
	c, pods, err := servers(ctx, f)
	if err != nil {
		return nil, err
	}
	why := errNoRecord
	pods = readable(pods, func(said string) { why = fmt.Errorf("%w: %s", why, said) })
	since := f.Now().Add(-clockSlack)
	var found *Arrival
	err = wait.PollUntilContextTimeout(ctx, arrivalPoll, arrivalPatience, true, func(ctx context.Context) (bool, error) {
		err := read(ctx, c, sources(pods, false), since, false, func(r *record) error {
			if r.Event.ID == deliveryID {
				found = r.arrival(pods)
			}
			return nil
		})
		return found != nil || len(pods) == 0, err
	})
	switch {
	case found != nil:
		return found, nil
	case err == nil || wait.Interrupted(err) && ctx.Err() == nil:
		return nil, why
	}
	return nil, err
}

func (r *record) arrival(pods []corev1.Pod) *Arrival {
	a := &Arrival{Pod: r.pod, Time: r.Time, Client: cmp.Or(r.Source.IP, r.Source.Address), Proxy: r.Completion.ProxyIP}
	if i := slices.IndexFunc(pods, func(pod corev1.Pod) bool { return pod.Name == r.pod }); i >= 0 {
		a.TrustedProxies = replicas.Argument(&pods[i], "trusted-proxies")
	}
	return a
}
