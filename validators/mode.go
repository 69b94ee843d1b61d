package validators

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Mode is what the certain findings of a rule lead to.
type Mode string

// The modes. Findings that are not certain warn at the most, unless somebody has decided otherwise.
const (
	Deny  Mode = "deny"  // the object is rejected
	Warn  Mode = "warn"  // the object is let in with a warning to the client
	Audit Mode = "audit" // the object is let in, and only the audit log has it
	Off   Mode = "off"   // the rule is not asked
)

// UnmarshalJSON implements json.Unmarshaler. In YAML an off without quotes is a false.
func (m *Mode) UnmarshalJSON(text []byte) error {
	if string(text) == "false" {
		*m = Off
		return nil
	}
	return json.Unmarshal(text, (*string)(m))
}

// AllModes are the modes from the mildest to the hardest.
var AllModes = []Mode{Off, Audit, Warn, Deny}

// Policy is what has been decided about the findings of rules. The zero value decides nothing, so that everything is as the rules
// themselves have it.
type Policy struct {
	// Ceiling is what anything leads to at the most: deny by default. ModeLabel decides it for one namespace.
	Ceiling Mode `json:"mode,omitempty"`
	// Rules has the modes of rules by ID. A rule that is not named denies, or warns if that is what it does by itself.
	Rules map[string]Mode `json:"rules,omitempty"`
	// Possible is what a finding leads to that is not certain: warn by default, and no more than the rule's mode.
	Possible Mode `json:"possible,omitempty"`
	// Unchecked is what it leads to that a rule could not find out something: warn by default, and no more than the rule's mode.
	Unchecked Mode `json:"unchecked,omitempty"`
}

// Mode is the mode of a rule.
func (p Policy) Mode(rule string) Mode {
	mode, decided := p.Rules[rule]
	switch {
	case decided:
	case warns(rule):
		mode = Warn
	default:
		mode = Deny
	}
	return milder(mode, cmp.Or(p.Ceiling, Deny))
}

// Under is the policy with another ceiling; the same if that is empty.
func (p Policy) Under(ceiling Mode) Policy {
	p.Ceiling = cmp.Or(ceiling, p.Ceiling)
	return p
}

// ModeLabel on a namespace, and on a Profile for itself, is what anything in it leads to at the most: deny, warn, audit or off.
const ModeLabel = "kfp-preflight.dev/mode"

// LabelMode is the mode that labels name; empty if they name none, or something that is no mode, which is unknown then.
func LabelMode(labels map[string]string) (mode Mode, unknown string) {
	value := labels[ModeLabel]
	if value == "" || slices.Contains(AllModes, Mode(value)) {
		return Mode(value), ""
	}
	return "", value
}

// On reports whether a rule is to be asked at all.
func (p Policy) On(rule string) bool { return p.Mode(rule) != Off }

// Effect is what one finding leads to; Off if to nothing.
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

func milder(a, b Mode) Mode {
	return AllModes[min(slices.Index(AllModes, a), slices.Index(AllModes, b))]
}
