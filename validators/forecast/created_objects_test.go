package forecast

import (
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

func TestCreatedProvides(t *testing.T) {
	secret := func(name string) Created { return Created{Kind: "Secret", Name: name} }
	if got := (Created{Kind: "Cluster", Name: "db", Manifest: "{}"}).Provides("Secret", "db-app"); got != Possible {
		t.Errorf("a database operator: %s", got)
	}
	for _, test := range []struct {
		created Created
		want    Certainty
	}{
		{secret("a"), Certain},
		{secret("b"), Unknown},
		{secret(""), Unknown}, // generateName
		{secret("{{inputs.parameters.x}}"), Possible},
		{secret("a{{x}}"), Possible},
		{secret("b{{x}}"), Unknown},
		{Created{}, Possible},
		{Created{Kind: "ExternalSecret", Manifest: "name: a"}, Possible},
		{Created{Kind: "{{x}}", Name: "a", Manifest: "name: a"}, Possible},
		{Created{Kind: "Workflow", Manifest: "args: [kubectl create secret generic a]"}, Possible},
		{Created{Kind: "Job", Manifest: "secretName: a"}, Unknown},
		{Created{Kind: "ConfigMap", Name: "a", Manifest: "name: a"}, Unknown},
	} {
		if got := test.created.Provides("Secret", "a"); got != test.want {
			t.Errorf("%+v provides Secret a: %s, want %s", test.created, got, test.want)
		}
	}
}

func TestCreatedObjects(t *testing.T) {
	for manifest, want := range map[string]string{
		"{kind: Secret, metadata: {name: a}}":                                          "Secret/a",
		"kind: Secret\nmetadata: {name: a}\n---\nkind: ConfigMap\nmetadata: {name: b}": "Secret/a ConfigMap/b",
		"kind: List\nitems: [{kind: Secret, metadata: {name: a}}]":                     "Secret/a List/",
		"kind: Secret\nmetadata: {name: a, namespace: team-b}":                         "",
		"kind: Secret\nmetadata: {name: a, namespace: '{{x}}'}":                        "Secret/a",
		"{{inputs.parameters.manifest}}":                                               "/",
		"":                                                                             "/",
	} {
		var got []string
		for _, c := range createdObjects(&wfv1.ResourceTemplate{Action: "create", Manifest: manifest}, "team-a", noPod) {
			got = append(got, c.Kind+"/"+c.Name)
		}
		assertEqual(t, manifest, strings.Join(got, " "), want)
	}
	if got := createdObjects(&wfv1.ResourceTemplate{Action: "{{x}}", Manifest: "{kind: Secret, metadata: {name: a}}"}, "", noPod); len(got) != 1 {
		t.Errorf("an action known only at run time creates %v", got)
	}
	if got := createdObjects(&wfv1.ResourceTemplate{Action: "delete", Manifest: "kind: Secret"}, "", noPod); got != nil {
		t.Errorf("a deletion creates %v", got)
	}
}
