package webhook

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/version"
	apiversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// clusterFacts reads facts from the API server, and remembers them for a few seconds. What is said about an object never stands on
// memory. That a Secret, or something else that a pod needs, is not there is not even remembered: it would only have to be asked again.
type clusterFacts struct {
	client  rest.Interface
	config  Config
	metrics *metrics
	log     logr.Logger
	memory  *cache
	// flights are the lookups under way, and calls bounds how many of them the API server sees at once.
	flights lookupGroup
	calls   *semaphore.Weighted
}

// callsAtOnce bounds the lookups that are under way for all reviews together.
const callsAtOnce = 64

func newClusterFacts(client rest.Interface, config Config, metrics *metrics, log logr.Logger) *clusterFacts {
	return &clusterFacts{
		client: client, config: config, metrics: metrics, log: log,
		memory: newCache(config.Lookups.Remember.Duration), calls: semaphore.NewWeighted(callsAtOnce),
	}
}

// open returns the facts for one judgement, which ends with ctx.
func (c *clusterFacts) open(ctx context.Context) *judgementFacts {
	return &judgementFacts{clusterFacts: c, ctx: ctx, results: map[string]*result{}, told: map[string]bool{}}
}

// judgementFacts are the validators.Facts of one judgement. They hold the context, which the rules know nothing of.
type judgementFacts struct {
	*clusterFacts
	ctx context.Context
	// live says that no answer may be older than the judgement.
	live bool
	// rule is the one that asks; empty for all.
	rule string

	lock  sync.Mutex
	results map[string]*result // what was asked already gets the same answer again, whatever it was
	told  map[string]bool   // failures that were counted
}

// Asking implements validators.Attentive.
func (j *judgementFacts) Asking(rule string) { j.rule = rule }

// result is the answer to a question within a judgement.
type result struct {
	lookup
	key    string
	once   sync.Once
	answer any
	err    error
	// maybeStale says that the answer may be older than the judgement.
	maybeStale bool
	// rules are those for whose sake it was asked; empty for all.
	rules []string
}

// maxAsked bounds the questions of one judgement. A Workflow with more names nothing that anybody would run.
const maxAsked = 1000

// ask answers a question, each once. The error is notThere, or has words for the user.
func (j *judgementFacts) ask(q lookup) (any, error) {
	key := q.key()
	j.lock.Lock()
	r, ok := j.results[key]
	if !ok && len(j.results) == maxAsked {
		j.lock.Unlock()
		return nil, j.failed(q.resource, errTooMany)
	}
	if !ok {
		r = &result{lookup: q, key: key}
		j.results[key] = r
	}
	if !slices.Contains(r.rules, j.rule) {
		r.rules = append(r.rules, j.rule)
	}
	j.lock.Unlock()
	r.once.Do(func() { j.find(r) })
	return r.answer, r.err
}

// find finds the answer: from memory, by sharing a lookup that is under way, or by a lookup of its own. For a live judgement none is
// older than itself. Others' failures are not ours while there is time left.
func (j *judgementFacts) find(r *result) {
	found, older, err := fact{}, false, j.ctx.Err() // without time left, nothing is begun
	if err == nil && !j.live {
		found, older = j.memory.get(r.key)
		err = found.absent
	}
	if err == nil && !older {
		var shared bool
		found, shared, err = j.share(r.lookup, j.live)
		if shared && err != nil && !isNotFound(err) && j.ctx.Err() == nil {
			found, shared, err = j.share(r.lookup, true)
		}
		older = shared && !j.live
	}
	if err != nil && !isNotFound(err) {
		err = j.failed(r.resource, err)
	}
	r.answer, r.err, r.maybeStale = found.answer, err, older
}

// refresh makes the judgement a live one. What may be older is asked again, all of it together, if what these rules have found may stand on
// it. It reports whether an answer is another one now.
func (j *judgementFacts) refresh(rules []string) (changed bool) {
	j.live = true
	var others atomic.Bool
	var group errgroup.Group
	group.SetLimit(looksAtOnce)
	for _, r := range j.results {
		if !r.maybeStale || !slices.Contains(r.rules, "") && !slices.ContainsFunc(r.rules, func(rule string) bool { return slices.Contains(rules, rule) }) {
			continue
		}
		if r.err == nil && r.satisfied != nil && r.satisfied(r.answer) {
			continue
		}
		group.Go(func() error {
			answer, err := r.answer, r.err
			j.find(r)
			if (err == nil) != (r.err == nil) || r.err != nil && !isNotFound(r.err) || !reflect.DeepEqual(answer, r.answer) {
				others.Store(true)
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	return others.Load()
}

// share waits for a lookup, which others may wait for too.
func (j *judgementFacts) share(q lookup, fresh bool) (found fact, shared bool, err error) {
	return j.flights.do(j.ctx, q.key(), fresh, func(ctx context.Context) (fact, error) {
		// Others may have more time left than this review.
		ctx, cancel := context.WithTimeout(ctx, j.config.Lookups.Timeout.Duration)
		defer cancel()
		found, err := j.lookup(ctx, q)
		if err == nil {
			j.memory.keep(q.key(), found)
		} else if q.whole && isNotFound(err) {
			j.memory.keep(q.key(), fact{absent: err})
		}
		return found, err
	})
}

// failed counts and logs a lookup that gave no answer, and puts it into words for the user. What a judgement asks after its time is
// up is said once.
func (j *judgementFacts) failed(resource string, err error) error {
	failure := newLookupError(err)
	j.lock.Lock()
	told := j.told[resource+failure.reason]
	j.told[resource+failure.reason] = true
	j.lock.Unlock()
	if !told || j.ctx.Err() == nil {
		j.metrics.lookupErrors.WithLabelValues(resource, failure.reason).Inc()
		j.log.Error(err, "a lookup gave no answer", "resource", resource, "reason", failure.reason)
	}
	return failure
}

// ControllerConfig reads the configuration of the workflow-controller that runs the Workflows of an instance ID.
func (j *judgementFacts) ControllerConfig(instanceID string) (forecast.ControllerConfig, error) {
	at, ok := j.config.Argo.of(instanceID)
	if !ok {
		return forecast.ControllerConfig{}, fmt.Errorf("the workflow-controller with instance ID '%.63s' is not in kfp-preflight's configuration, argo.instances", instanceID)
	}
	found, err := object(j, core("ConfigMap"), "configmaps", at.Namespace, at.ConfigMap, func(raw []byte) (*controllerFact, error) {
		cm, err := plain[corev1.ConfigMap](raw)
		if err != nil {
			return nil, err
		}
		controller, err := forecast.ParseControllerConfig(cm.Data)
		controller.Namespace = at.Namespace
		return &controllerFact{controller, err}, nil
	})
	switch {
	case err != nil:
		return forecast.ControllerConfig{}, err
	case found == nil:
		return forecast.ControllerConfig{}, fmt.Errorf("the workflow-controller's ConfigMap '%s' in namespace '%s': %w", at.ConfigMap, at.Namespace, forecast.ErrConfigNotFound)
	case found.err != nil:
		j.metrics.lookupErrors.WithLabelValues("configmaps", "unreadable").Inc()
		j.log.Error(found.err, "the workflow-controller's ConfigMap could not be understood", "namespace", at.Namespace, "name", at.ConfigMap)
		return forecast.ControllerConfig{}, fmt.Errorf("the workflow-controller's ConfigMap '%s' in namespace '%s' could not be understood", at.ConfigMap, at.Namespace)
	}
	return found.ControllerConfig, nil
}

// controllerFact is the configuration of a workflow-controller, or why it is none.
type controllerFact struct {
	forecast.ControllerConfig
	err error
}

// ConfigMap reads a ConfigMap.
func (j *judgementFacts) ConfigMap(namespace, name string) (*corev1.ConfigMap, error) {
	return object(j, core("ConfigMap"), "configmaps", namespace, name, plain[corev1.ConfigMap])
}

// ServiceAccount reads a ServiceAccount.
func (j *judgementFacts) ServiceAccount(namespace, name string) (*corev1.ServiceAccount, error) {
	return object(j, core("ServiceAccount"), "serviceaccounts", namespace, name, plain[corev1.ServiceAccount])
}

// WorkflowTemplate reads a WorkflowTemplate.
func (j *judgementFacts) WorkflowTemplate(namespace, name string) (*wfv1.WorkflowTemplate, error) {
	return object(j, argo("WorkflowTemplate"), "workflowtemplates", namespace, name, forecast.Decode[wfv1.WorkflowTemplate])
}

// ClusterWorkflowTemplate reads a ClusterWorkflowTemplate.
func (j *judgementFacts) ClusterWorkflowTemplate(name string) (*wfv1.ClusterWorkflowTemplate, error) {
	return object(j, argo("ClusterWorkflowTemplate"), "clusterworkflowtemplates", "", name, forecast.Decode[wfv1.ClusterWorkflowTemplate])
}

func core(kind string) metav1.TypeMeta { return metav1.TypeMeta{APIVersion: "v1", Kind: kind} }

func argo(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: "argoproj.io/v1alpha1", Kind: kind}
}

// plain decodes an object that has nothing to it.
func plain[T any](raw []byte) (*T, error) {
	out := new(T)
	return out, kjson.Unmarshal(raw, out)
}

// object reads an object as a whole; nil if there is none.
func object[T any](j *judgementFacts, kind metav1.TypeMeta, resource, namespace, name string, decode func([]byte) (*T, error)) (*T, error) {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return nil, nil // nothing can be called that
	}
	found, err := j.ask(lookup{
		resource: resource, path: apiPath(kind, namespace, resource, name), form: fmt.Sprintf("%T", (*T)(nil)), kind: kind, name: name, whole: true,
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

// LimitRanges lists the LimitRanges of a namespace.
func (j *judgementFacts) LimitRanges(namespace string) ([]corev1.LimitRange, error) {
	found, err := listIn[corev1.LimitRangeList](j, core("LimitRange"), "limitranges", namespace)
	if err != nil {
		return nil, fmt.Errorf("the LimitRanges of namespace '%s' could not be read: %w", namespace, err)
	}
	return found.Items, nil
}

// ResourceQuotas lists the ResourceQuotas of a namespace.
func (j *judgementFacts) ResourceQuotas(namespace string) ([]corev1.ResourceQuota, error) {
	found, err := listIn[corev1.ResourceQuotaList](j, core("ResourceQuota"), "resourcequotas", namespace)
	if err != nil {
		return nil, fmt.Errorf("the ResourceQuotas of namespace '%s' could not be read: %w", namespace, err)
	}
	return found.Items, nil
}

// PriorityClasses lists the PriorityClasses of the cluster.
func (j *judgementFacts) PriorityClasses() ([]schedulingv1.PriorityClass, error) {
	kind := metav1.TypeMeta{APIVersion: "scheduling.k8s.io/v1", Kind: validators.PriorityClass}
	found, err := list[schedulingv1.PriorityClassList](j, kind, "priorityclasses", "")
	if err != nil {
		return nil, fmt.Errorf("the PriorityClasses could not be read: %w", err)
	}
	return found.Items, nil
}

// listIn reads all objects of a kind in a namespace. A name that can't be one would lead elsewhere.
func listIn[T any](j *judgementFacts, kind metav1.TypeMeta, resource, namespace string) (*T, error) {
	if len(validation.IsDNS1123Label(namespace)) > 0 {
		return nil, errors.New("no namespace can be called that")
	}
	return list[T](j, kind, resource, namespace)
}

// list reads all objects of a kind.
func list[T any](j *judgementFacts, kind metav1.TypeMeta, resource, namespace string) (*T, error) {
	path := apiPath(kind, namespace, resource)
	kind.Kind += "List"
	found, err := j.ask(lookup{
		resource: resource, path: path, form: "list", kind: kind, whole: true,
		decode: func(raw []byte) (any, error) { return plain[T](raw) },
	})
	switch {
	case isNotFound(err):
		return nil, errors.New("the API server does not know such objects")
	case err != nil:
		return nil, err
	}
	return found.(*T), nil
}

// ServerVersion asks the API server for its version.
func (j *judgementFacts) ServerVersion() (string, error) {
	found, err := j.ask(lookup{resource: "version", path: []string{"version"}, decode: func(raw []byte) (any, error) {
		info, err := plain[apiversion.Info](raw)
		if err == nil {
			_, err = version.ParseGeneric(info.GitVersion)
		}
		return info.GitVersion, err
	}})
	if err != nil {
		return "", fmt.Errorf("the version of Kubernetes could not be found out: %w", err)
	}
	return found.(string), nil
}
