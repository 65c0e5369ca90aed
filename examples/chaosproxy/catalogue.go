package main

import (
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
)

// catalogue is all that plans may name.
func catalogue() faultconn.Catalogue { return append(fault.Catalogue(), framing.Catalogue()...) }

// form describes what plans are made of, for pages that offer it.
type form struct {
	Faults []kind   `json:"faults"`
	Rule   []option `json:"rule"` // but for its fault
}

type kind struct {
	Kind    string   `json:"kind"`
	Says    string   `json:"says"`
	Options []option `json:"options"`
}

type option struct {
	Name    string   `json:"name"`
	Says    string   `json:"says,omitempty"`
	Type    string   `json:"type"` // duration, number, boolean, text, fault, object, or a list: "list of text"
	Options []option `json:"options,omitempty"`
}

func planForm(c faultconn.Catalogue) form {
	var f form
	for _, one := range c {
		t := reflect.TypeOf(one)
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		f.Faults = append(f.Faults, kind{one.Kind(), says[one.Kind()], optionsOf(t, one.Kind())})
	}
	for _, o := range optionsOf(reflect.TypeFor[faultconn.Rule](), "rule") {
		if o.Name != "fault" && o.Name != "mix" {
			f.Rule = append(f.Rule, o)
		}
	}
	return f
}

// optionsOf lists the fields of a struct as plan files name them: see
// faultconn.Catalogue.Parse. They are those of a fault or an object.
func optionsOf(t reflect.Type, of string) []option {
	out := []option{}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Type.Kind() == reflect.Func {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name == "" {
			r, size := utf8.DecodeRuneInString(f.Name)
			name = string(unicode.ToLower(r)) + f.Name[size:]
		}
		o := option{Name: name, Says: says[of+"."+name], Type: typeName(f.Type)}
		if o.Type == "object" {
			o.Options = optionsOf(f.Type, name)
		}
		out = append(out, o)
	}
	return out
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t == reflect.TypeFor[faultconn.Fault]():
		return "fault"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "text"
	case reflect.Struct:
		return "object"
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	}
	return "number"
}
