package objects

import (
	"fmt"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// DecodePipeline reads a pipeline as the KFP SDK v2 compiles it, with what it wants of Kubernetes, which may be nil: the run that it
// leads to with the default values of its parameters.
func DecodePipeline(pipeline, platforms []byte, namespace string) (*Object, error) {
	compiled, err := kfp.Compile(pipeline, platforms)
	if err != nil {
		return nil, fmt.Errorf("the pipeline can't be compiled: %w", err)
	}
	wf := compiled.Workflow
	wf.Namespace = namespace
	// As KFP submits it, which decides what its database has to store.
	wf.Labels = map[string]string{"pipeline/runid": "00000000-0000-0000-0000-000000000000"}
	return &Object{Kind: "Pipeline", Namespace: namespace, Name: wf.GenerateName + "*", workflow: wf, places: compiled.ParameterPaths}, nil
}

// placeOf is where in the pipeline something stands that has become a field of the Workflow.
func (o *Object) placeOf(field string) string {
	var i int
	if n, _ := fmt.Sscanf(field, "spec.arguments.parameters[%d]", &i); n == 1 && i < len(o.places) {
		return o.places[i]
	}
	return "root"
}
