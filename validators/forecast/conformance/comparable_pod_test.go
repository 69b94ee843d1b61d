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

// comparablePod is the part of a pod that rules may depend on, in a form that can be compared.
type comparablePod struct {
	Init, Containers []comparableContainer
	Volumes          []string // volumes that a container mounts and that refer to an object
	ServiceAccount   string
	PullSecrets      []string
	Priority         string
	Deadline         *int64
}

type comparableContainer struct {
	Name       string
	Resources  corev1.ResourceRequirements
	References []string // variables from Secrets and ConfigMaps
	Mounts     []string // mounts of volumes that refer to an object
}

// defaultRequests sets missing requests to the limits, as the API server does.
func defaultRequests(containers []corev1.Container) {
	for i := range containers {
		r := &containers[i].Resources
		requests := corev1.ResourceList{}
		maps.Copy(requests, r.Limits)
		maps.Copy(requests, r.Requests)
		r.Requests = requests
	}
}

// toComparable returns the comparable part of a pod.
func toComparable(submitted *corev1.PodSpec) comparablePod {
	spec := submitted.DeepCopy()
	defaultRequests(spec.InitContainers)
	defaultRequests(spec.Containers)
	references := map[string]string{}
	for i := range spec.Volumes {
		if text := volumeReference(&spec.Volumes[i]); text != "" {
			references[spec.Volumes[i].Name] = text
		}
	}
	p := comparablePod{
		Init: toComparableContainers(spec.InitContainers, references), Containers: toComparableContainers(spec.Containers, references),
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
			if text, ok := references[m.Name]; ok && !slices.Contains(p.Volumes, text) {
				p.Volumes = append(p.Volumes, text)
			}
		}
	}
	return p
}

// matches reports whether a created pod is the forecast one. A tag in the forecast matches any
// text.
func (p comparablePod) matches(created comparablePod) bool {
	return slices.EqualFunc(p.Init, created.Init, comparableContainer.matches) &&
		slices.EqualFunc(p.Containers, created.Containers, comparableContainer.matches) &&
		sameStrings(p.Volumes, created.Volumes) && sameStrings(p.PullSecrets, created.PullSecrets) &&
		matchesTagged(p.ServiceAccount, created.ServiceAccount) && matchesTagged(p.Priority, created.Priority) &&
		deadlinesMatch(p.Deadline, created.Deadline)
}

func (c comparableContainer) matches(created comparableContainer) bool {
	return c.Name == created.Name && apiequality.Semantic.DeepEqual(c.Resources, created.Resources) &&
		sameStrings(c.References, created.References) && sameStrings(c.Mounts, created.Mounts)
}

// sameStrings compares a forecast list with a created one, in any order.
func sameStrings(forecast, created []string) bool {
	unmatched := slices.Clone(created)
	for _, text := range forecast {
		i := slices.IndexFunc(unmatched, func(s string) bool { return matchesTagged(text, s) })
		if i < 0 {
			return false
		}
		unmatched = slices.Delete(unmatched, i, i+1)
	}
	return len(unmatched) == 0
}

// matchesTagged reports whether a created text may result from a forecast one. A tag matches any
// text.
func matchesTagged(forecast, created string) bool {
	if !forecasting.HasTag(forecast) {
		return forecast == created
	}
	parts := tag.Split(forecast, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(created)
}

// String returns the pod as JSON.
func (p comparablePod) String() string {
	text, _ := json.Marshal(p)
	return string(text)
}

func toComparableContainers(list []corev1.Container, references map[string]string) (out []comparableContainer) {
	for _, c := range list {
		item := comparableContainer{Name: c.Name, Resources: c.Resources}
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
			if _, ok := references[m.Name]; ok {
				item.Mounts = append(item.Mounts, fmt.Sprintf("%s %s %s %v", volumeName(m.Name), m.MountPath, m.SubPath, m.ReadOnly))
			}
		}
		out = append(out, item)
	}
	return out
}

// volumeReference returns the volume as JSON, or an empty string if it does not refer to an object.
func volumeReference(v *corev1.Volume) string {
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

// volumeName removes the random letters that Argo appends to the name of the token volume.
func volumeName(name string) string {
	if strings.HasPrefix(name, "kube-api-access") {
		return "kube-api-access"
	}
	return name
}

func isTrue(b *bool) bool { return b != nil && *b }

// deadlinesMatch reports whether a pod has the forecast deadline or what is left of it. The
// Workflow's deadline and a template's timeout have been running for up to ten minutes when the pod
// is created.
func deadlinesMatch(forecast, created *int64) bool {
	if forecast == nil || created == nil {
		return forecast == created
	}
	return *created <= *forecast && *created >= *forecast-600
}
