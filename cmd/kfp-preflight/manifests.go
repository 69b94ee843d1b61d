package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// manifest is one document of a file.
type manifest struct {
	// where names the file and, if there are several documents in it, which one.
	where string
	text  []byte
}

// readManifests reads the documents of files and of the .yaml, .yml and .json files in folders; "-" is standard input.
func readManifests(stdin io.Reader, paths []string) ([]manifest, error) {
	var out []manifest
	for _, path := range paths {
		if path == "-" {
			more, err := documents("standard input", stdin)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
			continue
		}
		err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			if file != path && !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file)) {
				return nil
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			more, err := documents(file, bytes.NewReader(text))
			out = append(out, more...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func documents(where string, from io.Reader) ([]manifest, error) {
	var out []manifest
	reader := yaml.NewYAMLReader(bufio.NewReader(from))
	for {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		if len(bytes.TrimSpace(text)) > 0 {
			out = append(out, manifest{fmt.Sprintf("%s, document %d", where, len(out)+1), text})
		}
	}
}
