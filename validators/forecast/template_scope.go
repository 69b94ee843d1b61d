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
	// at is where the Workflow refers to the scope; nil for its own templates.
	at *field.Path

	index map[string]int // of templates, by name; made when it is first needed
	found []placed       // those that were asked for, by the same index
}

// template is a template of the scope, before it is prepared.
func (s *scope) template(name string) (placed, bool) {
	if t, ok := s.stored[name]; ok {
		return s.placed(t, field.NewPath("status", "storedTemplates").Key(name), ""), true
	}
	if s.index == nil {
		s.index, s.found = make(map[string]int, len(s.templates)), make([]placed, len(s.templates))
		for i := range s.templates {
			if _, ok := s.index[s.templates[i].Name]; !ok {
				s.index[s.templates[i].Name] = i
			}
		}
	}
	i, ok := s.index[name]
	if !ok {
		return placed{}, false
	}
	if s.found[i].Template == nil {
		s.found[i] = s.placed(&s.templates[i], templatesPath.Index(i), "")
	}
	return s.found[i], true
}

var templatesPath = field.NewPath("spec", "templates")

// inline is the inline template of a call.
func (s *scope) inline(c call) placed {
	return s.placed(c.inline, c.path.Child("inline"), c.within)
}

func (s *scope) placed(t *wfv1.Template, path *field.Path, within string) placed {
	p := placed{Template: t, written: t, path: path, scope: s, key: s.name + "\x00" + path.String() + "\x00" + within}
	if s.at != nil {
		p.path = s.at
	}
	return p
}

// in says which scope this is, for the end of a sentence.
func (s *scope) in() string {
	if s.name == "" {
		return ""
	}
	return " in " + s.name
}

// byRef visits a template of a WorkflowTemplate or ClusterWorkflowTemplate. Of the rest of its spec nothing comes along.
// Source: argoproj/argo-workflows v3.7.3 workflow/templateresolution/context.go GetTemplateFromRef.
func (w *walker) byRef(c call, at position) {
	ref := c.ref
	if HasTag(ref.Name) || HasTag(ref.Template) {
		w.gap(at.steps, fmt.Sprintf("the templateRef %s/%s is known only at run time", ref.Name, ref.Template))
		return
	}
	to, err := w.other(ref.Name, ref.ClusterScope, c.path.Child("templateRef"))
	if _, stored := to.template(ref.Template); err != nil && !stored {
		w.gap(at.steps, err.Error())
		return
	}
	at.scope = to
	w.byName(ref.Template, c.args, at)
}

// other is the scope of a WorkflowTemplate or ClusterWorkflowTemplate that the Workflow refers to at a place. With an error
// it has no more than what the Workflow's status carries.
func (w *walker) other(name string, cluster bool, at *field.Path) (*scope, error) {
	title := templateTitle(name, cluster)
	if o, ok := w.others[title]; ok {
		return o.scope, o.err
	}
	o := other{scope: &scope{name: title, stored: w.storedTemplates(name, cluster), at: at}}
	spec, err := templateSpec(w.facts, w.wf.Namespace, name, cluster)
	if o.err = err; err == nil {
		o.scope.templates = spec.Templates
	}
	w.others[title] = o
	return o.scope, o.err
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

// other is what is known of a WorkflowTemplate: it is asked for once.
type other struct {
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

// effective returns the Workflow as the controller executes it, on top of the WorkflowTemplate that it names and of the
// controller's workflowDefaults, and the scope of its templates. With an error it is what is known of it.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/operator.go setStoredWfSpec, workflow/util/merge.go
// JoinWorkflowSpec.
func effective(b *budget, wf *wfv1.Workflow, facts Facts, controller ControllerConfig) (*scope, *wfv1.Workflow, error) {
	home, merged := &scope{templates: wf.Spec.Templates}, wf
	if ref := wf.Spec.WorkflowTemplateRef; ref != nil {
		spec := wf.Status.StoredWorkflowSpec // the controller trusts what it finds there
		if spec == nil {
			var err error
			if spec, err = templateSpec(facts, wf.Namespace, ref.Name, ref.ClusterScope); err != nil {
				return home, wf, err
			}
		}
		joined, err := withDefaults(b, wf, &wfv1.Workflow{Spec: *spec})
		if err != nil {
			return home, wf, fmt.Errorf("the %s can't be merged into the Workflow: %w", templateTitle(ref.Name, ref.ClusterScope), err)
		}
		onlyHighestValue(joined.Spec.Arguments.Parameters, wf.Spec.Arguments, spec.Arguments)
		merged, home.at = joined, field.NewPath("spec", "workflowTemplateRef")
	}
	withAll, err := withDefaults(b, merged, controller.WorkflowDefaults)
	if err != nil {
		return home, merged, fmt.Errorf("the controller's workflowDefaults can't be merged into the Workflow: %w", err)
	}
	home.templates = withAll.Spec.Templates
	return home, withAll, nil
}

// onlyHighestValue undoes what the merge of two definitions of a parameter mixes: value, default and source come from the
// definition of the highest priority that has any.
func onlyHighestValue(parameters []wfv1.Parameter, priority ...wfv1.Arguments) {
	for i, p := range parameters {
		for _, args := range priority {
			if own := args.GetParameterByName(p.Name); own != nil && own.HasValue() {
				parameters[i] = *own
				break
			}
		}
	}
}
