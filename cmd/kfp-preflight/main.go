// Command kfp-preflight rejects Kubeflow Profiles and Argo Workflows whose pods certainly can't run.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	err := newRootCommand().ExecuteContext(ctrl.SetupSignalHandler())
	var code exitCode
	switch {
	case errors.As(err, &code):
		os.Exit(int(code))
	case err != nil:
		fmt.Fprintln(os.Stderr, "kfp-preflight:", err)
		os.Exit(2)
	}
}

// exitCode is an error that only sets the exit code, after a command has printed its result.
type exitCode int

// Error returns the exit code as text. The program never prints it.
func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exitError returns the error for an exit code, which is nil for 0.
func exitError(code int) error {
	if code == 0 {
		return nil
	}
	return exitCode(code)
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "kfp-preflight",
		Short: "Reject Kubeflow Pipelines runs that can't work, before they start",
		Long: `kfp-preflight finds out which pods a Kubeflow Profile or an Argo Workflow leads to. If these pods
certainly can't run, it rejects the object at once and says how to fix it. For example, a quota may
reject every pipeline pod, or a Secret may be missing.

The webhook ("serve") does this at admission. You can also evaluate files ("check") and the objects in
a cluster ("audit"), and look up an error that you already have ("explain").`,
		Example: `  # Evaluate files before you apply them
  kfp-preflight check -f pipelines/ --context production -n team-a

  # Explain an error
  kfp-preflight explain 'failed quota: kf-resource-quota: must specify cpu,memory'

  # Load the completion for bash
  source <(kfp-preflight completion bash)`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newServeCommand(), newCheckCommand(), newAuditCommand(), newExplainCommand(), newPodsCommand(), newVersionCommand())
	return root
}

// completeWith lets the shell complete a flag with a list of values.
func completeWith(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
