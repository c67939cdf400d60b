// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/apply"
)

// restrict makes pods what the level restricted of pod security takes.
func restrict(pods *corev1.PodSpec) {
	pods.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	for i := range pods.Containers {
		pods.Containers[i].SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: new(false),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
	}
}

const learnerRole = "completion-learner"

// harmful is what no learner may make in a namespace that was granted, by what it is.
func harmful(namespace string) map[string]client.Object {
	named := metav1.ObjectMeta{Namespace: namespace, Name: "evil"}
	held := metav1.ObjectMeta{Namespace: namespace, Name: "evil", Finalizers: []string{"evil.example/never"}}
	service := func(edit func(*corev1.ServiceSpec)) *corev1.Service {
		s := &corev1.Service{ObjectMeta: named}
		s.Spec.Ports = []corev1.ServicePort{{Port: 80}}
		edit(&s.Spec)
		return s
	}
	pods := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{
		Labels: map[string]string{"a": "b"}, Finalizers: held.Finalizers}}
	pods.Spec.Containers = []corev1.Container{{Name: "c", Image: "c"}}
	pods.Spec.RestartPolicy = corev1.RestartPolicyAlways
	restrict(&pods.Spec)
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	once := *pods.DeepCopy()
	once.Spec.RestartPolicy = corev1.RestartPolicyNever
	claims := &appsv1.StatefulSet{ObjectMeta: named,
		Spec: appsv1.StatefulSetSpec{Selector: selector, Template: *pods.DeepCopy()}}
	claims.Spec.Template.Finalizers = nil
	claims.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{ObjectMeta: held}}
	claims.Spec.VolumeClaimTemplates[0].Spec = corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}
	large := func(pods *corev1.PodSpec) {
		for n := range 3 {
			pods.Containers[0].Env = append(pods.Containers[0].Env, corev1.EnvVar{
				Name: fmt.Sprintf("V%d", n), Value: strings.Repeat("é", 30<<10)})
		}
	}
	largePod := &corev1.Pod{ObjectMeta: named, Spec: *pods.Spec.DeepCopy()}
	large(&largePod.Spec)
	largeReplicas := &appsv1.ReplicaSet{ObjectMeta: named, Spec: appsv1.ReplicaSetSpec{
		Selector: selector, Template: *pods.DeepCopy()}}
	largeReplicas.Spec.Template.Finalizers = nil
	large(&largeReplicas.Spec.Template.Spec)
	largeCron := &batchv1.CronJob{ObjectMeta: named, Spec: batchv1.CronJobSpec{Schedule: "@yearly"}}
	largeCron.Spec.JobTemplate.Spec.Template = *once.DeepCopy()
	largeCron.Spec.JobTemplate.Spec.Template.Finalizers = nil
	largeCron.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Args = []string{strings.Repeat("x", 140<<10)}
	lasting := &corev1.Pod{ObjectMeta: named, Spec: *pods.Spec.DeepCopy()}
	lasting.Spec.TerminationGracePeriodSeconds = new(int64(1 << 31))
	lastingJob := &batchv1.Job{ObjectMeta: named, Spec: batchv1.JobSpec{Template: *once.DeepCopy()}}
	lastingJob.Spec.Template.Finalizers = nil
	lastingJob.Spec.Template.Spec.TerminationGracePeriodSeconds = new(int64(3601))
	keys := map[string]string{}
	for n := range 700 {
		keys[fmt.Sprintf("%0240d", n)] = ""
	}
	token := &corev1.Secret{ObjectMeta: named, Type: corev1.SecretTypeServiceAccountToken}
	token.Annotations = map[string]string{corev1.ServiceAccountNameKey: "default"}
	return map[string]client.Object{
		"a pod that does not end": lasting, "a job that does not end": lastingJob,
		"a large pod": largePod, "a large ReplicaSet": largeReplicas, "a large CronJob": largeCron,
		"large keys":    &corev1.ConfigMap{ObjectMeta: named, Data: keys},
		"large letters": &corev1.ConfigMap{ObjectMeta: named, Data: map[string]string{"a": strings.Repeat("é", 70<<10)}},
		"large annotations": &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "evil",
			Annotations: map[string]string{"a": strings.Repeat("x", 140<<10)}}},
		"external addresses": service(func(s *corev1.ServiceSpec) { s.ExternalIPs = []string{"8.8.8.8"} }),
		"a load balancer":    service(func(s *corev1.ServiceSpec) { s.Type = corev1.ServiceTypeLoadBalancer }),
		"a node port":        service(func(s *corev1.ServiceSpec) { s.Type = corev1.ServiceTypeNodePort }),
		"an external name": service(func(s *corev1.ServiceSpec) {
			s.Type, s.ExternalName = corev1.ServiceTypeExternalName, "metadata.example"
		}),
		"a held config map": &corev1.ConfigMap{ObjectMeta: held},
		"a held pod":        &corev1.Pod{ObjectMeta: held, Spec: pods.Spec},
		"held pods of a deployment": &appsv1.Deployment{ObjectMeta: named,
			Spec: appsv1.DeploymentSpec{Selector: selector, Template: pods}},
		"held pods of a replica set": &appsv1.ReplicaSet{ObjectMeta: named,
			Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: pods}},
		"held pods of a stateful set": &appsv1.StatefulSet{ObjectMeta: named,
			Spec: appsv1.StatefulSetSpec{Selector: selector, Template: pods}},
		"held claims of a stateful set": claims,
		"held pods of a job":            &batchv1.Job{ObjectMeta: named, Spec: batchv1.JobSpec{Template: once}},
		"held pods of a cron job": &batchv1.CronJob{ObjectMeta: named, Spec: batchv1.CronJobSpec{
			Schedule:    "* * * * *",
			JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: once}}}},
		"a token that never expires": token,
		"a large config map": &corev1.ConfigMap{ObjectMeta: named, Data: map[string]string{
			"a": strings.Repeat("x", 100<<10), "b": strings.Repeat("x", 40<<10)}},
		"a large config map of bytes": &corev1.ConfigMap{ObjectMeta: named, BinaryData: map[string][]byte{
			"a": make([]byte, 140<<10)}},
		"a large secret": &corev1.Secret{ObjectMeta: named, Data: map[string][]byte{"a": make([]byte, 140<<10)}},
	}
}

func TestLearnerHarmsNobodyOutsideOfHisNamespace(t *testing.T) {
	const policy = "completion-granted-namespaces"
	ns := granted(t)
	learner := bound(t, ns.Name, learnerRole)
	for name, object := range harmful(ns.Name) {
		t.Run(name, func(t *testing.T) { refuses(t, policy, creates(learner, object)) })
	}
	g := NewWithT(t)
	kept := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "kept"},
		Data: map[string]string{"a": strings.Repeat("x", 100<<10)}}
	allows(t, func(ctx context.Context) error { return learner.Create(ctx, kept.DeepCopy()) })
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "web"},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	allows(t, func(ctx context.Context) error { return learner.Create(ctx, service.DeepCopy()) })
	for name, patch := range map[string]string{
		"a finalizer later":           `{"metadata":{"finalizers":["evil.example/never"]}}`,
		"one that Kubernetes has too": `{"metadata":{"finalizers":["foregroundDeletion"]}}`,
	} {
		t.Run(name, func(t *testing.T) { refuses(t, policy, patches(learner, kept, patch)) })
	}
	for name, patch := range map[string]string{
		"external addresses later": `{"spec":{"externalIPs":["10.96.0.10"]}}`,
		"a load balancer later":    `{"spec":{"type":"LoadBalancer"}}`,
	} {
		t.Run(name, func(t *testing.T) { refuses(t, policy, patches(learner, service, patch)) })
	}
	t.Run("what runs in the namespace is held to it too", func(t *testing.T) {
		pod := user(t, "system:serviceaccount:"+ns.Name+":default")
		g := NewWithT(t)
		g.Expect(admin.Create(t.Context(), bindingOf(ns.Name, "system:serviceaccount:"+ns.Name+":default"))).To(Succeed())
		refuses(t, policy, patches(pod, kept, `{"metadata":{"finalizers":["evil.example/never"]}}`))
	})
	t.Run("who may change the namespace is not", func(t *testing.T) {
		operator := person(t, "operator", rule("", "namespaces", "configmaps"))
		allows(t, patches(operator, kept, `{"metadata":{"finalizers":["example.com/backup"]}}`))
	})
	t.Run("what a policy has the operator apply is held to it too", func(t *testing.T) {
		const account = "system:serviceaccount:institution-12345:welcome-texts"
		NewWithT(t).Expect(admin.Create(t.Context(), bindingOf(ns.Name, account))).To(Succeed())
		applies := func(name string, spec *corev1ac.ServiceSpecApplyConfiguration) func(context.Context) error {
			return func(ctx context.Context) error {
				return user(t, account).Apply(ctx, corev1ac.Service(name, ns.Name).WithSpec(spec), apply.FieldOwner)
			}
		}
		port := corev1ac.ServicePort().WithPort(80)
		refuses(t, policy, applies("outside", corev1ac.ServiceSpec().WithPorts(port).WithExternalIPs("8.8.8.8")))
		balanced := corev1ac.ServiceSpec().WithPorts(port).WithType(corev1.ServiceTypeLoadBalancer)
		refuses(t, policy, applies("balanced", balanced))
		allows(t, applies("inside", corev1ac.ServiceSpec().WithPorts(port)))
		refuses(t, policy, applies("inside", corev1ac.ServiceSpec().WithPorts(port).WithExternalIPs("8.8.8.8")))
	})
	t.Run("nor are controllers of the cluster", func(t *testing.T) {
		const backup = "system:serviceaccount:backups:controller"
		NewWithT(t).Expect(admin.Create(t.Context(), bindingOf(ns.Name, backup))).To(Succeed())
		allows(t, func(ctx context.Context) error {
			return user(t, backup).Patch(ctx, kept.DeepCopy(), client.RawPatch("application/merge-patch+json",
				[]byte(`{"metadata":{"finalizers":["example.com/backup"]}}`)))
		})
		// The learner can still write what somebody else holds.
		allows(t, patches(learner, kept, `{"data":{"a":"b"}}`))
		allows(t, patches(learner, kept, `{"metadata":{"finalizers":null}}`))
		g.Expect(admin.Patch(t.Context(), kept, client.RawPatch("application/merge-patch+json",
			[]byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
	})
}

// A deletion outlasts what the pod itself says, and the namespace controller does not shorten it.
func TestLearnerDeletesNoPodSoThatItStays(t *testing.T) {
	const policy = "completion-granted-namespaces"
	g, ns := NewWithT(t), granted(t)
	// A role with more than the learner's: deletions of collections and evictions.
	edit := bound(t, ns.Name, "edit")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "web"}}
	pod.Spec.Containers = []corev1.Container{{Name: "c", Image: "c"}}
	// A pod that no node has goes at once.
	pod.Spec.NodeName = "node-1"
	restrict(&pod.Spec)
	g.Expect(admin.Create(t.Context(), pod)).To(Succeed())
	long := client.GracePeriodSeconds(1<<31 - 1)
	refuses(t, policy, func(ctx context.Context) error { return edit.Delete(ctx, pod.DeepCopy(), long) })
	refuses(t, policy, func(ctx context.Context) error {
		return edit.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(ns.Name), long)
	})
	refuses(t, policy, func(ctx context.Context) error {
		return edit.SubResource("eviction").Create(ctx, pod.DeepCopy(), &policyv1.Eviction{
			ObjectMeta:    metav1.ObjectMeta{Namespace: ns.Name, Name: pod.Name},
			DeleteOptions: &metav1.DeleteOptions{GracePeriodSeconds: new(int64(3601))}})
	})
	allows(t, func(ctx context.Context) error {
		return edit.Delete(ctx, pod.DeepCopy(), client.GracePeriodSeconds(3600))
	})
	g.Expect(admin.Delete(t.Context(), pod, client.GracePeriodSeconds(0))).To(Succeed())
}

// Elsewhere in the cluster nothing changes.
func TestOtherNamespacesAreNotHeldToWhatLearnersAre(t *testing.T) {
	ns := makeNamespace(t, nil, nil)
	admins := bound(t, ns.Name, "admin")
	for name, object := range harmful(ns.Name) {
		t.Run(name, func(t *testing.T) { allows(t, creates(admins, object)) })
	}
}

// The namespace controller, the quota controller and the garbage collector are at work as ever.
func TestGrantedNamespaceGoesWithEverythingInIt(t *testing.T) {
	g, ns := NewWithT(t), granted(t)
	learner := bound(t, ns.Name, learnerRole)
	replicas := int32(1)
	pods := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}}
	pods.Spec.Containers = []corev1.Container{{Name: "c", Image: "c"}}
	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}, Template: pods}}
	allows(t, func(ctx context.Context) error { return learner.Create(ctx, web.DeepCopy()) })
	g.Eventually(func(g Gomega) {
		var sets appsv1.ReplicaSetList
		g.Expect(admin.List(t.Context(), &sets, client.InNamespace(ns.Name))).To(Succeed())
		g.Expect(sets.Items).To(HaveLen(1))
		var trust corev1.ConfigMap
		g.Expect(admin.Get(t.Context(), client.ObjectKey{Namespace: ns.Name, Name: "kube-root-ca.crt"}, &trust)).To(Succeed())
	}, soon, often).Should(Succeed())
	// The learner may have what owns it wait for what it owns: the API server sets that finalizer.
	g.Expect(learner.Delete(t.Context(), web, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
	g.Expect(admin.Delete(t.Context(), ns)).To(Succeed())
	g.Eventually(func() error {
		return admin.Get(t.Context(), client.ObjectKeyFromObject(ns), &corev1.Namespace{})
	}, soon, often).Should(MatchError(ContainSubstring("not found")))
}
