package timeoutdefects

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
)

// dt is what a request may take.
const dt = 100 * time.Millisecond

// A bench is where one subject is tried for one defect, over one protocol.
type bench struct {
	subject
	proto   int
	real    bool   // real network, real time
	host    string // of the server
	network *memnet.Network
	server  *http.Server
	client  *http.Client
	log     logBuffer
	done    chan struct{}
}

// try runs a probe in a bubble of its own, or in the real world if it has to be.
func try(t *testing.T, s subject, proto int, d defect) (found error) {
	world := synctest.Test
	if d.real {
		world = func(t *testing.T, f func(*testing.T)) { f(t) }
	}
	world(t, func(t *testing.T) {
		b := &bench{subject: s, proto: proto, real: d.real, network: new(memnet.Network)}
		var protocols http.Protocols
		protocols.SetHTTP1(proto == 1)
		protocols.SetUnencryptedHTTP2(proto == 2)
		b.server = &http.Server{ErrorLog: log.New(&b.log, "", 0), Protocols: &protocols}
		transport := &http.Transport{DialContext: b.network.DialContext, Protocols: &protocols}
		b.client = &http.Client{Transport: transport}
		if d.real {
			transport.DialContext = nil
		}
		found = d.probe(b)
		transport.CloseIdleConnections()
		b.server.Close()
		if b.done != nil {
			<-b.done
		}
		b.network.Close()
		if !d.real {
			time.Sleep(time.Hour) // handlers that hang do so for less
		}
	})
	return found
}

// serve serves h under the subject.
func (b *bench) serve(h http.HandlerFunc) { b.serveBare(b.wrap(h, dt)) }

func (b *bench) serveBare(h http.Handler) {
	l, err := b.network.Listen("tcp", "site:80")
	if b.real {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		panic(err)
	}
	b.host = l.Addr().String()
	b.server.Handler = h
	b.done = make(chan struct{})
	go func() {
		defer close(b.done)
		b.server.Serve(l)
	}()
}

// An answer is a response, or what there was instead.
type answer struct {
	*http.Response
	body string
	err  error         // of the request or the body
	head time.Duration // when the status was there
	took time.Duration // when the body, or the error
	due  time.Duration
}

// patience is how long a client waits: a hundred times as long as a request may take, so
// that also in real time nobody is late because the machine is.
const patience = 100 * dt

// ask sends a request and reads the response.
func (b *bench) ask(method, path string, body io.Reader) answer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return b.askCtx(ctx, method, path, body)
}

func (b *bench) askCtx(ctx context.Context, method, path string, body io.Reader) (a answer) {
	start := time.Now()
	a.due = dt
	if b.real { // where only the order of things can be relied on
		a.due = patience
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+b.host+path, body)
	if err != nil {
		panic(err)
	}
	a.Response, a.err = b.client.Do(r)
	a.head = time.Since(start)
	a.took = a.head
	if a.err != nil {
		return a
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	a.body, a.err, a.took = string(text), err, time.Since(start)
	return a
}

// refusedInTime checks for a complete 5xx when it was due.
func (a answer) refusedInTime() error {
	switch {
	case a.err != nil:
		return errors.New("no complete response")
	case a.StatusCode < 500:
		return errors.New("answered " + a.Status + " after " + a.took.String())
	case a.took > a.due:
		return errors.New("answered after " + a.took.String())
	}
	return nil
}

// hang is a handler's call to something that never comes back.
func hang() { time.Sleep(time.Minute) }

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
