package faultconn

import "reflect"

// same reports whether the other rule, of the same name, is defined the same.
func (r *rule) same(other *rule) bool {
	a, b := r.Rule, other.Rule
	a.Name, b.Name = "", ""
	return r.seed == other.seed && alike(reflect.ValueOf(a), reflect.ValueOf(b), true, 0)
}

// alike is reflect.DeepEqual but for structs behind pointers, of which only the
// exported fields count: the rest is what a fault has seen, and changes under
// its own lock.
func alike(a, b reflect.Value, private bool, depth int) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() || depth > 50 { // a cycle, perhaps
		return false
	}
	depth++
	switch a.Kind() {
	case reflect.Interface:
		return alike(a.Elem(), b.Elem(), true, depth)
	case reflect.Pointer:
		return a.Pointer() == b.Pointer() || alike(a.Elem(), b.Elem(), false, depth)
	case reflect.Struct:
		for i := range a.NumField() {
			if (private || a.Type().Field(i).IsExported()) && !alike(a.Field(i), b.Field(i), private, depth) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !alike(a.Index(i), b.Index(i), private, depth) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() {
			return false
		}
		for _, key := range a.MapKeys() {
			if v := b.MapIndex(key); !v.IsValid() || !alike(a.MapIndex(key), v, private, depth) {
				return false
			}
		}
		return true
	case reflect.Func:
		return a.IsNil() && b.IsNil()
	}
	return a.Equal(b)
}
