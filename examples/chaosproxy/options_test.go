package main

import (
	"io"
	"strings"
	"testing"
)

func TestBadFlags(t *testing.T) {
	for args, says := range map[string]string{
		"-listen :1":          "-listen and -upstream go together",
		"-fault 5:reset":      "-fault and -plan are for the proxy",
		"-control :8474":      "give a -token too",
		"-control 8474":       "must be host:port",
		"-statsd x":           "must be host:port",
		"-statsd-vaurien tcp": "needs -statsd",
		"-drain -1s":          "must not be negative",
		"x":                   "unexpected argument",
		"-listen :1 -upstream :2 -fault a:b -plan x.y": "give one of them",
	} {
		if _, err := parseFlags(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", args, err, says)
		}
	}
	if _, err := parseFlags([]string{"-control", ":8474", "-token", "x"}, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestParseFaults(t *testing.T) {
	p, err := parseFaults("20:delay=2s, 5:reset,1.5:bandwidth=65536,1:fail=refused", 7)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"seed":7,"rules":[{"name":"-fault","mix":[{"percent":20,"fault":{"kind":"delay","for":"2s"}},{"percent":5,"fault":{"kind":"reset"}},` +
		`{"percent":1.5,"fault":{"kind":"bandwidth","rate":65536}},{"percent":1,"fault":{"kind":"fail","with":"refused"}}]}]}`
	if p.String() != want {
		t.Errorf("%v\nwant %s", p, want)
	}
	if p, err := parseFaults("", 7); err != nil || len(p.Rules) > 0 {
		t.Errorf("%v, %v", p, err)
	}
	for text, says := range map[string]string{
		"delay=2s":         "must be percent:fault",
		"x:delay=2s":       "must be percent:fault",
		"20:nap":           "must be one of",
		"20:delay=long":    "must be a duration",
		"20:reset=2s":      "takes no value",
		"20:bandwidth=x":   "rate: must be a number",
		"20:bandwidth=-1":  "must be positive",
		"80:reset,30:hang": "must not exceed 100",
		"20:slice=1}]":     "must be a number",
	} {
		if _, err := parseFaults(text, 0); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// FuzzParseFaults reads any -fault. What is read is a plan that can be set.
func FuzzParseFaults(f *testing.F) {
	f.Add("20:delay=2s,5:reset")
	f.Add("1e1:fail=refused")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parseFaults(text, 1); err == nil {
			if err := p.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
