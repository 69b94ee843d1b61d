// Package transcript reads the commands that a page of documentation shows, with what they print, so that tests can run them.
package transcript

import (
	"regexp"
	"strings"
)

// Step is something that the reader of a page does: run a command, or write a file.
type Step struct {
	// Command is a line for a shell; empty for a file.
	Command string
	// Output is what the command prints. Three dots stand for the rest of a line or, on a line of their own, for any number of lines.
	Output string
	// File and Text are what to write where.
	File, Text string
}

// fence is a block of code. A line with nothing but a file's name before it says that it is the file's text.
var fence = regexp.MustCompile("(?m)(?:^`([^`\n]+)`:\n\n)?^```[a-z]*\n((?s:.*?))^```$")

// Parse returns the steps of a page in Markdown, in order. A block of code is a file's, or has commands after '$ ', or is neither and
// left out.
func Parse(page string) []Step {
	var out []Step
	for _, block := range fence.FindAllStringSubmatch(page, -1) {
		file, text := block[1], block[2]
		if file != "" {
			out = append(out, Step{File: file, Text: text})
			continue
		}
		if !strings.HasPrefix(text, "$ ") {
			continue
		}
		for part := range strings.SplitSeq(text[len("$ "):], "\n$ ") {
			command, prints, _ := strings.Cut(part, "\n")
			if prints != "" && !strings.HasSuffix(prints, "\n") {
				prints += "\n"
			}
			out = append(out, Step{Command: command, Output: prints})
		}
	}
	return out
}

// Matches reports whether what the page has is a part of what the command printed.
func (s Step) Matches(printed string) bool {
	pattern := regexp.QuoteMeta(s.Output)
	pattern = elidedLines.ReplaceAllString(pattern, "(?:.*\n)*?")
	pattern = elidedRest.ReplaceAllString(pattern, ".*")
	return regexp.MustCompile("(?m)^" + pattern).MatchString(printed)
}

// Dots, quoted for a pattern.
var (
	elidedLines = regexp.MustCompile(`(?m)^\\.\\.\\.\n`)
	elidedRest  = regexp.MustCompile(`(?m)\\.\\.\\.$`)
)
