// Package objects decodes the objects that can be evaluated outside of admission. These are Profiles and Workflows, and the objects that
// create Workflows: CronWorkflows, WorkflowTemplates, ClusterWorkflowTemplates, KFP's ScheduledWorkflows and compiled KFP pipelines. An
// object that creates Workflows is evaluated by the Workflow that it would create.
//
// [Decode] reads one object, and [Object.Evaluate] applies the rules to it. The findings refer to fields of the object itself.
package objects
