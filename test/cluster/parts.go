// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/x509"
	"fmt"
	"strconv"
)

// endpoints are chosen once: a part that starts again listens where it did before.
type endpoints struct{ etcd, etcdPeer, apiServer, controllerManager int }

func newEndpoints() (endpoints, error) {
	ports, err := freePorts(4)
	if err != nil {
		return endpoints{}, err
	}
	return endpoints{etcd: ports[0], etcdPeer: ports[1], apiServer: ports[2], controllerManager: ports[3]}, nil
}

func loopback(port int) string { return "https://127.0.0.1:" + strconv.Itoa(port) }

// etcdArgs keeps fsync on: fault tests rely on what was acknowledged.
func etcdArgs(s *state, e endpoints) []string {
	return []string{
		"--name=default",
		"--data-dir=" + s.path("etcd"),
		"--listen-client-urls=" + loopback(e.etcd),
		"--advertise-client-urls=" + loopback(e.etcd),
		"--listen-peer-urls=" + loopback(e.etcdPeer),
		"--initial-advertise-peer-urls=" + loopback(e.etcdPeer),
		"--initial-cluster=default=" + loopback(e.etcdPeer),
		"--client-cert-auth=true",
		"--trusted-ca-file=" + s.path("pki", "etcd-ca.crt"),
		"--cert-file=" + s.path("pki", "etcd.crt"),
		"--key-file=" + s.path("pki", "etcd.key"),
		"--peer-client-cert-auth=true",
		"--peer-trusted-ca-file=" + s.path("pki", "etcd-ca.crt"),
		"--peer-cert-file=" + s.path("pki", "etcd.crt"),
		"--peer-key-file=" + s.path("pki", "etcd.key"),
		"--quota-backend-bytes=8589934592",
		"--log-level=warn",
	}
}

// apiServerArgs leaves the default admission plugins on. The token issuer does not depend on the port.
func apiServerArgs(s *state, e endpoints, audits bool) []string {
	args := []string{
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(e.apiServer),
		"--advertise-address=127.0.0.1",
		// The endpoints of the Service "kubernetes" may not be loopback addresses, and there are no pods to use them.
		"--endpoint-reconciler-type=none",
		"--etcd-servers=" + loopback(e.etcd),
		"--etcd-cafile=" + s.path("pki", "etcd-ca.crt"),
		"--etcd-certfile=" + s.path("pki", "etcd-client.crt"),
		"--etcd-keyfile=" + s.path("pki", "etcd-client.key"),
		"--tls-cert-file=" + s.path("pki", "kube-apiserver.crt"),
		"--tls-private-key-file=" + s.path("pki", "kube-apiserver.key"),
		"--client-ca-file=" + s.path("pki", "ca.crt"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + s.path("pki", "sa.key"),
		"--service-account-key-file=" + s.path("pki", "sa.pub"),
		"--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged=true",
		// Else a graceful end waits for every watch to run out, up to a minute.
		"--shutdown-watch-termination-grace-period=1s",
		"--requestheader-client-ca-file=" + s.path("pki", "front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + s.path("pki", "front-proxy-client.crt"),
		"--proxy-client-key-file=" + s.path("pki", "front-proxy-client.key"),
	}
	if !audits {
		return args
	}
	return append(args,
		"--audit-policy-file="+s.path("audit-policy.yaml"),
		"--audit-log-path="+s.path(auditLogName),
		// Never rotated: a test reads one file from its beginning to its end.
		"--audit-log-maxsize=0",
	)
}

// controllerManagerArgs runs the default controllers, each with its own ServiceAccount and so with the rights that
// the default roles give it. Raised limits keep many namespaces from waiting for each other; the five seconds that
// Kubernetes waits before it empties a namespace are a constant of its source.
func controllerManagerArgs(s *state, e endpoints) []string {
	kubeconfig := s.path("pki", "controller-manager.kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(e.controllerManager),
		"--tls-cert-file=" + s.path("pki", "kube-controller-manager.crt"),
		"--tls-private-key-file=" + s.path("pki", "kube-controller-manager.key"),
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + s.path("pki", "sa.key"),
		"--root-ca-file=" + s.path("pki", "ca.crt"),
		"--cluster-signing-cert-file=" + s.path("pki", "ca.crt"),
		"--cluster-signing-key-file=" + s.path("pki", "ca.key"),
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
		"--concurrent-namespace-syncs=50",
		"--namespace-sync-period=1m",
		"--concurrent-serviceaccount-token-syncs=20",
		"--concurrent-gc-syncs=40",
		"--concurrent-resource-quota-syncs=20",
	}
}

// writeCredentials generates every key, certificate and kubeconfig and returns the probes, which hold their own.
func writeCredentials(s *state, e endpoints) (*probes, error) {
	authorities, issued := map[string]*authority{}, map[string]keyPair{}
	for _, name := range []string{"ca", "etcd-ca", "front-proxy-ca"} {
		made, err := newAuthority("controlplane-" + name)
		if err != nil {
			return nil, err
		}
		authorities[name], issued[name] = made, made.keyPair
	}
	cluster, etcd, proxy := authorities["ca"], authorities["etcd-ca"], authorities["front-proxy-ca"]
	for name, issue := range map[string]func() (keyPair, error){
		"etcd": func() (keyPair, error) {
			return etcd.issue("etcd", nil, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
		},
		"etcd-client":             func() (keyPair, error) { return etcd.client("kube-apiserver") },
		"front-proxy-client":      func() (keyPair, error) { return proxy.client("front-proxy-client") },
		string(APIServer):         func() (keyPair, error) { return cluster.server(string(APIServer)) },
		string(ControllerManager): func() (keyPair, error) { return cluster.server(string(ControllerManager)) },
		"controller-manager":      func() (keyPair, error) { return cluster.client("system:kube-controller-manager") },
		"admin":                   func() (keyPair, error) { return cluster.client("admin", "system:masters") },
		// The probes have a name of their own, so that an audit log tells them from the administrator.
		"controlplane-probe": func() (keyPair, error) { return cluster.client("controlplane-probe", "system:masters") },
	} {
		pair, err := issue()
		if err != nil {
			return nil, err
		}
		issued[name] = pair
	}
	private, public, err := serviceAccountKeys()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"pki/sa.key": private, "pki/sa.pub": public}
	for name, pair := range issued {
		files["pki/"+name+".crt"], files["pki/"+name+".key"] = pair.cert, pair.key
	}
	server := loopback(e.apiServer)
	files["kubeconfig"] = kubeconfig(server, "admin", cluster.cert, issued["admin"])
	files["pki/controller-manager.kubeconfig"] = kubeconfig(server, "controller-manager", cluster.cert,
		issued["controller-manager"])
	for name, content := range files {
		if err := s.write(content, name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return newProbes(e, cluster, issued["controlplane-probe"], etcd, issued["etcd-client"])
}
