// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package exceptions has the commands by which people make exceptions: `kubectl course approve`, `revoke`, `extend`
// and `restore` for Grants, and `release` for what the brake of an institution holds back.
package exceptions

import (
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// verb is what is done to Grants.
type verb string

const (
	approve verb = "approve"
	revoke  verb = "revoke"
	extend  verb = "extend"
	restore verb = "restore"
)

// past is what is printed behind the name of a Grant.
func (v verb) past() string { return strings.TrimSuffix(string(v), "e") + "ed" }

// maxReason is the most characters that spec.override.reason has.
const maxReason = 512

type options struct {
	*cmdutil.Factory
	verb    verb
	change  cmdutil.Change
	confirm cmdutil.Confirmation

	reason, until, selector, policy, user string
	awaiting, shorten, personal           bool
}

// Commands returns approve, revoke, extend, restore and release.
func Commands(f *cmdutil.Factory) []*cobra.Command {
	return []*cobra.Command{newApprove(f), newRevoke(f), newExtend(f), newRestore(f), newRelease(f)}
}

func newApprove(f *cmdutil.Factory) *cobra.Command {
	return newCommand(f, approve, &cobra.Command{
		Short: "Approve Grants that wait for approval",
		Long: templates.LongDesc(`
			Approve Grants of policies with approval: Manual, which wait for a person.

			The approval and its reason are stored in spec.override of the Grant. The policy then fills in what the Grant
			gives. "restore" withdraws the approval.`),
		Example: templates.Examples(`
			# Approve one Grant
			kubectl course approve grad-lab.12345-987654321 --reason "checked with the faculty"

			# See which Grants of a policy would be approved
			kubectl course approve --policy grad-lab --awaiting-approval --reason "term 2027/1" --dry-run

			# Approve them without confirmation
			kubectl course approve --policy grad-lab --awaiting-approval --reason "term 2027/1" --yes`),
	})
}

func newRevoke(f *cmdutil.Factory) *cobra.Command {
	return newCommand(f, revoke, &cobra.Command{
		Short: "Revoke Grants: access at once, data after the grace days",
		Long: templates.LongDesc(`
			Revoke Grants: access and seats immediately, namespaces and objects after the grace days of the policy.

			The brake of the institution does not pause this: you have named the Grants. Later deliveries do not restore
			what was revoked; "restore" does, with the data if the grace days are not over. A Grant that waits for approval
			is refused.`),
		Example: templates.Examples(`
			# Revoke one Grant
			kubectl course revoke grad-lab.12345-987654321 --reason "left the school"

			# See what a user would lose
			kubectl course revoke --user 987654321 --reason "left the school" --dry-run

			# Revoke all Grants of a user without confirmation
			kubectl course revoke --user 987654321 --reason "left the school" --yes`),
	})
}

func newExtend(f *cmdutil.Factory) *cobra.Command {
	return newCommand(f, extend, &cobra.Command{
		Short: "Change when the access of Grants ends",
		Long: templates.LongDesc(`
			Set another end of access for Grants than that of their completions and policy.

			A date means the end of that day in the institution's time zone. A Grant that has ended starts again, with its
			data if the grace days are not over. A Grant that waits for approval is approved. An earlier end than the
			present one, and any end of a Grant that has none, requires --shorten. "restore" removes the extension.`),
		Example: templates.Examples(`
			# Extend one Grant to the end of a day
			kubectl course extend grad-lab.12345-987654321 --until 2047-06-30 --reason "thesis"

			# Extend it to a point in time
			kubectl course extend grad-lab.12345-987654321 --until 2047-06-30T18:00:00-03:00 --reason "thesis"

			# Let it end earlier, 30 days from now
			kubectl course extend grad-lab.12345-987654321 --until 30d --shorten --reason "pilot"`),
	})
}

func newRestore(f *cmdutil.Factory) *cobra.Command {
	return newCommand(f, restore, &cobra.Command{
		Short: "Undo an approval, a revocation or an extension",
		Long: templates.LongDesc(`
			Undo an approval, a revocation or an extension: remove spec.override of Grants.

			The command shows the effect on each Grant. A revoked Grant takes effect again, unless its completions have
			ended meanwhile; an extended one ends when its completions say, possibly at once; an approved one waits for
			approval again. The reason is removed with the override, and --reason is not stored.`),
		Example: templates.Examples(`
			# See what a Grant would be without its override
			kubectl course restore grad-lab.12345-987654321 --dry-run

			# Undo a revocation
			kubectl course restore grad-lab.12345-987654321`),
	})
}

func newCommand(f *cmdutil.Factory, v verb, cmd *cobra.Command) *cobra.Command {
	o := &options{Factory: f, verb: v}
	cmd.Use = string(v) + " (GRANT... | -l label | --policy NAME | --user ID | --awaiting-approval)"
	if v == extend {
		cmd.Use += " --until DATE|DURATION"
	}
	if v != restore {
		cmd.Use += " --reason TEXT"
	}
	cmd.DisableFlagsInUseLine = true
	cmd.ValidArgsFunction = cmdutil.CompleteNames(f, &v1alpha1.GrantList{}, true)
	cmd.RunE = func(cmd *cobra.Command, names []string) error { return o.run(cmd.Context(), names) }
	flags := cmd.Flags()
	if v == restore {
		flags.StringVar(&o.reason, "reason", "",
			"Accepted as in the other commands, but not stored, since the override is removed.")
	} else {
		flags.StringVar(&o.reason, "reason", "", "The reason, stored in spec.override.reason. Required.")
	}
	if v == extend {
		flags.StringVar(&o.until, "until", "", "When access ends: a day (yyyy-MM-dd, to its end in the institution's time "+
			"zone), a time (RFC 3339), or a duration from now (30d, 12h). Required.")
		flags.BoolVar(&o.shorten, "shorten", false, "Allow moving the end to an earlier time.")
	}
	flags.StringVarP(&o.selector, "selector", "l", "", "Select Grants by label, as in kubectl.")
	flags.StringVar(&o.policy, "policy", "", "Select the Grants of a policy.")
	flags.StringVar(&o.user, "user", "", "Select the Grants of a user, by platform id.")
	flags.BoolVar(&o.awaiting, "awaiting-approval", false, "Select the Grants that wait for approval.")
	flags.BoolVar(&o.personal, "show-personal-data", false,
		"With -o, include personal data: who has access, and the objects of the Grant.")
	_ = cmd.RegisterFlagCompletionFunc("policy", cmdutil.CompleteNames(f, &v1alpha1.CompletionPolicyList{}, true))
	o.confirm.AddFlags(cmd)
	o.change.AddFlags(cmd)
	return cmd
}

// order checks the flags and returns what is ordered.
func (o *options) order(names []string) (order, error) {
	if err := o.change.Validate(); err != nil {
		return order{}, err
	}
	selects := o.selector != "" || o.policy != "" || o.user != "" || o.awaiting
	switch {
	case len(names) == 0 && !selects:
		return order{}, cmdutil.Usagef("select Grants by name, or with -l, --policy, --user or --awaiting-approval")
	case len(names) > 0 && selects:
		return order{}, cmdutil.Usagef("use names or a selection (-l, --policy, --user, --awaiting-approval), not both")
	}
	if _, err := labels.Parse(o.selector); err != nil {
		return order{}, cmdutil.Usagef("-l: %w", err)
	}
	if o.user != "" {
		if _, err := cmdutil.PlatformID(o.user, "user"); err != nil {
			return order{}, err
		}
	}
	ordered := order{verb: o.verb, reason: strings.TrimSpace(o.reason), shorten: o.shorten}
	switch length := len([]rune(ordered.reason)); {
	case length == 0 && o.verb != restore:
		return order{}, cmdutil.Usagef("--reason is required")
	case length > maxReason:
		return order{}, cmdutil.Usagef("--reason has %d characters: at most %d", length, maxReason)
	}
	if o.verb != extend {
		return ordered, nil
	}
	if o.until == "" {
		return order{}, cmdutil.Usagef("--until is required: when access ends, such as 2027-06-30 or 30d")
	}
	var err error
	ordered.until, err = readUntil(o.until, o.Now())
	return ordered, err
}
