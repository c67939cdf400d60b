// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestDNSLabel(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"a label stays", "grad-7", "grad-7"},
		{"digits stay", "0123456789", "0123456789"},
		{"dashes stay", "a--b", "a--b"},
		{"the longest label stays", strings.Repeat("a", 63), strings.Repeat("a", 63)},
		{"capitals", "Ada", "ada-99a563ab2f"},
		{"accents", "João Conceição", "joao-conceicao-"},
		{"letters without accents", "straße-łódź", "strasse-lodz-"},
		{"other characters", "  Go: the (good) parts!  ", "go-the-good-parts-"},
		{"other scripts", "日本", "x-"},
		{"nothing", "", "x-e3b0c44298"},
		{"dashes only", "---", "x-"},
		{"too long", strings.Repeat("a", 64), strings.Repeat("a", 52) + "-"},
		{"cut at a dash", strings.Repeat("a", 51) + "-" + strings.Repeat("b", 20), strings.Repeat("a", 51) + "-"},
		{"what looks like a digest", "ada-0123456789", "ada-0123456789-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := dnsLabel(tc.text)
			if tc.want != got && (!strings.HasSuffix(tc.want, "-") || len(got) != len(tc.want)+digestLength ||
				!strings.HasPrefix(got, tc.want)) {
				t.Errorf("label %q, want %q", got, tc.want)
			}
			if problems := validation.IsDNS1123Label(got); len(problems) > 0 {
				t.Errorf("label %q: %v", got, problems)
			}
			if again := dnsLabel(tc.text); again != got {
				t.Errorf("label %q, then %q", got, again)
			}
		})
	}
}

func TestDNSLabelKeepsTextsApart(t *testing.T) {
	seen := map[string]string{}
	texts := []string{
		"", "-", "--", "ada", "Ada", "ADA", "ada ", " ada", "ada-", "ada.", "áda", "ada\n", "a da", "a-da", "a_da", "a.da",
		"日", "本",
		strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("a", 64) + "b",
	}
	// What another text's label is must not be a label of its own.
	for _, text := range texts {
		texts = append(texts, dnsLabel(text))
	}
	for _, text := range texts {
		label := dnsLabel(text)
		if other, ok := seen[label]; ok && other != text {
			t.Errorf("%q and %q both have the label %q", other, text, label)
		}
		seen[label] = text
	}
}

func TestDNSLabelInTemplates(t *testing.T) {
	template, err := compiler(t, Scope{}).Template("grad-${dnsLabel(course.name)}", UseMetadata)
	if err != nil {
		t.Fatal(err)
	}
	v := ada()
	v.Course.Name = "go-for-kubernetes"
	if got, err := template.String(v); err != nil || got != "grad-go-for-kubernetes" {
		t.Errorf("it yields %q, %v", got, err)
	}
}

func FuzzDNSLabel(f *testing.F) {
	for _, s := range []string{"", "Ada", "João", "日本", strings.Repeat("-", 70), "ada-0123456789", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		label := dnsLabel(text)
		if problems := validation.IsDNS1123Label(label); len(problems) > 0 {
			t.Errorf("label %q of %q: %v", label, text, problems)
		}
		if label != text && dnsLabel(label) == label {
			t.Errorf("label %q of %q is also the label of itself", label, text)
		}
	})
}
