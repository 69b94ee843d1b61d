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
	// page is how many objects are read at once: Workflows are large.
	page = 100
	// judgedAtOnce bounds the judgements under way, each of which may ask the cluster.
	judgedAtOnce = 8
)

// judgeCluster judges all objects of a cluster, or of one namespace, but those of exempt ones. What can't be listed is among the report's errors; a kind that
// the cluster does not know has no objects.
func judgeCluster(ctx context.Context, config *rest.Config, namespace string, exempt []string, judge report.Evaluator, progress func(what string, judged int)) (report.Report, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return report.Report{}, fmt.Errorf("setting up the client: %w", err)
	}
	i := inventory{judge: judge, progress: progress}
	if i.judge.ModeOf, err = modesOf(ctx, client, namespace, exempt); err != nil {
		i.report.Errors = append(i.report.Errors, fmt.Errorf("namespaces could not be listed, so that their modes are not known: %w", err))
	}
	for _, kind := range objects.Kinds() {
		if err := i.kind(ctx, client, kind, namespace); err != nil && !apierrors.IsNotFound(err) {
			i.report.Errors = append(i.report.Errors, fmt.Errorf("%s could not be listed: %w", kind.Resource, err))
		}
	}
	slices.SortFunc(i.report.Objects, func(a, b report.Object) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	return i.report, ctx.Err()
}

// inventory gathers what became of the objects.
type inventory struct {
	judge    report.Evaluator
	progress func(what string, judged int)

	lock   sync.Mutex
	report report.Report
}

// kind judges the objects of one kind, page by page.
func (i *inventory) kind(ctx context.Context, client dynamic.Interface, kind objects.Kind, namespace string) error {
	options := metav1.ListOptions{}
	resources := client.Resource(schema.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: kind.Resource})
	lister := dynamic.ResourceInterface(resources)
	switch {
	case kind.Namespaced:
		lister = resources.Namespace(namespace)
	case namespace != "" && kind.Name == "Profile":
		options.FieldSelector = "metadata.name=" + namespace // as its namespace is called
	case namespace != "":
		return nil
	}
	if kind.Name == "Workflow" {
		options.LabelSelector = "workflows.argoproj.io/completed!=true"
	}
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return lister.List(ctx, options)
	})
	pages.PageSize = page
	var group errgroup.Group
	group.SetLimit(judgedAtOnce)
	err := pages.EachListItem(ctx, options, func(o runtime.Object) error {
		group.Go(func() error {
			i.object(o.(*unstructured.Unstructured), namespace)
			return nil
		})
		return ctx.Err()
	})
	_ = group.Wait() // the functions return no error
	return err
}

func (i *inventory) object(o *unstructured.Unstructured, namespace string) {
	raw, err := json.Marshal(o)
	var judged *objects.Object
	if err == nil {
		judged, err = objects.Decode(raw, namespace)
	}
	var result report.Object
	if judged != nil {
		result = i.judge.Evaluate(judged)
	}
	i.lock.Lock()
	defer i.lock.Unlock()
	switch {
	case err != nil:
		i.report.Errors = append(i.report.Errors, fmt.Errorf("%s %s/%s: %w", o.GetKind(), o.GetNamespace(), o.GetName(), err))
	case len(result.Findings)+len(result.Skipped)+len(result.UnknownRules) == 0:
		i.report.Passed++
	default:
		i.report.Objects = append(i.report.Objects, result)
	}
	i.progress(o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName(), len(i.report.Objects)+i.report.Passed)
}
