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
	err := newRoot().ExecuteContext(ctrl.SetupSignalHandler())
	var code exitCode
	switch {
	case errors.As(err, &code):
		os.Exit(int(code))
	case err != nil:
		fmt.Fprintln(os.Stderr, "kfp-preflight:", err)
		os.Exit(2)
	}
}

// exitCode ends the program when all has been said.
type exitCode int

// Error is for nobody: the code says it.
func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exit is the error that ends the program with a code; none for 0.
func exit(code int) error {
	if code == 0 {
		return nil
	}
	return exitCode(code)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "kfp-preflight",
		Short: "Tells at admission what Kubeflow Pipelines would find out hours later",
		Long: `kfp-preflight works out which pods a Kubeflow Profile or an Argo Workflow would lead to, and rejects the object while
its author is still looking when these pods certainly can't run: a quota that no pipeline pod satisfies, a Secret that
is not there. The same judgement can be had of files and of what is in a cluster already, and known errors are explained.`,
		Example: `  # before anything reaches a cluster
  kfp-preflight check -f pipelines/ --context production -n team-a

  # an error that somebody has
  kfp-preflight explain 'failed quota: kf-resource-quota: must specify cpu,memory'

  # completion for the shell
  source <(kfp-preflight completion bash)`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newServe(), newCheck(), newAudit(), newExplain(), newPods(), newVersion())
	return root
}
