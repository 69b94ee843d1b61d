// Command image packs the programs of 'make programs' into a multi-platform container image. It needs no
// container runtime and no base image.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const usage = `Packs bin/release/kfp-preflight-OS-ARCH into a container image. Usually called by 'make image'.

  image [-o DIR] [-push REFERENCE] ...

It writes to DIR:

  layout/          the image for all platforms, as an OCI layout
  digest           its digest, which is also printed
  OS-ARCH.tar      the image for one platform, for docker load, podman load and kind load image-archive
  OS-ARCH.digest   its digest

The digests depend on the programs, on -version, -revision and -created, and on the version of Go.

`

func main() {
	switch err := run(os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	programs := flags.String("programs", "bin/release", "`directory` that contains the programs")
	output := flags.String("o", "bin/image", "`directory` to write the image to")
	platforms := flags.String("platforms", "linux/amd64,linux/arm64", "`list` of platforms, separated by commas or spaces")
	version := flags.String("version", "devel", "`version` of the program, and the tag of the archives")
	revision := flags.String("revision", "", "`commit` that the programs were built from")
	created := flags.Int64("created", 0, "creation time of the image in `seconds` since 1970, usually the time of the commit")
	push := flags.String("push", "", "`reference` to push the image to, with the credentials of docker login or podman login")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}

	list, err := parsePlatforms(*platforms)
	if err != nil {
		return err
	}
	r := release{version: *version, revision: *revision, created: time.Unix(*created, 0).UTC()}
	index, err := r.index(*programs, list)
	if err != nil {
		return err
	}
	if err := writeImage(index, *output, r.version); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	if *push != "" {
		reference, err := name.ParseReference(*push, name.StrictValidation)
		if err != nil {
			return err
		}
		if err := remote.WriteIndex(reference, index, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
			return fmt.Errorf("pushing %s: %w", reference, err)
		}
	}
	fmt.Fprintln(stdout, digest)
	return nil
}

// parsePlatforms parses a list such as linux/amd64,linux/arm64, separated by commas or spaces.
func parsePlatforms(list string) ([]v1.Platform, error) {
	var platforms []v1.Platform
	for _, one := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		platform, err := v1.ParsePlatform(one)
		if err != nil {
			return nil, err
		}
		if platform.OS != "linux" || platform.Architecture == "" || platform.Variant != "" {
			return nil, fmt.Errorf("%s is not a platform like linux/amd64", one)
		}
		platforms = append(platforms, *platform)
	}
	if len(platforms) == 0 {
		return nil, errors.New("-platforms is empty")
	}
	return platforms, nil
}

// writeImage writes the layout, the archives and the digests to dir, and removes those of a previous run.
// It keeps all other files.
func writeImage(index v1.ImageIndex, dir, version string) error {
	images := filepath.Join(dir, "layout")
	stale, err := filepath.Glob(filepath.Join(dir, "linux-*.*"))
	if err != nil {
		return err
	}
	for _, path := range append(stale, images) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}

	all, err := layout.Write(images, empty.Index)
	if err != nil {
		return err
	}
	if err := all.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version})); err != nil {
		return err
	}
	if err := writeArchives(index, dir, version); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	return writeDigest(digest, filepath.Join(dir, "digest"))
}

func writeDigest(digest v1.Hash, file string) error {
	return os.WriteFile(file, []byte(digest.String()+"\n"), 0o644)
}

// writeArchives writes, for each platform, an archive that a container runtime can load, and its digest. The
// archive is tagged with the image name that the manifests use.
func writeArchives(index v1.ImageIndex, dir, version string) error {
	tag, err := name.NewTag(program + ":" + version)
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, descriptor := range manifest.Manifests {
		image, err := index.Image(descriptor.Digest)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, descriptor.Platform.OS+"-"+descriptor.Platform.Architecture)
		if err := tarball.WriteToFile(file+".tar", tag, image); err != nil {
			return err
		}
		if err := writeDigest(descriptor.Digest, file+".digest"); err != nil {
			return err
		}
	}
	return nil
}
