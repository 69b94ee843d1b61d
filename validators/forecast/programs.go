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
const maxProgramBytes = 1 << 20

// noPod stands for the index of a pod where there is none, or not only one.
const noPod = -1

// executedTemplate is a template that a pod executes.
type executedTemplate struct {
	*wfv1.Template
	pod int // index in Forecast.Pods, or noPod
}

// programs are what a Workflow's steps execute: commands, arguments, scripts, and URLs.
type programs struct {
	list []program // one for each pod and text
	// incomplete is set if the steps may execute more than list.
	incomplete bool
}

// program is what one pod executes.
type program struct {
	text   string
	lower  string          // text in lower case
	tokens map[string]bool // the names in text, as far as they have no dots
	// createsAny is set if the program may create objects that nothing in the Workflow names, such as
	// those in a folder of manifests.
	createsAny bool
	pod        int // index in Forecast.Pods, or noPod
}

// mayCreate reports whether a program may create the named object of the given kind.
func (p program) mayCreate(kind, name string) bool {
	if p.createsAny {
		return true
	}
	if !strings.Contains(name, ".") {
		return p.tokens[name] && p.mentionsKindBeside(name, kind)
	}
	return mentionsName(p.text, name) && p.mentionsKindBeside(name, kind)
}

// mentionsKindBeside reports whether the program contains the name of a kind or one of its aliases,
// and not only as a part of an object's name.
func (p program) mentionsKindBeside(name, kind string) bool {
	kind, name = strings.ToLower(kind), strings.ToLower(name)
	if aliases := kindAliases[kind]; aliases != nil {
		inText, inName := len(aliases.FindAllStringIndex(p.text, -1)), len(aliases.FindAllStringIndex(name, -1))
		if inText > inName*strings.Count(p.lower, name) {
			return true
		}
	}
	return strings.Count(p.lower, kind) > strings.Count(name, kind)*strings.Count(p.lower, name)
}

// tokensOf returns the names in a text: the longest sequences of the bytes of names.
func tokensOf(text string) map[string]bool {
	tokens := map[string]bool{}
	for _, token := range strings.FieldsFunc(text, func(r rune) bool { return r >= 0x80 || !isNameByte(byte(r)) }) {
		if len(token) <= maxNameLength {
			tokens[token] = true
		}
	}
	return tokens
}

// maxNameLength is the length of the longest name of an object.
const maxNameLength = 253

// recordProgram records that a pod executes a template.
func (w *walker) recordProgram(t *wfv1.Template, pod int) {
	w.executedTemplates = append(w.executedTemplates, executedTemplate{t, pod})
}

// programs collects what the recorded templates execute. It runs only when a rule misses an object.
func (w *walker) programs() (all programs) {
	size := w.manifestBytes
	byText := map[string]program{}
	for _, t := range w.executedTemplates {
		text, incomplete := w.programOf(t.Template)
		all.incomplete = all.incomplete || incomplete
		if _, ok := byText[text]; !ok {
			size += len(text)
		}
		if size > maxProgramBytes {
			all.incomplete = true
			break
		}
		p := program{text: text, createsAny: createsUnnamed(text) || isToolImage(t.Template, text), pod: t.pod}
		if same, ok := byText[text]; ok {
			p.lower, p.tokens = same.lower, same.tokens
		} else if !p.createsAny {
			p.lower, p.tokens = strings.ToLower(text), tokensOf(text)
			byText[text] = p
		}
		if text != "" || p.createsAny {
			all.list = append(all.list, p)
		}
	}
	return all
}

// programOf returns the text that a template executes. It leaves out environment variables, which
// show that a program uses a Secret rather than creates it, unless the program creates objects. A
// KFP v2 driver is given a step's whole
// specification without executing it, so programOf returns the step's own program instead.
// incomplete is set if the program's inputs, which are known only at run time, may name any object.
func (w *walker) programOf(t *wfv1.Template) (program string, incomplete bool) {
	if w.isKFPv2 && t.Container != nil {
		if commands, values, incomplete, ok := w.kfpRun.StepCommands(t.Container.Args); ok {
			// A component that creates objects gets their names from its inputs.
			if withInputs := commands + " " + values; createsObjects.MatchString(withInputs) {
				return withInputs, incomplete
			}
			return commands, false
		}
	}
	var parts, variables []string
	add := func(c corev1.Container) {
		parts = append(append(parts, c.Command...), c.Args...)
		for _, e := range c.Env {
			variables = append(variables, e.Value)
		}
	}
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
	program = strings.Join(parts, " ")
	if createsObjects.MatchString(program) {
		program += " " + strings.Join(variables, " ")
	}
	return program, false
}

// createsObjects matches how programs create objects: with kubectl and similar tools, with a client
// library, or through the API.
var createsObjects = regexp.MustCompile(`(?i)kubectl|\boc\b|helm|namespaced_|V1Secret|V1ConfigMap|/secrets\b|/configmaps\b|` +
	`kind: *(secret|configmap|serviceaccount|persistentvolumeclaim)`)

// createsUnnamedObjects matches commands that create objects which they don't name: from manifests in a
// folder, a file, a repository or a chart, and with a name that a variable holds.
var createsUnnamedObjects = regexp.MustCompile(`(?i)\b(kubectl|oc)\b[^|;&]*\b(apply|create|replace)\b[^|;&]*\s(-f|-k|-R|--filename|--kustomize)\b|` +
	`\b(kubectl|oc)\b[^|;&]*\bcreate\s+(secret|configmap|cm|serviceaccount|sa)\b[^|;&]*["' ]\$|` +
	`\bhelm\b[^|;&]*\b(install|upgrade)\b|\bhelmfile\b|\bhelm\s+template\b|\bkustomize\s+build\b|` +
	`\bargocd\s+app\b|\bflux\s+(create|reconcile)\b|\bkapp\s+deploy\b|\bskaffold\s+(run|deploy)\b|\btk\s+apply\b|` +
	`\b(terraform|terragrunt|tofu)\b[^|;&]*\bapply\b|\bpulumi\s+up\b|\bansible-playbook\b|\boc\s+(process|new-app)\b|` +
	`\bcreate_from_(yaml|dict|directory)\b`)

// createsUnnamed reports whether a program may create objects that it does not name.
func createsUnnamed(program string) bool {
	return mentionsTool(program) && createsUnnamedObjects.MatchString(program)
}

// mentionsTool reports whether a program contains one of the words that createsUnnamedObjects needs. It spares
// most programs the regular expression, which takes half a second for a megabyte.
func mentionsTool(program string) bool {
	lower := strings.ToLower(program)
	return slices.ContainsFunc(tools, func(tool string) bool { return strings.Contains(lower, tool) })
}

var tools = []string{
	"kubectl", "oc ", "helm", "kustomize", "argocd", "flux", "kapp", "skaffold", "tk ", "terraform", "terragrunt", "tofu", "pulumi",
	"ansible-playbook", "create_from_",
}

var (
	// toolImage matches images of tools that create objects.
	toolImage = regexp.MustCompile(`(?i)kubectl|kubernetes|k8s|helm|kustomize|terraform|pulumi|ansible|argocd|openshift|oc-cli|` +
		`vault|secret|external-secrets`)
	// interpreter matches commands that execute a program which the Workflow holds.
	interpreter = regexp.MustCompile(`(?:^|[\s/])(?:sh|bash|ash|zsh|python[\d.]*|perl|ruby|node|java|Rscript|php|kubectl|oc)(?:\s|$)`)
)

// isToolImage reports whether a template runs the image of a tool that creates objects, with a
// program that only the image holds.
func isToolImage(t *wfv1.Template, program string) bool {
	if t.Container == nil || interpreter.MatchString(program) {
		return false
	}
	image := t.Container.Image
	if i := strings.LastIndex(image, "@"); i > 0 {
		image = image[:i]
	}
	return toolImage.MatchString(image)
}

// mentionsName reports whether a text contains a name other than as part of a longer name. It takes
// time in proportion to the length of the text.
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
		// The next one can't begin before the longer name ends.
		for from = start + 1; from < len(text) && isNameByte(text[from]); from++ {
		}
	}
	return false
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-'
}

// kindAliases match the other names of kinds in kubectl and in client libraries, by kind in lower case.
var kindAliases = map[string]*regexp.Regexp{
	"configmap":             regexp.MustCompile(`(?i)config_map|\bcm\b`),
	"serviceaccount":        regexp.MustCompile(`(?i)service_account|\bsa\b`),
	"persistentvolumeclaim": regexp.MustCompile(`(?i)persistent_volume_claim|\bpvc\b`),
	"priorityclass":         regexp.MustCompile(`(?i)priority_class|\bpc\b`),
}
