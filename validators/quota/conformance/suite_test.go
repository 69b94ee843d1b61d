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
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
)

var (
	seed = flag.Uint64("seed", 1, "what the generated pods and quotas follow from")
	pods = flag.Int("pods", 20_000, "how many pods to ask the API server about")
)

// admin is a client of the API server that all tests share.
var admin client.Client

// minor is the minor version of the API server: the one in bin, or any other that KUBEBUILDER_ASSETS names.
var minor int

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
	if minor, err = minorVersion(control.Admin); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// minorVersion is what the API server itself says that it is.
func minorVersion(config *rest.Config) (int, error) {
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return 0, err
	}
	info, err := discoverer.ServerVersion()
	if err != nil {
		return 0, err
	}
	v, err := version.ParseGeneric(info.GitVersion)
	if err != nil {
		return 0, err
	}
	return int(v.Minor()), nil
}
