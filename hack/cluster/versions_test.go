package cluster

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestVersionsAgree checks that the project uses the API types of exactly those programs that it is tested
// against: the versions in the go.mod files agree.
func TestVersionsAgree(t *testing.T) {
	project, kubernetes, argo := read(t, "../../go.mod"), read(t, "../kubernetes/go.mod"), read(t, "../argo/go.mod")
	const argoModule = "github.com/argoproj/argo-workflows/v3"
	if got, want := required(t, argo, argoModule), required(t, project, argoModule); got != want {
		t.Errorf("workflow-controller is %s, the API types are %s", got, want)
	}
	server := required(t, kubernetes, "k8s.io/kubernetes")
	staging := "v0" + strings.TrimPrefix(server, "v1")
	if got := required(t, project, "k8s.io/api"); got != staging {
		t.Errorf("kube-apiserver is %s, k8s.io/api is %s", server, got)
	}
	for _, m := range regexp.MustCompile(`(?m)=> (k8s\.io/\S+) (\S+)$`).FindAllStringSubmatch(kubernetes, -1) {
		if m[2] != staging {
			t.Errorf("kube-apiserver is %s, its %s %s", server, m[1], m[2])
		}
	}
}

// required returns the version of module that the text of a go.mod file requires.
func required(t *testing.T, mod, module string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^(?:require )?\s*` + regexp.QuoteMeta(module) + ` (v\S+)`).FindStringSubmatch(mod)
	if m == nil {
		t.Fatalf("no version of %s is required", module)
	}
	return m[1]
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
