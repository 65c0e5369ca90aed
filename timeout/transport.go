package timeout

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Transport returns a RoundTripper that sends requests with next, http.DefaultTransport
// if nil, as calls to the backend. A call must have response headers within
// BackendConfig.Call, connecting included; after that the body may not be silent for
// longer than BackendConfig.Idle. The budget of the request's context holds to the end of
// the body. The slot is taken until the body is closed or read to its end, so the body
// must be closed, as always.
//
// A limit that is met gives an [*Error], inside the *url.Error of http.Client. The
// breaker is told of errors, not of status codes, when the body has ended. The body of a
// 101 response stays an io.ReadWriteCloser with CloseWrite and has no limits; that one is a
// success from its beginning.
//
// next must honour the context of its requests, as http.Transport does.
func (b *Backend) Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return &transport{b, next}
}

type transport struct {
	b    *Backend
	next http.RoundTripper
}

// CloseIdleConnections serves the method of http.Client of that name.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c, err := t.b.admit(r.Context())
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	x := &exchange{call: c, cancel: cancel}
	x.timer = time.AfterFunc(c.limit, func() { x.expire(ReasonDeadline, c.limit) })
	out := r.WithContext(ctx)
	if margin := t.b.config.Margin; margin > 0 {
		out.Header = out.Header.Clone()
		if out.Header == nil {
			out.Header = make(http.Header)
		}
		out.Header.Set(BudgetHeader, strconv.FormatInt(max((c.limit-margin).Milliseconds(), 1), 10))
	}
	returned := false
	defer func() {
		if !returned {
			x.end(errPanicked)
		}
	}()
	resp, err := t.next.RoundTrip(out)
	returned = true
	x.timer.Stop()
	if err != nil {
		return nil, x.end(err)
	}
	idle := t.b.config.Idle
	if idle == 0 {
		idle = t.b.config.Call
	}
	if resp.Body == nil || resp.Body == http.NoBody {
		x.end(nil)
		return resp, nil
	}
	switch body := resp.Body.(type) {
	case io.ReadWriteCloser:
		x.outcome(nil)
		resp.Body = &upgraded{body, x}
	default:
		resp.Body = &responseBody{body, x, idle}
	}
	return resp, nil
}

// An exchange is a call whose end is the end of a response body.
type exchange struct {
	*call
	cancel context.CancelCauseFunc // of the request
	timer  *time.Timer
	met    atomic.Pointer[Error]
	told   sync.Once
	ended  sync.Once
	err    error // the outcome of the call, once it is known
}

// expire ends the request because a limit was met.
func (x *exchange) expire(reason Reason, limit time.Duration) {
	e := x.b.fail(reason, limit, time.Since(x.start), nil)
	x.met.Store(e)
	x.cancel(e)
}

// end ends the call with the outcome err, and returns what its caller sees.
func (x *exchange) end(err error) error {
	x.ended.Do(func() {
		defer x.release()
		x.outcome(err)
		x.cancel(nil)
	})
	return x.err
}

// outcome settles the call, which may go on.
func (x *exchange) outcome(err error) {
	x.told.Do(func() {
		x.timer.Stop()
		if e := x.met.Load(); e != nil && err != nil {
			err = x.b.meet(e)
		}
		x.err = x.settle(err)
	})
}

type responseBody struct {
	io.ReadCloser
	x    *exchange
	idle time.Duration
}

func (b *responseBody) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.idle, func() { b.x.expire(ReasonIdle, b.idle) })
	n, err := b.ReadCloser.Read(p)
	timer.Stop()
	switch {
	case err == io.EOF:
		b.x.end(nil)
	case err != nil:
		if limit := b.x.end(err); limit != nil {
			err = limit
		}
	}
	return n, err
}

func (b *responseBody) Close() error {
	err := b.ReadCloser.Close()
	b.x.end(nil)
	return err
}

// upgraded is the body of a 101 response: a connection.
type upgraded struct {
	io.ReadWriteCloser
	x *exchange
}

// CloseWrite is there because that of net/http's own body is.
func (u *upgraded) CloseWrite() error {
	if half, ok := u.ReadWriteCloser.(closeWriter); ok {
		return half.CloseWrite()
	}
	return fmt.Errorf("timeout: CloseWrite: %w", http.ErrNotSupported)
}

func (u *upgraded) Close() error {
	err := u.ReadWriteCloser.Close()
	u.x.end(nil)
	return err
}
