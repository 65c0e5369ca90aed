package adaptive

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/timeout"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestACrowdIsSpreadOut(t *testing.T) {
	now := time.Unix(1e9, 0)
	c := controller(t, Config{Rate: 10, Min: time.Minute})
	if v := c.CurrentAt(now); !v.IsZero() {
		t.Errorf("the first client was told %v", v)
	}
	for i := 1; i <= 600; i++ {
		want := time.Minute + time.Duration(i)*100*time.Millisecond
		if v := c.CurrentAt(now); v.Interval != want {
			t.Fatalf("client %d was told %v, want %v", i, v.Interval, want)
		}
	}
	if s := c.StatusAt(now); s.Interval != 2*time.Minute || s.Rate != 10 {
		t.Errorf("status %+v", s)
	}
	if v := c.CurrentAt(now.Add(time.Hour)); !v.IsZero() {
		t.Errorf("a client long after the crowd was told %v", v)
	}
}

func TestAFleetTooLargeIsSpreadOverHalfOfMax(t *testing.T) {
	now := time.Unix(1e9, 0)
	c := controller(t, Config{Rate: 1, Max: time.Hour})
	for range 3600 {
		c.CurrentAt(now)
	}
	var sum time.Duration
	const n = 1000
	for range n {
		v := c.CurrentAt(now).Interval
		if v < 30*time.Minute || v > time.Hour {
			t.Fatalf("told %v", v)
		}
		sum += v
	}
	if m := sum / n; m < 44*time.Minute || m > 46*time.Minute {
		t.Errorf("told %v on average", m)
	}
}

// One request in thirty thousand years is a rate as well.
func TestASmallRateIsNoRateAtAll(t *testing.T) {
	now := time.Unix(1e9, 0)
	c := controller(t, Config{Rate: 1e-12, Max: time.Hour})
	c.CurrentAt(now)
	if v := c.CurrentAt(now).Interval; v < 30*time.Minute {
		t.Errorf("the second client was told %v", v)
	}
}

func TestStartSavesLearning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := controller(t, Config{Rate: 10, Min: time.Minute, Start: 10 * time.Minute})
		if v := c.Current(); v.Interval != 10*time.Minute+100*time.Millisecond {
			t.Errorf("the first client was told %v", v)
		}
		if s := c.Status(); s.Interval < 10*time.Minute {
			t.Errorf("status %+v", s)
		}
	})
}

// A broken signal must not send the fleet away.
func TestBrokenSignalsAreIgnored(t *testing.T) {
	for _, load := range []float64{math.NaN(), math.Inf(1), -1} {
		c := controller(t, Config{Load: func() float64 { return load }})
		for i := range 1000 {
			if v := c.CurrentAt(time.Unix(1e9, int64(i)*1e7)); !v.IsZero() {
				t.Fatalf("at a load of %v a client was told %v", load, v)
			}
		}
	}
}

// worker is a handler that takes its time.
func worker(d *time.Duration, code *int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(*d)
		w.WriteHeader(*code)
	})
}

// drive sends perSecond requests a second for d and returns how many were
// refused.
func drive(t *testing.T, c *Controller, h http.Handler, perSecond int, d time.Duration) (refused int) {
	t.Helper()
	mw, err := backoff.Policy{Current: c.Current, Seed: 1}.Middleware()
	if err != nil {
		t.Fatal(err)
	}
	h = mw(c.Handler(h))
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range int(d.Seconds() * float64(perSecond)) {
		wg.Go(func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if strings.Contains(w.Body.String(), "shedding") {
				mu.Lock()
				refused++
				mu.Unlock()
			}
		})
		time.Sleep(time.Second / time.Duration(perSecond))
	}
	wg.Wait()
	return refused
}

func TestSignalsOfTheHandlerLowerTheRate(t *testing.T) {
	for name, config := range map[string]Config{
		"in flight": {InFlight: 10},
		"latency":   {Latency: 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := controller(t, config)
				d, code := 50*time.Millisecond, 200
				h := worker(&d, &code)
				drive(t, c, h, 100, 10*time.Second)
				if s := c.Status(); !math.IsInf(s.Rate, 1) || s.Load > 1 || s.Interval != 0 {
					t.Errorf("while all is well: %+v", s)
				}
				d = 300 * time.Millisecond // 30 in flight
				drive(t, c, h, 100, 10*time.Second)
				s := c.Status()
				if s.Rate < 40 || s.Rate > 90 || s.Interval == 0 {
					t.Errorf("when the handler is slow: %+v", s)
				}
				d = 50 * time.Millisecond
				drive(t, c, h, 10, 20*time.Second) // latency is an average
				s = c.Status()
				drive(t, c, h, 10, 30*time.Second)
				if after := c.Status(); after.Rate < 1.2*s.Rate || after.Rate > 1.5*s.Rate {
					t.Errorf("half a minute later: %+v, before %+v", after, s)
				}
			})
		})
	}
}

func TestWhatFailsIsShedAndFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := controller(t, Config{MaxShed: 0.9})
		d, code := time.Millisecond, 200
		h := worker(&d, &code)
		if n := drive(t, c, h, 100, 40*time.Second); n != 0 {
			t.Errorf("%d of 4000 requests were refused while all succeeded", n)
		}
		code = 503
		drive(t, c, h, 100, 40*time.Second)
		if s := c.Status(); s.Shed != 0.9 {
			t.Errorf("after 40 s of failures: %+v", s)
		}
		if n := drive(t, c, h, 100, 10*time.Second); n < 850 || n > 950 {
			t.Errorf("%d of 1000 requests were refused while all fail, want nine tenths", n)
		}
		code = 200
		drive(t, c, h, 100, 120*time.Second)
		if s := c.Status(); s.Shed != 0 {
			t.Errorf("two minutes after the failures: %+v", s)
		}
		code = 503
		if n := drive(t, controller(t, Config{MaxShed: 0.9, ShedFloor: 20}), h, 10, 40*time.Second); n != 0 {
			t.Errorf("%d requests were refused below the floor", n)
		}
	})
}

// A Limiter inside answers for handlers that are too slow, and that is a failure,
// whatever they say later.
func TestWhatIsAnsweredTooLateIsShed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit, err := timeout.New(timeout.Config{Total: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		c := controller(t, Config{MaxShed: 0.9})
		d, code := 2*time.Second, 200
		drive(t, c, limit.Handler(worker(&d, &code)), 100, 40*time.Second)
		if s := c.Status(); s.Shed != 0.9 {
			t.Errorf("after 40 s of timeouts: %+v", s)
		}
	})
}

func TestHalfMayFailBeforeAnyAreShed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := controller(t, Config{MaxShed: 0.9})
		n := 0
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if n++; n%5 < 2 {
				w.WriteHeader(500)
			}
		})
		if n := drive(t, c, h, 100, 60*time.Second); n != 0 {
			t.Errorf("%d requests were refused while three in five succeed", n)
		}
	})
}

func TestPanicsCountAsFailuresAndPass(t *testing.T) {
	c := controller(t, Config{MaxShed: 0.9, InFlight: 5})
	h := c.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") }))
	defer func() {
		if p := recover(); p != "x" {
			t.Errorf("recovered %v", p)
		}
		if s := c.Status(); s.InFlight != 0 || c.shed.accepted.sum != 0 || c.shed.ended.sum != 1 {
			t.Errorf("after the panic: %+v", s)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestNewRefusesNonsense(t *testing.T) {
	for want, c := range map[string]Config{
		"adaptive: Config has no Rate, Load, InFlight, Latency or MaxShed: at least one must say what the service can bear": {},
		"adaptive: Config.Rate is -1: want requests a second":                                                               {Rate: -1},
		"adaptive: Config.Rate is NaN: want requests a second":                                                              {Rate: math.NaN()},
		"adaptive: Config.InFlight is -1: it must not be negative":                                                          {InFlight: -1},
		"adaptive: Config.MaxShed is 2: want a share, 0 to 1":                                                               {MaxShed: 2},
		"adaptive: Config.ShedFloor is -1: want requests a second":                                                          {MaxShed: 1, ShedFloor: -1},
		"adaptive: Config.ShedRatio is 0.5: want at least 1":                                                                {MaxShed: 1, ShedRatio: 0.5},
		"adaptive: Config.Jitter is -1: want a share, such as 0.25":                                                         {Rate: 1, Jitter: -1},
		"adaptive: Config.Start is -1ns: it must not be negative":                                                           {Rate: 1, Start: -1},
		"adaptive: Config.Max is 1m0s: it must not be less than Min, 1h0m0s":                                                {Rate: 1, Min: time.Hour, Max: time.Minute},
	} {
		if _, err := New(c); err == nil || err.Error() != want {
			t.Errorf("error %v\nwant  %s", err, want)
		}
	}
}

func BenchmarkCurrent(b *testing.B) {
	c, err := New(Config{Rate: 1e6, Min: time.Minute, MaxShed: 0.9})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Current()
		}
	})
}
