package webhook

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
)

// lookup is something that the API server is asked.
type lookup struct {
	// resource is what it is about, as a label of metrics.
	resource string
	path     []string
	// form tells apart the questions that lead to the same path.
	form string
	// kind and name of what has to come back. Anything else that comes with a 200 is no answer: something may stand in the API
	// server's place, and what it says must not be taken for an object that lacks everything. Empty for what is no object.
	kind metav1.TypeMeta
	name string
	// decode makes the answer of JSON, of which it must not hold on to a byte.
	decode func(raw []byte) (any, error)
	// whole says that the answer holds all that the JSON holds. That there is no such object is remembered then, too.
	whole bool
	// satisfied says of an answer that nothing can be held against an object for its sake; nil if something can for any.
	satisfied func(answer any) bool
}

// key stands for the question: equal keys, equal answers.
func (q lookup) key() string { return q.form + ":" + strings.Join(q.path, "/") }

// apiPath is the path of a resource of the API, in a namespace if there is one, and in it of an object if that is named.
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

// fact is an answer of the API server, and about how many bytes of memory it takes up.
type fact struct {
	answer any
	bytes  int
	// absent is the error that says that the object is not there.
	absent error
}

// onlyMetadata is the kind of an object without what it holds.
var onlyMetadata = metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"}

// accept is how the answer is to be written.
func (q lookup) accept() string {
	if q.kind == onlyMetadata {
		return "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	}
	return "application/json"
}

// lookup reads the answer to a question, again where that may help and there is time for it. Nobody's place is taken up by waiting.
func (c *clusterFacts) lookup(ctx context.Context, q lookup) (fact, error) {
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		found, err := c.call(ctx, q)
		if err == nil || !retryable(err) {
			return found, err
		}
		wait := pause
		if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
			wait = max(wait, time.Duration(seconds)*time.Second)
		}
		if end, ok := ctx.Deadline(); ok && time.Until(end) < wait+pause {
			return fact{}, err
		}
		select {
		case <-ctx.Done():
			return fact{}, err
		case <-time.After(wait):
		}
	}
}

// call reads the answer when there is room for it.
func (c *clusterFacts) call(ctx context.Context, q lookup) (fact, error) {
	if err := c.calls.Acquire(ctx, 1); err != nil {
		return fact{}, err
	}
	defer c.calls.Release(1)
	began := time.Now()
	defer func() { c.metrics.lookups.WithLabelValues(q.resource).Observe(time.Since(began).Seconds()) }()
	return c.read(ctx, q)
}

// read does one GET. What has come in is wiped when it is understood: it may be a Secret, and even the metadata of one can hold its
// values, in kubectl's annotation of what was applied last.
func (c *clusterFacts) read(ctx context.Context, q lookup) (fact, error) {
	body, err := c.client.Get().AbsPath(q.path...).SetHeader("Accept", q.accept()).MaxRetries(0).Stream(ctx)
	if err != nil {
		return fact{}, err
	}
	defer func() { _ = body.Close() }()
	raw, err := readBounded(body)
	defer clear(raw)
	if err != nil {
		return fact{}, err
	}
	return q.understand(raw)
}

// understand makes the answer of what came back.
func (q lookup) understand(raw []byte) (fact, error) {
	w := estimate(raw)
	if err := w.exceedsLimits(); err != nil {
		return fact{}, &unreadable{err}
	}
	if err := q.check(raw); err != nil {
		return fact{}, &unreadable{err}
	}
	answer, err := q.decode(raw)
	if err != nil {
		return fact{}, &unreadable{err}
	}
	found := fact{answer: answer}
	if q.whole {
		found.bytes = w.bytes(len(raw))
	}
	return found, nil
}

// check says what came back if that is not what was asked for.
func (q lookup) check(raw []byte) error {
	if q.kind == (metav1.TypeMeta{}) {
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
	if head.TypeMeta != q.kind || head.Metadata.Name != q.name {
		return fmt.Errorf("asked for %s %s '%s', got %.100q %.100q '%.253s'",
			q.kind.APIVersion, q.kind.Kind, q.name, head.APIVersion, head.Kind, head.Metadata.Name)
	}
	if head.Metadata.Continue != "" {
		return errors.New("the list is not whole")
	}
	return nil
}

// maxRead bounds the memory of a lookup. The API server keeps objects of up to 1.5 MiB; a list may be longer.
const maxRead = 4 << 20

// readBounded reads a body into one buffer. Where the buffer has to grow, nothing is left in the one that it had before.
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
		case len(raw) == maxRead:
			return raw, &unreadable{fmt.Errorf("it has %d MiB or more", maxRead>>20)}
		case len(raw) == cap(raw):
			grown := append(make([]byte, 0, 4*cap(raw)), raw...)
			clear(raw)
			raw = grown
		}
	}
}
