// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// bodyMemory is how many bytes all bodies that are read or handled may have together, about a sixteenth of what the pod
// may use. Deliveries have about a thousand each.
const bodyMemory = 32 << 20

var (
	// ErrBodyTooLarge says that a body has more bytes than may come.
	ErrBodyTooLarge = errors.New("the body is too large")
	// ErrBodyIncomplete says that a body did not come whole and in time.
	ErrBodyIncomplete = errors.New("the body is incomplete or did not arrive in time")
	// ErrBodyMemory says that the bodies of all, or of one institution, take as much memory as they may.
	ErrBodyMemory = errors.New("too many bodies in memory")
)

// BodyBudget bounds the memory that bodies take. The bounds of connections and of a single body are not enough: their
// product is more than the pod has, and whoever sends slowly keeps all of it.
type BodyBudget struct {
	// limit is the greatest body taken, total what all of them may have together, and perInstitution what those of one
	// institution may have, in bytes.
	limit, total, perInstitution int64

	mu            sync.Mutex
	inUse         int64
	byInstitution map[types.UID]int64
}

// NewBodyBudget bounds a body by a limit, and all of them by 32 MiB, or by twice the limit of one where that is more.
func NewBodyBudget(limit int64) *BodyBudget {
	total := max(bodyMemory, 2*limit)
	return &BodyBudget{limit: limit, total: total, perInstitution: total / 2, byInstitution: make(map[types.UID]int64)}
}

// Limit is how many bytes a body may have.
func (b *BodyBudget) Limit() int64 { return b.limit }

// firstReservation is what a body of unknown length takes before any of it is read, in bytes. Most deliveries fit, and
// it is doubled as long as more comes.
const firstReservation = 4 << 10

// BodyPermit is what a body may use of the memory.
type BodyPermit struct {
	budget      *BodyBudget
	institution types.UID
	size        int64
}

// Reserve takes the memory for the body of an institution's request, before any of it is read: what is declared, or a
// first step where nothing is. It has to be given back by Release. The error is ErrBodyTooLarge or ErrBodyMemory.
func (b *BodyBudget) Reserve(r *http.Request, institution types.UID) (*BodyPermit, error) {
	size := r.ContentLength
	if size > b.limit {
		return nil, ErrBodyTooLarge
	}
	if size < 0 {
		size = min(firstReservation, b.limit)
	}
	permit := &BodyPermit{budget: b, institution: institution}
	if !permit.grow(size) {
		return nil, ErrBodyMemory
	}
	return permit, nil
}

// grow takes more memory, or none where there is not enough.
func (p *BodyPermit) grow(by int64) bool {
	b := p.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inUse+by > b.total || b.byInstitution[p.institution]+by > b.perInstitution {
		return false
	}
	b.inUse += by
	b.byInstitution[p.institution] += by
	p.size += by
	return true
}

// Release gives the memory back.
func (p *BodyPermit) Release() {
	b := p.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inUse -= p.size
	if b.byInstitution[p.institution] -= p.size; b.byInstitution[p.institution] == 0 {
		delete(b.byInstitution, p.institution)
	}
	p.size = 0
}

// Read reads a body, with more memory where it turns out to need that. The error is one of the three of this file.
func (p *BodyPermit) Read(w http.ResponseWriter, request *http.Request) ([]byte, error) {
	limit := p.budget.limit
	from := http.MaxBytesReader(w, request.Body, limit)
	// A byte more than what may come, to meet the end without having to grow.
	body := make([]byte, 0, p.size+1)
	for {
		if len(body) == cap(body) {
			if !p.grow(min(p.size, limit-p.size)) {
				return nil, ErrBodyMemory
			}
			body = append(make([]byte, 0, p.size+1), body...)
		}
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, ErrBodyTooLarge
		}
		return nil, ErrBodyIncomplete
	}
}
