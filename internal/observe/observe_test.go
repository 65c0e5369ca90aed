package observe

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/internal/observe/observetest"
)

func TestName(t *testing.T) {
	for _, c := range []struct {
		in   []string
		want string
	}{
		{[]string{"faultconn", "memcached", "delay"}, "faultconn.memcached.delay"},
		{[]string{"a.b", "c:1|c", "d@e f/g"}, "a_b.c_1_c.d_e_f_g"},
		{[]string{"x", ""}, "x.unnamed"},
		{[]string{"é\n"}, "___"},
		{[]string{strings.Repeat("r", 300)}, strings.Repeat("r", 64)},
	} {
		if got := Name(c.in...); got != c.want {
			t.Errorf("Name(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestStatsSend(t *testing.T) {
	client, sent := observetest.Statsd(t)
	s := Stats{Sender: client}
	s.Count("n", 2)
	s.Gauge("g", 7)
	s.Timing("t", 1500*time.Millisecond)
	got := sent()
	if want := []string{"n:2|c", "g:7|g", "t:1500|ms"}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestZeroStatsSendNothing(t *testing.T) {
	var s Stats
	s.Count("n", 1)
	s.Gauge("g", 1)
	s.Timing("t", time.Second)
}
