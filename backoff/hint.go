package backoff

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Hint is what a response asks of the client that receives it.
type Hint struct {
	// Refused is how long to send nothing at all to the service: it said 503
	// Service Unavailable or 429 Too Many Requests, with a header that says
	// until when. 0 if it did not.
	Refused time.Duration

	// Ease is how long to keep back requests that can wait, such as the next
	// poll: the response was served, with a header that asks for a pause. 0 if
	// there was none.
	Ease time.Duration
}

// hintHeaders are the headers that are read, each as any of them may be
// written: some services confuse them.
var hintHeaders = [...]string{RetryAfter, SyncPoll, SyncPollTime, WeaveBackoff, XBackoff, Backoff}

// ReadHint returns the longest wait that a response asks for in Retry-After,
// X-Sync-Poll, X-Sync-Poll-Time, X-Weave-Backoff, X-Backoff or Backoff, or in a
// RateLimit that says nothing is left.
//
// A header is a number of seconds, which may have a fraction, or a date in any
// of HTTP's three forms, which counts from the response's own Date, so that
// the client's clock need not be right, and from received if there is none. A
// header that is neither, or that is negative or past, is ignored; no wait is
// longer than [MaxInterval]. A response that comes from a cache (Age above 0)
// hints at nothing: what it says was said to somebody else.
func ReadHint(r *http.Response, received time.Time) Hint {
	if age, err := strconv.Atoi(strings.TrimSpace(r.Header.Get("Age"))); err == nil && age > 0 {
		return Hint{}
	}
	if date, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		received = date
	}
	var longest time.Duration
	for _, name := range hintHeaders {
		for _, text := range r.Header[name] {
			longest = max(longest, parseWait(text, received))
		}
	}
	if longest == 0 { // Retry-After must take precedence, by the draft
		longest = rateLimit(r.Header)
	}
	if r.StatusCode == http.StatusServiceUnavailable || r.StatusCode == http.StatusTooManyRequests {
		return Hint{Refused: longest}
	}
	return Hint{Ease: longest}
}

// parseWait reads one header; 0 if it says nothing.
func parseWait(text string, from time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if f, err := strconv.ParseFloat(text, 64); err == nil || f != 0 { // out of range is infinite
		if strings.ContainsAny(text, "xXpP_nN") {
			return 0 // Go's own notations, which no server means
		}
		return waitSeconds(f)
	}
	if date, err := http.ParseTime(text); err == nil {
		return min(max(date.Sub(from), 0), MaxInterval)
	}
	return 0
}

// waitSeconds rounds up to whole seconds and bounds what a server may say.
func waitSeconds(f float64) time.Duration {
	if !(f > 0) {
		return 0
	}
	return time.Duration(min(math.Ceil(f), MaxInterval.Seconds())) * time.Second
}

// rateLimit reads how long until a quota that is used up is filled again, from
// the two forms that drafts of the RateLimit header have had:
//
//	RateLimit: "default";r=0;t=30
//	RateLimit: limit=100, remaining=0, reset=30
//
// Of several quotas the longest wait counts.
func rateLimit(h http.Header) time.Duration {
	var longest time.Duration
	for _, line := range h["Ratelimit"] {
		if strings.Contains(line, "remaining=") {
			longest = max(longest, quota(strings.ReplaceAll(line, ",", ";"), "remaining", "reset"))
			continue
		}
		for policy := range strings.SplitSeq(line, ",") {
			longest = max(longest, quota(policy, "r", "t"))
		}
	}
	return longest
}

func quota(policy, remaining, reset string) time.Duration {
	used, wait := false, 0.0
	for parameter := range strings.SplitSeq(policy, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		n, err := strconv.ParseUint(value, 10, 32)
		switch {
		case err != nil:
		case name == remaining:
			used = n == 0
		case name == reset:
			wait = float64(n)
		}
	}
	if !used {
		return 0
	}
	return waitSeconds(wait)
}
