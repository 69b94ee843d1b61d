package quota

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestSuggest(t *testing.T) {
	operators := []string{"DoesNotExist", "Exists", "In", "NotIn"}
	for name, test := range map[string]struct {
		name  string
		known []string // those of quotas, if none
		want  string
	}{
		"a capital instead of a dot":          {name: "requestsCpu", want: "requests.cpu"},
		"an underscore instead of a dot":      {name: "limits_memory", want: "limits.memory"},
		"a dash instead of a dot":             {name: "requests-storage", want: "requests.storage"},
		"a dot instead of a dash":             {name: "ephemeral.storage", want: "ephemeral-storage"},
		"the other case":                      {name: "CPU", want: "cpu"},
		"a space too many":                    {name: " memory ", want: "memory"},
		"one instead of many":                 {name: "pod", want: "pods"},
		"many instead of one":                 {name: "requests.cpus", want: "requests.cpu"},
		"request instead of requests":         {name: "request.cpu", want: "requests.cpu"},
		"limit instead of limits":             {name: "limit.memory", want: "limits.memory"},
		"a shorter word":                      {name: "mem", want: "memory"},
		"a shorter word behind a prefix":      {name: "requests.mem", want: "requests.memory"},
		"another word behind another prefix":  {name: "limits.ram", want: "limits.memory"},
		"no prefix goes before what has none": {name: "requests.cm", want: ""},
		"what has no limit":                   {name: "limits.storage", want: "requests.storage"},
		"storage alone":                       {name: "storage", want: "requests.storage"},
		"a GPU without its maker":             {name: "gpu", want: "requests.nvidia.com/gpu"},
		"a GPU of requests without its maker": {name: "requestsGpu", want: "requests.nvidia.com/gpu"},
		"claims for short":                    {name: "pvc", want: "persistentvolumeclaims"},
		"huge pages have no limits":           {name: "limits.hugepages-2Mi", want: "hugepages-2Mi"},
		"a qualified name in the other case":  {name: "Requests.nvidia.com/gpu", want: "requests.nvidia.com/gpu"},
		"limits that are not counted":         {name: "Limits.nvidia.com/gpu", want: "requests.nvidia.com/gpu"},
		"a qualified name that can't be":      {name: "a b/c", want: ""},
		"nothing like it":                     {name: "whatever", want: ""},
		"nothing at all":                      {name: "", want: ""},
		"a scope in the other case":           {name: "bestEffort", known: []string{"BestEffort", "NotBestEffort"}, want: "BestEffort"},
		"an operator in the other case":       {name: "notin", known: operators, want: "NotIn"},
		"an operator without its s":           {name: "Exist", known: operators, want: "Exists"},
	} {
		t.Run(name, func(t *testing.T) {
			known := test.known
			if known == nil {
				known = knownNames
			}
			if got := Suggest(test.name, known); got != test.want {
				t.Errorf("%q for %q, want %q", got, test.name, test.want)
			}
		})
	}
}

// TestSuggestionsAreNames holds the suggestions to what a quota may have, and counts.
func TestSuggestionsAreNames(t *testing.T) {
	for name := range meant {
		got := Suggest(name, knownNames)
		if why := invalidForQuota(corev1.ResourceName(got)); len(why) > 0 || NeverCounted(corev1.ResourceName(got)) {
			t.Errorf("%q for %q, which no quota counts: %v", got, name, why)
		}
	}
}
