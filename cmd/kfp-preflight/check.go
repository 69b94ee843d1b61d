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

func newCheck() *cobra.Command {
	var files []string
	var state, output, config string
	var cluster clusterFlags
	var judge report.Evaluator
	cmd := &cobra.Command{
		Use:   "check -f FILE|DIR...",
		Short: "Judge files as the webhook would judge their objects",
		Long: `Judge the Workflows and Profiles in files as the webhook would, and the Workflows that come out of CronWorkflows,
WorkflowTemplates, ClusterWorkflowTemplates, KFP's ScheduledWorkflows, and pipelines as the KFP SDK v2 compiles them, with the
default values of their parameters. Other objects in the files, such as Secrets and ConfigMaps, count as there: they are
about to be applied.

What else is there is asked of a cluster, if --kubeconfig or --context is given, or looked for in the manifests of
--state. Without either, only what needs no knowledge of a cluster is judged. Nothing is ever written to a cluster.

The exit code is 0 if nothing would be denied, 1 if something would, and 2 if something could not be judged.`,
		Example: `  # in an editor, or before a commit
  kfp-preflight check -f pipelines/

  # with the Secrets, quotas and LimitRanges of a namespace
  kfp-preflight check -f pipelines/ --context production -n team-a

  # in GitHub Actions, with the cluster's manifests beside the pipelines
  kfp-preflight check -f pipelines/ --state cluster/ -n team-a -o github`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, ok := reportWriters[output]
			switch {
			case !ok:
				return fmt.Errorf("-o is one of %s, not %q", strings.Join(reportFormats, ", "), output)
			case state != "" && cluster.given():
				return errors.New("give either --state or a cluster, not both")
			}
			if err := findFacts(cmd, &judge, &cluster, state, config); err != nil {
				return err
			}
			documents, errs := source.Read(cmd.InOrStdin(), files)
			r := judge.EvaluateDocuments(documents)
			r.Errors = append(errs, r.Errors...)
			r.Offline = state == "" && !cluster.given()
			if len(r.Objects) == 0 && len(r.Errors) == 0 {
				return errors.New("there is nothing to judge in the files that were given: no Workflow or Profile, and nothing that Workflows come out of")
			}
			return conclude(cmd, r, write)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&files, "file", "f", nil, "file or folder, - for standard input; may be given again")
	flags.StringVar(&state, "state", "", "file or folder with manifests that stand for the cluster")
	flags.StringVarP(&judge.Namespace, "namespace", "n", "", "namespace of objects that name none (default: that of the context, or default)")
	flags.StringVarP(&output, "output", "o", "text", strings.Join(reportFormats, ", "))
	cluster.add(flags)
	addConfig(cmd, &config)
	_ = cmd.MarkFlagRequired("file")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(reportFormats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// findFacts gives the judge its configuration, and lets it ask the cluster that was named, or the manifests in its place.
func findFacts(cmd *cobra.Command, judge *report.Evaluator, cluster *clusterFlags, state, file string) error {
	config, err := readConfig(file)
	if err != nil {
		return err
	}
	judge.Policy, judge.Options = config.Policy, config.KFP
	if cluster.given() {
		_, err := cluster.ask(cmd, judge, config)
		return err
	}
	if judge.Namespace == "" {
		judge.Namespace = "default"
	}
	known, err := readState(cmd.InOrStdin(), state, judge.Namespace)
	judge.Facts = func() validators.Facts { return known }
	return err
}

var reportFormats = []string{"text", "json", "sarif", "github"}

var reportWriters = map[string]func(io.Writer, report.Report) error{
	"text":   func(out io.Writer, r report.Report) error { return report.Text(out, r, isTerminal(out)) },
	"json":   report.JSON,
	"sarif":  func(out io.Writer, r report.Report) error { return report.SARIF(out, r, version()) },
	"github": report.GitHub,
}

// conclude tells what became of the objects, and ends the program accordingly.
func conclude(cmd *cobra.Command, r report.Report, write func(io.Writer, report.Report) error) error {
	for _, err := range r.Errors {
		cmd.PrintErrln("kfp-preflight:", err)
	}
	if err := write(cmd.OutOrStdout(), r); err != nil {
		return err
	}
	return exit(r.ExitCode())
}

// isTerminal reports whether colours reach a person, who has not asked for none.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	return term.IsTerminal(int(file.Fd()))
}
