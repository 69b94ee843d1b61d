package forecast

import (
	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// scope is a set of templates that call each other by name: those of a Workflow or of a
// WorkflowTemplate.
type scope struct {
	// name is the kind and name of the WorkflowTemplate. It is empty for the Workflow's own
	// templates.
	name      string
	templates []wfv1.Template
	// stored holds templates that an earlier run saved in the Workflow's status, by name. The
	// controller prefers them.
	stored map[string]*wfv1.Template
	// refPath is where the Workflow refers to the scope. It is nil for the Workflow's own
	// templates.
	refPath *field.Path

	index    map[string]int   // index in templates, by name; built on first use
	resolved []scopedTemplate // templates looked up before, by index in templates
}

// scopedTemplate is a template together with its scope and its place in the Workflow. Once
// prepared, it also has its inputs.
type scopedTemplate struct {
	*wfv1.Template
	// original is the template as written, without defaults and with its tags.
	original *wfv1.Template
	// path is where the template is written or, if that is outside of the Workflow, where the
	// Workflow refers to it.
	path  *field.Path
	scope *scope
	// inputs are the known values of the inputs.parameters.* tags.
	inputs tagValues
	// usesConfigMap is set if an input has its value from a ConfigMap.
	usesConfigMap bool
	// key identifies the template and its inputs. Templates with equal keys become equal pods.
	key string
}

// lookup returns the template with the given name, not yet prepared.
func (s *scope) lookup(name string) (scopedTemplate, bool) {
	if t, ok := s.stored[name]; ok {
		return s.newTemplate(t, field.NewPath("status", "storedTemplates").Key(name), ""), true
	}
	if s.index == nil {
		s.index, s.resolved = make(map[string]int, len(s.templates)), make([]scopedTemplate, len(s.templates))
		for i := range s.templates {
			if _, ok := s.index[s.templates[i].Name]; !ok {
				s.index[s.templates[i].Name] = i
			}
		}
	}
	i, ok := s.index[name]
	if !ok {
		return scopedTemplate{}, false
	}
	if s.resolved[i].Template == nil {
		s.resolved[i] = s.newTemplate(&s.templates[i], templatesPath.Index(i), "")
	}
	return s.resolved[i], true
}

var templatesPath = field.NewPath("spec", "templates")

// inlineTemplate returns the inline template of a call.
func (s *scope) inlineTemplate(c templateCall) scopedTemplate {
	return s.newTemplate(c.inline, c.path.Child("inline"), c.callerKey)
}

func (s *scope) newTemplate(t *wfv1.Template, path *field.Path, callerKey string) scopedTemplate {
	key := s.name + "\x00" + path.String() + "\x00" + callerKey
	if s.refPath != nil {
		path = s.refPath
	}
	return scopedTemplate{Template: t, original: t, path: path, scope: s, key: key}
}

// errorSuffix names the scope at the end of an error message. It is empty for the Workflow's own
// templates.
func (s *scope) errorSuffix() string {
	if s.name == "" {
		return ""
	}
	return " in " + s.name
}
