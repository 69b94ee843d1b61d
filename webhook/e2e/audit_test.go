package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
	"github.com/kfp-preflight/kfp-preflight/validators"
)

// runProgram builds and runs kfp-preflight, and returns its output and exit code.
func runProgram(t *testing.T, args ...string) (out, errOut string, code int) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "kfp-preflight")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/kfp-preflight").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), code
}

// auditKubeconfig creates the RBAC objects of the component audit, and returns a kubeconfig for its ServiceAccount.
func auditKubeconfig(t *testing.T) string {
	t.Helper()
	text := read(t, "../../manifests/components/audit/rbac.yaml")
	documents, err := cluster.Documents([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents {
		o := decode(t, document)
		if err := env.admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = env.admin.Delete(context.Background(), o) })
	}
	kubeconfig, err := env.cluster.Kubeconfig(t.Context(), "kfp-preflight-audit")
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// TestAudit creates more than one page of objects without the webhook, and audits them with the shipped ServiceAccount.
func TestAudit(t *testing.T) {
	const namespace, templates = "audited", 230
	kubeconfig := auditKubeconfig(t)
	ensureNamespace(t, namespace)
	ensureNamespace(t, "not-"+namespace)
	workflow := func(name, namespace, secret string) *unstructured.Unstructured {
		o := parseObject(t, fmt.Sprintf(workflowWithSecret, namespace, secret, "key"))
		o.SetGenerateName("")
		o.SetName(name)
		return o
	}
	ended := workflow("ended", namespace, "nowhere")
	ended.SetLabels(map[string]string{"workflows.argoproj.io/completed": "true"})
	cron := workflow("nightly", namespace, "nowhere")
	cron.SetKind("CronWorkflow")
	cron.Object["spec"] = map[string]any{"schedules": []any{"0 3 * * *"}, "workflowSpec": cron.Object["spec"]}
	withoutWebhook(t, func() {
		objects := []*unstructured.Unstructured{
			parseObject(t, fmt.Sprintf(badProfile, namespace)), parseObject(t, fmt.Sprintf(badProfile, "not-"+namespace)),
			workflow("waits", namespace, "nowhere"), workflow("elsewhere", "not-"+namespace, "nowhere"), ended, cron,
		}
		for i := range templates {
			template := workflow(fmt.Sprintf("template-%d", i), namespace, "nowhere")
			template.SetKind("WorkflowTemplate")
			if i > 0 {
				template.SetAnnotations(nil)
				suspend := map[string]any{"name": "main", "suspend": map[string]any{}}
				template.Object["spec"] = map[string]any{"entrypoint": "main", "templates": []any{suspend}}
			}
			objects = append(objects, template)
		}
		for _, o := range objects {
			if err := env.admin.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Cleanup(func() {
		for _, name := range []string{namespace, "not-" + namespace} {
			_ = env.admin.Delete(context.Background(), parseObject(t, fmt.Sprintf(badProfile, name)))
		}
	})

	out, errOut, code := runProgram(t, "audit", "--kubeconfig", kubeconfig, "-n", namespace, "-o", "json")
	var report struct {
		Objects []struct {
			Kind, Namespace, Name string
			Denied                bool
		}
		Errors  []string
		Summary map[string]int
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, errOut)
	}
	var denied []string
	for _, o := range report.Objects {
		if o.Denied {
			denied = append(denied, o.Kind+" "+o.Name)
		}
	}
	want := []string{"Profile audited", "CronWorkflow nightly", "Workflow waits", "WorkflowTemplate template-0"}
	if !slices.Equal(denied, want) {
		t.Errorf("denied %v, want %v", denied, want)
	}
	if code != 1 || errOut != "" || len(report.Errors) > 0 || report.Summary["judged"] != templates+3 {
		t.Errorf("exit code %d, errors %v, summary %v\n%s", code, report.Errors, report.Summary, errOut)
	}

	out, errOut, code = runProgram(t, "audit", "--kubeconfig", kubeconfig)
	if code != 1 || errOut != "" || !strings.Contains(out, "\nnot-audited ") || !strings.Contains(out, "NAMESPACE") {
		t.Errorf("exit code %d\n%s\n%s", code, out, errOut)
	}

	// The audit respects the mode of the namespace and the exemptions of the configuration.
	labelled := &corev1.Namespace{}
	if err := env.admin.Get(t.Context(), client.ObjectKey{Name: namespace}, labelled); err != nil {
		t.Fatal(err)
	}
	labelled.Labels[validators.ModeLabel] = "warn"
	if err := env.admin.Update(t.Context(), labelled); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := "{apiVersion: kfp-preflight.dev/v1alpha1, kind: Configuration, exempt: {namespaces: [not-audited]}}"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, code = runProgram(t, "audit", "--kubeconfig", kubeconfig, "--config", config)
	if code != 1 || errOut != "" || strings.Contains(out, "\nnot-audited ") || strings.Count(out, "would be denied") > 2 {
		t.Errorf("exit code %d\n%s\n%s", code, out, errOut)
	}

	// Without permissions, the audit reports what it could not list.
	out, errOut, code = runProgram(t, "audit", "--kubeconfig", filepath.Join(env.cluster.Dir, "webhook.kubeconfig"))
	if code != 2 || !strings.Contains(errOut, "workflows could not be listed: ") {
		t.Errorf("exit code %d\n%s\n%s", code, out, errOut)
	}

	// check evaluates a file against the same cluster.
	file := filepath.Join(t.TempDir(), "run.yaml")
	if err := os.WriteFile(file, []byte(fmt.Sprintf(workflowWithSecret, namespace, "nowhere", "key")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, code = runProgram(t, "check", "--kubeconfig", kubeconfig, "-f", file)
	if code != 1 || !strings.Contains(out, "create Secret 'nowhere'") {
		t.Errorf("exit code %d\n%s\n%s", code, out, errOut)
	}
}

// TestAuditCronJob checks the fields of the shipped CronJob, and that it uses the ServiceAccount of the audit.
func TestAuditCronJob(t *testing.T) {
	var job batchv1.CronJob
	if err := yaml.UnmarshalStrict([]byte(read(t, "../../manifests/components/audit/cronjob.yaml")), &job); err != nil {
		t.Fatal(err)
	}
	if pod := job.Spec.JobTemplate.Spec.Template.Spec; pod.ServiceAccountName != "kfp-preflight-audit" ||
		pod.Containers[0].Args[0] != "audit" || pod.Volumes[0].ConfigMap.Name != "kfp-preflight" {
		t.Errorf("the pod is %+v", pod)
	}
	if err := env.admin.Create(t.Context(), &job); err != nil {
		t.Error(err)
	}
}
