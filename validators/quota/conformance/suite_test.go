// Package conformance compares package quota with a real kube-apiserver: both must give the same answers about pods and
// ResourceQuotas.
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
	seed = flag.Uint64("seed", 1, "seed of the random pods and quotas")
	pods = flag.Int("pods", 20_000, "number of pods to submit to the API server")
)

// admin is the client of the API server that all tests share.
var admin client.Client

// minor is the minor version of the API server, which is the one in bin unless KUBEBUILDER_ASSETS names another.
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

// minorVersion asks the API server for its minor version.
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
