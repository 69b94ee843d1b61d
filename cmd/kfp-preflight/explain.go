package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kfp-preflight/kfp-preflight/validators/explain"
)

func newExplainCommand() *cobra.Command {
	var list bool
	var output string
	cmd := &cobra.Command{
		Use:   "explain [TEXT | ID | -]",
		Short: "Explain an error, and how to fix it",
		Long: `Explain which known failures an error contains, what they mean, how to check them, and how to fix them.

Paste the error as you have it: a Python traceback, an HTTP response, a message in the dashboard, an
event of a pod, or a line of a log. It may be escaped, wrapped or cut off, and contain several errors.
Without an argument, or with -, the command reads standard input. To read about a rule or a known
failure, pass its ID. The command needs no cluster.

The exit code is 0 if the error is known, 1 if it is not, and 2 if the command failed.`,
		Example: `  # Explain an error
  kfp-preflight explain 'failed quota: kf-resource-quota: must specify cpu,memory'

  # Explain the output of a program
  python3 run.py 2>&1 | kfp-preflight explain

  # Explain a rule
  kfp-preflight explain workflow-secret-missing

  # List all known failures and rules
  kfp-preflight explain --list`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("-o must be text or json, not %q", output)
			}
			catalogue, err := explain.Load()
			if err != nil {
				return err
			}
			if list {
				if len(args) > 0 {
					return errors.New("--list can't be combined with a text")
				}
				return listFailures(cmd.OutOrStdout(), catalogue, output)
			}
			text, err := textToExplain(cmd.InOrStdin(), args)
			if err != nil {
				return err
			}
			found := []explain.Explanation{}
			if byID, ok := catalogue.Find(strings.TrimSpace(text)); ok {
				found = append(found, byID)
			} else {
				found = append(found, catalogue.Explain(text)...)
			}
			if len(found) > 0 {
				return printExplanations(cmd.OutOrStdout(), found, nil, output)
			}
			if err := printExplanations(cmd.OutOrStdout(), found, catalogue.NextSteps(text), output); err != nil {
				return err
			}
			return exitCode(1)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			catalogue, err := explain.Load()
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var ids []string
			for _, s := range catalogue.List() {
				ids = append(ids, cobra.CompletionWithDesc(s.ID, s.Title))
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&list, "list", false, "list the known failures and the rules")
	flags.StringVarP(&output, "output", "o", "text", "output format: text or json")
	completeWith(cmd, "output", "text", "json")
	return cmd
}

// maxTextBytes bounds the text to explain. Errors are much shorter.
const maxTextBytes = 1 << 20

// textToExplain returns the text from the arguments or from standard input.
func textToExplain(stdin io.Reader, args []string) (string, error) {
	text := strings.Join(args, " ") // without quotes around the error, the shell splits it into several arguments
	if text == "" || text == "-" {
		if file, ok := stdin.(*os.File); ok && text == "" && term.IsTerminal(int(file.Fd())) {
			return "", errors.New("no text to explain: pass it as an argument in quotes, or on standard input " +
				"(to type it, pass - and end with Ctrl-D)")
		}
		read, err := io.ReadAll(io.LimitReader(stdin, maxTextBytes+1))
		if err != nil {
			return "", fmt.Errorf("standard input: %w", err)
		}
		text = string(read)
	}
	if len(text) > maxTextBytes {
		return "", fmt.Errorf("the text has more than %d bytes; pass only the part with the error", maxTextBytes)
	}
	if strings.TrimSpace(text) == "" {
		return "", errors.New("the text to explain is empty")
	}
	return text, nil
}

func listFailures(out io.Writer, catalogue *explain.Catalogue, output string) error {
	if output == "json" {
		return printJSON(out, catalogue.List())
	}
	for _, s := range catalogue.List() {
		if _, err := fmt.Fprintf(out, "%-28s %s\n", s.ID, s.Title); err != nil {
			return err
		}
	}
	return nil
}

func printExplanations(out io.Writer, found []explain.Explanation, next []explain.Step, output string) error {
	if output == "json" {
		return printJSON(out, struct {
			Failures []explain.Explanation `json:"failures"`
			Next     []explain.Step        `json:"next,omitempty"`
		}{found, next})
	}
	width := textWidth(out)
	var texts []string
	for _, e := range found {
		texts = append(texts, e.Text(width))
	}
	if len(found) == 0 {
		texts = append(texts, "kfp-preflight does not know this error.\n\n  What to do next\n"+explain.Steps(next, width))
	}
	_, err := io.WriteString(out, strings.Join(texts, "\n"))
	return err
}

// textWidth returns the width of the terminal, limited to a readable range.
func textWidth(out io.Writer) int {
	const maxWidth, minWidth = 100, 40
	if file, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			return min(max(width, minWidth), maxWidth)
		}
	}
	return maxWidth
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // commands contain < and >
	return encoder.Encode(value)
}
