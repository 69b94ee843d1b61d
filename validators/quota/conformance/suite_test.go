// Package conformance holds package quota to the API server: what it says of a pod or a quota must be what a real
// kube-apiserver says.
package conformance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
)

var (
	seed = flag.Uint64("seed", 1, "what the generated pods and quotas follow from")
	pods = flag.Int("pods", 20_000, "how many pods to ask the API server about")
)

// admin is a client of the API server that all tests share.
var admin client.Client

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	control, err := cluster.Start(context.Background(), "../../..")
	defer func() {
		if stopErr := control.Stop(); err == nil {
			err = stopErr
		}
	}()
	if err != nil {
		return 1, err
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return 1, err
	}
	if admin, err = client.New(control.Admin, client.Options{Scheme: scheme}); err != nil {
		return 1, err
	}
	return m.Run(), nil
}
