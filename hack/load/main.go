// Command load measures what kfp-preflight costs: AdmissionReviews are posted to a running "serve", over TLS and HTTP/2, and beside it to
// webhooks that do less; then Workflows are created through a real API server, with a webhook and without. Servers have one core, what
// asks them has another. Run it with make load.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kfp-preflight/kfp-preflight/hack/payload"
)

func main() {
	var o options
	flag.DurationVar(&o.duration, "for", 8*time.Second, "how long a measurement lasts at the most")
	flag.IntVar(&o.count, "count", 3000, "how many requests it has at the most")
	flag.IntVar(&o.creates, "creates", 400, "how many Workflows are created in each way")
	flag.IntVar(&o.namespaces, "namespaces", 1000, "how many namespaces with ten Secrets each there are when memory is measured; 0 leaves that out")
	flag.StringVar(&o.payloads, "payloads", "", "which of the payloads, such as small,large; all without")
	serve := flag.String("serve", "", "be one of the webhooks that do less: transport, yes or argo-types")
	address, certificates := flag.String("address", "", "where that is"), flag.String("certificates", "", "directory with its tls.crt and tls.key")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	if *serve != "" {
		exitOnError(serveReference(*serve, *address, *certificates))
	}
	exitOnError(pinToOtherCore())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, o)
	if ctx.Err() != nil {
		err = errors.New("interrupted; everything is stopped")
	}
	exitOnError(err)
}

func exitOnError(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// options bound the measurements.
type options struct {
	duration   time.Duration
	count      int
	creates    int
	namespaces int
	payloads   string
}

// selected says whether a payload is to be measured.
func (o options) selected(p payload.Payload) bool {
	return o.payloads == "" || slices.Contains(strings.Split(o.payloads, ","), p.Name)
}

func run(ctx context.Context, o options) (err error) {
	fmt.Printf("%s, %s, %d cores\n", runtime.Version(), runtime.GOARCH, availableCores())
	s, err := newEnvironment(ctx)
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, options) error{s.measureReviews, s.measureCreates, s.measureMemory} {
		if err := step(ctx, o); err != nil {
			return err
		}
	}
	return nil
}
