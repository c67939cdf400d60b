// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// How far clocks may differ. Deliveries are dated by the platform, so that minutes matter to nobody but the ends.
const (
	clockWarning = 5 * time.Second
	clockProblem = time.Minute
)

// institutions looks whether each of them is Ready.
func (e *examination) institutions(ctx context.Context) error {
	all, err := cmdutil.Institutions(ctx, e.c, "")
	if apierrors.IsForbidden(err) {
		if err := e.unseen("Institutions of all namespaces", err); err != nil {
			return err
		}
		namespace, found := e.Namespace()
		if found != nil {
			return found
		}
		all, err = cmdutil.Institutions(ctx, e.c, namespace)
	}
	if meta.IsNoMatchError(err) {
		// The CRDs say so.
		return nil
	}
	if err != nil {
		return e.unseen("Institutions", err)
	}
	if len(all) == 0 {
		e.warning("Institutions", "kubectl course create institution ID --namespace-prefix PREFIX", "there are none")
	}
	for i := range all {
		check := fmt.Sprintf("Institution %s/%s", all[i].Namespace, all[i].Name)
		help := fmt.Sprintf("kubectl describe institution %s -n %s; docs/user-guide.md says what to do about each reason",
			all[i].Name, all[i].Namespace)
		switch ready := readyOf(all[i].Status.Conditions); {
		case ready == nil:
			e.problem(check, "is the controller-manager running?", "has not been reconciled")
		case ready.Status == metav1.ConditionTrue:
			e.ok(check, "is Ready")
		default:
			e.problem(check, help, "%s: %s", ready.Reason, ready.Message)
		}
	}
	return nil
}

// clock compares the clock of the API server with the one here.
func (e *examination) clock(ctx context.Context) error {
	const check = "clocks"
	before := e.Now()
	at, err := cmdutil.ServerTime(ctx, e.Factory)
	if errors.Is(err, cmdutil.ErrNoTime) {
		e.warning(check, "", "the API server sent no time")
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", check, err)
	}
	e.compareClocks(check, "the API server", at, before, e.Now())
	return nil
}

// compareClocks judges a time that somebody told between two moments, to the second.
func (e *examination) compareClocks(check, who string, told, before, after time.Time) {
	const help = "synchronize both machines by NTP; the ends of access and the age of Leases depend on it"
	off := time.Duration(0)
	if ahead := told.Sub(after); ahead > 0 {
		off = ahead
	} else if behind := before.Sub(told.Add(time.Second)); behind > 0 {
		off = -behind
	}
	text := fmt.Sprintf("that of %s is %s ahead of the one here", who, off.Round(time.Second))
	if off < 0 {
		text = fmt.Sprintf("that of %s is %s behind the one here", who, -off.Round(time.Second))
	}
	switch {
	case off.Abs() > clockProblem:
		e.problem(check, help, "%s", text)
	case off.Abs() > clockWarning:
		e.warning(check, help, "%s", text)
	default:
		e.ok(check, "%s and this machine agree", who)
	}
}

// urls asks the webhook from here, as the platform would reach it.
func (e *examination) urls(ctx context.Context) error {
	if !e.webhook.Given() {
		return nil
	}
	institutions, err := e.webhook.Read(e.In)
	if err != nil {
		return err
	}
	asking := sender.NewClient(1, e.timeout, nil)
	defer asking.Close()
	for _, institution := range institutions {
		for n, url := range institution.URLs {
			check := fmt.Sprintf("webhook URL %d of institution %d", n+1, institution.ID)
			before := e.Now()
			answer, err := asking.Check(ctx, url)
			if err != nil {
				e.problem(check, "check DNS, the routes of the Ingress or Gateway, and the certificate",
					"cannot be reached from here: %v", err)
				continue
			}
			after := e.Now()
			e.judgeURL(check, answer)
			if answer.DeliveryID == "" {
				continue
			}
			if err := e.arrival(ctx, check, answer.DeliveryID, before, after); err != nil {
				return err
			}
		}
	}
	return nil
}

// judgeURL says what an answer to GET means.
func (e *examination) judgeURL(check string, answer sender.Answer) {
	document := answer.Document()
	switch {
	case answer.Status == http.StatusOK && answer.Outcome == "checked":
		e.ok(check, "is reachable from here, and its token is valid")
	case answer.Outcome == "":
		e.problem(check, "a proxy in front answers instead: check its routes",
			"not answered by the webhook server: %d", answer.Status)
	case answer.Status == http.StatusUnauthorized:
		e.problem(check, "is the Institution Ready, and is this the token of its Secret?", "401: %s", document.Detail)
	case answer.Status == http.StatusForbidden:
		e.problem(check,
			"spec.authentication.allowedCIDRs does not include the address that arrives: it may still include the "+
				"platform's; if not, check --trusted-proxies", "403: %s", document.Detail)
	default:
		e.problem(check, "check the alerts and the logs of the webhook server", "%d: %s", answer.Status,
			strings.TrimSpace(document.Detail))
	}
}
