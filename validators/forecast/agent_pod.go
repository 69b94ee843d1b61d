package forecast

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// tokenSecretAnnotation on a ServiceAccount names the Secret of its token.
const tokenSecretAnnotation = "workflows.argoproj.io/service-account-token.name"

// addToAgentPod adds the pod that runs all HTTP and plugin templates of a Workflow, or one more step to it.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/agent.go createAgentPod.
func (w *walker) addToAgentPod(t scopedTemplate, pos position) {
	w.recordHeaderSecrets(t, pos)
	if t.Plugin != nil || w.podsMarked(executorPluginsMark) {
		w.addGap(pos.steps, "the executor plugins of the cluster add containers to the Workflow's agent pod")
	}
	if i, ok := w.podIndex[agentKey]; ok {
		w.recordPath(i, pos)
		return
	}
	token, missing, err := w.tokenSecret(w.wf.Spec.ServiceAccountName)
	if err != nil {
		w.addGap(pos.steps, err.Error())
		return
	}
	container := corev1.Container{
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("10m"), "memory": resource.MustParse("64M")},
			Limits:   corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("256M")},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: tokenVolume, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true}},
	}
	initContainer, mainContainer := container, container
	initContainer.Name, mainContainer.Name = InitContainer, MainContainer
	pod := Pod{sources: podSources{templatePath: t.path}, Origin: Origin{Template: t.Name, Path: t.path}, MissingServiceAccount: missing, ArgoContainers: []string{InitContainer, MainContainer}}
	pod.Spec = corev1.PodSpec{
		RestartPolicy:      corev1.RestartPolicyOnFailure,
		ImagePullSecrets:   w.wf.Spec.ImagePullSecrets,
		ServiceAccountName: w.wf.Spec.ServiceAccountName,
		PriorityClassName:  w.wf.Spec.PodPriorityClassName,
		InitContainers:     []corev1.Container{initContainer},
		Containers:         []corev1.Container{mainContainer},
		Volumes: []corev1.Volume{{Name: tokenVolume, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: token},
		}}},
	}
	if err := pod.applyPatch(w.budget, resolveTagsInText(w.budget, w.wf.Spec.PodSpecPatch, w.globals)); err != nil {
		w.addGap(pos.steps, err.Error())
		return
	}
	w.addPod(agentKey, pod, pos)
}

// recordHeaderSecrets records the Secrets in the headers of an HTTP template.
func (w *walker) recordHeaderSecrets(t scopedTemplate, pos position) {
	if t.HTTP == nil {
		return
	}
	for i, h := range t.HTTP.Headers {
		if h.ValueFrom == nil || h.ValueFrom.SecretKeyRef == nil {
			continue
		}
		s, path := h.ValueFrom.SecretKeyRef, t.path
		if t.scope.refPath == nil {
			path = t.path.Child("http", "headers").Index(i).Child("valueFrom", "secretKeyRef")
		}
		w.out.HeaderSecrets = append(w.out.HeaderSecrets, HeaderSecret{s.Name, s.Key, Origin{Template: t.Name, Steps: []string{pos.stepPath()}, Certainty: pos.certainty, Path: path}})
	}
}

// agentKey stands for the agent pod among the pods, and tokenVolume is its volume; Argo adds random letters to the name.
const agentKey, tokenVolume = "agent", "kube-api-access"

// tokenSecret is the name of the Secret with the token of a ServiceAccount, default if it is not named. Kubernetes makes
// none by itself since 1.24. Without the account there is none; its name is missing then.
// Source: argoproj/argo-workflows v3.7.3 util/secrets TokenNameForServiceAccount.
func (w *walker) tokenSecret(name string) (secret, missing string, err error) {
	name = firstSet(name, "default")
	t, ok := w.tokenLookups[name]
	if !ok {
		t.secret, t.err = w.readTokenSecret(name)
		w.tokenLookups[name] = t
	}
	if t.secret == "" && t.err == nil {
		missing = name
	}
	return t.secret, missing, t.err
}

// tokenLookup is what is known of the token of a ServiceAccount: it is asked for once.
type tokenLookup struct {
	secret string
	err    error
}

func (w *walker) readTokenSecret(name string) (string, error) {
	account, err := w.facts.ServiceAccount(w.wf.Namespace, name)
	switch {
	case account == nil || err != nil:
		return "", err
	case len(account.Secrets) > 0:
		return account.Secrets[0].Name, nil
	}
	if secret, ok := account.Annotations[tokenSecretAnnotation]; ok {
		return secret, nil
	}
	return name + ".service-account-token", nil
}
