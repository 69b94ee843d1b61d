package validators

import (
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/charset"
)

// TestTextCharset has characters that the database can or can't store, in a step and in the run's name.
func TestTextCharset(t *testing.T) {
	const v2Label = "pipelines.kubeflow.org/v2_component"
	for name, test := range map[string]struct {
		charset   charset.Charset
		text, run string // a step's text and the run's name
		v2        bool
		want      Certainty
		message   string
	}{
		"Windows-1252 in latin1": {charset: charset.Latin1, text: "é € “x” — š", run: "é"},
		"Hangul in latin1": {
			charset: charset.Latin1, text: "# 여기 여기 서",
			want: Certain, message: "replace U+C5EC (Hangul), U+AE30 (Hangul), U+C11C (Hangul) in template 'main', or",
		},
		"Hangul in the run's name":             {charset: charset.Latin1, run: "여기", want: Certain, message: "in the run's name, or"},
		"Hangul in utf8mb3":                    {charset: charset.UTF8MB3, text: "여기", run: "여기"},
		"an emoji in utf8mb4":                  {charset: charset.UTF8MB4, text: "😀", run: "😀"},
		"a line separator that KFP v2 escapes": {charset: charset.Latin1, text: "a\u2028b", v2: true},
		"a line separator, not of KFP v2":      {charset: charset.Latin1, text: "a\u2028b", want: Possible, message: "U+2028"},
		"a line separator in the run's name": {
			charset: charset.Latin1, run: "a\u2028b", v2: true, want: Certain, message: "the run's name",
		},
		"more characters than are listed": {
			charset: charset.Latin1, text: "가나다라마바사아자차카타파하", want: Certain, message: "+11 more",
		},
	} {
		t.Run(name, func(t *testing.T) {
			wf := &wfv1.Workflow{
				ObjectMeta: metav1.ObjectMeta{
					Labels: map[string]string{runIDLabel: "x"}, Annotations: map[string]string{runNameAnnotation: test.run},
				},
				Spec: wfv1.WorkflowSpec{Entrypoint: "main", Templates: []wfv1.Template{{
					Name: "main", Script: &wfv1.ScriptTemplate{Source: test.text},
				}}},
			}
			if test.v2 {
				wf.Spec.PodMetadata = &wfv1.Metadata{Labels: map[string]string{v2Label: "true"}}
			}
			only := func(rule string) bool { return rule == WorkflowTextCharset }
			findings := JudgeWorkflow(wf, &State{}, Options{Charset: test.charset}, only)
			if test.want == Unknown {
				if len(findings) > 0 {
					t.Errorf("got %s, want no finding", findings[0].Message())
				}
				return
			}
			if len(findings) != 1 || findings[0].Certainty != test.want || !strings.Contains(findings[0].Message(), test.message) {
				t.Errorf("got %+v, want one %s finding with %s", findings, test.want, test.message)
			}
		})
	}
}
