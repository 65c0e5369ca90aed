package storetest

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/cache"
)

// group is two servers over one store, in memory.
func group(t *testing.T, c syncproto.Config, wrap func(http.Handler) http.Handler) Service {
	t.Helper()
	network := new(memnet.Network)
	var s Service
	if c.Sessions == nil {
		c.Sessions = &syncproto.SignedSessions{Keys: [][]byte{make([]byte, 32)}}
	}
	for _, addr := range []string{"one:80", "two:80"} {
		h, err := Handler(c)
		if err != nil {
			t.Fatal(err)
		}
		l, err := network.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: wrap(h)}
		done := make(chan struct{})
		go func() {
			defer close(done)
			srv.Serve(l)
		}()
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return network.DialContext(ctx, "tcp", addr)
		}}
		t.Cleanup(func() {
			transport.CloseIdleConnections()
			srv.Close()
			<-done
		})
		s.Servers = append(s.Servers, transport)
	}
	return s
}

func serviceHistories(t *testing.T, n int, open func(t *testing.T, seed uint64) Service) []string {
	return seeds(t, n, func(t *testing.T, seed uint64) (*history, error) {
		return open(t, seed).record(t.Context(), rand.New(rand.NewPCG(seed, 0)))
	})
}

func asItIs(h http.Handler) http.Handler { return h }

func TestServiceHistoriesOfMemory(t *testing.T) {
	wrong := serviceHistories(t, 40, func(t *testing.T, _ uint64) Service {
		return group(t, syncproto.Config{Store: new(syncproto.Memory)}, asItIs)
	})
	if len(wrong) > 0 {
		t.Errorf("%s", strings.Join(wrong, "\n"))
	}
}

// A cache in each of two servers makes polls late by as much as it is told, and
// by no more; and a checker that was not told would say so.
func TestServiceHistoriesOfCaches(t *testing.T) {
	const ttl = 50 * time.Millisecond
	cached := func(late time.Duration) (wrong []string) {
		return serviceHistories(t, 60, func(t *testing.T, seed uint64) Service {
			db, marks := new(syncproto.Memory), &sharedMarks{marks: map[string]sharedMark{}}
			s := Service{Late: late}
			for i := range 2 {
				store, err := cache.New(db, cache.Config{TTL: ttl})
				if err != nil {
					t.Fatal(err)
				}
				s.Servers = append(s.Servers, group(t, syncproto.Config{Store: store, Marks: marks}, asItIs).Servers[i])
			}
			return badNetwork(t, s, seed)
		})
	}
	if wrong := cached(ttl); len(wrong) > 0 {
		t.Errorf("%s", strings.Join(wrong, "\n"))
	}
	if len(cached(0)) == 0 {
		t.Error("late polls not caught in 60 histories")
	}
}

// sharedMarks are those of all servers of a service.
type sharedMarks struct {
	mu    sync.Mutex
	marks map[string]sharedMark
	turns uint64
}

type sharedMark struct {
	until syncproto.Time
	turn  uint64
}

func (m *sharedMarks) Begin(_ context.Context, name string, since syncproto.Time) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turns++
	m.marks[name] = sharedMark{since, m.turns}
	return m.turns, nil
}

func (m *sharedMarks) Advance(_ context.Context, name string, turn uint64, until syncproto.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.marks[name].turn == turn {
		m.marks[name] = sharedMark{until, turn}
	}
	return nil
}

func (m *sharedMarks) Mark(_ context.Context, name string) (syncproto.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.marks[name].until, nil
}

// badNetwork lets a service be reached over connections that lose requests and
// answers.
func badNetwork(t *testing.T, s Service, seed uint64) Service {
	t.Helper()
	var inj faultconn.Injector
	undo, err := inj.With(faultconn.Plan{Seed: seed, Rules: []faultconn.Rule{
		{Name: "lost request", Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpWrite}}, Chance: 0.02, Fault: fault.Reset{}},
		{Name: "lost answer", Chance: 0.04, Fault: fault.Abort{}},
		{Name: "lost part of an answer", Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}, Scope: faultconn.PerByte, Chance: 0.0001, Fault: fault.Close{}},
		{Name: "slow", Chance: 0.1, Fault: fault.Delay{For: 5 * time.Millisecond, Jitter: 5 * time.Millisecond}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(undo)
	for _, rt := range s.Servers {
		transport := rt.(*http.Transport)
		transport.DialContext = inj.Dialer("clients", transport.DialContext)
	}
	return s
}

func TestServiceHistoriesOverABadNetwork(t *testing.T) {
	wrong := serviceHistories(t, 60, func(t *testing.T, seed uint64) Service {
		return badNetwork(t, group(t, syncproto.Config{Store: new(syncproto.Memory)}, asItIs), seed)
	})
	if len(wrong) > 0 {
		t.Errorf("%s", strings.Join(wrong, "\n"))
	}
}

// serviceDefects are what can be wrong in a service whose store is right.
var serviceDefects = map[string]func(c *syncproto.Config) func(http.Handler) http.Handler{
	"received not repaired": func(c *syncproto.Config) func(http.Handler) http.Handler {
		c.Marks = markedAll{}
		return asItIs
	},
	"marks of others": func(c *syncproto.Config) func(http.Handler) http.Handler {
		c.Marks = new(oneMark)
		return asItIs
	},
	"a token is good for anybody": func(c *syncproto.Config) func(http.Handler) http.Handler {
		c.Sessions = anybodys{&syncproto.SignedSessions{Keys: [][]byte{make([]byte, 32)}}}
		return asItIs
	},
	"a limit not kept": func(c *syncproto.Config) func(http.Handler) http.Handler {
		c.Limits = syncproto.Limits{Apps: 100, Page: 3}
		return asItIs
	},
	"states never renewed": func(c *syncproto.Config) func(http.Handler) http.Handler {
		c.Store = &firstState{Store: c.Store}
		return asItIs
	},
	"idempotency keys not read": requests(func(r *http.Request) { r.Header.Del("Idempotency-Key") }),
	"conditions not read": requests(func(r *http.Request) {
		if r.Method == "POST" && !strings.HasPrefix(r.URL.RawQuery, "delete") {
			r.URL.RawQuery = ""
			r.Header.Del("If-Match")
			r.Header.Del("X-If-Unmodified-Since")
		}
	}),
	"a condition read as a later one": requests(func(r *http.Request) {
		if q, t, ok := strings.Cut(r.URL.RawQuery, "lastget="); ok {
			r.URL.RawQuery = q + "lastget=1" + t
		}
	}),
	"devices write over each other": requests(func(r *http.Request) {
		if r.Method == "POST" && strings.HasSuffix(r.URL.Path, keptCollection) {
			r.URL.RawQuery = ""
		}
	}),
	"quotas not read":                          requests(func(r *http.Request) { r.Header.Del(quotaHeader) }),
	"since read as later":                      requests(func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "since=9", "since=99", 1) }),
	"limit not read":                           requests(func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "&limit=", "&x=", 1) }),
	"pages that do not say that there is more": answers(func(b string) string { return strings.Replace(b, `,"incomplete":true`, "", 1) }),
	"events of what has not happened":          answers(func(b string) string { return strings.Replace(b, `data: {"until":9`, `data: {"until":99`, 1) }),
	"a deletion not told":                      answers(func(b string) string { return strings.Replace(b, `"collection_deleted"`, `"collection_is_gone"`, 1) }),
	"news that is not news": func(*syncproto.Config) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if v := r.Header.Get("If-None-Match"); v != "" {
					w.Header().Set("ETag", v)
					w.WriteHeader(http.StatusNotModified)
					return
				}
				h.ServeHTTP(w, r)
			})
		}
	},
}

// markedAll says of everybody that they have everything.
type markedAll struct{}

func (markedAll) Begin(context.Context, string, syncproto.Time) (uint64, error) { return 1, nil }
func (markedAll) Advance(context.Context, string, uint64, syncproto.Time) error { return nil }
func (markedAll) Mark(context.Context, string) (syncproto.Time, error)          { return 1 << 60, nil }

// oneMark is that of all sessions.
type oneMark struct {
	mu    sync.Mutex
	until syncproto.Time
}

func (m *oneMark) Begin(context.Context, string, syncproto.Time) (uint64, error) { return 1, nil }

func (m *oneMark) Advance(_ context.Context, _ string, _ uint64, until syncproto.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until = max(m.until, until)
	return nil
}

func (m *oneMark) Mark(context.Context, string) (syncproto.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.until, nil
}

type anybodys struct{ *syncproto.SignedSessions }

func (a anybodys) Check(ctx context.Context, user, token string) (syncproto.Session, error) {
	return syncproto.Session{ID: token, Expires: time.Now().Add(time.Hour)}, nil
}

// firstState remembers for ever.
type firstState struct {
	syncproto.Store
	mu    sync.Mutex
	state map[syncproto.Key]syncproto.State
}

func (s *firstState) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.state[key]; ok {
		return st, nil
	}
	st, err := s.Store.State(ctx, key)
	if err == nil && st.Last > 0 {
		if s.state == nil {
			s.state = map[syncproto.Key]syncproto.State{}
		}
		s.state[key] = st
	}
	return st, err
}

func requests(change func(*http.Request)) func(*syncproto.Config) func(http.Handler) http.Handler {
	return func(*syncproto.Config) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				change(r)
				h.ServeHTTP(w, r)
			})
		}
	}
}

func answers(change func(string) string) func(*syncproto.Config) func(http.Handler) http.Handler {
	return func(*syncproto.Config) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(&changed{w, change}, r)
			})
		}
	}
}

type changed struct {
	http.ResponseWriter
	change func(string) string
}

func (c *changed) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *changed) Write(b []byte) (int, error) {
	text := c.change(string(b))
	if text != string(b) {
		c.Header().Del("Content-Length")
	}
	_, err := c.ResponseWriter.Write([]byte(text))
	return len(b), err
}

func TestCheckerCatchesDefectsOfAService(t *testing.T) {
	for defect, give := range serviceDefects {
		t.Run(defect, func(t *testing.T) {
			for what, over := range map[string]func(*testing.T, Service, uint64) Service{
				"a good": func(_ *testing.T, s Service, _ uint64) Service { return s },
				"a bad":  badNetwork,
			} {
				wrong := serviceHistories(t, 60, func(t *testing.T, seed uint64) Service {
					c := syncproto.Config{Store: new(syncproto.Memory)}
					wrap := give(&c)
					return over(t, group(t, c, wrap), seed)
				})
				if len(wrong) == 0 {
					t.Errorf("not caught in 60 histories over %s network", what)
				} else {
					t.Logf("%.300s", wrong[0])
				}
			}
		})
	}
}
