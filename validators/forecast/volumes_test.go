package forecast

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestMounts lists the mounts of all containers for each way to get a mount.
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
