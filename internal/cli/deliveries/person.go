// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package deliveries

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

// Delivery is one that the audit log has.
type Delivery struct {
	At         time.Time `json:"at"`
	ID         string    `json:"id"`
	Completion string    `json:"completion"`
	Outcome    string    `json:"outcome"`
	Reason     string    `json:"reason"`
	Status     int       `json:"status"`
}

// perPerson is how many deliveries about one person are returned, the newest; personPatience is how long logs are read.
const (
	perPerson      = 50
	personPatience = 10 * time.Second
)

// About returns the deliveries about a person that the logs of the webhook servers have, the oldest first, and what of
// them is not known.
func About(ctx context.Context, f *cmdutil.Factory, who v1alpha1.GrantHolder) (found []Delivery, unknown []string) {
	ctx, cancel := context.WithTimeout(ctx, personPatience)
	defer cancel()
	all, unknown, err := about(ctx, f, who)
	switch {
	case apierrors.IsForbidden(err):
		return nil, []string{"deliveries that are not stored, such as repeated and refused ones: the ClusterRole " +
			cmdutil.RoleOperations + " in namespace " + replicas.Namespace + " allows it"}
	case err != nil:
		unknown = append(unknown, fmt.Sprintf("deliveries that are not stored: %v", err))
	}
	if all.left > 0 {
		unknown = append(unknown, fmt.Sprintf("%d older deliveries: `kubectl course deliveries --institution %d --user %d` "+
			"has them", all.left, who.InstitutionID, who.UserID))
	}
	for _, r := range all.kept {
		found = append(found, Delivery{r.Time, r.Event.ID, r.Orchestrator.Resource.Name, r.Completion.Outcome, r.Event.Reason,
			r.HTTP.Response.StatusCode})
	}
	return found, unknown
}

func about(
	ctx context.Context, f *cmdutil.Factory, who v1alpha1.GrantHolder,
) (found newest, unknown []string, err error) {
	found.most = perPerson
	c, pods, err := servers(ctx, f)
	if err != nil {
		return found, nil, err
	}
	pods = readable(pods, func(why string) { unknown = append(unknown, "deliveries in another log: "+why) })
	wanted := filter{institution: int64(who.InstitutionID), user: int64(who.UserID)}
	err = read(ctx, c, sources(pods, false), time.Time{}, false, func(r *record) error {
		if wanted.wants(r) {
			found.add(r)
		}
		return nil
	})
	found.trim()
	return found, unknown, err
}
