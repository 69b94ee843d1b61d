package validators

// Mode is what the certain findings of a rule lead to.
type Mode string

// The modes. Findings that are not certain warn at the most.
const (
	Deny  Mode = "deny"  // the object is rejected
	Warn  Mode = "warn"  // the object is let in with a warning to the client
	Audit Mode = "audit" // the object is let in, and only the audit log has it
	Off   Mode = "off"   // the rule is not asked
)

// Modes says by rule ID what has been decided about the rules. A rule that is not named denies, or warns if that is what it does
// by itself.
type Modes map[string]Mode

// Of is the mode of a rule.
func (m Modes) Of(rule string) Mode {
	if mode, ok := m[rule]; ok {
		return mode
	}
	if warns(rule) {
		return Warn
	}
	return Deny
}

// On reports whether a rule is to be asked at all.
func (m Modes) On(rule string) bool { return m.Of(rule) != Off }

// Effect is what one finding leads to.
func (m Modes) Effect(f Finding) Mode {
	mode := m.Of(f.Rule)
	if mode == Deny && f.Certainty != Certain {
		return Warn
	}
	return mode
}
