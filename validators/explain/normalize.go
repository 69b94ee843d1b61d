package explain

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// normalizedText is a text that patterns can match.
type normalizedText struct {
	// compact has no white space and no escapes, and only single quotes.
	compact string
	// original is the same as compact, byte by byte, but with the original quotes.
	original string
	// whitespace is the white space that was before each byte.
	whitespace []whitespace
}

// whitespace is the white space before a character. Where two meet, the larger value wins.
type whitespace byte

const (
	noWhitespace whitespace = iota
	spaceBefore
	newlineBefore
)

var terminalControl = regexp.MustCompile("\x1b(?:\\[[0-9;?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?)")

// normalize prepares a text for matching. It is idempotent.
func normalize(raw string) normalizedText {
	raw = strings.ReplaceAll(terminalControl.ReplaceAllString(raw, ""), "\r\n", "\n")
	n := normalizer{out: make([]byte, 0, len(raw)), whitespace: make([]whitespace, 0, len(raw))}
	lines := strings.Split(raw, "\n")
	width := terminalWidth(lines)
	for i, line := range lines {
		for _, c := range line {
			n.add(c)
		}
		if i < len(lines)-1 && utf8.RuneCountInString(line) != width {
			n.add('\n')
		}
	}
	original := string(n.out)
	compact := strings.NewReplacer(`"`, `'`, "`", `'`).Replace(original)
	return normalizedText{compact: compact, original: original, whitespace: n.whitespace}
}

// terminalWidth returns the width at which a terminal has wrapped the lines, so that a word continues
// on the next line. It is the length of the longest lines, if there are several of them, or 0 if no
// line was wrapped.
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

// normalizer undoes escapes as it goes. As soon as its output ends with a complete escape, it replaces
// the escape by the character that it stands for, and checks again. So it undoes any depth of escaping
// in one pass.
type normalizer struct {
	out        []byte
	whitespace []whitespace
	// pending is the white space since the last character of out.
	pending whitespace
}

var entities = map[string]rune{
	"&quot;": '"', "&#34;": '"', "&#x22;": '"', "&apos;": '\'', "&#39;": '\'', "&#x27;": '\'',
	"&amp;": '&', "&lt;": '<', "&gt;": '>', "&nbsp;": ' ',
}

func (n *normalizer) add(c rune) {
	switch {
	case c == '\n' || c == '\r':
		n.pending = newlineBefore
		return
	case unicode.IsSpace(c):
		n.pending = max(n.pending, spaceBefore)
		return
	case !unicode.IsPrint(c):
		return // drops everything that could control a terminal
	}
	n.out = utf8.AppendRune(n.out, straightQuote(c))
	n.whitespace = append(n.whitespace, n.pending)
	for n.pending = noWhitespace; len(n.whitespace) < len(n.out); {
		n.whitespace = append(n.whitespace, noWhitespace)
	}
	if length, char, ok := escapeAtEnd(n.out); ok {
		start := len(n.out) - length
		n.pending = max(n.pending, n.whitespace[start])
		n.out, n.whitespace = n.out[:start], n.whitespace[:start]
		n.add(char)
	}
}

// straightQuote replaces typographic quotes, which word processors and chat programs insert.
func straightQuote(c rune) rune {
	switch c {
	case '\u201c', '\u201d', '\u201e':
		return '"'
	case '\u2018', '\u2019', '\u201a':
		return '\''
	}
	return c
}

// escapeAtEnd returns the length of the escape at the end of text, and the character that it stands for.
func escapeAtEnd(text []byte) (length int, char rune, ok bool) {
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

// value returns the original text between two offsets. If the end of the value is certain, only a
// terminal can have broken its line, so the parts are joined. Otherwise a value ends at the end of its
// line or, unless it may have several words, at the first white space.
func (t normalizedText) value(start, end int, certainEnd, multiWord bool) string {
	var out strings.Builder
	for i := start; i < end; i++ {
		switch before := t.whitespace[i]; {
		case i == start || before == noWhitespace || certainEnd && before == newlineBefore:
		case (certainEnd || multiWord) && before == spaceBefore:
			out.WriteByte(' ')
		default:
			return out.String()
		}
		out.WriteByte(t.original[i])
	}
	return out.String()
}
