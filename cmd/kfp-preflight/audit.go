package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/kfp-preflight/kfp-preflight/validators/report"
)

func newAudit() *cobra.Command {
	var namespace, output, config string
	var cluster clusterFlags
	var judge report.Evaluator
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Judge what is in a cluster already",
		Long: `Judge the Profiles, the Workflows that have not ended, and the CronWorkflows, WorkflowTemplates, ClusterWorkflowTemplates and
ScheduledWorkflows of a cluster, as the webhook would if they were created now. It shows what the webhook would deny, before
it may, and finds each night what has broken since.

The cluster is that of the current context, of --kubeconfig and --context or, in a pod, the pod's own. Nothing is written to it. The permissions
that are needed, all of them to read, are those of manifests/components/audit. Namespaces have the modes that their labels say.

The exit code is 0 if nothing would be denied, 1 if something would, and 2 if something could not be judged.`,
		Example: `  # all namespaces, before the webhook may deny
  kfp-preflight audit

  # one namespace, for a program
  kfp-preflight audit -n team-a -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, ok := auditWriters[output]
			if !ok {
				return fmt.Errorf("-o is text or json, not %q", output)
			}
			if namespace == "all" {
				namespace = ""
			}
			config, err := readConfig(config)
			if err != nil {
				return err
			}
			judge.Policy, judge.Options = config.Policy, config.KFP
			reach, err := cluster.ask(cmd, &judge, config)
			if err != nil {
				return err
			}
			progress := newProgress(cmd.ErrOrStderr())
			r, err := judgeCluster(cmd.Context(), reach, namespace, config.Exempt.Namespaces, judge, progress.say)
			progress.end()
			if err != nil {
				return err
			}
			return conclude(cmd, r, write)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&namespace, "namespace", "n", "all", "namespace to judge, with the Profile that it belongs to")
	flags.StringVarP(&output, "output", "o", "text", "text or json")
	cluster.add(flags)
	addConfig(cmd, &config)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

var auditWriters = map[string]func(io.Writer, report.Report) error{
	"text": func(out io.Writer, r report.Report) error { return report.TextWithCounts(out, r, isTerminal(out)) },
	"json": report.JSON,
}

// progress keeps a person informed on a terminal.
type progress struct {
	out   io.Writer
	shown bool
}

func newProgress(out io.Writer) *progress {
	if !isTerminal(out) {
		out = io.Discard
	}
	return &progress{out: out}
}

func (p *progress) say(what string, judged int) {
	p.shown = true
	_, _ = fmt.Fprintf(p.out, "\r\x1b[K%d objects judged, now %s", judged, what)
}

func (p *progress) end() {
	if p.shown {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
	}
}
