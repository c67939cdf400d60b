// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DataHandling says how a personal field is stored and logged.
//
// +kubebuilder:validation:Enum=Keep;Mask;Drop
type DataHandling string

const (
	// DataKeep stores the value unchanged.
	DataKeep DataHandling = "Keep"
	// DataMask stores a recognizable form that does not reveal the value.
	DataMask DataHandling = "Mask"
	// DataDrop stores nothing.
	DataDrop DataHandling = "Drop"
)

// PrivacySpec says how each personal field is stored. A policy can only use fields with the value Keep.
type PrivacySpec struct {
	// name of the user. Mask keeps the first letter.
	//
	// +kubebuilder:default=Keep
	// +optional
	Name DataHandling `json:"name,omitempty"`

	// email address of the user. Mask keeps the first letter and the domain, or only the first letter if it is not an
	// address.
	//
	// +kubebuilder:default=Keep
	// +optional
	Email DataHandling `json:"email,omitempty"`

	// cpf is the Brazilian taxpayer number of the user. Mask keeps the last two characters, which are the check digits,
	// and nothing if the value has less than six characters.
	//
	// +kubebuilder:default=Mask
	// +optional
	CPF DataHandling `json:"cpf,omitempty"`

	// nickname of the user. Mask keeps the first letter.
	//
	// +kubebuilder:default=Keep
	// +optional
	Nickname DataHandling `json:"nickname,omitempty"`

	// uuid of the user. Mask keeps the last four characters, and nothing if the value has less than twelve characters.
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

// AuthenticationSpec says how senders authenticate for the institution.
type AuthenticationSpec struct {
	// tokenSecretRefs are the Secrets with the accepted tokens. All are accepted at the same time: to rotate a token
	// without losing deliveries, add the new Secret, switch the sender, then remove the old one.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +required
	TokenSecretRefs []TokenSecretReference `json:"tokenSecretRefs,omitempty"`

	// allowedCIDRs are the networks from which deliveries are accepted, such as `203.0.113.0/24` or `2001:db8::/32`.
	// Requests with a valid token from elsewhere get 403. The source address is that of the connection or, behind a
	// trusted proxy of the webhook server, the address that the proxy reports. If unset, all addresses are accepted.
	//
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +optional
	AllowedCIDRs []CIDR `json:"allowedCIDRs,omitempty"`
}

// CIDR is an IPv4 or IPv6 network: its lowest address, a slash and the prefix length.
//
// +kubebuilder:validation:MinLength=4
// +kubebuilder:validation:MaxLength=43
// +kubebuilder:validation:XValidation:rule="isCIDR(self)",message="must be a network, such as 203.0.113.0/24 or 2001:db8::/32"
// +kubebuilder:validation:XValidation:rule="!isCIDR(self) || cidr(self) == cidr(self).masked()",message="must start with the least address of the network: 203.0.113.0/24, not 203.0.113.7/24"
type CIDR string

// LimitsSpec limits the rate of deliveries of an institution. Each replica of the webhook server applies it separately.
//
// +kubebuilder:validation:XValidation:rule="!has(self.burst) || has(self.deliveriesPerSecond)",message="burst needs deliveriesPerSecond"
type LimitsSpec struct {
	// deliveriesPerSecond is the average number of deliveries with a valid token accepted per second. Further ones get
	// 429 with Retry-After and are not stored. If unset, there is no limit.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	// +optional
	DeliveriesPerSecond int32 `json:"deliveriesPerSecond,omitempty"`

	// burst is the number of deliveries accepted at once after a quiet period. Defaults to deliveriesPerSecond.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	Burst int32 `json:"burst,omitempty"`
}

// InstitutionSpec identifies the institution and configures its deliveries, privacy and limits.
type InstitutionSpec struct {
	// id is the platform's number of the institution (institution.id of its deliveries). Immutable.
	//
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="id is immutable: make another Institution"
	// +required
	ID PlatformID `json:"id,omitempty"`

	// authentication says how senders authenticate for this institution.
	//
	// +required
	Authentication AuthenticationSpec `json:"authentication,omitzero"`

	// namespacePrefix is the prefix of all namespaces that this institution grants, such as `grad-`. It ends in '-', so
	// that prefixes cannot run into each other, and cannot be the start of a namespace of the cluster or of software
	// that is trusted by the name of its namespace. If the prefixes of two Institutions overlap, the younger one is not
	// Ready. Immutable, because existing namespaces keep their names.
	//
	// +kubebuilder:validation:MinLength=4
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z][-a-z0-9]*-$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="namespacePrefix is immutable: make another Institution"
	// +kubebuilder:validation:XValidation:rule="!['kube', 'openshift', 'default', 'completion', 'istio-', 'linkerd-', 'cert-manager-', 'monitoring-', 'prometheus-', 'grafana-', 'logging-', 'observability-', 'opentelemetry-', 'argo-', 'argocd-', 'flux-', 'vault-', 'external-secrets-', 'external-dns-', 'sealed-secrets-', 'velero-', 'cattle-', 'rancher-', 'fleet-', 'gatekeeper-', 'kyverno-', 'capsule-', 'ingress-', 'nginx-', 'traefik-', 'gateway-', 'envoy-', 'cilium-', 'calico-', 'tigera-', 'metallb-', 'longhorn-', 'rook-', 'local-path-', 'knative-', 'tekton-', 'crossplane-', 'keycloak-', 'olm-', 'operators-', 'gke-', 'gmp-', 'aks-', 'azure-', 'eks-', 'amazon-', 'aws-', 'node-', 'system-'].exists(system, self.startsWith(system) || system.startsWith(self))",message="namespaces of the system, or of software that is trusted by the name of its namespace, start so: choose a namespacePrefix of your own, such as grad-"
	// +required
	NamespacePrefix string `json:"namespacePrefix,omitempty"`

	// timeZone is the IANA time zone of the times and dates in deliveries, which have none themselves.
	//
	// +kubebuilder:default="America/Sao_Paulo"
	// +kubebuilder:validation:XValidation:rule="self != 'Local'",message="timeZone must be a zone of the IANA database: Local would be that of a container"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`
	// +optional
	TimeZone string `json:"timeZone,omitempty"`

	// privacy says how each personal field is stored. Changes apply to later deliveries.
	//
	// +kubebuilder:default={}
	// +optional
	Privacy PrivacySpec `json:"privacy,omitzero"`

	// retentionDays is the number of days, each of 24 hours, after which a CourseCompletion is deleted. This does not end
	// grants. A Grant that has ended is deleted the same number of days after the last of its completions is deleted. If
	// unset, both are kept forever.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=36500
	// +optional
	RetentionDays int32 `json:"retentionDays,omitempty"`

	// limits limit the rate of deliveries. The default of 500 per second with a burst of 10000 is enough for 50,000
	// students who graduate within ten minutes, with every delivery sent five times. An empty object ({}) means no
	// limit.
	//
	// +kubebuilder:default={deliveriesPerSecond: 500, burst: 10000}
	// +optional
	Limits LimitsSpec `json:"limits,omitzero"`

	// revocationBudget is the number of Grants per hour that can lose access without a person asking for it. Further
	// revocations are paused until a person releases them. Ends known at least 24 hours in advance do not count, nor do
	// overrides in the Grant. 0 pauses every revocation that counts.
	//
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	// +optional
	RevocationBudget *int32 `json:"revocationBudget,omitempty"`

	// maxNamespaces is the maximum number of granted namespaces of the institution. Grants that need more wait.
	// Lowering the number deletes nothing.
	//
	// +kubebuilder:default=10000
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	MaxNamespaces *int32 `json:"maxNamespaces,omitempty"`

	// suspend stops granting and revoking if true. Deliveries are still accepted and stored.
	//
	// +optional
	Suspend *bool `json:"suspend,omitempty"`
}

// DefaultRevocationBudget is the default of revocationBudget.
const DefaultRevocationBudget int32 = 20

// Budget returns revocationBudget, or its default for an object that was stored without it.
func (s *InstitutionSpec) Budget() int32 {
	if s.RevocationBudget == nil {
		return DefaultRevocationBudget
	}
	return *s.RevocationBudget
}

// DefaultMaxNamespaces is the default of maxNamespaces, and MaxNamespaces its maximum.
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

// TokenState says whether a token is accepted, and if not, why.
//
// +kubebuilder:validation:Enum=Accepted;Shared;NotFound;Invalid;Forbidden
type TokenState string

const (
	// TokenAccepted means that deliveries with this token are accepted.
	TokenAccepted TokenState = "Accepted"
	// TokenShared means that another Institution already uses the same token.
	TokenShared TokenState = "Shared"
	// TokenNotFound means that no Secret of that name and the type completions.lxp.dev/webhook-token exists.
	TokenNotFound TokenState = "NotFound"
	// TokenInvalid means that the Secret has no key `token`, or a token that is too short, too long or easily guessed.
	TokenInvalid TokenState = "Invalid"
	// TokenForbidden means that the operator is not allowed to read Secrets in this namespace.
	TokenForbidden TokenState = "Forbidden"
)

// TokenStatus is the observed state of a token.
type TokenStatus struct {
	// secretName is the Secret that holds the token.
	//
	// +required
	SecretName LocalName `json:"secretName,omitempty"`

	// state says whether the token is accepted, and if not, why.
	//
	// +required
	State TokenState `json:"state,omitempty"`

	// sha256 is the SHA-256 digest of the token, in hexadecimal. The webhook server compares with it, so it needs no
	// access to Secrets. A random token, which is required, cannot be derived from it; the digest only allows checking
	// a guess.
	//
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +optional
	SHA256 string `json:"sha256,omitempty"`
}

// BrakeStatus is the state of the brake on revocations. It is absent until the brake trips for the first time.
type BrakeStatus struct {
	// trip identifies the current trip of the brake. While it is set, revocations that count are paused. The annotation
	// completions.lxp.dev/release-brake with this value releases them.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Trip string `json:"trip,omitempty"`

	// trippedAt is when the brake tripped.
	//
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	TrippedAt *metav1.Time `json:"trippedAt,omitempty"`

	// held is the number of Grants whose revocation is paused. It is updated with a delay of a few seconds.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Held *int32 `json:"held,omitempty"`

	// releasedTrip is the last trip that a person released.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ReleasedTrip string `json:"releasedTrip,omitempty"`

	// releasedAt is when it was released. Revocations known by then proceed; later ones count again.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`\.[0-9]{6}(Z|[+-][0-9]{2}:[0-9]{2})$`
	// +kubebuilder:validation:XValidation:rule="timestamp('1000-01-01T00:00:00Z') <= self && self <= timestamp('9999-12-31T23:59:59.999999999Z')",message="must be a time of the years 1000 to 9999"
	// +optional
	ReleasedAt *metav1.MicroTime `json:"releasedAt,omitempty"`
}

// InstitutionStatus is the observed state of an Institution.
//
// +kubebuilder:validation:MinProperties=1
type InstitutionStatus struct {
	// observedGeneration is the generation of the spec that this status describes; -1 before the first reconciliation.
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

	// webhookPath is the path of the webhook URL, without the token at its end.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	WebhookPath string `json:"webhookPath,omitempty"`

	// tokens are the states of the tokens, one for each Secret in spec.authentication.tokenSecretRefs. Absent while the
	// Institution is not allowed, since no Secret is read then.
	//
	// +listType=map
	// +listMapKey=secretName
	// +kubebuilder:validation:MaxItems=4
	// +optional
	Tokens []TokenStatus `json:"tokens,omitempty"`

	// completions is the number of CourseCompletions of the institution. It is updated with a delay of a few seconds.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Completions *int32 `json:"completions,omitempty"`

	// namespaces is the number of granted namespaces of the institution, including those about to be created. It is
	// updated with a delay of a few seconds.
	//
	// +kubebuilder:validation:Minimum=0
	// +optional
	Namespaces *int32 `json:"namespaces,omitempty"`

	// grants is the number of Grants of the institution by phase.
	//
	// +optional
	Grants GrantCounts `json:"grants,omitzero"`

	// brake is the state of the brake on revocations.
	//
	// +optional
	Brake BrakeStatus `json:"brake,omitzero"`
}

// Institution is a customer of the learning platform, such as a school or a company, whose deliveries are accepted. It
// has its own namespace, with its tokens, completions, policies, grants and pools. The namespace must allow it by the
// annotations completions.lxp.dev/institution-id and completions.lxp.dev/namespace-prefix.
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

	// spec identifies the institution and configures its deliveries, privacy and limits.
	//
	// +required
	Spec InstitutionSpec `json:"spec,omitzero"`

	// status is the observed state.
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

// Suspended reports whether granting and revoking is suspended.
func (s *InstitutionSpec) Suspended() bool { return s.Suspend != nil && *s.Suspend }
