// Package texts looks at all texts of an object of Kubernetes or of Argo, and replaces them, as one does who goes through its JSON. It
// does not go that way: most of an object has nothing to replace, and stays where it is.
package texts

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Any reports whether is is true of any text of v. What writes JSON of its own counts as one text.
func Any(v any, is func(string) bool) bool {
	value := reflect.ValueOf(v)
	return planOf(value.Type()).any(value, is)
}

func (p *plan) any(v reflect.Value, is func(string) bool) bool {
	switch p.shape {
	case text:
		return is(v.String())
	case raw:
		text, err := json.Marshal(v.Interface())
		return err == nil && is(string(text))
	case parts:
		return slices.ContainsFunc(p.fields, func(f part) bool { return f.any(v.Field(f.index), is) })
	case pointee:
		return !v.IsNil() && p.elem.any(v.Elem(), is)
	case elements:
		for i := range v.Len() {
			if p.elem.any(v.Index(i), is) {
				return true
			}
		}
	case entries:
		if v.Len() == 0 {
			return false
		}
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem() // one for all entries
		for of := v.MapRange(); of.Next(); {
			key.SetIterKey(of)
			value.SetIterValue(of)
			if is(key.String()) || p.elem.any(value, is) {
				return true
			}
		}
	}
	return false
}

// Replacer says what becomes of texts. An error ends the replacement.
type Replacer interface {
	// Text returns what a text becomes.
	Text(string) (string, error)
	// JSON returns what a piece of JSON becomes: a value that writes its own.
	JSON(string) (string, error)
	// Pay is told of the work ahead, as about how many bytes of JSON it is.
	Pay(bytes int) error
}

// Replace gives v other texts. What v points to and its lists and maps stay as they are, for whoever else has them: where something in
// them changes, v gets a copy. With an error, v may have some of them already.
func Replace[T any](v *T, by Replacer) error {
	value := reflect.ValueOf(v).Elem()
	p := planOf(value.Type())
	if p.shape == parts {
		_, _, err := p.replaceParts(value, by, true)
		return err
	}
	out, changed, err := p.replace(value, by)
	if err == nil && changed {
		value.Set(out)
	}
	return err
}

// price is what an element of a list, or a field that is set, costs beside its texts.
const price = 8

// replace returns another value if a text in it changes.
func (p *plan) replace(v reflect.Value, by Replacer) (out reflect.Value, changed bool, err error) {
	switch p.shape {
	case text:
		return replaceText(v, by)
	case raw:
		return replaceJSON(v, by)
	case parts:
		return p.replaceParts(v, by, false)
	case pointee:
		if v.IsNil() {
			return v, false, nil
		}
		if err := by.Pay(price); err != nil {
			return v, false, err
		}
		to, changed, err := p.elem.replace(v.Elem(), by)
		if err != nil || !changed {
			return v, false, err
		}
		out = reflect.New(v.Type().Elem())
		out.Elem().Set(to)
		return out, true, nil
	case elements:
		return p.replaceElements(v, by)
	case entries:
		return p.replaceEntries(v, by)
	}
	return v, false, nil
}

func replaceText(v reflect.Value, by Replacer) (out reflect.Value, changed bool, err error) {
	before := v.String()
	if before == "" {
		return v, false, nil
	}
	if err := by.Pay(len(before) + price); err != nil {
		return v, false, err
	}
	after, err := by.Text(before)
	if err != nil || after == before {
		return v, false, err
	}
	out = reflect.New(v.Type()).Elem()
	out.SetString(after)
	return out, true, nil
}

func replaceJSON(v reflect.Value, by Replacer) (out reflect.Value, changed bool, err error) {
	before, err := json.Marshal(v.Interface())
	if err != nil {
		return v, false, err
	}
	if err := by.Pay(len(before)); err != nil {
		return v, false, err
	}
	after, err := by.JSON(string(before))
	if err != nil || after == string(before) {
		return v, false, err
	}
	to := reflect.New(v.Type())
	err = json.Unmarshal([]byte(after), to.Interface())
	return to.Elem(), true, err
}

// replaceParts changes v itself if it may, and otherwise a copy.
func (p *plan) replaceParts(v reflect.Value, by Replacer, inPlace bool) (out reflect.Value, changed bool, err error) {
	out = v
	for _, f := range p.fields {
		to, replaced, err := f.replace(v.Field(f.index), by)
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

func (p *plan) replaceElements(v reflect.Value, by Replacer) (out reflect.Value, changed bool, err error) {
	if err := by.Pay(price * v.Len()); err != nil {
		return v, false, err
	}
	out = v
	for i := range v.Len() {
		to, replaced, err := p.elem.replace(v.Index(i), by)
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

// changes reports whether an entry of a map is to be another one, without taking up memory for each.
func (p *plan) changes(v reflect.Value, by Replacer) (changed bool, err error) {
	if v.Len() == 0 {
		return false, nil
	}
	if plain, ok := v.Interface().(map[string]string); ok { // as most are
		for key, value := range plain {
			for _, before := range []string{key, value} {
				if err := by.Pay(len(before) + price); err != nil {
					return false, err
				}
				if after, err := by.Text(before); err != nil || after != before {
					return err == nil, err
				}
			}
		}
		return false, nil
	}
	if resources, ok := v.Interface().(corev1.ResourceList); ok {
		for name := range resources {
			if err := by.Pay(len(name) + price); err != nil {
				return false, err
			}
			if after, err := by.Text(string(name)); err != nil || after != string(name) {
				return err == nil, err
			}
		}
		return false, nil
	}
	key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem() // one for all entries
	for of := v.MapRange(); of.Next() && !changed; {
		key.SetIterKey(of)
		value.SetIterValue(of)
		_, newKey, err := replaceText(key, by)
		if err != nil {
			return false, err
		}
		_, newValue, err := p.elem.replace(value, by)
		if err != nil {
			return false, err
		}
		changed = newKey || newValue
	}
	return changed, nil
}

// replaceEntries replaces keys as well. Of keys that become the same one, the last in order counts, as it does in JSON.
func (p *plan) replaceEntries(v reflect.Value, by Replacer) (out reflect.Value, changed bool, err error) {
	if changed, err := p.changes(v, by); err != nil || !changed {
		return v, false, err
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	out = reflect.MakeMapWithSize(v.Type(), len(keys))
	for _, was := range keys {
		key, _, err := replaceText(was, by)
		if err != nil {
			return v, false, err
		}
		value, _, err := p.elem.replace(v.MapIndex(was), by)
		if err != nil {
			return v, false, err
		}
		out.SetMapIndex(key, value)
	}
	return out, true, nil
}
