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

// Failure is a failure that is known, as the catalogue has it.
type Failure struct {
	// ID names the failure. That of a denial or a warning of kfp-preflight is the ID of its rule.
	ID    string `json:"id"`
	Title string `json:"title"`
	// Example is an error of this failure.
	Example string `json:"example,omitempty"`
	// Texts are regular expressions, one a line, any of which shows the failure. White space in them stands for any white
	// space and for none, ' for any quote, and <name> for a value. The denials of a rule are known by its ID.
	Texts   string `json:"texts,omitempty"`
	Meaning string `json:"meaning"`
	Check   []Step `json:"check"`
	Fix     []Step `json:"fix"`
	// Rules are the rules of kfp-preflight that find the failure at admission.
	Rules []string `json:"rules,omitempty"`
	// SymptomOf are the failures that this one is only a symptom of, if they are in the same text; "any" is all others.
	SymptomOf []string `json:"symptomOf,omitempty"`

	patterns []*regexp.Regexp
	// ends is what the denials of a rule end with. Empty for what is no rule.
	ends string
	// quotedBy are the rules whose denials may quote an error of this failure.
	quotedBy []string
}

// Step is something to do.
type Step struct {
	Say string `json:"say"`
	// Run is a command. In the catalogue it has {name} where a value of the text goes.
	Run string `json:"run,omitempty"`
}

// anyFailure in [Failure.SymptomOf] stands for all failures.
const anyFailure = "any"

// Catalogue is what is known.
type Catalogue struct {
	// Failures are the known failures; Rules are the denials and warnings of kfp-preflight itself, one for each rule.
	Failures []Failure `json:"failures"`
	Rules    []Failure `json:"rules"`
	// Skip is how to go on in spite of a rule.
	Skip Step `json:"skip"`
	// Context are patterns for values that errors have beside them.
	Context string `json:"context"`
	// Unknown is what to do with an error that is not known.
	Unknown []Step `json:"unknown"`

	context []*regexp.Regexp
}

// Load returns the catalogue.
func Load() (*Catalogue, error) {
	c, err := parse(catalogueYAML)
	if err != nil {
		return nil, fmt.Errorf("the catalogue of failures: %w", err)
	}
	return c, nil
}

func parse(text []byte) (*Catalogue, error) {
	var c Catalogue
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return nil, err
	}
	for i := range c.Rules {
		c.Rules[i].recogniseRule(c.Skip)
	}
	byID := map[string]*Failure{}
	var err error
	for f := range c.all {
		if byID[f.ID] != nil {
			return nil, fmt.Errorf("%s is there twice", f.ID)
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
				return nil, fmt.Errorf("%s: there is no other failure %s", f.ID, cause)
			}
			f.quotedBy = slices.Concat(f.quotedBy, other.Rules)
		}
	}
	if c.context, err = compile(c.Context); err != nil {
		return nil, fmt.Errorf("context: %w", err)
	}
	if err := validateSteps(c.Unknown); err != nil {
		return nil, fmt.Errorf("unknown: %w", err)
	}
	return &c, nil
}

// recogniseRule makes the denials of a rule known by its ID, and adds the way around it.
func (f *Failure) recogniseRule(skip Step) {
	f.Texts, f.Rules = regexp.QuoteMeta(f.ID)+":", []string{f.ID}
	f.ends = "kfp-preflight.dev/skip:" + f.ID
	f.Fix = append(f.Fix, Step{skip.Say, strings.ReplaceAll(skip.Run, "RULE", f.ID)})
}

// all yields the failures and the rules.
func (c *Catalogue) all(yield func(*Failure) bool) {
	for _, list := range [][]Failure{c.Failures, c.Rules} {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
}

var id = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

func (f *Failure) validate() error {
	if !id.MatchString(f.ID) || f.Title == "" || f.Meaning == "" || len(f.patterns) == 0 || len(f.Check) == 0 || len(f.Fix) == 0 {
		return errors.New("an entry has an id of words and dashes, a title, texts, a meaning, checks and fixes")
	}
	return validateSteps(slices.Concat(f.Check, f.Fix))
}

func validateSteps(steps []Step) error {
	for _, s := range steps {
		if s.Say == "" {
			return errors.New("a step says nothing")
		}
		for _, match := range inCommand.FindAllStringSubmatch(s.Run, -1) {
			if k, ok := kindOf(match[1]); !ok || k.valid == nil {
				return fmt.Errorf("%s can't stand in a command: %s", match[0], s.Run)
			}
		}
	}
	return nil
}

var (
	inPattern = regexp.MustCompile(`<([a-zA-Z]+)>`)
	inCommand = regexp.MustCompile(`\{([a-zA-Z]+)\}`)
)

// compile makes regular expressions of patterns, one a line.
func compile(patterns string) ([]*regexp.Regexp, error) {
	var out []*regexp.Regexp
	for line := range strings.Lines(patterns) {
		line = strings.Join(strings.Fields(line), "")
		if line == "" {
			continue
		}
		pattern, err := regexp.Compile(inPattern.ReplaceAllStringFunc(line, func(value string) string {
			k, _ := kindOf(strings.Trim(value, "<>")) // what is no kind has no characters, which is no expression
			return "(?P" + value + k.chars + "+)"
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
