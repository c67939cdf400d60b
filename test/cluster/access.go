// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenLifetime is longer than a cluster of this package is kept up; its signing key goes with it.
const tokenLifetime = 7 * 24 * time.Hour

// Kubectl runs kubectl as the administrator and returns its stdout; an error contains its stderr.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.KubectlInput(ctx, nil, args...)
}

// KubectlInput is Kubectl with something to read on stdin.
func (c *Cluster) KubectlInput(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.KubectlPath(), args...)
	// Neither the cache nor the preferences of the user's own kubectl play a part.
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+c.Kubeconfig(), "KUBECACHEDIR="+filepath.Join(c.StateDir(), "kubectl"), "KUBERC=off")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String())
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return stdout.String(), nil
}

// kindsTimeout bounds how long the API server may take to serve the kinds that were just applied.
const kindsTimeout = 3 * time.Minute

// AwaitKinds waits until the API serves every kind of every CustomResourceDefinition. kubectl wait fails on one that
// has no status yet, as on a slow machine right after it was applied, and so is repeated.
func (c *Cluster) AwaitKinds(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kindsTimeout)
	defer cancel()
	for {
		_, err := c.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the kinds: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ServiceAccountConfig returns a client configuration with a token of a ServiceAccount, and so with exactly its
// rights; it has no rate limit.
func (c *Cluster) ServiceAccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	token, err := c.token(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(c.admin)
	config.BearerToken = token
	config.QPS = unlimited
	return config, nil
}

// ServiceAccountKubeconfig writes a kubeconfig with a token of a ServiceAccount, mode 0600.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, namespace, name, path string) error {
	token, err := c.token(ctx, namespace, name)
	if err != nil {
		return err
	}
	const entry = "controlplane"
	server := clientcmdapi.Cluster{Server: c.admin.Host, CertificateAuthorityData: c.admin.CAData}
	config := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{entry: &server},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{entry: {Cluster: entry, AuthInfo: name, Namespace: namespace}},
		CurrentContext: entry,
	}
	content, err := clientcmd.Write(config)
	if err != nil {
		return fmt.Errorf("encoding the kubeconfig of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	// WriteFile leaves the mode of a file that is already there.
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("protecting the kubeconfig of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	return nil
}

func (c *Cluster) token(ctx context.Context, namespace, name string) (string, error) {
	client, err := kubernetes.NewForConfig(c.admin)
	if err != nil {
		return "", err
	}
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenLifetime / time.Second))},
	}
	got, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("requesting a token of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	return got.Status.Token, nil
}
