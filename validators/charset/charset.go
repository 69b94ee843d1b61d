// Package charset tells which characters a KFP database can store.
//
// By default KFP connects with charset=utf8, which MySQL and MariaDB take to mean utf8mb3: no character of four bytes gets through,
// whatever the character set of the tables. What counts is the narrower character set of the connection and the columns.
package charset

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// Charset is a character set of MySQL or MariaDB. The zero value is [UTF8MB3].
type Charset int

// The character sets of KFP databases. A new installation has UTF8MB3.
const (
	// UTF8MB3 has the characters of up to three bytes in UTF-8: no emoji and no rare Chinese characters.
	UTF8MB3 Charset = iota
	// Latin1 has the characters of Windows-1252.
	Latin1
	// UTF8MB4 has all characters.
	UTF8MB4
)

var names = []string{UTF8MB3: "utf8mb3", Latin1: "latin1", UTF8MB4: "utf8mb4"}

// Names returns the names that Parse accepts, sorted.
func Names() []string { return slices.Sorted(slices.Values(names)) }

// String returns the database's name of the character set, such as utf8mb3.
func (c Charset) String() string { return names[c] }

// Parse returns the character set with the given name, in any case. It returns an error if there is none.
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

// Stores reports whether a column of the character set can store the character.
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

// unassigned holds the control characters for the five bytes that Windows-1252 does not assign.
const unassigned = "\u0081\u008d\u008f\u0090\u009d"
