package timeout_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
)

// A site is an HTTP server on a network in memory, in virtual time.
type site struct {
	*testing.T
	network *memnet.Network
	server  *http.Server
	client  *http.Client
	log     *syncBuffer
}

// both runs test in a bubble against a server of handler, over HTTP/1.1 and over HTTP/2.
func both(t *testing.T, test func(s *site, serve func(http.Handler))) {
	t.Helper()
	for _, proto := range []int{1, 2} {
		t.Run(fmt.Sprintf("http%d", proto), func(t *testing.T) { on(t, proto, test) })
	}
}

func on(t *testing.T, proto int, test func(s *site, serve func(http.Handler))) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{T: t, network: new(memnet.Network), log: new(syncBuffer)}
		var protocols http.Protocols
		protocols.SetHTTP1(proto == 1)
		protocols.SetUnencryptedHTTP2(proto == 2)
		s.server = &http.Server{ErrorLog: log.New(s.log, "", 0), Protocols: &protocols}
		transport := &http.Transport{DialContext: s.network.DialContext, Protocols: &protocols}
		s.client = &http.Client{Transport: transport}
		done := make(chan struct{})
		serving := false
		test(s, func(h http.Handler) {
			serving = true
			l, err := s.network.Listen("tcp", "site:80")
			if err != nil {
				t.Fatal(err)
			}
			s.server.Handler = h
			go func() {
				defer close(done)
				s.server.Serve(l)
			}()
		})
		transport.CloseIdleConnections()
		s.server.Shutdown(context.Background())
		if serving {
			<-done
		}
		s.network.Close()
		time.Sleep(time.Hour) // handlers that hang do so for less
	})
}

// dial returns a bare connection to the server.
func (s *site) dial() net.Conn {
	s.Helper()
	c, err := s.network.DialContext(context.Background(), "tcp", "site:80")
	if err != nil {
		s.Fatal(err)
	}
	return c
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *syncBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}
