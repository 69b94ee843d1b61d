// Command load measures what kfp-preflight costs. Run it with 'make load'.
//
// It posts AdmissionReviews over TLS and HTTP/2 to a running "kfp-preflight serve", and for comparison to webhooks
// that do less. Then it creates Workflows through a real API server, with and without a webhook. Finally it
// compares the memory in a small and in a large cluster. Servers run on one core, the load on another.
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
	flag.DurationVar(&o.duration, "for", 8*time.Second, "maximum duration of a measurement")
	flag.IntVar(&o.count, "count", 3000, "maximum number of requests of a measurement")
	flag.IntVar(&o.creates, "creates", 400, "number of Workflows to create with each webhook; 0 skips this part")
	flag.IntVar(&o.namespaces, "namespaces", 1000, "number of namespaces, with ten Secrets each, to measure memory with; 0 skips this part")
	flag.StringVar(&o.payloads, "payloads", "", "payloads to measure, such as small,large; all if empty")
	serve := flag.String("serve", "", "run a reference webhook instead: transport, yes or argo-types")
	address := flag.String("address", "", "with -serve: HOST:PORT to listen on")
	certificates := flag.String("certificates", "", "with -serve: directory with tls.crt and tls.key")
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

// options limit the measurements.
type options struct {
	duration   time.Duration
	count      int
	creates    int
	namespaces int
	payloads   string
}

// selected reports whether the payload is to be measured.
func (o options) selected(p payload.Payload) bool {
	return o.payloads == "" || slices.Contains(strings.Split(o.payloads, ","), p.Name)
}

func run(ctx context.Context, o options) (err error) {
	fmt.Printf("%s, %s, %d cores\n", runtime.Version(), runtime.GOARCH, availableCores())
	e, err := newEnvironment(ctx)
	defer func() { err = errors.Join(err, e.stop()) }()
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, options) error{e.measureReviews, e.measureCreates, e.measureMemory} {
		if err := step(ctx, o); err != nil {
			return err
		}
	}
	return nil
}
