// Package transcript extracts commands and their expected output from Markdown pages, so that tests can run the
// documentation.
package transcript

import (
	"regexp"
	"strings"
)

// Step is one step that the page tells its reader to do: run a command, or write a file.
type Step struct {
	// Command is a shell command. It is empty if the step writes a file.
	Command string
	// Output is the expected output. Three dots match the rest of a line or, on a line of their own, any
	// number of lines.
	Output string
	// File is the name of the file to write, and Text its content.
	File, Text string
}

// fence matches a fenced code block, together with a preceding paragraph such as "`values.yaml`:", which says that
// the block is the content of that file.
var fence = regexp.MustCompile("(?m)(?:^`([^`\n]+)`:\n\n)?^```[a-z]*\n((?s:.*?))^```$")

// Parse returns the steps of a Markdown page in order. A code block is a step if it is the content of a file, or if
// it starts with "$ "; each line that starts with "$ " is a command. Parse ignores all other blocks.
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
			command, output, _ := strings.Cut(part, "\n")
			if output != "" && !strings.HasSuffix(output, "\n") {
				output += "\n"
			}
			out = append(out, Step{Command: command, Output: output})
		}
	}
	return out
}

// Matches reports whether the output of the command contains the expected output, beginning at the start of a line.
func (s Step) Matches(output string) bool {
	pattern := regexp.QuoteMeta(s.Output)
	pattern = elidedLines.ReplaceAllString(pattern, "(?:.*\n)*?")
	pattern = elidedRest.ReplaceAllString(pattern, ".*")
	return regexp.MustCompile("(?m)^" + pattern).MatchString(output)
}

// Three dots in Output, as QuoteMeta leaves them.
var (
	elidedLines = regexp.MustCompile(`(?m)^\\.\\.\\.\n`)
	elidedRest  = regexp.MustCompile(`(?m)\\.\\.\\.$`)
)
