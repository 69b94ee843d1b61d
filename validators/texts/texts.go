// Package texts searches and replaces the strings of a Kubernetes or Argo object, map keys included. The result is the same as if
// it worked on the object's JSON, but it works on the Go value by reflection and copies only what changes, which is little.
//
// A value whose type implements [json.Marshaler] counts as one string, its JSON. A few such types, whose JSON holds no strings
// to replace or has the form of the Go value, are exceptions.
package texts

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ContainsFunc reports whether any string s of v satisfies f(s).
func ContainsFunc(v any, f func(string) bool) bool {
	value := reflect.ValueOf(v)
	return planOf(value.Type()).containsFunc(value, f)
}

func (p *typePlan) containsFunc(v reflect.Value, f func(string) bool) bool {
	switch p.location {
	case itself:
		return f(v.String())
	case ownJSON:
		raw, err := json.Marshal(v.Interface())
		return err == nil && f(string(raw))
	case inFields:
		return slices.ContainsFunc(p.fields, func(field fieldPlan) bool {
			return field.containsFunc(v.Field(field.index), f)
		})
	case inTarget:
		return !v.IsNil() && p.elem.containsFunc(v.Elem(), f)
	case inElements:
		for i := range v.Len() {
			if p.elem.containsFunc(v.Index(i), f) {
				return true
			}
		}
	case inEntries:
		if v.Len() == 0 {
			return false
		}
		key, value := newEntry(v.Type())
		for iter := v.MapRange(); iter.Next(); {
			key.SetIterKey(iter)
			value.SetIterValue(iter)
			if f(key.String()) || p.elem.containsFunc(value, f) {
				return true
			}
		}
	}
	return false
}

// Replacer replaces single strings. [Replace] stops at the first error of any method.
type Replacer interface {
	// ReplaceString returns the replacement of a string.
	ReplaceString(string) (string, error)
	// ReplaceJSON returns the replacement of the JSON of a value whose type implements json.Marshaler.
	ReplaceJSON(string) (string, error)
	// Charge accounts for work before it is done. bytes is the approximate size of the JSON that is about to be visited.
	Charge(bytes int) error
}

// Replace replaces all strings of v. It never modifies slices, maps or values behind pointers, which v may share with other
// objects: if something in them changes, v gets a copy. If Replace returns an error, some strings of v may be replaced already.
func Replace[T any](v *T, r Replacer) error {
	value := reflect.ValueOf(v).Elem()
	p := planOf(value.Type())
	if p.location == inFields {
		_, _, err := p.replaceFields(value, r, true)
		return err
	}
	out, changed, err := p.replace(value, r)
	if err == nil && changed {
		value.Set(out)
	}
	return err
}

// nodeCost is charged, in bytes, for each non-empty string, each slice element and each pointer, beside the length of strings.
const nodeCost = 8

// replace returns v with its strings replaced. If none of them changes, it returns v itself, and changed is false.
func (p *typePlan) replace(v reflect.Value, r Replacer) (out reflect.Value, changed bool, err error) {
	switch p.location {
	case itself:
		return replaceString(v, r)
	case ownJSON:
		return replaceJSON(v, r)
	case inFields:
		return p.replaceFields(v, r, false)
	case inTarget:
		if v.IsNil() {
			return v, false, nil
		}
		if err := r.Charge(nodeCost); err != nil {
			return v, false, err
		}
		to, changed, err := p.elem.replace(v.Elem(), r)
		if err != nil || !changed {
			return v, false, err
		}
		out = reflect.New(v.Type().Elem())
		out.Elem().Set(to)
		return out, true, nil
	case inElements:
		return p.replaceSliceElements(v, r)
	case inEntries:
		return p.replaceMapEntries(v, r)
	}
	return v, false, nil
}

// newEntry returns an addressable key and value of a map type, which an iteration reuses for all entries.
func newEntry(t reflect.Type) (key, value reflect.Value) {
	return reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
}

func replaceString(v reflect.Value, r Replacer) (out reflect.Value, changed bool, err error) {
	before := v.String()
	if before == "" {
		return v, false, nil
	}
	if err := r.Charge(len(before) + nodeCost); err != nil {
		return v, false, err
	}
	after, err := r.ReplaceString(before)
	if err != nil || after == before {
		return v, false, err
	}
	out = reflect.New(v.Type()).Elem()
	out.SetString(after)
	return out, true, nil
}

func replaceJSON(v reflect.Value, r Replacer) (out reflect.Value, changed bool, err error) {
	before, err := json.Marshal(v.Interface())
	if err != nil {
		return v, false, err
	}
	if err := r.Charge(len(before)); err != nil {
		return v, false, err
	}
	after, err := r.ReplaceJSON(string(before))
	if err != nil || after == string(before) {
		return v, false, err
	}
	to := reflect.New(v.Type())
	err = json.Unmarshal([]byte(after), to.Interface())
	return to.Elem(), true, err
}

// replaceFields replaces the strings in the fields of a struct, in v itself if inPlace, otherwise in a copy.
func (p *typePlan) replaceFields(v reflect.Value, r Replacer, inPlace bool) (out reflect.Value, changed bool, err error) {
	out = v
	for _, f := range p.fields {
		to, replaced, err := f.replace(v.Field(f.index), r)
		if err != nil {
			return v, false, err
		}
		if !replaced {
			continue
		}
		if !changed && !inPlace {
			out = reflect.New(v.Type()).Elem()
			out.Set(v)
		}
		changed = true
		out.Field(f.index).Set(to)
	}
	return out, changed, nil
}

func (p *typePlan) replaceSliceElements(v reflect.Value, r Replacer) (out reflect.Value, changed bool, err error) {
	if err := r.Charge(nodeCost * v.Len()); err != nil {
		return v, false, err
	}
	out = v
	for i := range v.Len() {
		to, replaced, err := p.elem.replace(v.Index(i), r)
		if err != nil {
			return v, false, err
		}
		if !replaced {
			continue
		}
		if !changed {
			out = reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(out, v)
			changed = true
		}
		out.Index(i).Set(to)
	}
	return out, changed, nil
}

// anyEntryChanges reports whether the replacement changes any entry of a map. It does not allocate memory for each entry.
func (p *typePlan) anyEntryChanges(v reflect.Value, r Replacer) (changed bool, err error) {
	if v.Len() == 0 {
		return false, nil
	}
	if entries, ok := v.Interface().(map[string]string); ok { // the most common type
		for key, value := range entries {
			for _, before := range []string{key, value} {
				if err := r.Charge(len(before) + nodeCost); err != nil {
					return false, err
				}
				if after, err := r.ReplaceString(before); err != nil || after != before {
					return err == nil, err
				}
			}
		}
		return false, nil
	}
	if resources, ok := v.Interface().(corev1.ResourceList); ok {
		for name := range resources {
			if err := r.Charge(len(name) + nodeCost); err != nil {
				return false, err
			}
			if after, err := r.ReplaceString(string(name)); err != nil || after != string(name) {
				return err == nil, err
			}
		}
		return false, nil
	}
	key, value := newEntry(v.Type())
	for iter := v.MapRange(); iter.Next() && !changed; {
		key.SetIterKey(iter)
		value.SetIterValue(iter)
		_, newKey, err := replaceString(key, r)
		if err != nil {
			return false, err
		}
		_, newValue, err := p.elem.replace(value, r)
		if err != nil {
			return false, err
		}
		changed = newKey || newValue
	}
	return changed, nil
}

// replaceMapEntries replaces the strings in the keys and values of a map. If several keys become equal, the last one in sorted
// order wins, as it does in JSON.
func (p *typePlan) replaceMapEntries(v reflect.Value, r Replacer) (out reflect.Value, changed bool, err error) {
	if changed, err := p.anyEntryChanges(v, r); err != nil || !changed {
		return v, false, err
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	out = reflect.MakeMapWithSize(v.Type(), len(keys))
	for _, oldKey := range keys {
		key, _, err := replaceString(oldKey, r)
		if err != nil {
			return v, false, err
		}
		value, _, err := p.elem.replace(v.MapIndex(oldKey), r)
		if err != nil {
			return v, false, err
		}
		out.SetMapIndex(key, value)
	}
	return out, true, nil
}
