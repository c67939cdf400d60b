// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package create

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/token"
)

// The installation, as config/default names it.
const (
	systemNamespace   = "completion-system"
	controllerManager = "completion-controller-manager"
	// institutionRole is what the controller-manager may do where an institution lives, and the name of its binding.
	institutionRole = "completion-institution"
)

type institutionFlags struct {
	*cmdutil.Factory
	name, secret, prefix, zone string
	privacy                    map[string]string
	cidrs                      []string
	retentionDays, budget      int32
	host                       string
	timeout                    time.Duration
	export                     bool
	output                     cmdutil.Output
}

func newInstitution(f *cmdutil.Factory) *cobra.Command {
	o := &institutionFlags{Factory: f}
	cmd := &cobra.Command{
		Use:     "institution ID --namespace-prefix PREFIX",
		Aliases: []string{"inst"},
		Short:   "Create an institution with everything that it needs to receive deliveries",
		Long: templates.LongDesc(`
			Create an institution with everything that it needs to receive deliveries.

			It creates a namespace that allows the institution, the RoleBinding that lets the controller-manager read its
			tokens, a Secret with a random token, and the Institution. It waits until the Institution is Ready, and shows
			the webhook URL once. The namespace is institution-ID, unless you give another one with -n.

			Requires cluster-admin, to create the namespace and to let the controller-manager read Secrets in it. Existing
			objects stay as they are, so you can repeat the command after an interruption; an object that belongs to
			something else is an error.`),
		Example: templates.Examples(`
			# Institution 12345, whose users get namespaces such as grad-987654321
			kubectl course create institution 12345 --namespace-prefix grad- --host completions.example.com

			# Print the YAML for GitOps, without the token
			kubectl course create institution 12345 --namespace-prefix grad- --export

			# Store less personal data, for three years
			kubectl course create institution 12345 --namespace-prefix grad- --privacy name=Drop,email=Mask \
			  --retention-days 1095`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.prefix, "namespace-prefix", "",
		"Prefix of the names of all granted namespaces, such as grad-. Cannot be changed later. Required.")
	flags.StringVar(&o.name, "name", "", "Name of the Institution. Default: institution-ID.")
	flags.StringVar(&o.secret, "secret", "webhook-token", "Name of the Secret of the token.")
	flags.StringVar(&o.zone, "time-zone", "", "IANA time zone of the times in deliveries. Default: America/Sao_Paulo.")
	flags.Int32Var(&o.retentionDays, "retention-days", 0,
		"Days after which completions are deleted. By default they are kept.")
	flags.StringToStringVar(
		&o.privacy,
		"privacy",
		nil,
		"What is stored of personal fields (name, email, cpf, nickname, uuid): "+
			"Keep, Mask or Drop, such as name=Drop,email=Mask. Default: cpf=Mask, and Keep.",
	)
	flags.StringSliceVar(
		&o.cidrs,
		"allowed-cidrs",
		nil,
		"Networks from which deliveries may come, such as 203.0.113.0/24. "+
			"Default: from everywhere.",
	)
	flags.Int32Var(&o.budget, "revocation-budget", v1alpha1.DefaultRevocationBudget,
		"Number of Grants that can be revoked within an hour before the brake pauses further ones.")
	flags.BoolVar(&o.export, "export", false,
		"Print the objects as YAML, or as -o says, without the token and without creating them. Needs no cluster.")
	token.AddURLFlags(cmd, &o.host, &o.timeout)
	o.output.AddFlags(cmd, "WebhookURL")
	return cmd
}

func (o *institutionFlags) run(cmd *cobra.Command, number string) error {
	id, err := cmdutil.PlatformID(number, "institution")
	if err != nil {
		return err
	}
	base := ""
	if o.host != "" {
		if base, err = token.Base(o.host); err != nil {
			return err
		}
	}
	institution, err := o.institution(cmd, id)
	if err != nil {
		return err
	}
	opening := &opening{Factory: o.Factory, institution: institution, namespace: namespaceOf(institution),
		binding: bindingIn(institution.Namespace), secret: o.secret, base: base, timeout: o.timeout, output: &o.output}
	if o.export {
		fmt.Fprintf(
			o.exportNote(),
			"# The token is a Secret that no file should hold. Once this is applied, make it by running again, "+
				"without --export,\n# what made this, or by: kubectl create secret generic %s -n %s --type=%s \\\n"+
				"#   --from-literal=%s=\"$(openssl rand -hex 32)\"\n",
			o.secret,
			institution.Namespace,
			v1alpha1.SecretTypeWebhookToken,
			v1alpha1.SecretKeyToken,
		)
		return Export(o.Out, &o.output, opening.namespace, opening.binding, institution)
	}
	return opening.run(cmd.Context())
}

// exportNote is where it is said how the token is made: as comments before the documents, or beside the data.
func (o *institutionFlags) exportNote() io.Writer {
	if o.output.Text() {
		return o.Out
	}
	return o.ErrOut
}

// institution makes the Institution of the flags.
func (o *institutionFlags) institution(cmd *cobra.Command, id v1alpha1.PlatformID) (*v1alpha1.Institution, error) {
	own := "institution-" + id.String()
	if o.name == "" {
		o.name = own
	}
	namespace := own
	if flag := o.Flags.Namespace; flag != nil && *flag != "" {
		namespace = *flag
	}
	if err := o.check(namespace); err != nil {
		return nil, err
	}
	institution := &v1alpha1.Institution{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: o.name},
		Spec: v1alpha1.InstitutionSpec{
			ID: id, NamespacePrefix: o.prefix, TimeZone: o.zone, RetentionDays: o.retentionDays,
			Authentication: v1alpha1.AuthenticationSpec{
				TokenSecretRefs: []v1alpha1.TokenSecretReference{{Name: v1alpha1.LocalName(o.secret)}}},
		},
	}
	spec := &institution.Spec
	for _, cidr := range o.cidrs {
		spec.Authentication.AllowedCIDRs = append(spec.Authentication.AllowedCIDRs, v1alpha1.CIDR(cidr))
	}
	if cmd.Flags().Changed("revocation-budget") {
		spec.RevocationBudget = &o.budget
	}
	if cmd.Flags().Changed("retention-days") && o.retentionDays < 1 {
		return nil, cmdutil.Usagef(
			"--retention-days=%d: must be at least 1; omit it to keep completions forever",
			o.retentionDays,
		)
	}
	fields := map[string]*v1alpha1.DataHandling{
		"name": &spec.Privacy.Name, "email": &spec.Privacy.Email, "cpf": &spec.Privacy.CPF,
		"nickname": &spec.Privacy.Nickname, "uuid": &spec.Privacy.UUID,
	}
	handlings := []string{string(v1alpha1.DataKeep), string(v1alpha1.DataMask), string(v1alpha1.DataDrop)}
	for field, handling := range o.privacy {
		to := fields[strings.ToLower(field)]
		at := slices.IndexFunc(handlings, func(one string) bool { return strings.EqualFold(one, handling) })
		if to == nil || at < 0 {
			return nil, cmdutil.Usagef("--privacy %s=%s: give one of %s the value %s", field, handling,
				strings.Join(slices.Sorted(maps.Keys(fields)), ", "), strings.Join(handlings, ", "))
		}
		*to = v1alpha1.DataHandling(handlings[at])
	}
	return institution, nil
}

func (o *institutionFlags) check(namespace string) error {
	for flag, name := range map[string]string{"-n": namespace, "--name": o.name} {
		if len(validation.IsDNS1123Label(name)) > 0 {
			return cmdutil.Usagef("%s %s is not a valid name: use at most 63 lowercase letters, digits and -", flag, name)
		}
	}
	if len(validation.IsDNS1123Subdomain(o.secret)) > 0 {
		return cmdutil.Usagef("--secret %s is not a valid name: use lowercase letters, digits, - and .", o.secret)
	}
	switch {
	case o.prefix == "":
		return cmdutil.Usagef("--namespace-prefix is required: the prefix of all granted namespaces, such as grad-")
	case len(o.prefix) < 4 || len(o.prefix) > 40 || !strings.HasSuffix(o.prefix, "-") ||
		len(validation.IsDNS1035Label(o.prefix+"x")) > 0:
		return cmdutil.Usagef("--namespace-prefix=%s: use 4 to 40 lowercase letters, digits and -, starting with a letter "+
			"and ends in -, such as grad-", o.prefix)
	}
	if o.zone != "" {
		if _, err := time.LoadLocation(o.zone); err != nil || o.zone == "Local" {
			return cmdutil.Usagef(
				"--time-zone=%s is not a time zone: use a name of the IANA database, such as America/Sao_Paulo",
				o.zone,
			)
		}
	}
	for _, text := range o.cidrs {
		network, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			return cmdutil.Usagef("--allowed-cidrs: %q is not a network: use CIDRs such as 203.0.113.0/24 or 2001:db8::/32",
				text)
		case network != network.Masked():
			return cmdutil.Usagef(
				"--allowed-cidrs: %s has host bits set: use %s",
				text,
				network.Masked(),
			)
		}
	}
	return nil
}

// namespaceOf returns the namespace that allows an Institution.
func namespaceOf(institution *v1alpha1.Institution) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: institution.Namespace, Annotations: map[string]string{
		v1alpha1.AnnotationInstitutionID:   institution.Spec.ID.String(),
		v1alpha1.AnnotationNamespacePrefix: institution.Spec.NamespacePrefix,
	}}}
}

// bindingIn returns the RoleBinding by which the controller-manager reads the tokens in a namespace.
func bindingIn(namespace string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: institutionRole},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: institutionRole},
		Subjects: []rbacv1.Subject{
			{Kind: rbacv1.ServiceAccountKind, Name: controllerManager, Namespace: systemNamespace},
		},
	}
}

// opening makes what an institution takes, step by step. What there is already is checked and left alone.
type opening struct {
	*cmdutil.Factory
	institution *v1alpha1.Institution
	namespace   *corev1.Namespace
	binding     *rbacv1.RoleBinding
	// secret is the name of the Secret, and base how the webhook URL begins.
	secret, base string
	timeout      time.Duration
	output       *cmdutil.Output
}

// said prints what became of an object.
func (o *opening) said(what, name, became string) {
	fmt.Fprintf(o.ErrOut, "%s/%s %s\n", what, name, became)
}

// explain says who may do what was forbidden.
func explain(err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%w\nAsk a cluster administrator: this requires the rights to create Namespaces and to "+
			"bind the ClusterRole %s", err, institutionRole)
	}
	return cmdutil.Explain(err, "cluster-admin")
}
