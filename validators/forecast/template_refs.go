package forecast

import (
	"fmt"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// visitByRef visits the template that a templateRef names. Nothing else from the WorkflowTemplate's
// spec applies.
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

// referencedScope returns the scope of a WorkflowTemplate or ClusterWorkflowTemplate that the
// Workflow refers to at refPath. If the lookup fails, it returns the error and a scope with only
// the templates that the Workflow's status holds.
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

// storedTemplates returns the templates of a WorkflowTemplate that the Workflow's status holds, by
// name.
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

// referencedScope is the result of looking up a WorkflowTemplate.
type referencedScope struct {
	scope *scope
	err   error
}

// templateTitle returns the kind and name of a WorkflowTemplate for messages.
func templateTitle(name string, cluster bool) string {
	if cluster {
		return "ClusterWorkflowTemplate " + name
	}
	return "WorkflowTemplate " + name
}

// templateSpec looks up the spec of a WorkflowTemplate or ClusterWorkflowTemplate.
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
