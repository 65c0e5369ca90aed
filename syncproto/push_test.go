package syncproto_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

func unmarshal(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
}

func TestPush(t *testing.T) {
	d := newSite(t, syncproto.Config{}).device("ann@example.com")
	a := d.post("", `[{"origin":"a"},{"origin":"b","n":1},{"origin":"b","n":2}]`, "Content-Type", "text/plain;charset=UTF-8").want(200)
	if v := a.object(); len(v) != 1 || v["received"] == nil {
		t.Errorf("%s, want received and nothing else", a.Body)
	}
	p := d.pull(0)
	if len(p.Applications) != 2 || string(p.Applications[1]) != `{"origin":"b","n":2}` {
		t.Errorf("%s: of two apps with one origin the last counts", p.Applications)
	}
	if e := d.events[1]; e.Op != "push" || e.Apps != 2 || e.Status != 200 {
		t.Errorf("event %+v", e)
	}
}

func TestPushEmpty(t *testing.T) {
	d := newSite(t, syncproto.Config{}).device("ann@example.com")
	if got := d.push(`[]`); got != 1 {
		t.Errorf("received %v: want the smallest time above zero, for zero makes clients send all again", got)
	}
	if p := d.pull(0); p.UUID == nil || p.Until != 0 {
		t.Errorf("after an empty push: %+v, want a uuid", p)
	}
	d.post("?delete", `{"client_id":"x"}`).want(200)
	d.push(`[]`)
	if a := d.get("").want(200); !strings.Contains(a.Body.String(), "collection_deleted") {
		t.Errorf("an empty push undid the deletion: %s", a.Body)
	}
}

func TestPushObject(t *testing.T) {
	d := newSite(t, syncproto.Config{}).device("ann@example.com")
	d.push(`{"a":{"origin":"a","n":1}, "b\u0062": {"n":2}, "c":{ }, "d":{"origin":"d"}}`)
	var got []string
	for _, b := range d.pull(0).Applications {
		got = append(got, string(b))
	}
	want := `[{"origin":"a","n":1} {"origin":"bb","n":2} {"origin":"c"} {"origin":"d"}]`
	if fmt.Sprint(got) != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPushBad(t *testing.T) {
	d := newSite(t, syncproto.Config{Limits: syncproto.Limits{Body: 2000, Apps: 3, Doc: 500, Depth: 4, Origin: 20}}).device("ann@example.com")
	for name, c := range map[string]struct {
		body         string
		status, code int
	}{
		"nothing":            {``, 400, syncproto.CodeJSON},
		"no JSON":            {`[{"origin":"a"}`, 400, syncproto.CodeJSON},
		"more after it":      {`[] []`, 400, syncproto.CodeJSON},
		"not UTF-8":          {"[{\"origin\":\"a\xff\"}]", 400, syncproto.CodeJSON},
		"NaN":                {`[{"origin":"a","x":NaN}]`, 400, syncproto.CodeJSON},
		"a number":           {`5`, 400, syncproto.CodeDocument},
		"null":               {`null`, 400, syncproto.CodeDocument},
		"a string":           {`"x"`, 400, syncproto.CodeDocument},
		"not objects":        {`["a"]`, 400, syncproto.CodeDocument},
		"null for an app":    {`[null]`, 400, syncproto.CodeDocument},
		"array for an app":   {`[[{"origin":"a"}]]`, 400, syncproto.CodeDocument},
		"no origin":          {`[{"name":"a"}]`, 400, syncproto.CodeDocument},
		"empty origin":       {`[{"origin":""}]`, 400, syncproto.CodeDocument},
		"null origin":        {`[{"origin":null}]`, 400, syncproto.CodeDocument},
		"number for origin":  {`[{"origin":1}]`, 400, syncproto.CodeDocument},
		"NUL in origin":      {`[{"origin":"a\u0000"}]`, 400, syncproto.CodeDocument},
		"half a character":   {`[{"origin":"\ud800"}]`, 400, syncproto.CodeDocument},
		"origin twice":       {`[{"origin":"a","origin":"b"}]`, 400, syncproto.CodeDocument},
		"twice, escaped":     {`[{"origin":"a","\u006frigin":"b"}]`, 400, syncproto.CodeDocument},
		"twice, further in":  {`[{"origin":"a","x":[{"y":1,"y":2}]}]`, 400, syncproto.CodeDocument},
		"object, not apps":   {`{"a":1}`, 400, syncproto.CodeDocument},
		"object, other name": {`{"a":{"origin":"b"}}`, 400, syncproto.CodeDocument},
		"object, name twice": {`{"a":{},"a":{}}`, 400, syncproto.CodeDocument},
		"too deep":           {`[{"origin":"a","x":[[[[1]]]]}]`, 400, syncproto.CodeDocument},
		"origin too long":    {`[{"origin":"` + strings.Repeat("a", 21) + `"}]`, 400, syncproto.CodeDocument},
		"document too long":  {`[{"origin":"a","x":"` + strings.Repeat("a", 500) + `"}]`, 413, syncproto.CodeTooLarge},
		"too many apps":      {`[{"origin":"a"},{"origin":"b"},{"origin":"c"},{"origin":"d"}]`, 413, syncproto.CodeTooLarge},
		"too long":           {`[` + strings.Repeat(" ", 2000) + `]`, 413, syncproto.CodeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			a := d.post("", c.body)
			a.t = t
			if got := a.want(c.status).code(); got != c.code {
				t.Errorf("code %d, want %d: %s", got, c.code, a.Body)
			}
		})
	}
	d.push(`[{"origin":"a","x":[[1]]},{"origin":"b"},{"origin":"c"},{"origin":"c"}]`) // all at their limit
	if n := len(d.pull(0).Applications); n != 3 {
		t.Errorf("%d apps, want the 3 of the good push", n)
	}
}

// Of ten thousand apps one is wrong, and whoever wrote them has to find it.
func TestPushBadSaysWhere(t *testing.T) {
	d := newSite(t, syncproto.Config{}).device("ann@example.com")
	for body, want := range map[string]string{
		`[{"origin":"a"},{"n":1},{"origin":"b"}]`: "an app without an origin, at byte 23",
		`[{"origin":"a"},{"x":{"y":1,"y":2}}]`:    `two members of the name \"y\", at byte 31`,
		`5`:                                       "an object of apps by origin, at byte 0",
		`[{"origin":"a"},{"origin":"b" "n":1}]`:   `invalid character '\"' after object key:value pair, at byte 31`,
		`[{"origin":"a"}`:                         "unexpected end of JSON input, at byte 15",
		"[{\"origin\":\"\xff\"}]":                 "not JSON in UTF-8\"",
	} {
		if a := d.post("", body).want(400); !strings.Contains(a.Body.String(), want) {
			t.Errorf("%s: %s, want it to say %s", body, a.Body, want)
		}
	}
}

func TestConditionalPush(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	d := s.device("ann@example.com")
	d.post("?lastget=0", `[{"origin":"a"}]`).want(200) // empty: passes
	until := d.pull(0).Until
	d.post("?lastget="+until.String(), `[{"origin":"b"}]`).want(200)
	for _, q := range []string{"?lastget=" + until.String(), "?since=" + until.String(), "?lastget=0"} {
		a := d.post(q, `[{"origin":"c"}]`).want(412)
		if v := a.object(); v["status"] != "failure" || v["reason"] != "conflict" || v["last_modified"] == nil {
			t.Errorf("%s: %s", q, a.Body)
		}
	}
	d.post("", `[{"origin":"c"}]`, "X-If-Unmodified-Since", until.String()).want(412)
	for _, q := range []string{"?lastget=", "?lastget=x", "?lastget=NaN", "?lastget=inf", "?since=x"} {
		if c := d.post(q, `[]`).want(400).code(); c != syncproto.CodeParameter {
			t.Errorf("%s: code %d", q, c)
		}
	}
	if n := len(d.pull(0).Applications); n != 2 {
		t.Errorf("%d apps: a refused push left something", n)
	}

	// A deletion after lastget is a conflict, whatever a stale writer has.
	until = d.pull(0).Until
	d.post("?delete&lastget=0", `{"client_id":"x"}`).want(200) // itself without a condition
	d.post("?lastget="+until.String(), `[{"origin":"a"}]`).want(412)
}

func TestDelete(t *testing.T) {
	d := newSite(t, syncproto.Config{}).device("ann@example.com")
	d.push(`[{"origin":"a"}]`)
	before := *d.pull(0).UUID
	for body, code := range map[string]int{
		``:                                 syncproto.CodeJSON,
		`{}`:                               syncproto.CodeMissing,
		`{"reason":"x"}`:                   syncproto.CodeMissing,
		`{"client_id":null}`:               syncproto.CodeMissing,
		`{"client_id":5}`:                  syncproto.CodeDocument,
		`[]`:                               syncproto.CodeDocument,
		`{"client_id":"a","reason":["x"]}`: syncproto.CodeDocument,
	} {
		if c := d.post("?delete", body).want(400).code(); c != code {
			t.Errorf("%s: code %d, want %d", body, c, code)
		}
	}
	received(d.post("?delete=true", `{"client_id":"phone","more":1}`))
	received(d.post("?delete", `{"client_id":"laptop","reason":"late"}`))
	if got := d.get("").Body.String(); got != `{"collection_deleted":{"client_id":"phone","reason":""}}` {
		t.Errorf("%s: want the first deletion, with an empty reason", got)
	}
	d.push(`[{"origin":"b"}]`)
	if p := d.pull(0); len(p.Applications) != 1 || *p.UUID == before {
		t.Errorf("written again: %+v, the uuid was %s", p, before)
	}
}

func TestIdempotencyKey(t *testing.T) {
	d := newSite(t, syncproto.Config{}).device("ann@example.com")
	first := d.push(`[{"origin":"a","n":1}]`, "Idempotency-Key", "k1")
	if again := d.push(`[{"origin":"a","n":1}]`, "Idempotency-Key", "k1"); again != first {
		t.Errorf("sent again: received %v, was %v", again, first)
	}
	if e := d.events[2]; !e.Replayed {
		t.Errorf("event %+v, want Replayed", e)
	}
	if other := d.push(`[{"origin":"a","n":2}]`, "Idempotency-Key", "k1"); other <= first {
		t.Errorf("another push under the same key was swallowed")
	}
	d.push(`[{"origin":"a","n":1}]`, "Idempotency-Key", "k1")
	if got := string(d.pull(0).Applications[0]); got != `{"origin":"a","n":2}` {
		t.Errorf("a late copy undid a later push: %s", got)
	}
	gone := received(d.post("?delete", `{"client_id":"x"}`, "Idempotency-Key", "k1"))
	d.push(`[{"origin":"b"}]`)
	if again := received(d.post("?delete", `{"client_id":"x"}`, "Idempotency-Key", "k1")); again > gone {
		t.Errorf("a late copy of a deletion: received %v, was %v", again, gone)
	}
	if len(d.pull(0).Applications) != 1 {
		t.Errorf("a late copy of a deletion deleted what came after")
	}
	if c := d.post("", `[]`, "Idempotency-Key", strings.Repeat("k", 257)).want(400).code(); c != syncproto.CodeParameter {
		t.Errorf("code %d", c)
	}
}

func TestQuota(t *testing.T) {
	d := newSite(t, syncproto.Config{Quota: syncproto.Quota{Apps: 1}}).device("ann@example.com")
	d.push(`[{"origin":"a"}]`)
	a := d.post("", `[{"origin":"b"}]`).want(403)
	if a.code() != syncproto.CodeQuota || !strings.Contains(a.Body.String(), "1 apps") {
		t.Errorf("%s", a.Body)
	}
	d.push(`[{"origin":"a","n":1}]`)
}

func FuzzPush(f *testing.F) {
	for _, s := range []string{
		``, `[]`, `{}`, `[{"origin":"a"}]`, `{"a":{}}`, `{"a":{"origin":"a"}}`, `[{"origin":"a","x":[{"\u0061":"\"]}"}, 1e5 , true]}]`,
		"[{\"origin\":\"\xff\"}]", `[{"origin":"a","origin":"a"}]`, "\xef\xbb\xbf[]", ` [ { "origin" : "b" } , {"origin":"c"} ] `, `[[[[[[[[[[[[`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		d := newSite(t, syncproto.Config{}).device("ann@example.com")
		a := d.post("", body)
		if a.Code >= 500 {
			t.Fatalf("%q: %d", body, a.Code)
		}
		p := d.pull(0)
		if a.Code != 200 && len(p.Applications) > 0 {
			t.Fatalf("%q was refused and left %q", body, p.Applications)
		}
		// What is pulled can be pushed, and comes back the same.
		if a.Code == 200 {
			e := newSite(t, syncproto.Config{}).device("ann@example.com")
			e.push(string(mustJSON(t, p.Applications)))
			if q := e.pull(0); fmt.Sprintf("%q", compacted(t, q)) != fmt.Sprintf("%q", compacted(t, p)) {
				t.Fatalf("%q: pulled %q, and after pushing that %q", body, p.Applications, q.Applications)
			}
		}
	})
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func compacted(t *testing.T, p page) []string {
	t.Helper()
	var all []string
	for _, d := range p.Applications {
		all = append(all, string(mustJSON(t, d)))
	}
	return all
}
