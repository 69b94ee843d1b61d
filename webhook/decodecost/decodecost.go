// Package decodecost estimates, before JSON is decoded, how much memory the decoded value will take.
//
// A few bytes of JSON can become a lot of memory: each {} in a list of Argo templates takes half a KiB, and nested templates are
// decoded again at every level.
package decodecost

import (
	"bytes"
	"fmt"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// Estimate is what one JSON document costs to decode.
type Estimate struct {
	// Depth is how deep arrays and objects are nested.
	Depth int
	// Values is an upper bound of the number of values.
	Values int
	// HasArgoV4Fields reports whether a name occurs that may be a field of Argo v4. Such objects are decoded by
	// [forecast.Decode], which keeps track of those fields.
	HasArgoV4Fields bool

	length int
}

// Limits of what is decoded. A real Workflow has some thirty levels. At 1.5 MiB, the most that the API server stores, it has up to
// about 86,000 values. MaxValues values of the most expensive kind take some 95 MiB.
const (
	MaxDepth  = 128
	MaxValues = 100_000
)

// Of estimates the cost of a JSON document without decoding it. It counts one value for each opening bracket and each comma. A null
// counts twice, like {} in a list: both take the space of a whole element. Input that is not JSON gets a meaningless
// estimate.
func Of(raw []byte) Estimate {
	e := Estimate{length: len(raw)}
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			length := stringLength(raw[i+1:])
			e.HasArgoV4Fields = e.HasArgoV4Fields || forecast.IsArgoV4Field(raw[i+1:min(i+1+length, len(raw))])
			i += length + 1
		case '{', '[':
			depth++
			e.Depth = max(e.Depth, depth)
			e.Values++
		case '}', ']':
			depth--
		case ',', 'n':
			e.Values++
		}
	}
	return e
}

// stringLength is the length of a JSON string up to its closing quote, given what follows the opening one.
func stringLength(raw []byte) int {
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

// ExceedsLimits returns an error that names the limit which the document exceeds, or nil.
func (e Estimate) ExceedsLimits() error {
	switch {
	case e.Depth > MaxDepth:
		return fmt.Errorf("it is nested %d levels deep, more than %d", e.Depth, MaxDepth)
	case e.Values > MaxValues:
		return fmt.Errorf("it has %d values, more than %d", e.Values, MaxValues)
	}
	return nil
}

// Bytes estimates the memory, in bytes, of the document decoded into Argo's types, the most expensive ones.
func (e Estimate) Bytes() int { return e.length + 500*e.Values }
