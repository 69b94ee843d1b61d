package forecast

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestMounts has for each way in which a container comes to a mount the containers that have it, and where.
func TestMounts(t *testing.T) {
	const own = "container: {image: a, volumeMounts: [{name: v, mountPath: /v, readOnly: true}]}"
	for name, test := range map[string]struct {
		spec string
		want string
	}{
		"the main container's, and Argo's to fetch outputs from": {
			"volumes: [{name: v, secret: {secretName: s}}]\ntemplates: [{name: main, " + own + "}]",
			"wait /mainctrfs/v rw, main /v ro: s",
		},
		"Argo's to put inputs to": {
			"volumes: [{name: v, secret: {secretName: s}}]\n" +
				"templates: [{name: main, inputs: {artifacts: [{name: i, path: /i, raw: {data: x}}]}, " + own + "}]",
			"init /mainctrfs/v ro, wait /mainctrfs/v rw, main /v ro: s",
		},
		"those who share": {
			"templates: [{name: main, volumes: [{name: v, secret: {secretName: s}}], initContainers: [{name: i, image: a, " +
				"mirrorVolumeMounts: true}, {name: j, image: a, mirrorVolumeMounts: false}], sidecars: [{name: s, image: a, " +
				"mirrorVolumeMounts: true}], " + own + "}]",
			"i /v ro, wait /mainctrfs/v rw, main /v ro, s /v ro: s",
		},
		"a sidecar's own": {
			"volumes: [{name: v, secret: {secretName: s}}]\n" +
				"templates: [{name: main, container: {image: a}, sidecars: [{name: s, image: a, volumeMounts: [{name: v, mountPath: /s}]}]}]",
			"s /s rw: s",
		},
		"a claim of the Workflow": {
			"volumeClaimTemplates: [{metadata: {name: v}}]\ntemplates: [{name: main, " + own + "}]",
			"wait /mainctrfs/v rw, main /v ro: claim run-v",
		},
		"a volume that nobody has": {
			"templates: [{name: main, " + own + "}]",
			"? a container mounts the volume v, which neither the template nor the Workflow has",
		},
		"a volume known at run time": {
			"templates: [{name: main, container: {image: a, volumeMounts: [{name: '{{workflow.status}}', mountPath: /v}]}}]",
			"wait /mainctrfs/v rw, main /v rw: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := Workflow(workflow(t, "entrypoint: main\n"+test.spec), controllerOnlyFacts{}, Options{})
			if len(f.Gaps) > 0 {
				assertEqual(t, "gap", "? "+f.Gaps[0].Reason, test.want)
				return
			}
			var mounts, volumes []string
			spec := f.Pods[0].Spec
			for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
				for _, m := range c.VolumeMounts {
					mounts = append(mounts, fmt.Sprintf("%s %s %s", c.Name, m.MountPath, map[bool]string{true: "ro", false: "rw"}[m.ReadOnly]))
				}
			}
			for _, v := range spec.Volumes {
				if v.Secret != nil {
					volumes = append(volumes, v.Secret.SecretName)
				} else {
					volumes = append(volumes, "claim "+v.PersistentVolumeClaim.ClaimName)
				}
			}
			assertEqual(t, "mounts", strings.Join(mounts, ", ")+": "+strings.Join(volumes, ", "), test.want)
		})
	}
}

// TestKubeConfig has the Secret that the controller's kubeConfig brings to every pod.
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

// TestDeadline has the pod's deadline for each way of setting one.
func TestDeadline(t *testing.T) {
	for set, want := range map[string]int64{
		"":                                    0,
		"activeDeadlineSeconds: 60, ":         60,
		"activeDeadlineSeconds: 9000, ":       600, // what is left of the Workflow's
		"activeDeadlineSeconds: '{{x}}', ":    0,
		"timeout: 2h, ":                       7200, // takes the place of any other
		"timeout: '{{x}}', ":                  600,
		"activeDeadlineSeconds: 5, debug: 1,": 0,
	} {
		workflowDeadline := "activeDeadlineSeconds: 600\n"
		if set == "" {
			workflowDeadline = ""
		}
		env := ""
		if strings.Contains(set, "debug") {
			set, env = "activeDeadlineSeconds: 5, ", ", env: [{name: ARGO_DEBUG_PAUSE_AFTER, value: 'true'}]"
		}
		spec := Workflow(workflow(t, "entrypoint: main\n"+workflowDeadline+"templates: [{name: main, "+set+"container: {image: a"+env+"}}]"),
			controllerOnlyFacts{}, Options{}).Pods[0].Spec
		var got int64
		if spec.ActiveDeadlineSeconds != nil {
			got = *spec.ActiveDeadlineSeconds
		}
		assertEqual(t, set, got, want)
	}
}
