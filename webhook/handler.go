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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// kind is what the handler has to know of one kind of object.
type kind struct {
	group, name string
	// path on the webhook server, as the ValidatingWebhookConfiguration names it.
	path string
	// operations that are judged; others pass.
	operations []admissionv1.Operation
	// byNamespace says that the API server selects the mode by the namespace's label, and calls the path with the mode at its end.
	byNamespace bool
	// decode reads the object, and the old one on update, from a request.
	decode func(*admissionv1.AdmissionRequest) (subject, error)
	// decodeFast reads a whole review at once. Where it can't, decode can, or says why.
	decodeFast func(body []byte) (*admissionv1.AdmissionRequest, subject, error)
}

// paths are where reviews of this kind are taken, each with the ceiling that it stands for.
func (k kind) paths() map[string]validators.Mode {
	paths := map[string]validators.Mode{k.path: ""}
	if k.byNamespace {
		for _, mode := range validators.AllModes {
			paths[k.path+"/"+string(mode)] = mode
		}
	}
	return paths
}

// subject is an object under review.
type subject interface {
	object() metav1.Object
	// mode is what the object itself has as the mode of its namespace; empty if it has none. unknown is a value that is no mode.
	mode() (mode validators.Mode, unknown string)
	// pass returns why the object need not be judged; empty if it must be.
	pass() string
	// judge asks the rules that are on.
	judge(facts validators.Facts, config Config, on func(rule string) bool) []validators.Finding
}

// Why a review passes without being judged: values of the metric's label.
const (
	passOperation  = "operation"  // not one that is judged
	passExempt     = "exempt"     // by the configuration
	passKind       = "kind"       // not the kind of this path
	passDeleting   = "deleting"   // the object is on its way out
	passUnchanged  = "unchanged"  // nothing changed that rules look at
	passMode       = "mode"       // the namespace's label switches everything off
	passBusy       = "busy"       // other reviews take up all memory there is
	passUnreadable = "unreadable" // the object can't be decoded
	passTooLarge   = "too_large"  // the review is over our bound
	passPanic      = "panic"      // a bug of ours
)

// badBusy is why a request is turned away: it can't even be read, because others take up all memory there is.
const badBusy = "busy"

// handler answers the reviews of one kind.
type handler struct {
	kind    kind
	config  Config
	facts   *clusterFacts
	metrics *metrics
	limiter    memoryLimiter
	events  *events
	log     logr.Logger
}

// ServeHTTP answers one AdmissionReview. What is none gets a plain HTTP error, which the API server treats by the
// webhook's failurePolicy.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	h.metrics.inFlight.Inc()
	defer h.metrics.inFlight.Dec()
	// The server's contexts end when it is told to stop. What has come in is answered all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), timeLeft(r))
	defer cancel()
	buffer := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(buffer)
	body, done, err := h.read(ctx, w, r, buffer)
	defer done()
	var request *admissionv1.AdmissionRequest
	var object subject
	if err == nil {
		var done func()
		request, object, done, err = h.open(ctx, body)
		defer done()
	}
	var bad *badRequest
	if errors.As(err, &bad) {
		h.metrics.badRequests.WithLabelValues(bad.reason).Inc()
		h.log.Info("refused a request that is no AdmissionReview", "reason", bad.reason, "error", bad.Error())
		setWriteDeadline(w)
		http.Error(w, bad.Error(), bad.status)
		return
	}

	var a answer
	if err != nil {
		a.letThrough(passTooLarge, err)
	} else {
		a = h.review(ctx, request, object)
	}
	h.record(request, &a, time.Since(began))
	if err := writeReview(w, a.response(h.kind, request)); err != nil {
		h.log.Error(err, "the answer could not be sent", "uid", request.UID)
	}
}

// read reads a body when there is room for it, and gives up on one that comes in too slowly. done gives back the room.
func (h *handler) read(ctx context.Context, w http.ResponseWriter, r *http.Request, into *bytes.Buffer) (body []byte, done func(), err error) {
	size := r.ContentLength
	if size < 0 || size > maxBody {
		size = maxBody
	}
	done, err = h.limiter.bodies.Acquire(ctx, size)
	if err != nil {
		return nil, func() {}, &badRequest{http.StatusServiceUnavailable, badBusy, errors.New("too many reviews are under way")}
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = http.NewResponseController(w).SetReadDeadline(deadline) // what is no connection has none
	}
	body, err = readBody(r, into)
	return body, done, err
}

// review is the journey of one object: decode, pass, judge, judge again if what was found stands on what is not so any more, decide.
// The object may have come with the request.
func (h *handler) review(ctx context.Context, req *admissionv1.AdmissionRequest, object subject) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			h.log.Error(fmt.Errorf("%v", p), "panic", "uid", req.UID, "stack", string(debug.Stack()))
			a = answer{}
			a.letThrough(passPanic, errors.New("a bug in kfp-preflight; see its log"))
		}
	}()
	if req.SubResource != "" || !slices.Contains(h.kind.operations, req.Operation) {
		return answer{passed: passOperation}
	}
	if h.config.Exempt.exempts(req) {
		return answer{passed: passExempt}
	}
	if req.Kind.Group != h.kind.group || req.Kind.Kind != h.kind.name {
		a.letThrough(passKind, fmt.Errorf("path %s judges %s.%s, not %s.%s: correct the rules of the ValidatingWebhookConfiguration",
			h.kind.path, h.kind.name, h.kind.group, req.Kind.Kind, req.Kind.Group))
		return a
	}
	if object == nil {
		w := estimate(req.Object.Raw)
		if err := w.exceedsLimits(); err != nil {
			a.letThrough(passUnreadable, fmt.Errorf("the %s can't be decoded: %w", h.kind.name, err))
			return a
		}
		done, err := h.limiter.objects.Acquire(ctx, int64(w.bytes(len(req.Object.Raw))))
		if err != nil {
			a.letThrough(passBusy, errors.New("too many large reviews are under way"))
			return a
		}
		defer done()
		if object, err = h.kind.decode(req); err != nil {
			a.letThrough(passUnreadable, fmt.Errorf("the %s can't be decoded: %w", h.kind.name, err))
			return a
		}
	}
	if why := object.pass(); why != "" {
		return answer{passed: why}
	}

	mode, unknownMode := object.mode()
	policy := h.config.Under(mode)
	if policy.Ceiling == validators.Off {
		return answer{passed: passMode}
	}
	if unknownMode != "" {
		a.remark("label %s is '%.100s', which is none of deny, warn, audit and off, and counts for nothing", validators.ModeLabel, unknownMode)
	}
	if !h.config.IgnoreSkips {
		var unknown []string
		if a.skipped, unknown = validators.Skipped(object.object().GetAnnotations()); len(unknown) > 0 {
			a.remark("annotation %s names no rule with '%.200s'; the rules are %s",
				validators.SkipAnnotation, strings.Join(unknown, "', '"), strings.Join(validators.RuleIDs(), ", "))
		}
	}
	on := func(rule string) bool { return policy.On(rule) && !slices.Contains(a.skipped, rule) }
	ctx, cancel := context.WithTimeout(ctx, h.config.Lookups.Timeout.Duration)
	defer cancel()
	facts := h.facts.open(ctx)
	findings := object.judge(facts, h.config, on)
	for len(findings) > 0 && facts.refresh(rulesOf(findings)) {
		findings = object.judge(facts, h.config, on)
	}
	a.decide(policy, findings)
	return a
}

func rulesOf(findings []validators.Finding) (rules []string) {
	for _, f := range findings {
		if !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	return rules
}

// record is the one place that counts, logs and tells of reviews.
func (h *handler) record(req *admissionv1.AdmissionRequest, a *answer, took time.Duration) {
	h.metrics.observe(h.kind, req, a, took)
	if h.config.Events {
		h.events.tell(h.kind, req, a)
	}
	if len(a.findings) == 0 && a.trouble == nil && !h.log.V(1).Enabled() {
		return // nothing to say, which is nearly always, need not be put together
	}
	log := h.log.WithValues("uid", req.UID, "kind", h.kind.name, "operation", req.Operation,
		"namespace", req.Namespace, "name", req.Name, "user", req.UserInfo.Username)
	switch {
	case a.denied():
		log.Info("denied", "rules", a.rules(validators.Deny), "message", a.message(), "dryRun", req.DryRun != nil && *req.DryRun)
	case len(a.with(validators.Audit)) > 0:
		log.Info("audited", "rules", a.rules(validators.Audit), "message", a.line(validators.Audit))
	case a.trouble != nil:
		log.Error(a.trouble, "let through unchecked", "reason", a.passed)
	case len(a.findings) > 0:
		log.V(1).Info("let through", "warnings", strings.Join(a.warnings(), " | "))
	default:
		log.V(1).Info("let through", "passed", a.passed)
	}
}
