package objects

import (
	"fmt"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// DecodePipeline decodes a pipeline that the KFP SDK v2 has compiled. The platform spec, which holds its settings for Kubernetes, may be
// nil. The result is evaluated by the run that the pipeline creates with the default values of its parameters.
func DecodePipeline(pipeline, platforms []byte, namespace string) (*Object, error) {
	compiled, err := kfp.Compile(pipeline, platforms)
	if err != nil {
		return nil, fmt.Errorf("the pipeline can't be compiled: %w", err)
	}
	wf := compiled.Workflow
	wf.Namespace = namespace
	// KFP adds this label when it creates a run. The rules use it to decide what KFP's database has to store.
	wf.Labels = map[string]string{"pipeline/runid": "00000000-0000-0000-0000-000000000000"}
	return &Object{
		Kind: "Pipeline", Namespace: namespace, Name: wf.GenerateName + "*", workflow: wf, parameterPaths: compiled.ParameterPaths,
	}, nil
}

// pipelinePath returns the path in the pipeline for a field of the Workflow that was compiled from it.
func (o *Object) pipelinePath(field string) string {
	var i int
	if n, _ := fmt.Sscanf(field, "spec.arguments.parameters[%d]", &i); n == 1 && i < len(o.parameterPaths) {
		return o.parameterPaths[i]
	}
	return "root"
}
