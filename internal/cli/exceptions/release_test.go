// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package exceptions

import (
	"bytes"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// What is stored when the answer comes is another brake than what was shown.
func TestReleaseLetsNothingElseGo(t *testing.T) {
	shown := &v1alpha1.Institution{ObjectMeta: metav1.ObjectMeta{Namespace: "i", Name: "i", UID: "1"}}
	shown.Status.Brake = v1alpha1.BrakeStatus{Trip: "first", Held: new(int32(2))}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.Institution)
		want   string
	}{
		"the same":   {func(*v1alpha1.Institution) {}, ""},
		"fewer wait": {func(i *v1alpha1.Institution) { i.Status.Brake.Held = new(int32(1)) }, ""},
		"more wait":  {func(i *v1alpha1.Institution) { i.Status.Brake.Held = new(int32(3)) }, "3 Grants are paused now"},
		"another trip": {func(i *v1alpha1.Institution) { i.Status.Brake.Trip = "second" },
			"has tripped again (trip second"},
		"over":       {func(i *v1alpha1.Institution) { i.Status.Brake.Trip = "" }, "is over: nothing is left to release"},
		"made again": {func(i *v1alpha1.Institution) { i.UID = "2" }, "was recreated in the meantime"},
		"released since": {func(i *v1alpha1.Institution) {
			i.Status.Brake = v1alpha1.BrakeStatus{ReleasedTrip: "first"}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			stored := shown.DeepCopy()
			tc.change(stored)
			c := fake.NewClientBuilder().WithScheme(cmdutil.Scheme).WithObjects(stored).Build()
			streams := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &bytes.Buffer{}, ErrOut: &bytes.Buffer{}}
			o := &releasing{Factory: cmdutil.NewFactory(streams), change: cmdutil.Change{DryRun: "none"}}
			_, err := o.release(t.Context(), c, shown, "first", 2)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			var after v1alpha1.Institution
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(shown), &after); err != nil {
				t.Fatal(err)
			}
			released := after.Annotations[v1alpha1.AnnotationReleaseBrake] != ""
			if want := tc.want == "" && name != "released since"; released != want {
				t.Errorf("released: %v, want %v", released, want)
			}
		})
	}
}
