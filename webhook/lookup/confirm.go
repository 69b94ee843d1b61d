package lookup

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// Results of a dry run: values of the metric's label.
const (
	dryRunRefused  = "refused"  // the API server refuses the pod, as the rule says
	dryRunAdmitted = "admitted" // the API server admits the pod: the rule is wrong in this cluster
	dryRunFailed   = "failed"   // the dry run gave no answer
)

// Confirm confirms findings about pods that the API server refuses: it creates each pod in a dry run, which all admission plugins and
// webhooks of the cluster take part in. If the API server refuses the pod, the finding stands and quotes the refusal. If it admits the
// pod, the finding is dropped, counted and logged. If the dry run gives no answer, the finding becomes possible. Confirm leaves
// findings alone for which wanted returns false.
func (s *Session) Confirm(namespace string, findings []validators.Finding, wanted func(validators.Finding) bool) []validators.Finding {
	verdicts := make([]dryRunVerdict, len(findings))
	dryRuns := map[string]*sync.Once{} // by pod as JSON: findings about equal pods share a dry run
	shared := map[string]*dryRunVerdict{}
	podJSON := make([]string, len(findings))
	for i, f := range findings {
		if f.Pod == nil || !wanted(f) {
			continue
		}
		raw, err := json.Marshal(f.Pod)
		if err != nil {
			continue
		}
		podJSON[i] = string(raw)
		if dryRuns[podJSON[i]] == nil {
			dryRuns[podJSON[i]], shared[podJSON[i]] = &sync.Once{}, &dryRunVerdict{}
		}
	}
	var group errgroup.Group
	group.SetLimit(maxConcurrentPerSession)
	for i, f := range findings {
		if podJSON[i] == "" {
			continue
		}
		group.Go(func() error {
			dryRuns[podJSON[i]].Do(func() { *shared[podJSON[i]] = s.dryRun(namespace, f.Pod) })
			verdicts[i] = *shared[podJSON[i]]
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	var out []validators.Finding
	for i, f := range findings {
		v := verdicts[i]
		if v.result != "" {
			s.client.options.Metrics.dryRuns.WithLabelValues(f.Rule, v.result).Inc()
		}
		switch v.result {
		case dryRunAdmitted:
			s.client.options.Log.Info("the API server admits a pod that a rule says it refuses",
				"rule", f.Rule, "namespace", namespace, "message", f.Message())
			continue
		case dryRunFailed:
			f.Certainty = min(f.Certainty, validators.Possible)
			f.Outcome += fmt.Sprintf(". The API server was not asked: %v", v.err)
		case dryRunRefused:
			f.Outcome = fmt.Sprintf("The API server refuses the pod: '%s'", v.message)
		}
		out = append(out, f)
	}
	return out
}

// dryRunVerdict is the outcome of a dry run.
type dryRunVerdict struct {
	result  string
	message string // of a refusal
	err     error  // of a failure, worded for the user
}

// maxRefusal bounds how much of a refusal is quoted, in bytes.
const maxRefusal = 300

// dryRun creates a pod in a dry run. A refusal because a quota is used up is temporary and counts as admitted.
func (s *Session) dryRun(namespace string, pod *corev1.Pod) dryRunVerdict {
	c := s.client
	if err := c.calls.Acquire(s.ctx, 1); err != nil {
		return dryRunVerdict{result: dryRunFailed, err: s.reportFailure("pods", err)}
	}
	defer c.calls.Release(1)
	started := time.Now()
	defer func() { c.options.Metrics.durations.WithLabelValues("pods").Observe(time.Since(started).Seconds()) }()
	err := c.api.Post().AbsPath(apiPath(coreKind("Pod"), namespace, "pods")...).Param("dryRun", "All").
		Body(pod).MaxRetries(0).Do(s.ctx).Error()
	if err == nil {
		return dryRunVerdict{result: dryRunAdmitted}
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return dryRunVerdict{result: dryRunFailed, err: s.reportFailure("pods", err)}
	}
	message := status.Status().Message
	switch {
	case strings.Contains(message, "exceeded quota: "):
		return dryRunVerdict{result: dryRunAdmitted}
	case isRefusal(status, pod.Name):
		return dryRunVerdict{result: dryRunRefused, message: shortenRefusal(message, pod.Name)}
	}
	return dryRunVerdict{result: dryRunFailed, err: s.reportFailure("pods", err)}
}

// isRefusal reports whether an error is about the pod itself. Missing permissions, webhooks that don't support dry runs and an
// overloaded API server are not.
func isRefusal(status apierrors.APIStatus, name string) bool {
	s := status.Status()
	switch {
	case strings.Contains(s.Message, "cannot create resource \"pods\""), strings.Contains(s.Message, "does not support dry run"),
		strings.Contains(s.Message, "failed calling webhook"):
		return false
	case strings.Contains(s.Message, " denied the request"): // a webhook, with any code
		return true
	}
	return s.Code == http.StatusUnprocessableEntity || s.Code == http.StatusForbidden && s.Details != nil && s.Details.Name == name
}

// shortenRefusal returns the message without the pod's name, which means nothing to the user.
func shortenRefusal(message, name string) string {
	for _, prefix := range []string{fmt.Sprintf("pods %q is forbidden: ", name), fmt.Sprintf("Pod %q is invalid: ", name)} {
		message = strings.TrimPrefix(message, prefix)
	}
	if len(message) > maxRefusal {
		message = message[:maxRefusal] + "..."
	}
	return message
}
