package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/report"
	"github.com/kfp-preflight/kfp-preflight/validators/source"
)

func newCheckCommand() *cobra.Command {
	var files []string
	var state, output, configFile string
	var cluster clusterFlags
	var evaluator report.Evaluator
	cmd := &cobra.Command{
		Use:   "check -f FILE|DIR...",
		Short: "Evaluate files before you apply them",
		Long: `Evaluate the objects in files, as the webhook would if you applied them now.

Run it in an editor, before a commit, or in CI.

It evaluates Workflows and Profiles. It also evaluates the Workflows that CronWorkflows,
WorkflowTemplates, ClusterWorkflowTemplates, KFP's ScheduledWorkflows and pipelines compiled by the KFP
SDK v2 create, with the default values of their parameters. Other objects in the files, such as Secrets
and ConfigMaps, count as existing.

To tell it what else exists, name a cluster with --context or --kubeconfig, or set --state to manifests
that describe the cluster. Without either, it evaluates only what does not depend on the cluster.
Nothing is written to the cluster.

The exit code is 0 if nothing would be denied, 1 if something would, and 2 if something could not be
evaluated.`,
		Example: `  # Evaluate the files in a folder, without a cluster
  kfp-preflight check -f pipelines/

  # Evaluate them with the Secrets, quotas and LimitRanges of a namespace
  kfp-preflight check -f pipelines/ --context production -n team-a

  # Annotate a pull request in GitHub Actions, with the manifests of the cluster
  kfp-preflight check -f pipelines/ --state cluster/ -n team-a -o github

  # Evaluate a Workflow from standard input
  cat workflow.yaml | kfp-preflight check -f -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, ok := reportWriters[output]
			switch {
			case !ok:
				return fmt.Errorf("-o must be one of %s, not %q", strings.Join(reportFormats, ", "), output)
			case state != "" && cluster.isSet():
				return errors.New("--state can't be combined with --context or --kubeconfig")
			}
			if err := configure(cmd, &evaluator, &cluster, state, configFile); err != nil {
				return err
			}
			documents, errs := source.Read(cmd.InOrStdin(), files)
			r := evaluator.EvaluateDocuments(documents)
			r.Errors = append(errs, r.Errors...)
			r.Offline = state == "" && !cluster.isSet()
			if len(r.Objects) == 0 && len(r.Errors) == 0 {
				return errors.New("the files contain nothing to evaluate: no Workflow, no Profile, and no object that creates Workflows")
			}
			return finish(cmd, r, write)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&files, "file", "f", nil, "file or folder to evaluate, or - for standard input; can be repeated")
	flags.StringVar(&state, "state", "", "file or folder with manifests that describe the cluster")
	flags.StringVarP(&evaluator.Namespace, "namespace", "n", "",
		"namespace of objects that don't set one (default: that of the context, or \"default\")")
	flags.StringVarP(&output, "output", "o", "text", "output format: "+strings.Join(reportFormats, ", "))
	cluster.add(flags)
	addConfig(cmd, &configFile)
	_ = cmd.MarkFlagRequired("file")
	completeWith(cmd, "output", reportFormats...)
	return cmd
}

// configure sets up the evaluator: its configuration, and the facts from a cluster or from manifests.
func configure(cmd *cobra.Command, evaluator *report.Evaluator, cluster *clusterFlags, state, configFile string) error {
	config, err := readConfig(configFile)
	if err != nil {
		return err
	}
	evaluator.Policy, evaluator.Options = config.Policy, config.KFP
	if cluster.isSet() {
		_, err := cluster.connect(cmd, evaluator, config)
		return err
	}
	if evaluator.Namespace == "" {
		evaluator.Namespace = "default"
	}
	known, err := readState(cmd.InOrStdin(), state, evaluator.Namespace)
	evaluator.Facts = func() validators.Facts { return known }
	return err
}

var reportFormats = []string{"text", "json", "sarif", "github"}

var reportWriters = map[string]func(io.Writer, report.Report) error{
	"text":   func(out io.Writer, r report.Report) error { return report.Text(out, r, isTerminal(out)) },
	"json":   report.JSON,
	"sarif":  func(out io.Writer, r report.Report) error { return report.SARIF(out, r, version()) },
	"github": report.GitHub,
}

// finish prints the report and its errors. It returns the error that sets the exit code.
func finish(cmd *cobra.Command, r report.Report, write func(io.Writer, report.Report) error) error {
	for _, err := range r.Errors {
		cmd.PrintErrln("kfp-preflight:", err)
	}
	if err := write(cmd.OutOrStdout(), r); err != nil {
		return err
	}
	return exitError(r.ExitCode())
}

// isTerminal reports whether out is a terminal whose user has not disabled colours with NO_COLOR.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	return term.IsTerminal(int(file.Fd()))
}
