package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"github.com/go-logr/logr"
	"golang.org/x/sync/semaphore"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/version"
	apiversion "k8s.io/apimachinery/pkg/version"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

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
	// small remembers what objects exist and the names of their keys, large whole objects.
	small, large *memory
	// flights are the lookups under way, and calls bounds how many there are.
	flights flights
	calls   *semaphore.Weighted
}

// callsAtOnce bounds the lookups that are under way for all reviews together.
const callsAtOnce = 64

func newClusterFacts(client corev1client.CoreV1Interface, config Config, metrics *metrics, log logr.Logger) *clusterFacts {
	return &clusterFacts{
		client: client, config: config, metrics: metrics, log: log,
		small: newMemory(smallKept, config.Remember), large: newMemory(largeKept, config.Remember),
		calls: semaphore.NewWeighted(callsAtOnce),
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

	older atomic.Bool // an answer is older than the judgement
}

// usedMemory reports whether an answer may be older than the judgement.
func (j *judgementFacts) usedMemory() bool { return j.older.Load() }

// ask answers a question: from memory, by sharing a lookup that is under way, or by a lookup of its own. What is found is
// remembered under the question, which names the form of the answer besides the object. For a live judgement no answer is
// older than itself.
func (j *judgementFacts) ask(m *memory, resource, question string, read func(context.Context) (any, error)) (any, error) {
	if err := j.ctx.Err(); err != nil {
		return nil, j.failed(resource, err) // there is no time left to begin
	}
	if j.freshness != live {
		if answer, ok := m.get(question); ok {
			j.older.Store(true)
			return answer, nil
		}
	}
	answer, shared, err := j.flights.do(j.ctx, question, j.freshness == live, func() (answer any, err error) {
		defer func() {
			if p := recover(); p != nil {
				j.metrics.lookupErrors.WithLabelValues(resource, "panic").Inc()
				j.log.Error(fmt.Errorf("%v", p), "panic", "resource", resource, "stack", string(debug.Stack()))
				answer, err = nil, errBug
			}
		}()
		// Others may be waiting who have more time left than this review.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(j.ctx), j.config.LookupTimeout)
		defer cancel()
		if answer, err = j.lookup(ctx, resource, read); err == nil {
			m.keep(question, answer)
		}
		return answer, err
	})
	if shared && j.freshness != live {
		j.older.Store(true)
	}
	if err != nil && j.ctx.Err() != nil {
		return nil, j.failed(resource, j.ctx.Err())
	}
	return answer, err
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
	return object(j, "ConfigMap", "configmaps", namespace, name, func(ctx context.Context) (*corev1.ConfigMap, error) {
		return j.client.ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	})
}

// ServiceAccount reads a ServiceAccount.
func (j *judgementFacts) ServiceAccount(namespace, name string) (*corev1.ServiceAccount, error) {
	return object(j, "ServiceAccount", "serviceaccounts", namespace, name, func(ctx context.Context) (*corev1.ServiceAccount, error) {
		return j.client.ServiceAccounts(namespace).Get(ctx, name, metav1.GetOptions{})
	})
}

// WorkflowTemplate reads a WorkflowTemplate.
func (j *judgementFacts) WorkflowTemplate(namespace, name string) (*wfv1.WorkflowTemplate, error) {
	return object(j, "WorkflowTemplate", "workflowtemplates", namespace, name, func(ctx context.Context) (*wfv1.WorkflowTemplate, error) {
		return argoObject[wfv1.WorkflowTemplate](ctx, j, "namespaces", namespace, "workflowtemplates", name)
	})
}

// ClusterWorkflowTemplate reads a ClusterWorkflowTemplate.
func (j *judgementFacts) ClusterWorkflowTemplate(name string) (*wfv1.ClusterWorkflowTemplate, error) {
	return object(j, "ClusterWorkflowTemplate", "clusterworkflowtemplates", "", name, func(ctx context.Context) (*wfv1.ClusterWorkflowTemplate, error) {
		return argoObject[wfv1.ClusterWorkflowTemplate](ctx, j, "clusterworkflowtemplates", name)
	})
}

// argoObject reads an object of Argo's API, for which there is no typed client that would be worth its weight.
func argoObject[T wfv1.WorkflowTemplate | wfv1.ClusterWorkflowTemplate](ctx context.Context, j *judgementFacts, path ...string) (*T, error) {
	raw, err := body(j.client.RESTClient().Get().AbsPath(append([]string{"apis", "argoproj.io", "v1alpha1"}, path...)...).Do(ctx))
	if err != nil {
		return nil, err
	}
	out, err := forecast.Decode[T](raw)
	if err != nil {
		return nil, &unreadable{err}
	}
	return out, nil
}

// object reads an object as a whole; nil if there is none.
func object[T any](j *judgementFacts, kind, resource, namespace, name string, read func(context.Context) (*T, error)) (*T, error) {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return nil, nil // nothing can be called that
	}
	found, err := j.ask(j.large, resource, "whole:"+resource+"/"+namespace+"/"+name, func(ctx context.Context) (any, error) { return read(ctx) })
	switch {
	case notThere(err):
		return nil, nil
	case err != nil:
		where := ""
		if namespace != "" {
			where = fmt.Sprintf(" in namespace '%s'", namespace)
		}
		return nil, fmt.Errorf("%s '%s'%s could not be read: %w", kind, name, where, err)
	}
	return found.(*T), nil
}

// LimitRanges lists the LimitRanges of a namespace.
func (j *judgementFacts) LimitRanges(namespace string) ([]corev1.LimitRange, error) {
	found, err := list[corev1.LimitRangeList](j, "limitranges", "LimitRangeList", "api", "v1", "namespaces", namespace, "limitranges")
	if err != nil {
		return nil, fmt.Errorf("the LimitRanges of namespace '%s' could not be read: %w", namespace, err)
	}
	return found.Items, nil
}

// ResourceQuotas lists the ResourceQuotas of a namespace.
func (j *judgementFacts) ResourceQuotas(namespace string) ([]corev1.ResourceQuota, error) {
	found, err := list[corev1.ResourceQuotaList](j, "resourcequotas", "ResourceQuotaList", "api", "v1", "namespaces", namespace, "resourcequotas")
	if err != nil {
		return nil, fmt.Errorf("the ResourceQuotas of namespace '%s' could not be read: %w", namespace, err)
	}
	return found.Items, nil
}

// PriorityClasses lists the PriorityClasses of the cluster.
func (j *judgementFacts) PriorityClasses() ([]schedulingv1.PriorityClass, error) {
	found, err := list[schedulingv1.PriorityClassList](j, "priorityclasses", "PriorityClassList", "apis", "scheduling.k8s.io", "v1", "priorityclasses")
	if err != nil {
		return nil, fmt.Errorf("the PriorityClasses could not be read: %w", err)
	}
	return found.Items, nil
}

// list reads a list of the given kind. An empty one is remembered too: nobody is denied for what is not in it before it has been
// read again.
func list[T any](j *judgementFacts, resource, kind string, path ...string) (*T, error) {
	found, err := j.ask(j.large, resource, "list:"+strings.Join(path, "/"), func(ctx context.Context) (any, error) {
		raw, err := body(j.client.RESTClient().Get().AbsPath(path...).SetHeader("Accept", "application/json").Do(ctx))
		if err != nil {
			return nil, err
		}
		var meta metav1.TypeMeta
		out := new(T)
		if err := errors.Join(json.Unmarshal(raw, &meta), json.Unmarshal(raw, out)); err != nil {
			return nil, &unreadable{err}
		}
		if meta.Kind != kind {
			return nil, &unreadable{fmt.Errorf("the answer is of kind '%s', not %s", meta.Kind, kind)}
		}
		return out, nil
	})
	switch {
	case notThere(err):
		return nil, errors.New("the API server does not know such objects")
	case err != nil:
		return nil, err
	}
	return found.(*T), nil
}

// ServerVersion asks the API server for its version.
func (j *judgementFacts) ServerVersion() (string, error) {
	found, err := j.ask(j.small, "version", "version", func(ctx context.Context) (any, error) {
		raw, err := body(j.client.RESTClient().Get().AbsPath("/version").Do(ctx))
		if err != nil {
			return nil, err
		}
		var info apiversion.Info
		if err := json.Unmarshal(raw, &info); err != nil {
			return nil, &unreadable{err}
		}
		if _, err := version.ParseGeneric(info.GitVersion); err != nil {
			return nil, &unreadable{err}
		}
		return info.GitVersion, nil
	})
	if err != nil {
		return "", fmt.Errorf("the version of Kubernetes could not be found out: %w", err)
	}
	return found.(string), nil
}

// lookup does one read, again where that may help, and counts it. A failure comes back in words for the user; "not found"
// comes back as it is, because it is an answer.
func (j *judgementFacts) lookup(ctx context.Context, resource string, read func(context.Context) (any, error)) (any, error) {
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		answer, err := j.call(ctx, read)
		if err == nil || notThere(err) {
			return answer, err
		}
		if end, ok := ctx.Deadline(); !passing(err) || ok && time.Until(end) < 2*pause {
			return nil, j.failed(resource, err)
		}
		select {
		case <-ctx.Done():
			return nil, j.failed(resource, err)
		case <-time.After(pause):
		}
	}
}

// call does one read, when there is room for it.
func (j *judgementFacts) call(ctx context.Context, read func(context.Context) (any, error)) (any, error) {
	if err := j.calls.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer j.calls.Release(1)
	return read(ctx)
}

func (j *judgementFacts) failed(resource string, err error) error {
	failure := newLookupError(err)
	j.metrics.lookupErrors.WithLabelValues(resource, failure.reason).Inc()
	j.log.Error(err, "a lookup gave no answer", "resource", resource, "reason", failure.reason)
	return failure
}
