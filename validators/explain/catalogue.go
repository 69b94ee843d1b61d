package explain

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed catalogue.yaml
var catalogueYAML []byte

// Failure is an entry of the catalogue: a known failure, or a rule of kfp-preflight.
type Failure struct {
	// ID names the failure. For a rule of kfp-preflight, it is the ID of the rule.
	ID    string `json:"id"`
	Title string `json:"title"`
	// Example is a typical error text of this failure.
	Example string `json:"example,omitempty"`
	// Texts are regular expressions, one per line. The failure is recognized if any of them matches.
	// White space in them matches any white space or none, ' matches any quote, and <name> captures
	// a value. A rule has no Texts: its denials begin with its ID.
	Texts   string `json:"texts,omitempty"`
	Meaning string `json:"meaning"`
	Check   []Step `json:"check"`
	Fix     []Step `json:"fix"`
	// Rules are the rules of kfp-preflight that find the failure at admission.
	Rules []string `json:"rules,omitempty"`
	// SymptomOf lists the failures that cause this one. If one of them is in the same text, this
	// failure is left out. "any" stands for all other failures.
	SymptomOf []string `json:"symptomOf,omitempty"`

	// patterns are the compiled Texts.
	patterns []*regexp.Regexp
	// skipHint matches the end of an answer that contains a denial of this rule. It is nil for a
	// failure that is not a rule.
	skipHint *regexp.Regexp
	// quotedBy lists the rules whose denials may quote an error of this failure.
	quotedBy []string
}

// isRule reports whether the entry is a rule of kfp-preflight.
func (f *Failure) isRule() bool { return f.skipHint != nil }

// Step is one action to check or to fix something.
type Step struct {
	Say string `json:"say"`
	// Run is a command, if the step has one. In the catalogue, {name} stands for a captured value.
	Run string `json:"run,omitempty"`
}

// anyFailure in [Failure.SymptomOf] stands for all other failures.
const anyFailure = "any"

// Catalogue holds the known failures.
type Catalogue struct {
	// Failures are the known failures.
	Failures []Failure `json:"failures"`
	// Rules explain the denials and warnings of kfp-preflight itself, one entry per rule.
	Rules []Failure `json:"rules"`
	// Skip is the step that skips a rule. It is added to the fixes of each rule.
	Skip Step `json:"skip"`
	// Context are patterns, like [Failure.Texts], that capture values in the text around an error.
	Context string `json:"context"`
	// Unknown are the next steps for a text that contains no known failure.
	Unknown []Step `json:"unknown"`

	// contextPatterns are the compiled Context.
	contextPatterns []*regexp.Regexp
}

// Load returns the embedded catalogue. It fails only if catalogue.yaml is invalid, which a test excludes.
func Load() (*Catalogue, error) {
	c, err := parse(catalogueYAML)
	if err != nil {
		return nil, fmt.Errorf("catalogue of known failures: %w", err)
	}
	return c, nil
}

func parse(text []byte) (*Catalogue, error) {
	var c Catalogue
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return nil, err
	}
	c.setUpRules()
	byID := map[string]*Failure{}
	var err error
	for f := range c.all {
		if byID[f.ID] != nil {
			return nil, fmt.Errorf("%s is listed twice", f.ID)
		}
		byID[f.ID] = f
		if f.patterns, err = compile(f.Texts); err == nil {
			err = f.validate()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.ID, err)
		}
	}
	for f := range c.all {
		f.quotedBy = f.Rules
		for _, cause := range f.SymptomOf {
			if cause == anyFailure {
				continue
			}
			other := byID[cause]
			if other == nil || other == f {
				return nil, fmt.Errorf("%s: symptomOf: there is no other failure %s", f.ID, cause)
			}
			f.quotedBy = slices.Concat(f.quotedBy, other.Rules)
		}
	}
	if c.contextPatterns, err = compile(c.Context); err != nil {
		return nil, fmt.Errorf("context: %w", err)
	}
	if err := validateSteps(c.Unknown); err != nil {
		return nil, fmt.Errorf("unknown: %w", err)
	}
	return &c, nil
}

// all yields the failures, then the rules.
func (c *Catalogue) all(yield func(*Failure) bool) {
	for _, list := range [][]Failure{c.Failures, c.Rules} {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
}

var validID = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

func (f *Failure) validate() error {
	if !validID.MatchString(f.ID) || f.Title == "" || f.Meaning == "" ||
		len(f.patterns) == 0 || len(f.Check) == 0 || len(f.Fix) == 0 {
		return errors.New("an entry needs an id of words and dashes, a title, texts, a meaning, checks and fixes")
	}
	return validateSteps(slices.Concat(f.Check, f.Fix))
}

func validateSteps(steps []Step) error {
	for _, s := range steps {
		if s.Say == "" {
			return errors.New("a step has no text in say")
		}
		for _, match := range valueInCommand.FindAllStringSubmatch(s.Run, -1) {
			if k, ok := kindOf(match[1]); !ok || k.validInCommand == nil {
				return fmt.Errorf("%s is not allowed in a command: %s", match[0], s.Run)
			}
		}
	}
	return nil
}

var (
	valueInPattern = regexp.MustCompile(`<([a-zA-Z]+)>`)
	valueInCommand = regexp.MustCompile(`\{([a-zA-Z]+)\}`)
)

// compile compiles patterns, one per line, into regular expressions for normalized text.
func compile(patterns string) ([]*regexp.Regexp, error) {
	var out []*regexp.Regexp
	for line := range strings.Lines(patterns) {
		line = strings.Join(strings.Fields(line), "")
		if line == "" {
			continue
		}
		pattern, err := regexp.Compile(valueInPattern.ReplaceAllStringFunc(line, func(value string) string {
			k, _ := kindOf(strings.Trim(value, "<>")) // an unknown kind has no charClass, so Compile fails
			return "(?P" + value + k.charClass + "+)"
		}))
		if err != nil {
			return nil, err
		}
		if pattern.MatchString("") {
			return nil, fmt.Errorf("the pattern matches everything: %s", line)
		}
		out = append(out, pattern)
	}
	return out, nil
}
