package control

import (
	"reflect"

	"github.com/brownout-go/brownout/faultconn"
)

// fresh copies rules so that their faults have seen nothing: those of package
// framing follow connections, and a value must be in one rule of one proxy only.
// Where a rule goes on, its fault does too, and the copy is not used.
func fresh(rules []faultconn.Rule) []faultconn.Rule {
	out := make([]faultconn.Rule, len(rules))
	for i, r := range rules {
		r.Fault = freshFault(r.Fault)
		mix := make([]faultconn.Share, len(r.Mix))
		for j, s := range r.Mix {
			s.Fault = freshFault(s.Fault)
			mix[j] = s
		}
		if len(mix) > 0 {
			r.Mix = mix
		}
		out[i] = r
	}
	return out
}

// freshFault copies the options of a fault that is a pointer: its exported
// fields. A plain value has seen nothing.
func freshFault(f faultconn.Fault) faultconn.Fault {
	v := reflect.ValueOf(f)
	if f == nil || v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return f
	}
	out := reflect.New(v.Elem().Type())
	for i := range v.Elem().NumField() {
		if !v.Elem().Type().Field(i).IsExported() {
			continue
		}
		field := v.Elem().Field(i)
		if inner, ok := field.Interface().(faultconn.Fault); ok && field.Kind() == reflect.Interface {
			field = reflect.ValueOf(freshFault(inner))
		}
		out.Elem().Field(i).Set(field)
	}
	return out.Interface().(faultconn.Fault)
}
