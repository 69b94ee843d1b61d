package forecast

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestParseController(t *testing.T) {
	whole, err := ParseControllerConfig(map[string]string{"config": "executor: {resources: {limits: {cpu: 1}}}\nnewer: {than: us}"})
	if err != nil || whole.Executor.Resources.Limits.Cpu().String() != "1" {
		t.Errorf("%+v, %v", whole, err)
	}
	for _, data := range []map[string]string{{"config": "executor: 7"}, {"mainContainer": "[a]"}} {
		if _, err := ParseControllerConfig(data); err == nil || !strings.HasPrefix(err.Error(), "key ") {
			t.Errorf("%v: %v", data, err)
		}
	}
	if empty, err := ParseControllerConfig(nil); err != nil || empty.Executor != nil {
		t.Errorf("%+v, %v", empty, err)
	}
}

// TestKubeConfig mounts the Secret of the controller's kubeConfig.
func TestKubeConfig(t *testing.T) {
	for configured, want := range map[string]string{
		"secretName: kube": "kubeconfig kube /kube/config ",
		"{secretName: kube, secretKey: k, volumeName: v, mountPath: /m}": "v kube /m k",
	} {
		controller, err := ParseControllerConfig(map[string]string{"kubeConfig": configured})
		if err != nil {
			t.Fatal(err)
		}
		spec := Workflow(workflow(t, "entrypoint: leaf\ntemplates:\n"+leaf), controllerOnlyFacts(controller), Options{}).Pods[0].Spec
		for _, c := range []corev1.Container{spec.InitContainers[0], spec.Containers[0]} {
			v, m := spec.Volumes[0], c.VolumeMounts[0]
			assertEqual(t, c.Name, fmt.Sprint(v.Name, " ", v.Secret.SecretName, " ", m.MountPath, " ", m.SubPath), want)
			assertEqual(t, "name", m.Name, v.Name)
		}
		assertEqual(t, "mounts of main", len(spec.Containers[1].VolumeMounts), 0)
	}
}
