package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestDeploymentMatchesFlags compares the shipped Deployment with the flags of the program: its arguments are valid, and its ports and
// volumes are those that the program uses by default.
func TestDeploymentMatchesFlags(t *testing.T) {
	text, err := os.ReadFile("../../manifests/base/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var deployment appsv1.Deployment
	if err := yaml.UnmarshalStrict(text, &deployment); err != nil {
		t.Fatal(err)
	}
	container := deployment.Spec.Template.Spec.Containers[0]
	cmd, rest, err := newRootCommand().Find(container.Args)
	if err != nil || cmd.Name() != "serve" {
		t.Fatalf("%v: %v", container.Args, err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Fatal(err)
	}
	for port, flag := range map[string]string{"webhook": "webhook-address", "metrics": "metrics-address", "probes": "probe-address"} {
		want := cmd.Flag(flag).Value.String()
		_, number, err := net.SplitHostPort(want)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, p := range container.Ports {
			found = found || p.Name == port && fmt.Sprint(p.ContainerPort) == number
		}
		if !found {
			t.Errorf("no port %s at %s: %v", port, want, container.Ports)
		}
	}
	if mount := container.VolumeMounts[0].MountPath; mount != cmd.Flag("tls-dir").Value.String() {
		t.Errorf("the certificate is mounted at %s", mount)
	}
	if dir, mount := filepath.Dir(cmd.Flag("config").Value.String()), container.VolumeMounts[1].MountPath; dir != mount {
		t.Errorf("the program reads the configuration in %s, but it is mounted at %s", dir, mount)
	}
}

// TestShippedConfig reads the configuration of the shipped ConfigMap.
func TestShippedConfig(t *testing.T) {
	text, err := os.ReadFile("../../manifests/base/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var shipped corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &shipped); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(shipped.Data["config.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	defaults, _, err := run(t, "", "serve", "--print-config")
	if err != nil {
		t.Fatal(err)
	}
	if out, _, err := run(t, "", "serve", "--print-config", "--config", file); err != nil || out != defaults {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.WriteFile(file, []byte(shipped.Data["config.yaml"]+"possible: off\nunchecked: never\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := file + `: unchecked: Unsupported value: "never"`
	if _, _, err := run(t, "", "serve", "--config", file); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("serve starts with an invalid configuration: %v", err)
	}
}

func TestServeRejects(t *testing.T) {
	for args, want := range map[string]string{
		"serve --log-level loud":       `--log-level must be debug, info or error, not "loud"`,
		"serve --kubeconfig /nowhere":  "set --kubeconfig",
		"serve now":                    `unknown command "now"`,
		"sevre":                        "Did you mean this?\n\tserve",
		"serve --webhook-adress :9443": "unknown flag: --webhook-adress",
		"serve --kubeconfig " + unreachableKubeconfig(t) + " --webhook-address 9443": "missing port in address",
	} {
		root := newRootCommand()
		root.SetArgs(strings.Fields(args))
		if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
}

// unreachableKubeconfig writes the kubeconfig of a cluster that does not exist.
func unreachableKubeconfig(t *testing.T) string {
	file := t.TempDir() + "/kubeconfig"
	const text = `{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a}}],
		clusters: [{name: a, cluster: {server: "http://127.0.0.1:1"}}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
