package forecast

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// Pod is a pod that Argo would create.
type Pod struct {
	// Spec is the pod's spec as the controller submits it, before the API server's defaulting and
	// admission. It has the fields that rules depend on, and is not complete.
	//
	// Of the PodSpec's own fields, these are filled in: initContainers, containers, volumes,
	// restartPolicy, activeDeadlineSeconds, imagePullSecrets, serviceAccountName, affinity, and
	// priorityClassName.
	//
	// These are left out, unless a podSpecPatch sets them:
	//   - nodeSelector, tolerations, schedulerName, hostAliases, hostNetwork, dnsPolicy, dnsConfig,
	//     securityContext, and automountServiceAccountToken
	//   - affinity that comes from the calling steps or DAG template or from a retryStrategy, and,
	//     in the agent pod, all affinity
	//
	// The author's containers are as in the template, main containers on top of the controller's
	// mainContainer. In the containers that Argo adds, listed in ArgoContainers, only the name, the
	// resources, the env of the controller's executor, and the mounts named below are filled in,
	// and in main what the controller's mainContainer sets. They have no image, imagePullPolicy,
	// command, args, or securityContext of their own. In all containers, these are left out:
	//   - the variables that Argo sets for its own use, such as ARGO_TEMPLATE and ARGO_NODE_ID
	//   - the argoexec command that Argo puts before the author's, the path of the script that it
	//     appends to it, and a command that it looks up from the image
	//
	// The volumes and their mounts are those of the template and of the Workflow, the credentials
	// of artifacts, the executor's ServiceAccount token, and the controller's kubeConfig. The
	// emptyDirs that Argo adds are left out (var-run-argo, tmp-dir-argo, argo-staging,
	// input-artifacts), and so are the ConfigMap for a very large template and the agent's CA
	// certificates. So are the containers and volumes that executor plugins add to the agent pod;
	// the forecast has a Gap if the Workflow itself uses plugins.
	//
	// The Workflow's deadline counts from the start of the run, so that the real
	// activeDeadlineSeconds may be lower. Tags with unknown values stay in the text.
	//
	// A Pod has no metadata: its name, labels, and annotations are not predicted.
	//
	// The conformance test compares containers, their resources, references, and mounts, and the
	// pod's volumes, serviceAccountName, imagePullSecrets, priorityClassName, and deadline with the
	// pods of a real controller. It does not compare restartPolicy, affinity, or the author's
	// images, commands, and plain variables.
	Spec corev1.PodSpec
	// Origin says where the pod comes from.
	Origin Origin
	// Unknown explains why any part of Spec may be different in reality. It is empty if nothing
	// may. Possible reasons are a podSpecPatch that is known only at run time, and a field that
	// only newer versions of Argo know.
	Unknown string
	// ArgoContainers are the names of the containers that Argo may add. The controller's
	// configuration sets their resources, not the author.
	ArgoContainers []string
	// DeadlineUnknown is set if the template has a deadline that is known only at run time. It is
	// not in Spec.
	DeadlineUnknown bool
	// HasOwnDeadline is set if the pod has a deadline that is not the Workflow's. A pod that can't
	// start fails then, and the run may continue without it.
	HasOwnDeadline bool
	// MissingServiceAccount is the name of a ServiceAccount that does not exist, but whose token
	// Argo's own containers need. The controller creates no pod until the account exists. It is
	// empty if no account is missing.
	MissingServiceAccount string
	// RuntimeResources are resources whose amounts are known only at run time. They are not in
	// Spec.
	RuntimeResources []RuntimeResource

	sources       podSources
	metadata      podMetadata
	executorImage string
}

// RuntimeResource is a resource of a container whose amount is known only at run time. If it names
// no container, it is a resource of the whole pod.
type RuntimeResource = kfp.RuntimeResource

// Origin says which part of a Workflow a pod comes from.
type Origin struct {
	// Template is the template's name. It is empty for an inline template.
	Template string
	// Steps are the paths of the step names that run the template, at most 500, in the Workflow's
	// order. The entrypoint appears under its template's name.
	Steps []string
	// Certainty is how certain it is that at least one of Steps runs.
	Certainty Certainty
	// EndsRun is how certain it is that at least one of Steps runs and that an error in it ends the
	// run, because no continueOn and no depends lets the run continue.
	EndsRun Certainty
	// EndsRunOnFailure is the same for a failure, such as that of a pod at its deadline.
	EndsRunOnFailure Certainty
	// Path is the place of the template in the Workflow, such as spec.templates[2].
	Path *field.Path
}

// maxSteps limits the number of steps in an Origin.
const maxSteps = 500

// addStep records that the step at pos leads here.
func (o *Origin) addStep(pos position) {
	if step := pos.stepPath(); len(o.Steps) < maxSteps && !slices.Contains(o.Steps, step) {
		o.Steps = append(o.Steps, step)
	}
	o.Certainty = max(o.Certainty, pos.certainty)
	o.EndsRun = max(o.EndsRun, pos.endsRun())
	o.EndsRunOnFailure = max(o.EndsRunOnFailure, pos.endsRunOnFailure())
}

// capEndsRun lowers how certain it is that an error or a failure ends the run.
func (o *Origin) capEndsRun(c Certainty) {
	o.EndsRun, o.EndsRunOnFailure = min(o.EndsRun, c), min(o.EndsRunOnFailure, c)
}
