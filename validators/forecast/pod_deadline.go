package forecast

import (
	"strconv"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// hasUnknownDeadline reports whether the template has a deadline that is known only at run time.
func hasUnknownDeadline(t *wfv1.Template) bool {
	return HasTag(t.Timeout) || t.ActiveDeadlineSeconds != nil && HasTag(t.ActiveDeadlineSeconds.String())
}

// activeDeadline returns the pod's activeDeadlineSeconds: the template's own or the Workflow's,
// whichever is lower. It returns nil if neither is set, if the template's is known only at run
// time, or if a container pauses for debugging.
func activeDeadline(t *wfv1.Template, workflow *int64, main []corev1.Container) *int64 {
	for _, c := range main {
		for _, e := range c.Env {
			if e.Name == "ARGO_DEBUG_PAUSE_BEFORE" || e.Name == "ARGO_DEBUG_PAUSE_AFTER" {
				return nil
			}
		}
	}
	if t.ActiveDeadlineSeconds == nil {
		return workflow
	}
	own, err := strconv.ParseInt(t.ActiveDeadlineSeconds.String(), 10, 64)
	switch {
	case err != nil:
		return nil
	case workflow != nil && *workflow < own:
		return workflow
	}
	return &own
}

// timeoutSeconds returns the template's timeout in seconds, or nil if it has none or it is not
// known. A timeout overrides any other deadline.
func timeoutSeconds(t *wfv1.Template) (seconds *int64) {
	if t.Timeout == "" {
		return nil
	}
	d, err := time.ParseDuration(t.Timeout)
	if err != nil {
		return nil
	}
	whole := int64(d.Seconds())
	return &whole
}
