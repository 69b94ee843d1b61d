package webhook

import (
	"bytes"
	"fmt"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// decodeCost is what JSON costs to decode, found out before that is done. A few bytes can be many: each {} in a list of templates
// takes up half a KiB of memory, and templates within templates are decoded again at every level.
type decodeCost struct {
	depth, values int
	// hasArgoV4Fields says that there is a name that Argo's types don't have, which takes another way to be heeded.
	hasArgoV4Fields bool
}

// The bounds of what is decoded. A real Workflow has some thirty levels and, were it as large as the API server lets an object be,
// 1.5 MiB, up to about 86,000 values. As many as are allowed, all of the costliest kind, take up some 95 MiB.
const (
	maxDepth  = 128
	maxValues = 100_000
)

// estimate counts the levels and the values of JSON: one for each bracket that opens and each comma. A null counts twice, as {} in a
// list does: both take the space of whatever could be there.
func estimate(raw []byte) decodeCost {
	var w decodeCost
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			length := quoted(raw[i+1:])
			w.hasArgoV4Fields = w.hasArgoV4Fields || forecast.IsArgoV4Field(raw[i+1:min(i+1+length, len(raw))])
			i += length + 1
		case '{', '[':
			depth++
			w.depth = max(w.depth, depth)
			w.values++
		case '}', ']':
			depth--
		case ',', 'n':
			w.values++
		}
	}
	return w
}

// quoted is how long a text is up to the quote that ends it.
func quoted(raw []byte) int {
	for end := 0; ; end++ {
		next := bytes.IndexByte(raw[end:], '"')
		if next < 0 {
			return len(raw)
		}
		end += next
		escapes := 0
		for escapes < end && raw[end-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return end
		}
	}
}

// exceedsLimits says why the JSON is not to be decoded; nil if it may be.
func (w decodeCost) exceedsLimits() error {
	switch {
	case w.depth > maxDepth:
		return fmt.Errorf("it is nested %d levels deep, more than %d", w.depth, maxDepth)
	case w.values > maxValues:
		return fmt.Errorf("it has %d values, more than %d", w.values, maxValues)
	}
	return nil
}

// bytes is about how much memory JSON of a length takes up when it is decoded into the types of Argo, the costliest there are.
func (w decodeCost) bytes(length int) int { return length + 500*w.values }
