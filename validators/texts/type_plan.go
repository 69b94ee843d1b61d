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

// location is where the values of a type hold their strings.
type location int

const (
	undetermined location = iota // the plan is being built
	nowhere                      // a value holds no strings
	itself                       // the value is a string
	ownJSON                      // the value marshals itself to JSON, which counts as one string
	inFields                     // in the fields of a struct
	inElements                   // in the elements of a slice
	inEntries                    // in the keys and values of a map
	inTarget                     // in the value that a pointer points to
)

// typePlan tells how to visit the strings of the values of a type.
type typePlan struct {
	location
	fields []fieldPlan // the fields of a struct that hold strings
	elem   *typePlan   // the plan of a slice's elements, a map's values or a pointer's target
}

type fieldPlan struct {
	index int
	*typePlan
}

// marshalerLocations lists the types that implement json.Marshaler but need not be visited as JSON: they hold no strings, or their
// JSON has the form of the Go value.
var marshalerLocations = map[reflect.Type]location{
	reflect.TypeFor[metav1.Time]():        nowhere,
	reflect.TypeFor[metav1.MicroTime]():   nowhere,
	reflect.TypeFor[resource.Quantity]():  nowhere,
	reflect.TypeFor[wfv1.AnyString]():     itself,
	reflect.TypeFor[intstr.IntOrString](): inFields,
	reflect.TypeFor[wfv1.ParallelSteps](): inFields,
}

var (
	planCache     sync.Map // of complete plans, by type
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
)

// planOf returns the plan of a type, from the cache if possible.
func planOf(t reflect.Type) *typePlan {
	if p, ok := planCache.Load(t); ok {
		return p.(*typePlan)
	}
	plans := map[reflect.Type]*typePlan{}
	buildPlan(t, plans)
	for t, p := range plans {
		planCache.Store(t, p)
	}
	return plans[t]
}

// buildPlan builds the plan of a type and adds it to plans, together with those of the types that it contains. A recursive type
// finds its own plan there.
func buildPlan(t reflect.Type, plans map[reflect.Type]*typePlan) *typePlan {
	if p, ok := plans[t]; ok {
		return p
	}
	p := &typePlan{}
	plans[t] = p
	l, listed := marshalerLocations[t]
	switch {
	case listed && l != inFields:
		p.location = l
	case !listed && t.Kind() != reflect.Pointer && t.Implements(jsonMarshaler):
		p.location = ownJSON
	default:
		p.location = p.buildByKind(t, plans)
	}
	return p
}

// buildByKind sets the fields or the elem of the plan of a type, by the type's kind, and returns its location.
func (p *typePlan) buildByKind(t reflect.Type, plans map[reflect.Type]*typePlan) location {
	containers := map[reflect.Kind]location{reflect.Pointer: inTarget, reflect.Slice: inElements, reflect.Map: inEntries}
	switch t.Kind() {
	case reflect.String:
		return itself
	case reflect.Pointer, reflect.Slice, reflect.Map:
		p.elem = buildPlan(t.Elem(), plans)
		if p.elem.location == nowhere && t.Kind() != reflect.Map {
			return nowhere
		}
		return containers[t.Kind()]
	case reflect.Struct:
		for i := range t.NumField() {
			if field := buildPlan(t.Field(i).Type, plans); field.location != nowhere {
				p.fields = append(p.fields, fieldPlan{i, field})
			}
		}
		if len(p.fields) == 0 {
			return nowhere
		}
		return inFields
	case reflect.Interface, reflect.Array, reflect.Func, reflect.Chan:
		// No type of Kubernetes or Argo has such a field. If one ever does, the tests panic here.
		panic(fmt.Sprintf("texts: unsupported type %s", t))
	}
	return nowhere
}
