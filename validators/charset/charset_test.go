package charset

import "testing"

func TestParse(t *testing.T) {
	for _, name := range Names() {
		if c, err := Parse(name); err != nil || c.String() != name {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	if c, err := Parse("Latin1"); err != nil || c != Latin1 {
		t.Errorf("Latin1: %v, %v", c, err)
	}
	for _, name := range []string{"", "utf8", "cp1252"} {
		if _, err := Parse(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestStores(t *testing.T) {
	for text, want := range map[string][3]bool{ // UTF8MB3, Latin1, UTF8MB4
		"abc\n\x7f": {true, true, true},
		"éß\u00a0ÿ": {true, true, true},
		"€“”—šŒ":    {true, true, true},
		"č":         {true, false, true},
		"여기":        {true, false, true},
		"→✓₿":       {true, false, true},
		"\u0085":    {true, false, true},
		"\u0081":    {true, true, true},
		"\u2028":    {true, false, true},
		"\ufffd":    {true, false, true},
		"😀𠮷":        {false, false, true},
	} {
		for c, want := range want {
			for _, r := range text {
				if got := Charset(c).Stores(r); got != want {
					t.Errorf("%s stores %U: %v, want %v", Charset(c), r, got, want)
				}
			}
		}
	}
}
