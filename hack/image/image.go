package main

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	program = "kfp-preflight"
	// user is nobody in particular; the manifests say the same, and Pod Security's level restricted wants it not to be root.
	user = "65532:65532"
)

// release is all that goes into an image beside the programs.
type release struct {
	version  string
	revision string
	created  time.Time
}

// annotations are on the index, the images and, as labels, in their configurations: different tools look in different places.
func (r release) annotations() map[string]string {
	all := map[string]string{
		"org.opencontainers.image.title":       program,
		"org.opencontainers.image.description": "Tells at admission what Kubeflow Pipelines would find out hours later",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.source":      "https://github.com/kfp-preflight/kfp-preflight",
		"org.opencontainers.image.version":     r.version,
		"org.opencontainers.image.revision":    r.revision,
		"org.opencontainers.image.created":     r.created.Format(time.RFC3339),
	}
	for key, value := range all {
		if value == "" {
			delete(all, key)
		}
	}
	return all
}

// index is the image for all platforms. The programs are in the directory, each by the name of its platform.
func (r release) index(programs string, platforms []v1.Platform) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		image, err := r.image(filepath.Join(programs, name(platform)), platform)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: plain{image}, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	return mutate.Annotations(index, r.annotations()).(v1.ImageIndex), nil
}

// plain is an image that the index does not give an artifact type: it belongs to what is no image, and some tools skip that.
type plain struct{ v1.Image }

// ArtifactType is none: what is packed is an image.
func (plain) ArtifactType() (string, error) { return "", nil }

// name is what make calls the program for a platform.
func name(platform v1.Platform) string {
	return fmt.Sprintf("%s-%s-%s", program, platform.OS, platform.Architecture)
}

// image holds the program and nothing else. It speaks TLS only with API servers, whose CA is in the token of its ServiceAccount.
func (r release) image(file string, platform v1.Platform) (v1.Image, error) {
	if err := fits(file, platform); err != nil {
		return nil, err
	}
	layer, err := r.layer(file)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: r.created}, CreatedBy: "hack/image"},
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = platform.OS, platform.Architecture
	config.Created = v1.Time{Time: r.created}
	config.Config = v1.Config{User: user, Entrypoint: []string{"/" + program}, Labels: r.annotations()}
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(image, r.annotations()).(v1.Image), nil
}

// fits says why a program would not run in an image for the platform that has nothing else in it.
func fits(file string, platform v1.Platform) error {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return err
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	for key, want := range map[string]string{"GOOS": platform.OS, "GOARCH": platform.Architecture, "CGO_ENABLED": "0"} {
		if got := settings[key]; got != want {
			return fmt.Errorf("%s was built with %s=%s, not %s", file, key, got, want)
		}
	}
	return nil
}

// layer is an archive with the program in it. Nothing of the file but its content gets there.
func (r release) layer(file string) (v1.Layer, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	header := &tar.Header{Name: program, Typeflag: tar.TypeReg, Mode: 0o555, Size: int64(len(content)), ModTime: r.created, Format: tar.FormatUSTAR}
	if err := w.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	return tarball.LayerFromOpener(opener, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}
