// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types. Ready, Reconciling and Stalled mean what kstatus says they mean, so that `kubectl wait` and every
// GitOps tool read them.
const (
	// ConditionReady is True when the object is as its spec asks. Its reason is the one word that says why not.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the operator works towards Ready, or waits for something that can come.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when only a change of the spec, or of the installation, can help.
	ConditionStalled = "Stalled"
	// ConditionAllowed, on an Institution, is True while its namespace says that it may have its id and its prefix, and no
	// other Institution has an older claim to namespaces with that prefix. While it is not, the Institution takes no
	// deliveries, grants nothing and revokes nothing.
	ConditionAllowed = "Allowed"
	// ConditionAccessReady, on a policy with objects, is True when its ServiceAccount may do what the objects need, as far
	// as that can be known before the first grant. The policy may be Ready without it.
	ConditionAccessReady = "AccessReady"
	// ConditionNamesDistinct, on a policy that grants namespaces or objects, is True when each of its grants has names of its
	// own for them, and False when several share a name. The policy may be Ready without it.
	ConditionNamesDistinct = "NamesDistinct"
	// ConditionRevocationsComplete, on a grant that revokes namespaces, is True when they have gone.
	ConditionRevocationsComplete = "RevocationsComplete"
	// ConditionRevocationsPaused, on an Institution, is True while the brake holds revocations back. Its message says how
	// to release them. It is absent until the brake trips for the first time.
	ConditionRevocationsPaused = "RevocationsPaused"
)

// Reasons of conditions. They are stable tokens: alerts and scripts may rely on them.
const (
	// ReasonReady means that everything asked for is there.
	ReasonReady = "Ready"
	// ReasonProgressing means that work is under way.
	ReasonProgressing = "Progressing"
	// ReasonProgressingWithRetry means that an attempt failed and is being repeated.
	ReasonProgressingWithRetry = "ProgressingWithRetry"
	// ReasonSuspended means that the policy or the institution is suspended.
	ReasonSuspended = "Suspended"

	// ReasonTokenNotFound means that a Secret named in tokenSecretRefs does not exist, or is of another type.
	ReasonTokenNotFound = "TokenNotFound"
	// ReasonTokenInvalid means that such a Secret has no token, or one that is too short or easily guessed.
	ReasonTokenInvalid = "TokenInvalid"
	// ReasonTokenShared means that another Institution has the same token, and keeps it.
	ReasonTokenShared = "TokenShared"
	// ReasonAccessMissing means that the controller-manager may not read the Secret: a RoleBinding is missing.
	ReasonAccessMissing = "AccessMissing"
	// ReasonAllowed means that the namespace of an Institution allows its id and its prefix.
	ReasonAllowed = "Allowed"
	// ReasonNotAllowed means that the namespace of an Institution does not say that it may have its id and its prefix. The
	// message holds the command with which whoever runs the cluster allows it.
	ReasonNotAllowed = "NotAllowed"
	// ReasonPrefixOverlaps means that the names of namespaces of an older Institution may start as those of this one do.
	ReasonPrefixOverlaps = "PrefixOverlaps"
	// ReasonInvalidTimeZone means that spec.timeZone is not in the IANA time zone database.
	ReasonInvalidTimeZone = "InvalidTimeZone"
	// ReasonDuplicateInstitution means that two Institutions in one namespace claim the same id.
	ReasonDuplicateInstitution = "DuplicateInstitution"

	// ReasonNamesDistinct means that every grant of a policy has names of its own.
	ReasonNamesDistinct = "NamesDistinct"
	// ReasonSharedByCompletions means that the grants of several completions of one user name the same namespace or object,
	// and share it.
	ReasonSharedByCompletions = "SharedByCompletions"
	// ReasonSharedByUsers means that the grants of different users name the same namespace or object. Only one of them can
	// have it.
	ReasonSharedByUsers = "SharedByUsers"
	// ReasonInvalidPolicy means that an expression or a fixed value of the policy is wrong.
	ReasonInvalidPolicy = "InvalidPolicy"
	// ReasonInstitutionMissing means that no Institution with the completion's id lives in the namespace.
	ReasonInstitutionMissing = "InstitutionMissing"

	// ReasonSentInFuture means that the completion says that it was sent more than 48 hours from now. It grants nothing before
	// it is no longer so far ahead.
	ReasonSentInFuture = "SentInFuture"
	// ReasonGranted means that every policy that matched has granted.
	ReasonGranted = "Granted"
	// ReasonNothingMatched means that no policy matched, so that nothing had to be granted.
	ReasonNothingMatched = "NothingMatched"
	// ReasonNothingGranted means that policies matched, but had nothing to grant: what they would have granted has ended
	// already, or they are suspended.
	ReasonNothingGranted = "NothingGranted"
	// ReasonCoursesMissing means that a policy requires all of its courses, and no completion of one of them entitles.
	ReasonCoursesMissing = "CoursesMissing"
	// ReasonPolicyFailed means that a policy could not be evaluated or rendered for this completion.
	ReasonPolicyFailed = "PolicyFailed"
	// ReasonGrantNotReady means that a grant is planned but not yet, or no longer, in place.
	ReasonGrantNotReady = "GrantNotReady"

	// ReasonActive means that the grant is in place.
	ReasonActive = "Active"
	// ReasonAwaitingApproval means that the grant waits for a person to approve it.
	ReasonAwaitingApproval = "AwaitingApproval"
	// ReasonConflict means that something of that name exists and belongs to somebody else. It is left untouched.
	ReasonConflict = "Conflict"
	// ReasonWaitingForGrant means that what the grant shares with another one of the same user and policy is for that one
	// to put in place, or to take over.
	ReasonWaitingForGrant = "WaitingForGrant"
	// ReasonNamespaceLimit means that the institution has as many granted namespaces as it may have. Once there is room, the
	// grant proceeds.
	ReasonNamespaceLimit = "NamespaceLimit"
	// ReasonRefused means that the grant asks for what the operator or the installation does not allow.
	ReasonRefused = "Refused"
	// ReasonForbidden means that the API server denied the operator a right that it needs.
	ReasonForbidden = "Forbidden"
	// ReasonServiceAccountNotOptedIn means that the ServiceAccount of a policy's objects does not exist or lacks the label
	// that lets policies use it.
	ReasonServiceAccountNotOptedIn = "ServiceAccountNotOptedIn"
	// ReasonKindUnknown means that the API server does not serve the kind of an object.
	ReasonKindUnknown = "KindUnknown"
	// ReasonWaitingForSeat means that no seat of a pool is free for the grant yet.
	ReasonWaitingForSeat = "WaitingForSeat"
	// ReasonPoolMissing means that the pool that should give a seat does not exist.
	ReasonPoolMissing = "PoolMissing"
	// ReasonAccessEnded means that the entitlement has ended and the data waits for the end of the grace days.
	ReasonAccessEnded = "AccessEnded"
	// ReasonEnded means that the entitlement has ended and everything that had to go has gone.
	ReasonEnded = "Ended"
	// ReasonRevokedByCompletion means that a later completion of the same user revoked everything that was granted.
	ReasonRevokedByCompletion = "RevokedByCompletion"
	// ReasonNamespacesDeleted means that every namespace that the grant revokes has gone.
	ReasonNamespacesDeleted = "NamespacesDeleted"
	// ReasonNotRevocable means that a namespace that a completion takes away may not be deleted: it lacks the label
	// completions.lxp.dev/revocable with the institution's id, or is somebody else's. It is left untouched.
	ReasonNotRevocable = "NotRevocable"
	// ReasonRevoked means that a person revoked the grant.
	ReasonRevoked = "Revoked"
	// ReasonTerminating means that something is being deleted and not gone yet.
	ReasonTerminating = "Terminating"

	// ReasonRevocationPaused means that the grant keeps what is to be taken away until a person releases the brake of the
	// institution.
	ReasonRevocationPaused = "RevocationPaused"
	// ReasonBudgetExceeded means that more grants were to be revoked within an hour than the institution's budget.
	ReasonBudgetExceeded = "BudgetExceeded"
	// ReasonReleased means that a person released the brake.
	ReasonReleased = "Released"
	// ReasonReleaseIgnored means that the annotation that releases a brake does not name a trip that pauses anything.
	ReasonReleaseIgnored = "ReleaseIgnored"
	// ReasonNothingHeld means that the brake has let go by itself, since nothing was left to be revoked.
	ReasonNothingHeld = "NothingHeld"

	// ReasonCapacityLowered means that more seats are taken than the pool's capacity allows; nobody is evicted.
	ReasonCapacityLowered = "CapacityLowered"
)
