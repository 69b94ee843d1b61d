package validators

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/charset"
	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// WorkflowTextCharset is the ID of the rule in this file.
const WorkflowTextCharset = "workflow-text-charset"

// KFP's API server starts a run before it stores it: the whole Workflow as JSON, and the run's name. A character that the database
// does not have makes that fail. The run goes on without being known, until KFP finds a Workflow of no run and deletes it.
//
// Looks at: all texts of a Workflow that KFP submits, which its label pipeline/runid says.
// Passes: other Workflows; characters that are escaped in JSON within a text; the run's description, which is not in the Workflow.
// A warning by default: which characters the database has is the admin's to say.
var workflowTextCharset = Rule[WorkflowForecast]{
	ID:      WorkflowTextCharset,
	Summary: "A Workflow of KFP has characters that KFP's database can't store, so that the run starts and is lost.",
	Warns:   true,
	Judge: func(subject WorkflowForecast, _ Facts) []Finding {
		wf := subject.Workflow
		if wf.Labels[runIDLabel] == "" || subject.Charset == charset.UTF8MB4 {
			return nil
		}
		texts := charsetScan{charset: subject.Charset, escapes: kfp.IsV2(wf)}
		if err := texts.scan(wf); err != nil {
			return []Finding{unchecked(WorkflowTextCharset, "the characters of the Workflow were not checked: %v", err)}
		}
		if len(texts.places) == 0 {
			return nil
		}
		f := texts.finding(wf)
		if !texts.sure || wf.Status.Phase != "" || len(wf.Status.Nodes) > 0 {
			f.Certainty = Possible // a run that is tried again is stored already
		}
		return []Finding{f}
	},
}

// What KFP writes on the Workflows that it submits.
// Source: kubeflow/pipelines 7b70c7b backend/src/common/util/consts.go.
const (
	runIDLabel        = "pipeline/runid"
	runNameAnnotation = "pipelines.kubeflow.org/run_name"
)

func (u *charsetScan) finding(wf metav1.Object) Finding {
	var characters, places []string
	for _, r := range u.characters {
		characters = append(characters, described(r))
	}
	for _, p := range u.places {
		if !slices.Contains(places, p.said) {
			places = append(places, p.said)
		}
	}
	return Finding{
		Rule: WorkflowTextCharset, Certainty: Certain, Type: metav1.CauseTypeFieldValueInvalid, Field: u.places[0].field,
		Problem: fmt.Sprintf("KFP's database (%s) can't store %s in %s", u.charset, shortList(characters), shortList(places)),
		Outcome: "the run would start, KFP fail to store it (Error 1366: Incorrect string value) and delete its Workflow minutes later",
		Fix:     fmt.Sprintf("to fix, replace %s, or have an admin cure the database (docs/database-charset.md)", them(len(u.characters))),
	}
}

func them(n int) string {
	if n == 1 {
		return "the character"
	}
	return "the characters"
}
