// Package kfp knows what a KFP v2 run carries as JSON, and what its drivers make of that.
//
// A Workflow of KFP v2 says little about the pods of its steps. Before each step runs a driver, which is given the
// step's component, its task, its container and its Kubernetes configuration as JSON, and answers with a patch for the
// step's pod. This package works out that answer at admission, as far as it is known by then: Run.Driver takes the command
// line of a driver's container, and gives the output parameters that it would write.
//
// The JSON is KFP's public protobuf API in its JSON form: names in camelCase or snake_case, null for what is not set,
// 64-bit numbers as text. Fields that are not known here are passed over.
//
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver, api/v2alpha1/pipeline_spec.proto,
// kubernetes_platform/proto/kubernetes_executor_config.proto.
package kfp
