// Command soak keeps kfp-preflight under load for a long time and shows whether its use of resources grows. Run it
// with 'make soak'.
//
// It runs the shipped Deployment with its two replicas against a real API server with many namespaces, and creates
// Workflows as fast as it can. It prints the metrics of the pods every minute, and their growth at the end.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
)

func main() {
	duration := flag.Duration("for", 30*time.Minute, "duration of the test")
	namespaces := flag.Int("namespaces", 1000, "number of namespaces")
	workers := flag.Int("workers", 8, "number of requests in flight")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *duration, *namespaces, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, duration time.Duration, count, workers int) (err error) {
	node := &cluster.Node{Binary: "bin/kfp-preflight", VolumeSyncInterval: time.Minute, EndpointsDelay: time.Second}
	if err := node.StartNetwork(); err != nil {
		return err
	}
	c, err := cluster.Start(ctx, ".", node.NetworkOption())
	defer func() { err = errors.Join(err, c.Stop()) }()
	if err != nil {
		return err
	}
	if err := node.Join(ctx, c); err != nil {
		return err
	}
	if err := c.StartControllers("deployment-controller", "replicaset-controller", "endpointslice-controller",
		"serviceaccount-controller", "resourcequota-controller"); err != nil {
		return err
	}
	fmt.Printf("creating %d namespaces, each with a quota, a LimitRange and a Secret\n", count)
	namespaces, err := populate(ctx, c, count)
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, "manifests/overlays/self-signed"); err != nil {
		return err
	}
	if err := c.WaitForDenial(ctx, namespaces[0], time.Minute); err != nil {
		return errors.Join(err, node.Err())
	}
	load, err := cluster.StartLoad(ctx, c.Admin, namespaces, workers, true)
	if err != nil {
		return err
	}
	samples := sampleMetrics(ctx, node, load, duration)
	calls := load.Stop()
	fmt.Printf("%d Workflows were admitted and %d denied; %d requests failed\n", calls.Created, calls.Denied, len(calls.Unexpected))
	printGrowth(samples)
	if len(calls.Unexpected) > 0 {
		err = fmt.Errorf("%d requests failed, the first with: %w", len(calls.Unexpected), calls.Unexpected[0])
	}
	return errors.Join(err, node.Err())
}

// populate creates Argo's configuration and, as Kubeflow's Profiles would, namespaces. It returns their names.
func populate(ctx context.Context, c *cluster.Cluster, count int) ([]string, error) {
	api, err := kubernetes.NewForConfig(c.Admin)
	if err != nil {
		return nil, err
	}
	var namespaces []string
	var errs []error
	add := func(_ any, err error) { errs = append(errs, err) }
	createOptions := metav1.CreateOptions{}
	add(api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubeflow"}}, createOptions))
	add(api.CoreV1().ConfigMaps("kubeflow").Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "workflow-controller-configmap"},
	}, createOptions))
	containerDefaults := corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("100Mi")}
	for i := range count {
		name := fmt.Sprintf("team-%d", i)
		namespaces = append(namespaces, name)
		add(api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, createOptions))
		add(api.CoreV1().ResourceQuotas(name).Create(ctx, &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Name: "kf-resource-quota"},
			Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"cpu": resource.MustParse("64"), "memory": resource.MustParse("256Gi")}},
		}, createOptions))
		add(api.CoreV1().LimitRanges(name).Create(ctx, &corev1.LimitRange{
			ObjectMeta: metav1.ObjectMeta{Name: "defaults"},
			Spec:       corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, DefaultRequest: containerDefaults}}},
		}, createOptions))
		add(api.CoreV1().Secrets(name).Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "mlpipeline-minio-artifact"},
			StringData: map[string]string{"accesskey": "a", "secretkey": "b"},
		}, createOptions))
	}
	return namespaces, errors.Join(errs...)
}

// trackedMetrics are the metrics of a pod that must not grow over time.
var trackedMetrics = []string{"process_resident_memory_bytes", "go_memstats_heap_inuse_bytes", "go_goroutines", "process_open_fds"}

// sample contains the values of the metrics at one time, by pod and metric.
type sample map[string]map[string]float64

// sampleMetrics takes a sample every ten seconds, and prints one every minute.
func sampleMetrics(ctx context.Context, node *cluster.Node, load *cluster.Load, duration time.Duration) (samples []sample) {
	began, before := time.Now(), 0
	for i := 1; time.Since(began) < duration && ctx.Err() == nil; i++ {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(began.Add(time.Duration(i) * 10 * time.Second))):
		}
		s := sample{}
		for pod, address := range node.MetricsURLs() {
			values, err := scrape(address)
			if err != nil {
				fmt.Println(pod, err)
				continue
			}
			s[pod] = values
		}
		samples = append(samples, s)
		if i%6 == 0 {
			calls := load.Stats()
			fmt.Printf("%4.0f min  %4.0f requests/s  %d failed",
				time.Since(began).Minutes(), float64(calls.Expected()-before)/60, len(calls.Unexpected))
			before = calls.Expected()
			for pod, v := range s {
				fmt.Printf("  | %s: %.0f MiB, heap %.0f MiB, %.0f goroutines, %.0f fds", pod[strings.LastIndex(pod, "-")+1:],
					v[trackedMetrics[0]]/(1<<20), v[trackedMetrics[1]]/(1<<20), v[trackedMetrics[2]], v[trackedMetrics[3]])
			}
			fmt.Println()
		}
	}
	return samples
}

// scrape reads the tracked metrics of one pod.
func scrape(address string) (map[string]float64, error) {
	response, err := http.Get(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for _, name := range trackedMetrics {
		if family := families[name]; family != nil {
			m := family.GetMetric()[0]
			out[name] = cmp.Or(m.GetGauge().GetValue(), m.GetUntyped().GetValue())
		}
	}
	return out, nil
}

// printGrowth compares the medians of the middle and the last third of the samples. The first third is warm-up.
func printGrowth(samples []sample) {
	third := len(samples) / 3
	for _, name := range trackedMetrics {
		middle, last := median(samples[third:2*third], name), median(samples[2*third:], name)
		fmt.Printf("%-32s middle third %.0f, last third %.0f (%+.1f %%)\n", name, middle, last, 100*(last/middle-1))
	}
}

// median returns the median of a metric over all pods and samples, or 0 without samples.
func median(samples []sample, name string) float64 {
	var values []float64
	for _, s := range samples {
		for _, v := range s {
			values = append(values, v[name])
		}
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}
