package control

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// turn is a lock that may be held across a wait: whoever waits for it waits on
// a channel, which tests in virtual time see.
type turn struct {
	once sync.Once
	c    chan struct{}
}

func (t *turn) Lock() {
	t.once.Do(func() { t.c = make(chan struct{}, 1) })
	t.c <- struct{}{}
}

func (t *turn) Unlock() { <-t.c }

// inTurn calls f with no other change going on. The request's body has been read
// by then: whoever is slow to send one keeps nobody waiting.
func (s *Server) inTurn(f func(r *http.Request) (any, error)) func(r *http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		data, err := whole(r)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(data))
		s.changes.Lock()
		defer s.changes.Unlock()
		return f(r)
	}
}
