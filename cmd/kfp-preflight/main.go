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

// exitCode ends the program when everything has been said and the answer is no. Any other error is 2.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

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
	root.AddCommand(newServe(), newPods(), newExplain())
	return root
}
