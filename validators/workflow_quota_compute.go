package validators

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
	"github.com/kfp-preflight/kfp-preflight/validators/quota"
)

// WorkflowQuotaCompute is the ID of the rule in this file.
const WorkflowQuotaCompute = "workflow-quota-compute"

// The API server refuses a pod with a container that doesn't name what a quota of the namespace counts, and one whose
// resources a LimitRange does not allow or that contradict each other. Argo takes that for final: the step errs at once.
//
// Looks at: the pods that the Workflow leads to, against the ResourceQuotas and LimitRanges of the namespace as they are.
// Passes: amounts, which make a pod wait at the most; quotas on anything but cpu and memory; pods with a patch that exists only
// at run time. A warning where the step may not run, where the run may go on without it, or where it depends on which of several
// LimitRanges comes first.
var workflowQuotaCompute = Rule[WorkflowForecast]{
	ID:      WorkflowQuotaCompute,
	Summary: "A Workflow's pods have resources that a quota or a LimitRange of the namespace does not let in.",
	Judge: func(subject WorkflowForecast, facts Facts) []Finding {
		if len(subject.Forecast.Pods) == 0 {
			return nil
		}
		limits, out := readNamespaceLimits(subject.Workflow.Namespace, subject.Forecast.Pods, facts)
		r := workflowQuota{namespaceLimits: limits, of: subject.Workflow.Namespace}
		for i := range subject.Forecast.Pods {
			r.judge(&subject.Forecast.Pods[i])
		}
		return append(out, r.findings()...)
	},
}

// workflowQuota gathers what the API server holds against the pods of a Workflow.
type workflowQuota struct {
	namespaceLimits
	of       string // the namespace
	refusals []refusedPods
}

// refusedPods are the pods against which the API server holds the same thing.
type refusedPods struct {
	quota.Violation
	certainty  Certainty
	first      *forecast.Pod
	containers []string
	steps      []string
}

// judge adds what is held against a pod.
func (r *workflowQuota) judge(pod *forecast.Pod) {
	if pod.Unknown != "" {
		return // it may have anything
	}
	spec := withUndecided(pod)
	now := r.enforced.Decide(spec)
	soon := now
	if r.syncing {
		soon = r.desired.Decide(spec)
	}
	sure := now.CertainFor(func(refusal quota.Violation) bool { return r.certain(refusal, pod) })
	for _, refusal := range soon.Violations {
		certainty := pod.Origin.EndsRun
		stands := slices.ContainsFunc(now.Violations, func(o quota.Violation) bool {
			// A quota that is to ask for more refuses the pod already, if only for what it asks for now.
			return o.Is(refusal) || o.Gate == quota.ResourceQuota && refusal.Gate == o.Gate && o.Object == refusal.Object
		})
		if !sure || !stands || !r.certain(refusal, pod) {
			certainty = min(certainty, Possible)
		}
		if refusal.Gate != quota.ResourceQuota && len(pod.RuntimeResources) > 0 {
			continue // an amount that nobody knows yet
		}
		r.add(refusal, certainty, pod)
	}
}

func (r *workflowQuota) add(refusal quota.Violation, certainty Certainty, pod *forecast.Pod) {
	// Where a container stands in its pod is no difference for a reader.
	if refusal.Gate == quota.Validation {
		if _, reason, ok := strings.Cut(refusal.Message, ": "); ok {
			refusal.Message = reason
		}
	}
	i := slices.IndexFunc(r.refusals, func(p refusedPods) bool {
		return p.Gate == refusal.Gate && p.Object == refusal.Object && p.Resource == refusal.Resource && p.Defaulted == refusal.Defaulted && p.Message == refusal.Message
	})
	if i < 0 {
		i = len(r.refusals)
		r.refusals = append(r.refusals, refusedPods{Violation: refusal, first: pod})
	}
	p := &r.refusals[i]
	if certainty > p.certainty {
		p.certainty, p.first = certainty, pod
	}
	containers := []string{refusal.Container}
	for _, m := range refusal.Missing {
		containers = append(containers, m.Containers...)
	}
	for _, c := range containers {
		if c != "" && !slices.Contains(p.containers, c) {
			p.containers = append(p.containers, c)
		}
	}
	for _, s := range pod.Origin.Steps {
		if !slices.Contains(p.steps, s) {
			p.steps = append(p.steps, s)
		}
	}
}

// maxRefusals bounds the findings about one Workflow.
const maxRefusals = 20

func (r *workflowQuota) findings() []Finding {
	var out []Finding
	for i, p := range r.refusals {
		if i == maxRefusals {
			return append(out, unchecked(WorkflowQuotaCompute, "%d more things that the API server would hold against pods are not listed", len(r.refusals)-i))
		}
		out = append(out, p.finding(r.of))
	}
	return out
}

func (p refusedPods) finding(namespace string) Finding {
	f := Finding{
		Rule: WorkflowQuotaCompute, Certainty: p.certainty, Type: metav1.CauseTypeFieldValueInvalid, Field: p.first.Origin.Path.String(),
		Outcome: fmt.Sprintf("the API server would refuse the pod, and Argo end the step in error ('%s')", p.Message),
	}
	if p.certainty == Possible {
		f.Outcome = "if it comes to that, " + f.Outcome
	}
	steps, containers := plural("step", p.steps), plural("container", p.containers)
	switch p.Gate {
	case quota.ResourceQuota:
		names, defaults := countedNames(p.Missing)
		f.Problem = fmt.Sprintf("ResourceQuota '%s' of namespace '%s' counts %s, which %s of %s must set and don't%s",
			p.Object, namespace, inWords(names), containers, steps, p.whoAdds())
		f.Fix = "to fix, " + p.cure(namespace, defaults)
	case quota.LimitRanger:
		f.Problem = fmt.Sprintf("LimitRange '%s' of namespace '%s' does not allow the resources of %s of %s%s: %s", p.Object, namespace, p.what(), steps, p.whoAdds(), p.Message)
		f.Fix = fmt.Sprintf("to fix, set %s that the LimitRange allows, or change it", p.whose("resources"))
		if p.Defaulted {
			f.Fix += "; a LimitRange sets what the container does not"
		}
	case quota.Validation:
		f.Problem = fmt.Sprintf("the resources of %s of %s are not valid%s: %s: %s", p.what(), steps, p.whoAdds(), p.Resource, p.Message)
		f.Fix = "to fix, correct " + p.whose("the requests or the limits")
		if p.Defaulted {
			f.Fix = fmt.Sprintf("to fix, set %s too: it comes from a LimitRange of the namespace", p.whose("the limit of "+string(p.Resource)))
		}
	}
	return f
}

// what names the containers, or the pod.
func (p refusedPods) what() string {
	if len(p.containers) == 0 {
		return "the pod"
	}
	return plural("container", p.containers)
}

// authors are those of the containers whose resources the author of the Workflow can set.
func (p refusedPods) authors() []string {
	return slices.DeleteFunc(slices.Clone(p.containers), func(c string) bool { return slices.Contains(p.first.ArgoContainers, c) })
}

// whose says where resources are to be set if it is not the Workflow's author who does.
func (p refusedPods) whose(resources string) string {
	if len(p.containers) > 0 && len(p.authors()) == 0 {
		return "in executor.resources of the workflow-controller's ConfigMap " + resources
	}
	return resources
}

// whoAdds says which of the containers are not the author's.
func (p refusedPods) whoAdds() string {
	argo := slices.DeleteFunc(slices.Clone(p.containers), func(c string) bool { return !slices.Contains(p.first.ArgoContainers, c) })
	if len(argo) == 0 {
		return ""
	}
	return fmt.Sprintf(" (Argo adds %s)", inWords(argo))
}

// cure says what gives the containers their values. The author can set those of the author's own containers only.
func (p refusedPods) cure(namespace string, defaults string) string {
	authors := p.authors()
	limitRange := fmt.Sprintf("add a LimitRange with type Container and %s for %s to namespace '%s'", defaults, inWords(computeNames(p.Missing)), namespace)
	switch {
	case len(authors) == 0:
		return limitRange + ", or set executor.resources in the workflow-controller's ConfigMap"
	case len(authors) == len(p.containers):
		return fmt.Sprintf("set the resources of %s, or %s", inWords(authors), limitRange)
	}
	return fmt.Sprintf("%s, or set the resources of %s and, in the workflow-controller's ConfigMap, executor.resources", limitRange, inWords(authors))
}
