// Package charset knows which characters a database of KFP can store.
//
// KFP connects with charset=utf8 unless it is told otherwise, which MySQL and MariaDB take for utf8mb3: no character of four bytes
// gets through, whatever the tables have. So what counts is the narrower of the connection's and the columns' character set.
package charset

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// Charset is a character set of MySQL and MariaDB. The zero value is [UTF8MB3].
type Charset int

// The character sets, from what a new installation of KFP has to the others that are met.
const (
	// UTF8MB3 has the characters of up to three bytes: no emoji, none of the rarer Chinese characters.
	UTF8MB3 Charset = iota
	// Latin1 has the characters of Windows-1252.
	Latin1
	// UTF8MB4 has all.
	UTF8MB4
)

var names = []string{UTF8MB3: "utf8mb3", Latin1: "latin1", UTF8MB4: "utf8mb4"}

// Names are those that Parse knows.
func Names() []string { return slices.Sorted(slices.Values(names)) }

// String is the name of the character set, as databases call it.
func (c Charset) String() string { return names[c] }

// Parse reads the name of a character set.
func Parse(name string) (Charset, error) {
	i := slices.Index(names, strings.ToLower(name))
	if i < 0 {
		return 0, fmt.Errorf("the character set is one of %s, not %q", strings.Join(Names(), ", "), name)
	}
	return Charset(i), nil
}

// MarshalText implements encoding.TextMarshaler.
func (c Charset) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Charset) UnmarshalText(text []byte) (err error) {
	*c, err = Parse(string(text))
	return err
}

// Stores reports whether a text with the character can be stored.
// Source: MariaDB/server 10.11 strings/ctype-latin1.c: its latin1 is Windows-1252, whose five unassigned bytes are the control
// characters of the same number.
func (c Charset) Stores(r rune) bool {
	switch {
	case r < 0x80 || c == UTF8MB4:
		return true
	case c == UTF8MB3:
		return r <= 0xFFFF
	}
	_, ok := charmap.Windows1252.EncodeRune(r)
	return ok || strings.ContainsRune(unassigned, r)
}

// unassigned are the control characters in Windows-1252's five gaps.
const unassigned = "\u0081\u008d\u008f\u0090\u009d"
