// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package institution is the loop of Institutions: whether one may be the one that it says it is, which tokens are
// accepted for it, how many completions, Grants and namespaces it has, and whether its brake holds anything.
package institution

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/budget"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
)

const (
	// Secrets are read one by one and not watched: so the operator needs the right to get them, and not to list them.
	tokenInterval      = 30 * time.Second
	tokenRetryInterval = 3 * time.Second
	// refusalPatience is for how long a token that was accepted still is where its Secret may not be read any more. An API
	// server that has just started refuses everybody until it knows the rights, and what a sender then gets for a good
	// token must not be a refusal for good.
	refusalPatience = 5 * time.Minute

	maxTokenLength = 512

	// ofYounger stands in what an Institution is told of one that wanted what it has.
	ofYounger = "of a younger Institution, which is not Ready because of that"
)

// Reconciler reads the tokens of an Institution and publishes their digests, so that the webhook server can
// authenticate without access to a Secret.
type Reconciler struct {
	Client client.Client
	// Live reads Secrets; they are never cached.
	Live client.Reader
	// Namespaces has what the namespaces of Institutions say about them.
	Namespaces *NamespaceCache
	Recorder   events.EventRecorder
	Clock      clock.PassiveClock

	Counts   *memory.NamespaceCounts
	Brakes   *budget.Brakes
	Gauges   *BrakeGauges
	Patience memory.Patience

	ownMemory
}

// SetupWithManager registers the loop.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("institution").
		For(&v1alpha1.Institution{}).
		Watches(&v1alpha1.Institution{}, handler.EnqueueRequestsFromMapFunc(r.others)).
		WatchesRawSource(source.Kind(r.Namespaces.Cache, kube.NamespaceMetadata(),
			handler.TypedEnqueueRequestsFromMapFunc(r.institutionsIn), claimChanged)).
		WatchesRawSource(r.Brakes.Institutions.Source()).
		WithOptions(kube.Fairly(mgr, kube.SideWorkers, kube.OneWorker, kube.NamespaceOf)).
		Complete(kube.Redact(r))
}

// others returns the Institutions whose standing depends on this one: those that know one of its tokens, those that
// claim its id in its namespace, and those whose prefix overlaps with its own.
func (r *Reconciler) others(ctx context.Context, object client.Object) []reconcile.Request {
	institution := object.(*v1alpha1.Institution)
	found := map[client.ObjectKey]bool{}
	collect := func(opts ...client.ListOption) {
		var list v1alpha1.InstitutionList
		if err := r.Client.List(ctx, &list, opts...); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Could not list institutions")
			return
		}
		for i := range list.Items {
			found[client.ObjectKeyFromObject(&list.Items[i])] = true
		}
	}
	for _, digest := range index.TokensOf(institution) {
		collect(client.MatchingFields{index.TokenDigest: digest})
	}
	collect(client.InNamespace(institution.Namespace))
	overlapping, err := r.overlapping(ctx, institution)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list institutions")
	}
	for i := range overlapping {
		found[client.ObjectKeyFromObject(&overlapping[i])] = true
	}
	delete(found, client.ObjectKeyFromObject(institution))
	requests := make([]reconcile.Request, 0, len(found))
	for key := range found {
		requests = append(requests, reconcile.Request{NamespacedName: key})
	}
	return requests
}

// Reconcile looks whether the Institution is allowed, reads its tokens, compares them with those of other Institutions
// and publishes what is accepted.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	institution := &v1alpha1.Institution{}
	if err := r.Client.Get(ctx, req.NamespacedName, institution); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if r.written.Behind(institution) {
		// What it accepted and what its brake holds is read from its own status.
		return reconcile.Result{RequeueAfter: kube.StaleInterval}, nil
	}
	found, err := r.allowance(ctx, institution)
	if err != nil {
		return reconcile.Result{}, err
	}
	tokens, verdict, err := r.authenticate(ctx, institution, found)
	if err != nil {
		return reconcile.Result{}, err
	}
	before := institution.DeepCopy()
	institution.Status.ObservedGeneration = institution.Generation
	institution.Status.WebhookPath = fmt.Sprintf("/webhooks/%d/", institution.Spec.ID)
	institution.Status.Tokens = tokens
	if err := r.count(ctx, institution); err != nil {
		return reconcile.Result{}, err
	}
	braked, err := r.Brakes.Evaluate(ctx, institution)
	if err != nil {
		return reconcile.Result{}, err
	}
	braked.Show(institution, r.Clock.Now())
	setAllowed(institution, found, r.Clock.Now())
	kube.SetConditions(&institution.Status.Conditions, verdict, institution.Generation, r.Clock.Now())
	changed, err := r.written.PatchStatus(ctx, r.Client, before, institution)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("write the status: %w", err)
	}
	if changed {
		r.tell(institution, before, verdict)
	}
	r.tellOfBrake(institution, braked)
	if verdict.Ready {
		return reconcile.Result{RequeueAfter: tokenInterval}, nil
	}
	return reconcile.Result{RequeueAfter: tokenRetryInterval}, nil
}

// authenticate reads the tokens of an Institution, if it is allowed, and says how the Institution stands.
func (r *Reconciler) authenticate(
	ctx context.Context, institution *v1alpha1.Institution, found allowance,
) ([]v1alpha1.TokenStatus, condition.Verdict, error) {
	if !found.allowed() {
		overlaps := found.reason == v1alpha1.ReasonPrefixOverlaps
		return nil, condition.Verdict{
			Stalled: overlaps, Reconciling: !overlaps, Reason: found.reason, Message: found.message}, nil
	}
	read, err := r.tokens(ctx, institution)
	if err != nil {
		return nil, condition.Verdict{}, err
	}
	verdict, err := r.verdict(ctx, institution, read)
	return read.tokens, verdict, err
}

// count counts what the institution has; often enough, since its tokens are looked at every so often anyway.
func (r *Reconciler) count(ctx context.Context, institution *v1alpha1.Institution) error {
	completions, err := countCompletions(ctx, r.Client, institution)
	if err != nil {
		return err
	}
	grants, err := kube.CountGrants(ctx, r.Client, func(grant *v1alpha1.Grant) bool {
		return grant.Spec.Holder.InstitutionID == institution.Spec.ID
	}, client.InNamespace(institution.Namespace))
	institution.Status.Completions, institution.Status.Grants = new(completions), grants
	institution.Status.Namespaces = new(r.Counts.Count(institution))
	return err
}

func (r *Reconciler) tell(institution, before *v1alpha1.Institution, verdict condition.Verdict) {
	if kube.ReadyReason(before.Status.Conditions) != verdict.Reason {
		kube.Emit(r.Recorder, institution, verdict, "Reconcile")
	}
	// What a younger one cannot have, the older one hears of, though it stays Ready.
	tell := func(kind, reason string) {
		was := meta.FindStatusCondition(before.Status.Conditions, kind)
		is := meta.FindStatusCondition(institution.Status.Conditions, kind)
		if is.Status == metav1.ConditionTrue && (was == nil || was.Message != is.Message) &&
			strings.Contains(is.Message, ofYounger) {
			kube.Emit(r.Recorder, institution, condition.Verdict{Reason: reason, Message: is.Message}, "Reconcile")
		}
	}
	tell(v1alpha1.ConditionAllowed, v1alpha1.ReasonPrefixOverlaps)
	tell(v1alpha1.ConditionReady, v1alpha1.ReasonTokenShared)
}

// tellOfBrake lets what was written of the brake take effect, and tells of it.
func (r *Reconciler) tellOfBrake(institution *v1alpha1.Institution, braked *budget.Transition) {
	for _, event := range r.Brakes.Settle(institution, braked) {
		r.Recorder.Eventf(institution, nil, event.Kind, event.Reason, "Brake", "%s", event.Note)
	}
	r.Gauges.set(client.ObjectKeyFromObject(institution), braked)
}

// tokensRead is what became of the tokens of an Institution.
type tokensRead struct {
	tokens []v1alpha1.TokenStatus
	// kept are those whose Secrets may not be read, and that count for a while as they did.
	kept []v1alpha1.LocalName
	// copied are those that younger Institutions have too.
	copied []v1alpha1.LocalName
}

// tokens reads every Secret that is named and says what became of it.
func (r *Reconciler) tokens(
	ctx context.Context, institution *v1alpha1.Institution,
) (tokensRead, error) {
	key := client.ObjectKeyFromObject(institution)
	read, refused := tokensRead{}, false
	for _, ref := range institution.Spec.Authentication.TokenSecretRefs {
		token := v1alpha1.TokenStatus{SecretName: ref.Name}
		secret := &corev1.Secret{}
		err := r.Live.Get(ctx, client.ObjectKey{Namespace: institution.Namespace, Name: string(ref.Name)}, secret)
		switch {
		case apierrors.IsNotFound(err):
			token.State = v1alpha1.TokenNotFound
		case apierrors.IsForbidden(err):
			refused = true
			token.State = v1alpha1.TokenForbidden
			if digest := acceptedDigest(institution, ref.Name); digest != "" &&
				r.Clock.Since(r.refused.Lasting(key, r.Clock.Now(), time.Hour)) < refusalPatience {
				token.State, token.SHA256 = v1alpha1.TokenAccepted, digest
				read.kept = append(read.kept, ref.Name)
			}
		case err != nil:
			return tokensRead{}, fmt.Errorf("read secret %s: %w", ref.Name, err)
		default:
			token.State, token.SHA256 = accept(secret)
		}
		if token.State == v1alpha1.TokenAccepted {
			older, younger, err := r.sharers(ctx, institution, token.SHA256)
			if err != nil {
				return tokensRead{}, err
			}
			if older || r.holders.awaited(key, token.SHA256, r.Clock.Now(), r.Patience.Replaced) {
				token.State = v1alpha1.TokenShared
			} else if younger {
				read.copied = append(read.copied, ref.Name)
			}
			if token.State == v1alpha1.TokenAccepted {
				r.holders.note(key, token.SHA256, r.Clock.Now())
			}
		}
		read.tokens = append(read.tokens, token)
	}
	if !refused {
		r.refused.End(key)
	}
	return read, nil
}

// acceptedDigest returns the digest under which the token of a Secret is accepted, empty where it is not.
func acceptedDigest(institution *v1alpha1.Institution, secret v1alpha1.LocalName) string {
	for _, token := range institution.Status.Tokens {
		if token.SecretName == secret && token.State == v1alpha1.TokenAccepted {
			return token.SHA256
		}
	}
	return ""
}

// accept returns the digest of a Secret's token if it can be one. White space around it, such as the line end that an
// editor leaves, does not belong to it.
func accept(secret *corev1.Secret) (v1alpha1.TokenState, string) {
	token := strings.TrimSpace(string(secret.Data[v1alpha1.SecretKeyToken]))
	if secret.Type != v1alpha1.SecretTypeWebhookToken {
		// Who may write Institutions is not told which other Secrets there are.
		return v1alpha1.TokenNotFound, ""
	}
	if len(token) < v1alpha1.MinTokenLength || len(token) > maxTokenLength || strings.ContainsFunc(token, unprintable) ||
		guessable(token) {
		return v1alpha1.TokenInvalid, ""
	}
	digest := sha256.Sum256([]byte(token))
	return v1alpha1.TokenAccepted, hex.EncodeToString(digest[:])
}

func unprintable(r rune) bool { return r <= ' ' || r > '~' }

// sharers reports whether other Institutions know the same token: one that keeps it, and one that has to give way. Who
// has it keeps it; where nobody has, who goes before.
func (r *Reconciler) sharers(
	ctx context.Context, institution *v1alpha1.Institution, digest string,
) (older, younger bool, err error) {
	var knowing v1alpha1.InstitutionList
	if err := r.Client.List(ctx, &knowing, client.MatchingFields{index.TokenDigest: digest}); err != nil {
		return false, false, fmt.Errorf("list institutions: %w", err)
	}
	for i := range knowing.Items {
		if knowing.Items[i].UID == institution.UID {
			continue
		}
		first := r.holders.holds(&knowing.Items[i], digest)
		if first == r.holders.holds(institution, digest) {
			if first, err = r.before(ctx, &knowing.Items[i], institution); err != nil {
				return false, false, err
			}
		}
		older, younger = older || first, younger || !first
	}
	return older, younger, nil
}

func (r *Reconciler) verdict(
	ctx context.Context, institution *v1alpha1.Institution, read tokensRead,
) (condition.Verdict, error) {
	problem, err := r.problem(ctx, institution)
	if err != nil {
		return condition.Verdict{}, err
	}
	if problem != nil {
		//nolint:nilerr // What is wrong with the Institution is told, and not tried again.
		return condition.Verdict{Stalled: true, Reason: problem.Reason, Message: problem.Message}, nil
	}
	for _, token := range read.tokens {
		if token.State == v1alpha1.TokenAccepted && slices.Contains(read.kept, token.SecretName) {
			message := fmt.Sprintf("%s; until then its token is accepted for up to %s",
				accessMissing(institution, token.SecretName), refusalPatience)
			return condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonAccessMissing, Message: message}, nil
		}
		if reason, message := tokenProblem(institution, token); reason != "" {
			return condition.Verdict{Reconciling: true, Reason: reason, Message: message}, nil
		}
	}
	ready := condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady, Message: "accepting deliveries"}
	if len(read.copied) > 0 {
		ready.Message = fmt.Sprintf("%s; the token in secret %s is also that %s: its creator knows the token, so replace "+
			"it", ready.Message, read.copied[0], ofYounger)
	}
	return ready, nil
}

// problem returns why an Institution that is allowed cannot be worked with; nil if it can.
func (r *Reconciler) problem(
	ctx context.Context, institution *v1alpha1.Institution,
) (*kube.InstitutionProblem, error) {
	var beside v1alpha1.InstitutionList
	if err := r.Client.List(ctx, &beside, client.InNamespace(institution.Namespace)); err != nil {
		return nil, fmt.Errorf("list institutions: %w", err)
	}
	same := 0
	for i := range beside.Items {
		spec := &beside.Items[i].Spec
		// Their namespace allows one prefix.
		if spec.ID == institution.Spec.ID && spec.NamespacePrefix == institution.Spec.NamespacePrefix {
			same++
		}
	}
	if same > 1 {
		return kube.Duplicates(institution, same), nil
	}
	_, err := kube.TenantOf(institution)
	if problem, ok := errors.AsType[*kube.InstitutionProblem](err); ok {
		return problem, nil
	}
	return nil, err
}

func tokenProblem(institution *v1alpha1.Institution, token v1alpha1.TokenStatus) (reason, message string) {
	switch token.State {
	case v1alpha1.TokenAccepted:
		return "", ""
	case v1alpha1.TokenNotFound:
		return v1alpha1.ReasonTokenNotFound, fmt.Sprintf(
			"secret %s of type %s not found: create it with this type, which cannot be changed later, and the key %s",
			token.SecretName, v1alpha1.SecretTypeWebhookToken, v1alpha1.SecretKeyToken)
	case v1alpha1.TokenInvalid:
		return v1alpha1.ReasonTokenInvalid, fmt.Sprintf(
			"secret %s must contain, under the key %s, a random token of %d to %d printable ASCII characters; "+
				"generate one with openssl rand -hex 32", token.SecretName, v1alpha1.SecretKeyToken,
			v1alpha1.MinTokenLength, maxTokenLength)
	case v1alpha1.TokenForbidden:
		return v1alpha1.ReasonAccessMissing, accessMissing(institution, token.SecretName)
	case v1alpha1.TokenShared:
		return v1alpha1.ReasonTokenShared, fmt.Sprintf(
			"the token in secret %s is already used by another Institution, which keeps it: generate a new one",
			token.SecretName)
	}
	return v1alpha1.ReasonTokenInvalid, fmt.Sprintf("secret %s is in an unknown state", token.SecretName)
}

func accessMissing(institution *v1alpha1.Institution, secret v1alpha1.LocalName) string {
	return fmt.Sprintf("reading secret %s is forbidden: namespace %s needs a RoleBinding of the ClusterRole "+
		"completion-institution to the ServiceAccount of completion-controller-manager", secret, institution.Namespace)
}

// countCompletions counts the completions of an institution.
func countCompletions(ctx context.Context, reader client.Reader, institution *v1alpha1.Institution) (int32, error) {
	var completions v1alpha1.CourseCompletionList
	err := reader.List(ctx, &completions, client.InNamespace(institution.Namespace), client.UnsafeDisableDeepCopy)
	if err != nil {
		return 0, fmt.Errorf("list completions: %w", err)
	}
	count := int32(0)
	for i := range completions.Items {
		if completions.Items[i].Spec.Institution.ID == institution.Spec.ID {
			count++
		}
	}
	return count, nil
}
