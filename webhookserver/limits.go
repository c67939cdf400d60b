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
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
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
	got, parameters, err := mime.ParseMediaType(declared[0])
	if err != nil || got != mediaType {
		return unsupportedMediaType("The Content-Type must be " + mediaType + ".")
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return unsupportedMediaType("The charset must be utf-8.")
	}
	return nil
}

// readBody reads a body of at most limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *answer) {
	if r.ContentLength > limit {
		return nil, bodyTooLarge(limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, bodyTooLarge(limit)
	}
	if err != nil {
		return nil, bodyIncomplete()
	}
	return body, nil
}
