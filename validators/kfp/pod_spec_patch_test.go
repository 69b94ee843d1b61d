package kfp

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestPodSpecPatch checks what the Kubernetes configuration and the resources of a step change in its pod.
func TestPodSpecPatch(t *testing.T) {
	for name, test := range map[string]struct {
		task, component, container, config string
		want                               string // the patch, in YAML
		runtimeResources                   string
	}{
		"nothing": {want: "{containers: [{name: main}]}"},
		"keys of a Secret as environment variables": {
			config: "secretAsEnv: [{secretNameParameter: {runtimeValue: {constant: s}}, keyToEnv: [{secretKey: k, envVar: A}, " +
				"{secretKey: l, envVar: B}]}]",
			want: "{containers: [{name: main, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}, " +
				"{name: B, valueFrom: {secretKeyRef: {name: s, key: l}}}]}]}",
		},
		"the same in snake_case": {
			config: "secret_as_env: [{secret_name_parameter: {runtime_value: {constant: s}}, key_to_env: [{secret_key: k, env_var: A}]}]",
			want:   "{containers: [{name: main, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}]}",
		},
		"the deprecated field, overridden by the parameter": {
			config: "secretAsEnv: [{secretName: s, keyToEnv: [{secretKey: k, envVar: A}]}, " +
				"{secretName: old, secretNameParameter: {runtimeValue: {constant: new}}, keyToEnv: [{secretKey: k, " +
				"envVar: B}]}]",
			want: "{containers: [{name: main, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}, " +
				"{name: B, valueFrom: {secretKeyRef: {name: new, key: k}}}]}]}",
		},
		"no name, which fails the driver": {
			config: "secretAsEnv: [{keyToEnv: [{secretKey: k, envVar: A}]}, {secretNameParameter: {runtimeValue: {constant: " +
				"''}}, keyToEnv: [{secretKey: k, envVar: A}]}, {secretNameParameter: {runtimeValue: {constant: 7}}, " +
				"keyToEnv: [{secretKey: k, envVar: A}]}]",
			want: "{containers: [{name: main}]}",
		},
		"null, which skips the entry": {
			config: "secretAsEnv: [{secretNameParameter: {componentInputParameter: none}, keyToEnv: [{secretKey: k, " +
				"envVar: A}]}]\nsecretAsVolume: [{secretNameParameter: {componentInputParameter: none}, " +
				"mountPath: /s}]\nimagePullSecret: [{secretNameParameter: {componentInputParameter: none}}]\n" +
				"configMapAsEnv: null\npvcMount: [null]",
			want: "{containers: [{name: main}]}",
		},
		"a name from an input of the pipeline": {
			config: "secretAsVolume: [{secretNameParameter: {componentInputParameter: whose}, mountPath: /s}]",
			want: "{containers: [{name: main, volumeMounts: [{name: ours, mountPath: /s}]}], " +
				"volumes: [{name: ours, secret: {secretName: ours, optional: false}}]}",
		},
		"a name from an output of another task": {
			config: "secretAsVolume: [{secretNameParameter: {taskOutputParameter: {producerTask: make, " +
				"outputParameterKey: name}}, mountPath: /s, optional: true}]",
			want: "{containers: [{name: main, volumeMounts: [{name: '{{tasks.make.outputs.parameters.name}}', " +
				"mountPath: /s}]}], volumes: [{name: '{{tasks.make.outputs.parameters.name}}', " +
				"secret: {secretName: '{{tasks.make.outputs.parameters.name}}', optional: true}}]}",
		},
		"a name from an unknown input": {
			config: "imagePullSecret: [{secretNameParameter: {componentInputParameter: other}}, {secretName: old}]",
			want:   "{containers: [{name: main}], imagePullSecrets: [{name: '{{inputs.parameters.other}}'}, {name: old}]}",
		},
		"a name with placeholders of the run": {
			task: "taskInfo: {name: train}",
			config: "imagePullSecret: [{secretNameParameter: {runtimeValue: {constant: '{{$.pipeline_job_name}}'}}}, " +
				"{secretNameParameter: {runtimeValue: {constant: '{{$.pipeline_task_uuid}}'}}}, " +
				"{secretNameParameter: {runtimeValue: {constant: 'at {{$.workspace_path}}'}}}]",
			want: "{containers: [{name: main}], imagePullSecrets: [{name: '{{$.pipeline_job_name}}'}, " +
				"{name: '{{$.pipeline_task_uuid}}'}, {name: at /kfp-workspace}]}",
		},
		"ConfigMaps": {
			config: "configMapAsEnv: [{configMapName: c, optional: true, keyToEnv: [{configMapKey: k, envVar: A}]}]\n" +
				"configMapAsVolume: [{configMapNameParameter: {runtimeValue: {constant: d}}, mountPath: /d}]",
			want: "{containers: [{name: main, env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: k, " +
				"optional: true}}}], volumeMounts: [{name: d, mountPath: /d}]}], " +
				"volumes: [{name: d, configMap: {name: d, optional: false}}]}",
		},
		"claims, current and deprecated fields": {
			config: "pvcMount: [{pvcNameParameter: {runtimeValue: {constant: a}}, mountPath: /a, subPath: x}, " +
				"{constant: b, mountPath: /b}, {componentInputParameter: whose, mountPath: /c}, " +
				"{taskOutputParameter: {producerTask: make, outputParameterKey: name}, mountPath: /d}]",
			want: "{containers: [{name: main, volumeMounts: [{name: a, mountPath: /a, subPath: x}, {name: b, mountPath: /b}, " +
				"{name: ours, mountPath: /c}, {name: '{{tasks.make.outputs.parameters.name}}', mountPath: /d}]}], " +
				"volumes: [{name: a, persistentVolumeClaim: {claimName: a}}, {name: b, persistentVolumeClaim: {claimName: b}}, " +
				"{name: ours, persistentVolumeClaim: {claimName: ours}}, " +
				"{name: '{{tasks.make.outputs.parameters.name}}', persistentVolumeClaim: {claimName: " +
				"'{{tasks.make.outputs.parameters.name}}'}}]}",
		},
		"ephemeral volumes, a deadline, pod fields": {
			config: "genericEphemeralVolume: [{volumeName: e, mountPath: /e, accessModes: [ReadWriteOnce], size: 1Gi, " +
				"defaultStorageClass: true}]\nemptyDirMounts: [{volumeName: m, mountPath: /m, medium: Memory}]\n" +
				"activeDeadlineSeconds: '60'\nfieldPathAsEnv: [{name: F, fieldPath: metadata.name}]",
			want: "{activeDeadlineSeconds: 60, containers: [{name: main, env: [{name: F, " +
				"valueFrom: {fieldRef: {fieldPath: metadata.name}}}], volumeMounts: [{name: e, mountPath: /e}, " +
				"{name: m, mountPath: /m}]}], " +
				"volumes: [{name: e, ephemeral: {volumeClaimTemplate: {metadata: {}, spec: {accessModes: [ReadWriteOnce], " +
				"resources: {requests: {storage: 1Gi}}}}}}, {name: m, emptyDir: {medium: Memory}}]}",
		},
		"the author's init containers": {
			config: "initContainers: [{name: i, image: a, command: [b], args: [c], env: [{name: V, value: v}], " +
				"volumeMounts: [{volumeName: m, mountPath: /m}], restartPolicy: Always, " +
				"resources: {requests: {cpu: 1}, limits: {memory: 1Gi, odd: x}}}]",
			want: "{containers: [{name: main}], initContainers: [{name: i, image: a, command: [b], args: [c], " +
				"env: [{name: V, value: v}], volumeMounts: [{name: m, mountPath: /m}], " +
				"restartPolicy: Always, resources: {limits: {memory: 1Gi}}}]}",
		},
		"passed through to another job": {
			component: "taskConfigPassthroughs: [{field: ENV}, {field: KUBERNETES_VOLUMES, applyToTask: true}, {field: RESOURCES}]",
			container: "image: a\nenv: [{name: V, value: v}]\nresources: {resourceCpuLimit: '1'}",
			config:    "secretAsEnv: [{secretName: s, keyToEnv: [{secretKey: k, envVar: A}]}]\nsecretAsVolume: [{secretName: s, mountPath: /s}]",
			want: "{containers: [{name: main, image: a, volumeMounts: [{name: s, mountPath: /s}]}], " +
				"volumes: [{name: s, secret: {secretName: s, optional: false}}]}",
		},
		"passed through, the enum as a number": {
			component: "taskConfigPassthroughs: [{field: 2}]",
			config:    "secretAsEnv: [{secretName: s, keyToEnv: [{secretKey: k, envVar: A}]}]",
			want:      "{containers: [{name: main}]}",
		},
		"resources": {
			container: "image: '{{$.inputs.parameters[''x'']}}'\n" +
				"resources: {resourceCpuLimit: '2', cpuLimit: 9, resourceMemoryRequest: 1Gi, " +
				"accelerator: {resourceType: nvidia.com/gpu, resourceCount: '1'}}",
			want: "{containers: [{name: main, resources: {limits: {cpu: '2', nvidia.com/gpu: '1'}, requests: {memory: 1Gi}}}]}",
		},
		"resources in deprecated fields": {
			container: "resources: {cpuLimit: 0.5, memoryLimit: 1.5, cpuRequest: 0, memory_request: 1, " +
				"accelerator: {type: nvidia.com/gpu, count: '2'}}",
			want: "{containers: [{name: main, resources: {limits: {cpu: 500m, memory: 1500M, nvidia.com/gpu: '2'}, requests: {memory: 1G}}}]}",
		},
		"resources from inputs of the step": {
			task: "inputs: {parameters: {cpu: {componentInputParameter: cores}, " +
				"memory: {taskOutputParameter: {producerTask: size, outputParameterKey: gi}}, " +
				"number: {runtimeValue: {constant: 2}}, part: {componentInputParameter: cores, " +
				"parameterExpressionSelector: 'parseJson(string_value)[0]'}}}",
			component: "inputDefinitions: {parameters: {number: {parameterType: STRING}}}",
			container: "resources: {resourceCpuLimit: '{{$.inputs.parameters[''cpu'']}}', " +
				"resourceMemoryLimit: '{{$.inputs.parameters[''memory'']}}', " +
				"resourceCpuRequest: '{{$.inputs.parameters[''number'']}}', " +
				"resourceMemoryRequest: '{{$.inputs.parameters[''part'']}}', " +
				"accelerator: {resourceType: '{{$.inputs.parameters[''missing'']}}', resourceCount: '1'}}",
			want:             "{containers: [{name: main, resources: {limits: {cpu: 500m}, requests: {cpu: '2'}}}]}",
			runtimeResources: "main limits.memory, main requests.memory, main limits",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r Run
			dag := startRun(t, &r, `{"whose": "ours", "none": null, "cores": "500m"}`)
			p := podPatch(t, &r, dag, test.task, test.component, test.container, test.config)
			var want corev1.PodSpec
			if err := yaml.UnmarshalStrict([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			got, _ := json.Marshal(p.Spec)
			expected, _ := json.Marshal(want)
			if string(got) != string(expected) {
				t.Errorf("patch\n  %s\nwant\n  %s", got, expected)
			}
			var runtimeResources []string
			for _, r := range p.RuntimeResources {
				runtimeResources = append(runtimeResources, r.Container+" "+r.Resource)
			}
			if strings.Join(runtimeResources, ", ") != test.runtimeResources {
				t.Errorf("runtime resources: %v, want %v", runtimeResources, test.runtimeResources)
			}
		})
	}
}
