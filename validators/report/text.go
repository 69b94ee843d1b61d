package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"golang.org/x/text/width"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// Text writes the report for a terminal: each finding with the affected line, then a summary.
func Text(out io.Writer, r Report, colour bool) error {
	p := printer{out: out, colour: colour}
	for _, o := range r.Objects {
		for _, f := range o.Findings {
			if f.Level() != NotChecked || !r.Offline {
				p.finding(o, f)
			}
		}
		if len(o.UnknownRules) > 0 {
			p.line("%s: %s: annotation %s names no rule with '%s'; the rules are %s", o.where(), p.paint(Warned, string(Warned)),
				validators.SkipAnnotation, strings.Join(o.UnknownRules, "', '"), strings.Join(validators.RuleIDs(), ", "))
		}
		if len(o.Skipped) > 0 {
			p.line("%s: skipped by annotation: %s", o.where(), strings.Join(o.Skipped, ", "))
		}
	}
	p.summary(r)
	return p.err
}

// TextWithCounts writes the same as [Text], followed by a table of the findings per namespace and rule.
func TextWithCounts(out io.Writer, r Report, colour bool) error {
	if err := Text(out, r, colour); err != nil {
		return err
	}
	counts := r.Counts()
	if len(counts) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "\nNAMESPACE\tRULE\tDENIED\tWARNINGS\tAUDIT\tNOT CHECKED")
	for _, c := range counts {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\n", c.Namespace, c.Rule, c.Denied, c.Warned, c.Audited, c.NotChecked)
	}
	return table.Flush()
}

// printer writes lines until the first error, which it keeps.
type printer struct {
	out    io.Writer
	colour bool
	err    error
}

func (p *printer) line(format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = printable(text)
		}
	}
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}

var colours = map[Level]string{Denied: "31;1", Warned: "33;1", Audited: "36;1", NotChecked: "36;1"}

// painted is a text that may contain colour codes. [printer.line] prints it unchanged.
type painted struct{ text string }

// String returns the text with its colour codes.
func (p painted) String() string { return p.text }

func (p *printer) paint(level Level, text string) painted {
	if !p.colour {
		return painted{text}
	}
	return painted{"\x1b[" + colours[level] + "m" + text + "\x1b[0m"}
}

func (p *printer) finding(o Object, f Finding) {
	where := o.title()
	if f.Position != nil {
		where = fmt.Sprintf("%s:%d:%d", f.Position.File, f.Position.Line, f.Position.Column)
	}
	texts := f.Texts()
	p.line("%s: %s: %s: %s", where, p.paint(f.Level(), string(f.Level())), f.Rule, texts[0])
	if f.Position != nil {
		number := fmt.Sprintf("%6d", f.Position.Line)
		marker := indent(f.Position.Text, f.Position.Column-1)
		p.line("%s | %s", number, truncate(f.Position.Text))
		p.line("%s | %s%s", strings.Repeat(" ", len(number)), marker, p.paint(f.Level(), "^"))
	}
	for _, text := range texts[1:] {
		p.line("       = %s", text)
	}
	p.line("       = at %s of %s", f.Field, o.title())
	for _, other := range f.OtherPositions {
		p.line("       = also at %s:%d:%d", other.File, other.Line, other.Column)
	}
}

// title returns the kind, the namespace and the name of the object.
func (o Object) title() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return fmt.Sprintf("%s %s/%s", o.Kind, o.Namespace, o.Name)
}

// where returns the position of the object or, if it comes from a cluster, its title.
func (o Object) where() string {
	if o.Position == nil {
		return o.title()
	}
	return fmt.Sprintf("%s:%d:%d", o.Position.File, o.Position.Line, o.Position.Column)
}

// maxLine bounds how many characters of a line are printed. A line may contain a whole program.
const maxLine = 160

// truncate returns the beginning of a line.
func truncate(line string) string {
	runes := []rune(line)
	if len(runes) <= maxLine {
		return line
	}
	return string(runes[:maxLine]) + " ..."
}

// printable replaces control characters, which could control a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// indent returns white space that is as wide as the first characters of a line on a terminal.
func indent(line string, characters int) string {
	var b strings.Builder
	for i, r := range []rune(line) {
		switch {
		case i == min(characters, maxLine):
			return b.String()
		case r == '\t':
			b.WriteByte('\t')
		case width.LookupRune(r).Kind() == width.EastAsianWide || width.LookupRune(r).Kind() == width.EastAsianFullwidth:
			b.WriteString("  ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func (p *printer) summary(r Report) {
	s := r.Summary()
	parts := []string{
		plural(s.Denied, "would be denied", "would be denied"),
		plural(s.Warned, "has warnings", "have warnings"),
	}
	if s.Audited > 0 {
		parts = append(parts, plural(s.Audited, "would be noted in the audit log", "would be noted in the audit log"))
	}
	if s.NotChecked > 0 && !r.Offline {
		parts = append(parts, plural(s.NotChecked, "could not be checked completely", "could not be checked completely"))
	}
	p.line("%s evaluated: %s", plural(s.Evaluated, "object", "objects"), strings.Join(parts, ", "))
	if n := r.notChecked(); r.Offline && n > 0 {
		p.line("%s left out, because no cluster was given: set --context NAME, --kubeconfig FILE or --state DIR",
			plural(n, "check was", "checks were"))
	}
}

// plural returns a count with a singular or a plural.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// notChecked counts the findings that report something that could not be checked.
func (r Report) notChecked() int {
	n := 0
	for _, o := range r.Objects {
		for _, f := range o.Findings {
			if f.Level() == NotChecked {
				n++
			}
		}
	}
	return n
}
