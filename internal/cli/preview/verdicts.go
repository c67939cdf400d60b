// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"fmt"
	"io"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/why"
	"github.com/lxp-dev/course-completion-operator/internal/preview"
)

// verdict is what a policy makes of the delivery.
type verdict struct {
	Policy string `json:"policy"`
	// Outcome is Granted, NotGranted, Failed, NotMatched, NotReady or Suspended.
	Outcome string `json:"outcome"`
	Message string `json:"message"`
}

// verdicts adds what the policies make of the delivery; nothing where there is none.
func (r *report) verdicts(o *options, completion *v1alpha1.CourseCompletion, all []preview.Verdict) {
	for _, one := range all {
		told := verdict{Policy: one.Policy.Name}
		switch result := one.Result; {
		case result != nil && result.Outcome == v1alpha1.OutcomeGranted:
			told.Outcome, told.Message = string(result.Outcome), "grant "+string(result.Grant)
		case result != nil:
			told.Outcome, told.Message = string(result.Outcome), result.Message
		case !one.Policy.Ready():
			told.Outcome, told.Message = "NotReady", "the policy has a mistake: `kubectl describe completionpolicy "+
				one.Policy.Name+"` shows it"
		case one.Policy.Suspended():
			told.Outcome, told.Message = "Suspended", "the policy is suspended"
		default:
			told.Outcome = "NotMatched"
			var err error
			if told.Message, err = why.NotMatched(one.Policy, completion, o.personal); err != nil {
				told.Message = err.Error()
			}
		}
		r.Delivery = append(r.Delivery, told)
	}
}

func (r *report) printVerdicts(out io.Writer) error {
	if len(r.Delivery) == 0 {
		return nil
	}
	fmt.Fprintf(out, "\nWhat each policy does with the delivery:\n")
	rows := make([][]string, 0, len(r.Delivery))
	for _, one := range r.Delivery {
		rows = append(rows, []string{"  " + one.Policy, one.Outcome, one.Message})
	}
	return cmdutil.Rows(out, nil, rows)
}
