package forecast

import (
	"fmt"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// scope is a set of templates that call each other by name: a Workflow's own, or those of a WorkflowTemplate.
type scope struct {
	// name is empty for the Workflow's own.
	name      string
	templates []wfv1.Template
	// stored are templates that a run before this one has taken from there, by name. The controller prefers them.
	stored map[string]*wfv1.Template
	// refPath is where the Workflow refers to the scope; nil for its own templates.
	refPath *field.Path

	index    map[string]int   // of templates, by name; made when it is first needed
	resolved []scopedTemplate // those that were asked for, by the same index
}

// lookup is a template of the scope, before it is prepared.
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

// inlineTemplate is the inline template of a call.
func (s *scope) inlineTemplate(c templateCall) scopedTemplate {
	return s.newTemplate(c.inline, c.path.Child("inline"), c.callerKey)
}

func (s *scope) newTemplate(t *wfv1.Template, path *field.Path, callerKey string) scopedTemplate {
	p := scopedTemplate{Template: t, original: t, path: path, scope: s, key: s.name + "\x00" + path.String() + "\x00" + callerKey}
	if s.refPath != nil {
		p.path = s.refPath
	}
	return p
}

// errorSuffix says which scope this is, for the end of a sentence.
func (s *scope) errorSuffix() string {
	if s.name == "" {
		return ""
	}
	return " in " + s.name
}

// visitByRef visits a template of a WorkflowTemplate or ClusterWorkflowTemplate. Of the rest of its spec nothing comes along.
// Source: argoproj/argo-workflows v3.7.3 workflow/templateresolution/context.go GetTemplateFromRef.
func (w *walker) visitByRef(c templateCall, pos position) {
	ref := c.templateRef
	if HasTag(ref.Name) || HasTag(ref.Template) {
		w.addGap(pos.steps, fmt.Sprintf("the templateRef %s/%s is known only at run time", ref.Name, ref.Template))
		return
	}
	to, err := w.referencedScope(ref.Name, ref.ClusterScope, c.path.Child("templateRef"))
	if _, stored := to.lookup(ref.Template); err != nil && !stored {
		w.addGap(pos.steps, err.Error())
		return
	}
	pos.scope = to
	w.visitByName(ref.Template, c.args, pos)
}

// referencedScope is the scope of a WorkflowTemplate or ClusterWorkflowTemplate that the Workflow refers to at a place. With an error
// it has no more than what the Workflow's status carries.
func (w *walker) referencedScope(name string, cluster bool, refPath *field.Path) (*scope, error) {
	key := templateTitle(name, cluster)
	if found, ok := w.referencedScopes[key]; ok {
		return found.scope, found.err
	}
	found := referencedScope{scope: &scope{name: key, stored: w.storedTemplates(name, cluster), refPath: refPath}}
	spec, err := templateSpec(w.facts, w.wf.Namespace, name, cluster)
	if found.err = err; err == nil {
		found.scope.templates = spec.Templates
	}
	w.referencedScopes[key] = found
	return found.scope, found.err
}

// storedTemplates are those of a WorkflowTemplate that the Workflow's status carries.
// Source: argoproj/argo-workflows v3.7.3 pkg/apis/workflow/v1alpha1/workflow_types.go resolveTemplateReference,
// workflow/templateresolution/context.go resolveTemplateImpl.
func (w *walker) storedTemplates(name string, cluster bool) map[string]*wfv1.Template {
	prefix := string(wfv1.ResourceScopeNamespaced) + "/" + name + "/"
	if cluster {
		prefix = string(wfv1.ResourceScopeCluster) + "/" + name + "/"
	}
	stored := map[string]*wfv1.Template{}
	for key, t := range w.wf.Status.StoredTemplates {
		if template, ok := strings.CutPrefix(key, prefix); ok {
			stored[template] = &t
		}
	}
	return stored
}

// referencedScope is what is known of a WorkflowTemplate: it is asked for once.
type referencedScope struct {
	scope *scope
	err   error
}

func templateTitle(name string, cluster bool) string {
	if cluster {
		return "ClusterWorkflowTemplate " + name
	}
	return "WorkflowTemplate " + name
}

func templateSpec(facts Facts, namespace, name string, cluster bool) (*wfv1.WorkflowSpec, error) {
	if cluster {
		t, err := facts.ClusterWorkflowTemplate(name)
		if err != nil || t != nil {
			return specOf(t, err)
		}
	} else {
		t, err := facts.WorkflowTemplate(namespace, name)
		if err != nil || t != nil {
			return specOf(t, err)
		}
	}
	return nil, fmt.Errorf("there is no %s", templateTitle(name, cluster))
}

func specOf(t wfv1.WorkflowSpecHolder, err error) (*wfv1.WorkflowSpec, error) {
	if err != nil {
		return nil, err
	}
	return t.GetWorkflowSpec(), nil
}

// effectiveWorkflow returns the Workflow as the controller executes it, on top of the WorkflowTemplate that it names and of the
// controller's workflowDefaults, and the scope of its templates. With an error it is what is known of it.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/operator.go setStoredWfSpec, workflow/util/merge.go
// JoinWorkflowSpec.
func effectiveWorkflow(b *budget, wf *wfv1.Workflow, facts Facts, controller ControllerConfig) (*scope, *wfv1.Workflow, error) {
	workflowScope, merged := &scope{templates: wf.Spec.Templates}, wf
	if ref := wf.Spec.WorkflowTemplateRef; ref != nil {
		spec := wf.Status.StoredWorkflowSpec // the controller trusts what it finds there
		if spec == nil {
			var err error
			if spec, err = templateSpec(facts, wf.Namespace, ref.Name, ref.ClusterScope); err != nil {
				return workflowScope, wf, err
			}
		}
		joined, err := mergeWorkflow(b, wf, &wfv1.Workflow{Spec: *spec})
		if err != nil {
			return workflowScope, wf, fmt.Errorf("the %s can't be merged into the Workflow: %w", templateTitle(ref.Name, ref.ClusterScope), err)
		}
		restoreParameterPrecedence(joined.Spec.Arguments.Parameters, wf.Spec.Arguments, spec.Arguments)
		merged, workflowScope.refPath = joined, field.NewPath("spec", "workflowTemplateRef")
	}
	withAll, err := mergeWorkflow(b, merged, controller.WorkflowDefaults)
	if err != nil {
		return workflowScope, merged, fmt.Errorf("the controller's workflowDefaults can't be merged into the Workflow: %w", err)
	}
	workflowScope.templates = withAll.Spec.Templates
	return workflowScope, withAll, nil
}

// restoreParameterPrecedence undoes what the merge of two definitions of a parameter mixes: value, default and source come from the
// definition of the highest priority that has any.
func restoreParameterPrecedence(parameters []wfv1.Parameter, priority ...wfv1.Arguments) {
	for i, p := range parameters {
		for _, args := range priority {
			if own := args.GetParameterByName(p.Name); own != nil && own.HasValue() {
				parameters[i] = *own
				break
			}
		}
	}
}
