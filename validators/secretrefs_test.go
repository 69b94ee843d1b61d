package validators

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// notRequired are the fields of a PodSpec that name a Secret which the kubelet does not insist on, and why.
var notRequired = map[string]string{
	"Volumes.VolumeSource.RBD.SecretRef.Name":                                                           "the kubelet has no such plugin any more",
	"Volumes.VolumeSource.CephFS.SecretRef.Name":                                                        "the kubelet has no such plugin any more",
	"Volumes.VolumeSource.ScaleIO.SecretRef.Name":                                                       "the kubelet has no such plugin any more",
	"Volumes.VolumeSource.StorageOS.SecretRef.Name":                                                     "the kubelet has no such plugin any more",
	"Volumes.VolumeSource.Cinder.SecretRef.Name":                                                        "the translation to CSI drops it",
	"ImagePullSecrets.Name":                                                                             "the kubelet pulls without it; only a private image fails",
	"EphemeralContainers.EphemeralContainerCommon.Env.ValueFrom.SecretKeyRef.LocalObjectReference.Name": "no pod is created with one",
	"EphemeralContainers.EphemeralContainerCommon.EnvFrom.SecretRef.LocalObjectReference.Name":          "no pod is created with one",
}

// TestEverySecretField walks the type of a pod and requires that each field that can name a Secret is either looked at or
// known not to matter. A field that a new Kubernetes adds fails the test.
func TestEverySecretField(t *testing.T) {
	var fields []string
	secretFields(reflect.TypeFor[corev1.PodSpec](), "", map[reflect.Type]bool{}, &fields)
	if len(fields) < 15 {
		t.Fatalf("only %d fields were found: %v", len(fields), fields)
	}
	for _, field := range fields {
		var spec corev1.PodSpec
		setField(reflect.ValueOf(&spec).Elem(), strings.Split(field, "."), "the-secret")
		for i := range spec.Volumes {
			spec.Volumes[i].Name = "volume"
			if spec.Volumes[i].ISCSI != nil {
				spec.Volumes[i].ISCSI.SessionCHAPAuth = true // else there is no log-in
			}
			spec.Containers = []corev1.Container{{VolumeMounts: []corev1.VolumeMount{{Name: "volume"}}}}
		}
		found := slices.ContainsFunc(requiredSecrets(&forecast.Pod{Spec: spec}), func(r secretRef) bool { return r.secret == "the-secret" })
		_, excepted := notRequired[field]
		if found == excepted {
			t.Errorf("%s: looked at %v, excepted %v", field, found, excepted)
		}
	}
}

// secretFields collects the paths of string fields that name a Secret: called Name or SecretName, somewhere below a field
// with Secret in its name, or in it.
func secretFields(typ reflect.Type, path string, open map[reflect.Type]bool, out *[]string) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice:
		secretFields(typ.Elem(), path, open, out)
	case reflect.Struct:
		if open[typ] {
			return
		}
		open[typ] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			secretFields(f.Type, strings.TrimPrefix(path+"."+f.Name, "."), open, out)
		}
		delete(open, typ)
	case reflect.String:
		leaf := path[strings.LastIndex(path, ".")+1:]
		if strings.Contains(path, "Secret") && (leaf == "Name" || leaf == "SecretName") {
			*out = append(*out, path)
		}
	}
}

// setField sets the field at a path, making what leads there: pointers, and slices of one element.
func setField(v reflect.Value, path []string, value string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		setField(v.Elem(), path, value)
	case reflect.Slice:
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		setField(v.Index(0), path, value)
	case reflect.Struct:
		setField(v.FieldByName(path[0]), path[1:], value)
	case reflect.String:
		v.SetString(value)
	}
}
