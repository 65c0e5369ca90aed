package syncproto_test

import (
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

func TestETag(t *testing.T) {
	d := newSite(t, syncproto.Config{}).device("ann@example.com")
	seen := map[string]string{}
	step := func(name string) string {
		t.Helper()
		a := d.get("").want(200)
		tag := a.Header().Get("ETag")
		if was, ok := seen[tag]; ok || len(tag) < 3 || tag[0] != '"' {
			t.Fatalf("%s: ETag %s, which was that of %q", name, tag, was)
		}
		seen[tag] = name
		for _, list := range []string{tag, `"x", ` + tag, "*", "W/" + tag} {
			if a := d.get("", "If-None-Match", list).want(304); a.Body.Len() > 0 || a.Header().Get("ETag") != tag {
				t.Errorf("%s: 304 with %q and ETag %s", name, a.Body, a.Header().Get("ETag"))
			}
		}
		d.get("", "If-None-Match", `"x"`).want(200)
		return tag
	}
	none := step("never written")
	d.push(`[]`)
	step("empty")
	d.push(`[{"origin":"a"}]`)
	first := step("one app")
	d.push(`[{"origin":"a"}]`)
	step("the same app again")
	d.post("?delete", `{"client_id":"x"}`).want(200)
	gone := step("deleted")
	d.post("", `[{"origin":"b"}]`, "If-Match", first).want(412)
	d.post("", `[{"origin":"b"}]`, "If-Match", none).want(412)
	a := d.post("", `[{"origin":"b"}]`, "If-Match", gone).want(200)
	if again := step("a second life"); again != a.Header().Get("ETag") {
		t.Errorf("a pull has ETag %s, the push before it %s", again, a.Header().Get("ETag"))
	}
	for _, tag := range []string{"*", "x", `""`, `"-"`, `"a-b"`, first + "," + gone} {
		if c := d.post("", `[]`, "If-Match", tag).want(400).code(); c != syncproto.CodeParameter {
			t.Errorf("If-Match: %s: code %d", tag, c)
		}
	}
}

// With the ETag of a push that went over what others wrote, the next would have
// a condition that holds, and received would lead past it.
func TestNoETagForWhoMissedSomething(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	phone, laptop := s.device("ann@example.com"), s.device("ann@example.com")
	laptop.pull(0)
	phone.push(`[{"origin":"missed"}]`)
	if tag := laptop.post("", `[{"origin":"mine"}]`).want(200).Header().Get("ETag"); tag != "" {
		t.Errorf("ETag %s", tag)
	}
	laptop.pull(0)
	tag := laptop.post("", `[{"origin":"mine"}]`).want(200).Header().Get("ETag")
	if now := laptop.get("").Header().Get("ETag"); tag != now {
		t.Errorf("ETag %q of a push that missed nothing, want %s", tag, now)
	}
}

// A 304 must not make the server think that more was received than was.
func TestReceivedAfterNotModified(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	phone, laptop := s.device("ann@example.com"), s.device("ann@example.com")
	phone.push(`[{"origin":"a"}]`)
	tag := phone.get("").Header().Get("ETag")
	laptop.get("?since=0", "If-None-Match", tag).want(304)
	if got := laptop.push(`[{"origin":"b"}]`); got != 1 {
		t.Errorf("received %v, though the laptop holds nothing for sure", got)
	}
}
