package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/timeout"
)

// The limits of the service.
const (
	budget  = 300 * time.Millisecond
	call    = 150 * time.Millisecond
	slots   = 5
	forever = time.Hour // for the clients' own limits: it is not they that are shown here
)

// A mishap is a way for a backend to fail.
type mishap struct {
	name  string
	rules []faultconn.Rule
}

var mishaps = []mishap{
	{"hang", []faultconn.Rule{{Fault: fault.Hang{}}}},
	{"slow", []faultconn.Rule{{Fault: fault.Delay{For: 2 * call}}}},
	{"reset", []faultconn.Rule{{Fault: fault.Reset{}}}},
	{"refuse", []faultconn.Rule{{Fault: fault.Refuse{}}, {Fault: fault.Reset{}}}},
}

// A service is one that answers each request with a call to its backend, over connections
// that can be made to fail.
type service struct {
	url      string
	backend  *timeout.Backend
	limiter  *timeout.Limiter
	injector *faultconn.Injector
	server   *http.Server
	closer   func() error
	served   chan struct{}
}

func newService(k kind, addr string) (*service, error) {
	s := &service{injector: new(faultconn.Injector), served: make(chan struct{})}
	var err error
	s.backend, err = timeout.NewBackend(timeout.BackendConfig{
		Name: k.name, Dial: call, Call: call, Slots: slots, Queue: slots, RetryAfter: 5 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	s.limiter, err = timeout.New(timeout.Config{Total: budget, Unavailable: unavailable})
	if err != nil {
		return nil, err
	}
	query, closer, err := k.open(addr, s.backend.DialContext(s.injector.Dialer(k.name, nil)), s.backend)
	if err != nil {
		return nil, err
	}
	s.closer = closer
	s.server = &http.Server{Handler: s.limiter.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if err := query(r.Context()); err != nil {
			return err
		}
		_, err := io.WriteString(w, "here you are\n")
		return err
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.url = "http://" + l.Addr().String() + "/"
	go func() {
		defer close(s.served)
		s.server.Serve(l)
	}()
	return s, nil
}

func (s *service) close() error {
	err := s.server.Shutdown(context.Background())
	<-s.served
	if cerr := s.closer(); err == nil {
		err = cerr
	}
	return err
}

// suffer breaks the backend, and returns how to mend it.
func (s *service) suffer(m mishap) (mend func(), err error) {
	rules := make([]faultconn.Rule, len(m.rules))
	for i, rule := range m.rules {
		rule.Name = fmt.Sprintf("%s %d", m.name, i+1)
		rules[i] = rule
	}
	return s.injector.With(faultconn.Plan{Rules: rules})
}
