package validators
import ("testing";"fmt";"time";wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1";"encoding/json";"strings")
func TestP3b(t *testing.T) {
	n := 10000
	env := make([]string, n)
	for i := range env { env[i] = fmt.Sprintf(`{"secretRef":{"name":"a-%d"}}`, i) }
	text := wfText(`{"name":"main","steps":[[{"name":"e","template":"e"}],[{"name":"s","template":"u","withItems":[`+items(5)+`],"arguments":{"parameters":[{"name":"x","value":"{{item}}"}]}}]]},`+
		`{"name":"e","container":{"image":"x","envFrom":[`+strings.Join(env, ",")+`]}},`+
		`{"name":"u","inputs":{"parameters":[{"name":"x"}]},"resource":{"action":"create","manifest":"{kind: Foo, a: `+strings.Repeat("a-", 300<<10)+`, metadata: {name: x-{{inputs.parameters.x}}}}"}}`)
	wf := &wfv1.Workflow{}
	if err := json.Unmarshal([]byte(text), wf); err != nil { panic(err) }
	tm := time.Now()
	fs := JudgeWorkflow(wf, &State{Complete: true}, func(string) bool { return true })
	fmt.Printf("P3b object %d KB: %v, findings %d\n", len(text)>>10, time.Since(tm).Round(time.Millisecond), len(fs))
}
