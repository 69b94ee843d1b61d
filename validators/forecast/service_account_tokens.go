package forecast

import (
	"cmp"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

const (
	// tokenSecretAnnotation on a ServiceAccount names the Secret with its token.
	tokenSecretAnnotation = "workflows.argoproj.io/service-account-token.name"
	// tokenMountPath is where a container finds the token of its ServiceAccount.
	tokenMountPath = "/var/run/secrets/kubernetes.io/serviceaccount"
)

// addExecutorToken mounts the token of the executor's ServiceAccount into Argo's own containers, if
// one is set. It returns the account's name as missing if the account does not exist.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go setupServiceAccount, newExecContainer.
func (w *walker) addExecutorToken(spec *corev1.PodSpec, t *wfv1.Template) (missing string, err error) {
	account := cmp.Or(executorAccount(t.Executor), executorAccount(w.wf.Spec.Executor))
	if account == "" {
		return "", nil
	}
	token, missing, err := w.tokenSecret(account)
	if err != nil || missing != "" {
		return missing, err
	}
	const name = "exec-sa-token"
	spec.Volumes = append(spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: token},
	}})
	mounts := []corev1.VolumeMount{{Name: name, MountPath: tokenMountPath, ReadOnly: true}}
	addMounts(spec.InitContainers, InitContainer, mounts)
	addMounts(spec.Containers, WaitContainer, mounts)
	if t.Resource != nil || t.Data != nil {
		addMounts(spec.Containers, MainContainer, mounts)
	}
	return "", nil
}

// executorAccount returns the ServiceAccount that an executor configuration sets, or an empty
// string.
func executorAccount(executor *wfv1.ExecutorConfig) string {
	if executor == nil {
		return ""
	}
	return executor.ServiceAccountName
}

// tokenSecret returns the name of the Secret with a ServiceAccount's token. An empty name means the
// account "default". If the account does not exist, tokenSecret returns its name as missing. Since
// version 1.24, Kubernetes does not create such Secrets by itself.
// Source: argoproj/argo-workflows v3.7.3 util/secrets TokenNameForServiceAccount.
func (w *walker) tokenSecret(name string) (secret, missing string, err error) {
	name = cmp.Or(name, "default")
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

// tokenLookup is the result of looking up the token Secret of a ServiceAccount. The name is empty
// if the account does not exist.
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
