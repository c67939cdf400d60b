// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// NamespaceFacts is what was read of a namespace that a Grant revokes, live.
type NamespaceFacts struct {
	Name string
	// Object is nil where there is no such namespace.
	Object *metav1.PartialObjectMetadata
	// HoldsInstitution tells that an Institution is in it.
	HoldsInstitution bool
	// Contested tells that an Institution in another namespace is allowed to have the same id. It is only looked for
	// where no Grant made the namespace.
	Contested bool
	// Owner is the Grant that made it, as its label says; nil where that Grant is not there.
	Owner *v1alpha1.Grant
	// BesideOwner are the Grants of the owner's holder.
	BesideOwner []v1alpha1.Grant
}

// Progress is how far the revocation of one namespace has come. The zero value says that it has gone.
type Progress struct {
	Reason, Message string
	// At is when to look again; zero where that is not known.
	At time.Time
	// Poll is how often to look where nothing will say when what is waited for has come.
	Poll Poll
}

// Poll is how often something is looked at again.
type Poll int

const (
	// PollNever leaves it to a watch, or to a moment that is known.
	PollNever Poll = iota
	// PollSoon is for what the cluster is about to do.
	PollSoon
	// PollSeldom is for what people may do.
	PollSeldom
)

// Gone reports whether nothing of the namespace is left.
func (p Progress) Gone() bool { return p.Reason == "" }

// rank orders what is told of several namespaces: what people have to act upon goes first.
func (p Progress) rank() int {
	switch p.Reason {
	case "":
		return 0
	case v1alpha1.ReasonAccessEnded:
		return 1
	case v1alpha1.ReasonTerminating:
		return 2
	case v1alpha1.ReasonProgressingWithRetry:
		return 3
	}
	return 4
}

// Worse returns what matters more to people, and the first of two that matter alike.
func Worse(a, b Progress) Progress {
	if b.rank() > a.rank() {
		return b
	}
	return a
}

// untouched says why a namespace is left as it is.
func untouched(name, why string) Progress {
	return Progress{Reason: v1alpha1.ReasonNotRevocable, Poll: PollSeldom,
		Message: fmt.Sprintf("namespace %s is not revoked: %s", name, why)}
}

// dataStaysUntil says when a namespace is deleted, at the earliest.
func dataStaysUntil(name string, until time.Time) Progress {
	return Progress{Reason: v1alpha1.ReasonAccessEnded, At: until,
		Message: fmt.Sprintf("namespace %s is due to be deleted after %s", name, until.UTC().Format(time.RFC3339))}
}

// retainedBy says which Grant keeps a namespace, and for how long.
func retainedBy(by Retainer, name string) Progress {
	switch {
	case !Revocable(by.Grant, name):
		return untouched(name, "grant "+by.Grant.Name+" does not have the label "+v1alpha1.LabelRevocable)
	case by.Until.IsZero():
		return untouched(name, "grant "+by.Grant.Name+" has a later reason to keep it")
	}
	return dataStaysUntil(name, by.Until)
}

// NamespaceCase is the question whether a Grant's completion may revoke a namespace.
type NamespaceCase struct {
	// Grant is the one that revokes.
	Grant *v1alpha1.Grant
	// Started says because of which delivery, and since when.
	Started   v1alpha1.NamespaceRevocation
	Namespace NamespaceFacts
	Now       time.Time
}

// namespaceRule says why a namespace stays, and nothing where it is not the reason.
type namespaceRule struct {
	name string
	// why says it where nothing but an act of people changes it.
	why func(*NamespaceCase) string
	// until says it where time changes it too.
	until func(*NamespaceCase) Progress
}

func (r namespaceRule) check(c *NamespaceCase) Progress {
	if r.until != nil {
		return r.until(c)
	}
	if why := r.why(c); why != "" {
		return untouched(c.Namespace.Name, why)
	}
	return Progress{}
}

// metadataRules keep what nobody's completion revokes, by what the namespace itself says.
var metadataRules = []namespaceRule{
	{name: "system namespace", why: func(c *NamespaceCase) string {
		if SystemNamespace(c.Namespace.Name) {
			return "it is a system namespace"
		}
		return ""
	}},
	{name: "not labelled as revocable", why: func(c *NamespaceCase) string {
		id := c.Grant.Spec.Holder.InstitutionID.String()
		if c.Namespace.Object.Labels[v1alpha1.LabelRevocable] != id {
			return fmt.Sprintf("it does not have the label %s: %q", v1alpha1.LabelRevocable, id)
		}
		return ""
	}},
	{name: "made from a template", why: func(c *NamespaceCase) string {
		if c.Namespace.Object.Annotations[v1alpha1.AnnotationServiceAccount] != "" {
			return "it was created from a template and belongs to its grant"
		}
		return ""
	}},
}

// contentRules keep what has something in it that outweighs the label.
var contentRules = []namespaceRule{
	{name: "an Institution is in it", why: func(c *NamespaceCase) string {
		if c.Namespace.HoldsInstitution {
			return "it contains an Institution"
		}
		return ""
	}},
}

// ownerRules keep what is not the revoking Grant's to take: of a namespace that a Grant made, that Grant has to be the
// same holder's and have it revoked; any other has to be older than the completion, and has only the label to say which
// institution may take it. An id that two Institutions are allowed to have is the label of neither.
var ownerRules = []namespaceRule{
	{name: "begun because of an older delivery", why: func(c *NamespaceCase) string {
		// What was begun because of an older delivery is not what the newer one takes, which may still wait for the brake.
		if !c.owned() && c.Started.SendAt != c.Grant.Spec.Revokes.SendAt {
			return "its revocation has not started for the newest delivery"
		}
		return ""
	}},
	{name: "younger than the completion", why: func(c *NamespaceCase) string {
		if !c.owned() && !c.Namespace.Object.CreationTimestamp.Before(&c.Grant.Spec.Revokes.SentAt) {
			return "it was created after the completion"
		}
		return ""
	}},
	{name: "two Institutions have the id", why: func(c *NamespaceCase) string {
		if !c.owned() && c.Namespace.Contested {
			return "an Institution in another namespace has the id " + c.Grant.Spec.Holder.InstitutionID.String() +
				" too: only one may have it"
		}
		return ""
	}},
	{name: "its Grant is not there", why: func(c *NamespaceCase) string {
		if c.owned() && c.Namespace.Owner == nil {
			return "it has the owner label of a grant that does not exist"
		}
		return ""
	}},
	{name: "its Grant is another institution's", why: func(c *NamespaceCase) string {
		if c.owned() && c.Namespace.Owner.Namespace != c.Grant.Namespace {
			return "it belongs to a grant of another institution"
		}
		return ""
	}},
	{name: "its Grant is somebody else's", why: func(c *NamespaceCase) string {
		if c.owned() && c.Namespace.Owner.Spec.Holder != c.Grant.Spec.Holder {
			return "it belongs to grant " + c.Namespace.Owner.Name + " of another user"
		}
		return ""
	}},
	{name: "its Grant keeps it", until: func(c *NamespaceCase) Progress {
		if !c.owned() {
			return Progress{}
		}
		revoker, until := NamespaceRevoker(c.Namespace.Owner, c.Grant, c.Namespace.Name, c.Now)
		if revoker != nil {
			return Progress{}
		}
		return retainedBy(Retainer{Grant: c.Namespace.Owner, Until: until}, c.Namespace.Name)
	}},
	{name: "another Grant keeps it", until: (*NamespaceCase).retainedByAnother},
}

func (c *NamespaceCase) owned() bool { return c.Namespace.Object.Labels[v1alpha1.LabelGrant] != "" }

// retainedByAnother tells of a Grant of the same holder and policy that keeps what is taken from one of them.
func (c *NamespaceCase) retainedByAnother() Progress {
	if !c.owned() {
		return Progress{}
	}
	retainer := RetainedByAnother(c.Namespace.Owner, c.Namespace.BesideOwner, c.Namespace.Name, c.Now)
	if retainer == nil {
		return Progress{}
	}
	return retainedBy(Retainer{Grant: retainer}, c.Namespace.Name)
}

func firstOf(c *NamespaceCase, chains ...[]namespaceRule) Progress {
	for _, chain := range chains {
		for _, rule := range chain {
			if progress := rule.check(c); !progress.Gone() {
				return progress
			}
		}
	}
	return Progress{}
}

// UntouchableByMetadata reports whether what a namespace itself says keeps it already: nothing else has to be read
// then.
func UntouchableByMetadata(grant *v1alpha1.Grant, namespace NamespaceFacts) bool {
	return !firstOf(&NamespaceCase{Grant: grant, Namespace: namespace}, metadataRules).Gone()
}

// systemNamespaces are never granted, whatever the prefix.
var systemNamespaces = []string{"default", "kube-system", "kube-public", "kube-node-lease", "completion-system"}

// SystemNamespace reports whether a namespace belongs to the cluster: such a one is neither granted nor revoked.
func SystemNamespace(name string) bool {
	return slices.Contains(systemNamespaces, name) || strings.HasPrefix(name, "kube-") ||
		strings.HasPrefix(name, "openshift-")
}
