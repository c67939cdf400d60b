// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"mime"
	"net/http"
	"strings"
)

// mediaType is the only one that deliveries come in.
const mediaType = "application/json"

// checkMediaType refuses a body that is not declared as plain JSON in UTF-8, before anything of it is read.
func checkMediaType(header http.Header) *answer {
	if encoding := header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return unsupportedMediaType("The body must not be compressed: omit Content-Encoding.")
	}
	declared := header.Values("Content-Type")
	if len(declared) != 1 {
		return unsupportedMediaType("The request must have exactly one Content-Type, " + mediaType + ".")
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
