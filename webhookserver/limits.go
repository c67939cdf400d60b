/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package webhookserver

import (
	"bytes"
	"errors"
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

// reserve takes the room for the body of an institution's request, before any of it is read: what is declared, or the
// limit where nothing is. Free gives it back.
func (b *bodies) reserve(r *http.Request, institution types.UID) (free func(), refused *answer) {
	size := r.ContentLength
	if size > b.limit {
		return nil, bodyTooLarge(b.limit)
	}
	if size < 0 {
		size = b.limit
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inUse+size > b.room || b.byInstitution[institution]+size > b.share {
		return nil, unavailable("bodies-in-memory")
	}
	b.inUse += size
	b.byInstitution[institution] += size
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.inUse -= size
		if b.byInstitution[institution] -= size; b.byInstitution[institution] == 0 {
			delete(b.byInstitution, institution)
		}
	}, nil
}

// read reads a body that there is room for.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) ([]byte, *answer) {
	// Of the right size from the start: what grows takes several times as much.
	body := bytes.NewBuffer(make([]byte, 0, max(0, r.ContentLength)+bytes.MinRead))
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, b.limit))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, bodyTooLarge(b.limit)
	}
	if err != nil {
		return nil, bodyIncomplete()
	}
	return body.Bytes(), nil
}
