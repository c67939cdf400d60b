// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package create

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// policyFlags are what a policy is made of.
type policyFlags struct {
	object
	courses    []int64
	expression string
	all        bool
	grantPer   string

	namespaces, users, groups, accounts []string
	clusterRole                         string
	podSecurity, isolation              string
	quota                               map[string]string

	seats, revokeSeats, revokeNamespaces []string

	maxDays, graceDays                                 int32
	until, expiry, approval, onRevoke, onPolicyRemoval string
	suspend                                            bool
}

func newPolicy(f *cmdutil.Factory) *cobra.Command {
	o := &policyFlags{object: object{Factory: f}}
	cmd := &cobra.Command{
		Use:     "policy NAME (--course ID | --expression CEL) (--namespace-name TEMPLATE | --seat POOL | ...)",
		Aliases: []string{"completionpolicy", "cpol"},
		Short:   "Create a policy: what the completion of a course grants",
		Long: templates.LongDesc(`
			Create a policy: what the completion of a course grants.

			The policy is created in the namespace of an institution and takes effect immediately, for existing completions
			too. Put templates in single quotes, to protect $ from the shell. For what has no flag here, such as objects and
			limits, edit the YAML that --export prints.

			A policy with a mistake is created too, but grants nothing: the message says what is wrong.`),
		Example: templates.Examples(`
			# A namespace with a quota for each user who completes course 123456, with access for the user
			kubectl course create policy grad-course --course 123456 --namespace-name 'grad-${user.id}' \
			  --quota requests.cpu=2,count/pods=20 --subject 'oidc:${user.email}' --max-days 180

			# A seat in a pool, for active enrollments only, after approval
			kubectl course create policy tutor --course 777001 --expression 'enrollment.status == 1' --seat tutors \
			  --approval Manual

			# Print the YAML, to edit it or for GitOps
			kubectl course create policy grad-course --course 123456 --namespace-name 'grad-${user.id}' --export`),
		DisableFlagsInUseLine: true,
		Args:                  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			policy, err := o.policy(cmd, args[0])
			if err != nil {
				return err
			}
			return o.create(cmd.Context(),
				conditioned{policy, "policy", func() []metav1.Condition { return policy.Status.Conditions }})
		},
	}
	o.addPolicyFlags(cmd)
	o.addFlags(cmd)
	return cmd
}

func (o *policyFlags) addPolicyFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Int64SliceVar(&o.courses, "course", nil, "Platform ids of the courses whose completion matches.")
	flags.StringVar(&o.expression, "expression", "",
		"CEL expression that a completion must match, in addition to --course.")
	flags.BoolVar(&o.all, "require-all", false, "Grant only to users who have completed all of the courses.")
	o.oneOf(cmd, &o.grantPer, "grant-per", "One Grant for all completions of a user, or one for each completion.",
		string(v1alpha1.GrantPerUser), string(v1alpha1.GrantPerCompletion))
	flags.StringArrayVar(&o.namespaces, "namespace-name", nil,
		"Template for the name of a namespace, such as 'grad-${user.id}'. May be repeated.")
	flags.StringVar(&o.clusterRole, "cluster-role", "",
		"ClusterRole of the subjects in the namespaces. (default completion-learner)")
	flags.StringArrayVar(&o.users, "subject", nil,
		"Template for the name of a user who gets access, such as 'oidc:${user.email}'. May be repeated.")
	flags.StringArrayVar(&o.groups, "group", nil,
		"Template for the name of a group that gets access, if the installation allows groups.")
	flags.StringArrayVar(&o.accounts, "service-account", nil,
		"A ServiceAccount of the granted namespace that gets access.")
	o.oneOf(cmd, &o.podSecurity, "pod-security", "Pod security level of the namespaces.",
		string(v1alpha1.PodSecurityRestricted), string(v1alpha1.PodSecurityBaseline), string(v1alpha1.PodSecurityPrivileged))
	o.oneOf(cmd, &o.isolation, "network-isolation", "What the network policies of the namespaces keep out.",
		string(v1alpha1.NetworkIsolationIngressAndEgress), string(v1alpha1.NetworkIsolationIngress),
		string(v1alpha1.NetworkIsolationNone))
	flags.StringToStringVar(&o.quota, "quota", nil, "Quota of the namespaces, such as requests.cpu=2,count/pods=20.")
	flags.StringArrayVar(&o.seats, "seat", nil, "SeatPool in which the user gets a seat. May be repeated.")
	flags.StringArrayVar(&o.revokeSeats, "revoke-seat", nil, "SeatPool in which the completion revokes the user's seat.")
	flags.StringArrayVar(&o.revokeNamespaces, "revoke-namespace", nil,
		"Template for the name of a namespace that the completion revokes.")
	flags.Int32Var(&o.maxDays, "max-days", 0, "Days from the first delivery until access ends.")
	flags.Int32Var(&o.graceDays, "grace-days", v1alpha1.DefaultGraceDays,
		"Days between the end of access and the deletion of data.")
	flags.StringVar(&o.until, "until", "",
		"When access ends for everybody: a day in the institution's time zone, or a time.")
	o.oneOf(cmd, &o.expiry, "enrollment-expiry", "Whether access ends with the enrollment.",
		string(v1alpha1.EnrollmentExpiryFollow), string(v1alpha1.EnrollmentExpiryIgnore))
	o.oneOf(cmd, &o.approval, "approval", "Whether Grants wait until a person approves them.",
		string(v1alpha1.ApprovalAutomatic), string(v1alpha1.ApprovalManual))
	o.oneOf(cmd, &o.onRevoke, "on-revoke", "Whether namespaces are deleted or kept in the end.",
		string(v1alpha1.RemovalDelete), string(v1alpha1.RemovalRetain))
	o.oneOf(cmd, &o.onPolicyRemoval, "on-policy-removal", "Whether Grants stay or end when the policy is deleted.",
		string(v1alpha1.RemovalRetain), string(v1alpha1.RemovalDelete))
	flags.BoolVar(&o.suspend, "suspend", false, "Create the policy suspended: it grants nothing until it is resumed.")
}

// oneOf adds a flag that has one of some values, the first of which is the default of the API.
func (o *policyFlags) oneOf(cmd *cobra.Command, to *string, name, help string, values ...string) {
	cmd.Flags().StringVar(to, name, "", help+" One of: ("+strings.Join(values, ", ")+"). Default: "+values[0]+".")
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	check := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if check != nil {
			if err := check(cmd, args); err != nil {
				return err
			}
		}
		at := slices.IndexFunc(values, func(value string) bool { return strings.EqualFold(value, *to) })
		switch {
		case at >= 0:
			*to = values[at]
		case *to != "":
			return cmdutil.Usagef("--%s=%s is unknown: use one of %s", name, *to, strings.Join(values, ", "))
		}
		return nil
	}
}

// policy makes the policy of the flags.
func (o *policyFlags) policy(cmd *cobra.Command, name string) (*v1alpha1.CompletionPolicy, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	policy := &v1alpha1.CompletionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	spec := &policy.Spec
	for _, course := range o.courses {
		spec.Match.CourseIDs = append(spec.Match.CourseIDs, v1alpha1.PlatformID(course))
	}
	spec.Match.Expression = o.expression
	if o.all {
		spec.Match.Require = v1alpha1.MatchAll
	}
	spec.GrantPer = v1alpha1.GrantPer(o.grantPer)
	for _, name := range o.namespaces {
		spec.Namespaces = append(spec.Namespaces, o.namespace(name))
	}
	for _, pool := range o.seats {
		spec.Seats = append(spec.Seats, v1alpha1.SeatTemplate{Pool: v1alpha1.LocalName(pool)})
	}
	for _, pool := range o.revokeSeats {
		spec.Revoke.Seats = append(spec.Revoke.Seats, v1alpha1.RevokedSeat{Pool: v1alpha1.LocalName(pool)})
	}
	for _, name := range o.revokeNamespaces {
		spec.Revoke.Namespaces = append(spec.Revoke.Namespaces, v1alpha1.RevokedNamespace{Name: v1alpha1.Template(name)})
	}
	spec.Lifetime = v1alpha1.Lifetime{
		EnrollmentExpiry: v1alpha1.EnrollmentExpiry(o.expiry), MaxDays: o.maxDays, Until: o.until}
	if cmd.Flags().Changed("grace-days") {
		spec.Lifetime.GraceDays = &o.graceDays
	}
	spec.Approval = v1alpha1.Approval(o.approval)
	spec.OnRevoke = v1alpha1.RemovalAction(o.onRevoke)
	spec.OnPolicyRemoval = v1alpha1.RemovalAction(o.onPolicyRemoval)
	if o.suspend {
		spec.Suspend = new(true)
	}
	return policy, nil
}

// check finds what the API server would refuse with fields that are no flags.
func (o *policyFlags) check() error {
	access := len(o.users) + len(o.groups) + len(o.accounts)
	ofNamespaces := o.clusterRole != "" || access > 0 || o.podSecurity != "" || o.isolation != "" || len(o.quota) > 0
	switch {
	case len(o.courses) == 0 && o.expression == "":
		return cmdutil.Usagef("select the completions of the policy with --course, --expression or both")
	case slices.ContainsFunc(o.courses, func(id int64) bool { return id < 1 }):
		return cmdutil.Usagef("--course: platform ids are positive numbers")
	case len(o.namespaces)+len(o.seats)+len(o.revokeSeats)+len(o.revokeNamespaces) == 0:
		return cmdutil.Usagef(
			"the policy must grant or revoke something: use --namespace-name, --seat, --revoke-seat or --revoke-namespace",
		)
	case ofNamespaces && len(o.namespaces) == 0:
		return cmdutil.Usagef("--subject, --group, --service-account, --cluster-role, --quota, --pod-security and " +
			"--network-isolation need --namespace-name")
	case o.clusterRole != "" && access == 0:
		return cmdutil.Usagef("--cluster-role needs --subject, --group or --service-account")
	case o.all && len(o.courses) == 0:
		return cmdutil.Usagef("--require-all needs --course")
	case o.all && o.grantPer == string(v1alpha1.GrantPerCompletion):
		return cmdutil.Usagef("--require-all needs --grant-per User: the completions of all courses together make one Grant")
	case o.maxDays < 0:
		return cmdutil.Usagef("--max-days=%d: at least 1", o.maxDays)
	}
	return nil
}

func (o *policyFlags) namespace(name string) v1alpha1.NamespaceTemplate {
	namespace := v1alpha1.NamespaceTemplate{
		Name: v1alpha1.Template(name), PodSecurity: v1alpha1.PodSecurityLevel(o.podSecurity),
		NetworkIsolation: v1alpha1.NetworkIsolation(o.isolation),
	}
	for resource, quantity := range o.quota {
		if namespace.ResourceQuota.Hard == nil {
			namespace.ResourceQuota.Hard = map[string]v1alpha1.QuantityTemplate{}
		}
		namespace.ResourceQuota.Hard[resource] = v1alpha1.QuantityTemplate(quantity)
	}
	access := v1alpha1.AccessTemplate{ClusterRole: o.clusterRole}
	for _, subjects := range []struct {
		kind  v1alpha1.SubjectKind
		names []string
	}{{v1alpha1.SubjectUser, o.users}, {v1alpha1.SubjectGroup, o.groups}, {v1alpha1.SubjectServiceAccount, o.accounts}} {
		for _, name := range subjects.names {
			access.Subjects = append(
				access.Subjects,
				v1alpha1.SubjectTemplate{Kind: subjects.kind, Name: v1alpha1.Template(name)},
			)
		}
	}
	if len(access.Subjects) > 0 {
		namespace.Access = []v1alpha1.AccessTemplate{access}
	}
	return namespace
}
