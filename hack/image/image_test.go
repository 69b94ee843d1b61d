package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	containers "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const version = "v1.2.3"

// TestTheSameTwice: all is built twice, in directories of different names.
func TestTheSameTwice(t *testing.T) {
	one, _ := packed(t, programs(t))
	two, _ := packed(t, build(t, filepath.Join(t.TempDir(), "elsewhere")))
	if one != two {
		t.Errorf("%s, then %s", one, two)
	}
}

func TestWhatIsInIt(t *testing.T) {
	digest, dir := packed(t, programs(t))
	index := read(t, dir)
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	if got, err := index.Digest(); err != nil || got.String() != digest {
		t.Errorf("%s (%v) instead of %s", got, err, digest)
	}

	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, descriptor := range manifest.Manifests {
		platforms = append(platforms, descriptor.Platform.String())
		if descriptor.ArtifactType != "" {
			t.Errorf("%s has the artifact type %s", descriptor.Platform, descriptor.ArtifactType)
		}
		image, err := index.Image(descriptor.Digest)
		if err != nil {
			t.Fatal(err)
		}
		file, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if file.Architecture != descriptor.Platform.Architecture || file.OS != descriptor.Platform.OS {
			t.Errorf("%s/%s where %s should be", file.OS, file.Architecture, descriptor.Platform)
		}
		if got := file.Config; got.User != "65532:65532" || !slices.Equal(got.Entrypoint, []string{"/kfp-preflight"}) || len(got.Cmd)+len(got.Env) > 0 {
			t.Errorf("%+v", got)
		}
		if got := file.Config.Labels["org.opencontainers.image.version"]; got != version {
			t.Errorf("labelled as %q", got)
		}
		if got := file.Created.Unix(); got != 1700000000 {
			t.Errorf("created at %d", got)
		}
		archive, err := tarball.ImageFromPath(filepath.Join(dir, file.OS+"-"+file.Architecture+".tar"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := archive.ConfigFile(); err != nil || got.RootFS.DiffIDs[0] != file.RootFS.DiffIDs[0] {
			t.Errorf("the archive for %s holds something else (%v)", descriptor.Platform, err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, file.OS+"-"+file.Architecture+".digest")); err != nil || string(got) != descriptor.Digest.String()+"\n" {
			t.Errorf("%q (%v) instead of %s", got, err, descriptor.Digest)
		}
		if got := files(t, image, t.TempDir()); !slices.Equal(got, []string{"kfp-preflight -r-xr-xr-x 0:0"}) {
			t.Errorf("%s holds %v", descriptor.Platform, got)
		}
	}
	if want := []string{"linux/amd64", "linux/arm64"}; !slices.Equal(platforms, want) {
		t.Errorf("%v instead of %v", platforms, want)
	}
}

// TestItRuns with nothing around it: as root, in a directory that is the whole world.
func TestItRuns(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	_, dir := packed(t, programs(t))
	image, err := tarball.ImageFromPath(filepath.Join(dir, "linux-"+runtime.GOARCH+".tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	files(t, image, root)

	cmd := exec.Command(filepath.Join(root, "kfp-preflight"), "version")
	if os.Getuid() == 0 {
		cmd = exec.Command("/kfp-preflight", "version")
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	}
	cmd.Dir, cmd.Env = "/", []string{}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "kfp-preflight "+version+" ") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	reference := strings.TrimPrefix(server.URL, "http://") + "/some/kfp-preflight:" + version
	digest, _ := packed(t, programs(t), "-push", reference)

	ref, err := containers.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := index.Digest(); err != nil || got.String() != digest {
		t.Errorf("%s (%v) instead of %s", got, err, digest)
	}
}

func TestWhatWouldNotRun(t *testing.T) {
	dir := t.TempDir()
	compile(t, dir, "amd64")
	if err := os.Rename(filepath.Join(dir, "kfp-preflight-linux-amd64"), filepath.Join(dir, "kfp-preflight-linux-arm64")); err != nil {
		t.Fatal(err)
	}
	err := run([]string{"-programs", dir, "-platforms", "linux/arm64", "-o", t.TempDir()}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "GOARCH=amd64, not arm64") {
		t.Error(err)
	}
}

// TestManifestsAgree: the image's user is the manifests' too, and the archives are tagged with their name for the image.
func TestManifestsAgree(t *testing.T) {
	deployment, err := os.ReadFile("../../manifests/base/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	id, group, _ := strings.Cut(user, ":")
	for _, want := range []string{"runAsUser: " + id + "\n", "runAsGroup: " + group + "\n", "image: " + program + ":"} {
		if !strings.Contains(string(deployment), want) {
			t.Errorf("%q is not in the Deployment", want)
		}
	}
}

// shared is a directory for all the tests; built is the same, once there is something in it.
var shared, built string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kfp-preflight-image-")
	if err != nil {
		log.Fatal(err)
	}
	shared = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// programs are built once for all the tests that don't mind.
func programs(t *testing.T) string {
	t.Helper()
	if built == "" {
		built = build(t, shared)
	}
	return built
}

// build makes the program for the platform of the test, and a stand-in for the other one.
func build(t *testing.T, dir string) string {
	t.Helper()
	for _, arch := range []string{"amd64", "arm64"} {
		if arch != runtime.GOARCH {
			compile(t, dir, arch)
			continue
		}
		out, err := exec.Command("make", "-s", "-C", "../..", "programs", "PLATFORMS=linux/"+arch, "PROGRAMS="+dir, "VERSION="+version).CombinedOutput()
		if err != nil {
			t.Fatalf("make programs: %v\n%s", err, out)
		}
	}
	return dir
}

// compile makes the stand-in for a platform.
func compile(t *testing.T, dir, arch string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "kfp-preflight-linux-"+arch), "./testdata/stand-in")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}

// packed is the digest that was printed, and where the image is.
func packed(t *testing.T, programs string, more ...string) (digest, dir string) {
	t.Helper()
	dir = t.TempDir()
	var stdout, stderr bytes.Buffer
	args := append([]string{"-programs", programs, "-o", dir, "-version", version, "-created", "1700000000"}, more...)
	if err := run(args, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if !regexp.MustCompile(`^sha256:[0-9a-f]{64}\n$`).MatchString(stdout.String()) {
		t.Fatalf("%q is no digest", stdout.String())
	}
	file, err := os.ReadFile(filepath.Join(dir, "digest"))
	if err != nil || !bytes.Equal(file, stdout.Bytes()) {
		t.Fatalf("%q (%v) instead of %q", file, err, stdout.String())
	}
	return strings.TrimSpace(stdout.String()), dir
}

// read is the index inside the layout.
func read(t *testing.T, dir string) v1.ImageIndex {
	t.Helper()
	all, err := layout.ImageIndexFromPath(filepath.Join(dir, "layout"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := all.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("%v: %v", err, manifest)
	}
	index, err := all.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// files extracts an image, and describes what was in it.
func files(t *testing.T, image v1.Image, root string) []string {
	t.Helper()
	content := mutate.Extract(image)
	defer content.Close()
	var found []string
	for r := tar.NewReader(content); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		mode := header.FileInfo().Mode()
		found = append(found, fmt.Sprintf("%s %s %d:%d", header.Name, mode, header.Uid, header.Gid))
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, filepath.Base(header.Name)), data, mode.Perm()); err != nil {
			t.Fatal(err)
		}
	}
}
