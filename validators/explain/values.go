package explain

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

// valueKind is a kind of value that patterns capture as <name>, and that commands contain as {name}.
type valueKind struct {
	name string
	// label introduces the value in an explanation.
	label string
	// charClass is a regular expression for one character of the value.
	charClass string
	// multiWord means that the value may contain spaces.
	multiWord bool
	// validInCommand reports whether a value may be filled into a command. If it is nil, no value may.
	validInCommand func(string) bool
	// display makes a value readable. It may be nil.
	display func(string) string
}

const (
	nameChars   = `[A-Za-z0-9._-]`
	listChars   = `[A-Za-z0-9.,:;=/_-]`
	quotedChars = `[^']`
)

// valueKinds are all kinds of values, in the order in which an explanation shows them.
var valueKinds = []valueKind{
	{name: "namespace", label: "namespace", charClass: nameChars, validInCommand: isLabel},
	{name: "pod", label: "pod", charClass: nameChars, validInCommand: isName},
	{name: "quota", label: "ResourceQuota", charClass: nameChars, validInCommand: isName},
	{name: "missing", label: "not set", charClass: listChars, multiWord: true},
	{name: "requested", label: "requested", charClass: listChars, multiWord: true},
	{name: "used", label: "used", charClass: listChars, multiWord: true},
	{name: "limited", label: "limited to", charClass: listChars, multiWord: true},
	{name: "resource", label: "resource", charClass: `[A-Za-z0-9./-]`, validInCommand: isName},
	{name: "bound", label: "bound", charClass: `[A-Za-z0-9]`},
	{name: "secret", label: "Secret", charClass: nameChars, validInCommand: isName},
	{name: "pullSecrets", label: "Secrets", charClass: `[A-Za-z0-9.,-]`, multiWord: true},
	{name: "configMap", label: "ConfigMap", charClass: nameChars, validInCommand: isName},
	{name: "key", label: "key", charClass: nameChars, validInCommand: isKey},
	{name: "volume", label: "volume", charClass: nameChars, validInCommand: isLabel},
	{name: "claim", label: "PersistentVolumeClaim", charClass: nameChars, validInCommand: isName},
	{name: "serviceAccount", label: "ServiceAccount", charClass: nameChars, validInCommand: isName},
	{name: "priorityClass", label: "PriorityClass", charClass: nameChars, validInCommand: isName},
	{name: "image", label: "image", charClass: quotedChars},
	{name: "webhook", label: "webhook", charClass: nameChars, validInCommand: isName},
	{name: "user", label: "user", charClass: quotedChars},
	{name: "verb", label: "verb", charClass: nameChars, validInCommand: isName},
	{name: "parameters", label: "parameters", charClass: `[A-Za-z0-9_,.-]`, multiWord: true},
	{name: "pipeline", label: "pipeline", charClass: `[A-Za-z0-9._/-]`},
	{name: "limit", label: "limit in bytes", charClass: `[0-9]`},
	{name: "characters", label: "characters", charClass: quotedChars, display: decodeBytes},
	{name: "column", label: "column", charClass: `[A-Za-z0-9_]`},
}

func kindOf(name string) (valueKind, bool) {
	for _, k := range valueKinds {
		if k.name == name {
			return k, true
		}
	}
	return valueKind{}, false
}

var upper = regexp.MustCompile(`[A-Z]`)

// placeholder returns the name that a command contains for an unknown value, such as SERVICE_ACCOUNT.
func (k valueKind) placeholder() string {
	return strings.ToUpper(upper.ReplaceAllString(k.name, "_$0"))
}

func isName(s string) bool  { return len(validation.IsDNS1123Subdomain(s)) == 0 }
func isLabel(s string) bool { return len(validation.IsDNS1123Label(s)) == 0 }
func isKey(s string) bool   { return len(validation.IsConfigMapKey(s)) == 0 }

var hexBytes = regexp.MustCompile(`(?:\\x[0-9A-F]{2})+`)

// decodeBytes decodes bytes that MySQL could not store, such as \xEC\x97\xAC, and appends the original
// text in parentheses. An incomplete character at the end is left out.
func decodeBytes(text string) string {
	var characters strings.Builder
	for _, run := range hexBytes.FindAllString(text, -1) {
		raw, err := strconv.Unquote(`"` + run + `"`)
		if err != nil {
			continue
		}
		for _, c := range raw {
			if c != utf8.RuneError && strconv.IsPrint(c) {
				characters.WriteRune(c)
			}
		}
	}
	if characters.Len() == 0 {
		return text
	}
	return characters.String() + " (" + text + ")"
}

// Value lists the values of one kind that a text contains. They are printable, but not validated.
type Value struct {
	Name   string   `json:"name"`
	Label  string   `json:"-"`
	Values []string `json:"values"`
}

// capturedValues maps the names of kinds to the distinct values that were found.
type capturedValues map[string][]string

// maxValue bounds the length of a captured value. A longer one is no valid name, so it is never filled into a command.
const maxValue = 300

// capture adds the values of a match. The offsets are those of [regexp.Regexp.FindStringSubmatchIndex].
func (v capturedValues) capture(text normalizedText, pattern *regexp.Regexp, offsets []int) {
	for i, name := range pattern.SubexpNames() {
		if name == "" || offsets[2*i] < 0 {
			continue
		}
		k, _ := kindOf(name)
		start, end := offsets[2*i], offsets[2*i+1]
		// If the error continues after the value, the value ends there.
		certainEnd := end < offsets[1] || strings.HasPrefix(text.compact[end:], "'")
		value := strings.TrimRight(text.value(start, end, certainEnd, k.multiWord), ".,:; ")
		value = fmt.Sprintf("%.*s", maxValue, value)
		if k.display != nil {
			value = k.display(value)
		}
		v.add(name, value)
	}
}

func (v capturedValues) merge(other capturedValues) {
	for name, found := range other {
		for _, value := range found {
			v.add(name, value)
		}
	}
}

func (v capturedValues) add(name, value string) {
	if value != "" && !slices.Contains(v[name], value) {
		v[name] = append(v[name], value)
	}
}
