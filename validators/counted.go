package validators

import (
	"slices"

	"github.com/kfp-preflight/kfp-preflight/validators/quota"
)

// countedNames are the names of a quota for which containers have no value, and the field of a LimitRange that gives it to
// them.
func countedNames(missing []quota.Missing) (names []string, defaults string) {
	defaults = "defaultRequest"
	for _, m := range missing {
		names = append(names, string(m.Resource))
		if quota.IsLimit(m.Resource) {
			defaults = "default" // which also gives the request
		}
	}
	return names, defaults
}

// computeNames are the plain resources, cpu and memory, behind names such as limits.cpu.
func computeNames(missing []quota.Missing) []string {
	var out []string
	for _, m := range missing {
		out = append(out, string(quota.ComputeResource(m.Resource)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
