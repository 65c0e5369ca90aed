package timeout_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// script is a handler that does what its bytes say, one step each, in any order at all.
type script struct {
	steps    []byte
	file     string
	hijacked atomic.Bool
	failed   atomic.Bool // it panicked
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	for i, step := range s.steps {
		switch step % 16 {
		case 0:
			io.WriteString(w, "some text\n")
		case 1:
			w.Write(make([]byte, 100<<10))
		case 2:
			w.WriteHeader(http.StatusOK)
		case 3:
			w.WriteHeader(http.StatusNotFound)
		case 4:
			w.WriteHeader(http.StatusEarlyHints)
		case 5:
			w.WriteHeader(http.StatusNoContent)
		case 6:
			rc.Flush()
		case 7:
			w.Header().Set(fmt.Sprintf("X-Step-%d", i), "done")
		case 8:
			w.Header().Set(http.TrailerPrefix+"X-Trailer", "end")
		case 9:
			f, err := os.Open(s.file)
			if err != nil {
				panic(err)
			}
			io.Copy(w, f)
			f.Close()
		case 10:
			time.Sleep(30 * time.Millisecond)
		case 11:
			time.Sleep(total / 2) // the second or third time, the deadline passes
		case 12:
			r.Body.Read(make([]byte, 16))
		case 13:
			rc.SetWriteDeadline(time.Now().Add(time.Hour))
		case 14:
			if s.hijacked.Load() {
				continue
			}
			conn, buf, err := rc.Hijack()
			if err != nil {
				continue
			}
			s.hijacked.Store(true)
			buf.WriteString("HTTP/1.1 299 Hijacked\r\nContent-Length: 0\r\n\r\n")
			buf.Flush()
			conn.Close()
		case 15:
			s.failed.Store(true)
			panic(http.ErrAbortHandler)
		}
	}
}

// FuzzOrder demands that no order of what a handler does and the deadline gives anything
// but one whole response, or one that its reader can tell is cut off.
func FuzzOrder(f *testing.F) {
	for _, seed := range []string{
		"", "\x00", "\x02\x00\x06", "\x0b\x0b\x00", "\x04\x0b\x0b\x00", "\x00\x06\x0b\x0b\x00", "\x01\x06\x0a\x01\x0b\x0b\x01",
		"\x0e", "\x0b\x0b\x0e", "\x06\x0e", "\x0c\x0b\x0b\x0c", "\x09\x06\x0b\x0b\x09", "\x0f", "\x00\x0f", "\x06\x0f",
		"\x07\x04\x07\x0b\x0b\x0b\x07", "\x00\x08", "\x05\x00\x06", "\x0d\x00\x0b\x0b\x00", "\x0b\x0b\x0f", "\x04\x04\x05\x0b\x0b\x0b",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, steps []byte, stream bool) {
		if len(steps) > 24 {
			t.Skip("long scripts find nothing that short ones do not")
		}
		c := timeout.Config{Total: total}
		if stream {
			c.Stream, c.WriteIdle = 3*total, 20*time.Millisecond
		}
		on(t, 1, func(s *site, serve func(http.Handler)) {
			h := &script{steps: steps, file: file(s.T)}
			l := limiter(s.T, c)
			serve(l.Handler(h))
			conn := s.dial()
			defer conn.Close()
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: site\r\nContent-Length: 8\r\n\r\nhalf") // and no more
			conn.SetReadDeadline(time.Now().Add(time.Minute))
			raw, err := io.ReadAll(conn)
			synctest.Wait()
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && len(raw) > 0 && !h.failed.Load() && l.Stats().Aborted == 0 {
				t.Errorf("reading: %v", err)
			}
			checkWire(t, raw, h, l)
		})
		on(t, 2, func(s *site, serve func(http.Handler)) {
			h := &script{steps: steps, file: file(s.T)}
			l := limiter(s.T, c)
			serve(l.Handler(h))
			res, err := s.client.Post("http://site/", "text/plain", strings.NewReader("whole"))
			synctest.Wait()
			cut := h.failed.Load() || l.Stats().Aborted > 0
			if err != nil {
				if !cut {
					t.Errorf("HTTP/2: %v", err)
				}
				return
			}
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			synctest.Wait()
			cut = h.failed.Load() || l.Stats().Aborted > 0
			if cut = cut && res.StatusCode != 503; (err != nil) != cut {
				t.Errorf("HTTP/2: %v; cut off: %v", err, cut)
			}
		})
	})
}

func file(t *testing.T) string {
	path := t.TempDir() + "/file"
	if err := os.WriteFile(path, make([]byte, 70<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkWire reads what came over the wire as strictly as there is code to.
func checkWire(t *testing.T, raw []byte, h *script, l *timeout.Limiter) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf(format+"\n%+v\non the wire:\n%.500q", append(args, l.Stats(), raw)...)
	}
	cut := h.failed.Load() || l.Stats().Aborted > 0
	r := bufio.NewReader(bytes.NewReader(raw))
	for {
		res, err := http.ReadResponse(r, &http.Request{Method: "POST"})
		if err != nil {
			if !cut {
				fail("no response: %v", err)
			}
			return
		}
		if res.StatusCode < 200 {
			continue
		}
		_, err = io.Copy(io.Discard, res.Body)
		switch {
		case res.StatusCode == http.StatusServiceUnavailable:
			if err != nil || res.Header.Get("Retry-After") == "" || l.Stats().Timeouts != 1 {
				fail("a bad 503: %v, %+v", err, l.Stats())
			}
		case h.hijacked.Load() && r.Buffered() > 0:
			return // the handler's own business
		case err == nil && cut && l.Stats().Aborted > 0 && res.ContentLength < 0 && res.TransferEncoding == nil:
			fail("a response that was cut off looks complete")
		case err != nil && !cut && !h.hijacked.Load():
			fail("body: %v", err)
		}
		if rest, _ := io.ReadAll(r); len(rest) > 0 {
			fail("%d bytes after the response", len(rest))
		}
		return
	}
}
