// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package deliveries

import (
	"context"
	"fmt"
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// Uses is what the audit records say of the use of a token.
type Uses struct {
	// Last is when a delivery last came with it; zero where no record says so.
	Last time.Time
	// Unknown says which deliveries there may have been that no record tells of; empty where all are known.
	Unknown []string
}

// TokenUses looks in the logs of all replicas for deliveries since a moment that came with the token of a Secret.
// Calls that only check the URL are none.
func TokenUses(ctx context.Context, f *cmdutil.Factory, namespace, secret string, since time.Time) (*Uses, error) {
	c, pods, err := servers(ctx, f)
	if err != nil {
		return nil, err
	}
	uses := &Uses{}
	pods = readable(pods, func(why string) { uses.Unknown = append(uses.Unknown, why) })
	for i := range pods {
		if started := pods[i].CreationTimestamp.Time; started.After(since) {
			uses.Unknown = append(uses.Unknown, fmt.Sprintf("pod %s has records only since %s, when it was created",
				pods[i].Name, started.UTC().Format(time.RFC3339)))
		}
	}
	err = read(ctx, c, sources(pods, false), since, false, func(r *record) error {
		uses.add(r, namespace, secret)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return uses, nil
}

func (u *Uses) add(r *record, namespace, secret string) {
	if r.Orchestrator.Namespace == namespace && r.Completion.TokenSecret == secret &&
		r.Completion.Outcome != outcomeChecked && r.Time.After(u.Last) {
		u.Last = r.Time
	}
}
