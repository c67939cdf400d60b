// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DataHandling says what is done to a personal field before anything is stored or logged.
//
// +kubebuilder:validation:Enum=Keep;Mask;Drop
type DataHandling string

const (
	// DataKeep stores the value as it came.
	DataKeep DataHandling = "Keep"
	// DataMask stores a form that a person recognises but that does not give the value away.
	DataMask DataHandling = "Mask"
	// DataDrop stores nothing.
	DataDrop DataHandling = "Drop"
)

// PrivacySpec says per personal field what is kept of it. A policy can only use fields that are kept.
type PrivacySpec struct {
	// name of the user. Mask keeps the first letter.
	//
	// +kubebuilder:default=Keep
	// +optional
	Name DataHandling `json:"name,omitempty"`

	// email address of the user. Mask keeps the first letter and the domain; of what is no address only the first letter.
	//
	// +kubebuilder:default=Keep
	// +optional
	Email DataHandling `json:"email,omitempty"`

	// cpf is the Brazilian taxpayer number of the user. Mask keeps the last two characters, which are the check digits; of
	// a text of less than six characters nothing.
	//
	// +kubebuilder:default=Mask
	// +optional
	CPF DataHandling `json:"cpf,omitempty"`

	// nickname of the user. Mask keeps the first letter.
	//
	// +kubebuilder:default=Keep
	// +optional
	Nickname DataHandling `json:"nickname,omitempty"`

	// uuid of the user. Mask keeps the last four characters; of a text of less than twelve nothing.
	//
	// +kubebuilder:default=Keep
	// +optional
	UUID DataHandling `json:"uuid,omitempty"`
}

// TokenSecretReference names a Secret of the type completions.lxp.dev/webhook-token in the Institution's namespace.
type TokenSecretReference struct {
	// name of the Secret. Its key `token` holds at least 32 characters.
	//
	// +required
	Name LocalName `json:"name,omitempty"`
}

// AuthenticationSpec says how a sender proves that it speaks for the institution.
type AuthenticationSpec struct {
	// tokenSecretRefs are the Secrets whose tokens are accepted, all of them at the same time: to rotate a token without
	// losing a delivery, add the new Secret, switch the sender, then remove the old one.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +required
	TokenSecretRefs []TokenSecretReference `json:"tokenSecretRefs,omitempty"`

	// allowedCIDRs are the networks, such as `203.0.113.0/24` or `2001:db8::/32`, that deliveries may come from; a call
	// with a good token from elsewhere gets 403. The address that counts is that of the connection, or, where that is one
	// of the webhook server's trusted proxies, what the proxies say. Unset: deliveries may come from everywhere.
	//
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +optional
	AllowedCIDRs []CIDR `json:"allowedCIDRs,omitempty"`
}

// CIDR is a network of IPv4 or IPv6 addresses: the least of its addresses, a slash and the length of its prefix.
//
// +kubebuilder:validation:MinLength=4
// +kubebuilder:validation:MaxLength=43
// +kubebuilder:validation:XValidation:rule="isCIDR(self)",message="must be a network, such as 203.0.113.0/24 or 2001:db8::/32"
// +kubebuilder:validation:XValidation:rule="!isCIDR(self) || cidr(self) == cidr(self).masked()",message="must start with the least address of the network: 203.0.113.0/24, not 203.0.113.7/24"
type CIDR string

// LimitsSpec bounds how fast deliveries of an institution are taken. Each replica of the webhook server counts what
// comes to itself.
//
// +kubebuilder:validation:XValidation:rule="!has(self.burst) || has(self.deliveriesPerSecond)",message="burst needs deliveriesPerSecond"
type LimitsSpec struct {
	// deliveriesPerSecond is how many deliveries with a good token are taken in a second, in the long run. What comes
	// faster gets 429 with Retry-After and is not stored. Unset: as many as come.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	// +optional
	DeliveriesPerSecond int32 `json:"deliveriesPerSecond,omitempty"`

	// burst is how many deliveries are taken at once after a quiet time. Unset: as many as deliveriesPerSecond.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	Burst int32 `json:"burst,omitempty"`
}

// InstitutionSpec says who the institution is and how its deliveries are taken.
type InstitutionSpec struct {
	// id is the platform's number of the institution (institution.id of its deliveries). Immutable.
	//
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="id is immutable: make another Institution"
	// +required
	ID PlatformID `json:"id,omitempty"`

	// authentication says how a sender proves that it speaks for this institution.
	//
	// +required
	Authentication AuthenticationSpec `json:"authentication,omitzero"`

	// namespacePrefix is what the name of every namespace granted in this institution starts with, such as `grad-`. It
	// ends in '-', so that nobody's names can run on into another one's, and is not the start of a namespace that belongs
	// to the cluster or to software that is trusted by the name of its namespace. Of two Institutions whose prefixes
	// overlap, the older one keeps its own, and the other is not Ready. Immutable, because what has been granted under it
	// stays.
	//
	// +kubebuilder:validation:MinLength=4
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z][-a-z0-9]*-$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="namespacePrefix is immutable: make another Institution"
	// +kubebuilder:validation:XValidation:rule="!['kube', 'openshift', 'default', 'completion', 'istio-', 'linkerd-', 'cert-manager-', 'monitoring-', 'prometheus-', 'grafana-', 'logging-', 'observability-', 'opentelemetry-', 'argo-', 'argocd-', 'flux-', 'vault-', 'external-secrets-', 'external-dns-', 'sealed-secrets-', 'velero-', 'cattle-', 'rancher-', 'fleet-', 'gatekeeper-', 'kyverno-', 'capsule-', 'ingress-', 'nginx-', 'traefik-', 'gateway-', 'envoy-', 'cilium-', 'calico-', 'tigera-', 'metallb-', 'longhorn-', 'rook-', 'local-path-', 'knative-', 'tekton-', 'crossplane-', 'keycloak-', 'olm-', 'operators-', 'gke-', 'gmp-', 'aks-', 'azure-', 'eks-', 'amazon-', 'aws-', 'node-', 'system-'].exists(system, self.startsWith(system) || system.startsWith(self))",message="namespaces of the system, or of software that is trusted by the name of its namespace, start so: choose a namespacePrefix of your own, such as grad-"
	// +required
	NamespacePrefix string `json:"namespacePrefix,omitempty"`

	// timeZone is the IANA zone of the times and dates in deliveries, which carry none.
	//
	// +kubebuilder:default="America/Sao_Paulo"
	// +kubebuilder:validation:XValidation:rule="self != 'Local'",message="timeZone must be a zone of the IANA database: Local would be that of a container"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`
	// +optional
	TimeZone string `json:"timeZone,omitempty"`

	// privacy says per personal field what is stored of it. It holds for deliveries that come after a change.
	//
	// +kubebuilder:default={}
	// +optional
	Privacy PrivacySpec `json:"privacy,omitzero"`

	// retentionDays is the number of days, each of 24 hours, that a CourseCompletion stays after its creation. Its
	// deletion ends no grant. A Grant that has ended stays until its last completion has gone, and as long again. Unset:
	// both stay for ever.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=36500
	// +optional
	RetentionDays int32 `json:"retentionDays,omitempty"`

	// limits bound how fast deliveries are taken. Unset: 500 a second and 10000 at once, which is enough for
	// 50,000 students who graduate within ten minutes and whose deliveries come five times. An empty object ({}) bounds
	// nothing.
	//
	// +kubebuilder:default={deliveriesPerSecond: 500, burst: 10000}
	// +optional
	Limits LimitsSpec `json:"limits,omitzero"`

	// revocationBudget is how many Grants may lose their access within an hour without a person having asked for it. What
	// goes beyond it is paused until a person releases it. An end that was known for 24 hours before it fell due does not
	// count, nor does what a person ordered in the Grant itself. 0 pauses every one that counts.
	//
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	// +optional
	RevocationBudget *int32 `json:"revocationBudget,omitempty"`

	// maxNamespaces is how many granted namespaces the institution may have at a time. A Grant that would need another one
	// waits until there is room. What there is stays, also where the number is lowered.
	//
	// +kubebuilder:default=10000
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	MaxNamespaces *int32 `json:"maxNamespaces,omitempty"`

	// suspend set to true takes deliveries and stores them, but grants and revokes nothing.
	//
	// +optional
	Suspend *bool `json:"suspend,omitempty"`
}

// DefaultRevocationBudget is what revocationBudget is where nobody set it.
const DefaultRevocationBudget int32 = 20

// Budget returns revocationBudget, or its default for an object that was stored without it.
func (s *InstitutionSpec) Budget() int32 {
	if s.RevocationBudget == nil {
		return DefaultRevocationBudget
	}
	return *s.RevocationBudget
}

// DefaultMaxNamespaces is what maxNamespaces is where nobody set it, and MaxNamespaces the most that it can be.
const (
	DefaultMaxNamespaces int32 = 10_000
	MaxNamespaces        int32 = 1_000_000
)

// NamespacesAtMost returns maxNamespaces, or its default for an object that was stored without it.
func (s *InstitutionSpec) NamespacesAtMost() int32 {
	if s.MaxNamespaces == nil {
		return DefaultMaxNamespaces
	}
	return *s.MaxNamespaces
}

// TokenState says whether a token is accepted, and if not why.
//
// +kubebuilder:validation:Enum=Accepted;Shared;NotFound;Invalid;Forbidden
type TokenState string

const (
	// TokenAccepted means that deliveries with this token are taken.
	TokenAccepted TokenState = "Accepted"
	// TokenShared means that another Institution has the same token, and keeps it.
	TokenShared TokenState = "Shared"
	// TokenNotFound means that no Secret of that name and the type completions.lxp.dev/webhook-token exists.
	TokenNotFound TokenState = "NotFound"
	// TokenInvalid means that the Secret has no key `token`, or a token that is too short, too long or easily guessed.
	TokenInvalid TokenState = "Invalid"
	// TokenForbidden means that the operator may not read Secrets in this namespace.
	TokenForbidden TokenState = "Forbidden"
)

// TokenStatus is what the operator knows of one token.
type TokenStatus struct {
	// secretName is the Secret that holds the token.
	//
	// +required
	SecretName LocalName `json:"secretName,omitempty"`

	// state says whether the token is accepted, and if not why.
	//
	// +required
	State TokenState `json:"state,omitempty"`

	// sha256 is the SHA-256 digest of the token, in hexadecimal; the webhook server compares with it and so needs no
	// access to Secrets. A random token, which is what it has to be, cannot be found from it; whoever reads
	// the digest can only check a guess.
	//
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +optional
	SHA256 string `json:"sha256,omitempty"`
}

// BrakeStatus says how the brake on revocations stands. It is absent until the brake trips for the first time.
type BrakeStatus struct {
	// trip names the occasion on which the budget was used up. While it is set, revocations that count are paused. The
	// annotation completions.lxp.dev/release-brake with this value releases them.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Trip string `json:"trip,omitempty"`

	// trippedAt is when that was.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	TrippedAt *metav1.Time `json:"trippedAt,omitempty"`

	// held is how many Grants keep what is to be taken away. It follows with a delay of some seconds.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Held *int32 `json:"held,omitempty"`

	// releasedTrip is the trip that a person released last.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ReleasedTrip string `json:"releasedTrip,omitempty"`

	// releasedAt is when that was. What was known to be revoked by then goes; what comes later counts anew.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`\.[0-9]{6}(Z|[+-][0-9]{2}:[0-9]{2})$`
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	ReleasedAt *metav1.MicroTime `json:"releasedAt,omitempty"`
}

// InstitutionStatus is what the operator observed of an Institution.
//
// +kubebuilder:validation:MinProperties=1
type InstitutionStatus struct {
	// observedGeneration is the generation of the spec that this status is about; -1 before the first look.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling and Stalled, Allowed, and RevocationsPaused once the brake has tripped.
	//
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(c, timestamp('1000-01-01T00:00:00Z') <= c.lastTransitionTime && c.lastTransitionTime <= timestamp('9999-12-31T23:59:59Z'))",message="lastTransitionTime must be a time of the years 1000 to 9999"
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// webhookPath is the path to which the platform posts, without the token that ends it.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	WebhookPath string `json:"webhookPath,omitempty"`

	// tokens are the states of the tokens, one for each Secret in spec.authentication.tokenSecretRefs. It is absent while
	// the Institution is not allowed: then no Secret is read.
	//
	// +listType=map
	// +listMapKey=secretName
	// +kubebuilder:validation:MaxItems=4
	// +optional
	Tokens []TokenStatus `json:"tokens,omitempty"`

	// completions is how many CourseCompletions the institution has. It follows with a delay of some seconds.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Completions *int32 `json:"completions,omitempty"`

	// namespaces is how many granted namespaces the institution has, those that are about to be made among them. It follows
	// with a delay of some seconds.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Namespaces *int32 `json:"namespaces,omitempty"`

	// grants says how many Grants of the institution there are in each phase.
	//
	// +optional
	Grants GrantCounts `json:"grants,omitzero"`

	// brake says how the brake on revocations stands.
	//
	// +optional
	Brake BrakeStatus `json:"brake,omitzero"`
}

// Institution is a customer of the learning platform: a school or a company whose deliveries are taken. It lives in a
// namespace of its own, together with its tokens, completions, policies, grants and pools. That namespace has to allow
// it, by the annotations completions.lxp.dev/institution-id and completions.lxp.dev/namespace-prefix.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=inst,categories=completions
// +kubebuilder:printcolumn:name="ID",type=integer,JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Completions",type=integer,JSONPath=`.status.completions`
// +kubebuilder:printcolumn:name="Webhook",type=string,JSONPath=`.status.webhookPath`
// +kubebuilder:printcolumn:name="Paused",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="RevocationsPaused")].status`
// +kubebuilder:printcolumn:name="Prefix",type=string,priority=1,JSONPath=`.spec.namespacePrefix`
// +kubebuilder:printcolumn:name="Zone",type=string,priority=1,JSONPath=`.spec.timeZone`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.id`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must have at most 63 characters"
type Institution struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says who the institution is and how its deliveries are taken.
	//
	// +required
	Spec InstitutionSpec `json:"spec,omitzero"`

	// status is what the operator observed.
	//
	// +kubebuilder:default:={"observedGeneration":-1}
	// +optional
	Status InstitutionStatus `json:"status,omitzero"`
}

// InstitutionList is a list of Institutions.
//
// +kubebuilder:object:root=true
type InstitutionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Institution `json:"items"`
}

// Suspended reports whether nothing is given, and nothing taken, for now.
func (s *InstitutionSpec) Suspended() bool { return s.Suspend != nil && *s.Suspend }
