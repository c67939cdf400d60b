// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

// allStates selects records whatever their state.
const allStates = "all"

// selection says which records are wanted. What is empty wants all.
type selection struct {
	namespace string
	state     string
	user      string
	reasons   []string
	// deliveries are the ids of those that are named.
	deliveries []string
}

func (s *selection) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.user, "user", "", "Only the deliveries of a user, by platform id.")
	cmd.Flags().StringSliceVar(&s.reasons, "reason", nil, "Only those that were refused for these reasons, such as "+
		"api-invalid.")
}

func (s *selection) addState(cmd *cobra.Command, otherwise, usage string) {
	cmd.Flags().StringVar(&s.state, "state", otherwise, usage)
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(
		[]string{replicas.Waiting, replicas.Dead, allStates}, cobra.ShellCompDirectiveNoFileComp))
}

func (s *selection) validate() error {
	if !slices.Contains([]string{replicas.Waiting, replicas.Dead, allStates}, s.state) {
		return cmdutil.Usagef("--state is %q: use waiting, dead or all", s.state)
	}
	if s.user != "" {
		if _, err := cmdutil.PlatformID(s.user, "user"); err != nil {
			return err
		}
	}
	return nil
}

// narrow reports whether the webhook server may have records of the state that are not wanted.
func (s *selection) narrow() bool {
	return s.namespace != "" || s.user != "" || len(s.reasons)+len(s.deliveries) > 0
}

// wants reports whether a record is selected, as far as its state does not say it.
func (s *selection) wants(r *replicas.Record) bool {
	return (s.namespace == "" || s.namespace == r.Namespace()) &&
		(s.user == "" || s.user == r.User()) &&
		(len(s.reasons) == 0 || slices.Contains(s.reasons, r.Reason)) &&
		(len(s.deliveries) == 0 || slices.Contains(s.deliveries, r.DeliveryID))
}

// args has the webhook server list what may be wanted, and no more than most where that can be said beforehand.
func (s *selection) args(most int) []string {
	args := []string{"list", "--json", "--state=" + s.state}
	if most > 0 && !s.narrow() {
		args = append(args, "--limit="+strconv.Itoa(most))
	}
	return args
}

// names are the records that somebody names.
type names struct {
	// numbers are those of each replica, in order.
	numbers map[*replicas.Replica][]uint64
	// deliveries are the ids of others.
	deliveries []string
}

// parseNames reads names such as 0/17, completion-webhook-server-0/17, and delivery ids.
func parseNames(args []string, all []*replicas.Replica) (*names, error) {
	n := &names{numbers: map[*replicas.Replica][]uint64{}}
	for _, arg := range args {
		if _, err := uuid.Parse(arg); err == nil {
			n.deliveries = append(n.deliveries, arg)
			continue
		}
		at := strings.LastIndexByte(arg, '/')
		number, err := strconv.ParseUint(arg[at+1:], 10, 64)
		switch {
		case err != nil:
			return nil, cmdutil.Usagef("%q is not a record: use a name from `kubectl course inbox list`, such as 0/17, or a "+
				"delivery id", arg)
		case at < 0:
			return nil, cmdutil.Usagef("record %s needs its replica: write %s/%s for the first one, as in `kubectl "+
				"course inbox list`", arg, all[0].ID(), arg)
		}
		of := slices.IndexFunc(all, func(r *replicas.Replica) bool { return arg[:at] == r.ID() || arg[:at] == r.Pod })
		if of < 0 {
			return nil, cmdutil.Usagef("there is no replica %s: the last one is %s", arg[:at], all[len(all)-1].ID())
		}
		n.numbers[all[of]] = append(n.numbers[all[of]], number)
	}
	for of := range n.numbers {
		slices.Sort(n.numbers[of])
		n.numbers[of] = slices.Compact(n.numbers[of])
	}
	return n, nil
}
