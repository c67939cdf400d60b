// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// severity orders problems. A greater one is worse.
type severity int

const (
	// decision is something that waits for a person to decide.
	decision severity = iota
	// warning is something that holds up somebody and may pass.
	warning
	// failure is something that somebody goes without until it is mended.
	failure
	// outage concerns everybody of an institution.
	outage
)

var severityNames = map[severity]string{
	decision: "Decision", warning: "Warning", failure: "Failure", outage: "Outage",
}

// MarshalText returns the name.
func (s severity) MarshalText() ([]byte, error) { return []byte(severityNames[s]), nil }

// problem is something that needs a person. Objects with the same problem are one.
type problem struct {
	Severity  severity `json:"severity"`
	Namespace string   `json:"namespace"`
	// Object is the first one that has it, as kind/name.
	Object string `json:"object"`
	// Count is how many have it.
	Count   int    `json:"count"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Command helps, or says more.
	Command string `json:"command"`
}

// problems are the problems found so far, by what makes two of them the same.
type problems struct{ found map[string]*problem }

// add adds a problem, or counts one more of a group that is there.
func (p *problems) add(group string, one problem) {
	key := strings.Join([]string{one.Namespace, group, one.Reason}, "/")
	if have := p.found[key]; have != nil {
		have.Count++
		return
	}
	if p.found == nil {
		p.found = map[string]*problem{}
	}
	one.Count = 1
	p.found[key] = &one
}

// sorted returns the worst first.
func (p *problems) sorted() []problem {
	all := make([]problem, 0, len(p.found))
	for _, one := range p.found {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b problem) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(b.Count, a.Count),
			strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Object, b.Object),
			strings.Compare(a.Reason, b.Reason))
	})
	return all
}

// readiness returns the condition Ready. What nobody has looked at yet has none.
func readiness(conditions []metav1.Condition) (ready bool, reason, message string) {
	condition := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if condition == nil {
		return false, reasonUnseen, "the controller-manager has not reconciled it yet"
	}
	return condition.Status == metav1.ConditionTrue, condition.Reason, condition.Message
}

// reasonUnseen is for what has no status yet.
const reasonUnseen = "NotReconciled"

const doctor = "kubectl course doctor"

func in(object client.Object) string { return " -n " + object.GetNamespace() }

func (p *problems) ofInstitution(i *v1alpha1.Institution) {
	object := "institution/" + i.Name
	add := func(s severity, reason, message, command string) {
		p.add(object, problem{Severity: s, Namespace: i.Namespace, Object: object, Reason: reason, Message: message,
			Command: command})
	}
	if ready, reason, message := readiness(i.Status.Conditions); !ready {
		add(outage, reason, message, helpOfInstitution(i, reason))
	}
	if i.Status.Brake.Trip != "" {
		add(failure, v1alpha1.ConditionRevocationsPaused, fmt.Sprintf(
			"more Grants were due to be revoked within an hour than the budget of %d: %d are paused until released",
			i.Spec.Budget(), value(i.Status.Brake.Held)), "kubectl course release "+i.Name+in(i))
	}
	if i.Spec.Suspend != nil && *i.Spec.Suspend {
		add(decision, v1alpha1.ReasonSuspended, "deliveries are stored, but nothing is granted or revoked",
			"kubectl course resume institution "+i.Name+in(i))
	}
	for _, token := range i.Status.Tokens {
		if token.State != v1alpha1.TokenAccepted {
			add(failure, "Token"+string(token.State), fmt.Sprintf("the token in Secret %s is not accepted", token.SecretName),
				"kubectl course token list "+i.Name+in(i))
		}
	}
}

func helpOfInstitution(i *v1alpha1.Institution, reason string) string {
	switch reason {
	case reasonUnseen:
		return doctor
	case v1alpha1.ReasonNotAllowed:
		return fmt.Sprintf("kubectl annotate namespace %s %s=%d %s=%s", i.Namespace, v1alpha1.AnnotationInstitutionID,
			i.Spec.ID, v1alpha1.AnnotationNamespacePrefix, i.Spec.NamespacePrefix)
	case v1alpha1.ReasonAccessMissing:
		return "kubectl create rolebinding completion-institution" + in(i) + " --clusterrole=completion-institution " +
			"--serviceaccount=completion-system:completion-controller-manager"
	}
	return "kubectl describe institution " + i.Name + in(i)
}

func (p *problems) ofPolicy(policy *v1alpha1.CompletionPolicy) {
	object := "completionpolicy/" + policy.Name
	add := func(s severity, reason, message, command string) {
		p.add(object, problem{Severity: s, Namespace: policy.Namespace, Object: object, Reason: reason, Message: message,
			Command: command})
	}
	edit := "kubectl edit completionpolicy " + policy.Name + in(policy)
	suspended := policy.Spec.Suspend != nil && *policy.Spec.Suspend
	if suspended {
		add(decision, v1alpha1.ReasonSuspended, "it grants and revokes nothing",
			"kubectl course resume policy "+policy.Name+in(policy))
	}
	switch ready, reason, message := readiness(policy.Status.Conditions); {
	case ready, suspended && reason == v1alpha1.ReasonSuspended:
	case reason == reasonUnseen:
		add(warning, reason, message, doctor)
	default:
		add(failure, reason, message, edit)
	}
	for _, kind := range []string{v1alpha1.ConditionAccessReady, v1alpha1.ConditionNamesDistinct} {
		condition := meta.FindStatusCondition(policy.Status.Conditions, kind)
		if condition != nil && condition.Status == metav1.ConditionFalse &&
			condition.Reason != v1alpha1.ReasonSharedByCompletions {
			add(failure, condition.Reason, condition.Message, edit)
		}
	}
}

func (p *problems) ofPool(pool *v1alpha1.SeatPool) {
	object := "seatpool/" + pool.Name
	if waiting := value(pool.Status.Waiting); waiting > 0 {
		p.add(object, problem{Severity: decision, Namespace: pool.Namespace, Object: object,
			Reason: v1alpha1.ReasonWaitingForSeat,
			Message: fmt.Sprintf("%d of %d seats are occupied, %d waiting", value(pool.Status.Taken),
				value(pool.Spec.Capacity), waiting),
			Command: fmt.Sprintf(`kubectl patch seatpool %s%s --type merge -p '{"spec":{"capacity":%d}}'`, pool.Name, in(pool),
				value(pool.Status.Taken)+waiting)})
	}
	if ready, reason, message := readiness(pool.Status.Conditions); !ready {
		p.add(object, problem{Severity: warning, Namespace: pool.Namespace, Object: object, Reason: reason, Message: message,
			Command: "kubectl describe seatpool " + pool.Name + in(pool)})
	}
}

// patience is how long something may be under way before it is a problem.
const patience = 10 * time.Minute

// underWay reports whether a condition says that work goes on, and has not said so for long.
func underWay(conditions []metav1.Condition, created metav1.Time, now time.Time) bool {
	since := created.Time
	if condition := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); condition != nil {
		switch condition.Reason {
		case v1alpha1.ReasonProgressing, v1alpha1.ReasonTerminating, v1alpha1.ReasonProgressingWithRetry,
			v1alpha1.ReasonGrantNotReady:
			since = condition.LastTransitionTime.Time
		default:
			return false
		}
	}
	return now.Sub(since) < patience
}

func (p *problems) ofCompletion(completion *v1alpha1.CourseCompletion, now time.Time) {
	ready, reason, message := readiness(completion.Status.Conditions)
	// What a Grant lacks is said of the Grant.
	if ready || reason == v1alpha1.ReasonGrantNotReady || underWay(completion.Status.Conditions,
		completion.CreationTimestamp, now) {
		return
	}
	one := problem{Severity: failure, Namespace: completion.Namespace, Object: "coursecompletion/" + completion.Name,
		Reason: reason, Message: message, Command: "kubectl course why completion/" + completion.Name + in(completion)}
	switch reason {
	case v1alpha1.ReasonSuspended:
		return
	case v1alpha1.ReasonSentInFuture:
		one.Severity = warning
	case reasonUnseen:
		one.Severity, one.Command = outage, doctor
	}
	p.add("coursecompletion", one)
}

func (p *problems) ofGrant(grant *v1alpha1.Grant, now time.Time) {
	ready, reason, message := readiness(grant.Status.Conditions)
	if ready || underWay(grant.Status.Conditions, grant.CreationTimestamp, now) {
		return
	}
	one := problem{Severity: failure, Namespace: grant.Namespace, Object: "grant/" + grant.Name, Reason: reason,
		Message: message, Command: "kubectl course why grant/" + grant.Name + in(grant)}
	switch reason {
	case v1alpha1.ReasonSuspended, v1alpha1.ReasonRevocationPaused, v1alpha1.ReasonWaitingForSeat:
		// Said of the institution, the policy or the pool.
		return
	case v1alpha1.ReasonAwaitingApproval:
		one.Severity = decision
		one.Command = "kubectl course approve " + grant.Name + in(grant) + " --reason REASON"
		if grant.Planned() {
			one.Command = "kubectl course approve --policy " + string(grant.Spec.Policy) + " --awaiting-approval" + in(grant) +
				" --reason REASON"
		}
	case v1alpha1.ReasonWaitingForGrant, v1alpha1.ReasonProgressing, v1alpha1.ReasonTerminating:
		one.Severity = warning
	case reasonUnseen:
		one.Severity, one.Command = outage, doctor
	}
	p.add("grant/"+string(grant.Spec.Policy), one)
}
