package faultconn_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// offers says which of the optional methods a connection has.
func offers(c net.Conn) map[string]bool {
	_, closeWrite := c.(interface{ CloseWrite() error })
	_, closeRead := c.(interface{ CloseRead() error })
	_, readFrom := c.(io.ReaderFrom)
	_, writeTo := c.(io.WriterTo)
	_, raw := c.(syscall.Conn)
	_, linger := c.(interface{ SetLinger(int) error })
	_, noDelay := c.(interface{ SetNoDelay(bool) error })
	_, file := c.(interface{ File() (*os.File, error) })
	_, under := c.(interface{ NetConn() net.Conn })
	return map[string]bool{
		"CloseWrite": closeWrite, "CloseRead": closeRead, "ReadFrom": readFrom, "WriteTo": writeTo,
		"SyscallConn": raw, "SetLinger": linger, "SetNoDelay": noDelay, "File": file, "NetConn": under,
	}
}

type halfOnly struct{ net.Conn }

func (halfOnly) CloseWrite() error { return nil }

type tlsLike struct{ halfOnly }

func (c tlsLike) NetConn() net.Conn { return c.Conn }

type tcpLike struct{ halfOnly }

func (tcpLike) CloseRead() error    { return nil }
func (tcpLike) SetLinger(int) error { return nil }

func TestWrapperOffersWhatTheConnectionDoes(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	socket, _ := tcp(t, new(faultconn.Injector))
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	unix, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	var inj faultconn.Injector
	for name, c := range map[string]net.Conn{
		"pipe": a, "tcp": socket, "unix": unix,
		"half": halfOnly{a}, "tls": tlsLike{halfOnly{a}}, "tcp in memory": tcpLike{halfOnly{a}}, "layer": layer{a},
	} {
		want := offers(c)
		for method, got := range offers(inj.Conn("db", c)) {
			if got != want[method] {
				t.Errorf("%s: wrapper has %s: %v, wrapped: %v", name, method, got, want[method])
			}
		}
	}
}

// Half-closing works through wrappers, with and without a plan, and the FIN is
// subject to it.
func TestHalfClose(t *testing.T) {
	for name, plan := range map[string]faultconn.Plan{
		"no plan":   {},
		"a plan":    one(fault.Delay{For: 1}),
		"elsewhere": {Rules: []faultconn.Rule{{Select: faultconn.Select{Point: "other"}, Fault: fault.Hang{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			var inj faultconn.Injector
			must(t, &inj, plan)
			client, server := tcp(t, &inj)
			done := make(chan []byte)
			go func() {
				got, _ := io.ReadAll(server)
				server.Write([]byte("reply"))
				server.Close()
				done <- got
			}()
			client.Write([]byte("request"))
			if err := client.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			reply, err := io.ReadAll(client)
			if got := <-done; string(got) != "request" || string(reply) != "reply" || err != nil {
				t.Errorf("server got %q, client got %q, %v", got, reply, err)
			}
		})
	}
}

// io.Copy between wrapped sockets moves every byte, whatever plan comes and
// goes meanwhile.
func TestCopyThroughPlanChanges(t *testing.T) {
	var inj faultconn.Injector
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // a mebibyte
	from, source := tcp(t, &inj)
	to, sink := tcp(t, &inj)
	go func() {
		for i := 0; i < len(sent); i += 1 << 18 {
			source.Write(sent[i : i+1<<18])
			if i%(1<<19) == 0 {
				inj.SetPlan(one(fault.Delay{For: 1}))
			} else {
				inj.SetPlan(faultconn.Plan{})
			}
		}
		source.Close()
	}()
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(sink)
		got <- b
	}()
	n, err := io.Copy(to, from)
	to.Close()
	if b := <-got; n != int64(len(sent)) || err != nil || !bytes.Equal(b, sent) {
		t.Errorf("copied %d of %d bytes, %v; %d arrived", n, len(sent), err, len(b))
	}
}

func TestReadFromFileAndLimit(t *testing.T) {
	var inj faultconn.Injector
	client, server := tcp(t, &inj)
	name := filepath.Join(t.TempDir(), "f")
	sent := bytes.Repeat([]byte("x"), 3*(256<<10)+17)
	if err := os.WriteFile(name, sent, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(server)
		got <- b
	}()
	limited := &io.LimitedReader{R: f, N: 300 << 10}
	n, err := client.(io.ReaderFrom).ReadFrom(limited)
	if n != 300<<10 || err != nil || limited.N != 0 {
		t.Errorf("limited: %d, %v, %d left", n, err, limited.N)
	}
	rest, err := io.Copy(client, f)
	client.Close()
	if b := <-got; n+rest != int64(len(sent)) || err != nil || !bytes.Equal(b, sent) {
		t.Errorf("sent %d and %d of %d, %v; %d arrived", n, rest, len(sent), err, len(b))
	}
}

// Without a plan, all methods of a socket reach it.
func TestSocketMethods(t *testing.T) {
	client, _ := tcp(t, new(faultconn.Injector))
	s := client.(interface {
		SetNoDelay(bool) error
		SetKeepAlive(bool) error
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
		SyscallConn() (syscall.RawConn, error)
		CloseRead() error
	})
	raw, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		s.SetNoDelay(true), s.SetKeepAlive(true), s.SetReadBuffer(4096), s.SetWriteBuffer(4096),
		raw.Control(func(uintptr) {}), s.CloseRead(),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}
