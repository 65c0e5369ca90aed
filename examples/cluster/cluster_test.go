package cluster

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/memcache"
	"github.com/brownout-go/brownout/syncproto/sqlstore"
	"github.com/brownout-go/brownout/syncproto/verify"
	"github.com/brownout-go/brownout/timeout"
)

func TestMain(m *testing.M) { leak.Main(m) }

// site is where clients find the group, behind its balancer.
const site = "http://apps.example"

// A group is two servers over one PostgreSQL and one memcached.
type group struct {
	db, cache *testserver.Server
	ttl       time.Duration // for how long a cached state is believed
	nodes     [2]*node
	asked     atomic.Int64
	handler   func(syncproto.Config) (http.Handler, error)
}

// A node is one server of the group.
type node struct {
	addr   string
	faults faultconn.Injector // of its connections to "database" and "memcached"
}

func open(t *testing.T, ttl time.Duration) *group {
	t.Helper()
	return openWith(t, ttl, func(c syncproto.Config) (http.Handler, error) {
		c.Verifier, c.Development = verify.Plain{}, true
		return syncproto.New(c)
	})
}

func openWith(t *testing.T, ttl time.Duration, handler func(syncproto.Config) (http.Handler, error)) *group {
	t.Helper()
	g := &group{db: testserver.Postgres(t), cache: testserver.Memcached(t), ttl: ttl, handler: handler}
	for i := range g.nodes {
		g.nodes[i] = g.start(t)
	}
	return g
}

// start is what each machine of a group runs.
func (g *group) start(t *testing.T) *node {
	t.Helper()
	n := new(node)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	connector, dialect, err := sqlstore.DialConnector("postgres://postgres@"+g.db.Addr+"/postgres?sslmode=disable", n.faults.Dialer("database", nil))
	must(err)
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	store, err := sqlstore.New(t.Context(), db, dialect)
	must(err)
	key, err := store.Secret(t.Context()) // the same on all nodes
	must(err)

	mc, err := memcache.New(memcache.Config{
		Servers: []string{g.cache.Addr}, StateTTL: g.ttl, Timeout: 100 * time.Millisecond, Pause: time.Millisecond,
		DialContext: n.faults.Dialer("memcached", nil),
	})
	must(err)
	t.Cleanup(func() { mc.Close() })
	cached, err := mc.Cached(store)
	must(err)

	h, err := g.handler(syncproto.Config{
		Store: cached, Marks: mc.Marks(), Sessions: &syncproto.SignedSessions{Keys: [][]byte{key}}, BaseURL: site,
	})
	must(err)
	limit, err := timeout.New(timeout.Config{Total: 20 * time.Second})
	must(err)
	srv := httptest.NewServer(limit.Handler(h))
	t.Cleanup(srv.Close)
	n.addr = srv.Listener.Addr().String()
	return n
}

// RoundTrip is the balancer: each request goes to the next node.
func (g *group) RoundTrip(r *http.Request) (*http.Response, error) {
	return g.on(int(g.asked.Add(1))).RoundTrip(r)
}

// on sends requests to one node.
func (g *group) on(i int) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.URL.Host = g.nodes[i%len(g.nodes)].addr
		return http.DefaultTransport.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// cutOff has a node's connections to a point refused, and those that are open
// broken.
func (n *node) cutOff(t *testing.T, point string) {
	t.Helper()
	err := n.faults.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{Name: "cut off", Select: faultconn.Select{Point: point}, Fault: fault.Blackout{}}}})
	if err != nil {
		t.Error(err)
	}
}

func (n *node) heal(t *testing.T) {
	t.Helper()
	if err := n.faults.SetPlan(faultconn.Plan{}); err != nil {
		t.Error(err)
	}
}

// login logs a user in and returns the session.
func login(t *testing.T, via http.RoundTripper, user string) session {
	t.Helper()
	form := url.Values{"assertion": {user + "?a=x"}, "audience": {"x"}}
	s := session{t: t, via: via}
	var v struct {
		URL  string `json:"collection_url"`
		Auth string `json:"http_authorization"`
	}
	s.want(200, s.do(via, "POST", site+"/verify", "application/x-www-form-urlencoded", form.Encode()), &v)
	if !strings.HasPrefix(v.URL, site) {
		t.Fatalf("collection_url is %q", v.URL)
	}
	s.url, s.auth = site+"/collections/"+user+"/apps", v.Auth
	return s
}
