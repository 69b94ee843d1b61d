package validators

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// partialFacts is a cluster that gives no answer to some questions.
type partialFacts struct {
	State
	unreadable  string // the kind that can't be read
	version string // of Kubernetes; not known if empty
}

func (p *partialFacts) ForRule(string) Facts { return p }

var errUnreadable = errors.New("nobody answers")

func (p *partialFacts) ServerVersion() (string, error) {
	if p.version == "" {
		return "", errUnreadable
	}
	return p.version, nil
}

func (p *partialFacts) PriorityClasses() ([]schedulingv1.PriorityClass, error) {
	if p.unreadable == "PriorityClass" {
		return nil, errUnreadable
	}
	return p.State.PriorityClasses()
}

func (p *partialFacts) ResourceQuotas(namespace string) ([]corev1.ResourceQuota, error) {
	if p.unreadable == "ResourceQuota" {
		return nil, errUnreadable
	}
	return p.State.ResourceQuotas(namespace)
}

func (p *partialFacts) LimitRanges(namespace string) ([]corev1.LimitRange, error) {
	if p.unreadable == "LimitRange" {
		return nil, errUnreadable
	}
	return p.State.LimitRanges(namespace)
}

// summarize is what the rules say, as short as it gets.
func summarize(findings []Finding) string {
	var out []string
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%s %s", f.Certainty, f.Rule))
	}
	return strings.Join(out, ", ")
}

func TestProfileQuotaLookups(t *testing.T) {
	const classless = "{hard: {cpu: 1}, scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: DoesNotExist}]}}"
	for name, test := range map[string]struct {
		unread   string
		quota    string // the ResourceQuota that there is
		old, new string
		want     string
	}{
		"LimitRanges unread":              {unread: "LimitRange", new: "{hard: {cpu: 1}}", want: "unknown profile-quota-compute"},
		"LimitRanges unread, unasked":     {unread: "LimitRange", new: "{hard: {pods: 1}}"},
		"PriorityClasses unread":          {unread: "PriorityClass", new: classless, want: "possible profile-quota-compute"},
		"PriorityClasses read":            {new: classless, want: "certain profile-quota-compute"},
		"BestEffort has no cpu":           {new: "{hard: {cpu: 1}, scopes: [BestEffort]}", want: "certain profile-quota-invalid"},
		"scopes change, quota unread":     {unread: "ResourceQuota", old: "{hard: {pods: 1}}", new: "{hard: {pods: 1}, scopes: [Terminating]}", want: "unknown profile-quota-invalid"},
		"scopes change":                   {quota: "{spec: {hard: {pods: 1}}}", old: "{hard: {pods: 1}}", new: "{hard: {pods: 1}, scopes: [Terminating]}", want: "certain profile-quota-invalid"},
		"scopes change, quota on its way": {quota: "{metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}, spec: {hard: {pods: 1}}}", old: "{hard: {pods: 1}}", new: "{hard: {pods: 1}, scopes: [Terminating]}"},
		"corrected":                       {old: "{hard: {cpu: 1, gpu: 1}}", new: "{hard: {cpu: 1}}", want: "certain profile-quota-compute"},
		"corrected, cpu was in force":     {quota: "{spec: {hard: {cpu: 1}}}", old: "{hard: {cpu: 1, gpu: 1}}", new: "{hard: {cpu: 1}}", want: ""},
		"as wrong as before":              {old: "{hard: {cpu: 1, gpu: 1}}", new: "{hard: {cpu: 1, gpu: 1, pods: 5}}"},
		"corrected, quota unread":         {unread: "ResourceQuota", old: "{hard: {cpu: 1, gpu: 1}}", new: "{hard: {cpu: 1}}", want: "unknown profile-quota-compute"},
	} {
		t.Run(name, func(t *testing.T) {
			facts := &partialFacts{State: State{Complete: true}, unreadable: test.unread}
			if test.quota != "" {
				var q corev1.ResourceQuota
				decode(t, []byte(test.quota), &q)
				q.TypeMeta, q.Name, q.Namespace = metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"}, ProfileQuota, "team-a"
				text, err := sigsyaml.Marshal(q)
				if err == nil {
					err = facts.Add(text, "")
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			change := ProfileChange{New: newProfile(t, test.new)}
			if test.old != "" {
				change.Old = newProfile(t, test.old)
			}
			if got := summarize(JudgeProfile(change, facts, func(string) bool { return true })); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func newProfile(t *testing.T, spec string) *Profile {
	t.Helper()
	p := &Profile{ObjectMeta: metav1.ObjectMeta{Name: "team-a"}}
	decode(t, []byte(spec), &p.Spec.ResourceQuotaSpec)
	return p
}

func TestWorkflowQuotaLookups(t *testing.T) {
	const whole = `podSpecPatch: '{"resources": {"requests": {"cpu": "100m"}}}', container: {image: a, resources: {requests: {cpu: 1}}}`
	for name, test := range map[string]struct {
		unread, version string
		spec, template  string
		scopes, deleted string
		quotas          int
		want            string
	}{
		"resources of the pod are dropped":      {version: "v1.33.5-gke.1", template: whole},
		"resources of the pod count":            {version: "v1.34.0", template: whole, want: "certain workflow-quota-compute"},
		"resources of the pod, version unknown": {template: whole, want: "possible workflow-quota-compute"},
		"PriorityClasses unread":                {unread: "PriorityClass", template: "container: {image: a}", quotas: 1, scopes: "[{scopeName: PriorityClass, operator: NotIn, values: [low]}]", want: "possible workflow-quota-compute"},
		"PriorityClasses unread, one is named":  {unread: "PriorityClass", spec: "podPriorityClassName: high,", template: "container: {image: a}", quotas: 1, scopes: "[{scopeName: PriorityClass, operator: In, values: [high]}]", want: "certain workflow-quota-compute"},
		"quotas unread":                         {unread: "ResourceQuota", template: "container: {image: a}", quotas: 1, want: "unknown workflow-quota-compute"},
		"a quota that is being deleted":         {template: "container: {image: a}", quotas: 1, deleted: ", deletionTimestamp: '2026-01-01T00:00:00Z'"},
		"LimitRanges unread":                    {unread: "LimitRange", template: "container: {image: a}", quotas: 1, want: "unknown workflow-quota-compute"},
		"more than anybody reads":               {template: "container: {image: a}", quotas: 22, want: strings.Repeat("certain workflow-quota-compute, ", 20) + "unknown workflow-quota-compute"},
	} {
		t.Run(name, func(t *testing.T) {
			facts := &partialFacts{State: State{Complete: true}, unreadable: test.unread, version: test.version}
			for i := range test.quotas {
				q := fmt.Sprintf("{apiVersion: v1, kind: ResourceQuota, metadata: {name: q%d, namespace: team-a%s}, spec: {hard: {cpu: 1}, scopeSelector: {matchExpressions: %s}}}", i, test.deleted, test.scopes)
				if err := facts.Add([]byte(q), ""); err != nil {
					t.Fatal(err)
				}
			}
			wf, err := forecast.DecodeYAML[wfv1.Workflow]([]byte("{metadata: {name: a, namespace: team-a}, spec: {entrypoint: main, " + test.spec + " templates: [{name: main, " + test.template + "}]}}"))
			if err != nil {
				t.Fatal(err)
			}
			got := summarize(JudgeWorkflow(wf, facts, Options{}, func(rule string) bool { return rule == WorkflowQuotaCompute }))
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
