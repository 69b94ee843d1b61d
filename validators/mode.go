package validators

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Mode is what certain findings of a rule lead to.
type Mode string

// The modes. Findings that are not certain lead to a warning at most, unless the policy says otherwise.
const (
	Deny  Mode = "deny"  // the object is rejected
	Warn  Mode = "warn"  // the object is admitted with a warning to the client
	Audit Mode = "audit" // the object is admitted, with a note in the audit log
	Off   Mode = "off"   // the rule does not apply
)

// UnmarshalJSON implements json.Unmarshaler. In YAML, off without quotes is false.
func (m *Mode) UnmarshalJSON(text []byte) error {
	if string(text) == "false" {
		*m = Off
		return nil
	}
	return json.Unmarshal(text, (*string)(m))
}

// AllModes are the modes, from the mildest to the strictest.
var AllModes = []Mode{Off, Audit, Warn, Deny}

// Policy decides what findings lead to. The zero value applies the default modes.
type Policy struct {
	// Ceiling caps all modes; deny if empty. ModeLabel sets it for one namespace.
	Ceiling Mode `json:"mode,omitempty"`
	// Rules sets the modes of rules, by ID. Other rules have their default mode.
	Rules map[string]Mode `json:"rules,omitempty"`
	// Possible is what possible findings lead to: warn if empty, and never more than the rule's mode.
	Possible Mode `json:"possible,omitempty"`
	// Unchecked is what unknown findings lead to: warn if empty, and never more than the rule's mode.
	Unchecked Mode `json:"unchecked,omitempty"`
}

// Mode returns the mode of a rule, capped by the ceiling.
func (p Policy) Mode(rule string) Mode {
	mode, ok := p.Rules[rule]
	if !ok {
		mode = DefaultMode(rule)
	}
	return milder(mode, cmp.Or(p.Ceiling, Deny))
}

// Under returns the policy with another ceiling, or unchanged if the ceiling is empty.
func (p Policy) Under(ceiling Mode) Policy {
	p.Ceiling = cmp.Or(ceiling, p.Ceiling)
	return p
}

// AtMost returns the policy with a ceiling that is not stricter than mode.
func (p Policy) AtMost(mode Mode) Policy {
	p.Ceiling = milder(cmp.Or(p.Ceiling, Deny), mode)
	return p
}

// ModeLabel on a namespace caps the modes in it: deny, warn, audit or off. On a Profile it caps the modes for the Profile itself.
const ModeLabel = "kfp-preflight.dev/mode"

// LabelMode returns the mode in an object's labels; empty if they set none. unknown is a value that is not a mode.
func LabelMode(labels map[string]string) (mode Mode, unknown string) {
	value := labels[ModeLabel]
	if value == "" || slices.Contains(AllModes, Mode(value)) {
		return Mode(value), ""
	}
	return "", value
}

// On reports whether a rule applies at all.
func (p Policy) On(rule string) bool { return p.Mode(rule) != Off }

// Effect returns what a finding leads to; Off means nothing.
func (p Policy) Effect(f Finding) Mode {
	mode := p.Mode(f.Rule)
	switch f.Certainty {
	case Possible:
		return milder(mode, cmp.Or(p.Possible, Warn))
	case Unknown:
		return milder(mode, cmp.Or(p.Unchecked, Warn))
	}
	return mode
}

// milder returns the less strict of two modes.
func milder(a, b Mode) Mode {
	return AllModes[min(slices.Index(AllModes, a), slices.Index(AllModes, b))]
}
