package validators

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	sigsyaml "sigs.k8s.io/yaml"
)

// TestProfileQuotaFacts judges Profiles by both rules about quotas, also where facts can't be read.
func TestProfileQuotaFacts(t *testing.T) {
	const (
		classless     = "{hard: {cpu: 1}, scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: DoesNotExist}]}}"
		pods          = "{hard: {pods: 1}}"
		scoped        = "{hard: {pods: 1}, scopes: [Terminating]}"
		withWrongName = "{hard: {cpu: 1, gpu: 1}}"
		corrected     = "{hard: {cpu: 1}}"
	)
	for name, test := range map[string]struct {
		unreadable string
		existing   string // the existing ResourceQuota
		old, new   string
		want       string
	}{
		"LimitRanges unreadable":             {unreadable: "LimitRange", new: "{hard: {cpu: 1}}", want: "unknown profile-quota-compute"},
		"LimitRanges unreadable, not needed": {unreadable: "LimitRange", new: pods},
		"PriorityClasses unreadable":         {unreadable: "PriorityClass", new: classless, want: "possible profile-quota-compute"},
		"PriorityClasses readable":           {new: classless, want: "certain profile-quota-compute"},
		"BestEffort can't limit cpu":         {new: "{hard: {cpu: 1}, scopes: [BestEffort]}", want: "certain profile-quota-invalid"},
		"scopes change, quota unreadable":    {unreadable: "ResourceQuota", old: pods, new: scoped, want: "unknown profile-quota-invalid"},
		"scopes change":                      {existing: "{spec: " + pods + "}", old: pods, new: scoped, want: "certain profile-quota-invalid"},
		"scopes change, quota being deleted": {
			existing: "{metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}, spec: {hard: {pods: 1}}}", old: pods, new: scoped,
		},
		"corrected":                         {old: withWrongName, new: corrected, want: "certain profile-quota-compute"},
		"corrected, cpu was limited before": {existing: "{spec: {hard: {cpu: 1}}}", old: withWrongName, new: corrected},
		"corrected, existing quota unreadable": {
			unreadable: "ResourceQuota", old: withWrongName, new: corrected, want: "unknown profile-quota-compute",
		},
		"as invalid as before": {old: withWrongName, new: "{hard: {cpu: 1, gpu: 1, pods: 5}}"},
	} {
		t.Run(name, func(t *testing.T) {
			facts := &partialFacts{State: State{Complete: true}, unreadable: test.unreadable}
			if test.existing != "" {
				var q corev1.ResourceQuota
				decode(t, []byte(test.existing), &q)
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
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// newProfile returns a Profile team-a with this resourceQuotaSpec.
func newProfile(t *testing.T, spec string) *Profile {
	t.Helper()
	p := &Profile{ObjectMeta: metav1.ObjectMeta{Name: "team-a"}}
	decode(t, []byte(spec), &p.Spec.ResourceQuotaSpec)
	return p
}
