package forecast

import (
	"regexp"
	"slices"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// maxProgramBytes limits the total size of the manifests and programs of a Workflow. Beyond it, the
// Workflow may create any object.
const maxProgramBytes = 4 << 20

// programs are the texts that a Workflow's steps execute: commands, arguments, scripts, and URLs.
type programs struct {
	texts []string // without duplicates
	// incomplete is set if the steps may execute more than texts.
	incomplete bool
}

// mayCreate reports whether a program may create the named object of the given kind.
func (p programs) mayCreate(kind, name string) bool {
	return p.incomplete || slices.ContainsFunc(p.texts, func(program string) bool {
		return mentionsName(program, name) && mentionsKind(strings.ReplaceAll(program, name, ""), kind)
	})
}

// recordProgram records that the Workflow executes a template.
func (w *walker) recordProgram(t *wfv1.Template) {
	w.executedTemplates = append(w.executedTemplates, t)
}

// programs collects the texts that the recorded templates execute. It runs only when a rule misses
// an object.
func (w *walker) programs() (all programs) {
	seen, size := map[string]bool{}, w.manifestBytes
	for _, t := range w.executedTemplates {
		program, incomplete := w.programOf(t)
		all.incomplete = all.incomplete || incomplete
		if program == "" || seen[program] {
			continue
		}
		if size += len(program); size > maxProgramBytes {
			all.incomplete = true
			break
		}
		seen[program] = true
		all.texts = append(all.texts, program)
	}
	return all
}

// programOf returns the text that a template executes. It leaves out environment variables, which
// show that a program uses a Secret rather than creates it. A KFP v2 driver is given a step's whole
// specification without executing it, so programOf returns the step's own program instead.
// incomplete is set if the program's inputs, which are known only at run time, may name any object.
func (w *walker) programOf(t *wfv1.Template) (program string, incomplete bool) {
	if w.isKFPv2 && t.Container != nil {
		if commands, values, incomplete, ok := w.kfpRun.Program(t.Container.Args); ok {
			// A component that creates objects gets their names from its inputs.
			if withInputs := commands + " " + values; createsObjects.MatchString(withInputs) {
				return withInputs, incomplete
			}
			return commands, false
		}
	}
	var parts []string
	add := func(c corev1.Container) { parts = append(append(parts, c.Command...), c.Args...) }
	if t.Container != nil {
		add(*t.Container)
	}
	if t.Script != nil {
		add(t.Script.Container)
		parts = append(parts, t.Script.Source)
	}
	if t.ContainerSet != nil {
		for _, c := range t.ContainerSet.Containers {
			add(c.Container)
		}
	}
	for _, containers := range [][]wfv1.UserContainer{t.InitContainers, t.Sidecars} {
		for _, c := range containers {
			add(c.Container)
		}
	}
	if t.HTTP != nil {
		parts = append(parts, t.HTTP.URL, t.HTTP.Body)
	}
	return strings.Join(parts, " "), false
}

// createsObjects matches how programs create objects: with kubectl and similar tools, with a client
// library, or through the API.
var createsObjects = regexp.MustCompile(`(?i)kubectl|\boc\b|helm|namespaced_|V1Secret|V1ConfigMap|/secrets\b|/configmaps\b|` +
	`kind: *(secret|configmap|serviceaccount|persistentvolumeclaim)`)

// mentionsName reports whether a text contains a name other than as part of a longer name.
func mentionsName(text, name string) bool {
	for from := 0; name != ""; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(name)
		if (start == 0 || !isNameByte(text[start-1])) && (end == len(text) || !isNameByte(text[end])) {
			return true
		}
		from = start + 1
	}
	return false
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-'
}

// mentionsKind reports whether a program contains the name of a kind or one of its aliases.
func mentionsKind(program, kind string) bool {
	if aliases := kindAliases[kind]; aliases != nil && aliases.MatchString(program) {
		return true
	}
	return strings.Contains(strings.ToLower(program), strings.ToLower(kind))
}

// kindAliases match the other names of kinds in kubectl and in client libraries.
var kindAliases = map[string]*regexp.Regexp{
	"ConfigMap":             regexp.MustCompile(`(?i)config_map|\bcm\b`),
	"ServiceAccount":        regexp.MustCompile(`(?i)service_account|\bsa\b`),
	"PersistentVolumeClaim": regexp.MustCompile(`(?i)persistent_volume_claim|\bpvc\b`),
	"PriorityClass":         regexp.MustCompile(`(?i)priority_class|\bpc\b`),
}
