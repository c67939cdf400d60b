// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

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
		wantStatus                 int
	}{
		{0, 0, 4 << 10, 0},
		{1000, 1000, 4 << 10, 0},
		{4 << 10, 4 << 10, 4 << 10, 0},
		{4<<10 + 1, 4<<10 + 1, 8 << 10, 0},
		{16 << 10, 16 << 10, 16 << 10, 0},
		{16<<10 + 1, 16<<10 + 1, limit, 0},
		{limit, limit, limit, 0},
		{limit + 1, 0, limit, http.StatusRequestEntityTooLarge},
		{10 * limit, 0, limit, http.StatusRequestEntityTooLarge},
	} {
		for _, declared := range []bool{true, false} {
			g := NewWithT(t)
			b := newBodies(limit)
			want, content := tc.undeclared, strings.Repeat("x", int(tc.size))
			if declared {
				want = tc.declared
			}
			r := posted(t, tc.size, declared, iotest.HalfReader(strings.NewReader(content)))
			room, refused := b.reserve(r, "a")
			var body []byte
			if refused == nil {
				g.Expect(b.inUse).To(BeNumerically("<=", max(tc.declared, firstReserve)), "before it comes")
				body, refused = room.read(httptest.NewRecorder(), r)
			}
			g.Expect(b.inUse).To(Equal(want), "%d bytes, declared %t", tc.size, declared)
			g.Expect(b.byInstitution["a"]).To(Equal(want))
			if tc.wantStatus != 0 {
				g.Expect(refused).NotTo(BeNil(), "%d bytes, declared %t", tc.size, declared)
				g.Expect(refused.status).To(Equal(tc.wantStatus))
			} else {
				g.Expect(refused).To(BeNil(), "%d bytes, declared %t", tc.size, declared)
				g.Expect(string(body)).To(Equal(content))
			}
			if room.bodies != nil {
				room.free()
			}
			g.Expect(b.inUse).To(BeZero())
			g.Expect(b.byInstitution).To(BeEmpty())
		}
	}
}

// What grows is refused where there is no room for more of it, by the institution's share and by what all may have.
func TestABodyThatGrowsOutOfTheRoom(t *testing.T) {
	const limit, size = 64 << 10, 9 << 10
	for _, tc := range []struct {
		name     string
		others   types.UID
		bytes    int64
		want     bool
		wantBusy int64
	}{
		{"room", "a", bodyMemory/2 - 16<<10, true, 16 << 10},
		{"a share that ends below it", "a", bodyMemory/2 - 16<<10 + 1, false, 8 << 10},
		{"another institution's share", "b", bodyMemory / 2, true, 16 << 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			b := newBodies(limit)
			others := room{bodies: b, institution: tc.others}
			g.Expect(others.grow(tc.bytes)).To(BeTrue())
			r := posted(t, size, false, strings.NewReader(strings.Repeat("x", size)))
			room, refused := b.reserve(r, "a")
			g.Expect(refused).To(BeNil())
			body, refused := room.read(httptest.NewRecorder(), r)
			g.Expect(refused == nil).To(Equal(tc.want))
			if tc.want {
				g.Expect(body).To(HaveLen(size))
			} else {
				g.Expect(refused.status).To(Equal(http.StatusServiceUnavailable))
				g.Expect(refused.reason).To(Equal("bodies-in-memory"))
			}
			g.Expect(b.inUse).To(Equal(tc.bytes + tc.wantBusy))
			room.free()
			others.free()
			g.Expect(b.inUse).To(BeZero())
		})
	}
}
