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

// Text writes the report for a reader: each finding with the line that it is about, then what it comes to.
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

// TextWithCounts writes the report for a reader, with a table of what each rule found in each namespace.
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

// printer writes until the first error.
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

// painted is a text of our own, in colours.
type painted struct{ text string }

// String is the text with its colours.
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
	p.line("%s: %s: %s: %s", where, p.paint(f.Level(), string(f.Level())), f.Rule, f.Problem)
	if f.Position != nil {
		number := fmt.Sprintf("%6d", f.Position.Line)
		p.line("%s | %s", number, shown(f.Position.Text))
		p.line("%s | %s%s", strings.Repeat(" ", len(number)), indent(f.Position.Text, f.Position.Column-1), p.paint(f.Level(), "^"))
	}
	for _, text := range []string{f.Outcome, f.Fix} {
		if text != "" {
			p.line("       = %s", text)
		}
	}
	p.line("       = at %s of %s", f.Field, o.title())
}

// title names the object.
func (o Object) title() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return fmt.Sprintf("%s %s/%s", o.Kind, o.Namespace, o.Name)
}

// where says where the object is written, or what it is.
func (o Object) where() string {
	if o.Position == nil {
		return o.title()
	}
	return fmt.Sprintf("%s:%d:%d", o.Position.File, o.Position.Line, o.Position.Column)
}

// maxShown keeps a line that holds a whole program from filling the screen.
const maxShown = 160

// shown is the beginning of a line.
func shown(line string) string {
	runes := []rune(line)
	more := ""
	if len(runes) > maxShown {
		runes, more = runes[:maxShown], " ..."
	}
	return string(runes) + more
}

// printable is a text without what a terminal would act upon.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// indent is as wide as the first characters of a line.
func indent(line string, characters int) string {
	var b strings.Builder
	for i, r := range []rune(line) {
		switch {
		case i == min(characters, maxShown):
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
	count := func(n int, one, many string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	}
	parts := []string{count(s.Denied, "would be denied", "would be denied"), count(s.Warned, "has warnings", "have warnings")}
	if s.Audited > 0 {
		parts = append(parts, count(s.Audited, "would be noted in the audit log", "would be noted in the audit log"))
	}
	if s.NotChecked > 0 && !r.Offline {
		parts = append(parts, count(s.NotChecked, "could not be checked in full", "could not be checked in full"))
	}
	p.line("%s judged: %s", count(s.Evaluated, "object", "objects"), strings.Join(parts, ", "))
	if open := r.open(); r.Offline && open > 0 {
		p.line("%s left open, because nothing is known of the cluster: give --state DIR, --kubeconfig FILE or --context NAME",
			count(open, "question was", "questions were"))
	}
}

// open counts what could not be found out.
func (r Report) open() int {
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
