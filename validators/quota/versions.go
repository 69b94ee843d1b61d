package quota

// The first minor versions of Kubernetes whose API server behaves as the name says, with its default feature gates.
// Source: k8s.io/kubernetes v1.37.2 pkg/features/kube_features.go SidecarContainers, PodLevelResources,
// PodLevelResourcesFixDefaulting, PodLevelResourcesFixKubeletQOSClass; v1.33.13 pkg/apis/core/helper/helpers.go
// standardResourceQuotaScopes.
const (
	sidecarsSince                   = 29
	volumeAttributesClassScopeSince = 33
	podLevelResourcesSince          = 34
	podLevelFixDefaultingSince      = 37
	podLevelFixQOSClassSince        = 37
)

// versionAtLeast reports whether the API server has the given minor version or a newer one.
func (n Namespace) versionAtLeast(minor int) bool { return atLeast(n.Minor, minor) }

// atLeast reports whether server, the minor version of an API server, is at least minor. A server of 0 counts as the newest.
func atLeast(server, minor int) bool { return server == 0 || server >= minor }
