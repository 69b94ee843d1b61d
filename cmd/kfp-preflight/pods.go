package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
	"github.com/kfp-preflight/kfp-preflight/validators/source"
)

func newPodsCommand() *cobra.Command {
	var files []string
	var state, namespace, output string
	cmd := &cobra.Command{
		Use:   "pods -f FILE|DIR...",
		Short: "Show the pods that a Workflow creates",
		Long: `Show the pods that Argo would create for the Workflows in files: their containers, resources and
Secrets, their steps, and whether they certainly run. Lines that begin with ? say what could not be
determined, and why.

Without --state, nothing is known about the cluster: the workflow-controller has the configuration of a
stock installation, and references to WorkflowTemplates are not followed. Set --state to manifests that
describe the cluster: the workflow-controller-configmap, WorkflowTemplates, ServiceAccounts, and the
ConfigMaps of artifact repositories.

With -o json or -o yaml, the command prints a List of Pods. Annotations with the prefix
kfp-preflight.dev/ describe the origin of each pod. What could not be determined is printed to standard
error.`,
		Example: `  # Show the pods of a Workflow
  kfp-preflight pods -f workflow.yaml

  # Use the WorkflowTemplates and the configuration in a folder
  kfp-preflight pods -f workflow.yaml --state cluster/ -n team-a

  # Print the pods of a Workflow in the cluster as JSON
  kubectl get workflow example -o yaml | kfp-preflight pods -f - -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			print, ok := podPrinters[output]
			if !ok {
				return fmt.Errorf("-o must be text, json or yaml, not %q", output)
			}
			facts, err := readState(cmd.InOrStdin(), state, namespace)
			if err != nil {
				return err
			}
			forecasts, err := forecastFiles(cmd.InOrStdin(), files, namespace, facts)
			if err != nil {
				return err
			}
			return print(cmd.OutOrStdout(), cmd.ErrOrStderr(), forecasts)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&files, "file", "f", nil, "file or folder with Workflows, or - for standard input; can be repeated")
	flags.StringVar(&state, "state", "", "file or folder with manifests that describe the cluster")
	flags.StringVarP(&namespace, "namespace", "n", "default", "namespace of objects that don't set one")
	flags.StringVarP(&output, "output", "o", "text", "output format: text, json or yaml")
	_ = cmd.MarkFlagRequired("file")
	completeWith(cmd, "output", "text", "json", "yaml")
	return cmd
}

// workflowForecast is a Workflow and the forecast of its pods.
type workflowForecast struct {
	source   string // where the Workflow comes from, such as "run.yaml, document 2"
	workflow *wfv1.Workflow
	forecast.Forecast
}

// forecastFiles forecasts the Workflows in files. It ignores other objects.
func forecastFiles(stdin io.Reader, files []string, namespace string, facts forecast.Facts) ([]workflowForecast, error) {
	documents, errs := source.Read(stdin, files)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var out []workflowForecast
	for _, d := range documents {
		var meta metav1.TypeMeta
		if err := json.Unmarshal(d.JSON, &meta); err != nil {
			return nil, fmt.Errorf("%s: %w", d, err)
		}
		if meta.Kind != "Workflow" {
			continue
		}
		wf, err := forecast.Decode[wfv1.Workflow](d.JSON)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d, err)
		}
		if wf.Namespace == "" {
			wf.Namespace = namespace
		}
		out = append(out, workflowForecast{d.String(), wf, forecast.Workflow(wf, facts, forecast.Options{})})
	}
	if len(out) == 0 {
		return nil, errors.New("the files contain no Workflow")
	}
	return out, nil
}

var podPrinters = map[string]func(out, stderr io.Writer, forecasts []workflowForecast) error{
	"text": printPodsText,
	"json": func(out, stderr io.Writer, forecasts []workflowForecast) error {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(podList(stderr, forecasts))
	},
	"yaml": func(out, stderr io.Writer, forecasts []workflowForecast) error {
		text, err := yaml.Marshal(podList(stderr, forecasts))
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	},
}

// workflowName returns the name of a Workflow, or its generateName followed by *.
func workflowName(wf *wfv1.Workflow) string {
	if wf.Name != "" {
		return wf.Name
	}
	return wf.GenerateName + "*"
}

// gapText describes a gap in a forecast.
func gapText(g forecast.Gap) string {
	if g.Step == "" {
		return g.Reason
	}
	return g.Step + ": " + g.Reason
}

// podList returns the pods of forecasts as a List. Except for images that only a patch sets, they could be created as they are.
func podList(stderr io.Writer, forecasts []workflowForecast) *corev1.List {
	list := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}}
	for _, f := range forecasts {
		for i, p := range f.Pods {
			annotations := map[string]string{
				"kfp-preflight.dev/workflow":  workflowName(f.workflow),
				"kfp-preflight.dev/template":  p.Origin.Template,
				"kfp-preflight.dev/steps":     strings.Join(p.Origin.Steps, ","),
				"kfp-preflight.dev/certainty": p.Origin.Certainty.String(),
				"kfp-preflight.dev/field":     p.Origin.Path.String(),
			}
			if p.Unknown != "" {
				annotations["kfp-preflight.dev/unknown"] = p.Unknown
			}
			name := strings.TrimRight(f.workflow.Name+f.workflow.GenerateName, "-")
			pod := corev1.Pod{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
				ObjectMeta: metav1.ObjectMeta{
					Name: fmt.Sprintf("%s-%d", name, i+1), Namespace: f.workflow.Namespace, Annotations: annotations,
				},
				Spec: p.Spec,
			}
			raw, err := json.Marshal(pod)
			if err != nil {
				fmt.Fprintf(stderr, "kfp-preflight: %s: %v\n", f.source, err)
				continue
			}
			list.Items = append(list.Items, runtime.RawExtension{Raw: raw})
		}
		for _, g := range f.Gaps {
			fmt.Fprintf(stderr, "kfp-preflight: %s: %s\n", f.source, gapText(g))
		}
	}
	return list
}
