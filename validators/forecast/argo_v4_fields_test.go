package forecast

import (
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestArgoV4Fields uses fields that only Argo v4 knows. They must make unknown exactly the pods
// that they would change.
func TestArgoV4Fields(t *testing.T) {
	for name, test := range map[string]struct {
		spec       string
		repository string
		want       string // by step: what is unknown
	}{
		"nothing": {spec: "templates:\n- {name: main, container: {image: a}}", want: "main:"},
		"an artifact": {
			spec: "templates:\n- {name: main, outputs: {artifacts: [{name: o, path: /o, plugin: {name: p, key: k}}]}, container: {image: a}}",
			want: "main: plugin",
		},
		"an argument": {
			spec: "templates:\n- {name: main, steps: [[{name: a, template: t, arguments: {artifacts: [{name: i, plugin: {name: p, " +
				"key: k}}]}}, {name: b, template: u}]]}\n- {name: t, inputs: {artifacts: [{name: i, path: /i}]}, container: {image: a}}\n" +
				"- {name: u, container: {image: a}}",
			want: "a: plugin, b:",
		},
		"a location": {
			spec: "templates:\n- {name: main, archiveLocation: {archiveLogs: true, plugin: {name: p, key: k}}, container: {image: a}}",
			want: "main: plugin",
		},
		"an inline template": {
			spec: "templates:\n- {name: main, dag: {tasks: [{name: a, inline: {podResources: {limits: {cpu: 1}}, " +
				"outputs: {artifacts: [{name: o, path: /o, plugin: {name: p}}]}, container: {image: a}}}, " +
				"{name: b, inline: {container: {image: a}}}]}}",
			want: "a: plugin podResources, b:",
		},
		"a repository": {
			repository: "archiveLogs: true\nplugin: {name: p}",
			spec:       "templates:\n- {name: main, container: {image: a}}",
			want:       "main: plugin",
		},
		"the template's pod": {
			spec: "templates:\n- {name: main, podResources: {requests: {cpu: 1}}, container: {image: a}}",
			want: "main: podResources",
		},
		"all pods": {spec: "podResources: {requests: {cpu: 1}}\ntemplates:\n- {name: main, container: {image: a}}", want: "main: podResources"},
		"defaults": {
			spec: "templateDefaults: {podResources: {requests: {cpu: 1}}}\ntemplates:\n" +
				"- {name: main, metadata: {annotations: {a: b}}, container: {image: a}}",
			want: "main: podResources",
		},
		"executor plugins": {
			spec: "executorPlugins: [{spec: {sidecar: {container: {name: s, image: a}}}}]\ntemplates:\n- {name: main, http: {url: a}}",
			want: "main:, ? the executor plugins of the cluster add containers to the Workflow's agent pod",
		},
		"a plugin template": {
			spec: "templates:\n- {name: main, plugin: {hello: {}}}",
			want: "main:, ? the executor plugins of the cluster add containers to the Workflow's agent pod",
		},
		"a template of no kind": {spec: "templates:\n- {name: main, quantum: {bits: 3}}", want: "? the template's type is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			wf, err := DecodeYAML[wfv1.Workflow]([]byte("metadata: {name: run, namespace: team-a}\nspec:\n" +
				indent("entrypoint: main\n"+test.spec)))
			if err != nil {
				t.Fatal(err)
			}
			facts := fakeFacts{}
			if test.repository != "" {
				facts.configMaps = map[string]*corev1.ConfigMap{"artifact-repositories": {
					ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"workflows.argoproj.io/default-artifact-repository": "it"}},
					Data:       map[string]string{"it": test.repository},
				}}
			}
			f := Workflow(wf, facts, Options{})
			var got []string
			for _, p := range f.Pods {
				text := p.Origin.Steps[0] + ":"
				if strings.Contains(p.Unknown, "plugin") {
					text += " plugin"
				} else if p.Unknown != "" {
					t.Error(p.Unknown)
				}
				for _, u := range p.RuntimeResources {
					text += " " + u.Resource
				}
				got = append(got, text)
			}
			for _, g := range f.Gaps {
				got = append(got, "? "+g.Reason)
			}
			assertEqual(t, "unknown", strings.Join(got, ", "), test.want)
		})
	}
}

func TestDecode(t *testing.T) {
	for _, raw := range []string{
		"",
		"[]",
		`{"spec": 7, "plugin": 1}`,
		`{"spec": {"templates": [{"plugin": 7}]}}`,
		`{"spec": {"podResources": {}, "podMetadata": 7}}`,
	} {
		_, _ = Decode[wfv1.Workflow]([]byte(raw)) // an error, or none, and no panic
	}
	wf, err := Decode[wfv1.Workflow]([]byte(`{"Spec": {"entrypoint": "a"}, "spec": {"Entrypoint": "b"}}`))
	if err != nil || wf.Spec.Entrypoint != "" {
		t.Errorf("names are not case-sensitive: %v, %q", err, wf.Spec.Entrypoint)
	}
}
