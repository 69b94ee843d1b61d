package texts

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// shape is how texts are found in values of a type.
type shape int

const (
	unknown  shape = iota // it is being found out
	textless              // there are none
	text                  // the value is one
	raw                   // the value writes JSON of its own, which counts as one
	parts                 // in the fields of a struct
	elements              // in what a list has
	entries               // in the keys and the values of a map
	pointee               // in what is pointed to
)

// plan is what is known of a type.
type plan struct {
	shape
	fields []part // those that have texts
	elem   *plan  // of a list, a map or a pointer
}

type part struct {
	index int
	*plan
}

// writesOwn are the types that write JSON of their own of which more is known: there are no texts, or they stand where they seem to.
var writesOwn = map[reflect.Type]shape{
	reflect.TypeFor[metav1.Time]():        textless,
	reflect.TypeFor[metav1.MicroTime]():   textless,
	reflect.TypeFor[resource.Quantity]():  textless,
	reflect.TypeFor[wfv1.AnyString]():     text,
	reflect.TypeFor[intstr.IntOrString](): parts,
	reflect.TypeFor[wfv1.ParallelSteps](): parts,
}

var (
	plans     sync.Map // by type, those that are complete
	marshaler = reflect.TypeFor[json.Marshaler]()
)

// planOf finds out about a type, once.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	found := map[reflect.Type]*plan{}
	find(t, found)
	for t, p := range found {
		plans.Store(t, p)
	}
	return found[t]
}

// find adds the plans of a type and of those inside of it. A type that holds itself meets its own plan on the way.
func find(t reflect.Type, found map[reflect.Type]*plan) *plan {
	if p, ok := found[t]; ok {
		return p
	}
	p := &plan{}
	found[t] = p
	own, known := writesOwn[t]
	switch {
	case known && own != parts:
		p.shape = own
	case !known && t.Kind() != reflect.Pointer && t.Implements(marshaler):
		p.shape = raw
	default:
		p.shape = p.look(t, found)
	}
	return p
}

// look finds out about a type that JSON has as it is.
func (p *plan) look(t reflect.Type, found map[reflect.Type]*plan) shape {
	within := map[reflect.Kind]shape{reflect.Pointer: pointee, reflect.Slice: elements, reflect.Map: entries}
	switch t.Kind() {
	case reflect.String:
		return text
	case reflect.Pointer, reflect.Slice, reflect.Map:
		p.elem = find(t.Elem(), found)
		if p.elem.shape == textless && t.Kind() != reflect.Map {
			return textless
		}
		return within[t.Kind()]
	case reflect.Struct:
		for i := range t.NumField() {
			if of := find(t.Field(i).Type, found); of.shape != textless {
				p.fields = append(p.fields, part{i, of})
			}
		}
		if len(p.fields) == 0 {
			return textless
		}
		return parts
	case reflect.Interface, reflect.Array, reflect.Func, reflect.Chan:
		panic(fmt.Sprintf("no object of Kubernetes has a %s", t)) // a mistake of the program, which its tests meet
	}
	return textless
}
