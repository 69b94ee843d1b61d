package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// printPodsText prints each Workflow as a tree of its steps and their pods.
func printPodsText(out, _ io.Writer, forecasts []workflowForecast) error {
	var text strings.Builder
	for i, f := range forecasts {
		if i > 0 {
			text.WriteString("\n")
		}
		fmt.Fprintf(&text, "Workflow %s in namespace %s (%s)\n", workflowName(f.workflow), f.workflow.Namespace, f.source)
		var root step
		for i := range f.Pods {
			root.add(&f.Pods[i])
		}
		root.print(&text, "")
		for _, g := range f.Gaps {
			fmt.Fprintf(&text, "? %s\n", gapText(g))
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// step is a step in the tree.
type step struct {
	name  string
	pods  []podDescription
	steps []*step
}

// podDescription describes pods of one step that have the same description.
type podDescription struct {
	lines []string
	count int
}

// add adds a pod to the first of its steps.
func (s *step) add(pod *forecast.Pod) {
	at := s
	for name := range strings.SplitSeq(pod.Origin.Steps[0], "/") {
		i := slices.IndexFunc(at.steps, func(s *step) bool { return s.name == name })
		if i < 0 {
			i = len(at.steps)
			at.steps = append(at.steps, &step{name: name})
		}
		at = at.steps[i]
	}
	lines := describePod(pod)
	for i := range at.pods {
		if slices.Equal(at.pods[i].lines, lines) {
			at.pods[i].count++
			return
		}
	}
	at.pods = append(at.pods, podDescription{lines, 1})
}

func (s *step) print(text *strings.Builder, indent string) {
	for i, child := range s.steps {
		branch, below := "├─ ", "│  "
		if i == len(s.steps)-1 {
			branch, below = "└─ ", "   "
		}
		fmt.Fprintf(text, "%s%s%s\n", indent, branch, child.name)
		rest := indent + below
		margin := rest + "   "
		if len(child.steps) > 0 {
			margin = rest + "│  "
		}
		for _, pod := range child.pods {
			first := pod.lines[0]
			if pod.count > 1 {
				first = fmt.Sprintf("%d times %s", pod.count, first)
			}
			fmt.Fprintf(text, "%s%s\n", margin, first)
			for _, line := range pod.lines[1:] {
				fmt.Fprintf(text, "%s  %s\n", margin, line)
			}
		}
		child.print(text, rest)
	}
}

// describePod returns the lines that describe a pod: its template and whether it runs, then its contents.
func describePod(pod *forecast.Pod) []string {
	what := "inline template"
	switch {
	case pod.Origin.Template != "":
		what = "template " + pod.Origin.Template
	case slices.Contains(pod.Origin.Steps, forecast.ArtifactGC):
		what = "deletes artifacts"
	}
	first := what + ", runs"
	if pod.Origin.Certainty != forecast.Certain {
		first = what + ", may run"
	}
	if also := pod.Origin.Steps[1:]; len(also) > 0 {
		first += ", also as " + strings.Join(also, ", ")
	}
	lines := []string{first}
	lines = append(lines, describeContainers("init container", pod.Spec.InitContainers)...)
	lines = append(lines, describeContainers("container", pod.Spec.Containers)...)
	for _, d := range validators.Dependencies(pod) {
		line := d.Kind + " " + d.Name
		if len(d.Keys) > 0 {
			line += ": " + strings.Join(d.Keys, ", ")
		}
		lines = append(lines, line)
	}
	for _, r := range pod.RuntimeResources {
		lines = append(lines, fmt.Sprintf("? %s: %s", strings.TrimSpace(r.Container+" "+r.Resource), r.Reason))
	}
	if pod.Unknown != "" {
		lines = append(lines, "? any of this may differ: "+pod.Unknown)
	}
	return lines
}

// describeContainers returns a line for each container that sets resources, and one line for all others.
func describeContainers(word string, list []corev1.Container) []string {
	var lines, bare []string
	for _, c := range list {
		if set := describeResources(c.Resources); set != "" {
			lines = append(lines, fmt.Sprintf("%s %s: %s", word, c.Name, set))
		} else {
			bare = append(bare, c.Name)
		}
	}
	switch len(bare) {
	case 0:
	case 1:
		lines = append(lines, word+" "+bare[0]+": no resources")
	default:
		lines = append(lines, word+"s "+strings.Join(bare, ", ")+": no resources")
	}
	return lines
}

// describeResources returns the resources that a container sets, such as "requests cpu=1 memory=1Gi, limits memory=1Gi".
func describeResources(r corev1.ResourceRequirements) string {
	var parts []string
	for _, set := range []struct {
		word string
		list corev1.ResourceList
	}{{"requests", r.Requests}, {"limits", r.Limits}} {
		var amounts []string
		for name, quantity := range set.list {
			amounts = append(amounts, fmt.Sprintf("%s=%s", name, quantity.String()))
		}
		if len(amounts) > 0 {
			slices.Sort(amounts)
			parts = append(parts, set.word+" "+strings.Join(amounts, " "))
		}
	}
	return strings.Join(parts, ", ")
}
