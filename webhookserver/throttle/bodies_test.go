// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
)

// posted is a request with a body of so many bytes, whose length is declared or not.
func posted(t *testing.T, size int64, declared bool, from io.Reader) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", from)
	if r.ContentLength = size; !declared {
		r.ContentLength = -1
	}
	return r
}

func TestABodyTakesWhatItNeeds(t *testing.T) {
	const limit = 20 << 10
	for _, tc := range []struct {
		size, declared, undeclared int64
		wantErr                    error
	}{
		{0, 0, 4 << 10, nil},
		{1000, 1000, 4 << 10, nil},
		{4 << 10, 4 << 10, 4 << 10, nil},
		{4<<10 + 1, 4<<10 + 1, 8 << 10, nil},
		{16 << 10, 16 << 10, 16 << 10, nil},
		{16<<10 + 1, 16<<10 + 1, limit, nil},
		{limit, limit, limit, nil},
		{limit + 1, 0, limit, ErrBodyTooLarge},
		{10 * limit, 0, limit, ErrBodyTooLarge},
	} {
		for _, declared := range []bool{true, false} {
			g := NewWithT(t)
			b := NewBodyBudget(limit)
			want, content := tc.undeclared, strings.Repeat("x", int(tc.size))
			if declared {
				want = tc.declared
			}
			r := posted(t, tc.size, declared, iotest.HalfReader(strings.NewReader(content)))
			permit, err := b.Reserve(r, "a")
			var body []byte
			if err == nil {
				g.Expect(b.inUse).To(BeNumerically("<=", max(tc.declared, firstReservation)), "before it comes")
				body, err = permit.Read(httptest.NewRecorder(), r)
			}
			g.Expect(b.inUse).To(Equal(want), "%d bytes, declared %t", tc.size, declared)
			g.Expect(b.byInstitution["a"]).To(Equal(want))
			if tc.wantErr != nil {
				g.Expect(err).To(MatchError(tc.wantErr), "%d bytes, declared %t", tc.size, declared)
			} else {
				g.Expect(err).NotTo(HaveOccurred(), "%d bytes, declared %t", tc.size, declared)
				g.Expect(string(body)).To(Equal(content))
			}
			if permit != nil {
				permit.Release()
			}
			g.Expect(b.inUse).To(BeZero())
			g.Expect(b.byInstitution).To(BeEmpty())
		}
	}
}

// What grows is refused where there is no room for more of it, by the institution's share and by what all may have.
func TestABodyThatGrowsOutOfTheMemory(t *testing.T) {
	const limit, size = 64 << 10, 9 << 10
	for _, tc := range []struct {
		name     string
		others   types.UID
		bytes    int64
		want     bool
		wantBusy int64
	}{
		{"enough", "a", bodyMemory/2 - 16<<10, true, 16 << 10},
		{"a share that ends below it", "a", bodyMemory/2 - 16<<10 + 1, false, 8 << 10},
		{"another institution's share", "b", bodyMemory / 2, true, 16 << 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			b := NewBodyBudget(limit)
			others := BodyPermit{budget: b, institution: tc.others}
			g.Expect(others.grow(tc.bytes)).To(BeTrue())
			r := posted(t, size, false, strings.NewReader(strings.Repeat("x", size)))
			permit, err := b.Reserve(r, "a")
			g.Expect(err).NotTo(HaveOccurred())
			body, err := permit.Read(httptest.NewRecorder(), r)
			if tc.want {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(body).To(HaveLen(size))
			} else {
				g.Expect(err).To(MatchError(ErrBodyMemory))
			}
			g.Expect(b.inUse).To(Equal(tc.bytes + tc.wantBusy))
			permit.Release()
			others.Release()
			g.Expect(b.inUse).To(BeZero())
		})
	}
}
