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

// printPodsText prints each Workflow as a tree of its steps, with what their pods are made of.
func printPodsText(out, _ io.Writer, forecasts []forecasted) error {
	var text strings.Builder
	for i, f := range forecasts {
		if i > 0 {
			text.WriteString("\n")
		}
		fmt.Fprintf(&text, "Workflow %s in namespace %s (%s)\n", title(f.workflow), f.workflow.Namespace, f.where)
		var root step
		for i := range f.Pods {
			root.add(&f.Pods[i])
		}
		root.print(&text, "")
		for _, g := range f.Gaps {
			fmt.Fprintf(&text, "? %s\n", gap(g))
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// step is a step in the tree.
type step struct {
	name  string
	pods  []described
	steps []*step
}

// described is what there is to say of a pod. Pods of one step of which the same is to be said are counted.
type described struct {
	lines []string
	count int
}

// add puts a pod at the first of its steps.
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
	lines := describe(pod)
	for i := range at.pods {
		if slices.Equal(at.pods[i].lines, lines) {
			at.pods[i].count++
			return
		}
	}
	at.pods = append(at.pods, described{lines, 1})
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

// describe says in its first line which pod it is, and then what it is made of.
func describe(pod *forecast.Pod) []string {
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
	lines = append(lines, containers("init container", pod.Spec.InitContainers)...)
	lines = append(lines, containers("container", pod.Spec.Containers)...)
	for _, u := range validators.Dependencies(pod) {
		line := u.Kind + " " + u.Name
		if len(u.Keys) > 0 {
			line += ": " + strings.Join(u.Keys, ", ")
		}
		lines = append(lines, line)
	}
	for _, u := range pod.RuntimeResources {
		lines = append(lines, fmt.Sprintf("? %s: %s", strings.TrimSpace(u.Container+" "+u.Resource), u.Reason))
	}
	if pod.Unknown != "" {
		lines = append(lines, "? any of this may be different: "+pod.Unknown)
	}
	return lines
}

// containers has a line for each container that sets resources, and one for all that set none.
func containers(word string, list []corev1.Container) []string {
	var lines, bare []string
	for _, c := range list {
		if set := resources(c.Resources); set != "" {
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

// resources says what a container sets: "requests cpu=1 memory=1Gi, limits memory=1Gi".
func resources(r corev1.ResourceRequirements) string {
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
