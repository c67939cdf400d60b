// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

var ordinary = Limits{
	PodSecurityCap:        v1alpha1.PodSecurityRestricted,
	NamespaceLabelDomains: []string{"example.edu"},
	ObjectKinds: []schema.GroupKind{{Group: "example.org", Kind: "Badge"}, {Group: "example.org", Kind: "ConfigMap"},
		{Kind: "PersistentVolume"}},
}

var allKept = v1alpha1.PrivacySpec{Name: v1alpha1.DataKeep, Email: v1alpha1.DataKeep, CPF: v1alpha1.DataMask,
	Nickname: v1alpha1.DataKeep, UUID: v1alpha1.DataKeep}

func rawOf(t *testing.T, text string) runtime.RawExtension {
	t.Helper()
	content, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: content}
}

func objectsPolicy(t *testing.T, limits Limits, objects ...string) *Policy {
	t.Helper()
	policy := &v1alpha1.CompletionPolicy{}
	policy.Namespace, policy.Name = "school", "lab"
	policy.Spec.GrantPer = v1alpha1.GrantPerCompletion
	policy.Spec.Namespaces = []v1alpha1.NamespaceTemplate{{Name: "grad-${user.id}"}}
	policy.Spec.ServiceAccountName = "policies"
	for i, object := range objects {
		policy.Spec.Objects = append(policy.Spec.Objects, v1alpha1.ObjectTemplate{
			Name: v1alpha1.EntryName(fmt.Sprintf("object-%d", i)), Template: rawOf(t, object)})
	}
	return Compile(policy, allKept, limits)
}

func deliveredTo(name string) *v1alpha1.CourseCompletionSpec {
	return &v1alpha1.CourseCompletionSpec{
		Institution: v1alpha1.CompletionInstitution{ID: 12345},
		Course:      v1alpha1.CompletionCourse{ID: 9007199254740993, Name: "Vidas Secas"},
		Enrollment:  v1alpha1.CompletionEnrollment{ID: 11, Activated: new(true), Status: new(int32(1))},
		User:        v1alpha1.CompletionUser{ID: 987654321, Name: name, Email: "g@example.org"},
	}
}

const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: \"grad-${user.id}\"}\n"

func TestRenderedObjectKeepsTypes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ field, want string }{
		{`"${user.id}"`, `987654321`},
		{`"${course.id}"`, `9007199254740993`},
		{`"user ${user.id}"`, `"user 987654321"`},
		{`"${enrollment.activated}"`, `true`},
		{`"${user.id > 5 ? 1.5 : 2.0}"`, `1.5`},
		{`"${[user.id, 2]}"`, `[987654321,2]`},
		{`'${ {"a": user.name, "b": course.id} }'`, `{"a":"Graciliano","b":9007199254740993}`},
		{`"${null}"`, ``},
		{`{a: "${null}", b: null, c: 1}`, `{"c":1}`},
		{`["${user.id}", [true, 1.5, "a"]]`, `[987654321,[true,1.5,"a"]]`},
		{`"$${user.id}"`, `"${user.id}"`},
		{`"costs $5"`, `"costs $5"`},
		{`12345678901234567`, `12345678901234567`},
		{`{}`, `{}`},
		{`[]`, `[]`},
		{`""`, `""`},
		{`{metadata: {labels: {user: "${user.id}"}}}`, `{"metadata":{"labels":{"user":"987654321"}}}`},
	} {
		t.Run(tc.field, func(t *testing.T) {
			t.Parallel()
			policy := objectsPolicy(t, ordinary, head+"field: "+tc.field)
			if !policy.Ready() {
				t.Fatal(policy.Message())
			}
			rendered, err := policy.Render(deliveredTo("Graciliano"))
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]json.RawMessage
			if err := json.Unmarshal(rendered.Objects[0].Object.Raw, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got["field"])); diff != "" {
				t.Errorf("the field (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a user is called changes nothing but a value.
func TestHostileValuesStayValues(t *testing.T) {
	t.Parallel()
	policy := objectsPolicy(t, ordinary, head+`data: {name: "${user.name}", text: "Dear ${user.name}!"}`)
	for _, name := range []string{
		`"}: {`, "${user.email}", "$${x}", "a\nb: c", `\`, `","evil":"`, "</script>&", "\u2028", "null", "1", "true", "{{.}}",
		strings.Repeat("a", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rendered, err := policy.Render(deliveredTo(name))
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(rendered.Objects[0].Object.Raw, &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a", "namespace": "grad-987654321"},
				"data": map[string]any{"name": name, "text": "Dear " + name + "!"},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the object (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultyObjectTemplates(t *testing.T) {
	t.Parallel()
	const (
		at       = "spec.objects[0].template"
		metadata = "only name, namespace, labels and annotations are allowed: " +
			"remove the field"
		config = "apiVersion: v1\nkind: ConfigMap\n"
	)
	for _, tc := range []struct {
		name, object string
		// want are a field and a part of the message.
		want [2]string
	}{
		{"no kind", "{apiVersion: v1, metadata: {name: a}}", [2]string{at + ".kind", "must be a literal"}},
		{"no version", "{kind: ConfigMap, metadata: {name: a}}", [2]string{at + ".apiVersion", "must be a literal"}},
		{"a kind by template", `{apiVersion: v1, kind: "${course.name}", metadata: {name: a}}`,
			[2]string{at + ".kind", "must be a literal"}},
		{"a version by template", `{apiVersion: "${course.name}", kind: A, metadata: {name: a}}`,
			[2]string{at + ".apiVersion", "must be a literal"}},
		{"no metadata", config, [2]string{at + ".metadata", "with at least a name"}},
		{"metadata by template", config + `metadata: "${user.id}"`, [2]string{at + ".metadata", "must be an object"}},
		{"no name", config + "metadata: {}", [2]string{at + ".metadata.name", "must be a string"}},
		{"a name in digits", config + "metadata: {name: 5}", [2]string{at + ".metadata.name", "must be a string"}},
		{"an impossible name", config + "metadata: {name: a/b}", [2]string{at + ".metadata.name", "not a valid object name"}},
		{"generateName", config + "metadata: {name: a, generateName: a}", [2]string{at + ".metadata.generateName", metadata}},
		{"owners", config + "metadata: {name: a, ownerReferences: []}",
			[2]string{at + ".metadata.ownerReferences", metadata}},
		{"finalizers", config + "metadata: {name: a, finalizers: [b]}", [2]string{at + ".metadata.finalizers", metadata}},
		{"managed fields", config + "metadata: {name: a, managedFields: []}",
			[2]string{at + ".metadata.managedFields", metadata}},
		{"a version of the object", config + `metadata: {name: a, resourceVersion: "1"}`,
			[2]string{at + ".metadata.resourceVersion", metadata}},
		{"a uid", config + "metadata: {name: a, uid: b}", [2]string{at + ".metadata.uid", metadata}},
		{"a status", config + "metadata: {name: a}\nstatus: {}", [2]string{at + ".status", "remove the field"}},
		{"a system namespace", config + "metadata: {name: a, namespace: kube-system}",
			[2]string{at + ".metadata.namespace", "system namespaces"}},
		{"our namespace", config + "metadata: {name: a, namespace: completion-system}",
			[2]string{at + ".metadata.namespace", "system namespaces"}},
		{"our label", config + "metadata: {name: a, labels: {completions.lxp.dev/grant: b}}",
			[2]string{at + ".metadata.labels[completions.lxp.dev/grant]", "is reserved"}},
		{"our annotation", config + "metadata: {name: a, annotations: {completions.lxp.dev/applied-by: b}}",
			[2]string{at + ".metadata.annotations[completions.lxp.dev/applied-by]", "is reserved"}},
		{"a label of Kubernetes", config + "metadata: {name: a, labels: {pod-security.kubernetes.io/enforce: b}}",
			[2]string{at + ".metadata.labels[pod-security.kubernetes.io/enforce]", "is reserved"}},
		{"a label that is no string", config + "metadata: {name: a, labels: {b: 1}}",
			[2]string{at + ".metadata.labels[b]", "put the value in quotes"}},
		{"labels by template", config + `metadata: {name: a, labels: "${user.id}"}`,
			[2]string{at + ".metadata.labels", "with literal keys"}},
		{"a personal name", config + `metadata: {name: "${user.nickname}"}`,
			[2]string{at + ".metadata.name", "user.nickname is personal data"}},
		{"a personal namespace", config + `metadata: {name: a, namespace: "${user.uuid}"}`,
			[2]string{at + ".metadata.namespace", "user.uuid is personal data"}},
		{"a personal label", config + `metadata: {name: a, labels: {b: "${user.name}"}}`,
			[2]string{at + ".metadata.labels.b", "user.name is personal data"}},
		{"a personal annotation", config + `metadata: {name: a, annotations: {example.org/b: "${user.name}"}}`,
			[2]string{at + ".metadata.annotations[example.org/b]", "user.name is personal data"}},
		{"a personal label further down", config + `metadata: {name: a}
spec: {template: {metadata: {labels: {b: "${user.email}"}}}}`,
			[2]string{at + ".spec.template.metadata.labels.b", "user.email is personal data"}},
		{"what is not kept", config + `metadata: {name: a}
data: {b: "${user.cpf}"}`, [2]string{at + ".data.b", "does not keep user.cpf"}},
		{"a wrong expression", config + `metadata: {name: a}
data: {b: "${user.nme}"}`, [2]string{at + ".data.b", "undefined field"}},
		{"a key by template", config + `metadata: {name: a}
data: {"${user.id}": b}`, [2]string{at + ".data", "expressions are not allowed in keys"}},
		{"the kind of a subject by template", `apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: "${'Gro'+'up'}", name: teachers}]`,
			[2]string{at + ".subjects[0].kind", "must be a literal User, Group or ServiceAccount"}},
		{"our kinds", "{apiVersion: completions.lxp.dev/v1alpha1, kind: Grant, metadata: {name: a}}",
			[2]string{at + ".kind", "cannot be granted"}},
		{"our kinds of tomorrow", "{apiVersion: more.completions.lxp.dev/v2, kind: Thing, metadata: {name: a}}",
			[2]string{at + ".kind", "cannot be granted"}},
		{"a namespace", "{apiVersion: v1, kind: Namespace, metadata: {name: a}}", [2]string{at + ".kind", "spec.namespaces"}},
		{"external addresses", `{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {externalIPs: "${[user.uuid]}"}}`,
			[2]string{at + ".spec.externalIPs", "remove the field"}},
		{"not an object", "[1]", [2]string{at, "must be an object"}},
		{"too large", config + "metadata: {name: a}\ndata: {b: " + strings.Repeat("b", maxObjectSize) + "}",
			[2]string{at, "at most 32768"}},
		{"too deep", config + "metadata: {name: a}\ndata: " + strings.Repeat("[", 40) + strings.Repeat("]", 40),
			[2]string{at + ".data" + strings.Repeat("[0]", 32), "more than 32 levels deep"}},
		{"too many expressions", config + "metadata: {name: a}\ndata: [" + strings.Repeat("\"${1}\", ", 513) + "]",
			[2]string{at + ".data[511]", "the policy costs too much: more than 512 expressions"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			policy := objectsPolicy(t, ordinary, tc.object)
			if len(policy.Faults) != 1 || policy.Faults[0].Field != tc.want[0] ||
				!strings.Contains(policy.Faults[0].Message, tc.want[1]) {
				t.Errorf("faults are %v, want one of %v", policy.Faults, tc.want)
			}
		})
	}
}

func TestWorkloadObjectsNeedAnAllowance(t *testing.T) {
	t.Parallel()
	allowing := ordinary
	allowing.AllowWorkloadObjects = true
	for kind, version := range map[string]string{
		"Pod": "v1", "ReplicationController": "v1", "PodTemplate": "v1", "Deployment": "apps/v1", "StatefulSet": "apps/v1",
		"DaemonSet": "apps/v1", "ReplicaSet": "apps/v1", "Job": "batch/v1", "CronJob": "batch/v1",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			object := fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: a, namespace: school}}", version, kind)
			policy := objectsPolicy(t, ordinary, object)
			if policy.Ready() || !strings.Contains(policy.Message(), "--allow-workload-objects") {
				t.Errorf("without the allowance: %q", policy.Message())
			}
			granted := &v1alpha1.GrantSpec{Objects: []v1alpha1.GrantedObject{{Name: "a", Object: rawOf(t, object)}}}
			faults := ordinary.CheckGrant(granted, Site{"school", "grad-"})
			if len(faults) != 1 || faults[0].Field != "spec.objects[0].object.kind" {
				t.Errorf("a grant without the allowance: %v", faults)
			}
			if policy := objectsPolicy(t, allowing, object); !policy.Ready() {
				t.Errorf("with the allowance: %s", policy.Message())
			}
			if faults := allowing.CheckGrant(granted, Site{"school", "grad-"}); len(faults) > 0 {
				t.Errorf("a grant with the allowance: %v", faults)
			}
		})
	}
}

// What only rendering shows is refused then, and the message quotes no value.
func TestObjectsThatRenderToWhatIsRefused(t *testing.T) {
	t.Parallel()
	const at = "spec.objects[0].template"
	for _, tc := range []struct {
		name, object, course string
		want                 [2]string
	}{
		{"a system namespace", `metadata: {name: a, namespace: "${course.name}"}`, "kube-system",
			[2]string{at + ".metadata.namespace", "system namespaces"}},
		{"no namespace", `metadata: {name: a, namespace: "${course.name}"}`, "",
			[2]string{at + ".metadata.namespace", "a valid namespace name"}},
		{"a path", `metadata: {name: "${course.name}"}`, "../a", [2]string{at + ".metadata.name", "not a valid object name"}},
		{"a long name", `metadata: {name: "${course.name}"}`, strings.Repeat("a", 254),
			[2]string{at + ".metadata.name", "not a valid object name"}},
		{"a label with spaces", `metadata: {name: a, labels: {b: "${course.name}"}}`, "Vidas Secas",
			[2]string{at + ".metadata.labels[b]", "not a valid label value"}},
		{"a null in a list", "metadata: {name: a}\ndata: ['${course.name == \"no\" ? dyn(null) : dyn(\"a\")}']", "no",
			[2]string{at + ".data[0]", "yields null"}},
		{"too large", "metadata: {name: a}\ndata: [" + strings.Repeat("'${course.name}', ", 20) + "]",
			strings.Repeat("x", 2000), [2]string{at, "at most 32768"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			policy := objectsPolicy(t, ordinary, "apiVersion: v1\nkind: ConfigMap\n"+tc.object)
			if !policy.Ready() {
				t.Fatal(policy.Message())
			}
			completion := deliveredTo("Graciliano")
			completion.Course.Name = tc.course
			rendered, err := policy.Render(completion)
			if err == nil {
				err = policy.Allowed(rendered, v1alpha1.GrantHolder{}, "grad-")
			}
			if err == nil || !strings.HasPrefix(err.Error(), tc.want[0]+": ") || !strings.Contains(err.Error(), tc.want[1]) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestSameObjectTwice(t *testing.T) {
	t.Parallel()
	policy := objectsPolicy(t, ordinary, head, head, strings.Replace(head, "v1", "example.org/v1", 1))
	rendered, err := policy.Render(deliveredTo("Graciliano"))
	if err != nil {
		t.Fatal(err)
	}
	err = policy.Allowed(rendered, v1alpha1.GrantHolder{}, "grad-")
	if err == nil || err.Error() != "spec.objects[1].template: same object as in entry object-0" {
		t.Errorf("got %v", err)
	}
}

func TestOutlinesOfObjects(t *testing.T) {
	t.Parallel()
	policy := objectsPolicy(t, ordinary, head,
		`{apiVersion: example.org/v2, kind: Badge, metadata: {name: "b-${user.id}", namespace: school}}`,
		`{apiVersion: v1, kind: Secret, metadata: {name: c, namespace: "x${user.id}"}}`,
		`{apiVersion: v1, kind: PersistentVolume, metadata: {name: d}}`)
	core := func(kind string) schema.GroupVersionKind { return schema.GroupVersionKind{Version: "v1", Kind: kind} }
	want := []ObjectOutline{
		{Field: "spec.objects[0].template", Kind: core("ConfigMap"), Name: "a", Place: PlaceGranted},
		{Field: "spec.objects[1].template", Kind: schema.GroupVersionKind{Group: "example.org", Version: "v2", Kind: "Badge"},
			Place: PlaceFixed, Namespace: "school"},
		{Field: "spec.objects[2].template", Kind: core("Secret"), Name: "c", Place: PlaceUnknown},
		{Field: "spec.objects[3].template", Kind: core("PersistentVolume"), Name: "d", Place: PlaceCluster},
	}
	if diff := cmp.Diff(want, policy.Objects()); diff != "" {
		t.Errorf("outlines (-want +got):\n%s", diff)
	}
}
