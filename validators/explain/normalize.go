package explain

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pasted is a text as patterns see it.
type pasted struct {
	// text has no white space and no escapes, and all its quotes are single ones.
	text string
	// shown is the same, offset by offset, with the quotes that were there.
	shown string
	// gaps has the white space that stood before each offset.
	gaps []gap
}

// gap is the white space before a character. The larger wins where two meet.
type gap byte

const (
	none gap = iota
	space
	newLine
)

var terminalControl = regexp.MustCompile("\x1b(?:\\[[0-9;?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?)")

// read prepares a text for matching. Reading what was read changes nothing.
func read(raw string) pasted {
	raw = strings.ReplaceAll(terminalControl.ReplaceAllString(raw, ""), "\r\n", "\n")
	r := reader{shown: make([]byte, 0, len(raw)), gaps: make([]gap, 0, len(raw))}
	lines := strings.Split(raw, "\n")
	width := terminalWidth(lines)
	for i, line := range lines {
		for _, c := range line {
			r.add(c)
		}
		if i < len(lines)-1 && utf8.RuneCountInString(line) != width {
			r.add('\n')
		}
	}
	shown := string(r.shown)
	return pasted{text: strings.NewReplacer(`"`, `'`, "`", `'`).Replace(shown), shown: shown, gaps: r.gaps}
}

// terminalWidth is the length of the lines that a terminal has broken, so that a word goes on in the next one: the
// longest lines, if there are several of them. Zero if no line was broken.
func terminalWidth(lines []string) int {
	const usual, least = 80, 40
	longest, count := 0, 0
	for _, line := range lines {
		switch n := utf8.RuneCountInString(line); {
		case n > longest:
			longest, count = n, 1
		case n == longest:
			count++
		}
	}
	if longest == usual || longest >= least && count > 1 {
		return longest
	}
	return 0
}

// reader undoes escapes while it reads: whenever the end of what it has read is a whole escape, it puts the character
// that is meant in its place, and looks again. So any depth of escaping comes undone in one pass.
type reader struct {
	shown []byte
	gaps  []gap
	gap   gap
}

var entities = map[string]rune{
	"&quot;": '"', "&#34;": '"', "&#x22;": '"', "&apos;": '\'', "&#39;": '\'', "&#x27;": '\'',
	"&amp;": '&', "&lt;": '<', "&gt;": '>', "&nbsp;": ' ',
}

func (r *reader) add(c rune) {
	switch {
	case c == '\n' || c == '\r':
		r.gap = newLine
		return
	case unicode.IsSpace(c):
		r.gap = max(r.gap, space)
		return
	case !unicode.IsPrint(c):
		return // nothing that could steer a terminal gets any further
	}
	r.shown = utf8.AppendRune(r.shown, straight(c))
	r.gaps = append(r.gaps, r.gap)
	for r.gap = none; len(r.gaps) < len(r.shown); {
		r.gaps = append(r.gaps, none)
	}
	if length, meant, ok := escapeAtEnd(r.shown); ok {
		start := len(r.shown) - length
		r.gap = max(r.gap, r.gaps[start])
		r.shown, r.gaps = r.shown[:start], r.gaps[:start]
		r.add(meant)
	}
}

// straight undoes what word processors and chats make of quotes.
func straight(c rune) rune {
	switch c {
	case '\u201c', '\u201d', '\u201e':
		return '"'
	case '\u2018', '\u2019', '\u201a':
		return '\''
	}
	return c
}

// escapeAtEnd returns the length of the escape at the end of text, and the character that it stands for.
func escapeAtEnd(text []byte) (length int, meant rune, ok bool) {
	n := len(text)
	last := text[n-1]
	if n >= 2 && text[n-2] == '\\' {
		switch last {
		case '\\', '"', '\'', '`', '/':
			return 2, rune(last), true
		case 'n', 'r':
			return 2, '\n', true
		case 't':
			return 2, ' ', true
		}
	}
	if n >= 6 && text[n-6] == '\\' && text[n-5] == 'u' {
		var c rune
		for _, digit := range text[n-4:] {
			value := strings.IndexByte("0123456789abcdef", digit|0x20)
			if value < 0 {
				return 0, 0, false
			}
			c = c<<4 | rune(value)
		}
		return 6, c, true
	}
	if last == ';' {
		if start := strings.LastIndexByte(string(text[max(0, n-6):]), '&'); start >= 0 {
			entity := text[max(0, n-6)+start:]
			c, known := entities[string(entity)]
			return len(entity), c, known
		}
	}
	return 0, 0, false
}

// value is what stood between two offsets. A value whose end is certain is whole, so only a terminal can have broken its
// line. Otherwise a value of several words ends where its line does, and any other at the first white space.
func (p pasted) value(start, end int, whole, words bool) string {
	var out strings.Builder
	for i := start; i < end; i++ {
		switch before := p.gaps[i]; {
		case i == start || before == none || whole && before == newLine:
		case (whole || words) && before == space:
			out.WriteByte(' ')
		default:
			return out.String()
		}
		out.WriteByte(p.shown[i])
	}
	return out.String()
}
