// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const document = `{
  "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "a",
  "documentNamespace": "https://example.com/a",
  "creationInfo": {"created": "2026-11-26T10:00:00Z", "creators": ["Tool: test"]},
  "packages": [
    {"SPDXID": "SPDXRef-a", "name": "a", "versionInfo": "v1", "downloadLocation": "NOASSERTION"},
    {"SPDXID": "SPDXRef-b", "name": "b", "versionInfo": "v1", "downloadLocation": "NOASSERTION", "externalRefs": [
      {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:golang/b@v1"}]}
  ],
  "relationships": [
    {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-a"},
    {"spdxElementId": "SPDXRef-a", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "SPDXRef-b"}
  ]
}`

func TestCheck(t *testing.T) {
	for _, tc := range []struct{ name, old, replacement, want string }{
		{name: "a good document"},
		{"no JSON", document, "{", "no SPDX document"},
		{"a relationship to nothing", `Element": "SPDXRef-b"`, `Element": "SPDXRef-c"`, "no such package"},
		{"nothing described", "DESCRIBES", "CONTAINS", "describe one package"},
		{"no version", `"name": "b", "versionInfo": "v1"`, `"name": "b"`, "no version"},
		{"no identifier", `"externalRefs"`, `"annotation"`, "package URL"},
		{"a package without a reason", `"DEPENDS_ON", "relatedSpdxElement": "SPDXRef-b"`,
			`"DEPENDS_ON", "relatedSpdxElement": "SPDXRef-a"`, "nothing says why"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := document
			if tc.old != "" {
				text = strings.Replace(document, tc.old, tc.replacement, 1)
			}
			path := filepath.Join(t.TempDir(), "a.spdx.json")
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			err := check(path)
			if tc.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("want an error that says %q, got %v", tc.want, err)
			}
		})
	}
}
