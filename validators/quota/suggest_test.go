package quota

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestSuggest(t *testing.T) {
	operators := []string{"DoesNotExist", "Exists", "In", "NotIn"}
	for name, test := range map[string]struct {
		name      string
		supported []string // nil means the resources of quotas
		want      string
	}{
		"a capital instead of a dot":               {name: "requestsCpu", want: "requests.cpu"},
		"an underscore instead of a dot":           {name: "limits_memory", want: "limits.memory"},
		"a dash instead of a dot":                  {name: "requests-storage", want: "requests.storage"},
		"a dot instead of a dash":                  {name: "ephemeral.storage", want: "ephemeral-storage"},
		"the wrong case":                           {name: "CPU", want: "cpu"},
		"surrounding spaces":                       {name: " memory ", want: "memory"},
		"singular instead of plural":               {name: "pod", want: "pods"},
		"plural instead of singular":               {name: "requests.cpus", want: "requests.cpu"},
		"request instead of requests":              {name: "request.cpu", want: "requests.cpu"},
		"limit instead of limits":                  {name: "limit.memory", want: "limits.memory"},
		"an abbreviation":                          {name: "mem", want: "memory"},
		"an abbreviation after a prefix":           {name: "requests.mem", want: "requests.memory"},
		"a synonym after a prefix":                 {name: "limits.ram", want: "limits.memory"},
		"a prefix that the resource does not take": {name: "requests.cm", want: ""},
		"a resource without limits":                {name: "limits.storage", want: "requests.storage"},
		"storage alone":                            {name: "storage", want: "requests.storage"},
		"a GPU without its vendor":                 {name: "gpu", want: "requests.nvidia.com/gpu"},
		"a request of a GPU without its vendor":    {name: "requestsGpu", want: "requests.nvidia.com/gpu"},
		"claims, abbreviated":                      {name: "pvc", want: "persistentvolumeclaims"},
		"huge pages have no limits":                {name: "limits.hugepages-2Mi", want: "hugepages-2Mi"},
		"a qualified name in the wrong case":       {name: "Requests.nvidia.com/gpu", want: "requests.nvidia.com/gpu"},
		"limits that are not counted":              {name: "Limits.nvidia.com/gpu", want: "requests.nvidia.com/gpu"},
		"a qualified name that is not valid":       {name: "a b/c", want: ""},
		"nothing similar":                          {name: "whatever", want: ""},
		"an empty name":                            {name: "", want: ""},
		"a scope in the wrong case":                {name: "bestEffort", supported: []string{"BestEffort", "NotBestEffort"}, want: "BestEffort"},
		"an operator in the wrong case":            {name: "notin", supported: operators, want: "NotIn"},
		"an operator without its s":                {name: "Exist", supported: operators, want: "Exists"},
	} {
		t.Run(name, func(t *testing.T) {
			supported := test.supported
			if supported == nil {
				supported = standardQuotaResources
			}
			if got := Suggest(test.name, supported); got != test.want {
				t.Errorf("%q for %q, want %q", got, test.name, test.want)
			}
		})
	}
}

// TestSuggestionsAreValid checks that a quota may have every suggested name, and counts something under it.
func TestSuggestionsAreValid(t *testing.T) {
	for name := range commonMistakes {
		got := Suggest(name, standardQuotaResources)
		if messages := validateQuotaResourceName(corev1.ResourceName(got)); len(messages) > 0 || NeverCounted(corev1.ResourceName(got)) {
			t.Errorf("%q for %q, which no quota counts: %v", got, name, messages)
		}
	}
}
