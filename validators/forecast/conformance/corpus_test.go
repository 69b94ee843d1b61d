package conformance

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8syaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// corpus holds the Workflows to compare and the objects that they refer to.
type corpus struct {
	workflows []corpusWorkflow
	objects   []client.Object
}

type corpusWorkflow struct {
	file     string
	workflow *wfv1.Workflow
}

// extraObjects are objects that Argo's examples mention only in comments.
var extraObjects = []client.Object{
	&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "my-config"}, Data: map[string]string{"workflow": "3", "template": "3"}},
	&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "artifact-repositories"}, Data: map[string]string{
		"my-key": "s3: {bucket: b, accessKeySecret: {name: my-minio-cred, key: accesskey}}",
	}},
}

// objectsIn returns the objects that the Workflows refer to, placed in a namespace.
func (s *corpus) objectsIn(namespace string) []client.Object {
	out := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "low"}, Value: 1},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}},
	}
	for _, o := range s.objects {
		o := o.DeepCopyObject().(client.Object)
		if _, ok := o.(*wfv1.ClusterWorkflowTemplate); !ok {
			o.SetNamespace(namespace)
		}
		out = append(out, o)
	}
	return out
}

// loadCorpus reads Argo's examples, the project's test data, and the directory named by the
// environment variable CORPUS. It skips Workflows in files whose path does not contain the value of
// ONLY.
func loadCorpus(t *testing.T) corpus {
	t.Helper()
	argo, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-workflows/v3").Output()
	if err != nil {
		t.Fatal(err)
	}
	folders := []string{filepath.Join(strings.TrimSpace(string(argo)), "examples"), "../../../testdata/workflow"}
	if corpus := os.Getenv("CORPUS"); corpus != "" {
		folders = append(folders, corpus)
	}
	s := corpus{objects: extraObjects}
	for _, folder := range folders {
		if err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".yaml" {
				return err
			}
			return s.readFile(path)
		}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *corpus) readFile(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	reader := k8syaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.addDocument(file, document)
	}
}

// addDocument adds the object in a document. It skips documents that can't be decoded, which some
// examples contain on purpose, because the controller can't decode them either.
func (s *corpus) addDocument(file string, document []byte) {
	var meta metav1.PartialObjectMetadata
	if yaml.Unmarshal(document, &meta) != nil {
		return
	}
	switch meta.Kind {
	case "Workflow":
		wf, err := forecast.DecodeYAML[wfv1.Workflow](document)
		if err != nil || !strings.Contains(file, os.Getenv("ONLY")) || wf.Status.Phase != "" {
			return // a Workflow in the middle of a run does not start at its entrypoint
		}
		for i, p := range wf.Spec.Arguments.Parameters {
			if p.Value == nil && p.ValueFrom == nil && wf.Spec.WorkflowTemplateRef == nil {
				wf.Spec.Arguments.Parameters[i].Value = wfv1.AnyStringPtr("given")
			}
		}
		s.workflows = append(s.workflows, corpusWorkflow{filepath.Base(file), wf})
	case "WorkflowTemplate":
		s.addObject(document, &wfv1.WorkflowTemplate{})
	case "ClusterWorkflowTemplate":
		s.addObject(document, &wfv1.ClusterWorkflowTemplate{})
	case "ConfigMap":
		if meta.Name != "artifact-repositories" { // would apply to all Workflows
			s.addObject(document, &corev1.ConfigMap{})
		}
	}
}

func (s *corpus) addObject(document []byte, into client.Object) {
	if yaml.Unmarshal(document, into) == nil {
		s.objects = append(s.objects, into)
	}
}

// imageCommands returns the controller configuration of a command for every image, so that the
// controller does not look them up in a registry.
func (s *corpus) imageCommands(t *testing.T, controller forecast.ControllerConfig) string {
	t.Helper()
	state := stateWithController{&validators.State{Complete: true}, controller}
	for _, o := range s.objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := state.Add(text, ""); err != nil {
			t.Fatal(err)
		}
	}
	commands := map[string]any{}
	for _, source := range s.workflows {
		wf := source.workflow.DeepCopy()
		wf.Namespace = ""
		for _, pod := range forecast.Workflow(wf, state, forecast.Options{}).Pods {
			for _, c := range pod.Spec.Containers {
				commands[c.Image] = map[string]any{"cmd": []string{"true"}}
			}
		}
	}
	text, err := yaml.Marshal(commands)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// stateWithController is a State with a given controller configuration.
type stateWithController struct {
	*validators.State
	controller forecast.ControllerConfig
}

// ControllerConfig implements forecast.Facts.
func (s stateWithController) ControllerConfig(string) (forecast.ControllerConfig, error) {
	return s.controller, nil
}
