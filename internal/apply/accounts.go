// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apifault"
)

// maxClients bounds how many ServiceAccounts have a client kept for them.
const maxClients = 128

// Verbs are what a ServiceAccount needs to be allowed for the objects that are applied as it: a server-side apply is a
// patch, and where it makes something new a create.
var Verbs = []string{"get", "create", "patch", "delete"}

// Account is a ServiceAccount whose rights a policy uses.
type Account struct{ Namespace, Name string }

// User is how the API server knows the account.
func (a Account) User() string { return "system:serviceaccount:" + a.Namespace + ":" + a.Name }

// groups are those that the API server takes the account to be in.
func (a Account) groups() []string {
	return []string{"system:serviceaccounts", "system:serviceaccounts:" + a.Namespace, "system:authenticated"}
}

// AccountError says why something cannot be done as a ServiceAccount. It names objects and rights, and no values.
type AccountError struct {
	// Reason is one of the API's reasons.
	Reason string
	// Message says what is missing and what to do.
	Message string
}

// Error returns the message.
func (e *AccountError) Error() string { return e.Message }

// Accounts acts as the ServiceAccounts of policies, and knows what they may do. It is safe for concurrent use.
type Accounts struct {
	config  *rest.Config
	mapper  meta.RESTMapper
	client  client.Client
	live    client.Reader
	clients *lru.Cache
}

// NewAccounts returns Accounts that use the configuration of the operator itself to impersonate. The client asks for
// access reviews; live reads from the API server.
func NewAccounts(config *rest.Config, mapper meta.RESTMapper, c client.Client, live client.Reader) *Accounts {
	return &Accounts{config: config, mapper: mapper, client: c, live: live, clients: lru.New(maxClients)}
}

// as returns a client that acts as an account, after a live look whether it lets policies use it.
func (a *Accounts) as(ctx context.Context, account Account) (client.Client, error) {
	if account.Namespace == "" || account.Name == "" {
		return nil, errors.New("only a ServiceAccount with a namespace and a name can be impersonated")
	}
	if err := a.OptedIn(ctx, account); err != nil {
		return nil, err
	}
	if kept, found := a.clients.Get(account); found {
		return kept.(client.Client), nil
	}
	config := rest.CopyConfig(a.config)
	// The API server adds the groups of a ServiceAccount by itself. Naming them would need the right to impersonate
	// groups, which is one of the whole cluster.
	config.Impersonate = rest.ImpersonationConfig{UserName: account.User()}
	made, err := client.New(config, client.Options{Mapper: a.mapper})
	if err != nil {
		return nil, fmt.Errorf("create a client that impersonates %s: %w", account.User(), err)
	}
	a.clients.Add(account, made)
	return made, nil
}

// OptedIn returns an AccountError unless the ServiceAccount exists and carries the label that lets policies use it.
func (a *Accounts) OptedIn(ctx context.Context, account Account) error {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"))
	err := a.live.Get(ctx, client.ObjectKey{Namespace: account.Namespace, Name: account.Name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return &AccountError{v1alpha1.ReasonServiceAccountNotOptedIn, fmt.Sprintf(
			"ServiceAccount %s does not exist: create it with the label %s: \"true\"", account.Name,
			v1alpha1.LabelPolicyServiceAccount)}
	case apierrors.IsForbidden(err):
		return &AccountError{v1alpha1.ReasonAccessMissing, fmt.Sprintf("reading ServiceAccount %s is forbidden: %s",
			account.Name, bindingNeeded(account))}
	case err != nil:
		return fmt.Errorf("read ServiceAccount %s: %w", account.Name, err)
	case object.Labels[v1alpha1.LabelPolicyServiceAccount] != "true":
		return &AccountError{v1alpha1.ReasonServiceAccountNotOptedIn, fmt.Sprintf(
			"ServiceAccount %s has not opted in: its owner must set the label %s: \"true\" to let policies use it",
			account.Name, v1alpha1.LabelPolicyServiceAccount)}
	}
	return nil
}

func bindingNeeded(account Account) string {
	return "namespace " + account.Namespace + " needs a RoleBinding of the ClusterRole completion-institution to the " +
		"ServiceAccount of completion-controller-manager"
}

// MayImpersonate returns an AccountError unless the operator may act as the account.
func (a *Accounts) MayImpersonate(ctx context.Context, account Account) error {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "impersonate", Resource: "serviceaccounts", Namespace: account.Namespace, Name: account.Name,
		},
	}}
	if err := a.client.Create(ctx, review); err != nil {
		return fmt.Errorf("review the access of the operator: %w", err)
	}
	if review.Status.Allowed {
		return nil
	}
	return &AccountError{v1alpha1.ReasonAccessMissing, fmt.Sprintf("impersonating ServiceAccount %s is forbidden: %s",
		account.Name, bindingNeeded(account))}
}

// Mapping returns how the API server serves a kind, or an AccountError where it does not.
func (a *Accounts) Mapping(kind schema.GroupVersionKind) (*meta.RESTMapping, error) {
	var versions []string
	if kind.Version != "" {
		versions = append(versions, kind.Version)
	}
	mapping, err := a.mapper.RESTMapping(kind.GroupKind(), versions...)
	if meta.IsNoMatchError(err) {
		return nil, &AccountError{v1alpha1.ReasonKindUnknown, fmt.Sprintf(
			"the API server does not serve %s in %s: is its CustomResourceDefinition installed?", kind.Kind,
			kind.GroupVersion())}
	}
	if err != nil {
		return nil, fmt.Errorf("discover kind %s: %w", kind.Kind, err)
	}
	return mapping, nil
}

// Denied returns which of the Verbs an account may not use on a resource. An empty namespace means all of them, an
// empty name every name.
func (a *Accounts) Denied(
	ctx context.Context, account Account, resource schema.GroupVersionResource, namespace, name string,
) ([]string, error) {
	var denied []string
	for _, verb := range Verbs {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: account.User(), Groups: account.groups(),
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: verb, Group: resource.Group, Version: resource.Version, Resource: resource.Resource,
				Namespace: namespace, Name: name,
			},
		}}
		if err := a.client.Create(ctx, review); err != nil {
			return nil, fmt.Errorf("review the access of ServiceAccount %s: %w", account.Name, err)
		}
		if !review.Status.Allowed {
			denied = append(denied, verb)
		}
	}
	return denied, nil
}

// DeniedMessage says what an account may not do.
func DeniedMessage(account Account, denied []string, resource schema.GroupVersionResource, where string) string {
	what := resource.Resource
	if resource.Group != "" {
		what += "." + resource.Group
	}
	return fmt.Sprintf("ServiceAccount %s is not allowed to %s %s in %s",
		account.Name, strings.Join(denied, ", "), what, where)
}

// explain finds out why the API server said that something is forbidden: a right that is missing, or something that
// stands in the way of those who have it. What the API server wrote may quote values.
func (a *Accounts) explain(
	ctx context.Context, account Account, mapping *meta.RESTMapping, key client.ObjectKey,
) error {
	if err := a.MayImpersonate(ctx, account); err != nil {
		return err
	}
	denied, err := a.Denied(ctx, account, mapping.Resource, key.Namespace, key.Name)
	if err != nil {
		return err
	}
	where := "namespace " + key.Namespace
	if key.Namespace == "" {
		where = "the cluster"
	}
	if len(denied) > 0 {
		return &AccountError{v1alpha1.ReasonForbidden, DeniedMessage(account, denied, mapping.Resource, where)}
	}
	return &AccountError{v1alpha1.ReasonForbidden, fmt.Sprintf(
		"the API server rejected %s %s of ServiceAccount %s in %s, although it has permission: check quotas, pod "+
			"security, admission policies, and whether it tries to grant permissions that it does not have",
		mapping.GroupVersionKind.Kind, key.Name, account.Name, where)}
}

// clean turns an error of a request that was made as an account into what a condition and a log may tell: what the API
// server writes may quote values, which may be personal.
func (a *Accounts) clean(
	ctx context.Context, err error, account Account, mapping *meta.RESTMapping, key client.ObjectKey,
) error {
	what := mapping.GroupVersionKind.Kind + " " + key.Name
	switch {
	case apierrors.IsForbidden(err):
		return a.explain(ctx, account, mapping, key)
	case apierrors.IsNotFound(err) && key.Namespace != "":
		return &AccountError{v1alpha1.ReasonProgressingWithRetry, fmt.Sprintf("%s: namespace %s does not exist", what,
			key.Namespace)}
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsMethodNotSupported(err):
		return &AccountError{v1alpha1.ReasonRefused, fmt.Sprintf("the API server rejected %s: %s",
			what, apifault.Reason(err))}
	case apierrors.IsConflict(err), apierrors.IsTooManyRequests(err), apierrors.IsServerTimeout(err),
		apierrors.IsTimeout(err), apierrors.IsServiceUnavailable(err):
		return err
	}
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		// A field of the wrong type, for one, which the API server calls an error of its own and quotes.
		return &AccountError{v1alpha1.ReasonProgressingWithRetry, fmt.Sprintf(
			"the API server failed to apply %s (%s): check that every field exists in its kind and has the right type", what,
			status.Status().Reason)}
	}
	return err
}
