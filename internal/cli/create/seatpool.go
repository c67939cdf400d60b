// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package create

import (
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

func newSeatPool(f *cmdutil.Factory) *cobra.Command {
	o := &object{Factory: f}
	pool := &v1alpha1.SeatPool{}
	var capacity int32
	cmd := &cobra.Command{
		Use:     "seatpool NAME --capacity N",
		Aliases: []string{"spool"},
		Short:   "Create a pool of seats",
		Long: templates.LongDesc(`
			Create a pool of seats: licences, lab places, tables. Policies assign them, first come, first served.`),
		Example: templates.Examples(`
			# Ten seats
			kubectl course create seatpool tutors --capacity 10

			# Print the YAML
			kubectl course create seatpool tutors --capacity 10 --export`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("capacity") {
				return cmdutil.Usagef("--capacity is required: the number of seats")
			}
			if capacity < 0 || capacity > 100_000 {
				return cmdutil.Usagef("--capacity=%d: must be from 0 to 100000", capacity)
			}
			pool.ObjectMeta = metav1.ObjectMeta{Name: args[0]}
			pool.Spec.Capacity = &capacity
			return o.create(
				cmd.Context(),
				conditioned{pool, "pool", func() []metav1.Condition { return pool.Status.Conditions }},
			)
		},
	}
	cmd.Flags().Int32Var(&capacity, "capacity", 0, "Number of seats. Required.")
	o.addFlags(cmd)
	return cmd
}
