package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook/decodecost"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
)

// handler answers the reviews of one kind.
type handler struct {
	kind    kind
	config  Config
	lookups *lookup.Client
	metrics *metrics
	limiter memoryLimiter
	events  *events
	log     logr.Logger
}

// ServeHTTP answers one AdmissionReview. A request that is not an AdmissionReview gets a plain HTTP error, which the API server
// handles according to the webhook's failurePolicy.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	h.metrics.inFlight.Inc()
	defer h.metrics.inFlight.Dec()
	// The request's own context ends when the server shuts down, but a review that has arrived must be answered.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), timeLeft(r))
	defer cancel()
	buffer := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(buffer)
	body, release, err := h.readBody(ctx, w, r, buffer)
	defer release()
	var request *admissionv1.AdmissionRequest
	var object subject
	if err == nil {
		var release func()
		request, object, release, err = h.decodeReview(ctx, body)
		defer release()
	}
	var bad *badRequest
	if errors.As(err, &bad) {
		h.rejectRequest(w, bad)
		return
	}

	var a answer
	if err != nil {
		a.allowUnchecked(passTooLarge, err)
	} else {
		a = h.review(ctx, request, object)
	}
	h.record(request, &a, time.Since(started))
	if err := writeReview(w, a.response(h.kind, request)); err != nil {
		h.log.Error(err, "could not send the answer", "uid", request.UID)
	}
}

// readBody waits for memory and reads the body, which must arrive before ctx ends. The caller must call release, which frees the memory.
func (h *handler) readBody(
	ctx context.Context, w http.ResponseWriter, r *http.Request, into *bytes.Buffer,
) (body []byte, release func(), err error) {
	size := r.ContentLength
	if size < 0 || size > maxBody {
		size = maxBody
	}
	release, err = h.limiter.bodies.Acquire(ctx, size)
	if err != nil {
		return nil, func() {}, &badRequest{http.StatusServiceUnavailable, badBusy, errors.New("too many reviews are in progress")}
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = http.NewResponseController(w).SetReadDeadline(deadline) // a test's writer has no connection
	}
	body, err = readBody(r, into)
	return body, release, err
}

// rejectRequest answers a request that is not an AdmissionReview.
func (h *handler) rejectRequest(w http.ResponseWriter, bad *badRequest) {
	h.metrics.badRequests.WithLabelValues(bad.reason).Inc()
	h.log.Info("rejected a request that is not an AdmissionReview", "reason", bad.reason, "error", bad.Error())
	setWriteDeadline(w)
	http.Error(w, bad.Error(), bad.status)
}

// review judges one object and returns the answer. object is nil unless it was decoded together with the review.
func (h *handler) review(ctx context.Context, req *admissionv1.AdmissionRequest, object subject) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			h.log.Error(fmt.Errorf("%v", p), "panic", "uid", req.UID, "stack", string(debug.Stack()))
			a = answer{}
			a.allowUnchecked(passPanic, errors.New("a bug in kfp-preflight; see its log"))
		}
	}()
	if passed, err := h.screen(req); passed != "" {
		return answer{passed: passed, failure: err}
	}
	if object == nil {
		decoded, release, passed, err := h.decodeObject(ctx, req)
		if err != nil {
			return answer{passed: passed, failure: err}
		}
		defer release()
		object = decoded
	}
	if passed := object.passReason(); passed != "" {
		return answer{passed: passed}
	}
	policy := h.policy(object, &a)
	if h.config.WarnOnly.selects(req) {
		policy = policy.AtMost(validators.Warn)
	}
	if policy.Ceiling == validators.Off {
		return answer{passed: passMode}
	}
	enabled := func(rule string) bool { return policy.On(rule) && !slices.Contains(a.skipped, rule) }
	a.decide(policy, h.judge(ctx, object, policy, enabled))
	return a
}

// screen returns the reason for admitting a request without looking at its object; empty if there is none. The error is set if the
// webhook is misconfigured.
func (h *handler) screen(req *admissionv1.AdmissionRequest) (passed string, err error) {
	switch {
	case req.SubResource != "" || !slices.Contains(h.kind.operations, req.Operation):
		return passOperation, nil
	case h.config.Exempt.exempts(req):
		return passExempt, nil
	case req.Kind.Group != h.kind.group || req.Kind.Kind != h.kind.name:
		return passKind, fmt.Errorf("path %s judges %s.%s, not %s.%s: correct the rules of the ValidatingWebhookConfiguration",
			h.kind.path, h.kind.name, h.kind.group, req.Kind.Kind, req.Kind.Group)
	}
	return "", nil
}

// decodeObject waits for memory and decodes the object of a request. The caller must call release, which frees the memory, unless there
// is an error; then passed is the reason for admitting the object.
func (h *handler) decodeObject(
	ctx context.Context, req *admissionv1.AdmissionRequest,
) (object subject, release func(), passed string, err error) {
	cost := decodecost.Of(req.Object.Raw)
	if err := cost.ExceedsLimits(); err != nil {
		return nil, nil, passUnreadable, fmt.Errorf("the %s can't be decoded: %w", h.kind.name, err)
	}
	release, err = h.limiter.objects.Acquire(ctx, int64(cost.Bytes()))
	if err != nil {
		return nil, nil, passBusy, errors.New("too many large reviews are in progress")
	}
	if object, err = h.kind.decode(req); err != nil {
		release()
		return nil, nil, passUnreadable, fmt.Errorf("the %s can't be decoded: %w", h.kind.name, err)
	}
	return object, release, "", nil
}

// policy returns the policy for an object. It adds to the answer which rules the object's annotation skips, and warnings about labels and
// annotations that the user has to correct.
func (h *handler) policy(object subject, a *answer) validators.Policy {
	mode, unknownMode := object.mode()
	if unknownMode != "" {
		a.addWarning("label %s is '%.100s', which is none of deny, warn, audit and off, and is ignored", validators.ModeLabel, unknownMode)
	}
	if !h.config.IgnoreSkips {
		var unknown []string
		if a.skipped, unknown = validators.Skipped(object.object().GetAnnotations()); len(unknown) > 0 {
			a.addWarning("annotation %s has '%.200s', which is not a rule; the rules are %s",
				validators.SkipAnnotation, strings.Join(unknown, "', '"), strings.Join(validators.RuleIDs(), ", "))
		}
	}
	return h.config.Under(mode)
}

// judge applies the enabled rules to an object. While a finding may be based on stale facts, it refreshes them and judges the
// object again. If so configured, the API server confirms what would be denied.
func (h *handler) judge(
	ctx context.Context, object subject, policy validators.Policy, enabled func(rule string) bool,
) []validators.Finding {
	ctx, cancel := context.WithTimeout(ctx, h.config.Lookups.Timeout.Duration)
	defer cancel()
	session := h.lookups.NewSession(ctx)
	findings := object.judge(session.Facts(), h.config, enabled)
	for len(findings) > 0 && session.Refresh(rulesOf(findings)) {
		findings = object.judge(session.Facts(), h.config, enabled)
	}
	if h.config.Confirm == ConfirmByDryRun {
		denies := func(f validators.Finding) bool { return policy.Effect(f) == validators.Deny }
		findings = session.Confirm(object.object().GetNamespace(), findings, denies)
	}
	return findings
}

// rulesOf returns the IDs of the rules that have findings, each once.
func rulesOf(findings []validators.Finding) (rules []string) {
	for _, f := range findings {
		if !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	return rules
}

// record counts and logs a review, and records Events. Nothing else does.
func (h *handler) record(req *admissionv1.AdmissionRequest, a *answer, took time.Duration) {
	h.metrics.observe(h.kind, req, a, took)
	if h.config.Events {
		h.events.record(h.kind, req, a)
	}
	if len(a.findings) == 0 && a.failure == nil && !h.log.V(1).Enabled() {
		return // nothing to log, as for nearly all reviews
	}
	log := h.log.WithValues("uid", req.UID, "kind", h.kind.name, "operation", req.Operation,
		"namespace", req.Namespace, "name", req.Name, "user", req.UserInfo.Username)
	switch {
	case a.denied():
		log.Info("denied", "rules", a.rules(validators.Deny), "message", a.message(), "dryRun", isDryRun(req))
	case len(a.withEffect(validators.Audit)) > 0:
		log.Info("audited", "rules", a.rules(validators.Audit), "message", a.joinMessages(validators.Audit))
	case a.failure != nil:
		log.Error(a.failure, "admitted unchecked", "reason", a.passed)
	case len(a.findings) > 0:
		log.V(1).Info("admitted", "warnings", strings.Join(a.warnings(), " | "))
	default:
		log.V(1).Info("admitted", "passed", a.passed)
	}
}
