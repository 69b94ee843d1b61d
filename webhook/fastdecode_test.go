package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/api/equality"
	kjson "k8s.io/apimachinery/pkg/util/json"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/hack/payload"
	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook/decodecost"
)

// FuzzDecodeFast reads reviews in both ways: what the quick one takes, Kubernetes' own takes as well, and for the same. The seeds are
// objects; CORPUS=DIR adds those of a folder.
func FuzzDecodeFast(f *testing.F) {
	for _, p := range payload.All()[:1] {
		f.Add(p.Review(p.Allowed))
	}
	var files []string
	for _, pattern := range []string{"../testdata/*/*/*.yaml", filepath.Join(os.Getenv("CORPUS"), "*", "*.yaml"), filepath.Join(os.Getenv("CORPUS"), "*", "*.json")} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			if raw, err := sigsyaml.YAMLToJSON([]byte(document)); err == nil && bytes.HasPrefix(raw, []byte("{")) {
				f.Add([]byte(reviewJSON(f, string(raw))))
			}
		}
	}
	for _, odd := range []string{ // where decoders of JSON differ
		`{"metadata":{"name":"a","Name":"b"},"SPEC":{"entrypoint":"x"}}`,
		`{"metadata":{"name":"a","name":"b","labels":{"a":"1"},"labels":{"b":"2"}}}`,
		`{"spec":{"templates":[{"name":"a","container":{"image":"a"}}],"templates":[{"name":"b"}]}}`,
		`{"spec":{"templates":[{"container":{"resources":{"limits":{"cpu":1,"memory":"1Gi","x":1e3}}}}]}}`,
		`{"spec":{"templates":[{"container":{"ports":[{"containerPort":80}],"livenessProbe":{"httpGet":{"port":"http"}}}}]}}`,
		`{"spec":{"arguments":{"parameters":[{"name":"a","value":1},{"name":"b","value":true},{"name":"c","value":null},{"name":"d","value":"1"}]}}}`,
		`{"spec":{"templates":[{"steps":[[{"name":"a","withItems":[1,"a",{"b":2},[3],null,1e400]}]]}]}}`,
		`{"metadata":{"name":"\ud800","annotations":{"a":"\u0000\ufffe"}},"spec":null}`,
		`{"metadata":{"creationTimestamp":"2026-11-20T10:00:00Z","deletionTimestamp":null,"managedFields":[{"fieldsV1":{"f:a":{}}}]}}`,
		`{"spec":{"activeDeadlineSeconds":1.0,"priority":1e2,"suspend":null,"templates":[null,{}]}}`,
		"{\"metadata\":{\"name\":\"\xff\"}}", `{"spec":{"volumes":[{"name":"a","secret":{"secretName":"s","optional":"true"}}]}}`,
	} {
		f.Add([]byte(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"a","dryRun":null,"userInfo":{"extra":{"a":["b"]}},"object":` + odd + `}}`))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		compareDecoders[wfv1.Workflow](t, body)
		compareDecoders[validators.Profile](t, body)
	})
}

func compareDecoders[T any](t *testing.T, body []byte) {
	t.Helper()
	buffer := bytes.Clone(body)
	req, object, old, err := decodeFast[T](buffer)
	clear(buffer) // as somebody else's review comes to be where this one was
	if err != nil {
		return // then it is read in the other way
	}
	theirs, err := readReview(body)
	if err != nil {
		t.Fatalf("it is read, and must not be: %v", err)
	}
	raw, oldRaw := theirs.Object.Raw, theirs.OldObject.Raw
	theirs.Object.Raw, theirs.OldObject.Raw = nil, nil
	req.Object.Raw, req.OldObject.Raw = nil, nil
	if !reflect.DeepEqual(req, theirs) {
		t.Fatalf("request\n got %+v\nwant %+v", req, theirs)
	}
	requireSameObject(t, object, raw)
	if old != nil || len(oldRaw) > 0 && !bytes.Equal(oldRaw, []byte("null")) {
		requireSameObject(t, old, oldRaw)
	}
}

func requireSameObject[T any](t *testing.T, got *T, raw []byte) {
	t.Helper()
	want := new(T)
	if err := kjson.Unmarshal(raw, want); err != nil {
		t.Fatalf("it is read, and must not be: %v", err)
	}
	if !reflect.DeepEqual(got, want) && !equality.Semantic.DeepEqual(got, want) {
		ours, _ := json.Marshal(got)
		theirs, _ := json.Marshal(want)
		t.Fatalf("%T\n got %s\nwant %s", got, ours, theirs)
	}
}

// TestDecodeReview has reviews that can't be decoded in one pass: they keep no memory, and can be decoded all the same.
func TestDecodeReview(t *testing.T) {
	h := newTestHandler(t, workflows, nil)
	for name, test := range map[string]struct {
		body  string
		quick bool
	}{
		"plain":                             {reviewJSON(t, plainWorkflow), true},
		"with what Argo's types don't have": {reviewJSON(t, strings.Replace(plainWorkflow, `"spec":{`, `"spec":{"executorPlugins":[],`, 1)), false},
		"unreadable":                        {reviewJSON(t, strings.Replace(plainWorkflow, `"main"`, `7`, 1)), false},
		"too many values":                   {reviewJSON(t, strings.Replace(plainWorkflow, `"spec":{`, `"spec":{"x":[`+strings.Repeat("1,", decodecost.MaxValues)+`1],`, 1)), false},
	} {
		_, object, release, err := h.decodeReview(t.Context(), []byte(test.body))
		if err != nil || (object != nil) != test.quick {
			t.Errorf("%s: %v, %v", name, object, err)
		}
		release()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		releaseAll, err := h.limiter.objects.Acquire(ctx, h.limiter.objects.total)
		if err != nil {
			t.Fatalf("%s: it keeps memory", name)
		}
		releaseAll()
		cancel()
	}
}
