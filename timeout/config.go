package timeout

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Defaults of [Config].
const (
	// DefaultTotal is the budget of a request when Config.Total is zero.
	DefaultTotal = 5 * time.Second

	// DefaultRetryAfter is what a 503 asks clients to wait when nothing else says so.
	DefaultRetryAfter = 120 * time.Second

	minGrace = 5 * time.Millisecond
)

// A Config says how long requests may take and what the answer is when they take longer.
// The zero value is usable: five seconds, plain text, Retry-After: 120.
type Config struct {
	// Total is the time from the arrival of a request at the Limiter to the end of its
	// response, reading its body and writing the response included. Zero means
	// DefaultTotal.
	Total time.Duration

	// Grace is the last part of Total: the request's context ends this long before the
	// 503 is sent, so that a handler that obeys its context can give a better answer.
	// Zero means a twentieth of Total, at least 5 ms and at most half of Total. It must
	// be less than Total.
	Grace time.Duration

	// Budget returns the Total of one request, for routes that need another. Zero or less
	// means Total. Grace is then the same share of it. Nil means Total for all. Outside of a
	// mux the pattern of the request is not known yet, so decide by its path; and a second
	// Limiter inside can only shorten what this one allows.
	Budget func(r *http.Request) time.Duration

	// Trusted reports whether a request comes from a caller whose word on how long it
	// will wait is taken, in a header named [BudgetHeader]: the budget is then no longer
	// than that. Nil trusts nobody.
	Trusted func(r *http.Request) bool

	// Stream is how long a response may go on once it has begun, for handlers that
	// stream: events, large downloads. Total is then the time to its first byte, and the
	// context gets its new deadline with that byte. Zero means that the whole response
	// has to be complete within Total, negative that it may go on for ever; set WriteIdle
	// with it.
	Stream time.Duration

	// ReadIdle is the longest time that a client may send nothing of a body that the
	// handler is reading. The read then returns an [*Error], which Fail answers with 408.
	// Zero means no such limit; Total holds all the same.
	ReadIdle time.Duration

	// WriteIdle is the longest time that a client may take over the next 64 KiB of a
	// response, buffers on the way not counted. Zero means no such limit; Total or Stream
	// holds all the same.
	WriteIdle time.Duration

	// Slots is how many handlers may run at once, those that still run after their 503
	// included. Zero means any number. A request that gets no slot is answered 503 with
	// ReasonFull. A limit in front of the Limiter counts the same on HTTP/1; on HTTP/2 it
	// cannot know of handlers whose requests were answered.
	Slots int

	// Queue is how many more requests may wait for a slot, and QueueWait how long: zero
	// means a tenth of Total. The wait is part of the request's budget.
	Queue     int
	QueueWait time.Duration

	// Unavailable reports whether an error of a handler means that something behind the
	// service cannot do its work now, so that Fail answers 503 and not 500. It is asked
	// about errors that are neither limits nor failures of a connection (*net.OpError,
	// driver.ErrBadConn, ECONNRESET and its like), which are 503 anyway. Nil means that
	// no other error is.
	Unavailable func(error) bool

	// RetryAfter returns what to put in Retry-After; it is sent in whole seconds, rounded
	// up. Zero or less sends none. Nil means the RetryAfter of the error if it has one,
	// else DefaultRetryAfter. It is called while a client waits and must not block. Where an
	// operator can ask clients to stay away for longer, return no less than that.
	RetryAfter func(*Error) time.Duration

	// Respond writes the body of a 503 or 408, and may change its headers and its status.
	// The headers that are always sent are set already (Cache-Control, Retry-After,
	// X-Content-Type-Options, Connection where it applies). What it writes is sent in one
	// piece, with its Content-Length, when it returns; Flush and Hijack are not
	// available. It is called while a client waits and must not block, and possibly while
	// the handler of the request still runs: it must not write to r, nor read of r what
	// the handler may write. err.Incident is the id in the event. Nil means plain text
	// that reveals nothing about backends; [Problem] is another.
	Respond func(w http.ResponseWriter, r *http.Request, err *Error)

	// OnEvent is told about every request that met a limit. It is called synchronously,
	// possibly from several goroutines, and must not block. A panic in it is a line in the
	// standard log. Nil means silent.
	OnEvent func(Event)
}

// A Limiter holds requests to a time budget. Make one with [New].
type Limiter struct {
	config Config    // defaults filled in
	slots  *bulkhead // nil without Slots
	cause  *Error    // of contexts of requests with the usual Total; immutable

	inFlight  gauge
	abandoned atomic.Int64
	timeouts  atomic.Uint64
	refused   atomic.Uint64
	aborted   atomic.Uint64
	gone      atomic.Uint64
}

// New returns a Limiter, or an error that says which field of the config is wrong.
func New(c Config) (*Limiter, error) {
	if c.Total < 0 {
		return nil, fmt.Errorf("timeout: Config.Total is %v; it must not be negative (0 means %v)", c.Total, DefaultTotal)
	}
	if c.Total == 0 {
		c.Total = DefaultTotal
	}
	if c.Grace < 0 || c.Grace >= c.Total {
		return nil, fmt.Errorf("timeout: Config.Grace is %v; it must be at least 0 and less than Total, %v", c.Grace, c.Total)
	}
	if c.Grace == 0 {
		c.Grace = min(max(c.Total/20, minGrace), c.Total/2)
	}
	if c.ReadIdle < 0 {
		return nil, fmt.Errorf("timeout: Config.ReadIdle is %v; it must not be negative (0 means no limit)", c.ReadIdle)
	}
	if c.WriteIdle < 0 {
		return nil, fmt.Errorf("timeout: Config.WriteIdle is %v; it must not be negative (0 means no limit)", c.WriteIdle)
	}
	if c.Slots < 0 || c.Queue < 0 || c.QueueWait < 0 {
		return nil, fmt.Errorf("timeout: Config.Slots is %d, Queue %d, QueueWait %v; they must not be negative", c.Slots, c.Queue, c.QueueWait)
	}
	if c.Queue > 0 && c.Slots == 0 {
		return nil, fmt.Errorf("timeout: Config.Queue is %d without Slots; there is nothing to wait for", c.Queue)
	}
	if c.QueueWait == 0 {
		c.QueueWait = c.Total / 10
	}
	l := &Limiter{config: c, cause: softCause(c.Total - c.Grace)}
	if c.Slots > 0 {
		l.slots = newBulkhead(c.Slots, c.Queue)
	}
	return l, nil
}

func softCause(soft time.Duration) *Error {
	return &Error{Reason: ReasonDeadline, Limit: soft, Elapsed: soft}
}

// total returns the budget of one request.
func (l *Limiter) total(r *http.Request) time.Duration {
	total := l.config.Total
	if l.config.Budget != nil {
		if t := l.config.Budget(r); t > 0 {
			total = t
		}
	}
	if l.config.Trusted != nil && r.Header.Get(BudgetHeader) != "" && l.config.Trusted(r) {
		if t, ok := parseBudget(r.Header.Get(BudgetHeader)); ok {
			total = min(total, t)
		}
	}
	return total
}

// grace returns the grace that goes with a total.
func (l *Limiter) grace(total time.Duration) time.Duration {
	if total == l.config.Total {
		return l.config.Grace
	}
	return time.Duration(float64(total) * (float64(l.config.Grace) / float64(l.config.Total)))
}
