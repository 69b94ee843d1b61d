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

func newPods() *cobra.Command {
	var files []string
	var state, namespace, output string
	cmd := &cobra.Command{
		Use:   "pods -f FILE...",
		Short: "Show which pods a Workflow would lead to",
		Long: `Show which pods Argo would create for the Workflows in the given files, with their containers, resources and Secrets,
the steps that they belong to, and whether they surely run. What can't be worked out is said as well, and why.

Without --state nothing is known of the cluster: the workflow-controller has the configuration of a stock installation,
and templates of WorkflowTemplates are not followed. With --state the manifests in that folder are the cluster: its
workflow-controller-configmap, WorkflowTemplates, ServiceAccounts and the ConfigMaps of artifact repositories.

-o json and -o yaml print a List of Pods that carry their origin as annotations under kfp-preflight.dev/; what can't be
worked out goes to standard error.`,
		Example: `  kfp-preflight pods -f workflow.yaml
  kfp-preflight pods -f workflow.yaml --state cluster/ -n team-a
  kubectl get workflow run -o yaml | kfp-preflight pods -f - -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			print, ok := podPrinters[output]
			if !ok {
				return fmt.Errorf("-o is text, json or yaml, not %q", output)
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
	flags.StringArrayVarP(&files, "file", "f", nil, "file or folder with Workflows, - for standard input; may be given again")
	flags.StringVar(&state, "state", "", "file or folder with manifests that stand for the cluster")
	flags.StringVarP(&namespace, "namespace", "n", "default", "namespace of objects that name none")
	flags.StringVarP(&output, "output", "o", "text", "text, json or yaml")
	_ = cmd.MarkFlagRequired("file")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// forecasted is a Workflow and its forecast.
type forecasted struct {
	where    string
	workflow *wfv1.Workflow
	forecast.Forecast
}

// forecastFiles forecasts the Workflows in files; other objects are passed over.
func forecastFiles(stdin io.Reader, files []string, namespace string, facts forecast.Facts) ([]forecasted, error) {
	documents, errs := source.Read(stdin, files)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var out []forecasted
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
		out = append(out, forecasted{d.String(), wf, forecast.Workflow(wf, facts, forecast.Options{})})
	}
	if len(out) == 0 {
		return nil, errors.New("there is no Workflow in the files that were given")
	}
	return out, nil
}

var podPrinters = map[string]func(out, trouble io.Writer, forecasts []forecasted) error{
	"text": printPodsText,
	"json": func(out, trouble io.Writer, forecasts []forecasted) error {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(podList(trouble, forecasts))
	},
	"yaml": func(out, trouble io.Writer, forecasts []forecasted) error {
		text, err := yaml.Marshal(podList(trouble, forecasts))
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	},
}

func title(wf *wfv1.Workflow) string {
	if wf.Name != "" {
		return wf.Name
	}
	return wf.GenerateName + "*"
}

func gap(g forecast.Gap) string {
	if g.Step == "" {
		return g.Reason
	}
	return g.Step + ": " + g.Reason
}

// podList makes Pods of forecasts. They could be created as they are, but for the images that only a patch gives.
func podList(trouble io.Writer, forecasts []forecasted) *corev1.List {
	list := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}}
	for _, f := range forecasts {
		for i, p := range f.Pods {
			annotations := map[string]string{
				"kfp-preflight.dev/workflow":  title(f.workflow),
				"kfp-preflight.dev/template":  p.Origin.Template,
				"kfp-preflight.dev/steps":     strings.Join(p.Origin.Steps, ","),
				"kfp-preflight.dev/certainty": p.Origin.Certainty.String(),
				"kfp-preflight.dev/field":     p.Origin.Path.String(),
			}
			if p.Unknown != "" {
				annotations["kfp-preflight.dev/unknown"] = p.Unknown
			}
			pod := corev1.Pod{
				TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", strings.TrimRight(f.workflow.Name+f.workflow.GenerateName, "-"), i+1), Namespace: f.workflow.Namespace, Annotations: annotations},
				Spec:       p.Spec,
			}
			raw, err := json.Marshal(pod)
			if err != nil {
				fmt.Fprintf(trouble, "kfp-preflight: %s: %v\n", f.where, err)
				continue
			}
			list.Items = append(list.Items, runtime.RawExtension{Raw: raw})
		}
		for _, g := range f.Gaps {
			fmt.Fprintf(trouble, "kfp-preflight: %s: %s\n", f.where, gap(g))
		}
	}
	return list
}
