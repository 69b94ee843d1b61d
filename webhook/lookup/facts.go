package lookup

import (
	"errors"
	"fmt"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/version"
	apiversion "k8s.io/apimachinery/pkg/version"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// ControllerConfig implements forecast.Facts.
func (f Facts) ControllerConfig(instanceID string) (forecast.ControllerConfig, error) {
	options := f.client.options
	at, ok := options.Argo.Location(instanceID)
	if !ok {
		return forecast.ControllerConfig{}, fmt.Errorf(
			"the workflow-controller with instance ID '%.63s' is not in kfp-preflight's configuration, argo.instances", instanceID)
	}
	parsed, err := readObject(f, coreKind("ConfigMap"), "configmaps", at.Namespace, at.ConfigMap, func(raw []byte) (*parsedConfig, error) {
		cm, err := decodeAs[corev1.ConfigMap](raw)
		if err != nil {
			return nil, err
		}
		config, err := forecast.ParseControllerConfig(cm.Data)
		config.Namespace = at.Namespace
		return &parsedConfig{config, err}, nil
	})
	where := fmt.Sprintf("the workflow-controller's ConfigMap '%s' in namespace '%s'", at.ConfigMap, at.Namespace)
	switch {
	case err != nil:
		return forecast.ControllerConfig{}, err
	case parsed == nil:
		const hint = " was not found; set argo.namespace and argo.configMap in kfp-preflight's configuration"
		missing := &lookupError{"not_found", where + hint, nil}
		options.Metrics.errors.WithLabelValues("configmaps", missing.reason).Inc()
		return forecast.ControllerConfig{}, missing
	case parsed.err != nil:
		options.Metrics.errors.WithLabelValues("configmaps", "unreadable").Inc()
		options.Log.Error(parsed.err, "could not parse the workflow-controller's ConfigMap", "namespace", at.Namespace, "name", at.ConfigMap)
		return forecast.ControllerConfig{}, errors.New(where + " could not be understood")
	}
	return parsed.config, nil
}

// parsedConfig is the configuration of a workflow-controller, or why it can't be parsed.
type parsedConfig struct {
	config forecast.ControllerConfig
	err    error
}

// ConfigMap implements forecast.Facts.
func (f Facts) ConfigMap(namespace, name string) (*corev1.ConfigMap, error) {
	return readObject(f, coreKind("ConfigMap"), "configmaps", namespace, name, decodeAs[corev1.ConfigMap])
}

// ServiceAccount implements forecast.Facts.
func (f Facts) ServiceAccount(namespace, name string) (*corev1.ServiceAccount, error) {
	return readObject(f, coreKind("ServiceAccount"), "serviceaccounts", namespace, name, decodeAs[corev1.ServiceAccount])
}

// WorkflowTemplate implements forecast.Facts.
func (f Facts) WorkflowTemplate(namespace, name string) (*wfv1.WorkflowTemplate, error) {
	return readObject(f, argoKind("WorkflowTemplate"), "workflowtemplates", namespace, name, forecast.Decode[wfv1.WorkflowTemplate])
}

// ClusterWorkflowTemplate implements forecast.Facts.
func (f Facts) ClusterWorkflowTemplate(name string) (*wfv1.ClusterWorkflowTemplate, error) {
	kind := argoKind("ClusterWorkflowTemplate")
	return readObject(f, kind, "clusterworkflowtemplates", "", name, forecast.Decode[wfv1.ClusterWorkflowTemplate])
}

// LimitRanges implements validators.Facts.
func (f Facts) LimitRanges(namespace string) ([]corev1.LimitRange, error) {
	found, err := listInNamespace[corev1.LimitRangeList](f, coreKind("LimitRange"), "limitranges", namespace)
	if err != nil {
		return nil, fmt.Errorf("the LimitRanges of namespace '%s' could not be read: %w", namespace, err)
	}
	return found.Items, nil
}

// ResourceQuotas implements validators.Facts.
func (f Facts) ResourceQuotas(namespace string) ([]corev1.ResourceQuota, error) {
	found, err := listInNamespace[corev1.ResourceQuotaList](f, coreKind("ResourceQuota"), "resourcequotas", namespace)
	if err != nil {
		return nil, fmt.Errorf("the ResourceQuotas of namespace '%s' could not be read: %w", namespace, err)
	}
	return found.Items, nil
}

// PriorityClasses implements validators.Facts.
func (f Facts) PriorityClasses() ([]schedulingv1.PriorityClass, error) {
	kind := metav1.TypeMeta{APIVersion: "scheduling.k8s.io/v1", Kind: validators.PriorityClass}
	found, err := list[schedulingv1.PriorityClassList](f, kind, "priorityclasses", "")
	if err != nil {
		return nil, fmt.Errorf("the PriorityClasses could not be read: %w", err)
	}
	return found.Items, nil
}

// profileLabels are on the namespaces in which Kubeflow's controllers create objects: those of Profiles.
// Source: kubeflow/dashboard d842464 components/profile-controller/controllers/profile_controller.go, config/base/namespace-labels.yaml.
var profileLabels = labels.Set{"app.kubernetes.io/part-of": "kubeflow-profile", "pipelines.kubeflow.org/enabled": "true"}

// NamespaceIsNew implements validators.Facts. Only a namespace with one of profileLabels can be new.
func (f Facts) NamespaceIsNew(namespace string) (bool, error) {
	age := f.client.options.NewNamespaceAge
	if age == 0 {
		return false, nil
	}
	found, err := f.get(lookup{
		resource: "namespaces", path: apiPath(coreKind("Namespace"), "", "namespaces", namespace), form: "creation",
		kind: onlyMetadata, name: namespace,
		decode: func(raw []byte) (any, error) {
			object, err := decodeAs[metav1.PartialObjectMetadata](raw)
			created := time.Time{}
			for label, value := range profileLabels {
				if object.Labels[label] == value {
					created = object.CreationTimestamp.Time
				}
			}
			return created, err
		},
	})
	switch {
	case isNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("its age could not be read: %w", err)
	}
	return time.Since(found.(time.Time)) < age, nil
}

// ServerVersion implements validators.Facts.
func (f Facts) ServerVersion() (string, error) {
	found, err := f.get(lookup{resource: "version", path: []string{"version"}, decode: func(raw []byte) (any, error) {
		info, err := decodeAs[apiversion.Info](raw)
		if err == nil {
			_, err = version.ParseGeneric(info.GitVersion)
		}
		return info.GitVersion, err
	}})
	if err != nil {
		return "", fmt.Errorf("the version of Kubernetes could not be determined: %w", err)
	}
	return found.(string), nil
}

func coreKind(kind string) metav1.TypeMeta { return metav1.TypeMeta{APIVersion: "v1", Kind: kind} }

func argoKind(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: "argoproj.io/v1alpha1", Kind: kind}
}

// decodeAs decodes JSON as the API server does.
func decodeAs[T any](raw []byte) (*T, error) {
	out := new(T)
	return out, kjson.Unmarshal(raw, out)
}

// readObject reads a whole object; nil if it does not exist.
func readObject[T any](
	f Facts, kind metav1.TypeMeta, resource, namespace, name string, decode func([]byte) (*T, error),
) (*T, error) {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return nil, nil // no object can have that name
	}
	found, err := f.get(lookup{
		resource: resource, path: apiPath(kind, namespace, resource, name),
		form: fmt.Sprintf("%T", (*T)(nil)), kind: kind, name: name, wholeObject: true,
		decode: func(raw []byte) (any, error) { return decode(raw) },
	})
	switch {
	case isNotFound(err):
		return nil, nil
	case err != nil:
		where := ""
		if namespace != "" {
			where = fmt.Sprintf(" in namespace '%s'", namespace)
		}
		return nil, fmt.Errorf("%s '%s'%s could not be read: %w", kind.Kind, name, where, err)
	}
	return found.(*T), nil
}

// listInNamespace lists the objects of a kind in a namespace. A name that no namespace can have is refused, because it could change the
// path of the request.
func listInNamespace[T any](f Facts, kind metav1.TypeMeta, resource, namespace string) (*T, error) {
	if len(validation.IsDNS1123Label(namespace)) > 0 {
		return nil, errors.New("no namespace can have that name")
	}
	return list[T](f, kind, resource, namespace)
}

// list lists the objects of a kind.
func list[T any](f Facts, kind metav1.TypeMeta, resource, namespace string) (*T, error) {
	path := apiPath(kind, namespace, resource)
	kind.Kind += "List"
	found, err := f.get(lookup{
		resource: resource, path: path, form: "list", kind: kind, wholeObject: true,
		decode: func(raw []byte) (any, error) { return decodeAs[T](raw) },
	})
	switch {
	case isNotFound(err):
		return nil, errors.New("the API server does not know this kind")
	case err != nil:
		return nil, err
	}
	return found.(*T), nil
}
