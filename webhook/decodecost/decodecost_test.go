package decodecost

import "testing"

// TestOf estimates documents with strings that look like JSON, and incomplete documents.
func TestOf(t *testing.T) {
	for text, want := range map[string]Estimate{
		`{}`:                              {Depth: 1, Values: 1},
		`{"a":[1,{"b":null}]}`:            {Depth: 3, Values: 5},
		`"a`:                              {},
		`"a\`:                             {},
		`{"a":"\"{{,[","b":"\\"}`:         {Depth: 1, Values: 2},
		`{"a":"x\\\"[","b":"\\\\",",":1}`: {Depth: 1, Values: 3},
		`{"plugin":1}`:                    {Depth: 1, Values: 1, HasArgoV4Fields: true},
		`{"a":"podResources"}`:            {Depth: 1, Values: 1, HasArgoV4Fields: true},
		`{"plugins":1}`:                   {Depth: 1, Values: 1},
	} {
		want.length = len(text)
		if got := Of([]byte(text)); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}
