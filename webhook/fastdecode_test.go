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

// FuzzDecodeFast decodes reviews with decodeFast and with Kubernetes' own decoder. Whatever decodeFast accepts, the other must accept
// with the same result. The seeds are the cases in testdata; CORPUS=DIR adds the objects in a folder.
func FuzzDecodeFast(f *testing.F) {
	for _, p := range payload.All()[:1] {
		f.Add(p.Review(p.Allowed))
	}
	var files []string
	corpus := os.Getenv("CORPUS")
	for _, pattern := range []string{
		"../testdata/*/*/*.yaml", filepath.Join(corpus, "*", "*.yaml"), filepath.Join(corpus, "*", "*.json"),
	} {
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
	for _, object := range []string{ // where JSON decoders differ
		`{"metadata":{"name":"a","Name":"b"},"SPEC":{"entrypoint":"x"}}`,
		`{"metadata":{"name":"a","name":"b","labels":{"a":"1"},"labels":{"b":"2"}}}`,
		`{"spec":{"templates":[{"name":"a","container":{"image":"a"}}],"templates":[{"name":"b"}]}}`,
		`{"spec":{"templates":[{"container":{"resources":{"limits":{"cpu":1,"memory":"1Gi","x":1e3}}}}]}}`,
		`{"spec":{"templates":[{"container":{"ports":[{"containerPort":80}],"livenessProbe":{"httpGet":{"port":"http"}}}}]}}`,
		`{"spec":{"arguments":{"parameters":[{"name":"a","value":1},{"name":"b","value":true},{"name":"c","value":null},` +
			`{"name":"d","value":"1"}]}}}`,
		`{"spec":{"templates":[{"steps":[[{"name":"a","withItems":[1,"a",{"b":2},[3],null,1e400]}]]}]}}`,
		`{"metadata":{"name":"\ud800","annotations":{"a":"\u0000\ufffe"}},"spec":null}`,
		`{"metadata":{"creationTimestamp":"2026-11-20T10:00:00Z","deletionTimestamp":null,"managedFields":[{"fieldsV1":{"f:a":{}}}]}}`,
		`{"spec":{"activeDeadlineSeconds":1.0,"priority":1e2,"suspend":null,"templates":[null,{}]}}`,
		"{\"metadata\":{\"name\":\"\xff\"}}", `{"spec":{"volumes":[{"name":"a","secret":{"secretName":"s","optional":"true"}}]}}`,
	} {
		f.Add([]byte(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1",` +
			`"request":{"uid":"a","dryRun":null,"userInfo":{"extra":{"a":["b"]}},"object":` + object + `}}`))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		compareDecoders[wfv1.Workflow](t, body)
		compareDecoders[validators.Profile](t, body)
	})
}

// compareDecoders fails if decodeFast accepts a body and the slow decoder rejects it or gets another result.
func compareDecoders[T any](t *testing.T, body []byte) {
	t.Helper()
	buffer := bytes.Clone(body)
	req, object, old, err := decodeFast[T](buffer)
	clear(buffer) // buffers are reused: the result must not refer to one
	if err != nil {
		return // the slow decoder is used then
	}
	want, err := readReview(body)
	if err != nil {
		t.Fatalf("only decodeFast accepts it: %v", err)
	}
	raw, oldRaw := want.Object.Raw, want.OldObject.Raw
	want.Object.Raw, want.OldObject.Raw = nil, nil
	req.Object.Raw, req.OldObject.Raw = nil, nil
	if !reflect.DeepEqual(req, want) {
		t.Fatalf("request\n got %+v\nwant %+v", req, want)
	}
	requireSameObject(t, object, raw)
	if old != nil || len(oldRaw) > 0 && !bytes.Equal(oldRaw, []byte("null")) {
		requireSameObject(t, old, oldRaw)
	}
}

// requireSameObject fails if Kubernetes' decoder does not decode raw to got.
func requireSameObject[T any](t *testing.T, got *T, raw []byte) {
	t.Helper()
	want := new(T)
	if err := kjson.Unmarshal(raw, want); err != nil {
		t.Fatalf("only decodeFast accepts it: %v", err)
	}
	if !reflect.DeepEqual(got, want) && !equality.Semantic.DeepEqual(got, want) {
		gotJSON, _ := json.Marshal(got)
		wantJSON, _ := json.Marshal(want)
		t.Fatalf("%T\n got %s\nwant %s", got, gotJSON, wantJSON)
	}
}

// TestDecodeReview checks which reviews are decoded in one pass, that no review fails, and that each one releases its memory.
func TestDecodeReview(t *testing.T) {
	h := newTestHandler(t, workflows, nil)
	tooMany := strings.Repeat("1,", decodecost.MaxValues)
	for name, test := range map[string]struct {
		object string
		fast   bool
	}{
		"plain":                   {plainWorkflow, true},
		"with a field of Argo v4": {strings.Replace(plainWorkflow, `"spec":{`, `"spec":{"executorPlugins":[],`, 1), false},
		"unreadable":              {strings.Replace(plainWorkflow, `"main"`, `7`, 1), false},
		"too many values":         {strings.Replace(plainWorkflow, `"spec":{`, `"spec":{"x":[`+tooMany+`1],`, 1), false},
	} {
		_, object, release, err := h.decodeReview(t.Context(), []byte(reviewJSON(t, test.object)))
		if err != nil || (object != nil) != test.fast {
			t.Errorf("%s: decoded in one pass: %v, want %v; error %v", name, object != nil, test.fast, err)
		}
		release()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		releaseAll, err := h.limiter.objects.Acquire(ctx, h.limiter.objects.total)
		if err != nil {
			t.Fatalf("%s: the review keeps memory", name)
		}
		releaseAll()
		cancel()
	}
}
