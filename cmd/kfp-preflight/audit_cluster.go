package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"

	"github.com/kfp-preflight/kfp-preflight/validators/objects"
	"github.com/kfp-preflight/kfp-preflight/validators/report"
)

const (
	// pageSize is the number of objects that are listed at once. Workflows can be large.
	pageSize = 100
	// maxConcurrent bounds the concurrent evaluations, each of which may send requests to the cluster.
	maxConcurrent = 8
)

// clusterAudit collects the results of an audit.
type clusterAudit struct {
	evaluator report.Evaluator
	progress  func(object string, evaluated int)

	mu     sync.Mutex
	report report.Report
}

// evaluateCluster evaluates the objects of a cluster, except those in exempt namespaces. If namespace is set, it evaluates only that
// namespace and its Profile. A kind that can't be listed is an error of the report. A kind that the cluster does not know has no objects.
func evaluateCluster(
	ctx context.Context, config *rest.Config, namespace string, exempt []string,
	evaluator report.Evaluator, progress func(object string, evaluated int),
) (report.Report, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return report.Report{}, fmt.Errorf("setting up the client: %w", err)
	}
	a := clusterAudit{evaluator: evaluator, progress: progress}
	if a.evaluator.ModeOf, err = namespaceModes(ctx, client, namespace, exempt); err != nil {
		a.report.Errors = append(a.report.Errors, fmt.Errorf("namespaces could not be listed, so their modes are unknown: %w", err))
	}
	for _, kind := range objects.Kinds() {
		if err := a.evaluateKind(ctx, client, kind, namespace); err != nil && !apierrors.IsNotFound(err) {
			a.report.Errors = append(a.report.Errors, fmt.Errorf("%s could not be listed: %w", kind.Resource, err))
		}
	}
	slices.SortFunc(a.report.Objects, func(x, y report.Object) int {
		return cmp.Or(strings.Compare(x.Namespace, y.Namespace), strings.Compare(x.Kind, y.Kind), strings.Compare(x.Name, y.Name))
	})
	return a.report, ctx.Err()
}

// evaluateKind evaluates the objects of one kind.
func (a *clusterAudit) evaluateKind(ctx context.Context, client dynamic.Interface, kind objects.Kind, namespace string) error {
	options := metav1.ListOptions{}
	resources := client.Resource(schema.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: kind.Resource})
	lister := dynamic.ResourceInterface(resources)
	switch {
	case kind.Namespaced:
		lister = resources.Namespace(namespace)
	case namespace != "" && kind.Name == "Profile":
		options.FieldSelector = "metadata.name=" + namespace // a Profile has the name of its namespace
	case namespace != "":
		return nil
	}
	if kind.Name == "Workflow" {
		options.LabelSelector = "workflows.argoproj.io/completed!=true"
	}
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return lister.List(ctx, options)
	})
	pages.PageSize = pageSize
	var group errgroup.Group
	group.SetLimit(maxConcurrent)
	err := pages.EachListItem(ctx, options, func(o runtime.Object) error {
		group.Go(func() error {
			a.evaluate(o.(*unstructured.Unstructured), namespace)
			return nil
		})
		return ctx.Err()
	})
	_ = group.Wait() // the functions return no error
	return err
}

// evaluate evaluates one object and adds the result to the report.
func (a *clusterAudit) evaluate(o *unstructured.Unstructured, namespace string) {
	raw, err := json.Marshal(o)
	var decoded *objects.Object
	if err == nil {
		decoded, err = objects.Decode(raw, namespace)
	}
	var result report.Object
	if decoded != nil {
		result = a.evaluator.Evaluate(decoded)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err != nil:
		a.report.Errors = append(a.report.Errors, fmt.Errorf("%s %s/%s: %w", o.GetKind(), o.GetNamespace(), o.GetName(), err))
	case len(result.Findings)+len(result.Skipped)+len(result.UnknownRules) == 0:
		a.report.Passed++
	default:
		a.report.Objects = append(a.report.Objects, result)
	}
	a.progress(o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName(), len(a.report.Objects)+a.report.Passed)
}
