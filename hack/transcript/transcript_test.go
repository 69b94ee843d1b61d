package transcript

import (
	"reflect"
	"testing"
)

func TestParse(t *testing.T) {
	page := "Words.\n\n```\n$ first a\nprinted\n...\nlast\n$ second\n```\n\n`dir/file.yaml`:\n\n```yaml\na: 1\n```\n\n```\nno command\n```\n"
	want := []Step{
		{Command: "first a", Prints: "printed\n...\nlast\n"},
		{Command: "second"},
		{File: "dir/file.yaml", Text: "a: 1\n"},
	}
	if got := Parse(page); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

func TestMissing(t *testing.T) {
	step := Step{Prints: "printed\n...\nlast\n"}
	for printed, missing := range map[string]string{
		"printed\nmore\nlast\n": "", "before\nprinted\nlast\nafter\n": "", "printed\n": "last\n", "last\nprinted\n": "last\n", "": "printed\n",
	} {
		if got := step.Missing(printed); got != missing {
			t.Errorf("%q lacks %q, want %q", printed, got, missing)
		}
	}
}
