package kfp

import (
	"fmt"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// resources sets those of the main container. Each amount has a newer field, a text that may be a placeholder for an input
// of the step, and an older one, a number, which counts where the newer is not set. Memory in the older is in GB.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/driver.go initPodSpecPatch, getPodResource.
func (p *patching) resources(r message) {
	requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
	for _, a := range []struct {
		list         corev1.ResourceList
		place        string
		name         corev1.ResourceName
		newer, older string
		format       string
	}{
		{limits, "limits", corev1.ResourceMemory, "resourceMemoryLimit", "memoryLimit", "%vG"},
		{requests, "requests", corev1.ResourceMemory, "resourceMemoryRequest", "memoryRequest", "%vG"},
		{limits, "limits", corev1.ResourceCPU, "resourceCpuLimit", "cpuLimit", "%v"},
		{requests, "requests", corev1.ResourceCPU, "resourceCpuRequest", "cpuRequest", "%v"},
	} {
		if text := r.text(a.newer); text != "" {
			p.amount(a.list, a.place, a.name, text)
		} else if n := r.number(a.older); n != 0 {
			p.amount(a.list, a.place, a.name, fmt.Sprintf(a.format, n))
		}
	}
	accelerator := r.message("accelerator")
	kind, count := accelerator.text("resourceType"), accelerator.text("resourceCount")
	if kind == "" {
		kind = accelerator.text("type")
	}
	if n := accelerator.number("count"); count == "" && n > 0 {
		count = fmt.Sprint(int64(n))
	}
	if kind != "" && count != "" {
		if v, ok := p.placeholder(kind).(string); ok {
			p.amount(limits, "limits", corev1.ResourceName(v), count)
		} else {
			p.out.RuntimeResources = append(p.out.RuntimeResources, RuntimeResource{mainContainer, "limits", "its accelerator is known only at run time: " + kind})
		}
	}
	if len(requests) > 0 {
		p.main.Resources.Requests = requests
	}
	if len(limits) > 0 {
		p.main.Resources.Limits = limits
	}
}

// amount sets one amount, or notes that it is not known.
func (p *patching) amount(list corev1.ResourceList, place string, name corev1.ResourceName, text string) {
	if v, ok := p.placeholder(text).(string); ok {
		if q, ok := quantity(v); ok {
			list[name] = q
			return
		}
	}
	p.out.RuntimeResources = append(p.out.RuntimeResources, RuntimeResource{mainContainer, place + "." + string(name), "it is set only at run time, to " + text})
}

var inputPlaceholder = regexp.MustCompile(`\$.inputs.parameters\['(.+?)'\]`)

// placeholder gives the value of a text that may be a placeholder for an input of the step, and nothing else then.
func (p *patching) placeholder(text string) any {
	m := inputPlaceholder.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	v, ok := p.taskInputs(p.parent)[m[1]]
	if !ok {
		return unknownInput(m[1])
	}
	return v
}

func resourceList(amounts message) corev1.ResourceList {
	var out corev1.ResourceList
	for _, name := range amounts.keys() {
		if q, ok := quantity(amounts.text(name)); ok {
			if out == nil {
				out = corev1.ResourceList{}
			}
			out[corev1.ResourceName(name)] = q
		}
	}
	return out
}

func quantity(text string) (resource.Quantity, bool) {
	q, err := resource.ParseQuantity(text)
	return q, err == nil
}
