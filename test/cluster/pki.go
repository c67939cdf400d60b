// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

const (
	// certificateLifetime is far longer than any control plane of this program lives.
	certificateLifetime = 365 * 24 * time.Hour
	// clockSkew is how much earlier certificates become valid.
	clockSkew = time.Hour
)

// keyPair is a certificate and its key, both in PEM.
type keyPair struct{ cert, key []byte }

// authority signs certificates. The cluster, etcd and the aggregation layer have one each: else every user of the
// cluster could talk to etcd, or speak for others, and so go round RBAC.
type authority struct {
	keyPair
	certificate *x509.Certificate
	signer      *ecdsa.PrivateKey
}

func newAuthority(name string) (*authority, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	a := &authority{}
	var err error
	if a.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("generating the key of %s: %w", name, err)
	}
	if a.keyPair, err = sign(template, template, a.signer, a.signer); err != nil {
		return nil, fmt.Errorf("signing %s: %w", name, err)
	}
	block, _ := pem.Decode(a.cert)
	if a.certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
		return nil, fmt.Errorf("parsing %s: %w", name, err)
	}
	return a, nil
}

// issue makes a certificate for a server on loopback, for a client, or for both.
func (a *authority) issue(commonName string, organizations []string, usages ...x509.ExtKeyUsage) (keyPair, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: commonName, Organization: organizations},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: usages,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("generating the key of %s: %w", commonName, err)
	}
	pair, err := sign(template, a.certificate, key, a.signer)
	if err != nil {
		return keyPair{}, fmt.Errorf("signing the certificate of %s: %w", commonName, err)
	}
	return pair, nil
}

func (a *authority) client(commonName string, organizations ...string) (keyPair, error) {
	return a.issue(commonName, organizations, x509.ExtKeyUsageClientAuth)
}

func (a *authority) server(commonName string) (keyPair, error) {
	return a.issue(commonName, nil, x509.ExtKeyUsageServerAuth)
}

// tlsConfig trusts the authority and shows a client certificate.
func (a *authority) tlsConfig(client keyPair) (*tls.Config, error) {
	certificate, err := tls.X509KeyPair(client.cert, client.key)
	if err != nil {
		return nil, fmt.Errorf("loading a client certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, nil
}

func sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (keyPair, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return keyPair{}, err
	}
	now := time.Now()
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = now.Add(-clockSkew), now.Add(certificateLifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return keyPair{}, err
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key: encoded}, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// serviceAccountKeys returns the private and the public key that sign and check ServiceAccount tokens.
func serviceAccountKeys() (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generating the ServiceAccount key: %w", err)
	}
	if private, err = encodeKey(key); err != nil {
		return nil, nil, fmt.Errorf("encoding the ServiceAccount key: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the ServiceAccount key: %w", err)
	}
	return private, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// kubeconfig is complete in itself, so that it can be copied.
func kubeconfig(server, user string, ca []byte, client keyPair) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: controlplane
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: %s
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: controlplane
  context:
    cluster: controlplane
    user: %s
current-context: controlplane
`, server, encode(ca), user, encode(client.cert), encode(client.key), user)
}
