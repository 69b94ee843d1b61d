package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/source"
)

// readState reads the manifests of --state, which describe a cluster. Without a path, the state of the cluster is unknown.
func readState(stdin io.Reader, path, namespace string) (*validators.State, error) {
	state := &validators.State{Complete: path != ""}
	if path == "" {
		return state, nil
	}
	documents, errs := source.Read(stdin, []string{path})
	for _, d := range documents {
		if err := state.Add(d.JSON, namespace); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	return state, nil
}
