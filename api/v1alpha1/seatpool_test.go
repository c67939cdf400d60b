// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func pool(name string) *unstructured.Unstructured {
	return written("SeatPool", name, object{"capacity": int64(10)})
}

func seat(pool string, number int64) *unstructured.Unstructured {
	return written("Seat", v1alpha1.SeatName(pool, int32(number)), object{
		"pool": pool, "number": number, "grant": "lab.1-2-3-4", "poolGeneration": int64(1),
	})
}

func TestSeatPoolRules(t *testing.T) {
	const label = "metadata.name must be a DNS label"
	checkCreates(t, pool("rules"), []rule{
		{"as it is", nil, nil},
		{"no seats", []edit{{"spec.capacity", int64(0)}}, nil},
		{"most seats", []edit{{"spec.capacity", int64(100000)}}, nil},
		{"more seats", []edit{{"spec.capacity", int64(100001)}}, []string{"spec.capacity", "100000"}},
		{"a negative capacity", []edit{{"spec.capacity", int64(-1)}}, []string{"spec.capacity", "greater than or equal to 0"}},
		{"no capacity", []edit{{"spec.capacity", nil}}, []string{"spec.capacity", "Required"}},
		{"a name of 63", []edit{{"metadata.name", strings.Repeat("a", 63)}}, nil},
		{"a name of 64", []edit{{"metadata.name", strings.Repeat("a", 64)}}, []string{label}},
		{"a name with a dot", []edit{{"metadata.name", "room.one"}}, []string{label}},
	})
	checkUpdates(t, pool("rules"), []rule{
		{"raised", []edit{{"spec.capacity", int64(11)}}, nil},
		{"lowered", []edit{{"spec.capacity", int64(0)}}, nil},
	})
	NewWithT(t).Expect(field(store(t, pool("fresh")), "status.observedGeneration")).To(Equal(int64(-1)))
}

func TestSeatRules(t *testing.T) {
	const named = "metadata.name must be {pool}-{number}"
	checkCreates(t, seat("room", 7), []rule{
		{"as it is", nil, nil},
		{"another number in the name", []edit{{"metadata.name", "room-8"}}, []string{named}},
		{"another pool in the name", []edit{{"metadata.name", "hall-7"}}, []string{named}},
		{"another number", []edit{{"spec.number", int64(8)}}, []string{named}},
		{"leading zeros", []edit{{"metadata.name", "room-07"}}, []string{named}},
		{"the first number", []edit{{"spec.number", int64(0)}, {"metadata.name", "room-0"}}, nil},
		{"the last number", []edit{{"spec.number", int64(99999)}, {"metadata.name", "room-99999"}}, nil},
		{"after the last", []edit{{"spec.number", int64(100000)}, {"metadata.name", "room-100000"}}, []string{"99999"}},
		{"no number", []edit{{"spec.number", nil}}, []string{"spec.number", "Required"}},
		{"no grant", []edit{{"spec.grant", nil}}, []string{"spec.grant", "Required"}},
		{"no generation", []edit{{"spec.poolGeneration", nil}}, []string{"spec.poolGeneration", "Required"}},
	})
	checkUpdates(t, seat("room", 7), []rule{
		{"another grant", []edit{{"spec.grant", "other"}}, []string{"a seat is immutable"}},
		{"another generation", []edit{{"spec.poolGeneration", int64(2)}}, []string{"a seat is immutable"}},
		{"a label", []edit{{"metadata.labels", object{"a": "b"}}}, nil},
	})
}

// One place has one holder, whoever asks: the name is taken.
func TestSeatIsNotGivenTwice(t *testing.T) {
	store(t, seat("desk", 1))
	again := seat("desk", 1)
	again.Object["spec"].(object)["grant"] = "other"
	NewWithT(t).Expect(admin.Create(t.Context(), again)).To(MatchError(ContainSubstring("already exists")))
}
