package faultconn

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MarshalJSON writes the plan as plan files have it: see [Catalogue.Parse].
// What is zero is left out.
func (p Plan) MarshalJSON() ([]byte, error) {
	b, err := appendStruct([]byte{'{'}, reflect.ValueOf(p))
	if err != nil {
		return nil, fmt.Errorf("faultconn: plan: %w", err)
	}
	return b, nil
}

// String is the plan as JSON.
func (p Plan) String() string {
	b, err := p.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(b)
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	faultType    = reflect.TypeFor[Fault]()
	marshaler    = reflect.TypeFor[json.Marshaler]()
	unmarshaler  = reflect.TypeFor[json.Unmarshaler]()
)

func appendValue(b []byte, v reflect.Value) ([]byte, error) {
	switch {
	case v.Type() == durationType:
		return appendJSON(b, time.Duration(v.Int()).String())
	case v.Type() == faultType:
		return appendFault(b, v)
	case v.Type().Implements(marshaler):
		return appendJSON(b, v.Interface())
	case v.Kind() == reflect.Struct:
		return appendStruct(append(b, '{'), v)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		b = append(b, '[')
		var err error
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendValue(b, v.Index(i)); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	return appendJSON(b, v.Interface())
}

func appendJSON(b []byte, v any) ([]byte, error) {
	// encoding/json would write something else without a word.
	if s, ok := v.(string); ok && !utf8.ValidString(s) {
		return nil, fmt.Errorf("%q: is not UTF-8, and so cannot be written to JSON", s)
	}
	text, err := json.Marshal(v)
	return append(b, text...), err
}

func appendFault(b []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return append(b, "null"...), nil
	}
	b, err := appendJSON(append(b, `{"kind":`...), v.Interface().(Fault).Kind())
	if err != nil {
		return nil, err
	}
	value := v.Elem()
	if value.Kind() == reflect.Pointer {
		value = value.Elem()
	}
	if value.Kind() != reflect.Struct {
		return nil, fmt.Errorf("fault of type %v: plans are written of faults that are structs", v.Elem().Type())
	}
	return appendStruct(b, value)
}

// appendStruct continues an object that has been opened.
func appendStruct(b []byte, v reflect.Value) ([]byte, error) {
	var err error
	for i := range v.NumField() {
		name, ok := fieldName(v.Type().Field(i))
		if !ok || v.Field(i).IsZero() {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		if b, err = appendJSON(b, name); err != nil {
			return nil, err
		}
		if b, err = appendValue(append(b, ':'), v.Field(i)); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// fieldName is the name of a field in plan files, if it has one: that of its
// json tag, or else its own with a small first letter. PerConn becomes perConn.
func fieldName(f reflect.StructField) (name string, ok bool) {
	tag := f.Tag.Get("json")
	if !f.IsExported() || tag == "-" {
		return "", false
	}
	if name, _, _ := strings.Cut(tag, ","); name != "" {
		return name, true
	}
	r, size := utf8.DecodeRuneInString(f.Name)
	return string(unicode.ToLower(r)) + f.Name[size:], true
}
