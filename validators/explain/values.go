package explain

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

// kind is a kind of value that patterns find in a text, as <name>, and commands take, as {name}.
type kind struct {
	name  string
	label string
	// chars is the class of its characters.
	chars string
	// words says that it can have several words.
	words bool
	// valid says whether a value may stand in a command. Without it none may.
	valid func(string) bool
	// show makes a value readable, if it isn't.
	show func(string) string
}

const (
	nameChars   = `[A-Za-z0-9._-]`
	listChars   = `[A-Za-z0-9.,:;=/_-]`
	quotedChars = `[^']`
)

// kinds are all kinds of values, in the order in which they are shown.
var kinds = []kind{
	{name: "namespace", label: "namespace", chars: nameChars, valid: isLabel},
	{name: "pod", label: "pod", chars: nameChars, valid: isName},
	{name: "quota", label: "ResourceQuota", chars: nameChars, valid: isName},
	{name: "missing", label: "not set", chars: listChars, words: true},
	{name: "requested", label: "requested", chars: listChars, words: true},
	{name: "used", label: "used", chars: listChars, words: true},
	{name: "limited", label: "limited to", chars: listChars, words: true},
	{name: "resource", label: "resource", chars: `[A-Za-z0-9./-]`, valid: isName},
	{name: "bound", label: "bound", chars: `[A-Za-z0-9]`},
	{name: "secret", label: "Secret", chars: nameChars, valid: isName},
	{name: "pullSecrets", label: "Secrets", chars: `[A-Za-z0-9.,-]`, words: true},
	{name: "configMap", label: "ConfigMap", chars: nameChars, valid: isName},
	{name: "key", label: "key", chars: nameChars, valid: isKey},
	{name: "volume", label: "volume", chars: nameChars, valid: isLabel},
	{name: "claim", label: "PersistentVolumeClaim", chars: nameChars, valid: isName},
	{name: "serviceAccount", label: "ServiceAccount", chars: nameChars, valid: isName},
	{name: "priorityClass", label: "PriorityClass", chars: nameChars, valid: isName},
	{name: "image", label: "image", chars: quotedChars},
	{name: "webhook", label: "webhook", chars: nameChars, valid: isName},
	{name: "user", label: "user", chars: quotedChars},
	{name: "verb", label: "verb", chars: nameChars, valid: isName},
	{name: "parameters", label: "parameters", chars: `[A-Za-z0-9_,.-]`, words: true},
	{name: "pipeline", label: "pipeline", chars: `[A-Za-z0-9._/-]`},
	{name: "limit", label: "limit in bytes", chars: `[0-9]`},
	{name: "characters", label: "characters", chars: quotedChars, show: decodeBytes},
	{name: "column", label: "column", chars: `[A-Za-z0-9_]`},
}

func kindOf(name string) (kind, bool) {
	for _, k := range kinds {
		if k.name == name {
			return k, true
		}
	}
	return kind{}, false
}

var upper = regexp.MustCompile(`[A-Z]`)

// placeholder stands in a command for a value that is not known: SERVICE_ACCOUNT.
func (k kind) placeholder() string {
	return strings.ToUpper(upper.ReplaceAllString(k.name, "_$0"))
}

func isName(s string) bool  { return len(validation.IsDNS1123Subdomain(s)) == 0 }
func isLabel(s string) bool { return len(validation.IsDNS1123Label(s)) == 0 }
func isKey(s string) bool   { return len(validation.IsConfigMapKey(s)) == 0 }

var hexBytes = regexp.MustCompile(`(?:\\x[0-9A-F]{2})+`)

// decodeBytes adds to the bytes that MySQL could not store, such as \xEC\x97\xAC, the characters that they are. The last
// one may be cut.
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
