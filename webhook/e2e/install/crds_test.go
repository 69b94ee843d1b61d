package install

import (
	"os/exec"
	"path/filepath"
	"strings"
)

// applyCRDs installs the CRDs in a folder of a module that hack/addons/go.mod requires.
func (tc *testCluster) applyCRDs(module, folder string) {
	tc.t.Helper()
	for _, args := range [][]string{{"mod", "download", module}, {"list", "-m", "-f", "{{.Dir}}", module}} {
		cmd := exec.CommandContext(tc.t.Context(), "go", args...)
		cmd.Dir = filepath.Join(repoRoot, "hack", "addons")
		out, err := cmd.Output()
		if err != nil {
			tc.t.Fatalf("go %v: %v", args, err)
		}
		if dir := strings.TrimSpace(string(out)); dir != "" {
			tc.mustRun("kubectl apply --server-side -f " + filepath.Join(dir, folder))
			tc.mustRun("kubectl wait --for=condition=Established crd --all --timeout=60s")
		}
	}
}
