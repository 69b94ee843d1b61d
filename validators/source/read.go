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

// Document is an object in a YAML or JSON file.
type Document struct {
	// File is the name of the file, as it was given.
	File string
	// Number is the number of the YAML document in the file, from 1.
	Number int
	// JSON is the object.
	JSON []byte

	// fileLines are the lines of the whole file.
	fileLines []string
	// firstLine is the number of lines before the document.
	firstLine int
	// yamlText is the text of the document.
	yamlText []byte
	// listItem is the path of the object in the document, if the document is a List.
	listItem string
}

// String returns the file and the number of the document.
func (d Document) String() string { return fmt.Sprintf("%s, document %d", d.File, d.Number) }

// Stdin is the File of documents from standard input.
const Stdin = "standard input"

// Error reports a file or a document that can't be read.
type Error struct {
	File string
	// Line is 0 if the error is about the whole file.
	Line int
	Err  error
}

// Error returns the position and the cause.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Read reads the documents in files, and in the .yaml, .yml and .json files of folders. The path "-" is standard input. For each file or
// document that can't be read, it returns an *[Error], and continues with the others.
func Read(stdin io.Reader, paths []string) (documents []Document, errs []error) {
	read := func(file string, open func() ([]byte, error)) {
		content, err := open()
		if err != nil {
			errs = append(errs, &Error{File: file, Err: withoutPath(err)})
			return
		}
		more, moreErrs := splitDocuments(file, content)
		documents, errs = append(documents, more...), append(errs, moreErrs...)
	}
	for _, path := range paths {
		if path == "-" {
			read(Stdin, func() ([]byte, error) { return io.ReadAll(stdin) })
			continue
		}
		_ = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				errs = append(errs, &Error{File: file, Err: withoutPath(err)})
			case !entry.IsDir() && (file == path || isManifest(file)):
				read(file, func() ([]byte, error) { return os.ReadFile(file) })
			}
			return nil
		})
	}
	return documents, errs
}

// withoutPath removes the path from an error of the file system. An [Error] contains it already.
func withoutPath(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func isManifest(file string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file))
}

var documentSeparator = regexp.MustCompile(`^---(\s|$)`)

// splitDocuments splits a file into its documents.
func splitDocuments(file string, content []byte) (documents []Document, errs []error) {
	lines := strings.Split(string(content), "\n")
	number, begin := 0, 0
	endDocument := func(end int) {
		text := []byte(strings.Join(lines[begin:end], "\n"))
		objects, err := decodeObjects(Document{File: file, Number: number + 1, fileLines: lines, firstLine: begin, yamlText: text})
		switch {
		case err != nil:
			number++
			errs = append(errs, documentError(file, begin, err))
		case len(objects) > 0:
			number++
			documents = append(documents, objects...)
		}
		begin = end
	}
	for i, line := range lines {
		if i > begin && documentSeparator.MatchString(line) {
			endDocument(i)
		}
	}
	endDocument(len(lines))
	return documents, errs
}

var yamlErrorPrefix = regexp.MustCompile(`^.*yaml: (?:line (\d+): )?`)

// documentError adds the position to an error of a document. If the YAML parser reports a line, it is that line.
func documentError(file string, firstLine int, err error) *Error {
	e := &Error{File: file, Line: firstLine + 1, Err: err}
	if m := yamlErrorPrefix.FindStringSubmatch(err.Error()); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			e.Line = firstLine + line
		}
		e.Err = errors.New("invalid YAML: " + strings.TrimPrefix(err.Error(), m[0]))
	}
	return e
}

// decodeObjects returns the object of a document, the objects of a List, or nothing if the document is empty.
func decodeObjects(d Document) ([]Document, error) {
	object, err := yaml.YAMLToJSON(d.yamlText)
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
		object := d
		object.JSON, object.listItem = item, fmt.Sprintf("items[%d]", i)
		out = append(out, object)
	}
	return out, nil
}
