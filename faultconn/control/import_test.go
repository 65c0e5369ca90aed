package control

import (
	"reflect"
	"strings"
	"testing"
)

func TestFromToxiproxy(t *testing.T) {
	proxies, warnings, err := FromToxiproxy([]byte(`[
		{"name":"db","listen":"localhost:1","upstream":"db:1","enabled":false,"colour":"red",
		 "toxics":[{"type":"latency","toxicity":0.5,"attributes":{"latency":5,"Jitter":2,"speed":1}}]},
		{"name":"cache","upstream":"cache:1"}]`))
	if err != nil {
		t.Fatal(err)
	}
	if len(proxies) != 2 || !proxies[0].Disabled || proxies[1].Disabled || proxies[0].Toxics[0].Attributes["jitter"] != 2 {
		t.Errorf("%+v", proxies)
	}
	want := []string{`db: "colour": has no equal`, `db: toxic 1: attributes: "speed": has no equal`}
	if !reflect.DeepEqual(warnings, want) {
		t.Errorf("%q\nwant %q", warnings, want)
	}
	for text, says := range map[string]string{
		`{}`:             "bad request body",
		`[{"name":"x"}]`: "proxy 1: missing required field: upstream",
		`[{"name":"x","upstream":"a:1","toxics":[{"type":"y"}]}]`:       "invalid toxic type",
		`[{"name":"x","upstream":"a:1"},{"name":"x","upstream":"a:1"}]`: "proxy 2: name \"x\": given twice",
	} {
		if _, _, err := FromToxiproxy([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

func TestFromVaurien(t *testing.T) {
	env := func(name string) (string, bool) { return "db.internal", name == "DB" }
	p, warnings, err := FromVaurien([]byte(`; as in vaurien's documentation
[vaurien]
proxy = 0.0.0.0:8888
backend = ${DB}:5432
protocol = memcache
behavior = 20:delay
    10:error
stay_connected = true
http_port = 8080

[behavior:delay]
sleep = 2.5
nap = 1

[behavior:foxy]
callable = path.to.foxy.handler

[statsd]
enabled = true
`), env)
	if err != nil {
		t.Fatal(err)
	}
	want := Proxy{
		Name: "vaurien", Listen: "0.0.0.0:8888", Upstream: "db.internal:5432", Behavior: "20:delay,10:error", Protocol: "memcached",
		BehaviorOptions: map[string]map[string]any{"delay": {"sleep": 2.5}},
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("%+v\nwant %+v", p, want)
	}
	text := strings.Join(warnings, "\n")
	for _, about := range []string{"nap:", "foxy", "[statsd]", "stay_connected", "-control"} {
		if strings.Count(text, about) != 1 {
			t.Errorf("there is not one warning about %s:\n%s", about, text)
		}
	}
	for text, says := range map[string]string{
		"x = 1":                          "line 1",
		"[vaurien":                       "line 1",
		"[vaurien]\nx":                   "line 2",
		"[vaurien]\n  x":                 "line 2",
		"[vaurien]\nbackend = ${NO}:1":   "${NO}: is not set",
		"[vaurien]\nbackend = ${NO":      "without }",
		"[vaurien]\nbehavior = 120:hang": "must not exceed 100",
		"[vaurien]\nbehavior = 20:foxy":  "does not exist",
		"[vaurien]\nbackend = somewhere": "host:port",
	} {
		if _, _, err := FromVaurien([]byte(text), env); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

// FuzzImport reads any file. What is read can be run.
func FuzzImport(f *testing.F) {
	f.Add(`[{"name":"db","upstream":"db:1","toxics":[{"type":"latency","attributes":{"latency":5}}]}]`)
	f.Add("[vaurien]\nproxy = a:1\nbackend = b:1\nbehavior = 20:delay,\n  5:hang\n[behavior:delay]\nsleep = 1\n")
	f.Add("[behavior:transient]\nagitate = 3\ninject = true\n[DEFAULT]\nextends = other.ini\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := &Server{}
		defer s.Close()
		proxies, _, err := FromToxiproxy([]byte(text))
		if err == nil {
			for _, p := range proxies {
				p.Disabled = true
				if err := s.Add(p); err != nil {
					t.Error(err)
				}
			}
		}
		env := func(name string) (string, bool) { return name, name != "" }
		p, _, err := FromVaurien([]byte(text), env)
		if err == nil {
			p.Disabled, p.Name = true, "from an ini"
			_ = s.Remove(p.Name) // a JSON file may have had it
			if err := s.Add(p); err != nil {
				t.Error(err)
			}
		}
	})
}
