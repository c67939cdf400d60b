// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
)

// Names of indexes. The index of what a Grant provisioned is apply.IndexGrant.
const (
	// indexHolder finds the completions of a person.
	indexHolder = "holder"
	// indexUnplanned finds the completions that are still to be planned.
	indexUnplanned = "unplanned"
	// indexCourse finds the completions of a course.
	indexCourse = "course"
	// indexGrantHolder finds all the Grants of a person, those made by hand among them.
	indexGrantHolder = "grantHolder"
	// indexTakenPool finds the Grants that take seats of a pool away.
	indexRevokedPool = "takenPool"
	// indexPolicy finds the Grants of a policy.
	indexPolicy = "policy"
	// indexOwnerDigest finds the Grant whose owner label an object carries.
	indexOwnerDigest = apply.IndexOwnerDigest
	// indexPool finds the Grants that ask for a seat of a pool, and the seats of a pool.
	indexPool = "pool"
	// indexSeatGrant finds the seats of a Grant.
	indexSeatGrant = "seatGrant"
	// indexAdmitted finds the Grants of an institution that something was revoked of.
	indexAdmitted = "admitted"
	// indexTokenDigest finds the Institutions that know a token.
	indexTokenDigest = "tokenDigest"
	// indexPrefix finds the Institutions with a prefix, and indexPrefixPart those whose prefix is or starts with another.
	indexPrefix     = "prefix"
	indexPrefixPart = "prefixPart"
)

func holderKey(institutionID, userID v1alpha1.PlatformID) string {
	return institutionID.String() + "/" + userID.String()
}

func completionHolder(o client.Object) []string {
	spec := &o.(*v1alpha1.CourseCompletion).Spec
	return []string{holderKey(spec.Institution.ID, spec.User.ID)}
}

func completionCourse(o client.Object) []string {
	return []string{o.(*v1alpha1.CourseCompletion).Spec.Course.ID.String()}
}

func grantHolder(o client.Object) []string {
	holder := o.(*v1alpha1.Grant).Spec.Holder
	return []string{holderKey(holder.InstitutionID, holder.UserID)}
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

func grantPools(o client.Object) []string {
	var pools []string
	for _, seat := range o.(*v1alpha1.Grant).Spec.Seats {
		pools = append(pools, string(seat.Pool))
	}
	return pools
}

func revokedPools(o client.Object) []string {
	var pools []string
	for _, seat := range o.(*v1alpha1.Grant).Spec.Revokes.Seats {
		pools = append(pools, string(seat.Pool))
	}
	return pools
}

func seatPool(o client.Object) []string { return []string{string(o.(*v1alpha1.Seat).Spec.Pool)} }

func seatGrant(o client.Object) []string { return []string{string(o.(*v1alpha1.Seat).Spec.Grant)} }

func institutionTokens(o client.Object) []string {
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
	return prefixParts(o.(*v1alpha1.Institution).Spec.NamespacePrefix)
}

func ownerLabel(o client.Object) []string {
	if owner := o.GetLabels()[v1alpha1.LabelGrant]; owner != "" {
		return []string{owner}
	}
	return nil
}

// setupIndexes declares every index that the loops read by.
func setupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	indexes := []struct {
		object client.Object
		name   string
		values client.IndexerFunc
	}{
		{&v1alpha1.CourseCompletion{}, indexHolder, completionHolder},
		{&v1alpha1.CourseCompletion{}, indexUnplanned, unplanned},
		{&v1alpha1.CourseCompletion{}, indexCourse, completionCourse},
		{&v1alpha1.Grant{}, indexGrantHolder, grantHolder},
		{&v1alpha1.Grant{}, indexRevokedPool, revokedPools},
		{&v1alpha1.Grant{}, indexOwnerDigest, grantOwnerDigest},
		{&v1alpha1.Grant{}, indexPolicy, grantPolicy},
		{&v1alpha1.Grant{}, indexAdmitted, grantAdmitted},
		{&v1alpha1.Grant{}, indexPool, grantPools},
		{&v1alpha1.Seat{}, indexPool, seatPool},
		{&v1alpha1.Seat{}, indexSeatGrant, seatGrant},
		{&v1alpha1.Institution{}, indexTokenDigest, institutionTokens},
		{&v1alpha1.Institution{}, indexPrefix, institutionPrefix},
		{&v1alpha1.Institution{}, indexPrefixPart, institutionPrefixParts},
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
