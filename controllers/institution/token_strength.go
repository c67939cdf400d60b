// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package institution

import (
	"crypto/sha256"
	"encoding/hex"
)

// minTokenCharacters is how many different characters a token has at least. Random ones have more, also where they are
// written in hexadecimal, which has 16 in all; what somebody made up by repeating a few has not.
const minTokenCharacters = 8

// publishedTokens are the digests of tokens that stood in the samples of this project, so that everybody knows them.
var publishedTokens = map[string]bool{
	// The sample institution's.
	"37991595920bf6ec780e8f07789e60c8a16079d51c41ecb12efcebdf35cc41c7": true,
}

// guessable tells whether somebody could find a token without having been told. Its digest is in the status of the
// Institution, for many to read.
func guessable(token string) bool {
	different := make(map[rune]bool)
	for _, character := range token {
		different[character] = true
	}
	digest := sha256.Sum256([]byte(token))
	return len(different) < minTokenCharacters || publishedTokens[hex.EncodeToString(digest[:])]
}
