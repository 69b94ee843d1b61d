package transcript

import (
	"reflect"
	"testing"
)

func TestParse(t *testing.T) {
	page := "Words.\n\n```\n$ first a\nprinted\n...\nlast\n$ second\n```\n\n`dir/file.yaml`:\n\n```yaml\na: 1\n```\n\n```\nno command\n```\n"
	want := []Step{
		{Command: "first a", Output: "printed\n...\nlast\n"},
		{Command: "second"},
		{File: "dir/file.yaml", Text: "a: 1\n"},
	}
	if got := Parse(page); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

func TestShows(t *testing.T) {
	step := Step{Output: "first (a) ...\n...\nlast\n"}
	for printed, want := range map[string]bool{
		"first (a) b\nmore\nlast\n": true, "before\nfirst (a) \nlast\nafter\n": true, "first (a) b\n": false, "last\nfirst (a) b\n": false,
		"": false, "not first (a) b\nlast\n": false, "first (a) b\nlast but one\n": false,
	} {
		if got := step.Matches(printed); got != want {
			t.Errorf("Matches(%q) = %v", printed, got)
		}
	}
	if !(Step{}).Matches("anything") {
		t.Error("a step without expected output must match any output")
	}
}
