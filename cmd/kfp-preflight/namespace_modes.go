package main

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// namespaceModes reads the modes in the labels of all namespaces or, if namespace is set, of that one. Exempt namespaces are off. If it
// returns an error, the function it returns is still valid.
func namespaceModes(
	ctx context.Context, client dynamic.Interface, namespace string, exempt []string,
) (func(namespace string) validators.Mode, error) {
	modes := map[string]validators.Mode{}
	options := metav1.ListOptions{}
	if namespace != "" {
		options.FieldSelector = "metadata.name=" + namespace
	}
	namespaces := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return namespaces.List(ctx, options)
	})
	err := pages.EachListItem(ctx, options, func(o runtime.Object) error {
		object := o.(metav1.Object)
		modes[object.GetName()], _ = validators.LabelMode(object.GetLabels())
		return nil
	})
	return func(namespace string) validators.Mode {
		if slices.Contains(exempt, namespace) {
			return validators.Off
		}
		return modes[namespace]
	}, err
}
