package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// Document is one object of a file, in YAML or JSON.
type Document struct {
	// File is the file's name as it was given.
	File string
	// Number counts the documents of the file from 1.
	Number int
	// JSON is the object.
	JSON []byte
	// text is the whole file.
	text *text
	// first is the line of the file that comes before the document's first one.
	first int
	// yaml is the document as it is written.
	yaml []byte
	// within is the place of the object in the document, if that is a List.
	within string
}

// String says where the document is.
func (d Document) String() string { return fmt.Sprintf("%s, document %d", d.File, d.Number) }

// Stdin is what standard input is called.
const Stdin = "standard input"

// Error is something about a file that can't be read.
type Error struct {
	File string
	// Line is 0 where it is the file as a whole.
	Line int
	Err  error
}

// Error says where and what.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Read reads the documents of files and of the .yaml, .yml and .json files in folders; "-" is standard input. What can't be read is
// an *[Error] for each file or document, and loses nothing else.
func Read(stdin io.Reader, paths []string) (documents []Document, errs []error) {
	read := func(file string, open func() ([]byte, error)) {
		content, err := open()
		if err != nil {
			errs = append(errs, &Error{File: file, Err: plainly(err)})
			return
		}
		more, bad := split(file, content)
		documents, errs = append(documents, more...), append(errs, bad...)
	}
	for _, path := range paths {
		if path == "-" {
			read(Stdin, func() ([]byte, error) { return io.ReadAll(stdin) })
			continue
		}
		_ = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				errs = append(errs, &Error{File: file, Err: plainly(err)})
			case !entry.IsDir() && (file == path || isManifest(file)):
				read(file, func() ([]byte, error) { return os.ReadFile(file) })
			}
			return nil
		})
	}
	return documents, errs
}

// plainly is an error of the file system without the file's name, which is said anyway.
func plainly(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func isManifest(file string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file))
}

var beginsDocument = regexp.MustCompile(`^---(\s|$)`)

// split takes a file apart.
func split(file string, content []byte) (documents []Document, errs []error) {
	whole := &text{lines: strings.Split(string(content), "\n")}
	number, begin := 0, 0
	end := func(next int) {
		part := []byte(strings.Join(whole.lines[begin:next], "\n"))
		more, err := decode(Document{File: file, Number: number + 1, text: whole, first: begin, yaml: part})
		switch {
		case err != nil:
			number++
			errs = append(errs, unreadable(file, begin, err))
		case len(more) > 0:
			number++
			documents = append(documents, more...)
		}
		begin = next
	}
	for i, line := range whole.lines {
		if i > begin && beginsDocument.MatchString(line) {
			end(i)
		}
	}
	end(len(whole.lines))
	return documents, errs
}

var lineOfDocument = regexp.MustCompile(`^.*yaml: (?:line (\d+): )?`)

// unreadable is an error of a document whose first line comes after the given one.
func unreadable(file string, first int, err error) *Error {
	e := &Error{File: file, Line: first + 1, Err: err}
	if m := lineOfDocument.FindStringSubmatch(err.Error()); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			e.Line = first + line
		}
		e.Err = errors.New("this is no YAML: " + strings.TrimPrefix(err.Error(), m[0]))
	}
	return e
}

// decode reads the object of a document, or the objects of a List; none of an empty one.
func decode(d Document) ([]Document, error) {
	object, err := yaml.YAMLToJSON(d.yaml)
	if err != nil {
		return nil, err
	}
	if object = bytes.TrimSpace(object); bytes.Equal(object, []byte("null")) {
		return nil, nil
	}
	d.JSON = object
	var list struct {
		Kind  string            `json:"kind"`
		Items []json.RawMessage `json:"items"`
	}
	if json.Unmarshal(object, &list) != nil || !strings.HasSuffix(list.Kind, "List") || list.Items == nil {
		return []Document{d}, nil
	}
	var out []Document
	for i, item := range list.Items {
		of := d
		of.JSON, of.within = item, fmt.Sprintf("items[%d]", i)
		out = append(out, of)
	}
	return out, nil
}
