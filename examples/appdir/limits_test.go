package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// The directory has more than the server takes in one push, by count and by
// bytes: it is sent in pushes that the server takes, and not one is refused.
func TestPushesWithinLimits(t *testing.T) {
	for name, l := range map[string]syncproto.Limits{
		"count": {Apps: 7},
		"bytes": {Body: 3000},
	} {
		s := serve(t, syncproto.Config{Limits: l})
		var pushes, refused atomic.Int32
		s.on(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/collections/") {
				pushes.Add(1)
				w = &status{w, func(code int) {
					if code != http.StatusOK {
						refused.Add(1)
					}
				}}
			}
			next.ServeHTTP(w, r)
		})
		a, b := dir{t, s.url, t.TempDir()}, dir{t, s.url, t.TempDir()}
		for i := range 50 {
			a.write(fmt.Sprintf("app%d.json", i), doc(fmt.Sprintf("https://app%d", i), strings.Repeat("x", 200)))
		}
		a.sync()
		if got := len(b.filesAfterSync()); got != 50 {
			t.Errorf("%s: %d of 50 files have arrived", name, got)
		}
		if n := pushes.Load(); n < 5 || n > 10 || refused.Load() > 0 {
			t.Errorf("%s: %d pushes, of which %d were refused", name, n, refused.Load())
		}
	}
}

func (d dir) filesAfterSync() map[string]string {
	d.t.Helper()
	d.sync()
	return d.files()
}

// status tells of the status that is sent.
type status struct {
	http.ResponseWriter
	told func(int)
}

func (s *status) WriteHeader(code int) {
	s.told(code)
	s.ResponseWriter.WriteHeader(code)
}

// What the server would refuse is reported by the name of its file, stays as it
// is, and does not hold up the rest.
func TestFilesBeyondLimits(t *testing.T) {
	s := serve(t, syncproto.Config{Limits: syncproto.Limits{Doc: 300, Depth: 3, Origin: 20}})
	a, b := dir{t, s.url, t.TempDir()}, dir{t, s.url, t.TempDir()}
	bad := map[string]string{
		"large.json":  doc("https://large", strings.Repeat("x", 300)),
		"deep.json":   `{"origin":"https://deep","x":{"y":{"z":[]}}}`,
		"origin.json": doc("https://a.name.that.is.too.long", 1),
		"twice.json":  `{"origin":"https://twice","n":{"x":1,"\u0078":2}}`,
	}
	for name, text := range bad {
		a.write(name, text)
	}
	a.write("level3.json", `{"origin":"https://level3","x":{"y":[1e999]}}`)
	a.write("spaces.json", strings.Replace(doc("https://spaces", 1), ",", ","+strings.Repeat(" \n", 300), 1))
	_, err := a.try()
	for name := range bad {
		if err == nil || !strings.Contains(err.Error(), name+": ") {
			t.Errorf("nothing is said of %s: %v", name, err)
		}
		if a.files()[name] != bad[name] {
			t.Errorf("%s has changed", name)
		}
	}
	b.sync()
	b.want(map[string]string{"level3.json": `{"origin":"https://level3","x":{"y":[1e999]}}`, "spaces.json": doc("https://spaces", 1)})

	// One that was synced before keeps its document until the file is fit again.
	a.write("level3.json", `{"origin":"https://level3","x":{"y":[[]]}}`)
	a.try()
	b.sync()
	if got := b.files()["level3.json"]; got != `{"origin":"https://level3","x":{"y":[1e999]}}` {
		t.Errorf("level3.json is %s", got)
	}
	a.write("level3.json", `{"origin":"https://level3"}`)
	a.try()
	b.sync()
	if got := b.files()["level3.json"]; got != `{"origin":"https://level3"}` {
		t.Errorf("level3.json is %s", got)
	}
}

// check and the server draw the line at the same place.
func TestLimitsAreTheServers(t *testing.T) {
	s := serve(t, syncproto.Config{Limits: syncproto.Limits{Doc: 100, Depth: 3, Origin: 20, Body: 90}})
	l, err := fetchLimits(t.Context(), options{url: s.url, transport: http.DefaultTransport})
	if want := (limits{Body: 90, Apps: 10_000, Doc: 100, Depth: 3, Origin: 20}); l != want || err != nil {
		t.Fatalf("%+v, %v; want %+v", l, err, want)
	}
	sized := func(n int) string {
		d := doc("x", "")
		return doc("x", strings.Repeat("y", n-len(d)))
	}
	for text, fits := range map[string]bool{
		sized(88): true, sized(89): false,
		doc(strings.Repeat("o", 20), 1): true, doc(strings.Repeat("o", 21), 1): false,
		`{"origin":"x","a":[{}]}`: true, `{"origin":"x","a":[{"b":[]}]}`: false, `{"origin":"x","a":[["[[[["]]}`: true,
		`{"origin":"x","a":{"b":1,"b":2}}`: false, `{"origin":"x","a":[{"b":1},{"b":2}]}`: true, `{"origin":"x","a":1,"origin":"x"}`: false,
	} {
		d := dir{t, s.url, t.TempDir()}
		d.write("x.json", text)
		f, err := readFile(d.path, "x.json")
		if err != nil {
			t.Fatal(err)
		}
		if got := l.check(f); (got == nil) != fits {
			t.Errorf("check of %s: %v", text, got)
		}
		if got := s.push(t, "["+text+"]"); (got == http.StatusOK) != fits {
			t.Errorf("the server says %d to %s", got, text)
		}
	}
}

// push pushes as nobody's device would.
func (s *server) push(t *testing.T, body string) int {
	t.Helper()
	var auth string
	res, err := http.Post(s.url+"/verify", "application/x-www-form-urlencoded", strings.NewReader("assertion=bob@example.com?a=x&audience=x"))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	_, auth, _ = strings.Cut(string(text), `"http_authorization":"`)
	auth, _, _ = strings.Cut(auth, `"`)
	req, err := http.NewRequest(http.MethodPost, s.url+"/collections/bob@example.com/apps", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", auth)
	if res, err = http.DefaultClient.Do(req); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// A server that says nothing of its limits is taken to have the usual ones.
func TestNoLimitsKnown(t *testing.T) {
	s := serve(t, syncproto.Config{})
	for _, answer := range []string{"", "no JSON", `{"max_push_apps":"many"}`} {
		s.on(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path != "/info/configuration":
				next.ServeHTTP(w, r)
			case answer == "":
				http.NotFound(w, r)
			default:
				io.WriteString(w, answer)
			}
		})
		if l, err := fetchLimits(t.Context(), options{url: s.url, transport: http.DefaultTransport}); l != defaultLimits() || err != nil {
			t.Errorf("%q: %+v, %v", answer, l, err)
		}
	}
	a := dir{t, s.url, t.TempDir()}
	a.write("x.json", doc("https://x", 1))
	a.sync()
}

// Over the quota nothing is lost: files stay, what others change comes, and as
// soon as there is room, the rest goes.
func TestQuota(t *testing.T) {
	s := serve(t, syncproto.Config{Quota: syncproto.Quota{Bytes: 1000}})
	a, b := dir{t, s.url, t.TempDir()}, dir{t, s.url, t.TempDir()}
	for i := range 4 {
		a.write(fmt.Sprintf("app%d.json", i), doc(fmt.Sprintf("https://app%d", i), strings.Repeat("x", 180)))
	}
	a.sync()
	b.sync()
	b.write("app4.json", doc("https://app4", strings.Repeat("x", 180)))
	if _, err := b.try(); err == nil || !strings.Contains(err.Error(), "quota of 1000 bytes") || !strings.Contains(err.Error(), "removed") {
		t.Errorf("%v, want the quota and what to do", err)
	}
	a.write("app0.json", doc("https://app0", 2)) // smaller, and so accepted
	a.sync()
	b.sync()
	want := a.filesAfterSync()
	b.want(want)
	if len(want) != 5 {
		t.Errorf("%d files", len(want))
	}
}

// A file too many is taken back before the server had it: no trace of it counts.
func TestQuotaOfFiles(t *testing.T) {
	s := serve(t, syncproto.Config{Quota: syncproto.Quota{Apps: 2}})
	a, b := dir{t, s.url, t.TempDir()}, dir{t, s.url, t.TempDir()}
	for i := range 3 {
		a.write(fmt.Sprintf("app%d.json", i), doc(fmt.Sprintf("https://app%d", i), 1))
	}
	if _, err := a.try(); err == nil || !strings.Contains(err.Error(), "quota of 2 apps") {
		t.Errorf("%v, want the quota", err)
	}
	a.remove("app1.json")
	a.sync()
	if got := b.filesAfterSync(); len(got) != 2 {
		t.Errorf("%v", got)
	}
}
