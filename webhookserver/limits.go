// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// mediaType is the only one that deliveries come in.
const mediaType = "application/json"

// checkMediaType refuses a body that is not declared as plain JSON in UTF-8, before anything of it is read.
func checkMediaType(header http.Header) *answer {
	if encoding := header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return unsupportedMediaType("The body must not be compressed: send no Content-Encoding.")
	}
	declared := header.Values("Content-Type")
	if len(declared) != 1 {
		return unsupportedMediaType("The request must have one Content-Type, " + mediaType + ".")
	}
	if declared[0] == mediaType {
		return nil
	}
	got, parameters, err := mime.ParseMediaType(declared[0])
	if err != nil || got != mediaType {
		return unsupportedMediaType("The Content-Type must be " + mediaType + ".")
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return unsupportedMediaType("The charset must be utf-8.")
	}
	return nil
}

// bodyMemory is how many bytes all bodies that are read or handled may have together, about a sixteenth of what the pod
// may use. Deliveries have about a thousand each.
const bodyMemory = 32 << 20

// bodies bounds the memory that bodies take. The bounds of connections and of a single body are not enough: their
// product is more than the pod has, and whoever sends slowly keeps all of it.
type bodies struct {
	// limit is the greatest body taken, room what all of them may have together, and share what those of one institution
	// may have, in bytes.
	limit, room, share int64

	mu            sync.Mutex
	inUse         int64
	byInstitution map[types.UID]int64
}

// newBodies bounds all bodies by bodyMemory, or by twice the limit of one where that is more.
func newBodies(limit int64) *bodies {
	room := max(bodyMemory, 2*limit)
	return &bodies{limit: limit, room: room, share: room / 2, byInstitution: make(map[types.UID]int64)}
}

// firstReserve is what a body of unknown length takes before any of it is read, in bytes. Most deliveries fit, and it
// is doubled as long as more comes.
const firstReserve = 4 << 10

// room is what a body may use of the memory.
type room struct {
	bodies      *bodies
	institution types.UID
	size        int64
}

// reserve takes the room for the body of an institution's request, before any of it is read: what is declared, or a
// first step where nothing is. The room has to be given back by free.
func (b *bodies) reserve(r *http.Request, institution types.UID) (room, *answer) {
	size := r.ContentLength
	if size > b.limit {
		return room{}, bodyTooLarge(b.limit)
	}
	if size < 0 {
		size = min(firstReserve, b.limit)
	}
	taken := room{bodies: b, institution: institution}
	if !taken.grow(size) {
		return room{}, bodiesInMemory()
	}
	return taken, nil
}

// grow takes more room, or none where there is not enough.
func (r *room) grow(by int64) bool {
	b := r.bodies
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inUse+by > b.room || b.byInstitution[r.institution]+by > b.share {
		return false
	}
	b.inUse += by
	b.byInstitution[r.institution] += by
	r.size += by
	return true
}

// free gives the room back.
func (r *room) free() {
	b := r.bodies
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inUse -= r.size
	if b.byInstitution[r.institution] -= r.size; b.byInstitution[r.institution] == 0 {
		delete(b.byInstitution, r.institution)
	}
	r.size = 0
}

// read reads a body, with more room where it turns out to need that.
func (r *room) read(w http.ResponseWriter, request *http.Request) ([]byte, *answer) {
	limit := r.bodies.limit
	from := http.MaxBytesReader(w, request.Body, limit)
	// A byte more than what may come, to meet the end without having to grow.
	body := make([]byte, 0, r.size+1)
	for {
		if len(body) == cap(body) {
			if !r.grow(min(r.size, limit-r.size)) {
				return nil, bodiesInMemory()
			}
			body = append(make([]byte, 0, r.size+1), body...)
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
			return nil, bodyTooLarge(limit)
		}
		return nil, bodyIncomplete()
	}
}

func bodiesInMemory() *answer { return unavailable("bodies-in-memory") }
