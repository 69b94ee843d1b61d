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
	// user is not root, as the Pod Security level restricted requires. The manifests set the same user.
	user = "65532:65532"
)

// release describes what an image is built from. Together with the programs, it determines every byte of the image.
type release struct {
	version  string
	revision string
	created  time.Time
}

// annotations returns the OCI annotations. They are set on the index and the images, and as labels in
// the image configurations, because different tools read different places.
func (r release) annotations() map[string]string {
	all := map[string]string{
		"org.opencontainers.image.title":       program,
		"org.opencontainers.image.description": "Rejects Kubeflow Pipelines runs at admission that could never succeed",
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

// index builds the multi-platform image. The directory programs contains one program per platform, see
// programFile.
func (r release) index(programs string, platforms []v1.Platform) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		image, err := r.image(filepath.Join(programs, programFile(platform)), platform)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: withoutArtifactType{image}, Descriptor: v1.Descriptor{Platform: &platform},
		})
	}
	return mutate.Annotations(index, r.annotations()).(v1.ImageIndex), nil
}

// withoutArtifactType is an image whose descriptor in the index gets no artifact type. An artifact type
// marks content that is not an image, and some tools skip it.
type withoutArtifactType struct{ v1.Image }

// ArtifactType returns "", which omits the field from the descriptor.
func (withoutArtifactType) ArtifactType() (string, error) { return "", nil }

// programFile returns the file name that 'make programs' gives the program for a platform.
func programFile(platform v1.Platform) string {
	return fmt.Sprintf("%s-%s-%s", program, platform.OS, platform.Architecture)
}

// image builds the image for one platform. It contains the program and nothing else, not even CA
// certificates: the program only talks to the API server, whose CA is mounted with the ServiceAccount
// token.
func (r release) image(file string, platform v1.Platform) (v1.Image, error) {
	if err := checkBuild(file, platform); err != nil {
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

// checkBuild returns an error if the program was built for another platform, or with cgo and thus needs
// libraries that the image does not contain.
func checkBuild(file string, platform v1.Platform) error {
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

// layer returns a layer with the program as its only file. Only the content of the file matters, not its
// mode, owner or modification time.
func (r release) layer(file string) (v1.Layer, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	header := &tar.Header{
		Name: program, Typeflag: tar.TypeReg, Mode: 0o555, Size: int64(len(content)), ModTime: r.created, Format: tar.FormatUSTAR,
	}
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
