package forecast

import (
	"reflect"
	"slices"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// TestEveryCredential sets each field of an artifact location that selects a Secret, one at a time,
// and requires that the Secret is found. It fails if a new version of Argo adds a driver or a
// field.
func TestEveryCredential(t *testing.T) {
	count := 0
	visitSelectors(reflect.TypeFor[wfv1.ArtifactLocation](), nil, func(path []int) {
		count++
		var location wfv1.ArtifactLocation
		v := reflect.ValueOf(&location).Elem()
		for _, i := range path {
			if v.Kind() == reflect.Pointer {
				if v.IsNil() {
					v.Set(reflect.New(v.Type().Elem()))
				}
				v = v.Elem()
			}
			v = v.Field(i)
		}
		selector := &corev1.SecretKeySelector{Key: "key", LocalObjectReference: corev1.LocalObjectReference{Name: "credentials"}}
		v.Set(reflect.ValueOf(selector))
		if location.S3 != nil && location.S3.EncryptionOptions != nil {
			location.S3.EncryptionOptions.EnableEncryption = true
		}
		if !slices.Contains(credentials(&location), selector) {
			t.Errorf("a Secret is not looked at: %+v", location)
		}
	})
	if count != 23 {
		t.Errorf("an artifact location selects %d Secrets, not 23", count)
	}
}

// visitSelectors calls found with the index path of every SecretKeySelector in a type.
func visitSelectors(typ reflect.Type, path []int, found func(path []int)) {
	if typ == reflect.TypeFor[*corev1.SecretKeySelector]() {
		found(path)
		return
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return
	}
	for i := range typ.NumField() {
		visitSelectors(typ.Field(i).Type, append(slices.Clip(path), i), found)
	}
}
