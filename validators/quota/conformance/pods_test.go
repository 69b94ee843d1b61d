package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators/quota"
)

// podsEach is how many pods are tried in one namespace.
const podsEach = 50

// TestPods asks the API server about many pods in namespaces with all kinds of quotas and LimitRanges, half of them while the
// cluster has a default PriorityClass. What disagrees is written to testdata, where TestCases finds it.
func TestPods(t *testing.T) {
	for _, class := range []string{"low", "high"} {
		create(t, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: class}, Value: 1})
	}
	total := &tally{said: map[string]int{}}
	namespaces := (*pods + podsEach - 1) / podsEach
	for round, defaultClass := range []string{"", "usual"} {
		if defaultClass != "" {
			class := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: defaultClass}, Value: 2, GlobalDefault: true}
			create(t, class)
			t.Cleanup(func() { _ = admin.Delete(context.Background(), class) })
		}
		var worlds []world
		for i := round; i < namespaces; i += 2 {
			r := random{rand.New(rand.NewPCG(*seed, uint64(i)))}
			worlds = append(worlds, makeWorld(t, r, fmt.Sprintf("world-%d", i), defaultClass))
		}
		time.Sleep(2 * time.Second) // until the API server's plugins have seen everything
		total.tryAll(t, worlds)
	}
	t.Logf("Kubernetes 1.%d, seed %d: %d pods in %d namespaces: %v", minor, *seed, total.pods, namespaces, total.said)
	for _, kind := range []string{"let in", "Validation", "LimitRanger", "ResourceQuota"} {
		if *pods >= 10_000 && total.said[kind] < *pods/100 {
			t.Errorf("only %d pods of %d were of the kind %q: the generator misses something", total.said[kind], total.pods, kind)
		}
	}
}

// world is a namespace and what is in it.
type world struct {
	random
	name  string
	rules quota.Namespace
	// objects are what it is made of, for a case.
	objects []client.Object
}

// makeWorld makes a namespace with up to three quotas and LimitRanges.
func makeWorld(t *testing.T, r random, name, defaultClass string) world {
	t.Helper()
	w := world{random: r, name: name, rules: quota.Namespace{DefaultPriorityClass: defaultClass, Minor: minor}}
	var objects []client.Object
	for i := range r.IntN(4) {
		objects = append(objects, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("quota-%d", i)}, Spec: r.quotaSpec()})
	}
	for i := range max(0, r.IntN(6)-2) {
		objects = append(objects, r.limitRange(fmt.Sprintf("limits-%d", i)))
	}
	w.fill(t, objects)
	return w
}

// fill makes the namespace and the objects in it. One that the API server does not take is left out.
func (w *world) fill(t *testing.T, objects []client.Object) {
	t.Helper()
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.name}})
	for _, o := range objects {
		w.objects = append(w.objects, o.DeepCopyObject().(client.Object))
		o.SetNamespace(w.name)
		if err := admin.Create(t.Context(), o); apierrors.IsInvalid(err) {
			w.objects = w.objects[:len(w.objects)-1]
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		switch o := o.(type) {
		case *corev1.LimitRange:
			// As it was written: what the API server makes of it is ours to know.
			w.rules.LimitRanges = append(w.rules.LimitRanges, *w.objects[len(w.objects)-1].(*corev1.LimitRange))
		case *corev1.ResourceQuota:
			// What the quota controller would write: nothing is used.
			o.Status.Hard, o.Status.Used = o.Spec.Hard, corev1.ResourceList{}
			for name := range o.Spec.Hard {
				o.Status.Used[name] = resource.MustParse("0")
			}
			if err := admin.Status().Update(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			w.rules.Quotas = append(w.rules.Quotas, quota.Quota{Name: o.Name, Hard: o.Spec.Hard, Scopes: o.Spec.Scopes, ScopeSelector: o.Spec.ScopeSelector})
		}
	}
}

// tally counts what the API server said.
type tally struct {
	lock sync.Mutex
	pods int
	said map[string]int
}

// tryAll tries the pods of several worlds, some at a time.
func (c *tally) tryAll(t *testing.T, worlds []world) {
	t.Helper()
	var group sync.WaitGroup
	next := make(chan world)
	for range 8 {
		group.Go(func() {
			for w := range next {
				for range podsEach {
					c.try(t, w)
				}
			}
		})
	}
	for _, w := range worlds {
		next <- w
	}
	close(next)
	group.Wait()
}

// try asks about one pod.
func (c *tally) try(t *testing.T, w world) {
	pod := w.pod()
	answers, why := w.disagrees(t, pod)
	c.lock.Lock()
	defer c.lock.Unlock()
	c.pods++
	for _, kind := range answers {
		c.said[kind]++
	}
	if why != "" {
		t.Errorf("%s, saved as %s", why, w.save(t, pod))
	}
}

// disagrees compares the verdict with what the API server says, which may differ from time to time where several
// LimitRanges or quotas meet. answers are the kinds of what it said.
func (w world) disagrees(t *testing.T, pod *corev1.Pod) (answers []string, why string) {
	verdict := w.rules.Decide(&pod.Spec)
	asked := 1
	if len(w.rules.LimitRanges) > 1 || len(w.rules.Quotas) > 1 {
		asked = 4
	}
	for range asked {
		submitted := pod.DeepCopy()
		submitted.Namespace = w.name
		err := admin.Create(t.Context(), submitted, client.DryRunAll)
		gate, says := understand(err)
		if kind := names[gate]; !slices.Contains(answers, kind) {
			answers = append(answers, kind)
		}
		if why := w.contradicts(verdict, gate, says); why != "" {
			return answers, fmt.Sprintf("%s; the API server says: %v; the verdict is: %+v", why, err, verdict)
		}
	}
	return answers, ""
}

// letIn is no gate.
const letIn = quota.Gate(-1)

var names = map[quota.Gate]string{letIn: "let in", quota.Validation: "Validation", quota.LimitRanger: "LimitRanger", quota.ResourceQuota: "ResourceQuota"}

// contradicts says how an answer of the API server contradicts the verdict; empty if it does not.
func (w world) contradicts(verdict quota.Verdict, gate quota.Gate, says sets.Set[string]) string {
	if gate == letIn {
		if verdict.Certain && len(verdict.Violations) > 0 {
			return "let in, and surely refused by us"
		}
		return ""
	}
	held := map[string]sets.Set[string]{} // by object
	for _, r := range verdict.Violations {
		if r.Gate < gate && len(w.rules.LimitRanges) < 2 {
			return "an earlier gate lets it pass"
		}
		if r.Gate == gate {
			if held[r.Object] == nil {
				held[r.Object] = sets.New[string]()
			}
			held[r.Object].Insert(r.Message)
		}
	}
	for _, ours := range held {
		if ours.Equal(says) || len(w.rules.LimitRanges) > 1 && ours.IsSuperset(says) {
			return ""
		}
	}
	return "refused, and not with our words"
}

// understand reads a refusal: the gate that it comes from, and what that says, each thing for itself.
func understand(err error) (quota.Gate, sets.Set[string]) {
	if err == nil || strings.Contains(err.Error(), "exceeded quota") {
		return letIn, nil // an amount: the pod waits
	}
	says := sets.New[string]()
	if apierrors.IsInvalid(err) {
		for _, c := range err.(apierrors.APIStatus).Status().Details.Causes {
			says.Insert(c.Field + ": " + reason(c.Message))
		}
		return quota.Validation, says
	}
	_, words, _ := strings.Cut(err.Error(), "is forbidden: ")
	if strings.HasPrefix(words, "failed quota: ") {
		return quota.ResourceQuota, says.Insert(words)
	}
	words = strings.TrimSuffix(strings.TrimPrefix(words, "["), "]")
	return quota.LimitRanger, says.Insert(strings.Split(anotherOf.ReplaceAllString(words, "\n$1"), "\n")...)
}

// anotherOf is where one thing that LimitRanger says ends and another begins. They have commas themselves.
var anotherOf = regexp.MustCompile(`, (minimum |maximum |\S+ max limit )`)

// reason drops what the API server repeats of a value.
func reason(message string) string {
	if m := value.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return strings.TrimPrefix(strings.TrimPrefix(message, "Required value: "), "Forbidden: ")
}

// value is how it repeats one: as JSON, and up to 1.33 as Go. No value here has a colon and a space after each other.
var value = regexp.MustCompile(`^(?:Invalid|Unsupported) value: .*?: (.*)$`)

// save writes a case to testdata.
func (w world) save(t *testing.T, pod *corev1.Pod) string {
	var text strings.Builder
	fmt.Fprintf(&text, "# Seed %d.\n", *seed)
	objects := slices.Clone(w.objects)
	if class := w.rules.DefaultPriorityClass; class != "" {
		objects = append(objects, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: class}, GlobalDefault: true})
	}
	for _, o := range append(objects, pod) {
		kinds, _, err := admin.Scheme().ObjectKinds(o)
		if err != nil {
			t.Error(err)
			return ""
		}
		o.GetObjectKind().SetGroupVersionKind(kinds[0])
		document, err := yaml.Marshal(o)
		if err != nil {
			t.Error(err)
			return ""
		}
		fmt.Fprintf(&text, "---\n%s", document)
	}
	file := filepath.Join("testdata", fmt.Sprintf("%s-%d.yaml", w.name, time.Now().UnixNano()))
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Error(err)
	}
	return file
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), o); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}
