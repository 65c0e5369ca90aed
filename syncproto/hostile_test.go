package syncproto_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// hostile makes requests as somebody would who is logged in, knows how all of
// this is built, and wants at what is somebody else's.
type hostile struct {
	rng     *rand.Rand
	users   []string
	names   []string            // of collections
	fresh   map[string][]string // authorizations that are good, by user
	expired map[string][]string
	forged  map[string][]string // of a server with another key
}

func pick[T any](h *hostile, from ...T) T { return from[h.rng.IntN(len(from))] }

// segment writes a name as a part of a path, in one of many ways.
func (h *hostile) segment(name string) string {
	s := url.PathEscape(name)
	switch h.rng.IntN(16) {
	case 0:
		s = strings.ReplaceAll(s, "@", "%40")
	case 1:
		s = url.PathEscape(s) // twice
	case 2:
		s = strings.ToLower(s)
	case 3: // everything
		s = ""
		for _, b := range []byte(name) {
			s += fmt.Sprintf("%%%02x", b)
		}
	case 4:
		s = pick(h, "./", "%2e/", ".%2e%2f", "x/../", "/", "%2f", "") + s
	case 5:
		s += pick(h, "/", "%2f", "%00", "%0a", "?", ";", "%3fsince=0", "#", "%", "%ff", ".")
	}
	return s
}

func (h *hostile) target(user string) string {
	name := pick(h, h.names...)
	query := pick(h, "", "", "?since=0", "?delete", "?since=0&user="+user, "?limit=9", "?lastget=0", "?delete&lastget=9")
	switch h.rng.IntN(12) {
	case 0:
		return "/info/usage/" + h.segment(user) + query
	case 1:
		return "/collections/" + h.segment(user+"/"+name) + query
	case 2:
		return "/collections/" + h.segment(pick(h, h.users...)) + "/../" + h.segment(user) + "/" + h.segment(name) + query
	}
	return "/collections/" + h.segment(user) + "/" + h.segment(name) + query
}

// authorization is nobody's, but for those that say in mine whose they are.
func (h *hostile) authorization(victim, thief string) (auth, mine string) {
	own := pick(h, h.fresh[thief]...)
	part := strings.Split(strings.TrimPrefix(own, "AppSync "), ":")
	token, _ := base64.URLEncoding.DecodeString(part[2])
	b64 := base64.URLEncoding.EncodeToString
	as := func(user string, token []byte) string {
		return "AppSync " + part[0] + ":" + b64([]byte(user)) + ":" + b64(token)
	}
	switch h.rng.IntN(14) {
	default:
		return own, thief
	case 0:
		return as(victim, token), ""
	case 1:
		return pick(h, h.expired[victim]...), ""
	case 2:
		return pick(h, h.forged[victim]...), ""
	case 3:
		token[h.rng.IntN(len(token))] ^= 1 << h.rng.IntN(8)
	case 4:
		token = token[:h.rng.IntN(len(token))]
	case 5:
		token = append(token, byte(h.rng.Uint32()))
	case 6: // signed with none
		clear(token[len(token)-32:])
	case 7: // as a token without a signature, as some formats have it
		return "AppSync " + b64([]byte(`{"alg":"none"}`)) + ":" + b64([]byte(victim)) + ":", ""
	case 8: // the end put off
		copy(token[1:9], []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	case 9: // the name cut elsewhere, between the parts
		n := 1 + h.rng.IntN(len(victim)-1)
		return "AppSync " + part[0] + ":" + b64([]byte(victim[:n])) + ":" + b64(append([]byte(victim[n:]), token...)), ""
	case 10:
		return "AppSync " + part[0] + ":" + b64([]byte(victim+"\x00"+thief)) + ":" + part[2], ""
	}
	return as(pick(h, victim, thief), token), ""
}

// request makes one. By is whose it is, if anybody's.
func (h *hostile) request() (r *http.Request, raw, by string) {
	victim, thief := pick(h, h.users...), pick(h, h.users...)
	for victim == thief {
		thief = pick(h, h.users...)
	}
	method := pick(h, "GET", "GET", "GET", "POST", "POST", "POST", "PUT", "HEAD")
	body := ""
	if method != "GET" && method != "HEAD" {
		body = pick(h, fmt.Sprintf(`[{"origin":"a","by":%q}]`, thief), fmt.Sprintf(`{"client_id":%q}`, thief), fmt.Sprintf(`{"a":{"by":%q}}`, thief))
	}
	auth, by := h.authorization(victim, thief)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, h.target(pick(h, victim, thief)), pick(h, "apps.example", "x@apps.example"))
	field := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	switch h.rng.IntN(8) {
	default:
		field("Authorization", auth)
	case 0:
		field("Authentication", auth)
	case 1: // the first counts
		field("Authorization", auth)
		field("Authorization", pick(h, h.expired[victim]...))
	case 2: // and this one before that
		field("Authentication", pick(h, h.forged[victim]...))
		field("Authorization", auth)
	case 3:
		field("Cookie", "http_authorization="+url.QueryEscape(auth)+"; Authorization="+url.QueryEscape(auth)+"; session="+thief)
		by = ""
	case 4:
		field("Proxy-Authorization", auth)
		field("X-Authorization", auth)
		field("X-Sync-Authorization", auth)
		by = ""
	case 5:
		field("Authorization", auth)
		field("X-Original-URL", "/collections/"+victim+"/apps")
		field("X-Forwarded-User", victim)
		field("X-Forwarded-Prefix", "/collections/"+victim)
		field("X-HTTP-Method-Override", "GET")
	}
	if h.rng.IntN(4) == 0 {
		field("Idempotency-Key", "key of everybody")
	}
	if h.rng.IntN(4) == 0 {
		field("If-None-Match", "*")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(b.String())))
	if err != nil {
		return nil, b.String(), "" // net/http answers 400
	}
	return r, b.String(), by
}

// Whatever is done to tokens, headers and paths, nobody reads or changes what is
// somebody else's, and nothing breaks.
func TestHostileRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(syncproto.Memory)
		s, other := newSite(t, syncproto.Config{Store: store}), newSite(t, syncproto.Config{})
		h := &hostile{
			rng:   rand.New(rand.NewPCG(7, 7)),
			users: []string{"ann@example.com", "Ann@example.com", "ann@example.co", "ann@example.com.", "ann%40example.com@example.com", "b@example.com/apps", "a@a"},
			names: []string{"apps", "a/b", "..", "a%2fb", "%2e", "apps?since=0", "-"},
			fresh: map[string][]string{}, expired: map[string][]string{}, forged: map[string][]string{},
		}
		for _, u := range h.users {
			h.expired[u] = append(h.expired[u], s.device(u).auth)
		}
		time.Sleep(31 * 24 * time.Hour)
		for _, u := range h.users {
			h.fresh[u] = append(h.fresh[u], s.device(u).auth, s.device(u).auth)
			h.forged[u] = append(h.forged[u], other.device(u).auth)
			for _, name := range h.names {
				doc := fmt.Sprintf(`{"origin":"secret","by":%q,"secret":"of <%s>"}`, u, u)
				key := syncproto.Key{User: u, Collection: name}
				if _, err := store.Write(t.Context(), key, syncproto.Write{Apps: []syncproto.App{{Origin: "secret", Doc: json.RawMessage(doc)}}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		statuses := map[int]int{}
		seen := 0
		for range 30_000 {
			r, raw, by := h.request()
			if r == nil {
				continue
			}
			w := httptest.NewRecorder()
			s.h.ServeHTTP(w, r)
			statuses[w.Code]++
			if w.Code >= 500 {
				t.Fatalf("%q: %d %s", raw, w.Code, w.Body)
			}
			if w.Code < 300 && by == "" {
				t.Fatalf("%q: %d %s, and it is nobody's", raw, w.Code, w.Body)
			}
			for _, u := range h.users {
				if !bytes.Contains(w.Body.Bytes(), []byte("of <"+u+">")) {
					continue
				}
				if seen++; u != by {
					t.Fatalf("%q: %q is given what is %q's: %s", raw, by, u, w.Body)
				}
			}
		}
		// It has to have been let in, too, or it proves nothing.
		if statuses[200] < 500 || statuses[401] < 5000 || seen < 100 {
			t.Errorf("%v, %d times somebody was given what is theirs", statuses, seen)
		}
		unchanged(t, store)
	})
}

// unchanged demands that nothing is there that others wrote or deleted.
func unchanged(t *testing.T, store *syncproto.Memory) {
	t.Helper()
	users, err := store.Users(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	written, deleted := 0, 0
	for _, u := range users {
		all, err := store.Collections(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.Deleted != nil {
				if deleted++; c.Deleted.ClientID != u {
					t.Errorf("%q deleted %q of %q", c.Deleted.ClientID, c.Collection, u)
				}
			}
			_, err := store.Read(context.Background(), syncproto.Key{User: u, Collection: c.Collection}, 0, 0, func(syncproto.State) error { return nil }, func(r syncproto.Record) error {
				var v struct{ By string }
				if err := json.Unmarshal(r.Doc, &v); err != nil {
					return err
				}
				if written++; v.By != u {
					t.Errorf("%q wrote %q in %q of %q", v.By, r.Origin, c.Collection, u)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if written == 0 || deleted == 0 {
		t.Errorf("%d documents, %d deletions: nobody could do anything", written, deleted)
	}
}
