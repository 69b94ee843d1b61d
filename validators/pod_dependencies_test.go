package validators

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

const (
	noPlugin     = "the kubelet no longer has this plugin"
	neverCreated = "pods can't be created with ephemeral containers"
)

// notRequired are the fields of a PodSpec that name a Secret without which the pod starts all the same, and why.
var notRequired = map[string]string{
	"Volumes.VolumeSource.RBD.SecretRef.Name":                                                           noPlugin,
	"Volumes.VolumeSource.CephFS.SecretRef.Name":                                                        noPlugin,
	"Volumes.VolumeSource.ScaleIO.SecretRef.Name":                                                       noPlugin,
	"Volumes.VolumeSource.StorageOS.SecretRef.Name":                                                     noPlugin,
	"Volumes.VolumeSource.Cinder.SecretRef.Name":                                                        "the translation to CSI drops it",
	"EphemeralContainers.EphemeralContainerCommon.Env.ValueFrom.SecretKeyRef.LocalObjectReference.Name": neverCreated,
	"EphemeralContainers.EphemeralContainerCommon.EnvFrom.SecretRef.LocalObjectReference.Name":          neverCreated,
}

// TestEverySecretField walks the type PodSpec. Each field that can name a Secret must be a dependency or be listed in notRequired, so that
// the test fails when a new version of Kubernetes adds a field.
func TestEverySecretField(t *testing.T) {
	var fields []string
	secretFields(reflect.TypeFor[corev1.PodSpec](), "", map[reflect.Type]bool{}, &fields)
	if len(fields) < 15 {
		t.Fatalf("found only %d fields: %v", len(fields), fields)
	}
	for _, field := range fields {
		var spec corev1.PodSpec
		setField(reflect.ValueOf(&spec).Elem(), strings.Split(field, "."), "the-secret")
		for i := range spec.Volumes {
			spec.Volumes[i].Name = "volume"
			if spec.Volumes[i].ISCSI != nil {
				spec.Volumes[i].ISCSI.SessionCHAPAuth = true // otherwise the Secret is not used
			}
			spec.Containers = []corev1.Container{{VolumeMounts: []corev1.VolumeMount{{Name: "volume"}}}}
		}
		found := dependsOnTheSecret(&forecast.Pod{Spec: spec})
		_, excepted := notRequired[field]
		if found == excepted {
			t.Errorf("%s: found %v, listed as not required %v", field, found, excepted)
		}
	}
}

func dependsOnTheSecret(pod *forecast.Pod) bool {
	return slices.ContainsFunc(podDependencies(pod), func(d podDependency) bool {
		return d.ObjectRef == ObjectRef{Secret, "the-secret"}
	})
}

// notInForecast are parts of paths of a Workflow's fields that name a Secret and are not used by Argo, and why.
var notInForecast = map[string]string{
	"Resource.ManifestFrom.Artifact": "Argo takes the artifact from the template's inputs, by its name",
}

// TestEverySecretFieldOfAWorkflow walks the type WorkflowSpec. A Secret in any field must be a dependency of a forecast pod, provided that
// the field is reachable.
func TestEverySecretFieldOfAWorkflow(t *testing.T) {
	var fields []string
	secretFields(reflect.TypeFor[wfv1.WorkflowSpec](), "", map[reflect.Type]bool{}, &fields)
	if len(fields) < 500 {
		t.Fatalf("found only %d fields", len(fields))
	}
	for _, field := range fields {
		wf := &wfv1.Workflow{}
		setField(reflect.ValueOf(&wf.Spec).Elem(), strings.Split(field, "."), "the-secret")
		makeReachable(&wf.Spec)
		var found bool
		fc := forecast.Workflow(wf, &State{Complete: true}, forecast.Options{})
		for i := range fc.Pods {
			found = found || dependsOnTheSecret(&fc.Pods[i])
		}
		found = found || slices.ContainsFunc(fc.HeaderSecrets, func(h forecast.HeaderSecret) bool { return h.Secret == "the-secret" })
		var excepted bool
		for end := range notRequired {
			excepted = excepted || strings.HasSuffix(field, strings.TrimPrefix(end, "Volumes.VolumeSource."))
		}
		for part := range notInForecast {
			excepted = excepted || strings.Contains(field, part)
		}
		if found == excepted {
			t.Errorf("%s: found %v, excepted %v; gaps %v", field, found, excepted, fc.Gaps)
		}
	}
}

// makeReachable completes a spec in which only one field is set, so that the controller uses that field.
func makeReachable(spec *wfv1.WorkflowSpec) {
	spec.Entrypoint = "main"
	if len(spec.Templates) == 0 {
		spec.Templates = []wfv1.Template{{}}
	}
	leaf := wfv1.Template{Name: "leaf", Container: &corev1.Container{}}
	leaf.Inputs.Artifacts = wfv1.Artifacts{{Name: "a", Path: "/a"}}
	main := &spec.Templates[0]
	main.Name = "main"
	if len(spec.Arguments.Artifacts) > 0 {
		main.Inputs.Artifacts = append(main.Inputs.Artifacts, leaf.Inputs.Artifacts...)
	}
	completeTemplate(main, spec.TemplateDefaults)
	if spec.TemplateDefaults != nil && spec.TemplateDefaults.GetType() != wfv1.TemplateTypeUnknown {
		spec.TemplateDefaults.Name = "main"
		completeTemplate(spec.TemplateDefaults, nil)
		completeCalls(spec.TemplateDefaults)
		*main = *spec.TemplateDefaults.DeepCopy()
		if main.DAG != nil {
			main.DAG.Tasks[0].Hooks = nil // hooks don't merge
		}
	}
	completeCalls(main)
	for name, hook := range spec.Hooks {
		hook.Template = "leaf"
		nameArtifacts(hook.Arguments.Artifacts)
		spec.Hooks[name] = hook
	}
	nameArtifacts(spec.Arguments.Artifacts)
	for i := range spec.Volumes {
		completeVolume(&spec.Volumes[i])
		main.Container.VolumeMounts = []corev1.VolumeMount{{Name: "volume"}}
	}
	spec.Templates = append(spec.Templates, leaf)
}

// completeTemplate gives a template a container, unless its type is set, and completes its artifacts and volumes.
func completeTemplate(t, defaults *wfv1.Template) {
	if t.GetType() == wfv1.TemplateTypeUnknown {
		t.Container = &corev1.Container{}
	}
	for _, artifacts := range []wfv1.Artifacts{t.Inputs.Artifacts, t.Outputs.Artifacts} {
		nameArtifacts(artifacts)
	}
	if t.ArchiveLocation != nil {
		completeLocation(t.ArchiveLocation)
	}
	if t.Data != nil && t.Data.Source.ArtifactPaths != nil {
		completeLocation(&t.Data.Source.ArtifactPaths.ArtifactLocation)
	}
	for i := range t.Volumes {
		completeVolume(&t.Volumes[i])
		t.Container.VolumeMounts = []corev1.VolumeMount{{Name: "volume"}}
	}
	if defaults != nil && len(defaults.Volumes) > 0 {
		completeVolume(&defaults.Volumes[0])
		t.Container.VolumeMounts = []corev1.VolumeMount{{Name: "volume"}}
	}
	if defaults != nil {
		for _, artifacts := range []wfv1.Artifacts{defaults.Inputs.Artifacts, defaults.Outputs.Artifacts} {
			nameArtifacts(artifacts)
		}
		if defaults.ArchiveLocation != nil {
			completeLocation(defaults.ArchiveLocation)
		}
	}
}

// completeCalls makes the steps, tasks and hooks of a template call the template leaf.
func completeCalls(t *wfv1.Template) {
	call := func(template *string, inline *wfv1.Template, args wfv1.Arguments, hooks wfv1.LifecycleHooks) {
		nameArtifacts(args.Artifacts)
		if inline != nil {
			completeTemplate(inline, nil)
		} else {
			*template = "leaf"
		}
		for name, hook := range hooks {
			hook.Template = "leaf"
			nameArtifacts(hook.Arguments.Artifacts)
			hooks[name] = hook
		}
	}
	for i := range t.Steps {
		for j := range t.Steps[i].Steps {
			step := &t.Steps[i].Steps[j]
			step.Name = "s"
			call(&step.Template, step.Inline, step.Arguments, step.Hooks)
		}
	}
	if t.DAG != nil {
		for i := range t.DAG.Tasks {
			task := &t.DAG.Tasks[i]
			task.Name = "s"
			call(&task.Template, task.Inline, task.Arguments, task.Hooks)
		}
	}
}

func nameArtifacts(artifacts wfv1.Artifacts) {
	for i := range artifacts {
		artifacts[i].Name = "a"
		completeLocation(&artifacts[i].ArtifactLocation)
	}
}

func completeLocation(l *wfv1.ArtifactLocation) {
	if l.S3 != nil && l.S3.EncryptionOptions != nil {
		l.S3.EncryptionOptions.EnableEncryption = true
	}
}

func completeVolume(v *corev1.Volume) {
	v.Name = "volume"
	if v.ISCSI != nil {
		v.ISCSI.SessionCHAPAuth = true
	}
}

// secretFields collects the paths of string fields that name a Secret: those called Name or SecretName with Secret somewhere in their
// path. enclosing are the types that the path leads through.
func secretFields(typ reflect.Type, path string, enclosing map[reflect.Type]bool, out *[]string) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice:
		secretFields(typ.Elem(), path, enclosing, out)
	case reflect.Map:
		secretFields(typ.Elem(), path, enclosing, out)
	case reflect.Struct:
		if enclosing[typ] {
			return
		}
		enclosing[typ] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			secretFields(f.Type, strings.TrimPrefix(path+"."+f.Name, "."), enclosing, out)
		}
		delete(enclosing, typ)
	case reflect.String:
		leaf := path[strings.LastIndex(path, ".")+1:]
		if strings.Contains(path, "Secret") && (leaf == "Name" || leaf == "SecretName") {
			*out = append(*out, path)
		}
	}
}

// setField sets the field at a path, and creates the pointers, slices and maps on the way, with one element each.
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
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		setField(element, path, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("exit").Convert(v.Type().Key()), element)
	case reflect.Struct:
		if key := v.FieldByName("Key"); key.IsValid() && key.Kind() == reflect.String {
			key.SetString("key") // without a key the selector is ignored
		}
		setField(v.FieldByName(path[0]), path[1:], value)
	case reflect.String:
		v.SetString(value)
	}
}
