package webhook

import (
	"context"
	"fmt"
	"sync"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// freshness says whether facts may come from memory.
type freshness int

const (
	// remembered facts are good enough to let an object in.
	remembered freshness = iota
	// live facts are read now. A denial stands on these.
	live
)

// clusterFacts reads facts from the API server, and remembers what is there for a few seconds. What is not there is
// never remembered.
type clusterFacts struct {
	client  corev1client.CoreV1Interface
	config  Config
	metrics *metrics
	log     logr.Logger
	// secrets remembers the names of Secrets' keys, objects everything else.
	secrets, objects *memory
}

func newClusterFacts(client corev1client.CoreV1Interface, config Config, metrics *metrics, log logr.Logger) *clusterFacts {
	return &clusterFacts{
		client: client, config: config, metrics: metrics, log: log,
		secrets: newMemory(secretsKept, config.Remember), objects: newMemory(objectsKept, config.Remember),
	}
}

// open returns the facts for one judgement, which ends with ctx.
func (c *clusterFacts) open(ctx context.Context, f freshness) *judgementFacts {
	return &judgementFacts{clusterFacts: c, ctx: ctx, freshness: f}
}

// judgementFacts are the validators.Facts of one judgement. They hold the context, which the rules know nothing of.
type judgementFacts struct {
	*clusterFacts
	ctx       context.Context
	freshness freshness

	lock       sync.Mutex
	fromMemory bool
}

// usedMemory reports whether an answer came from memory.
func (j *judgementFacts) usedMemory() bool {
	j.lock.Lock()
	defer j.lock.Unlock()
	return j.fromMemory
}

// recall returns what a memory has under key, unless the judgement wants live facts.
func (j *judgementFacts) recall(m *memory, key string) (any, bool) {
	if j.freshness == live {
		return nil, false
	}
	value, ok := m.get(key)
	if ok {
		j.lock.Lock()
		j.fromMemory = true
		j.lock.Unlock()
	}
	return value, ok
}

// Controller reads the configuration of the workflow-controller.
func (j *judgementFacts) Controller() (forecast.Controller, error) {
	namespace, name := j.config.ArgoNamespace, j.config.ArgoConfigMap
	cm, err := j.ConfigMap(namespace, name)
	if err != nil {
		return forecast.Controller{}, err
	}
	if cm == nil {
		return forecast.Controller{}, fmt.Errorf("the workflow-controller's ConfigMap '%s' in namespace '%s': %w", name, namespace, forecast.ErrNoConfiguration)
	}
	controller, err := forecast.ParseController(cm.Data)
	if err != nil {
		j.metrics.lookupErrors.WithLabelValues("configmaps", "unreadable").Inc()
		j.log.Error(err, "the workflow-controller's ConfigMap could not be understood", "namespace", namespace, "name", name)
		return forecast.Controller{}, fmt.Errorf("the workflow-controller's ConfigMap '%s' in namespace '%s' could not be understood", name, namespace)
	}
	controller.Namespace = namespace
	return controller, nil
}

// ConfigMap reads a ConfigMap.
func (j *judgementFacts) ConfigMap(namespace, name string) (*corev1.ConfigMap, error) {
	return object(j, "ConfigMap", "configmaps", namespace, name, func() (*corev1.ConfigMap, error) {
		return j.client.ConfigMaps(namespace).Get(j.ctx, name, metav1.GetOptions{})
	})
}

// ServiceAccount reads a ServiceAccount.
func (j *judgementFacts) ServiceAccount(namespace, name string) (*corev1.ServiceAccount, error) {
	return object(j, "ServiceAccount", "serviceaccounts", namespace, name, func() (*corev1.ServiceAccount, error) {
		return j.client.ServiceAccounts(namespace).Get(j.ctx, name, metav1.GetOptions{})
	})
}

// WorkflowTemplate reads a WorkflowTemplate.
func (j *judgementFacts) WorkflowTemplate(namespace, name string) (*wfv1.WorkflowTemplate, error) {
	return object(j, "WorkflowTemplate", "workflowtemplates", namespace, name, func() (*wfv1.WorkflowTemplate, error) {
		return argoObject[wfv1.WorkflowTemplate](j, "namespaces", namespace, "workflowtemplates", name)
	})
}

// ClusterWorkflowTemplate reads a ClusterWorkflowTemplate.
func (j *judgementFacts) ClusterWorkflowTemplate(name string) (*wfv1.ClusterWorkflowTemplate, error) {
	return object(j, "ClusterWorkflowTemplate", "clusterworkflowtemplates", "", name, func() (*wfv1.ClusterWorkflowTemplate, error) {
		return argoObject[wfv1.ClusterWorkflowTemplate](j, "clusterworkflowtemplates", name)
	})
}

// argoObject reads an object of Argo's API, for which there is no typed client that would be worth its weight.
func argoObject[T wfv1.WorkflowTemplate | wfv1.ClusterWorkflowTemplate](j *judgementFacts, path ...string) (*T, error) {
	raw, err := j.client.RESTClient().Get().AbsPath(append([]string{"apis", "argoproj.io", "v1alpha1"}, path...)...).DoRaw(j.ctx)
	if err != nil {
		return nil, err
	}
	out, err := forecast.Decode[T](raw)
	if err != nil {
		return nil, fmt.Errorf("it could not be understood: %w", err)
	}
	return out, nil
}

// object returns an object from memory, or reads it and remembers it; nil if there is none.
func object[T any](j *judgementFacts, kind, resource, namespace, name string, read func() (*T, error)) (*T, error) {
	key := resource + "/" + namespace + "/" + name
	if value, ok := j.recall(j.objects, key); ok {
		return value.(*T), nil
	}
	var found *T
	err := j.lookup(resource, func() (err error) {
		found, err = read()
		return err
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		where := ""
		if namespace != "" {
			where = fmt.Sprintf(" in namespace '%s'", namespace)
		}
		return nil, fmt.Errorf("%s '%s'%s could not be read: %w", kind, name, where, err)
	}
	j.objects.keep(key, found)
	return found, nil
}

// LimitRanges lists the LimitRanges of a namespace.
func (j *judgementFacts) LimitRanges(namespace string) ([]corev1.LimitRange, error) {
	key := "limitranges/" + namespace
	if value, ok := j.recall(j.objects, key); ok {
		return value.([]corev1.LimitRange), nil
	}
	var list *corev1.LimitRangeList
	if err := j.lookup("limitranges", func() (err error) {
		list, err = j.client.LimitRanges(namespace).List(j.ctx, metav1.ListOptions{})
		return err
	}); err != nil {
		return nil, fmt.Errorf("the LimitRanges of namespace '%s' could not be read: %w", namespace, err)
	}
	if len(list.Items) > 0 {
		j.objects.keep(key, list.Items)
	}
	return list.Items, nil
}

// secretsAtOnce bounds how many Secrets one review looks up at the same time.
const secretsAtOnce = 8

// Secrets looks up Secrets in parallel.
func (j *judgementFacts) Secrets(namespace string, names []string) map[string]validators.Secret {
	out := make(map[string]validators.Secret, len(names))
	var lock sync.Mutex
	var group errgroup.Group
	group.SetLimit(secretsAtOnce)
	for _, name := range names {
		group.Go(func() error {
			secret := j.secret(namespace, name)
			lock.Lock()
			defer lock.Unlock()
			out[name] = secret
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	return out
}

func (j *judgementFacts) secret(namespace, name string) validators.Secret {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return validators.Secret{} // no Secret can be called that
	}
	key := namespace + "/" + name
	if value, ok := j.recall(j.secrets, key); ok {
		return validators.Secret{Exists: true, Keys: value.(sets.Set[string])}
	}
	var keys sets.Set[string]
	err := j.lookup("secrets", func() error {
		secret, err := j.client.Secrets(namespace).Get(j.ctx, name, metav1.GetOptions{})
		if err == nil {
			keys = keyNames(secret)
		}
		return err
	})
	switch {
	case apierrors.IsNotFound(err):
		return validators.Secret{}
	case err != nil:
		return validators.Secret{Err: err}
	}
	j.secrets.keep(key, keys)
	return validators.Secret{Exists: true, Keys: keys}
}

// keyNames returns what the keys of a Secret are called and wipes the values.
func keyNames(secret *corev1.Secret) sets.Set[string] {
	names := sets.New[string]()
	for name, value := range secret.Data {
		names.Insert(name)
		clear(value)
	}
	secret.Data = nil
	return names
}

// lookup does one read and counts it. A failure comes back in words for the user; "not found" comes back as it is,
// because it is an answer.
func (j *judgementFacts) lookup(resource string, read func() error) error {
	if err := j.ctx.Err(); err != nil {
		return j.failed(resource, err)
	}
	err := read()
	if err == nil || apierrors.IsNotFound(err) {
		return err
	}
	return j.failed(resource, err)
}

func (j *judgementFacts) failed(resource string, err error) error {
	failure := newLookupError(err)
	j.metrics.lookupErrors.WithLabelValues(resource, failure.reason).Inc()
	j.log.Error(err, "a lookup gave no answer", "resource", resource, "reason", failure.reason)
	return failure
}
