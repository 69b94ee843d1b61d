package lookup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kfp-preflight/kfp-preflight/webhook/decodecost"
)

// lookup is one GET request and how to decode its response.
type lookup struct {
	// resource is the value of the metrics' label.
	resource string
	path     []string
	// form distinguishes lookups with the same path.
	form string
	// kind and name of the expected object; empty where the response is not an object. A response with status 200 and anything else is
	// an error: it may come from a proxy in the API server's place, and must not be taken for an object without fields.
	kind metav1.TypeMeta
	name string
	// decode returns the value in a response. The value must not refer to the bytes of raw, which are wiped.
	decode func(raw []byte) (any, error)
	// wholeObject says that the answer holds the whole object, and counts with its size. For such a lookup, "not found" is cached, too.
	wholeObject bool
	// satisfied reports whether a value can't be the reason for a finding. If nil, any value can.
	satisfied func(value any) bool
}

// key identifies the lookup. Lookups with equal keys have the same answer.
func (l lookup) key() string { return l.form + ":" + strings.Join(l.path, "/") }

// apiPath is the path of a resource, in a namespace if one is given. rest begins with the resource's plural name and may end with
// an object's name.
func apiPath(kind metav1.TypeMeta, namespace string, rest ...string) []string {
	path := []string{"apis", kind.APIVersion}
	if kind.APIVersion == "v1" {
		path[0] = "api"
	}
	if namespace != "" {
		path = append(path, "namespaces", namespace)
	}
	return append(path, rest...)
}

// answer is the API server's answer to a lookup.
type answer struct {
	value any
	// bytes is about how much memory value occupies.
	bytes int
	// notFound is set if the object does not exist.
	notFound error
}

// onlyMetadata is the kind of a response that has only an object's metadata.
var onlyMetadata = metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"}

// accept is the Accept header of the request.
func (l lookup) accept() string {
	if l.kind == onlyMetadata {
		return "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	}
	return "application/json"
}

// retry performs a lookup. It repeats a failed lookup with backoff if that may help and ctx leaves enough time. During backoff it does not
// count towards maxConcurrentCalls.
func (c *Client) retry(ctx context.Context, l lookup) (answer, error) {
	for backoff := 50 * time.Millisecond; ; backoff *= 2 {
		found, err := c.call(ctx, l)
		if err == nil || !retryable(err) {
			return found, err
		}
		wait := backoff
		if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
			wait = max(wait, time.Duration(seconds)*time.Second)
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait+backoff {
			return answer{}, err
		}
		select {
		case <-ctx.Done():
			return answer{}, err
		case <-time.After(wait):
		}
	}
}

// call performs a lookup once, as one of at most maxConcurrentCalls.
func (c *Client) call(ctx context.Context, l lookup) (answer, error) {
	if err := c.calls.Acquire(ctx, 1); err != nil {
		return answer{}, err
	}
	defer c.calls.Release(1)
	started := time.Now()
	defer func() { c.options.Metrics.durations.WithLabelValues(l.resource).Observe(time.Since(started).Seconds()) }()
	return c.get(ctx, l)
}

// get sends the request. The response is wiped once it is decoded: it may be a Secret, and even the metadata of a Secret can hold its
// values, in kubectl's last-applied annotation.
func (c *Client) get(ctx context.Context, l lookup) (answer, error) {
	body, err := c.api.Get().AbsPath(l.path...).SetHeader("Accept", l.accept()).MaxRetries(0).Stream(ctx)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = body.Close() }()
	raw, err := readBounded(body)
	defer clear(raw)
	if err != nil {
		return answer{}, err
	}
	return l.parse(raw)
}

// parse decodes a response.
func (l lookup) parse(raw []byte) (answer, error) {
	cost := decodecost.Of(raw)
	if err := cost.ExceedsLimits(); err != nil {
		return answer{}, &unreadableError{err}
	}
	if err := l.checkKind(raw); err != nil {
		return answer{}, &unreadableError{err}
	}
	value, err := l.decode(raw)
	if err != nil {
		return answer{}, &unreadableError{err}
	}
	found := answer{value: value}
	if l.wholeObject {
		found.bytes = cost.Bytes()
	}
	return found, nil
}

// checkKind returns an error if the response is not the expected object, or only a part of a list.
func (l lookup) checkKind(raw []byte) error {
	if l.kind == (metav1.TypeMeta{}) {
		return nil
	}
	var head struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        struct {
			Name     string `json:"name"`
			Continue string `json:"continue"`
		} `json:"metadata"`
	}
	if err := kjson.Unmarshal(raw, &head); err != nil {
		return err
	}
	if head.TypeMeta != l.kind || head.Metadata.Name != l.name {
		return fmt.Errorf("asked for %s %s '%s', got %.100q %.100q '%.253s'",
			l.kind.APIVersion, l.kind.Kind, l.name, head.APIVersion, head.Kind, head.Metadata.Name)
	}
	if head.Metadata.Continue != "" {
		return errors.New("the list is incomplete")
	}
	return nil
}

// maxResponse is the size limit of a response. The API server stores objects of up to 1.5 MiB; a list may be longer.
const maxResponse = 4 << 20

// readBounded reads a body into one buffer. When the buffer has to grow, the old one is wiped.
func readBounded(body io.Reader) ([]byte, error) {
	raw := make([]byte, 0, 16<<10)
	for {
		n, err := body.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+n]
		switch {
		case errors.Is(err, io.EOF):
			return raw, nil
		case err != nil:
			return raw, err
		case len(raw) == maxResponse:
			return raw, &unreadableError{fmt.Errorf("it has %d MiB or more", maxResponse>>20)}
		case len(raw) == cap(raw):
			grown := append(make([]byte, 0, 4*cap(raw)), raw...)
			clear(raw)
			raw = grown
		}
	}
}
