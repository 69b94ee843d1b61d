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

// comparablePod is what of a pod the rules may look at, in a form to compare.
type comparablePod struct {
	Init, Containers []comparableContainer
	Volumes          []string // those that a container mounts, with what they name
	ServiceAccount   string
	PullSecrets      []string
	Priority         string
	Deadline         *int64
}

type comparableContainer struct {
	Name       string
	Resources  corev1.ResourceRequirements
	References []string // variables from Secrets and ConfigMaps
	Mounts     []string // of volumes that name something
}

// defaultRequests fills in requests as the API server does.
func defaultRequests(containers []corev1.Container) {
	for i := range containers {
		r := &containers[i].Resources
		requests := corev1.ResourceList{}
		maps.Copy(requests, r.Limits)
		maps.Copy(requests, r.Requests)
		r.Requests = requests
	}
}

// toComparable is the podEssence of a pod.
func toComparable(submitted *corev1.PodSpec) comparablePod {
	spec := submitted.DeepCopy()
	defaultRequests(spec.InitContainers)
	defaultRequests(spec.Containers)
	naming := map[string]string{}
	for i := range spec.Volumes {
		if text := volumeReference(&spec.Volumes[i]); text != "" {
			naming[spec.Volumes[i].Name] = text
		}
	}
	p := comparablePod{
		Init: toComparableContainers(spec.InitContainers, naming), Containers: toComparableContainers(spec.Containers, naming),
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

// matches reports whether a pod that was created is the one that was forecast. A tag in the forecast stands for anything.
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

// sameStrings compares lists whose order does not matter.
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

// String is the essence for a reader.
func (p comparablePod) String() string {
	text, _ := json.Marshal(p)
	return string(text)
}

func toComparableContainers(list []corev1.Container, naming map[string]string) (out []comparableContainer) {
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
			if _, ok := naming[m.Name]; ok {
				item.Mounts = append(item.Mounts, fmt.Sprintf("%s %s %s %v", volumeName(m.Name), m.MountPath, m.SubPath, m.ReadOnly))
			}
		}
		out = append(out, item)
	}
	return out
}

// volumeReference is what a volume names; empty if it names nothing.
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

// volumeName drops the random letters that Argo adds to one name.
func volumeName(name string) string {
	if strings.HasPrefix(name, "kube-api-access") {
		return "kube-api-access"
	}
	return name
}

func isTrue(b *bool) bool { return b != nil && *b }

// deadlinesMatch reports whether a pod has the deadline that was forecast, or the rest of it: the Workflow's deadline and a
// template's timeout have been running for a while when the pod is created.
func deadlinesMatch(forecast, created *int64) bool {
	if forecast == nil || created == nil {
		return forecast == created
	}
	return *created <= *forecast && *created >= *forecast-600
}
