// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// indexAcceptedDigest finds the Institutions that accept the token with a given digest.
const indexAcceptedDigest = "status.tokens.accepted.sha256"

// acceptedDigests is the function of that index.
func acceptedDigests(object client.Object) []string {
	institution, ok := object.(*v1alpha1.Institution)
	if !ok {
		return nil
	}
	var digests []string
	for _, token := range institution.Status.Tokens {
		if token.State == v1alpha1.TokenAccepted && token.SHA256 != "" {
			digests = append(digests, token.SHA256)
		}
	}
	return digests
}

// rejection says in a word why a call was not let in. The sender is never told.
type rejection string

const (
	// rejectedMissing: there is no token, neither in the path nor in the header.
	rejectedMissing rejection = "missing"
	// rejectedMalformed: the Authorization header is neither a bearer token nor basic, or there are several.
	rejectedMalformed rejection = "malformed"
	// rejectedDiffering: the token in the path is not the one in the header.
	rejectedDiffering rejection = "differing"
	// rejectedWrong: the institution is not known, or the token is none of its tokens. Nothing tells which.
	rejectedWrong rejection = "wrong"
	// rejectedAddress: the token is good, but the institution's deliveries may not come from that address.
	rejectedAddress rejection = "address"
)

// credentials are what a call presents in its path and header.
type credentials struct {
	// institution is 0 where the path has no number of one.
	institution v1alpha1.PlatformID
	// token is empty where invalid is set, which says why it is.
	token   string
	invalid rejection
}

// parseCredentials reads what a call presents, or reports false where its path is not that of the webhook. The token
// may stand in the path or in the header, or the same in both.
func parseCredentials(u *url.URL, header http.Header) (credentials, bool) {
	c, ok := parsePath(u)
	if !ok {
		return credentials{}, false
	}
	values := header.Values("Authorization")
	switch {
	case len(values) == 0:
		if c.token == "" {
			c.invalid = rejectedMissing
		}
		return c, true
	case len(values) > 1:
		return credentials{institution: c.institution, invalid: rejectedMalformed}, true
	}
	token, ok := parseAuthorization(values[0])
	switch {
	case !ok:
		return credentials{institution: c.institution, invalid: rejectedMalformed}, true
	case c.token != "" && subtle.ConstantTimeCompare([]byte(c.token), []byte(token)) != 1:
		return credentials{institution: c.institution, invalid: rejectedDiffering}, true
	}
	c.token = token
	return c, true
}

// parsePath reads /webhooks/{institution} and /webhooks/{institution}/{token}. It takes the path as it was sent, since
// a token may have slashes in it when they are escaped. It reports false for every other path.
func parsePath(u *url.URL) (credentials, bool) {
	parts := strings.Split(u.EscapedPath(), "/")
	if len(parts) < 3 || len(parts) > 4 || parts[0] != "" || parts[1] != "webhooks" {
		return credentials{}, false
	}
	c := credentials{institution: parseInstitution(parts[2])}
	if len(parts) == 3 {
		return c, true
	}
	token, err := url.PathUnescape(parts[3])
	if err != nil {
		return credentials{}, false
	}
	c.token = token
	return c, true
}

// parseAuthorization returns the token in the value of an Authorization header: what follows Bearer (RFC 6750), or the
// password that follows Basic (RFC 7617). The name in front of the password may be any, since the path says who the
// institution is.
func parseAuthorization(value string) (token string, ok bool) {
	scheme, rest, _ := strings.Cut(value, " ")
	rest = strings.TrimLeft(rest, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return rest, rest != ""
	case strings.EqualFold(scheme, "Basic"):
		decoded, err := base64.StdEncoding.Strict().DecodeString(rest)
		if err != nil {
			return "", false
		}
		_, password, _ := strings.Cut(string(decoded), ":")
		return password, password != ""
	default:
		return "", false
	}
}

// parseInstitution reads a number in the one form that the platform writes, or returns 0.
func parseInstitution(text string) v1alpha1.PlatformID {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 || strconv.FormatInt(id, 10) != text {
		return 0
	}
	return v1alpha1.PlatformID(id)
}

// authenticator finds the Institution that a call speaks for. The token chooses it: two Institutions may claim one id,
// in different namespaces, and each gets the deliveries with its own tokens.
type authenticator struct {
	// institutions needs indexAcceptedDigest.
	institutions client.Reader
	// unsettled may be nil.
	unsettled *unsettled
}

// undecided reports whether it cannot be told yet that what was refused is wrong: the tokens of the institution are
// still to be read.
func (a *authenticator) undecided(c credentials) bool {
	sum := sha256.Sum256([]byte(c.token))
	return a.unsettled.covers(c.institution, hex.EncodeToString(sum[:])) && c.invalid == ""
}

// authenticate returns the Institution and the name of the Secret that has the token, or nil where the institution is
// unknown or the token wrong. An Institution that is being deleted still takes deliveries until it has gone. It is
// shared with other calls: nobody may change it.
//
// The work does not depend on whether the institution exists: one digest of what was presented, one look-up by that
// digest, which an unknown institution and a wrong token both miss. How far a digest agrees with another says nothing
// of the token behind it. A token that more than one Institution accepts is accepted for none of them, even if the
// status that should have said so is behind.
func (a *authenticator) authenticate(
	ctx context.Context, c credentials,
) (institution *v1alpha1.Institution, secret string, err error) {
	sum := sha256.Sum256([]byte(c.token))
	digest := hex.EncodeToString(sum[:])
	var found v1alpha1.InstitutionList
	// Each call reads the Institution and none changes it, so that all can share it.
	err = a.institutions.List(ctx, &found, client.MatchingFields{indexAcceptedDigest: digest},
		client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, "", fmt.Errorf("looking up the institution of a token: %w", err)
	}
	if len(found.Items) != 1 || c.invalid != "" {
		return nil, "", nil
	}
	institution = &found.Items[0]
	secret, accepted := acceptedFrom(institution, digest)
	if institution.Spec.ID != c.institution || !accepted {
		return nil, "", nil
	}
	return institution, secret, nil
}

// acceptedFrom compares with every accepted digest in constant time, and returns the name of the Secret that has the
// token.
func acceptedFrom(institution *v1alpha1.Institution, digest string) (secret string, ok bool) {
	for _, token := range institution.Status.Tokens {
		if token.State != v1alpha1.TokenAccepted || token.SHA256 == "" {
			continue
		}
		if subtle.ConstantTimeCompare([]byte(token.SHA256), []byte(digest)) == 1 {
			secret, ok = string(token.SecretName), true
		}
	}
	return secret, ok
}
