// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

const (
	// inboxPatience is how long the inboxes are waited for, once everything else was read.
	inboxPatience = 2 * time.Second
	// inboxSilence is how long a webhook server may say nothing while all else is read.
	inboxSilence = 30 * time.Second
	// agingTime is how long a delivery may wait before somebody should know, as in the alert CompletionInboxAging.
	agingTime = 15 * time.Minute

	seeInboxes = "kubectl course inbox list"
)

// inboxes is what is known of what waits on the disks of the webhook servers.
type inboxes struct {
	// Replicas is how many webhook servers there are, and Answered how many of them said what they have.
	Replicas int `json:"replicas"`
	Answered int `json:"answered"`
	// Forbidden tells that one may not ask them.
	Forbidden bool `json:"forbidden,omitempty"`

	namespaces map[string]replicas.Count
}

// of is what waits for a namespace; nil where that is not known.
func (i *inboxes) of(namespace string) *replicas.Count {
	if i.Answered == 0 {
		return nil
	}
	return new(i.namespaces[namespace])
}

// String says in a line what is not known; empty where all is.
func (i *inboxes) String() string {
	switch {
	case i.Forbidden:
		return "The inboxes are not included: `" + seeInboxes + "` shows them, and requires the ClusterRole " +
			cmdutil.RoleInboxAdmin + " in namespace " + replicas.Namespace + "."
	case i.Answered == 0:
		return "The inboxes are not included, because no webhook server answered in time: `" + seeInboxes +
			"` shows why."
	case i.Answered < i.Replicas:
		return fmt.Sprintf("The inboxes are incomplete: only %d of %d webhook servers answered. `%s` shows why.",
			i.Answered, i.Replicas, seeInboxes)
	}
	return ""
}

// kept says what waits for an institution.
func kept(count *replicas.Count) string {
	if count.Records+count.DeadLetters == 0 {
		return "nothing waits"
	}
	text := fmt.Sprintf("%d wait", count.Records)
	if count.Oldest != nil {
		text += " since " + count.Oldest.UTC().Format(time.RFC3339)
	}
	letters := "dead letters"
	if count.DeadLetters == 1 {
		letters = "dead letter"
	}
	return fmt.Sprintf("%s, %d %s", text, count.DeadLetters, letters)
}

// askInboxes asks the webhook servers what they have, for as long as ctx lasts. What it returns waits a moment for
// those that have not answered, and returns what is known by then. Nothing that goes wrong with it is an error: whoever
// looks at the whole is shown the rest.
func askInboxes(ctx context.Context, connection *replicas.Connection) func() *inboxes {
	var mu sync.Mutex
	known := &inboxes{namespaces: map[string]replicas.Count{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		all, _, err := connection.Find(ctx)
		mu.Lock()
		known.Replicas, known.Forbidden = len(all), apierrors.IsForbidden(err)
		mu.Unlock()
		err = connection.Each(ctx, all, func(ctx context.Context, r *replicas.Replica) error {
			status, err := connection.Status(ctx, r)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			known.Answered++
			for namespace, count := range status.Namespaces {
				sum := known.namespaces[namespace]
				sum.Add(count)
				known.namespaces[namespace] = sum
			}
			return nil
		})
		mu.Lock()
		defer mu.Unlock()
		known.Forbidden = known.Forbidden || known.Answered == 0 && apierrors.IsForbidden(err)
	}()
	return func() *inboxes {
		late := time.NewTimer(inboxPatience)
		defer late.Stop()
		select {
		case <-done:
		case <-late.C:
		}
		mu.Lock()
		defer mu.Unlock()
		// Those that answer later are not counted in what is shown now.
		answer := *known
		known = &inboxes{namespaces: map[string]replicas.Count{}}
		return &answer
	}
}

// ofInboxes adds what needs a person in the inboxes, for a namespace, or for all where it is empty.
func (p *problems) ofInboxes(kept *inboxes, only string, now time.Time) {
	for namespace, count := range kept.namespaces {
		if only != "" && namespace != only {
			continue
		}
		add := func(s severity, reason, message, state string) {
			p.add("inbox", problem{Severity: s, Namespace: namespace, Object: "inbox", Reason: reason, Message: message,
				Command: seeInboxes + " -n " + namespace + " --state " + state})
		}
		if count.DeadLetters > 0 {
			add(failure, "DeadLetters", fmt.Sprintf("the API server rejected deliveries for good that the platform "+
				"considers delivered: %d are dead letters", count.DeadLetters), replicas.Dead)
		}
		if count.Oldest != nil && now.Sub(*count.Oldest) > agingTime {
			add(warning, "InboxAging", fmt.Sprintf("%d deliveries are waiting to be stored, the oldest since %s", count.Records,
				count.Oldest.UTC().Format(time.RFC3339)), replicas.Waiting)
		}
	}
}
