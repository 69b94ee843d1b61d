package validators

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// State implements Facts with manifests instead of an API server. The zero value is a cluster of which nothing is known.
type State struct {
	// Complete says that the manifests are all there is: other objects don't exist. Otherwise their existence is unknown.
	Complete bool

	configMaps       map[string]*corev1.ConfigMap
	serviceAccounts  map[string]*corev1.ServiceAccount
	templates        map[string]*wfv1.WorkflowTemplate
	clusterTemplates map[string]*wfv1.ClusterWorkflowTemplate
	objects          map[namespacedRef]sets.Set[string] // the names of their keys
	limitRanges      []corev1.LimitRange
	quotas           []corev1.ResourceQuota
	priorityClasses  []schedulingv1.PriorityClass
	secretSources    map[string][]SecretSource // by namespace
}

var _ Facts = (*State)(nil)

// controllerConfigMap is the name that Argo's manifests give to the workflow-controller's configuration.
const controllerConfigMap = "workflow-controller-configmap"

// errNotGiven is the error for objects that are not among the manifests, unless these are Complete.
var errNotGiven = errors.New("not among the manifests that were given")

// Add adds one object, in YAML or JSON. namespace is that of objects which have none. Kinds that no rule asks for are ignored.
func (s *State) Add(manifest []byte, namespace string) error {
	var meta metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(manifest, &meta); err != nil {
		return err
	}
	if meta.Namespace != "" {
		namespace = meta.Namespace
	}
	key := namespace + "/" + meta.Name
	switch meta.Kind {
	case Secret, ConfigMap, ServiceAccount, PersistentVolumeClaim, PriorityClass:
		if err := s.addRef(ObjectRef{meta.Kind, meta.Name}, namespace, manifest); err != nil {
			return err
		}
	}
	for _, kind := range SecretSourceKinds {
		if group, _, _ := strings.Cut(meta.APIVersion, "/"); kind.Kind == meta.Kind && kind.Group == group {
			return s.addSecretSource(kind, namespace, manifest)
		}
	}
	switch meta.Kind {
	case ConfigMap:
		return addDecoded(&s.configMaps, key, manifest, decodeYAML)
	case ServiceAccount:
		return addDecoded(&s.serviceAccounts, key, manifest, decodeYAML)
	case "WorkflowTemplate":
		return addDecoded(&s.templates, key, manifest, forecast.DecodeYAML[wfv1.WorkflowTemplate])
	case "ClusterWorkflowTemplate":
		return addDecoded(&s.clusterTemplates, meta.Name, manifest, forecast.DecodeYAML[wfv1.ClusterWorkflowTemplate])
	case "LimitRange":
		return appendDecoded(&s.limitRanges, manifest, func(l *corev1.LimitRange) { l.Namespace = namespace })
	case "ResourceQuota":
		return appendDecoded(&s.quotas, manifest, func(q *corev1.ResourceQuota) {
			q.Namespace = namespace
			if len(q.Status.Hard) == 0 {
				q.Status.Hard = q.Spec.Hard // as the quota controller does within seconds
			}
		})
	case PriorityClass:
		return appendDecoded(&s.priorityClasses, manifest, func(*schedulingv1.PriorityClass) {})
	}
	return nil
}

// addSecretSource adds an object whose controller creates Secrets.
func (s *State) addSecretSource(kind SecretSourceKind, namespace string, manifest []byte) error {
	var object map[string]any
	if err := yaml.Unmarshal(manifest, &object); err != nil {
		return err
	}
	if s.secretSources == nil {
		s.secretSources = map[string][]SecretSource{}
	}
	s.secretSources[namespace] = append(s.secretSources[namespace], kind.Source(object))
	return nil
}

// appendDecoded decodes a manifest, completes the object, and appends it.
func appendDecoded[T any](to *[]T, manifest []byte, complete func(*T)) error {
	object, err := decodeYAML[T](manifest)
	if err != nil {
		return err
	}
	complete(object)
	*to = append(*to, *object)
	return nil
}

// addDecoded decodes a manifest and stores the object under a key.
func addDecoded[T any](to *map[string]*T, key string, manifest []byte, read func([]byte) (*T, error)) error {
	object, err := read(manifest)
	if err != nil {
		return err
	}
	if *to == nil {
		*to = map[string]*T{}
	}
	(*to)[key] = object
	return nil
}

// decodeYAML decodes an object.
func decodeYAML[T any](manifest []byte) (*T, error) {
	object := new(T)
	return object, yaml.Unmarshal(manifest, object)
}

// find returns an object; nil if it does not exist, or an error if that is unknown.
func find[T any](s *State, kind string, in map[string]*T, key string) (*T, error) {
	if object, ok := in[key]; ok || s.Complete {
		return object, nil
	}
	return nil, fmt.Errorf("%s %s is %w", kind, key, errNotGiven)
}

// ControllerConfig implements Facts. The manifests have at most one configuration, which applies to every instance ID. Without one, that of
// a stock installation applies.
func (s *State) ControllerConfig(string) (forecast.ControllerConfig, error) {
	cm := s.controllerConfigMap()
	if cm == nil {
		return forecast.ControllerConfig{}, nil
	}
	controller, err := forecast.ParseControllerConfig(cm.Data)
	controller.Namespace = cm.Namespace
	return controller, err
}

func (s *State) controllerConfigMap() *corev1.ConfigMap {
	for _, cm := range s.configMaps {
		if cm.Name == controllerConfigMap {
			return cm
		}
	}
	return nil
}

// ConfigMap implements Facts.
func (s *State) ConfigMap(namespace, name string) (*corev1.ConfigMap, error) {
	return find(s, "ConfigMap", s.configMaps, namespace+"/"+name)
}

// ServiceAccount implements Facts.
func (s *State) ServiceAccount(namespace, name string) (*corev1.ServiceAccount, error) {
	return find(s, "ServiceAccount", s.serviceAccounts, namespace+"/"+name)
}

// WorkflowTemplate implements Facts.
func (s *State) WorkflowTemplate(namespace, name string) (*wfv1.WorkflowTemplate, error) {
	return find(s, "WorkflowTemplate", s.templates, namespace+"/"+name)
}

// ClusterWorkflowTemplate implements Facts.
func (s *State) ClusterWorkflowTemplate(name string) (*wfv1.ClusterWorkflowTemplate, error) {
	return find(s, "ClusterWorkflowTemplate", s.clusterTemplates, name)
}

// LimitRanges implements Facts.
func (s *State) LimitRanges(namespace string) ([]corev1.LimitRange, error) {
	if !s.Complete {
		return nil, fmt.Errorf("LimitRanges are %w", errNotGiven)
	}
	return s.limitRangesIn(namespace), nil
}

func (s *State) limitRangesIn(namespace string) []corev1.LimitRange {
	return slices.DeleteFunc(slices.Clone(s.limitRanges), func(l corev1.LimitRange) bool { return l.Namespace != namespace })
}

// ResourceQuotas implements Facts.
func (s *State) ResourceQuotas(namespace string) ([]corev1.ResourceQuota, error) {
	if !s.Complete {
		return nil, fmt.Errorf("ResourceQuotas are %w", errNotGiven)
	}
	return s.quotasIn(namespace), nil
}

func (s *State) quotasIn(namespace string) []corev1.ResourceQuota {
	return slices.DeleteFunc(slices.Clone(s.quotas), func(q corev1.ResourceQuota) bool { return q.Namespace != namespace })
}

// PriorityClasses implements Facts.
func (s *State) PriorityClasses() ([]schedulingv1.PriorityClass, error) {
	if !s.Complete {
		return nil, fmt.Errorf("PriorityClasses are %w", errNotGiven)
	}
	return s.priorityClasses, nil
}

// ServerVersion implements Facts. It always fails: manifests don't have the version.
func (s *State) ServerVersion() (string, error) {
	return "", fmt.Errorf("the version of Kubernetes is %w", errNotGiven)
}

// NamespaceIsNew implements Facts. Manifests have no age.
func (s *State) NamespaceIsNew(string) (bool, error) { return false, nil }

// SecretSources implements Facts.
func (s *State) SecretSources(namespace string) ([]SecretSource, error) {
	var err error
	if !s.Complete {
		err = fmt.Errorf("objects that create Secrets are %w", errNotGiven)
	}
	return s.secretSources[namespace], err
}

// ForRule implements Facts.
func (s *State) ForRule(string) Facts { return s }

// CheckObjects implements Facts. Objects that Kubernetes creates in every cluster or namespace exist, too.
func (s *State) CheckObjects(namespace string, queries []ObjectQuery) map[ObjectRef]ObjectStatus {
	out := map[ObjectRef]ObjectStatus{}
	for _, q := range queries {
		keys, ok := s.objects[inNamespace(q.ObjectRef, namespace)]
		if !ok {
			keys, ok = builtIn[q.ObjectRef]
		}
		out[q.ObjectRef] = ObjectStatus{Exists: ok, Keys: keys}
		if !ok && !s.Complete {
			out[q.ObjectRef] = ObjectStatus{Err: fmt.Errorf("it is %w", errNotGiven)}
		}
	}
	return out
}

// builtIn are objects that Kubernetes creates, and their keys.
var builtIn = map[ObjectRef]sets.Set[string]{
	{PriorityClass, "system-node-critical"}: nil, {PriorityClass, "system-cluster-critical"}: nil,
	{ConfigMap, "kube-root-ca.crt"}: sets.New("ca.crt"), {ServiceAccount, "default"}: nil,
}

// namespacedRef names an object and its namespace, which is empty for a kind that is not namespaced.
type namespacedRef struct {
	ObjectRef
	namespace string
}

func inNamespace(o ObjectRef, namespace string) namespacedRef {
	if o.Kind == PriorityClass {
		namespace = ""
	}
	return namespacedRef{o, namespace}
}

// addRef records that an object exists, and the names of its keys. It drops the values, which should not stay in memory.
func (s *State) addRef(o ObjectRef, namespace string, manifest []byte) error {
	var object struct {
		Data       map[string]any    `json:"data"`
		StringData map[string]any    `json:"stringData"`
		BinaryData map[string]any    `json:"binaryData"`
		Type       corev1.SecretType `json:"type"`
	}
	if err := yaml.Unmarshal(manifest, &object); err != nil {
		return err
	}
	if s.objects == nil {
		s.objects = map[namespacedRef]sets.Set[string]{}
	}
	keys := sets.KeySet(object.Data).Union(sets.KeySet(object.StringData)).Union(sets.KeySet(object.BinaryData))
	if object.Type == corev1.SecretTypeServiceAccountToken {
		keys.Insert("token", "ca.crt", "namespace") // Kubernetes adds them
	}
	s.objects[inNamespace(o, namespace)] = keys
	return nil
}
