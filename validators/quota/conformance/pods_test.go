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

// podsPerNamespace is the number of pods submitted to each namespace.
const podsPerNamespace = 50

// TestPods submits many random pods to namespaces with random quotas and LimitRanges, half of them while the cluster has a
// default PriorityClass, and compares the API server's answers with ours. It writes each disagreement to testdata, where
// TestSavedCases finds it.
func TestPods(t *testing.T) {
	for _, class := range []string{"low", "high"} {
		createIfAbsent(t, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: class}, Value: 1})
	}
	total := &tally{outcomes: map[string]int{}}
	namespaces := (*pods + podsPerNamespace - 1) / podsPerNamespace
	for parity, defaultClass := range []string{"", "usual"} {
		if defaultClass != "" {
			class := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: defaultClass}, Value: 2, GlobalDefault: true}
			createIfAbsent(t, class)
			t.Cleanup(func() { _ = admin.Delete(context.Background(), class) })
		}
		var batch []testNamespace
		for i := parity; i < namespaces; i += 2 {
			g := generator{rand.New(rand.NewPCG(*seed, uint64(i)))}
			batch = append(batch, newTestNamespace(t, g, fmt.Sprintf("pods-%d", i), defaultClass))
		}
		time.Sleep(2 * time.Second) // until the API server's admission plugins have seen everything
		total.runAll(t, batch)
	}
	t.Logf("Kubernetes 1.%d, seed %d: %d pods in %d namespaces: %v", minor, *seed, total.pods, namespaces, total.outcomes)
	for _, outcome := range outcomeNames {
		if *pods >= 10_000 && total.outcomes[outcome] < *pods/100 {
			t.Errorf("only %d pods of %d have the outcome %q: the generator does not cover it", total.outcomes[outcome], total.pods, outcome)
		}
	}
}

// testNamespace is a namespace of the API server and our model of it.
type testNamespace struct {
	generator
	name  string
	model quota.Namespace
	// objects are its quotas and LimitRanges as submitted, for saveCase.
	objects []client.Object
}

// newTestNamespace creates a namespace with up to three quotas and LimitRanges.
func newTestNamespace(t *testing.T, g generator, name, defaultClass string) testNamespace {
	t.Helper()
	n := testNamespace{generator: g, name: name, model: quota.Namespace{DefaultPriorityClass: defaultClass, Minor: minor}}
	var objects []client.Object
	for i := range g.IntN(4) {
		q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("quota-%d", i)}, Spec: g.quotaSpec()}
		objects = append(objects, q)
	}
	for i := range max(0, g.IntN(6)-2) {
		objects = append(objects, g.limitRange(fmt.Sprintf("limits-%d", i)))
	}
	n.create(t, objects)
	return n
}

// create creates the namespace and its objects. It leaves out objects that the API server refuses.
func (n *testNamespace) create(t *testing.T, objects []client.Object) {
	t.Helper()
	createIfAbsent(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n.name}})
	for _, o := range objects {
		n.objects = append(n.objects, o.DeepCopyObject().(client.Object))
		o.SetNamespace(n.name)
		if err := admin.Create(t.Context(), o); apierrors.IsInvalid(err) {
			n.objects = n.objects[:len(n.objects)-1]
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		switch o := o.(type) {
		case *corev1.LimitRange:
			// The model gets the object as submitted: it must apply the API server's defaults by itself.
			n.model.LimitRanges = append(n.model.LimitRanges, *n.objects[len(n.objects)-1].(*corev1.LimitRange))
		case *corev1.ResourceQuota:
			// The quota controller does not run, so set the status that it would set: nothing is used.
			o.Status.Hard, o.Status.Used = o.Spec.Hard, corev1.ResourceList{}
			for name := range o.Spec.Hard {
				o.Status.Used[name] = resource.MustParse("0")
			}
			if err := admin.Status().Update(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			n.model.Quotas = append(n.model.Quotas, quota.Quota{
				Name: o.Name, Hard: o.Spec.Hard, Scopes: o.Spec.Scopes, ScopeSelector: o.Spec.ScopeSelector,
			})
		}
	}
}

// tally counts the API server's answers by outcome.
type tally struct {
	mu       sync.Mutex
	pods     int
	outcomes map[string]int
}

// runAll submits pods to namespaces, to eight of them at a time.
func (c *tally) runAll(t *testing.T, namespaces []testNamespace) {
	t.Helper()
	var group sync.WaitGroup
	next := make(chan testNamespace)
	for range 8 {
		group.Go(func() {
			for n := range next {
				for range podsPerNamespace {
					c.run(t, n)
				}
			}
		})
	}
	for _, n := range namespaces {
		next <- n
	}
	close(next)
	group.Wait()
}

// run submits one random pod.
func (c *tally) run(t *testing.T, n testNamespace) {
	pod := n.pod()
	outcomes, disagreement := n.compare(t, pod)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods++
	for _, outcome := range outcomes {
		c.outcomes[outcome]++
	}
	if disagreement != "" {
		t.Errorf("%s, saved as %s", disagreement, n.saveCase(t, pod))
	}
}

// compare compares our verdict on a pod with the API server's answer. It asks several times if there are several LimitRanges
// or quotas, because the answer then depends on their order, which varies. It returns the outcomes and, if our verdict
// contradicts one of them, the disagreement.
func (n testNamespace) compare(t *testing.T, pod *corev1.Pod) (outcomes []string, disagreement string) {
	verdict := n.model.Evaluate(&pod.Spec)
	requests := 1
	if len(n.model.LimitRanges) > 1 || len(n.model.Quotas) > 1 {
		requests = 4
	}
	for range requests {
		submitted := pod.DeepCopy()
		submitted.Namespace = n.name
		err := admin.Create(t.Context(), submitted, client.DryRunAll)
		stage, messages := parseRefusal(err)
		if outcome := outcomeNames[stage]; !slices.Contains(outcomes, outcome) {
			outcomes = append(outcomes, outcome)
		}
		if c := n.contradiction(verdict, stage, messages); c != "" {
			return outcomes, fmt.Sprintf("%s; the API server says: %v; the verdict is: %+v", c, err, verdict)
		}
	}
	return outcomes, ""
}

// admitted stands for the outcome that no stage refuses a pod.
const admitted = quota.Stage(-1)

var outcomeNames = map[quota.Stage]string{
	admitted: "admitted", quota.Validation: "Validation", quota.LimitRanger: "LimitRanger", quota.ResourceQuota: "ResourceQuota",
}

// contradiction describes how the API server's answer, a stage and its messages, contradicts our verdict. It returns "" if it
// does not.
func (n testNamespace) contradiction(verdict quota.Verdict, stage quota.Stage, messages sets.Set[string]) string {
	if stage == admitted {
		if verdict.Certain && len(verdict.Violations) > 0 {
			return "admitted, although our verdict is a certain refusal"
		}
		return ""
	}
	ours := map[string]sets.Set[string]{} // our messages of the stage, by object
	for _, v := range verdict.Violations {
		if v.Stage < stage && len(n.model.LimitRanges) < 2 {
			return "refused later than at the stage of our verdict"
		}
		if v.Stage == stage {
			if ours[v.Object] == nil {
				ours[v.Object] = sets.New[string]()
			}
			ours[v.Object].Insert(v.Message)
		}
	}
	for _, m := range ours {
		if m.Equal(messages) || len(n.model.LimitRanges) > 1 && m.IsSuperset(messages) {
			return ""
		}
	}
	return "refused with other messages than ours"
}

// parseRefusal returns the stage that a refusal comes from and its single messages.
func parseRefusal(err error) (quota.Stage, sets.Set[string]) {
	if err == nil || strings.Contains(err.Error(), "exceeded quota") {
		return admitted, nil // used-up quotas play no part in a verdict
	}
	messages := sets.New[string]()
	if apierrors.IsInvalid(err) {
		for _, c := range err.(apierrors.APIStatus).Status().Details.Causes {
			messages.Insert(c.Field + ": " + trimValue(c.Message))
		}
		return quota.Validation, messages
	}
	_, text, _ := strings.Cut(err.Error(), "is forbidden: ")
	if strings.HasPrefix(text, "failed quota: ") {
		return quota.ResourceQuota, messages.Insert(text)
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	return quota.LimitRanger, messages.Insert(strings.Split(limitRangerSeparator.ReplaceAllString(text, "\n$1"), "\n")...)
}

// limitRangerSeparator separates the messages of LimitRanger, which have commas of their own.
var limitRangerSeparator = regexp.MustCompile(`, (minimum |maximum |\S+ max limit )`)

// trimValue removes the kind of the error and the repeated value from a message of the API server.
func trimValue(message string) string {
	if m := invalidValue.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return strings.TrimPrefix(strings.TrimPrefix(message, "Required value: "), "Forbidden: ")
}

// invalidValue matches a repeated value, which is JSON, or Go syntax up to 1.33. No value of these tests contains ": ".
var invalidValue = regexp.MustCompile(`^(?:Invalid|Unsupported) value: .*?: (.*)$`)

// saveCase writes a pod and the objects of its namespace to testdata and returns the file's name.
func (n testNamespace) saveCase(t *testing.T, pod *corev1.Pod) string {
	var text strings.Builder
	fmt.Fprintf(&text, "# Seed %d.\n", *seed)
	objects := slices.Clone(n.objects)
	if class := n.model.DefaultPriorityClass; class != "" {
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
	file := filepath.Join("testdata", fmt.Sprintf("%s-%d.yaml", n.name, time.Now().UnixNano()))
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Error(err)
	}
	return file
}

func createIfAbsent(t *testing.T, o client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), o); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}
