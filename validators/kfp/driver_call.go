package kfp

import (
	"regexp"
	"strconv"
	"strings"
)

// driverCall is an invocation of KFP's driver.
type driverCall struct {
	flags           map[string]string
	component, task message
	// unresolved reports whether the component or the task is not JSON, such as a template tag, so that it may say anything.
	unresolved bool
}

// parseDriverCall parses the arguments of a driver. ok is false if they are not those of a driver.
func parseDriverCall(args []string) (d driverCall, ok bool) {
	d.flags = parseFlags(args)
	switch d.flags["type"] {
	case "ROOT_DAG", "DAG", "CONTAINER":
		d.component, d.task = parseMessage(d.flags["component"]), parseMessage(d.flags["task"])
		d.unresolved = d.component == nil && d.flags["component"] != "" || d.task == nil && d.flags["task"] != ""
		return d, true
	}
	return d, false
}

// parseFlags parses the arguments of the form "--name value" or "--name=value" and ignores others.
func parseFlags(args []string) map[string]string {
	flags := map[string]string{}
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(args[i], "--")
		if !ok {
			continue
		}
		if name, value, ok := strings.Cut(name, "="); ok {
			flags[name] = value
		} else if i+1 < len(args) && !strings.HasPrefix(args[i+1], "--") {
			i++
			flags[name] = args[i]
		}
	}
	return flags
}

// iteration returns the index of the loop iteration that the driver prepares, or a negative number if the index exists only at
// run time. ok is false if the driver does not prepare an iteration.
func (d *driverCall) iteration() (index int, ok bool) {
	text, given := d.flags["iteration_index"]
	index, err := strconv.Atoi(text)
	switch {
	case !given, err == nil && index < 0:
		return 0, false
	case err != nil:
		return -1, true
	}
	return index, true
}

// driverOutputs collects the files that a driver writes, keyed by the output parameters that are read from them.
type driverOutputs struct {
	flags  map[string]string
	values map[string]string
}

var outputPathTag = regexp.MustCompile(`^\{\{outputs\.parameters\.([\w-]+)\.path\}\}$`)

// set sets the output parameter whose file the given flag names.
func (o driverOutputs) set(pathFlag, value string) {
	if m := outputPathTag.FindStringSubmatch(o.flags[pathFlag]); m != nil {
		o.values[m[1]] = value
	}
}
