package kfp

import (
	"fmt"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// setResources sets the resources of the main container from a ResourceSpec. Each amount has a newer field, a string that may be
// a placeholder for an input of the step, and a deprecated one, a number, which applies if the newer one is not set. Memory in a
// deprecated field is in GB.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/driver.go initPodSpecPatch, getPodResource.
func (b *patchBuilder) setResources(r message) {
	requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
	for _, a := range []struct {
		list              corev1.ResourceList
		listName          string
		name              corev1.ResourceName
		field, deprecated string
		format            string // of the deprecated field
	}{
		{limits, "limits", corev1.ResourceMemory, "resourceMemoryLimit", "memoryLimit", "%vG"},
		{requests, "requests", corev1.ResourceMemory, "resourceMemoryRequest", "memoryRequest", "%vG"},
		{limits, "limits", corev1.ResourceCPU, "resourceCpuLimit", "cpuLimit", "%v"},
		{requests, "requests", corev1.ResourceCPU, "resourceCpuRequest", "cpuRequest", "%v"},
	} {
		if text := r.string(a.field); text != "" {
			b.setQuantity(a.list, a.listName, a.name, text)
		} else if n := r.number(a.deprecated); n != 0 {
			b.setQuantity(a.list, a.listName, a.name, fmt.Sprintf(a.format, n))
		}
	}
	accelerator := r.message("accelerator")
	kind, count := accelerator.string("resourceType"), accelerator.string("resourceCount")
	if kind == "" {
		kind = accelerator.string("type")
	}
	if n := accelerator.number("count"); count == "" && n > 0 {
		count = fmt.Sprint(int64(n))
	}
	if kind != "" && count != "" {
		if name, ok := b.resolvePlaceholder(kind).(string); ok {
			b.setQuantity(limits, "limits", corev1.ResourceName(name), count)
		} else {
			b.addRuntimeResource("limits", "its accelerator is known only at run time: "+kind)
		}
	}
	if len(requests) > 0 {
		b.main.Resources.Requests = requests
	}
	if len(limits) > 0 {
		b.main.Resources.Limits = limits
	}
}

// setQuantity sets one amount of list, or records that it exists only at run time. listName is "requests" or "limits".
func (b *patchBuilder) setQuantity(list corev1.ResourceList, listName string, name corev1.ResourceName, text string) {
	if v, ok := b.resolvePlaceholder(text).(string); ok {
		if q, ok := parseQuantity(v); ok {
			list[name] = q
			return
		}
	}
	b.addRuntimeResource(listName+"."+string(name), "it is set only at run time, to "+text)
}

func (b *patchBuilder) addRuntimeResource(resource, reason string) {
	r := RuntimeResource{Container: mainContainer, Resource: resource, Reason: reason}
	b.patch.RuntimeResources = append(b.patch.RuntimeResources, r)
}

var inputPlaceholder = regexp.MustCompile(`\$.inputs.parameters\['(.+?)'\]`)

// resolvePlaceholder returns text itself or, if it holds a placeholder for an input of the step, the value of that input.
func (b *patchBuilder) resolvePlaceholder(text string) any {
	m := inputPlaceholder.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	v, ok := b.taskInputs(b.parent)[m[1]]
	if !ok {
		return unknownInput(m[1])
	}
	return v
}

// resourceList parses a map of amounts and omits those that are not quantities.
func resourceList(amounts message) corev1.ResourceList {
	var out corev1.ResourceList
	for _, name := range amounts.keys() {
		if q, ok := parseQuantity(amounts.string(name)); ok {
			if out == nil {
				out = corev1.ResourceList{}
			}
			out[corev1.ResourceName(name)] = q
		}
	}
	return out
}

func parseQuantity(text string) (resource.Quantity, bool) {
	q, err := resource.ParseQuantity(text)
	return q, err == nil
}
