package syncproto

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func testKey(b byte) []byte { return bytes.Repeat([]byte{b}, minKey) }

func TestSignedSessionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &SignedSessions{Keys: [][]byte{testKey(1)}, TTL: 2 * minTTL}
		first, err := s.Issue(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(minTTL - time.Second)
		if got, err := s.Check(t.Context(), "ann", first.Token); err != nil || got.ID != first.ID || got.Token != "" {
			t.Errorf("in the first half of its time: %+v, %v", got, err)
		}
		time.Sleep(2 * time.Second)
		next, err := s.Check(t.Context(), "ann", first.Token)
		if err != nil || next.ID != first.ID || next.Token == "" || !next.Expires.After(first.Expires) {
			t.Errorf("in the second half: %+v, %v; want another token of the same session", next, err)
		}
		time.Sleep(minTTL)
		if _, err := s.Check(t.Context(), "ann", first.Token); !errors.Is(err, ErrNoSession) {
			t.Errorf("after its time: %v, want ErrNoSession", err)
		}
		if _, err := s.Check(t.Context(), "ann", next.Token); err != nil {
			t.Errorf("the token given instead: %v", err)
		}
		if first.Expires.Sub(next.Expires) > -minTTL {
			t.Errorf("the session was extended from %v to %v only", first.Expires, next.Expires)
		}
	})
}

func TestSignedSessionsDefaultIsLong(t *testing.T) {
	s := &SignedSessions{Keys: [][]byte{testKey(1)}}
	got, err := s.Issue(t.Context(), "ann")
	if err != nil || time.Until(got.Expires) < 29*24*time.Hour {
		t.Errorf("%+v, %v: want 30 days", got, err)
	}
}

func TestSignedSessionsKeys(t *testing.T) {
	old := &SignedSessions{Keys: [][]byte{testKey(1)}}
	both := &SignedSessions{Keys: [][]byte{testKey(2), testKey(1)}}
	next := &SignedSessions{Keys: [][]byte{testKey(2)}}
	a, _ := old.Issue(t.Context(), "ann")
	b, _ := both.Issue(t.Context(), "ann")
	for _, c := range []struct {
		name string
		s    *SignedSessions
		tok  string
		want error
	}{
		{"another server with the key", &SignedSessions{Keys: [][]byte{testKey(1)}}, a.Token, nil},
		{"while the key changes", both, a.Token, nil},
		{"after it has", next, a.Token, ErrNoSession},
		{"signed with the new one", next, b.Token, nil},
		{"before it began", old, b.Token, ErrNoSession},
	} {
		if _, err := c.s.Check(t.Context(), "ann", c.tok); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestSignedSessionsConfig(t *testing.T) {
	for _, s := range []*SignedSessions{
		{},
		{Keys: [][]byte{[]byte("short")}},
		{Keys: [][]byte{testKey(1), nil}},
		{Keys: [][]byte{testKey(1)}, TTL: time.Hour},
	} {
		if _, err := New(Config{Store: new(Memory), Verifier: struct{ Verifier }{}, Development: true, Sessions: s}); err == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
}
