package webhook

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
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
	memory  *memory
	metrics *metrics
	log     logr.Logger
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

// recall returns what is remembered under key, unless the judgement wants live facts.
func (j *judgementFacts) recall(key string) (any, bool) {
	if j.freshness == live {
		return nil, false
	}
	value, ok := j.memory.get(key)
	if ok {
		j.lock.Lock()
		j.fromMemory = true
		j.lock.Unlock()
	}
	return value, ok
}

// Controller reads the configuration of the workflow-controller.
func (j *judgementFacts) Controller() (forecast.Controller, error) {
	const key = "controller"
	if value, ok := j.recall(key); ok {
		return value.(forecast.Controller), nil
	}
	namespace, name := j.config.ArgoNamespace, j.config.ArgoConfigMap
	var cm *corev1.ConfigMap
	err := j.lookup("configmaps", func() (err error) {
		cm, err = j.client.ConfigMaps(namespace).Get(j.ctx, name, metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		err = fmt.Errorf("it was not found")
	}
	if err != nil {
		return forecast.Controller{}, fmt.Errorf("the workflow-controller's ConfigMap '%s' in namespace '%s' could not be read: %w", name, namespace, err)
	}
	controller, err := forecast.ParseController(cm.Data)
	if err != nil {
		j.metrics.lookupErrors.WithLabelValues("configmaps", "unreadable").Inc()
		return forecast.Controller{}, fmt.Errorf("the workflow-controller's ConfigMap '%s' in namespace '%s' could not be understood: %w", name, namespace, err)
	}
	j.memory.keep(key, controller)
	return controller, nil
}

// LimitRanges lists the LimitRanges of a namespace.
func (j *judgementFacts) LimitRanges(namespace string) ([]corev1.LimitRange, error) {
	key := "limitranges/" + namespace
	if value, ok := j.recall(key); ok {
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
		j.memory.keep(key, list.Items)
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
	key := "secrets/" + namespace + "/" + name
	if value, ok := j.recall(key); ok {
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
	j.memory.keep(key, keys)
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
