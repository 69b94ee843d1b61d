package install

import (
	"os/exec"
	"path/filepath"
	"strings"
)

// applyCRDs installs the CRDs that a module of hack/addons ships.
func (s *testCluster) applyCRDs(module, folder string) {
	s.t.Helper()
	for _, args := range [][]string{{"mod", "download", module}, {"list", "-m", "-f", "{{.Dir}}", module}} {
		cmd := exec.CommandContext(s.t.Context(), "go", args...)
		cmd.Dir = filepath.Join(repoRoot, "hack", "addons")
		out, err := cmd.Output()
		if err != nil {
			s.t.Fatalf("go %v: %v", args, err)
		}
		if dir := strings.TrimSpace(string(out)); dir != "" {
			s.mustRun("kubectl apply --server-side -f " + filepath.Join(dir, folder) + " && kubectl wait --for=condition=Established crd --all --timeout=60s")
		}
	}
}
