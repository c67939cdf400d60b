// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"golang.org/x/text/unicode/norm"
)

const (
	dnsLabelFunction = "dnsLabel"
	maxLabel         = 63
	// digestLength is how many hexadecimal digits tell apart the texts that would have the same label.
	digestLength = 10
)

// dnsLabelOption declares `dnsLabel(string) string`.
func dnsLabelOption() cel.EnvOption {
	return cel.Function(dnsLabelFunction,
		cel.Overload("dns_label_string", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(func(arg ref.Val) ref.Val {
				s, ok := arg.(types.String)
				if !ok {
					return types.MaybeNoSuchOverloadErr(arg)
				}
				return types.String(dnsLabel(string(s)))
			})))
}

// dnsLabel makes a DNS label (RFC 1123) of any text. A text that is one stays as it is. Of any other, what a label
// cannot hold is replaced, and a digest of the text is appended, so that different texts have different labels; a
// text that looks as if it ended in such a digest gets one too.
func dnsLabel(text string) string {
	label := foldLabel(text)
	if label == text && label != "" && len(label) <= maxLabel && !endsInDigest(label) {
		return label
	}
	sum := sha256.Sum256([]byte(text))
	digest := hex.EncodeToString(sum[:])[:digestLength]
	label = strings.TrimRight(label[:min(len(label), maxLabel-1-digestLength)], "-")
	if label == "" {
		label = "x"
	}
	return label + "-" + digest
}

// foldLabel lowers the text, takes the accents off its letters and puts one dash for each run of other characters.
func foldLabel(text string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(text)) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			b.WriteRune(r)
		case r >= 0x0300 && r <= 0x036f: // an accent, now apart from its letter
		default:
			if plain, ok := plainLetters[r]; ok {
				b.WriteString(plain)
				continue
			}
			if s := b.String(); s != "" && !strings.HasSuffix(s, "-") {
				b.WriteByte('-')
			}
		}
	}
	return strings.Trim(b.String(), "-")
}

// plainLetters are the Latin letters that Unicode does not take apart.
var plainLetters = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'þ': "th", 'ł': "l", 'ı': "i", 'ħ': "h", 'ŧ': "t",
}

// endsInDigest reports whether a label could be mistaken for one with a digest.
func endsInDigest(label string) bool {
	dash := strings.LastIndexByte(label, '-')
	if dash < 0 || len(label)-dash-1 != digestLength {
		return false
	}
	return strings.Trim(label[dash+1:], "0123456789abcdef") == ""
}
