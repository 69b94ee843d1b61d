package validators

import (
	"fmt"
	"strings"
)

// missingGroup is a group of missing objects that have the same fix and the same outcome. It becomes one finding.
type missingGroup []missingObject

// groupMissing groups missing objects, in the order of the first of each group.
func groupMissing(missing []missingObject) []missingGroup {
	type groupKey struct {
		kind, account string
		exists        bool
		certainty     Certainty
		condition     condition
		unknown       string
		expected      string
		outcome       outcomeClass
	}
	var groups []missingGroup
	index := map[groupKey]int{}
	for _, m := range missing {
		key := groupKey{m.Kind, m.tokenAccount(), m.exists, m.certainty, m.condition, "", m.expected, m.first.outcomeClass()}
		if m.condition == ifPodStays {
			key.unknown = m.first.unknown
		}
		at, ok := index[key]
		if !ok {
			at = len(groups)
			index[key] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], m)
	}
	return groups
}

// maxOtherFields bounds the further places of a finding.
const maxOtherFields = 20

// finding returns the finding about a group.
func (g missingGroup) finding(namespace string) Finding {
	first := g[0]
	f := Finding{Certainty: first.certainty, Field: first.first.path().String(), OtherFields: g.otherFields()}
	steps := g.steps()
	keys := 0
	for _, m := range g {
		keys += len(m.keys)
	}
	things := len(g)
	if first.exists {
		things = keys
		f.Fix = fmt.Sprintf("add %s%s, or correct the %s of the %s", g.keysToAdd(), inNamespaceOf(first.Kind, namespace),
			verb(keys, "name", "names"), verb(keys, "key", "keys"))
	} else {
		f.Fix = fmt.Sprintf("create %s%s, or correct %s", g.objectsToCreate(), inNamespaceOf(first.Kind, namespace),
			verb(len(g), "its name", "their names"))
	}
	it := pronoun(things)
	f.Problem = fmt.Sprintf("%s %s %s", capitalize(plural("step", steps)), verb(len(steps), "needs", "need"), it)
	if len(g) == 1 && !first.exists && len(first.keys) > 0 {
		f.Problem += fmt.Sprintf(" (%s)", keyList(first.keys))
	}
	f.Outcome = g.outcome(namespace, it, len(steps))
	return f
}

// steps are the names of all steps that need the objects.
func (g missingGroup) steps() []string {
	var steps orderedSet
	for _, m := range g {
		for _, c := range m.consumers {
			steps.add(c.steps...)
		}
	}
	return steps.list
}

// otherFields are the places that name the objects, except the first one.
func (g missingGroup) otherFields() []string {
	var paths orderedSet
	paths.add(g[0].first.path().String())
	for _, m := range g {
		for _, c := range m.consumers {
			if len(paths.list) > maxOtherFields {
				break
			}
			paths.add(c.path().String())
		}
	}
	return paths.list[1:]
}

// maxObjectsNamed bounds the objects that a message names. If only one is left over, it is named, too.
const maxObjectsNamed = 5

// objectsToCreate names the objects to create, with their keys if there are several: Secrets 'a' (key token) and 'b'.
func (g missingGroup) objectsToCreate() string {
	first := g[0]
	kind := first.Kind
	switch {
	case first.first.consumer == imagePull:
		kind = "image pull " + kind
	case first.tokenAccount() != "":
		return fmt.Sprintf("%s of type kubernetes.io/service-account-token for ServiceAccount '%s'", first.title(), first.tokenAccount())
	}
	if len(g) == 1 {
		return fmt.Sprintf("%s '%s'", kind, shorten(first.Name, maxObjectName))
	}
	var names []string
	for i, m := range g {
		if i == maxObjectsNamed && len(g) > maxObjectsNamed+1 {
			names = append(names, fmt.Sprintf("%d more", len(g)-i))
			break
		}
		name := "'" + shorten(m.Name, maxObjectName) + "'"
		if len(m.keys) > 0 {
			name += " (" + keyList(m.keys) + ")"
		}
		names = append(names, name)
	}
	return kind + "s " + inWords(names)
}

// maxObjectName is the length of the longest name that an object can have.
const maxObjectName = 253

// keysToAdd names the keys that existing objects lack: key 'a' to Secret 'x' and keys b, c to Secret 'y'.
func (g missingGroup) keysToAdd() string {
	var parts []string
	for i, m := range g {
		if i == maxObjectsNamed && len(g) > maxObjectsNamed+1 {
			parts = append(parts, fmt.Sprintf("keys to %d more", len(g)-i))
			break
		}
		parts = append(parts, keyList(m.keys)+" to "+m.title())
	}
	return inWords(parts)
}

func keyList(keys []string) string {
	if len(keys) == 1 {
		return "key '" + shorten(keys[0], maxObjectName) + "'"
	}
	return "keys " + shortList(keys, keysLength)
}

// tokenAccount is the ServiceAccount whose token Argo expects in the Secret; empty if the Secret is not for a token.
func (m missingObject) tokenAccount() string {
	account, ok := strings.CutSuffix(m.Name, ".service-account-token")
	if !ok || m.Kind != Secret || m.exists {
		return ""
	}
	return account
}

// outcomeClass is the way in which a pod fails without an object. Objects with different classes are not grouped.
type outcomeClass int

const (
	staysPending outcomeClass = iota
	staysPendingUntilDeadline
	refusedByAPIServer
	notCreatedByArgo
	requestFails
	pulledAnonymously
)

func (c stepConsumer) outcomeClass() outcomeClass {
	switch {
	case c.consumer == imagePull:
		return pulledAnonymously
	case c.consumer == httpRequest:
		return requestFails
	case c.consumer == argoController:
		return notCreatedByArgo
	case c.Kind == ServiceAccount || c.Kind == PriorityClass:
		return refusedByAPIServer
	case c.hasDeadline:
		return staysPendingUntilDeadline
	}
	return staysPending
}

// outcome says what happens without the objects, and quotes the error of the component that fails.
func (g missingGroup) outcome(namespace, it string, steps int) string {
	m := g[0]
	c := m.first
	var what string
	switch quoted := c.errorText(namespace, m.exists); c.outcomeClass() {
	case pulledAnonymously:
		return fmt.Sprintf("Without %s images are pulled anonymously, and private ones end in ImagePullBackOff", it)
	case requestFails:
		what = fmt.Sprintf("the HTTP request fails (%s)", quoted)
	case notCreatedByArgo:
		what = fmt.Sprintf("Argo creates no pod, because its own containers need the account's token (%s)", quoted)
	case refusedByAPIServer:
		what = fmt.Sprintf("the API server refuses the %s (%s)", verb(steps, "pod", "pods"), quoted)
	case staysPendingUntilDeadline:
		what = fmt.Sprintf("the %s in Pending until the deadline (%s)", verb(steps, "pod stays", "pods stay"), quoted)
	case staysPending:
		what = fmt.Sprintf("the %s in Pending (%s)", verb(steps, "pod stays", "pods stay"), quoted)
	}
	switch m.condition {
	case ifStepRuns:
		return fmt.Sprintf("If such a step runs without %s, %s", it, what)
	case ifPodStays:
		return fmt.Sprintf("Without %s %s. That may change: %s", it, what, c.unknown)
	case expectedSoon:
		return fmt.Sprintf("Until %s, %s. %s", map[string]string{"it": "it exists", "them": "they exist"}[it], what, capitalize(m.expected))
	case unlessCreated:
		return fmt.Sprintf("Unless a step creates %s first, %s", it, what)
	}
	return fmt.Sprintf("Without %s %s", it, what)
}

// errorText is the error about the missing object, or about its missing key if the object exists, in the words of the kubelet, the API
// server, the scheduler or Argo.
func (c stepConsumer) errorText(namespace string, exists bool) string {
	kind := map[string]string{Secret: "secret", ConfigMap: "configmap"}[c.Kind]
	switch {
	case c.consumer == httpRequest && exists:
		return fmt.Sprintf("secret '%s' does not have the key '%s'", c.Name, c.key)
	case c.consumer == httpRequest:
		return fmt.Sprintf("secrets '%s' not found", c.Name)
	case c.consumer == argoController:
		return fmt.Sprintf("serviceaccounts '%s' not found", c.Name)
	case c.Kind == ServiceAccount:
		return fmt.Sprintf("error looking up service account %s/%s: serviceaccount '%s' not found", namespace, c.Name, c.Name)
	case c.Kind == PriorityClass:
		return fmt.Sprintf("no PriorityClass with name %s was found", c.Name)
	case c.consumer == scheduler:
		return fmt.Sprintf("persistentvolumeclaim '%s' not found", c.Name)
	case c.consumer == volume && exists:
		return fmt.Sprintf("references non-existent %s key: %s", map[string]string{Secret: "secret", ConfigMap: "config"}[c.Kind], c.key)
	case c.consumer == volume:
		return fmt.Sprintf("MountVolume.SetUp failed: %s '%s' not found", kind, c.Name)
	case exists:
		return fmt.Sprintf("CreateContainerConfigError: couldn't find key %s in %s %s/%s", c.key, c.Kind, namespace, c.Name)
	}
	return fmt.Sprintf("CreateContainerConfigError: %s '%s' not found", kind, c.Name)
}
