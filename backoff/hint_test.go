package backoff_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

func TestReadHint(t *testing.T) {
	now := time.Date(2026, 11, 21, 3, 22, 0, 0, time.UTC)
	const s = time.Second
	refused := func(d time.Duration) backoff.Hint { return backoff.Hint{Refused: d} }
	eased := func(d time.Duration) backoff.Hint { return backoff.Hint{Ease: d} }
	for _, c := range []struct {
		name   string
		code   int
		header http.Header
		want   backoff.Hint
	}{
		{"nothing", 200, http.Header{}, eased(0)},
		{"X-Sync-Poll", 200, http.Header{"X-Sync-Poll": {"20"}}, eased(20 * s)},
		{"X-Sync-Poll-Time", 304, http.Header{"X-Sync-Poll-Time": {"20"}}, eased(20 * s)},
		{"X-Weave-Backoff", 401, http.Header{"X-Weave-Backoff": {"20"}}, eased(20 * s)},
		{"X-Backoff", 200, http.Header{"X-Backoff": {"20"}}, eased(20 * s)},
		{"Backoff", 200, http.Header{"Backoff": {"20"}}, eased(20 * s)},
		{"the longest of several", 200, http.Header{"X-Sync-Poll": {"20"}, "X-Backoff": {"30", "10"}}, eased(30 * s)},
		{"Retry-After on a 503", 503, http.Header{"Retry-After": {"20"}}, refused(20 * s)},
		{"Retry-After on a 429", 429, http.Header{"Retry-After": {"20"}}, refused(20 * s)},
		{"Retry-After on what was served", 200, http.Header{"Retry-After": {"20"}}, eased(20 * s)},
		{"another header on a 503", 503, http.Header{"X-Weave-Backoff": {"20"}}, refused(20 * s)},
		{"a 503 alone", 503, http.Header{}, refused(0)},

		{"a fraction", 200, http.Header{"X-Backoff": {"30.1"}}, eased(31 * s)},
		{"space", 200, http.Header{"X-Backoff": {" 30 "}}, eased(30 * s)},
		{"an exponent", 200, http.Header{"X-Backoff": {"1e3"}}, eased(1000 * s)},
		{"huge", 503, http.Header{"Retry-After": {"99999999999999999999999"}}, refused(48 * time.Hour)},
		{"more than a float", 503, http.Header{"Retry-After": {"1e999"}}, refused(48 * time.Hour)},
		{"zero", 503, http.Header{"Retry-After": {"0"}}, refused(0)},
		{"negative", 503, http.Header{"Retry-After": {"-5"}}, refused(0)},
		{"not a number", 503, http.Header{"Retry-After": {"NaN"}}, refused(0)},
		{"infinite", 503, http.Header{"Retry-After": {"Inf"}}, refused(0)},
		{"hexadecimal", 503, http.Header{"Retry-After": {"0x10"}}, refused(0)},
		{"underscores", 503, http.Header{"Retry-After": {"1_0"}}, refused(0)},
		{"a word", 503, http.Header{"Retry-After": {"soon"}}, refused(0)},
		{"empty", 503, http.Header{"Retry-After": {""}}, refused(0)},
		{"a unit", 503, http.Header{"Retry-After": {"20s"}}, refused(0)},
		{"nonsense beside sense", 503, http.Header{"Retry-After": {"soon"}, "X-Backoff": {"7"}}, refused(7 * s)},

		{"a date as it should be", 503, http.Header{"Retry-After": {"Sat, 21 Nov 2026 03:22:30 GMT"}}, refused(30 * s)},
		{"a date of RFC 850", 503, http.Header{"Retry-After": {"Saturday, 21-Nov-26 03:22:30 GMT"}}, refused(30 * s)},
		{"a date of asctime", 503, http.Header{"Retry-After": {"Sat Nov 21 03:22:30 2026"}}, refused(30 * s)},
		{"a past date", 503, http.Header{"Retry-After": {"Sat, 21 Nov 2026 03:21:30 GMT"}}, refused(0)},
		{"a date far away", 503, http.Header{"Retry-After": {"Sun, 21 Nov 2100 03:21:30 GMT"}}, refused(48 * time.Hour)},
		{"a date by the server's clock", 503, http.Header{
			"Date": {"Fri, 20 Nov 2026 00:00:00 GMT"}, "Retry-After": {"Fri, 20 Nov 2026 00:00:30 GMT"},
		}, refused(30 * s)},

		{"from a cache", 200, http.Header{"X-Sync-Poll": {"20"}, "Age": {"3"}}, eased(0)},
		{"from no cache", 200, http.Header{"X-Sync-Poll": {"20"}, "Age": {"0"}}, eased(20 * s)},

		{"a quota used up", 429, http.Header{"Ratelimit": {`"default";r=0;t=30`}}, refused(30 * s)},
		{"a quota not used up", 200, http.Header{"Ratelimit": {`"default";r=1;t=30`}}, eased(0)},
		{"one of two quotas", 200, http.Header{"Ratelimit": {`"burst";r=9;t=5, "day";r=0;t=3000`}}, eased(3000 * s)},
		{"an older draft's", 200, http.Header{"Ratelimit": {"limit=100, remaining=0, reset=30"}}, eased(30 * s)},
		{"Retry-After over the quota", 429, http.Header{"Retry-After": {"5"}, "Ratelimit": {`"default";r=0;t=30`}}, refused(5 * s)},
		{"nonsense as quota", 200, http.Header{"Ratelimit": {`"default";r;t=x`, ";;=,", "remaining=0"}}, eased(0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := backoff.ReadHint(&http.Response{StatusCode: c.code, Header: c.header}, now); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func FuzzReadHint(f *testing.F) {
	for _, s := range []string{"20", "Sat, 21 Nov 2026 03:22:30 GMT", "1e999", `"a";r=0;t=3`, "limit=1, remaining=0, reset=9", "-0"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, retryAfter, poll, quota string) {
		h := backoff.ReadHint(&http.Response{StatusCode: 503, Header: http.Header{
			"Retry-After": {retryAfter}, "X-Sync-Poll": {poll}, "Ratelimit": {quota}, "Date": {quota},
		}}, time.Unix(1e9, 0))
		if h.Refused < 0 || h.Refused > backoff.MaxInterval || h.Ease != 0 {
			t.Errorf("%q, %q, %q: %+v", retryAfter, poll, quota, h)
		}
	})
}
