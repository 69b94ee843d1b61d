package forecast

import (
	"fmt"
	"strings"
	"testing"
)

// TestArtifactGC forecasts the pods that delete a run's artifacts.
func TestArtifactGC(t *testing.T) {
	const out = "outputs: {artifacts: [{name: o, path: /o%s}]}, container: {image: a}"
	controller, err := ParseControllerConfig(map[string]string{
		"artifactRepository": "s3: {bucket: b, accessKeySecret: {name: store, key: k}}",
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		spec string
		want string // certainty, ServiceAccount and Secrets of each
	}{
		"none is wanted":   {"templates: [{name: main, " + fmt.Sprintf(out, "") + "}]", ""},
		"there is nothing": {"artifactGC: {strategy: OnWorkflowCompletion}\ntemplates: [{name: main, container: {image: a}}]", ""},
		"at the end of the run": {
			"artifactGC: {strategy: OnWorkflowCompletion, serviceAccountName: cleaner}\ntemplates: [{name: main, " + fmt.Sprintf(out, "") + "}]",
			"possible cleaner store",
		},
		"when it is deleted": {
			"artifactGC: {strategy: OnWorkflowDeletion}\ntemplates: [{name: main, " + fmt.Sprintf(out, "") + "}]",
			"possible  store",
		},
		"never, says the artifact": {
			"artifactGC: {strategy: OnWorkflowCompletion}\ntemplates: [{name: main, " + fmt.Sprintf(out, ", artifactGC: {strategy: Never}") + "}]",
			"",
		},
		"only one artifact": {
			"templates: [{name: main, " + fmt.Sprintf(out, ", artifactGC: {strategy: OnWorkflowCompletion, serviceAccountName: mine}") + "}]",
			"possible mine store",
		},
		"an inline template": {
			"artifactGC: {strategy: OnWorkflowCompletion}\ntemplates: [{name: main, steps: [[{name: a, inline: {" + fmt.Sprintf(out, "") +
				"}}]]}]",
			"",
		},
		"an optional artifact": {
			"artifactGC: {strategy: OnWorkflowCompletion}\ntemplates: [{name: main, " + fmt.Sprintf(out, ", optional: true") + "}]",
			"possible  store",
		},
		"an artifact of its own": {
			"artifactGC: {strategy: OnWorkflowCompletion}\ntemplates: [{name: main, " +
				fmt.Sprintf(out, ", s3: {bucket: b, key: k, accessKeySecret: {name: own, key: k}}") + "}]",
			"possible  store,own",
		},
		"logs": {
			"archiveLogs: true\nartifactGC: {strategy: OnWorkflowCompletion}\ntemplates: [{name: main, container: {image: a}}]",
			"possible  store",
		},
		"two sets of permissions": {
			"artifactGC: {strategy: OnWorkflowCompletion}\n" +
				"templates: [{name: main, outputs: {artifacts: [{name: o, path: /o}, " +
				"{name: p, path: /p, artifactGC: {serviceAccountName: other}}]}, container: {image: a}}]",
			"possible  store; possible other store",
		},
		"a patch": {
			"artifactGC: {strategy: OnWorkflowCompletion, podSpecPatch: '{\"serviceAccountName\": \"patched\"}'}\ntemplates: [{name: main, " +
				fmt.Sprintf(out, "") + "}]",
			"possible patched store",
		},
		"a patch that is no patch": {
			"artifactGC: {strategy: OnWorkflowCompletion, podSpecPatch: '{'}\ntemplates: [{name: main, " + fmt.Sprintf(out, "") + "}]",
			"?",
		},
		"a step that may never run": {
			"artifactGC: {strategy: OnWorkflowCompletion}\n" +
				"templates: [{name: main, steps: [[{name: a, template: t, when: '{{workflow.status}} == x'}]]}, {name: t, " +
				fmt.Sprintf(out, "") + "}]",
			"possible  store",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := Workflow(workflow(t, "entrypoint: main\n"+test.spec), controllerOnlyFacts(controller), Options{})
			var got []string
			for _, p := range f.Pods {
				if p.Origin.Steps[0] != ArtifactGC {
					continue
				}
				var secrets []string
				for _, v := range p.Spec.Volumes {
					secrets = append(secrets, v.Secret.SecretName)
				}
				got = append(got, fmt.Sprintf("%s %s %s", p.Origin.Certainty, p.Spec.ServiceAccountName, strings.Join(secrets, ",")))
				assertEqual(t, "mounts", len(p.Spec.Containers[0].VolumeMounts), len(secrets))
			}
			for range f.Gaps {
				got = append(got, "?")
			}
			assertEqual(t, "pods", strings.Join(got, "; "), test.want)
		})
	}
}
