package validators

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/charset"
	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// WorkflowTextCharset is the ID of the rule in this file.
const WorkflowTextCharset = "workflow-text-charset"

// KFP's API server creates the Workflow of a run before it stores the run: the whole Workflow as JSON, and the run's name. Storing fails if
// the database can't store a character. Then KFP does not know the run, and deletes its Workflow some minutes later.
//
// Looks at: all texts of a Workflow that KFP has submitted, which has the label pipeline/runid.
// Allows: other Workflows; characters that are escaped in JSON within a text; the run's description, which is not in the Workflow.
// A warning by default: only the admin knows what the database can store.
var workflowTextCharset = Rule[WorkflowForecast]{
	ID:          WorkflowTextCharset,
	Summary:     "A Workflow of KFP has characters that KFP's database can't store, so that the run starts and is lost.",
	DefaultMode: Warn,
	Judge: func(subject WorkflowForecast, _ Facts) []Finding {
		wf := subject.Workflow
		if wf.Labels[runIDLabel] == "" || subject.Charset == charset.UTF8MB4 {
			return nil
		}
		scan := charsetScan{charset: subject.Charset, escapesSeparators: kfp.IsV2(wf)}
		if err := scan.scanWorkflow(wf); err != nil {
			return []Finding{unchecked(WorkflowTextCharset, "spec", "the characters of the Workflow were not checked: %v", err)}
		}
		if len(scan.places) == 0 {
			return nil
		}
		f := scan.finding()
		if !scan.certain || wf.Status.Phase != "" || len(wf.Status.Nodes) > 0 {
			f.Certainty = Possible // a run that is retried is stored already
		}
		return []Finding{f}
	},
}

// The label and the annotation that KFP sets on the Workflows that it submits.
// Source: kubeflow/pipelines 7b70c7b backend/src/common/util/consts.go.
const (
	runIDLabel        = "pipeline/runid"
	runNameAnnotation = "pipelines.kubeflow.org/run_name"
)

func (s *charsetScan) finding() Finding {
	var characters []string
	for _, r := range s.characters {
		characters = append(characters, describeRune(r))
	}
	var places orderedSet
	for _, p := range s.places {
		places.add(p.description)
	}
	return Finding{
		Rule: WorkflowTextCharset, Certainty: Certain, Type: metav1.CauseTypeFieldValueInvalid, Field: s.places[0].field,
		Fix: fmt.Sprintf("replace %s in %s, or have an admin convert KFP's database (docs/database-charset.md)",
			shortList(characters, stepsLength), shortList(places.list, stepsLength)),
		Problem: fmt.Sprintf("The database (%s) can't store %s", s.charset, verb(len(characters), "this character", "these characters")),
		Outcome: "The run starts, KFP fails to store it and deletes its Workflow minutes later: 'Error 1366: Incorrect string value'",
	}
}
