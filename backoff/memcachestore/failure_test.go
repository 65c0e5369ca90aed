package memcachestore_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/memcachestore"
	"github.com/brownout-go/brownout/internal/testserver"
)

// silent dials connections whose other side reads and never answers.
func silent(t *testing.T) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far)
		t.Cleanup(func() { far.Close() })
		return near, nil
	}
}

// blackHole dials like a network that drops everything.
func blackHole(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
}

func TestCallsEndInTime(t *testing.T) {
	for name, dial := range map[string]func(*testing.T) func(context.Context, string, string) (net.Conn, error){
		"silent":     silent,
		"black hole": func(*testing.T) func(context.Context, string, string) (net.Conn, error) { return blackHole },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, memcachestore.Config{Timeout: time.Second, DialContext: dial(t)})
				check := func(ctx context.Context, want time.Duration, is error) {
					t.Helper()
					before := time.Now()
					_, err := s.Get(ctx)
					if took := time.Since(before); took != want || !errors.Is(err, is) {
						t.Errorf("took %v, want %v: %v", took, want, err)
					}
				}
				check(t.Context(), time.Second, os.ErrDeadlineExceeded)

				short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				check(short, 10*time.Millisecond, context.DeadlineExceeded)

				canceled, cancel := context.WithCancel(t.Context())
				time.AfterFunc(20*time.Millisecond, cancel)
				check(canceled, 20*time.Millisecond, context.Canceled)

				// A caller that waits for its turn gives up too.
				go s.Get(t.Context())
				synctest.Wait()
				short, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				check(short, 10*time.Millisecond, context.DeadlineExceeded)
			})
		})
	}
}

func TestOneThatHangsDelaysTheOthersByItsTimeoutOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, memcachestore.Config{Addr: "a:1,b:1,c:1", Timeout: time.Second, DialContext: blackHole})
		before := time.Now()
		if _, err := s.Get(t.Context()); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(before); took != time.Second {
			t.Errorf("three that hang took %v", took)
		}
	})
}

func TestNamesAreLeftToTheDialer(t *testing.T) {
	var network, addr string
	s := open(t, memcachestore.Config{Addr: "cache.internal:11211", DialContext: func(_ context.Context, n, a string) (net.Conn, error) {
		network, addr = n, a
		return nil, syscall.ECONNREFUSED
	}})
	if _, err := s.Get(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v", err)
	}
	if network != "tcp" || addr != "cache.internal:11211" {
		t.Errorf("dialed %s %s", network, addr)
	}
}

func TestARestartedMemcachedIsFoundAtOnce(t *testing.T) {
	m := testserver.Memcached(t)
	s := open(t, memcachestore.Config{Addr: m.Addr})
	v := backoff.Value{Interval: 20 * time.Second}
	if err := s.Set(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	m.Kill()
	if _, err := s.Get(t.Context()); err == nil || errors.Is(err, backoff.ErrNotSet) {
		t.Errorf("Get of a memcached that is gone: %v", err)
	}
	m.Start()
	if err := s.Set(t.Context(), v); err != nil {
		t.Errorf("first call after the restart: %v", err)
	}
	m.Kill()
	m.Start() // while the store holds a connection to the old one
	if _, err := s.Get(t.Context()); !errors.Is(err, backoff.ErrNotSet) {
		t.Errorf("first call over the dead connection: %v, want a miss", err)
	}
}

func TestAFrozenMemcachedEndsAtTheTimeoutAndRecovers(t *testing.T) {
	m := testserver.Memcached(t)
	s := open(t, memcachestore.Config{Addr: m.Addr})
	v := backoff.Value{Interval: 20 * time.Second}
	if err := s.Set(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	m.Freeze()
	frozen := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := s.Get(ctx)
		return err
	}
	err := frozen()
	for err == nil { // a process stops some time after it was told to
		err = frozen()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("frozen: %v", err)
	}
	m.Thaw()
	if got, err := s.Get(t.Context()); err != nil || got != v {
		t.Errorf("thawed: %v, %v", got, err)
	}
}

func TestGarbageIsAnErrorAndNotAMiss(t *testing.T) {
	for _, garbage := range []string{
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"VALUE " + memcachestore.DefaultKey + " 2 99999999999999\r\n20\r\nEND\r\n", // nobody has the memory for it
	} {
		s := open(t, memcachestore.Config{Timeout: time.Second, DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				far.Read(make([]byte, 1024))
				io.WriteString(far, garbage)
			}()
			return near, nil
		}})
		if v, err := s.Get(t.Context()); err == nil || errors.Is(err, backoff.ErrNotSet) || errors.Is(err, backoff.ErrCorrupt) {
			t.Errorf("%q: got %v, %v", garbage, v, err)
		}
	}
}

func TestClosed(t *testing.T) {
	s := open(t, memcachestore.Config{DialContext: blackHole})
	s.Close()
	if _, err := s.Get(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Get: %v", err)
	}
	if err := s.Set(t.Context(), backoff.Value{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Set: %v", err)
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	for want, c := range map[string]memcachestore.Config{
		`memcachestore: Config.Addr has "localhost": want host:port, the path of a Unix socket, or several separated by commas`: {Addr: "localhost"},
		`memcachestore: Config.Addr has "": want host:port, the path of a Unix socket, or several separated by commas`:          {Addr: "a:1,"},
		`memcachestore: Config.Key "a b" has a space or control character, which memcached does not take`:                       {Key: "a b"},
		`memcachestore: Config.Status without a Key: want "status:" and a host name`:                                            {Status: true},
		`memcachestore: Config.Timeout is -1ns: it must not be negative`:                                                        {Timeout: -1},
	} {
		if _, err := memcachestore.New(c); err == nil || err.Error() != want {
			t.Errorf("error %v\nwant  %s", err, want)
		}
	}
}

func TestDelSaysOnceWhatFailed(t *testing.T) {
	dials := 0
	s, err := memcachestore.New(memcachestore.Config{DialContext: func(context.Context, string, string) (net.Conn, error) {
		dials++
		return nil, syscall.ECONNREFUSED
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Del(t.Context())
	if want := "memcachestore: del at 127.0.0.1:11211: connection refused"; err == nil || err.Error() != want || dials != 1 {
		t.Errorf("got %v after %d dials, want %s after one", err, dials, want)
	}
}
