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

// runProgram runs the command line as the ServiceAccount of the shipped audit, and returns what it printed and its exit code.
func runProgram(t *testing.T, args ...string) (out, trouble string, code int) {
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

// auditKubeconfig installs the component for audits, and lets its ServiceAccount in.
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

// TestAudit fills a namespace with more than one page of objects past the webhook and has the shipped ServiceAccount judge them.
func TestAudit(t *testing.T) {
	const namespace, templates = "audited", 230
	kubeconfig := auditKubeconfig(t)
	ensureNamespace(t, namespace)
	ensureNamespace(t, "not-"+namespace)
	workflow := func(name, of, secret string) *unstructured.Unstructured {
		o := parseObject(t, fmt.Sprintf(workflowWithSecret, of, secret, "key"))
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
		others := []*unstructured.Unstructured{
			parseObject(t, fmt.Sprintf(badProfile, namespace)), parseObject(t, fmt.Sprintf(badProfile, "not-"+namespace)),
			workflow("waits", namespace, "nowhere"), workflow("elsewhere", "not-"+namespace, "nowhere"), ended, cron,
		}
		for i := range templates {
			template := workflow(fmt.Sprintf("template-%d", i), namespace, "nowhere")
			template.SetKind("WorkflowTemplate")
			if i > 0 {
				template.SetAnnotations(nil)
				template.Object["spec"] = map[string]any{"entrypoint": "main", "templates": []any{map[string]any{"name": "main", "suspend": map[string]any{}}}}
			}
			others = append(others, template)
		}
		for _, o := range others {
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

	out, trouble, code := runProgram(t, "audit", "--kubeconfig", kubeconfig, "-n", namespace, "-o", "json")
	var report struct {
		Objects []struct {
			Kind, Namespace, Name string
			Denied                bool
		}
		Errors  []string
		Summary map[string]int
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, trouble)
	}
	var denied []string
	for _, o := range report.Objects {
		if o.Denied {
			denied = append(denied, o.Kind+" "+o.Name)
		}
	}
	if want := []string{"Profile audited", "CronWorkflow nightly", "Workflow waits", "WorkflowTemplate template-0"}; !slices.Equal(denied, want) {
		t.Errorf("denied are %v, want %v", denied, want)
	}
	if code != 1 || trouble != "" || len(report.Errors) > 0 || report.Summary["judged"] != templates+3 {
		t.Errorf("exit code %d, errors %v, summary %v\n%s", code, report.Errors, report.Summary, trouble)
	}

	out, trouble, code = runProgram(t, "audit", "--kubeconfig", kubeconfig)
	if code != 1 || trouble != "" || !strings.Contains(out, "\nnot-audited ") || !strings.Contains(out, "NAMESPACE") {
		t.Errorf("exit code %d\n%s\n%s", code, out, trouble)
	}

	// The label of the namespace counts, for the Workflows in it, and who is exempt is left out.
	labelled := &corev1.Namespace{}
	if err := env.admin.Get(t.Context(), client.ObjectKey{Name: namespace}, labelled); err != nil {
		t.Fatal(err)
	}
	labelled.Labels[validators.ModeLabel] = "warn"
	if err := env.admin.Update(t.Context(), labelled); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("{apiVersion: kfp-preflight.dev/v1alpha1, kind: Configuration, exempt: {namespaces: [not-audited]}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, trouble, code = runProgram(t, "audit", "--kubeconfig", kubeconfig, "--config", config)
	if code != 1 || trouble != "" || strings.Contains(out, "\nnot-audited ") || strings.Count(out, "would be denied") > 2 {
		t.Errorf("exit code %d\n%s\n%s", code, out, trouble)
	}

	// Without the permissions it says what it could not do.
	out, trouble, code = runProgram(t, "audit", "--kubeconfig", filepath.Join(env.cluster.Dir, "webhook.kubeconfig"))
	if code != 2 || !strings.Contains(trouble, "workflows could not be listed: ") {
		t.Errorf("exit code %d\n%s\n%s", code, out, trouble)
	}

	// The same cluster, asked about a file.
	file := filepath.Join(t.TempDir(), "run.yaml")
	if err := os.WriteFile(file, []byte(fmt.Sprintf(workflowWithSecret, namespace, "nowhere", "key")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, trouble, code = runProgram(t, "check", "--kubeconfig", kubeconfig, "-f", file)
	if code != 1 || !strings.Contains(out, "has no Secret 'nowhere'") {
		t.Errorf("exit code %d\n%s\n%s", code, out, trouble)
	}
}

// TestAuditCronJob holds the CronJob to the types of Kubernetes, and to the ServiceAccount that has its permissions.
func TestAuditCronJob(t *testing.T) {
	var job batchv1.CronJob
	if err := yaml.UnmarshalStrict([]byte(read(t, "../../manifests/components/audit/cronjob.yaml")), &job); err != nil {
		t.Fatal(err)
	}
	if pod := job.Spec.JobTemplate.Spec.Template.Spec; pod.ServiceAccountName != "kfp-preflight-audit" || pod.Containers[0].Args[0] != "audit" || pod.Volumes[0].ConfigMap.Name != "kfp-preflight" {
		t.Errorf("%+v", pod)
	}
	if err := env.admin.Create(t.Context(), &job); err != nil {
		t.Error(err)
	}
}
