// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package index declares the indexes that the loops read the cache by: their names, and what of an object they hold.
package index

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
)

// Names of indexes. The index of what a Grant provisioned is apply.IndexGrant.
const (
	// Holder finds the completions of a person.
	Holder = "holder"
	// Unplanned finds the completions that are still to be planned.
	Unplanned = "unplanned"
	// Course finds the completions of a course.
	Course = "course"
	// GrantHolder finds all the Grants of a person, those made by hand among them.
	GrantHolder = "grantHolder"
	// RevokedPool finds the Grants that revoke seats of a pool.
	RevokedPool = "revokedPool"
	// Policy finds the Grants of a policy.
	Policy = "policy"
	// OwnerDigest finds the Grant whose owner label an object carries.
	OwnerDigest = apply.IndexOwnerDigest
	// Pool finds the Grants that ask for a seat of a pool, and the seats of a pool.
	Pool = "pool"
	// SeatGrant finds the seats of a Grant.
	SeatGrant = "seatGrant"
	// Admitted finds the Grants of an institution that something was revoked of.
	Admitted = "admitted"
	// TokenDigest finds the Institutions that know a token.
	TokenDigest = "tokenDigest"
	// Prefix finds the Institutions with a prefix, and PrefixPart those whose prefix is or starts with another.
	Prefix     = "prefix"
	PrefixPart = "prefixPart"
)

// HolderKey returns under which value the indexes by holder have a person.
func HolderKey(institutionID, userID v1alpha1.PlatformID) string {
	return institutionID.String() + "/" + userID.String()
}

// HolderOf returns whose completion an object is, as a value of the index Holder.
func HolderOf(o client.Object) []string {
	spec := &o.(*v1alpha1.CourseCompletion).Spec
	return []string{HolderKey(spec.Institution.ID, spec.User.ID)}
}

func completionCourse(o client.Object) []string {
	return []string{o.(*v1alpha1.CourseCompletion).Spec.Course.ID.String()}
}

func grantHolder(o client.Object) []string {
	holder := o.(*v1alpha1.Grant).Spec.Holder
	return []string{HolderKey(holder.InstitutionID, holder.UserID)}
}

func grantPolicy(o client.Object) []string {
	if policy := o.(*v1alpha1.Grant).Spec.Policy; policy != "" {
		return []string{string(policy)}
	}
	return nil
}

func grantAdmitted(o client.Object) []string {
	grant := o.(*v1alpha1.Grant)
	if len(grant.Status.Admissions) == 0 {
		return nil
	}
	return []string{grant.Spec.Holder.InstitutionID.String()}
}

func grantOwnerDigest(o client.Object) []string { return []string{o.(*v1alpha1.Grant).OwnerDigest()} }

// PoolsOf returns the pools that a Grant asks for a seat of.
func PoolsOf(o client.Object) []string {
	var pools []string
	for _, seat := range o.(*v1alpha1.Grant).Spec.Seats {
		pools = append(pools, string(seat.Pool))
	}
	return pools
}

// PoolsRevokedBy returns the pools that a Grant revokes seats of.
func PoolsRevokedBy(o client.Object) []string {
	var pools []string
	for _, seat := range o.(*v1alpha1.Grant).Spec.Revokes.Seats {
		pools = append(pools, string(seat.Pool))
	}
	return pools
}

// PoolOfSeat returns the pool of a Seat.
func PoolOfSeat(o client.Object) []string { return []string{string(o.(*v1alpha1.Seat).Spec.Pool)} }

func seatGrant(o client.Object) []string { return []string{string(o.(*v1alpha1.Seat).Spec.Grant)} }

// TokensOf returns the digests of the tokens that an Institution knows.
func TokensOf(o client.Object) []string {
	var digests []string
	for _, token := range o.(*v1alpha1.Institution).Status.Tokens {
		if token.SHA256 != "" {
			digests = append(digests, token.SHA256)
		}
	}
	return digests
}

func institutionPrefix(o client.Object) []string {
	return []string{o.(*v1alpha1.Institution).Spec.NamespacePrefix}
}

func institutionPrefixParts(o client.Object) []string {
	return PrefixParts(o.(*v1alpha1.Institution).Spec.NamespacePrefix)
}

func ownerLabel(o client.Object) []string {
	if owner := o.GetLabels()[v1alpha1.LabelGrant]; owner != "" {
		return []string{owner}
	}
	return nil
}

// Setup declares every index that the loops read by.
func Setup(ctx context.Context, indexer client.FieldIndexer) error {
	indexes := []struct {
		object client.Object
		name   string
		values client.IndexerFunc
	}{
		{&v1alpha1.CourseCompletion{}, Holder, HolderOf},
		{&v1alpha1.CourseCompletion{}, Unplanned, unplanned},
		{&v1alpha1.CourseCompletion{}, Course, completionCourse},
		{&v1alpha1.Grant{}, GrantHolder, grantHolder},
		{&v1alpha1.Grant{}, RevokedPool, PoolsRevokedBy},
		{&v1alpha1.Grant{}, OwnerDigest, grantOwnerDigest},
		{&v1alpha1.Grant{}, Policy, grantPolicy},
		{&v1alpha1.Grant{}, Admitted, grantAdmitted},
		{&v1alpha1.Grant{}, Pool, PoolsOf},
		{&v1alpha1.Seat{}, Pool, PoolOfSeat},
		{&v1alpha1.Seat{}, SeatGrant, seatGrant},
		{&v1alpha1.Institution{}, TokenDigest, TokensOf},
		{&v1alpha1.Institution{}, Prefix, institutionPrefix},
		{&v1alpha1.Institution{}, PrefixPart, institutionPrefixParts},
	}
	for _, kind := range apply.Kinds() {
		indexes = append(indexes, struct {
			object client.Object
			name   string
			values client.IndexerFunc
		}{kind, apply.IndexGrant, ownerLabel})
	}
	for _, index := range indexes {
		if err := indexer.IndexField(ctx, index.object, index.name, index.values); err != nil {
			return fmt.Errorf("index %s of %T: %w", index.name, index.object, err)
		}
	}
	return nil
}

// unplanned is the function of the index of completions that were never looked at as they are: by their course, and all
// of them.
func unplanned(o client.Object) []string {
	completion := o.(*v1alpha1.CourseCompletion)
	if completion.Status.ObservedGeneration == completion.Generation {
		return nil
	}
	return []string{AnyCourse, completion.Spec.Course.ID.String()}
}

// AnyCourse is the value under which that index has the completions of all courses.
const AnyCourse = "any"

// PrefixParts returns everything that a prefix starts with and that could be a prefix: those of grad-law- are grad- and
// grad-law-.
func PrefixParts(prefix string) []string {
	var parts []string
	for i, r := range prefix {
		if r == '-' {
			parts = append(parts, prefix[:i+1])
		}
	}
	return parts
}
