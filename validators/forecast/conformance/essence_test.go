package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	forecasting "github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// podEssence is what of a pod the rules may look at, in a form to compare.
type podEssence struct {
	Init, Containers []containerEssence
	Volumes          []string // those that a container mounts, with what they name
	ServiceAccount   string
	PullSecrets      []string
	Priority         string
	Deadline         *int64
}

type containerEssence struct {
	Name       string
	Resources  corev1.ResourceRequirements
	References []string // variables from Secrets and ConfigMaps
	Mounts     []string // of volumes that name something
}

// fromLimits fills in requests as the API server does.
func fromLimits(containers []corev1.Container) {
	for i := range containers {
		r := &containers[i].Resources
		requests := corev1.ResourceList{}
		maps.Copy(requests, r.Limits)
		maps.Copy(requests, r.Requests)
		r.Requests = requests
	}
}

// essence is the podEssence of a pod.
func essence(submitted *corev1.PodSpec) podEssence {
	spec := submitted.DeepCopy()
	fromLimits(spec.InitContainers)
	fromLimits(spec.Containers)
	naming := map[string]string{}
	for i := range spec.Volumes {
		if text := volumeEssence(&spec.Volumes[i]); text != "" {
			naming[spec.Volumes[i].Name] = text
		}
	}
	p := podEssence{
		Init: containers(spec.InitContainers, naming), Containers: containers(spec.Containers, naming),
		ServiceAccount: spec.ServiceAccountName, Priority: spec.PriorityClassName, Deadline: spec.ActiveDeadlineSeconds,
	}
	if p.ServiceAccount == "default" {
		p.ServiceAccount = "" // the API server's default
	}
	for _, s := range spec.ImagePullSecrets {
		p.PullSecrets = append(p.PullSecrets, s.Name)
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, m := range c.VolumeMounts {
			if text, ok := naming[m.Name]; ok && !slices.Contains(p.Volumes, text) {
				p.Volumes = append(p.Volumes, text)
			}
		}
	}
	return p
}

// agrees reports whether a pod that was created is the one that was forecast. A tag in the forecast stands for anything.
func (p podEssence) agrees(created podEssence) bool {
	return slices.EqualFunc(p.Init, created.Init, containerEssence.agrees) &&
		slices.EqualFunc(p.Containers, created.Containers, containerEssence.agrees) &&
		sameTexts(p.Volumes, created.Volumes) && sameTexts(p.PullSecrets, created.PullSecrets) &&
		sameText(p.ServiceAccount, created.ServiceAccount) && sameText(p.Priority, created.Priority) &&
		deadlinesAgree(p.Deadline, created.Deadline)
}

func (c containerEssence) agrees(created containerEssence) bool {
	return c.Name == created.Name && apiequality.Semantic.DeepEqual(c.Resources, created.Resources) &&
		sameTexts(c.References, created.References) && sameTexts(c.Mounts, created.Mounts)
}

// sameTexts compares lists whose order does not matter.
func sameTexts(forecast, created []string) bool {
	open := slices.Clone(created)
	for _, text := range forecast {
		i := slices.IndexFunc(open, func(s string) bool { return sameText(text, s) })
		if i < 0 {
			return false
		}
		open = slices.Delete(open, i, i+1)
	}
	return len(open) == 0
}

func sameText(forecast, created string) bool {
	if !forecasting.HasTag(forecast) {
		return forecast == created
	}
	parts := tag.Split(forecast, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(created)
}

// String is the essence for a reader.
func (p podEssence) String() string {
	text, _ := json.Marshal(p)
	return string(text)
}

func containers(list []corev1.Container, naming map[string]string) (out []containerEssence) {
	for _, c := range list {
		item := containerEssence{Name: c.Name, Resources: c.Resources}
		reference := func(format string, args ...any) {
			item.References = append(item.References, fmt.Sprintf(format, args...))
		}
		for _, e := range c.Env {
			if e.ValueFrom == nil {
				continue
			}
			if s := e.ValueFrom.SecretKeyRef; s != nil {
				reference("%s=Secret %s/%s/%v", e.Name, s.Name, s.Key, isTrue(s.Optional))
			}
			if m := e.ValueFrom.ConfigMapKeyRef; m != nil {
				reference("%s=ConfigMap %s/%s/%v", e.Name, m.Name, m.Key, isTrue(m.Optional))
			}
		}
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil {
				reference("*=Secret %s/%v", e.SecretRef.Name, isTrue(e.SecretRef.Optional))
			}
			if e.ConfigMapRef != nil {
				reference("*=ConfigMap %s/%v", e.ConfigMapRef.Name, isTrue(e.ConfigMapRef.Optional))
			}
		}
		for _, m := range c.VolumeMounts {
			if _, ok := naming[m.Name]; ok {
				item.Mounts = append(item.Mounts, fmt.Sprintf("%s %s %s %v", volumeName(m.Name), m.MountPath, m.SubPath, m.ReadOnly))
			}
		}
		out = append(out, item)
	}
	return out
}

// volumeEssence is what a volume names; empty if it names nothing.
func volumeEssence(v *corev1.Volume) string {
	if v.VolumeSource == (corev1.VolumeSource{}) || v.EmptyDir != nil || v.HostPath != nil || v.DownwardAPI != nil {
		return ""
	}
	v = v.DeepCopy()
	v.Name = volumeName(v.Name)
	text, _ := json.Marshal(v)
	for _, byDefault := range []string{`,"defaultMode":420`, `,"iscsiInterface":"default"`} {
		text = []byte(strings.ReplaceAll(string(text), byDefault, ""))
	}
	return string(text)
}

// volumeName drops the random letters that Argo adds to one name.
func volumeName(name string) string {
	if strings.HasPrefix(name, "kube-api-access") {
		return "kube-api-access"
	}
	return name
}

func isTrue(b *bool) bool { return b != nil && *b }

// deadlinesAgree reports whether a pod has the deadline that was forecast, or the rest of it: the Workflow's deadline and a
// template's timeout have been running for a while when the pod is created.
func deadlinesAgree(forecast, created *int64) bool {
	if forecast == nil || created == nil {
		return forecast == created
	}
	return *created <= *forecast && *created >= *forecast-600
}
