// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

type exportOptions struct {
	*cmdutil.Factory
	scope  cmdutil.Scope
	output cmdutil.Output
	user   string
}

// NewExportCommand returns `kubectl course export`.
func NewExportCommand(f *cmdutil.Factory) *cobra.Command {
	o := &exportOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "export --user ID",
		Short: "Export everything that is stored about a person, for that person",
		Long: templates.LongDesc(`
			Print everything that is stored about one person in the cluster, as JSON or in the format of -o, to answer a
			request for access (LGPD, article 18): completions, Grants, Seats, places in queues, the names of granted
			namespaces and, if you may read them, earlier erasures. The contents of the namespaces are the person's own, and
			are not read. The output names the places that were searched, and those that cannot be searched from here.

			The output contains personal data: take care where you store it.`),
		Example: templates.Examples(`
			# What one institution has stored about a user
			kubectl course export -n institution-12345 --user 987654321

			# The same in all institutions
			kubectl course export -A --user 987654321`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().StringVar(&o.user, "user", "", "Platform `id` of the person.")
	o.scope.AddFlags(cmd)
	o.output.AddDataFlags(cmd, "PersonalData")
	return cmd
}

// answer is what the person gets.
type answer struct {
	User        v1alpha1.PlatformID `json:"user"`
	Time        time.Time           `json:"time"`
	Stored      *stored             `json:"stored"`
	Erasures    []erased            `json:"erasures"`
	LookedAt    []string            `json:"lookedAt"`
	NotLookedAt []place             `json:"notLookedAt"`
}

func (o *exportOptions) run(ctx context.Context) error {
	user, err := userOf(o.user)
	if err != nil {
		return err
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	namespace, err := o.scope.In(o.Factory)
	if err != nil {
		return err
	}
	found, err := gather(ctx, c, namespace, user, 0)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleViewer)
	}
	registers := true
	said := answer{
		User: user, Time: o.Now().UTC().Truncate(time.Second), Stored: found, Erasures: []erased{},
		NotLookedAt: elsewhere(namespace, user),
	}
	if said.Erasures, err = erasuresOf(ctx, c, namespace, user); apierrors.IsForbidden(err) || meta.IsNoMatchError(err) {
		said.NotLookedAt = append(said.NotLookedAt, place{
			"the registers of erasures", "whether and when the person was erased before, by keyed digests",
			"whoever has the ClusterRole " + cmdutil.RoleInstitutionAdmin,
		})
		registers, err = false, nil
	}
	if err != nil {
		return err
	}
	if found.empty() && len(said.Erasures) == 0 && !o.scope.All {
		// Whoever looks in the wrong place must not tell the person that nothing is stored.
		if _, err := cmdutil.Institution(ctx, c, namespace, ""); err != nil && !cmdutil.IsUsage(err) {
			return cmdutil.Explain(err, cmdutil.RoleViewer)
		}
	}
	where := "namespace " + namespace
	if o.scope.All {
		where = "all namespaces"
	}
	said.LookedAt = []string{"CourseCompletions, Grants, Seats and the queues of SeatPools in " + where}
	if registers {
		said.LookedAt = append(said.LookedAt, "ErasureRegisters in "+where)
	}
	if _, err := o.output.Document(o.Out, said); err != nil {
		return err
	}
	if found.empty() && len(said.Erasures) == 0 {
		fmt.Fprintf(o.ErrOut, "Nothing is stored about user %d in %s.\n", user, where)
	}
	return nil
}

func userOf(text string) (v1alpha1.PlatformID, error) {
	if text == "" {
		return 0, cmdutil.Usagef("--user is required: the platform id of the person")
	}
	return cmdutil.PlatformID(text, "user")
}
