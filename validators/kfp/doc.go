// Package kfp predicts what the drivers of a KFP v2 run do, from the JSON that the run carries.
//
// A Workflow of KFP v2 says little about the pods of its steps. A driver runs before each step. It gets the step's component,
// task, container and Kubernetes configuration as JSON, and writes a patch for the step's pod as an output parameter. This
// package works out the outputs at admission, as far as they are known by then: [Run.DriverOutputs] takes the command line of a
// driver's container and returns the output parameters that the driver would write. [Compile] does what KFP's API server does
// before that: it turns a compiled pipeline into a Workflow.
//
// The JSON is that of KFP's public protobuf API: field names in camelCase or snake_case, null for a field that is not set,
// 64-bit numbers as strings. Unknown fields are ignored.
//
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver, api/v2alpha1/pipeline_spec.proto,
// kubernetes_platform/proto/kubernetes_executor_config.proto.
package kfp
