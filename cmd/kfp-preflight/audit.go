package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/kfp-preflight/kfp-preflight/validators/report"
)

func newAuditCommand() *cobra.Command {
	var namespace, output, configFile string
	var cluster clusterFlags
	var evaluator report.Evaluator
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Evaluate the objects in a cluster",
		Long: `Evaluate the objects that are already in a cluster, as the webhook would if they were created now.

Run it before you let the webhook deny, to see what it would deny. Run it every night, to see what has
broken since.

It evaluates Profiles, Workflows that have not finished, CronWorkflows, WorkflowTemplates,
ClusterWorkflowTemplates and ScheduledWorkflows. The label of a namespace decides its mode.

The cluster is that of the current context. To use another one, set --context or --kubeconfig. In a
pod, it is the cluster of the pod. Nothing is written to the cluster. manifests/components/audit has
the permissions that are needed.

The exit code is 0 if nothing would be denied, 1 if something would, and 2 if something could not be
evaluated.`,
		Example: `  # Evaluate all namespaces
  kfp-preflight audit

  # Evaluate one namespace and its Profile, and print JSON
  kfp-preflight audit -n team-a -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, ok := auditWriters[output]
			if !ok {
				return fmt.Errorf("-o must be text or json, not %q", output)
			}
			if namespace == "all" {
				namespace = ""
			}
			config, err := readConfig(configFile)
			if err != nil {
				return err
			}
			evaluator.Policy, evaluator.Options = config.Policy, config.KFP
			client, err := cluster.connect(cmd, &evaluator, config)
			if err != nil {
				return err
			}
			progress := newProgress(cmd.ErrOrStderr())
			r, err := evaluateCluster(cmd.Context(), client, namespace, config.Exempt.Namespaces, evaluator, progress.update)
			progress.clear()
			if err != nil {
				return err
			}
			return finish(cmd, r, write)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&namespace, "namespace", "n", "all", "namespace to evaluate, with its Profile")
	flags.StringVarP(&output, "output", "o", "text", "output format: text or json")
	cluster.add(flags)
	addConfig(cmd, &configFile)
	completeWith(cmd, "output", "text", "json")
	return cmd
}

var auditWriters = map[string]func(io.Writer, report.Report) error{
	"text": func(out io.Writer, r report.Report) error { return report.TextWithCounts(out, r, isTerminal(out)) },
	"json": report.JSON,
}

// progress shows the progress of an audit on a terminal. It writes nothing elsewhere.
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

func (p *progress) update(object string, evaluated int) {
	p.shown = true
	_, _ = fmt.Fprintf(p.out, "\r\x1b[K%d objects evaluated, last: %s", evaluated, object)
}

func (p *progress) clear() {
	if p.shown {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
	}
}
