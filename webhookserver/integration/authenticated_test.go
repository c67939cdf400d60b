// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// textOf returns a member of an audit record, empty where it is absent.
func textOf(record map[string]any, member string) string {
	text, _ := record[member].(string)
	return text
}

// The token counts wherever it comes, and all that comes has to be right.
func TestTheTokenMayComeInTheHeader(t *testing.T) {
	i, server := newInstitution(t), start(t)
	url := server.knows(t, i)
	bare := strings.TrimSuffix(url, "/"+i.token)
	for _, tc := range []struct {
		name, url, authorization string
		want                     int
		wantRejection            string
	}{
		{"bearer", bare, "Bearer " + i.token, 200, ""},
		{"bearer, behind a slash", bare + "/", "Bearer " + i.token, 200, ""},
		{"basic with the id", bare, basic("12345", i.token), 200, ""},
		{"basic with any name", bare, basic("platform", i.token), 200, ""},
		{"basic without a name", bare, basic("", i.token), 200, ""},
		{"twice the same", url, "Bearer " + i.token, 200, ""},
		{"nowhere", bare, "", 401, "missing"},
		{"in the place of the name", bare, basic(i.token, "x"), 401, "wrong"},
		{"good in the path, wrong in the header", url, "Bearer " + newToken(), 401, "differing"},
		{"wrong in the path, good in the header", bare + "/" + newToken(), "Bearer " + i.token, 401, "differing"},
		{"good in the path, something else in the header", url, "Negotiate abc", 401, "malformed"},
		{"with what does not belong to it", bare, "Bearer " + i.token + " x", 401, "wrong"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			var header []string
			if tc.authorization != "" {
				header = []string{"Authorization", tc.authorization}
			}
			got := send(t, http.MethodGet, tc.url, "", header...)
			g.Expect(got.status).To(Equal(tc.want), got.text)
			record := server.log.audit(t, got.deliveryID())
			g.Expect(textOf(record, "completion.rejection")).To(Equal(tc.wantRejection))
			g.Expect(record["url.path"]).To(HavePrefix("/webhooks/12345"))
		})
	}
	g := NewWithT(t)
	got := send(t, http.MethodPost, bare, example, "Content-Type", "application/json", "Authorization", "Bearer "+i.token)
	g.Expect(got.status).To(Equal(200), got.text)
	for _, secret := range []string{i.token, base64.StdEncoding.EncodeToString([]byte("12345:" + i.token))} {
		g.Expect(server.log.String()).NotTo(ContainSubstring(secret))
	}
	g.Expect(scrape(t, server)).To(And(
		ContainSubstring(`completion_rejected_authentications_total{reason="missing"} 1`),
		ContainSubstring(`completion_rejected_authentications_total{reason="differing"} 2`),
		ContainSubstring(`completion_rejected_authentications_total{reason="malformed"} 1`)))
}

func TestOnlyAllowedNetworksMayDeliver(t *testing.T) {
	i := newInstitution(t, func(i *v1alpha1.Institution) {
		i.Spec.Authentication.AllowedCIDRs = []v1alpha1.CIDR{"203.0.113.0/24", "2001:db8::/32"}
	})
	proxies, err := throttle.ParseTrustedProxies("127.0.0.0/8, 10.0.0.0/8")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	direct := start(t)
	behind := start(t, func(o *webhookserver.Options) { o.TrustedProxies = proxies })
	NewWithT(t).Eventually(func() int { return send(t, "GET", direct.url(i), "").status }, patience).Should(Equal(403))
	NewWithT(t).Eventually(func() int { return send(t, "GET", behind.url(i), "").status }, patience).Should(Equal(403))
	for _, tc := range []struct {
		name      string
		server    *running
		token     string
		forwarded string
		want      int
		remote    string
		peer      string
	}{
		{"who claims it without a proxy", direct, i.token, "203.0.113.7", 403, "127.0.0.1", ""},
		{"from a network that may", behind, i.token, "203.0.113.7", 200, "203.0.113.7", "127.0.0.1"},
		{"from an IPv6 network that may", behind, i.token, "2001:db8:1::1", 200, "2001:db8:1::1", "127.0.0.1"},
		{"from a mapped address", behind, i.token, "::ffff:203.0.113.7", 200, "203.0.113.7", "127.0.0.1"},
		{"through two proxies", behind, i.token, "203.0.113.7, 10.1.1.1", 200, "203.0.113.7", "127.0.0.1"},
		{"from a network that may not", behind, i.token, "198.51.100.7", 403, "198.51.100.7", "127.0.0.1"},
		{"who forges one that may", behind, i.token, "203.0.113.7, 198.51.100.7", 403, "198.51.100.7", "127.0.0.1"},
		{"from nowhere", behind, i.token, "unknown", 403, "unknown", "127.0.0.1"},
		{"the proxy itself", behind, i.token, "", 403, "127.0.0.1", ""},
		// Where a call comes from is looked at after its token, so it tells nobody whether the token is good.
		{"from a network that may, with a wrong token", behind, newToken(), "203.0.113.7", 401, "203.0.113.7", "127.0.0.1"},
		{"from one that may not, with a wrong token", behind, newToken(), "198.51.100.7", 401, "198.51.100.7", "127.0.0.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			var header []string
			if tc.forwarded != "" {
				header = []string{"X-Forwarded-For", tc.forwarded}
			}
			url := strings.Replace(tc.server.url(i), i.token, tc.token, 1)
			got := send(t, http.MethodGet, url, "", header...)
			g.Expect(got.status).To(Equal(tc.want), got.text)
			if tc.want == 403 {
				g.Expect(got.outcome()).To(Equal("address-not-allowed"))
			}
			record := tc.server.log.audit(t, got.deliveryID())
			g.Expect(textOf(record, "source.ip") + textOf(record, "source.address")).To(Equal(tc.remote))
			g.Expect(textOf(record, "completion.proxy_ip")).To(Equal(tc.peer))
		})
	}
	NewWithT(t).Expect(post(t, direct.url(i), example).outcome()).To(Equal("address-not-allowed"))
	NewWithT(t).Expect(i.completions(t)).To(BeZero())
}

// The time of the answer tells no more than the answer. What a machine takes varies too much for a verdict about times;
// which of two neighbours takes longer does not: it is the one kind about half the time when nothing tells them apart,
// however slow the machine. The medians are only shown.
func TestUnknownInstitutionAndWrongTokenTakeTheSameTime(t *testing.T) {
	const rounds = 1500
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	url := server.knows(t, i)
	wrong := strings.Replace(url, i.token, newToken(), 1)
	unknown := strings.Replace(wrong, "12345", "54321", 1)
	took := func(url string) time.Duration {
		begun := time.Now()
		got := send(t, http.MethodGet, url, "")
		elapsed := time.Since(begun)
		g.Expect(got.status).To(Equal(401))
		return elapsed
	}
	var wrongs, unknowns []time.Duration
	longer := 0
	for n := range rounds {
		var a, b time.Duration
		// Taking turns, so that neither kind always comes after the other.
		if n%2 == 0 {
			a, b = took(wrong), took(unknown)
		} else {
			b, a = took(unknown), took(wrong)
		}
		if a > b {
			longer++
		}
		wrongs, unknowns = append(wrongs, a), append(unknowns, b)
	}
	slices.Sort(wrongs)
	slices.Sort(unknowns)
	t.Logf("median of wrong tokens %s, of unknown institutions %s, ratio %.3f; the wrong token took longer in %.1f%% of "+
		"%d pairs", wrongs[rounds/2], unknowns[rounds/2], float64(wrongs[rounds/2])/float64(unknowns[rounds/2]),
		100*float64(longer)/rounds, rounds)
	g.Expect(float64(longer)/rounds).To(And(BeNumerically(">", 0.4), BeNumerically("<", 0.6)),
		"the share of pairs in which the wrong token took longer")
}

// The program that faces the internet authenticates without a right to any Secret.
func TestNoSecretIsWithinReach(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	i, server := newInstitution(t), start(t)
	g.Expect(admin.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: i.namespace, Name: "webhook-token"},
		Type:       v1alpha1.SecretTypeWebhookToken,
		StringData: map[string]string{v1alpha1.SecretKeyToken: i.token},
	})).To(Succeed())
	g.Expect(post(t, server.knows(t, i), example).outcome()).To(Equal("created"))

	config, err := controlPlane.ServiceAccountConfig(ctx, systemNamespace, serviceAccount)
	g.Expect(err).NotTo(HaveOccurred())
	own, err := client.New(config, client.Options{Scheme: admin.Scheme()})
	g.Expect(err).NotTo(HaveOccurred())
	err = own.Get(ctx, client.ObjectKey{Namespace: i.namespace, Name: "webhook-token"}, &corev1.Secret{})
	g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	for _, namespace := range []string{i.namespace, systemNamespace, "kube-system", ""} {
		err = own.List(ctx, &corev1.SecretList{}, client.InNamespace(namespace))
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete"} {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "secrets", Namespace: namespace},
			}}
			g.Expect(own.Create(ctx, review)).To(Succeed())
			g.Expect(review.Status.Allowed).To(BeFalse(), "%s secrets in %q", verb, namespace)
		}
	}
}
