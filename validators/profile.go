package validators

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Profile has the fields of a Kubeflow Profile that rules look at. v1 and v1beta1 have the same schema.
// Source: kubeflow/dashboard d842464 components/profile-controller/api/v1/profile_types.go.
type Profile struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec ProfileSpec `json:"spec,omitempty"`
}

// ProfileSpec is the part of a Profile that the admin writes.
type ProfileSpec struct {
	// ResourceQuotaSpec becomes the ResourceQuota kf-resource-quota of the Profile's namespace, if Hard is not empty.
	ResourceQuotaSpec corev1.ResourceQuotaSpec `json:"resourceQuotaSpec,omitempty"`
}

// OwnNamespace returns the name of the namespace that the Profile controller creates for the Profile.
func (p *Profile) OwnNamespace() string { return p.Name }

// ProfileQuota is the name of the ResourceQuota that the Profile controller creates.
// Source: kubeflow/dashboard d842464 components/profile-controller/controllers/profile_controller.go.
const ProfileQuota = "kf-resource-quota"
