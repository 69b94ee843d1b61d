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

// The API server refuses a pod with a container that does not set a resource which a quota of the namespace counts, and a pod whose
// resources violate a LimitRange or contradict each other. For Argo that is final: the step ends in Error at once.
//
// Looks at: the pods of the Workflow, against the ResourceQuotas and LimitRanges of the namespace.
// Allows: amounts above the quota, which only make a pod wait; quotas on anything but cpu and memory; pods with a patch that is known
// only at run time. Warns where the step may not run, where the run may go on without it, and where it depends on the order of several
// LimitRanges.
var workflowQuotaCompute = Rule[WorkflowForecast]{
	ID:          WorkflowQuotaCompute,
	Summary:     "A Workflow's pods have resources that a quota or a LimitRange of the namespace does not let in.",
	DefaultMode: Deny,
	Judge: func(subject WorkflowForecast, facts Facts) []Finding {
		if len(subject.Forecast.Pods) == 0 {
			return nil
		}
		limits, out := readNamespaceLimits(subject.Workflow.Namespace, subject.Forecast.Pods, facts)
		r := workflowQuota{namespaceLimits: limits, namespace: subject.Workflow.Namespace}
		for i := range subject.Forecast.Pods {
			r.judge(&subject.Forecast.Pods[i])
		}
		return append(out, r.findings()...)
	},
}

// workflowQuota gathers the violations of a Workflow's pods.
type workflowQuota struct {
	namespaceLimits
	namespace string
	groups    []violationGroup
}

// violationGroup is a violation that several pods share.
type violationGroup struct {
	quota.Violation
	certainty  Certainty
	first      *forecast.Pod
	containers orderedSet
	steps      orderedSet
}

// judge adds the violations of a pod.
func (r *workflowQuota) judge(pod *forecast.Pod) {
	if pod.Unknown != "" {
		return // the pod's resources are unknown
	}
	spec := withPlaceholders(pod)
	enforced := r.enforced.Evaluate(spec)
	desired := enforced
	if r.syncing {
		desired = r.desired.Evaluate(spec)
	}
	refused := enforced.CertainFor(func(v quota.Violation) bool { return r.certain(v, pod) })
	for _, violation := range desired.Violations {
		certainty := pod.Origin.EndsRun
		alreadyRefused := slices.ContainsFunc(enforced.Violations, func(v quota.Violation) bool {
			// A quota that will require more values refuses the pod already if it requires any now.
			return v.Equal(violation) || v.Stage == quota.ResourceQuota && violation.Stage == v.Stage && v.Object == violation.Object
		})
		if !refused || !alreadyRefused || !r.certain(violation, pod) {
			certainty = min(certainty, Possible)
		}
		if violation.Stage != quota.ResourceQuota && len(pod.RuntimeResources) > 0 {
			continue // the amounts are unknown
		}
		r.add(violation, certainty, pod)
	}
}

// add adds a violation to its group. All violations of one quota are one group, whatever each pod lacks, because they have one fix.
func (r *workflowQuota) add(violation quota.Violation, certainty Certainty, pod *forecast.Pod) {
	if violation.Stage == quota.Validation && violation.Container != "" {
		// The index of a container that has a name makes no difference to the user.
		if _, reason, ok := strings.Cut(violation.Message, ": "); ok {
			violation.Message = reason
		}
	}
	i := slices.IndexFunc(r.groups, func(g violationGroup) bool {
		if g.Stage != violation.Stage || g.Object != violation.Object {
			return false
		}
		return g.Stage == quota.ResourceQuota ||
			g.Resource == violation.Resource && g.Defaulted == violation.Defaulted && g.Message == violation.Message
	})
	if i < 0 {
		i = len(r.groups)
		r.groups = append(r.groups, violationGroup{Violation: violation, first: pod})
	}
	g := &r.groups[i]
	if certainty > g.certainty {
		g.certainty, g.first, g.Message = certainty, pod, violation.Message
	}
	g.Missing = mergeMissing(g.Missing, violation.Missing)
	if violation.Container != "" {
		g.containers.add(violation.Container)
	}
	g.containers.add(containersOf(violation.Missing)...)
	g.steps.add(pod.Origin.Steps...)
}

func (r *workflowQuota) findings() []Finding {
	var out []Finding
	for i, g := range r.groups {
		if i == maxFindings {
			return append(out, unchecked(WorkflowQuotaCompute, "spec",
				"%d more violations of quotas and LimitRanges are not listed", len(r.groups)-i))
		}
		out = append(out, g.finding(r.namespace))
	}
	return out
}

func (g violationGroup) finding(namespace string) Finding {
	f := Finding{
		Rule: WorkflowQuotaCompute, Certainty: g.certainty,
		Type: metav1.CauseTypeFieldValueInvalid, Field: g.first.Origin.Path.String(),
	}
	f.Pod = g.first.DryRun(withPlaceholders(g.first))
	steps := len(g.steps.list)
	f.Outcome = fmt.Sprintf("The API server refuses the %s: '%s'", verb(steps, "pod", "pods"), g.Message)
	if g.certainty == Possible {
		f.Outcome = fmt.Sprintf("If such a step runs, the API server may refuse its pod: '%s'", g.Message)
	}
	where := fmt.Sprintf("%s of %s", g.containerNames(), plural("step", g.steps.list))
	switch g.Stage {
	case quota.ResourceQuota:
		names, defaultsField := resourceNames(g.Missing)
		f.Fix = g.fixMissing(namespace, defaultsField)
		f.Problem = fmt.Sprintf("%s %s no %s", capitalize(where), verb(len(g.containers.list), "sets", "set"), strings.Join(names, " or "))
	case quota.LimitRanger:
		f.Fix = fmt.Sprintf("%s that LimitRange '%s' in namespace '%s' allows, or change the LimitRange",
			g.setResources("resources"), g.Object, namespace)
		f.Problem = "It does not allow those of " + where
		if g.Defaulted {
			f.Problem += ", which come from a LimitRange"
		}
	case quota.Validation:
		if g.Resource == "" {
			f.Fix = "correct the podSpecPatch that leaves no valid container in the pod of " + plural("step", g.steps.list)
			break
		}
		f.Fix = fmt.Sprintf("correct the requests or limits of %s%s", where, g.inConfigMap())
		if g.Defaulted {
			f.Fix = fmt.Sprintf("set the %s limit of %s, too%s", g.Resource, where, g.inConfigMap())
			f.Problem = "It comes from a LimitRange of the namespace"
		}
	}
	return f
}

// containerNames lists the containers and says which of them Argo adds. Without containers, the violation is about the pod.
func (g violationGroup) containerNames() string {
	var argo, authors []string
	for _, c := range g.containers.list {
		if slices.Contains(g.first.ArgoContainers, c) {
			argo = append(argo, c)
		} else {
			authors = append(authors, c)
		}
	}
	switch {
	case len(argo)+len(authors) == 0:
		return "the pod"
	case len(argo) == 0:
		return plural("container", authors)
	case len(authors) == 0:
		return "Argo's " + plural("container", argo)
	}
	return fmt.Sprintf("%s and Argo's %s", plural("container", authors), shortList(argo, stepsLength))
}

// authorContainers returns the containers whose resources the author of the Workflow can set.
func (g violationGroup) authorContainers() []string {
	return slices.DeleteFunc(slices.Clone(g.containers.list), func(c string) bool { return slices.Contains(g.first.ArgoContainers, c) })
}

// onlyArgoContainers reports whether the author can set the resources of none of the containers.
func (g violationGroup) onlyArgoContainers() bool {
	return len(g.containers.list) > 0 && len(g.authorContainers()) == 0
}

// setResources tells where to set resources.
func (g violationGroup) setResources(resources string) string {
	if g.onlyArgoContainers() {
		return "set in executor.resources of the workflow-controller's ConfigMap " + resources
	}
	return "set " + resources
}

// inConfigMap returns, after a comma, where to set resources that the author can't set; empty if the author can set some.
func (g violationGroup) inConfigMap() string {
	if g.onlyArgoContainers() {
		return ", in executor.resources of the workflow-controller's ConfigMap"
	}
	return ""
}

// fixMissing tells how to give the containers values. Authors can set those of their own containers only.
func (g violationGroup) fixMissing(namespace, defaultsField string) string {
	authors := g.authorContainers()
	limitRange := fmt.Sprintf("add a LimitRange with %s for %s to namespace '%s'", defaultsField, inWords(computeNames(g.Missing)), namespace)
	switch {
	case len(authors) == 0:
		return limitRange + ", or set executor.resources in the workflow-controller's ConfigMap"
	case len(authors) == len(g.containers.list):
		return fmt.Sprintf("set the resources of %s, or %s", plural("container", authors), limitRange)
	}
	return limitRange
}
