// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const head = "apiVersion: config.completions.lxp.dev/v1alpha1\nkind: ControllerManagerConfiguration\n"

// file is a configuration with something under grantedNamespaces.
func file(of string) string { return head + "grantedNamespaces: " + of + "\n" }

func standard(t *testing.T) Namespaces {
	t.Helper()
	namespaces, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	return namespaces
}

func parsed(t *testing.T, text string) Namespaces {
	t.Helper()
	namespaces, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return namespaces
}

func TestDefaultBoundsWhatLearnersUseUp(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	namespaces := standard(t)
	for _, name := range []corev1.ResourceName{"count/configmaps", "count/secrets", "count/services", "count/pods",
		"requests.storage", "requests.cpu", "limits.cpu", "requests.memory", "limits.memory", "services.loadbalancers"} {
		g.Expect(namespaces.Quota).To(HaveKey(name))
	}
	// A quota on something keeps every pod out that says nothing of it: a default has to.
	container := ofType(namespaces.Limits, corev1.LimitTypeContainer)
	for _, name := range []corev1.ResourceName{"cpu", "memory"} {
		g.Expect(container.Default).To(HaveKey(name))
		g.Expect(container.DefaultRequest).To(HaveKey(name))
	}
}

func TestDefaultLetsNothingButNamesThrough(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	network := standard(t).Network
	g.Expect(network.Egress).To(BeEmpty())
	g.Expect(network.Ingress).To(BeEmpty())
	g.Expect(network.Monitoring).To(BeEmpty())
	for _, peer := range network.DNS {
		g.Expect(peer.Ports).To(HaveLen(2))
		g.Expect(peer.Ports[0].Port).To(BeElementOf(int32(53), int32(5353)))
		g.Expect(peer.Namespace).To(BeElementOf("", "kube-system", "openshift-dns"))
		if peer.Namespace == "" {
			g.Expect(peer.CIDR).To(BeElementOf("169.254.20.10/32", "169.254.169.254/32"))
		} else {
			g.Expect(peer.PodLabels).To(HaveLen(1))
		}
	}
}

func TestShippedFileSpellsTheDefaultOut(t *testing.T) {
	t.Parallel()
	shipped, err := Load("../../config/manager/configuration.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(standard(t), shipped); diff != "" {
		t.Errorf("config/manager/configuration.yaml is not the default (-default +file):\n%s", diff)
	}
	content, err := os.ReadFile("../../config/manager/configuration.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"quota:", "limits:", "dns:", "egress:", "ingress:", "monitoring:"} {
		if !strings.Contains(string(content), "\n  "+field) && !strings.Contains(string(content), "\n    "+field) {
			t.Errorf("config/manager/configuration.yaml leaves out %s", field)
		}
	}
}

func TestExampleIsRead(t *testing.T) {
	t.Parallel()
	namespaces, err := Load("../../config/examples/granted-namespaces/configuration.yaml")
	if err != nil {
		t.Fatal(err)
	}
	g := NewWithT(t)
	g.Expect(namespaces.Network.Ingress).NotTo(BeEmpty())
	g.Expect(namespaces.Network.DNS).To(Equal(standard(t).Network.DNS))
	// The comment in it says that it starts from the default.
	for name := range standard(t).Quota {
		g.Expect(namespaces.Quota).To(HaveKey(name))
	}
}

func TestWhatIsLeftOutIsAsByDefault(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want func(*Namespaces)
	}{
		"everything":        {head, func(*Namespaces) {}},
		"all but the quota": {file("{quota: {pods: 3}}"), func(n *Namespaces) { n.Quota = quantities("pods", "3") }},
		"all but no quota":  {file("{quota: {}}"), func(n *Namespaces) { n.Quota = corev1.ResourceList{} }},
		"all but no limits": {file("{limits: []}"), func(n *Namespaces) { n.Limits = nil }},
		"all but no names":  {file("{network: {dns: []}}"), func(n *Namespaces) { n.Network.DNS = []Peer{} }},
		"all but ingress": {file("{network: {ingress: [{namespace: traefik}]}}"), func(n *Namespaces) {
			n.Network.Ingress = []Peer{{Namespace: "traefik"}}
		}},
		"the ports of names": {file("{network: {dns: [{cidr: 10.96.0.10/32}]}}"), func(n *Namespaces) {
			n.Network.DNS = []Peer{{CIDR: "10.96.0.10/32", Ports: []Port{{"UDP", 53}, {"TCP", 53}}}}
		}},
		"the protocol": {file("{network: {monitoring: [{namespace: prom, ports: [{port: 9090}]}]}}"), func(n *Namespaces) {
			n.Network.Monitoring = []Peer{{Namespace: "prom", Ports: []Port{{"TCP", 9090}}}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := standard(t)
			tc.want(&want)
			if diff := cmp.Diff(want, parsed(t, tc.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Who only moves lines in the file has nothing written anew.
func TestOrderInTheFileChangesNothing(t *testing.T) {
	t.Parallel()
	one := parsed(t, file(`{network: {egress: [
		{namespace: a, ports: [{port: 1}, {protocol: UDP, port: 2}]}, {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.0/16]},
		{cidr: "2001:DB8::/32"}]}}`))
	other := parsed(t, file(`{network: {egress: [
		{cidr: "2001:db8::/32"}, {cidr: 10.0.0.0/8, except: [10.2.0.0/16, 10.1.0.0/16]},
		{namespace: a, ports: [{protocol: UDP, port: 2}, {protocol: TCP, port: 1}]}]}}`))
	if diff := cmp.Diff(one, other); diff != "" {
		t.Errorf("(-one +other):\n%s", diff)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("{namespace: a}, ", maxPeers+1)
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":              {"", "the file is empty"},
		"no YAML":              {"{", "yaml"},
		"a list":               {"[]", "apiVersion and kind"},
		"another version":      {strings.Replace(head, "v1alpha1", "v2", 1), "this version supports"},
		"another kind":         {"apiVersion: v1\nkind: ConfigMap", "this version supports"},
		"two documents":        {head + "---\n" + head, "more than one document"},
		"a field twice":        {head + "grantedNamespaces: {}\ngrantedNamespaces: {}", "grantedNamespaces"},
		"an unknown field":     {file("{isolation: {}}"), "grantedNamespaces.isolation"},
		"another case":         {file("{network: {DNS: []}}"), "grantedNamespaces.network.DNS"},
		"a namespace selector": {file("{network: {ingress: [{namespaceSelector: {}}]}}"), "namespaceSelector"},
		"a text for a list":    {file("{network: {ingress: traefik}}"), "network.ingress"},

		"no resource":       {file("{quota: {pots: 1}}"), "quota[pots]: not a quota resource"},
		"no quantity":       {file("{quota: {pods: many}}"), `quota[pods]: "many" is not a quantity`},
		"an empty quantity": {file("{quota: {pods: null}}"), `quota[pods]`},
		"less than nothing": {file("{quota: {pods: -1}}"), `quota[pods]: "-1" is not a quantity`},
		"half an object":    {file("{quota: {count/pods: 500m}}"), "quota[count/pods]: 500m must be a whole number"},
		"half a pod":        {file("{quota: {pods: 500m}}"), "quota[pods]: 500m must be a whole number"},
		"half a node port": {file("{quota: {services.nodeports: 1.5}}"),
			"quota[services.nodeports]: 1.5 must be a whole number"},
		"half a device": {file("{quota: {example.com/gpu: 0.5}}"),
			"quota[example.com/gpu]: 0.5 must be a whole number"},
		"a request of no resource": {file("{quota: {requests.a/b/c: 1}}"),
			"quota[requests.a/b/c]: not a quota resource"},
		"a list for a quantity": {file("{quota: {pods: [1]}}"),
			"[1] is not a quantity"},

		"no type": {file("{limits: [{type: Pods}]}"), "limits[0].type"},
		"a type twice": {file("{limits: [{type: Pod, max: {cpu: 1}}, {type: Pod}]}"),
			"limits[1].type: duplicate type Pod"},
		"a default for pods": {file("{limits: [{type: Pod, default: {cpu: 1}}]}"), "set them for Container"},
		"storage of a container": {file("{limits: [{type: Container, max: {storage: 1Gi}}]}"),
			"limits[0].max[storage]: cannot be limited for this type: use cpu"},
		"a limit of a request": {file("{limits: [{type: Container, max: {requests.example.com/gpu: 1}}]}"),
			"limits[0].max[requests.example.com/gpu]: cannot be limited for this type"},
		"a limit of half a device": {file("{limits: [{type: Pod, max: {example.com/gpu: 1.5}}]}"),
			"limits[0].max[example.com/gpu]: 1.5 must be a whole number"},
		"more devices than asked for": {
			file("{limits: [{type: Container, default: {example.com/gpu: 2}, defaultRequest: {example.com/gpu: 1}}]}"),
			"limits[0].defaultRequest[example.com/gpu]: 1 must equal the default 2"},
		"a claim without bounds": {file("{limits: [{type: PersistentVolumeClaim}]}"), "min or max of storage"},
		"a request above the limit": {file("{limits: [{type: Container, default: {cpu: 1}, defaultRequest: {cpu: 2}}]}"),
			"limits[0].defaultRequest[cpu]: 2 is greater than default, which is 1"},
		"a least above the most": {file("{limits: [{type: Container, min: {memory: 2Gi}, max: {memory: 1Gi}}]}"),
			"limits[0].min[memory]: 2Gi is greater than max, which is 1Gi"},

		"nobody":             {file("{network: {ingress: [{}]}}"), "network.ingress[0]: set either namespace"},
		"two at once":        {file("{network: {ingress: [{namespace: a, cidr: 10.0.0.0/8}]}}"), "set either namespace"},
		"no namespace":       {file(`{network: {ingress: [{namespace: "a.b"}]}}`), "network.ingress[0].namespace"},
		"all namespaces":     {file(`{network: {ingress: [{namespace: "*"}]}}`), "labels cannot be used here"},
		"no label":           {file("{network: {dns: [{namespace: a, podLabels: {a/b/c: d}}]}}"), "podLabels[a/b/c]"},
		"labels of a range":  {file("{network: {dns: [{cidr: 10.0.0.0/8, podLabels: {a: b}}]}}"), "podLabels"},
		"a part of no range": {file("{network: {dns: [{namespace: a, except: [10.0.0.0/8]}]}}"), "only allowed with cidr"},
		"a single address":   {file("{network: {dns: [{cidr: 10.96.0.10}]}}"), "with /32"},
		"an address in a range": {file("{network: {dns: [{cidr: 10.1.2.3/16}]}}"),
			"network.dns[0].cidr: 10.1.2.3/16 has host bits set: write 10.1.0.0/16"},
		"a part outside": {file("{network: {egress: [{cidr: 10.0.0.0/8, except: [11.0.0.0/16]}]}}"),
			"network.egress[0].except[0]: 11.0.0.0/16 is not a subrange of 10.0.0.0/8"},
		"all of it as a part": {file("{network: {egress: [{cidr: 10.0.0.0/8, except: [10.0.0.0/8]}]}}"),
			"is not a subrange of"},
		"everybody comes in": {file("{network: {ingress: [{cidr: 0.0.0.0/0}]}}"), "would admit everyone"},
		"everybody scrapes":  {file(`{network: {monitoring: [{cidr: "::/0"}]}}`), "would admit everyone"},
		"credentials of the node": {file("{network: {egress: [{cidr: 169.254.0.0/16}]}}"),
			"add 169.254.169.254/32 to except"},
		"credentials by a port": {file("{network: {dns: [{cidr: 169.254.0.0/16, ports: [{port: 80}]}]}}"),
			"add 169.254.169.254/32 to except"},
		"no port":       {file("{network: {dns: [{namespace: a, ports: [{port: 0}]}]}}"), "dns[0].ports[0].port"},
		"no protocol":   {file("{network: {dns: [{namespace: a, ports: [{port: 1, protocol: udp}]}]}}"), "use TCP, UDP"},
		"a port twice":  {file("{network: {dns: [{namespace: a, ports: [{port: 1}, {port: 1}]}]}}"), "duplicate port TCP 1"},
		"a named port":  {file("{network: {dns: [{namespace: a, ports: [{port: dns}]}]}}"), "network.dns.ports.port"},
		"a peer twice":  {file("{network: {dns: [{namespace: a}, {namespace: a}]}}"), "dns[1]: duplicate entry"},
		"many peers":    {file("{network: {egress: [" + many + "]}}"), "at most 32"},
		"two at a time": {file("{quota: {pots: 1}, network: {dns: [{}]}}"), "grantedNamespaces.network.dns[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespaces, err := Parse([]byte(tc.text))
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(tc.want)))
			if diff := cmp.Diff(Namespaces{}, namespaces); diff != "" {
				t.Errorf("something is kept of what is refused:\n%s", diff)
			}
		})
	}
}

func TestWhatIsTaken(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"storage of a class": "{quota: {fast.storageclass.storage.k8s.io/requests.storage: 1Gi}}",
		"a device": `{quota: {requests.nvidia.com/gpu: 0},
			limits: [{type: Container, max: {nvidia.com/gpu: 1}}]}`,
		"a claim":               "{limits: [{type: PersistentVolumeClaim, max: {storage: 5Gi}}]}",
		"a half":                "{quota: {requests.cpu: 1.5}}",
		"names by the metadata": "{network: {dns: [{cidr: 169.254.169.254/32}]}}",
		"the world but some": `{network: {egress: [{cidr: 0.0.0.0/0,
			except: [10.0.0.0/8, 169.254.0.0/16, 100.100.100.200/32, 168.63.129.16/32]}]}}`,
		"the world by one port":   "{network: {egress: [{cidr: 0.0.0.0/0, ports: [{port: 443}]}]}}",
		"nodes":                   "{network: {ingress: [{cidr: 10.0.0.0/16}]}}",
		"the same on other ports": "{network: {dns: [{namespace: a}, {namespace: a, ports: [{port: 5353}]}]}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed(t, file(text))
		})
	}
}

func TestFileIsNamedInTheError(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "configuration.yaml")
	_, err := Load(path)
	g.Expect(err).To(MatchError(ContainSubstring(path)))
	g.Expect(os.WriteFile(path, []byte(file("{quota: {pots: 1}}")), 0o600)).To(Succeed())
	_, err = Load(path)
	g.Expect(err).To(MatchError(path + ": grantedNamespaces.quota[pots]: not a quota resource such as count/pods or " +
		"requests.storage"))
}

func quantities(pairs ...string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return list
}

func TestPolicyHasTheLastWordOnAQuota(t *testing.T) {
	t.Parallel()
	namespaces := Namespaces{Quota: quantities("count/pods", "50", "requests.cpu", "4", "limits.cpu", "8")}
	for name, tc := range map[string]struct{ quota, want corev1.ResourceList }{
		"no quota": {nil, namespaces.Quota},
		"another": {quantities("count/secrets", "1"),
			quantities("count/secrets", "1", "count/pods", "50", "requests.cpu", "4", "limits.cpu", "8")},
		"the same": {quantities("count/pods", "100"),
			quantities("count/pods", "100", "requests.cpu", "4", "limits.cpu", "8")},
		"by another name": {quantities("pods", "100", "cpu", "1"),
			quantities("pods", "100", "cpu", "1", "limits.cpu", "8")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, namespaces.WithQuota(tc.quota)); diff != "" {
				t.Errorf("quota (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.quota, (&Namespaces{}).WithQuota(tc.quota)); diff != "" {
				t.Errorf("without a default (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPolicyHasTheLastWordOnLimits(t *testing.T) {
	t.Parallel()
	const container, pod = corev1.LimitTypeContainer, corev1.LimitTypePod
	namespaces := Namespaces{Limits: []corev1.LimitRangeItem{{Type: container,
		Default: quantities("cpu", "1", "memory", "512Mi"), DefaultRequest: quantities("cpu", "50m", "memory", "128Mi")}}}
	type items = []corev1.LimitRangeItem
	for name, tc := range map[string]struct{ limits, want items }{
		"no limits": {nil, namespaces.Limits},
		"another type": {items{{Type: pod, Max: quantities("cpu", "2")}},
			items{{Type: pod, Max: quantities("cpu", "2")}, namespaces.Limits[0]}},
		"one resource": {items{{Type: container,
			Default: quantities("memory", "1Gi"), DefaultRequest: quantities("memory", "1Mi")}},
			items{{Type: container, Default: quantities("cpu", "1", "memory", "1Gi"),
				DefaultRequest: quantities("cpu", "50m", "memory", "1Mi")}}},
		"no request, which then is the limit": {items{{Type: container, Default: quantities("cpu", "1m", "memory", "1Mi")}},
			items{{Type: container, Default: quantities("cpu", "1m", "memory", "1Mi")}}},
		"a request without a limit": {items{{Type: container, DefaultRequest: quantities("cpu", "100m", "memory", "1Gi")}},
			items{{Type: container, DefaultRequest: quantities("cpu", "100m", "memory", "1Gi"),
				Default: quantities("cpu", "1", "memory", "1Gi")}}},
		"a least above the limit": {items{{Type: container, Min: quantities("cpu", "3")}},
			items{{Type: container, Min: quantities("cpu", "3"), Default: quantities("cpu", "3", "memory", "512Mi"),
				DefaultRequest: quantities("memory", "128Mi")}}},
		"the most, which then is the limit": {items{{Type: container, Max: quantities("cpu", "500m", "memory", "1Gi")}},
			items{{Type: container, Max: quantities("cpu", "500m", "memory", "1Gi")}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := (&corev1.LimitRangeSpec{Limits: tc.limits}).DeepCopy()
			if diff := cmp.Diff(tc.want, namespaces.WithLimits(tc.limits)); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before.Limits, tc.limits); diff != "" {
				t.Errorf("the policy's own were changed:\n%s", diff)
			}
			if diff := cmp.Diff(tc.limits, (&Namespaces{}).WithLimits(tc.limits)); diff != "" {
				t.Errorf("without a default (-want +got):\n%s", diff)
			}
		})
	}
}
