package faultconn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Catalogue lists the faults that a plan file may name, one value of each type.
// fault.Catalogue is the shipped one; append your own faults to it. There is no
// registry: what is not in the catalogue cannot be asked for.
type Catalogue []Fault

// Parse reads a plan from JSON. Names are those of the Go fields with a small
// first letter (PerConn is perConn), or of their json tags; a field tagged "-"
// has none, and the options of tags are not heeded. Durations are strings such as "20s", and a fault is an object
// with its kind and its options:
//
//	{"seed": 7, "rules": [{
//	  "name": "slow cache",
//	  "select": {"point": "memcached"},
//	  "chance": 0.3,
//	  "fault": {"kind": "delay", "for": "20s"}
//	}]}
//
// Parse is strict. A field or kind it does not know is an error that says which
// there are, so that a typing error cannot turn into a plan that does nothing.
// Objects and lists may be nested 100 deep, which leaves room for some 90 faults
// inside one another. The plan is validated.
func (c Catalogue) Parse(data []byte) (Plan, error) {
	if deeper(data, mostNested) {
		return Plan{}, fmt.Errorf("faultconn: plan: nested more than %d deep: put fewer faults inside one another", mostNested)
	}
	var p Plan
	if err := c.decode(reflect.ValueOf(&p).Elem(), data, ""); err != nil {
		return Plan{}, fmt.Errorf("faultconn: plan: %w", err)
	}
	if err := p.Validate(); err != nil {
		return Plan{}, err
	}
	return p, nil
}

// mostNested bounds how deep a plan is nested: each level reads all that is
// inside it once more.
const mostNested = 100

// deeper reports whether objects and lists are nested more than so many deep.
func deeper(data []byte, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth > most {
			return true
		}
	}
	return false
}

// decode sets v, which is found at the path, from JSON.
func (c Catalogue) decode(v reflect.Value, data []byte, path string) error {
	switch {
	case v.Type() == durationType:
		var text string
		if err := json.Unmarshal(data, &text); err == nil {
			if d, err := time.ParseDuration(text); err == nil {
				v.SetInt(int64(d))
				return nil
			}
		}
		return fmt.Errorf(`%s %s: must be a duration such as "20s" or "150ms"`, path, excerpt(data))
	case v.Type() == faultType:
		return c.decodeFault(v, data, path)
	case v.Addr().Type().Implements(unmarshaler):
		if err := json.Unmarshal(data, v.Addr().Interface()); err != nil {
			return fmt.Errorf("%s %s: %w", path, excerpt(data), err)
		}
		return nil
	case v.Kind() == reflect.Struct:
		fields, err := members(data, path)
		if err != nil {
			return err
		}
		return c.decodeStruct(v, fields, path)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		var parts []json.RawMessage
		if err := json.Unmarshal(data, &parts); err != nil || parts == nil {
			return fmt.Errorf("%s %s: must be a list", path, excerpt(data))
		}
		list := reflect.MakeSlice(v.Type(), len(parts), len(parts))
		for i, part := range parts {
			if err := c.decode(list.Index(i), part, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		v.Set(list)
		return nil
	}
	if err := json.Unmarshal(data, v.Addr().Interface()); err != nil || string(data) == "null" {
		return fmt.Errorf("%s %s: must be a %v", path, excerpt(data), v.Type())
	}
	return nil
}

func (c Catalogue) decodeFault(v reflect.Value, data []byte, path string) error {
	fields, err := members(data, path)
	if err != nil {
		return err
	}
	var kinds []string
	var kind string
	i := slices.IndexFunc(fields, func(m member) bool { return m.name == "kind" })
	if i >= 0 {
		if err := json.Unmarshal(fields[i].value, &kind); err != nil {
			return fmt.Errorf("%s.kind %s: must be a string", path, excerpt(fields[i].value))
		}
	}
	for _, fault := range c {
		kinds = append(kinds, fault.Kind())
		if fault.Kind() != kind {
			continue
		}
		t := reflect.TypeOf(fault)
		pointer := t.Kind() == reflect.Pointer
		if pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return fmt.Errorf("%s: fault %s of the catalogue is a %v: must be a struct", path, fault.Kind(), t)
		}
		made := reflect.New(t)
		if err := c.decodeStruct(made.Elem(), slices.Delete(fields, i, i+1), path); err != nil {
			return err
		}
		if !pointer {
			made = made.Elem()
		}
		v.Set(made)
		return nil
	}
	if i < 0 {
		return fmt.Errorf("%s.kind: missing: must be one of %s", path, strings.Join(kinds, ", "))
	}
	return fmt.Errorf("%s.kind %s: must be one of %s", path, excerpt(fields[i].value), strings.Join(kinds, ", "))
}

func (c Catalogue) decodeStruct(v reflect.Value, fields []member, path string) error {
	t := v.Type()
	var known []string
	index := map[string]int{}
	for i := range t.NumField() {
		if name, ok := fieldName(t.Field(i)); ok {
			if _, twice := index[name]; twice || name == "kind" && reflect.PointerTo(t).Implements(faultType) {
				return fmt.Errorf("%s: field %s of %v: the name %s is taken", path, t.Field(i).Name, t, name)
			}
			known = append(known, name)
			index[name] = i
		}
	}
	for _, m := range fields {
		at := strings.TrimPrefix(path+"."+m.name, ".")
		i, ok := index[m.name]
		if !ok {
			if len(known) == 0 {
				return fmt.Errorf("%s: unknown: there are no options here", at)
			}
			return fmt.Errorf("%s: unknown: must be one of %s", at, strings.Join(known, ", "))
		}
		if err := c.decode(v.Field(i), m.value, at); err != nil {
			return err
		}
		if t == reflect.TypeFor[Rule]() && m.name == "chance" && v.Field(i).IsZero() {
			return fmt.Errorf("%s 0: leave it out for always, or the rule for never", at)
		}
	}
	return nil
}

// member is one name and value of an object.
type member struct {
	name  string
	value json.RawMessage
}

// members reads an object, in order, and refuses a name given twice.
func members(data []byte, path string) ([]member, error) {
	at := path
	if at == "" {
		at = "the file"
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err == io.EOF {
		return nil, fmt.Errorf("%s is empty: must be an object", at)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	} else if t != json.Delim('{') {
		return nil, fmt.Errorf("%s %s: must be an object", at, excerpt(data))
	}
	var all []member
	given := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		m := member{name: name.(string)} // Token has seen to that
		if err := d.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", at, m.name, err)
		}
		if given[m.name] {
			return nil, fmt.Errorf("%s: %s: given twice", at, m.name)
		}
		given[m.name] = true
		all = append(all, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: something follows the object", at)
	}
	return all, nil
}

// excerpt is a value for an error message.
func excerpt(data []byte) string {
	const most = 40
	s := strings.Join(strings.Fields(string(data)), " ")
	if len(s) > most {
		s = s[:most] + "..."
	}
	return s
}
