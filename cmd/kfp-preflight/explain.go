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

func newExplain() *cobra.Command {
	var list bool
	var output string
	cmd := &cobra.Command{
		Use:   "explain [TEXT | ID | -]",
		Short: "Say which known failure an error is, and what to do",
		Long: `Say which known failures an error shows, what they mean, how to check, and how to fix them.

The error may be pasted as it is: a whole Python traceback, the body of an HTTP response, what the dashboard says, an event
of a pod, a line of a log; escaped, wrapped, cut off, or several errors in one text. Without an argument, and with -, it is
read from standard input. The ID of a rule of kfp-preflight or of a failure explains that.

The exit code is 0 if the error is known, and 1 if it is not.`,
		Example: `  kfp-preflight explain 'failed quota: kf-resource-quota: must specify cpu,memory'
  python3 run.py 2>&1 | kfp-preflight explain
  kfp-preflight explain workflow-secret-missing
  kfp-preflight explain --list`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("-o is text or json, not %q", output)
			}
			catalogue, err := explain.Load()
			if err != nil {
				return err
			}
			if list {
				if len(args) > 0 {
					return errors.New("--list takes no text")
				}
				return listFailures(cmd.OutOrStdout(), catalogue, output)
			}
			text, err := textToExplain(cmd.InOrStdin(), args)
			if err != nil {
				return err
			}
			found := []explain.Explanation{}
			if byName, ok := catalogue.Find(strings.TrimSpace(text)); ok {
				found = append(found, byName)
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
	flags.StringVarP(&output, "output", "o", "text", "text or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// maxText is far more than any error has, and little enough to be read at once.
const maxText = 1 << 20

func textToExplain(stdin io.Reader, args []string) (string, error) {
	text := strings.Join(args, " ") // of an error without quotes around it, the shell makes several arguments
	if text == "" || text == "-" {
		if file, ok := stdin.(*os.File); ok && text == "" && term.IsTerminal(int(file.Fd())) {
			return "", errors.New("there is no text to explain: give it as an argument, in quotes, or on standard input (- reads what is typed, until Ctrl-D)")
		}
		read, err := io.ReadAll(io.LimitReader(stdin, maxText+1))
		if err != nil {
			return "", fmt.Errorf("standard input: %w", err)
		}
		text = string(read)
	}
	if len(text) > maxText {
		return "", fmt.Errorf("the text has more than %d bytes; give the part with the error", maxText)
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
	width := readingWidth(out)
	var texts []string
	for _, e := range found {
		texts = append(texts, e.Text(width))
	}
	if len(found) == 0 {
		texts = append(texts, "None of the failures that kfp-preflight knows is in this text.\n\n  What to do next\n"+explain.Steps(next, width))
	}
	_, err := io.WriteString(out, strings.Join(texts, "\n"))
	return err
}

// readingWidth is the width of the terminal, within what can be read.
func readingWidth(out io.Writer) int {
	const most, least = 100, 40
	if file, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			return min(max(width, least), most)
		}
	}
	return most
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // commands have < and >
	return encoder.Encode(value)
}
