// Command kfp-preflight rejects Kubeflow Profiles and Argo Workflows whose pods certainly can't run.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	if err := newRoot().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "kfp-preflight:", err)
		os.Exit(2)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "kfp-preflight",
		Short: "Tells at admission what Kubeflow Pipelines would find out hours later",
		Long: `kfp-preflight works out which pods a Kubeflow Profile or an Argo Workflow would lead to, and rejects the object while
its author is still looking when these pods certainly can't run: a quota that no pipeline pod satisfies, a Secret that
is not there.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newServe(), newPods())
	return root
}
