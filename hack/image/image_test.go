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

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const version = "v1.2.3"

// TestReproducible builds program and image twice, in directories with different names, and compares the digests.
func TestReproducible(t *testing.T) {
	one, _ := packImage(t, builtPrograms(t))
	two, _ := packImage(t, buildPrograms(t, filepath.Join(t.TempDir(), "elsewhere")))
	if one != two {
		t.Errorf("the digest is %s, then %s", one, two)
	}
}

func TestContents(t *testing.T) {
	digest, dir := packImage(t, builtPrograms(t))
	index := readIndex(t, dir)
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	if got, err := index.Digest(); err != nil || got.String() != digest {
		t.Errorf("digest %s (%v), want %s", got, err, digest)
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
			t.Errorf("the image is for %s/%s, want %s", file.OS, file.Architecture, descriptor.Platform)
		}
		if got := file.Config; got.User != "65532:65532" || !slices.Equal(got.Entrypoint, []string{"/kfp-preflight"}) ||
			len(got.Cmd)+len(got.Env) > 0 {
			t.Errorf("the configuration is %+v", got)
		}
		if got := file.Config.Labels["org.opencontainers.image.version"]; got != version {
			t.Errorf("labelled with version %q", got)
		}
		if got := file.Created.Unix(); got != 1700000000 {
			t.Errorf("created at %d", got)
		}
		archive, err := tarball.ImageFromPath(filepath.Join(dir, file.OS+"-"+file.Architecture+".tar"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := archive.ConfigFile(); err != nil || got.RootFS.DiffIDs[0] != file.RootFS.DiffIDs[0] {
			t.Errorf("the archive for %s contains another layer (%v)", descriptor.Platform, err)
		}
		got, err := os.ReadFile(filepath.Join(dir, file.OS+"-"+file.Architecture+".digest"))
		if err != nil || string(got) != descriptor.Digest.String()+"\n" {
			t.Errorf("digest %q (%v), want %s", got, err, descriptor.Digest)
		}
		if got := extract(t, image, t.TempDir()); !slices.Equal(got, []string{"kfp-preflight -r-xr-xr-x 0:0"}) {
			t.Errorf("the image for %s contains %v", descriptor.Platform, got)
		}
	}
	if want := []string{"linux/amd64", "linux/arm64"}; !slices.Equal(platforms, want) {
		t.Errorf("platforms %v, want %v", platforms, want)
	}
}

// TestProgramRuns runs the program with nothing but the files of the image. This takes a chroot, so only root
// gets the full test.
func TestProgramRuns(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	_, dir := packImage(t, builtPrograms(t))
	image, err := tarball.ImageFromPath(filepath.Join(dir, "linux-"+runtime.GOARCH+".tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	extract(t, image, root)

	cmd := exec.Command(filepath.Join(root, "kfp-preflight"), "version")
	if os.Getuid() == 0 {
		cmd = exec.Command("/kfp-preflight", "version")
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	}
	cmd.Dir, cmd.Env = "/", []string{}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "kfp-preflight "+version+" ") {
		t.Errorf("the program printed: %v: %s", err, out)
	}
}

func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	reference := strings.TrimPrefix(server.URL, "http://") + "/some/kfp-preflight:" + version
	digest, _ := packImage(t, builtPrograms(t), "-push", reference)

	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := index.Digest(); err != nil || got.String() != digest {
		t.Errorf("pushed %s (%v), want %s", got, err, digest)
	}
}

// TestWrongArchitecture packs a program that was built for another architecture, which must fail.
func TestWrongArchitecture(t *testing.T) {
	dir := t.TempDir()
	buildStandIn(t, dir, "amd64")
	if err := os.Rename(filepath.Join(dir, "kfp-preflight-linux-amd64"), filepath.Join(dir, "kfp-preflight-linux-arm64")); err != nil {
		t.Fatal(err)
	}
	err := run([]string{"-programs", dir, "-platforms", "linux/arm64", "-o", t.TempDir()}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "GOARCH=amd64, not arm64") {
		t.Error(err)
	}
}

// TestManifestsAgree checks that the manifests use the user and the name of the image.
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

// programsDir is where the tests share one build; programsBuilt reports whether it is complete.
var (
	programsDir   string
	programsBuilt bool
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kfp-preflight-image-")
	if err != nil {
		log.Fatal(err)
	}
	programsDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// builtPrograms returns the directory with the programs. It builds them once for all tests.
func builtPrograms(t *testing.T) string {
	t.Helper()
	if !programsBuilt {
		buildPrograms(t, programsDir)
		programsBuilt = true
	}
	return programsDir
}

// buildPrograms builds the program for the test's own platform and a stand-in for the other one, and returns dir.
func buildPrograms(t *testing.T, dir string) string {
	t.Helper()
	for _, arch := range []string{"amd64", "arm64"} {
		if arch != runtime.GOARCH {
			buildStandIn(t, dir, arch)
			continue
		}
		cmd := exec.Command("make", "-s", "-C", "../..", "programs", "PLATFORMS=linux/"+arch, "PROGRAMS="+dir, "VERSION="+version)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("make programs: %v\n%s", err, out)
		}
	}
	return dir
}

// buildStandIn builds the stand-in for a platform, which compiles faster than the program.
func buildStandIn(t *testing.T, dir, arch string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "kfp-preflight-linux-"+arch), "./testdata/stand-in")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}

// packImage packs an image from programs, and returns the digest that was printed and the image's directory.
func packImage(t *testing.T, programs string, more ...string) (digest, dir string) {
	t.Helper()
	dir = t.TempDir()
	var stdout, stderr bytes.Buffer
	args := append([]string{"-programs", programs, "-o", dir, "-version", version, "-created", "1700000000"}, more...)
	if err := run(args, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if !regexp.MustCompile(`^sha256:[0-9a-f]{64}\n$`).MatchString(stdout.String()) {
		t.Fatalf("printed %q, want a digest", stdout.String())
	}
	file, err := os.ReadFile(filepath.Join(dir, "digest"))
	if err != nil || !bytes.Equal(file, stdout.Bytes()) {
		t.Fatalf("the file digest contains %q (%v), want %q", file, err, stdout.String())
	}
	return strings.TrimSpace(stdout.String()), dir
}

// readIndex returns the index of the OCI layout in dir.
func readIndex(t *testing.T, dir string) v1.ImageIndex {
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

// extract writes the files of an image to root, and describes each as NAME MODE UID:GID.
func extract(t *testing.T, image v1.Image, root string) []string {
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
