package faultconn_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// counted is a connection that tells how much has been read of it and whether
// somebody is reading.
type counted struct {
	net.Conn
	bytes, readers atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	c.readers.Add(1)
	defer c.readers.Add(-1)
	n, err := c.Conn.Read(b)
	c.bytes.Add(int64(n))
	return n, err
}

// endless sends until the connection ends.
func endless(c net.Conn) {
	b := make([]byte, 64<<10)
	for {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// What is read ahead is bounded, however often a reader asks and gives up.
func TestReadingAheadIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: time.Hour}))
		a, server := memnet.Pipe()
		wire := &counted{Conn: a}
		client := inj.Conn("db", wire)
		defer server.Close()
		defer client.Close()
		var sent atomic.Int64
		go func() {
			// Slower than polls come, so that each finds a reader ahead at work.
			for b := make([]byte, 16<<10); ; time.Sleep(10 * ms) {
				if _, err := server.Write(b); err != nil {
					return
				}
				sent.Add(int64(len(b)))
			}
		}()
		b := make([]byte, 64<<10)
		for range 2000 {
			client.SetReadDeadline(time.Now().Add(7 * ms))
			if _, err := client.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if n := wire.bytes.Load(); n > 1<<20 {
			t.Errorf("%d bytes have been read ahead of a reader that gives up", n)
		}
	})
}

// Nothing reads ahead of a connection that has ended, though it may still bring
// data: the wrapped one is not closed before its user does that.
func TestReadingAheadEndsWithTheConnection(t *testing.T) {
	for name, end := range map[string]func(inj *faultconn.Injector, c net.Conn){
		"by a fault": func(inj *faultconn.Injector, c net.Conn) {
			must(t, inj, rules(faultconn.Rule{Name: "end", Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpClock}}, Fault: fault.Close{}}))
		},
		"into a black hole": func(inj *faultconn.Injector, c net.Conn) {
			update(t, inj, rules(one(fault.Delay{For: time.Hour}).Rules[0], faultconn.Rule{Name: "hole", Fault: fault.BlackHole{}}))
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inj faultconn.Injector
				must(t, &inj, one(fault.Delay{For: time.Hour}))
				a, server := net.Pipe()
				wire := &counted{Conn: deafToEnds{a}}
				client := inj.Conn("db", wire)
				go endless(server)
				client.SetReadDeadline(time.Now().Add(time.Second))
				client.Read(make([]byte, 9))
				end(&inj, client)
				synctest.Wait()
				before := wire.bytes.Load()
				time.Sleep(time.Second)
				if n := wire.bytes.Load(); n > before || n > 1<<20 {
					t.Errorf("%d bytes have been read ahead, %d of them after the end", n, n-before)
				}
				must(t, &inj, faultconn.Plan{})
				client.Close()
				server.Close()
			})
		})
	}
}

// deafToEnds goes on bringing data whatever half of it is closed.
type deafToEnds struct{ net.Conn }

func (deafToEnds) CloseWrite() error               { return nil }
func (deafToEnds) CloseRead() error                { return nil }
func (deafToEnds) SetLinger(int) error             { return nil }
func (deafToEnds) SetDeadline(time.Time) error     { return nil }
func (deafToEnds) SetReadDeadline(time.Time) error { return nil }

// Once no rule makes data late, the next data end the reading ahead, and a
// connection that nobody reads is left alone again.
func TestReadingAheadEndsWithTheRule(t *testing.T) {
	for name, p := range map[string]faultconn.Plan{"no plan": {}, "a plan for others": rules(bystander(1))} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inj faultconn.Injector
				must(t, &inj, one(fault.Delay{For: time.Second}))
				a, server := memnet.Pipe()
				wire := &counted{Conn: a}
				client := inj.Conn("db", wire)
				defer server.Close()
				defer client.Close()
				for i := range 5 {
					if i == 1 {
						must(t, &inj, p)
					}
					server.Write([]byte{byte(i)})
					b := make([]byte, 1)
					if _, err := client.Read(b); err != nil || b[0] != byte(i) {
						t.Fatal(i, b, err)
					}
				}
				synctest.Wait()
				if n := wire.readers.Load(); n != 0 {
					t.Errorf("%d are reading the wrapped connection, want nobody", n)
				}
			})
		})
	}
}

// scripted lets a test say what each Read of the wrapped connection returns.
type scripted struct {
	net.Conn
	read        func(b []byte) (int, error)
	setDeadline func(time.Time)
}

func (s *scripted) Read(b []byte) (int, error) { return s.read(b) }
func (s *scripted) Close() error               { return nil }
func (s *scripted) SetReadDeadline(t time.Time) error {
	s.setDeadline(t)
	return nil
}

// A deadline that is taken back just as the wrapped connection is read again is
// nobody's error: the wrapper knows that it is gone, the wrapped one not yet.
func TestDeadlineTakenBackWhileReadingAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: time.Second}))
		var reads atomic.Int32
		second, later := make(chan struct{}), make(chan struct{})
		a, b := memnet.Pipe()
		defer b.Close()
		defer a.Close()
		wire := &scripted{
			Conn: a,
			read: func(b []byte) (int, error) {
				switch n := reads.Add(1); n {
				case 1, 2:
					if n == 2 {
						<-second
					}
					b[0] = byte(n)
					return 1, nil
				case 3:
					return 0, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
				case 4:
					<-later
					b[0] = byte(3)
					return 1, nil
				}
				return 0, io.EOF
			},
			setDeadline: func(at time.Time) {
				if at.IsZero() {
					close(second)
					synctest.Wait() // the third Read has met the deadline there was
				}
			},
		}
		client := inj.Conn("db", wire)
		defer client.Close()
		got := make([]byte, 1)
		client.SetReadDeadline(time.Now().Add(100 * ms))
		if _, err := client.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		client.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(10 * time.Second)
			close(later)
		}()
		for want := byte(1); want <= 3; want++ {
			if _, err := client.Read(got); err != nil || got[0] != want {
				t.Fatalf("%d, %v, want %d", got[0], err, want)
			}
		}
	})
}

// A Read of no bytes asks for nothing, and so waits for nothing.
func TestReadOfNothing(t *testing.T) {
	for _, f := range []faultconn.Fault{fault.Delay{For: time.Minute}, fault.Hang{}, fault.Slice{}} {
		synctest.Test(t, func(t *testing.T) {
			inj := faultconn.Injector{}
			log := record(&inj)
			must(t, &inj, rules(faultconn.Rule{Name: "r", Fault: f, Scope: faultconn.PerOperation}))
			client, server := pipe(t, &inj)
			server.Write([]byte("hello"))
			check := func(what string) {
				t.Helper()
				start := time.Now()
				if n, err := client.Read(nil); n != 0 || err != nil || time.Since(start) != 0 {
					t.Errorf("%s, %s: %d, %v after %v", f.Kind(), what, n, err, time.Since(start))
				}
			}
			check("first")
			if n := len(log()); n != 0 {
				t.Errorf("%s: %d events", f.Kind(), n)
			}
			client.SetReadDeadline(time.Now().Add(time.Second))
			client.Read(make([]byte, 1))
			client.SetReadDeadline(time.Time{})
			check("while data are held or kept")
			if n, err := client.Write(nil); n != 0 || err != nil {
				t.Errorf("%s: a Write of nothing: %d, %v", f.Kind(), n, err)
			}
			must(t, &inj, one(fault.Delay{For: time.Second}))
			if _, err := io.ReadFull(client, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			check("while nothing comes")
		})
	}
}

// The end of a stream is late once, whoever asks for it again.
func TestEndIsLateOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: time.Second}))
		client, server := pipe(t, &inj)
		server.Close()
		start := time.Now()
		for range 3 {
			if _, err := client.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != time.Second {
				t.Errorf("%v after %v, want EOF after 1s", err, time.Since(start))
			}
		}
	})
}

// What a Read of the wrapped connection returns beside data is not lost.
func TestErrorBesideData(t *testing.T) {
	failure := errors.New("broken")
	for _, plan := range []faultconn.Plan{one(fault.Delay{For: time.Second}), one(fault.Slice{}), rules(faultconn.Rule{Name: "other", Select: dials, Fault: fault.Hang{}}), rules(bystander(1))} {
		t.Run(fmt.Sprint(plan), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inj faultconn.Injector
				must(t, &inj, plan)
				done := false
				client := inj.Conn("db", &scripted{Conn: null{}, read: func(b []byte) (int, error) {
					if done {
						return 0, io.EOF
					}
					done = true
					return copy(b, "hello"), failure
				}})
				defer client.Close()
				got, err := io.ReadAll(client)
				if string(got) != "hello" || !errors.Is(err, failure) {
					t.Errorf("%q, %v, want hello and the failure", got, err)
				}
			})
		})
	}
}
