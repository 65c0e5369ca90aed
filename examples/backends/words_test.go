package backends

import (
	"context"
	"errors"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/go-ldap/ldap/v3"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/framing"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// through returns a way to addr, as a dial function or as a proxy's address,
// and a function that puts a refusal in force, nil for none.
func through(t *testing.T, way, addr string) (to string, dial dialFunc, say func(*framing.Reply)) {
	t.Helper()
	inj := &faultconn.Injector{}
	to, dial = addr, inj.Dialer("backend", nil)
	if way == "proxy" {
		l := listen(t)
		p := &proxy.Proxy{Upstream: addr, Dial: dial}
		go p.Serve(l)
		t.Cleanup(func() { p.Close() })
		to, dial = l.Addr().String(), plain
	}
	return to, dial, func(r *framing.Reply) {
		t.Helper()
		if unfired := inj.Unfired(); len(unfired) > 0 {
			t.Errorf("not refused: %v", inj.Plan())
		}
		plan := faultconn.Plan{}
		if r != nil {
			plan.Rules = []faultconn.Rule{{Fault: r}}
		}
		if err := inj.SetPlan(plan); err != nil {
			t.Fatal(err)
		}
	}
}

// ways runs a test for both ways.
func ways(t *testing.T, test func(t *testing.T, way string)) {
	for _, way := range []string{"dialer", "proxy"} {
		t.Run(way, func(t *testing.T) { test(t, way) })
	}
}

// The client takes the refusal for PostgreSQL's own, what was refused has not
// been done, and the connection is as usable as after a real one.
func TestPostgresWords(t *testing.T) {
	addr := startPostgres(t)
	ways(t, func(t *testing.T, way string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		to, dial, say := through(t, way, addr)
		code := func(err error) string {
			var pe *pgconn.PgError
			if !errors.As(err, &pe) {
				t.Errorf("%v is no PgError", err)
				return ""
			}
			return pe.Code
		}
		for name, want := range map[string]string{"too-many-connections": "53300", "starting-up": "57P03"} {
			say(&framing.Reply{Protocol: "postgres", Error: name})
			if _, err := openPostgres(ctx, to, dial); code(err) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
		say(nil)
		c, err := openPostgres(ctx, to, dial)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(ctx)
		if _, err := c.Exec(ctx, "create temporary table t (n int)"); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"deadlock": "40P01", "serialization": "40001", "canceled": "57014", "read-only": "25006"} {
			// The simple protocol, and the extended one.
			say(&framing.Reply{Protocol: "postgres", Error: name})
			if _, err := c.Exec(ctx, "insert into t values (1)"); code(err) != want {
				t.Errorf("%s: %v", name, err)
			}
			say(&framing.Reply{Protocol: "postgres", Error: name})
			if _, err := c.Exec(ctx, "insert into t values ($1)", 2); code(err) != want {
				t.Errorf("%s, with arguments: %v", name, err)
			}
		}
		say(nil)
		var n int
		if err := c.QueryRow(ctx, "select count(*) from t where n < $1", 10).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows after refusals, %v", n, err)
		}
		say(&framing.Reply{Protocol: "postgres", Error: "shutting-down"})
		if _, err := c.Exec(ctx, "insert into t values (1)"); code(err) != "57P01" {
			t.Error(err)
		}
		if _, err := c.Exec(ctx, "select 1"); err == nil || !c.IsClosed() {
			t.Errorf("after the end: %v, closed %t", err, c.IsClosed())
		}
	})
}

func TestMySQLWords(t *testing.T) {
	addr := backends[1].start(t)
	ways(t, func(t *testing.T, way string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		to, dial, say := through(t, way, addr)
		db, err := openMySQL(to, dial)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		number := func(err error) uint16 {
			var me *mysql.MySQLError
			if !errors.As(err, &me) {
				t.Errorf("%v is no MySQLError", err)
				return 0
			}
			return me.Number
		}
		say(&framing.Reply{Protocol: "mysql", Error: "too-many-connections"})
		if err := db.PingContext(ctx); number(err) != 1040 {
			t.Error(err)
		}
		say(nil)
		if _, err := db.ExecContext(ctx, "create temporary table t (n int)"); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]uint16{"deadlock": 1213, "lock-timeout": 1205, "read-only": 1290} {
			say(&framing.Reply{Protocol: "mysql", Error: name})
			if _, err := db.ExecContext(ctx, "insert into t values (1)"); number(err) != want {
				t.Errorf("%s: %v", name, err)
			}
			say(&framing.Reply{Protocol: "mysql", Error: name, Messages: framing.Messages{Commands: []string{"COM_STMT_EXECUTE"}}})
			if _, err := db.ExecContext(ctx, "insert into t values (?)", 2); number(err) != want {
				t.Errorf("%s, prepared: %v", name, err)
			}
		}
		say(nil)
		var n int
		if err := db.QueryRowContext(ctx, "select count(*) from t").Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows after refusals, %v", n, err)
		}
		say(&framing.Reply{Protocol: "mysql"})
		if _, err := db.ExecContext(ctx, "do 1"); number(err) != 1053 {
			t.Error(err)
		}
		say(nil)
		if _, err := db.ExecContext(ctx, "do 1"); err != nil {
			t.Errorf("with a new connection: %v", err)
		}
	})
}

func TestRedisWords(t *testing.T) {
	addr := backends[2].start(t)
	ways(t, func(t *testing.T, way string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		to, dial, say := through(t, way, addr)
		c := openRedis(to, dial)
		defer c.Close()
		if err := c.Set(ctx, "k", "before", 0).Err(); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"": "LOADING ", "busy": "BUSY ", "out-of-memory": "OOM ", "read-only": "READONLY "} {
			say(&framing.Reply{Protocol: "redis", Error: name})
			err := c.Set(ctx, "k", "after", 0).Err()
			if _, ok := err.(redis.Error); !ok || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: %T %v", name, err, err)
			}
		}
		// In a pipeline one command is refused and the others are not.
		say(&framing.Reply{Protocol: "redis", Error: "busy", Messages: framing.Messages{Commands: []string{"INCR"}, Skip: 1, First: 1}})
		pipe := c.Pipeline()
		before, a, b, last := pipe.Get(ctx, "k"), pipe.Incr(ctx, "a"+way), pipe.Incr(ctx, "b"+way), pipe.Incr(ctx, "a"+way)
		pipe.Exec(ctx)
		if before.Val() != "before" || a.Val() != 1 || b.Err() == nil || !strings.HasPrefix(b.Err().Error(), "BUSY") || last.Val() != 2 {
			t.Errorf("pipeline: %v, %v, %v, %v", before, a, b, last)
		}
		say(nil)
		if n, err := c.Exists(ctx, "b"+way).Result(); n != 0 || err != nil {
			t.Errorf("what was refused has been done: %d, %v", n, err)
		}
	})
}

func TestMemcachedWords(t *testing.T) {
	addr := backends[3].start(t)
	ways(t, func(t *testing.T, way string) {
		to, dial, say := through(t, way, addr)
		c := openMemcached(to, dial)
		c.Timeout = time.Minute
		defer c.Close()
		if err := c.Set(&memcache.Item{Key: "k", Value: []byte("before")}); err != nil {
			t.Fatal(err)
		}
		say(&framing.Reply{Protocol: "memcached", Messages: framing.Messages{Commands: []string{"set"}}})
		err := c.Set(&memcache.Item{Key: "k", Value: []byte("after")})
		if err == nil || !strings.Contains(err.Error(), "SERVER_ERROR out of memory storing object") {
			t.Error(err)
		}
		if it, err := c.Get("k"); err != nil || string(it.Value) != "before" {
			t.Errorf("%v, %v", it, err)
		}
		say(nil)
		if err := c.Set(&memcache.Item{Key: "k", Value: []byte("after")}); err != nil {
			t.Error(err)
		}
	})
}

func TestLDAPWords(t *testing.T) {
	addr := startLDAP(t)
	ways(t, func(t *testing.T, way string) {
		to, dial, say := through(t, way, addr)
		c, err := openLDAP(to, dial, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		say(&framing.Reply{Protocol: "ldap", Messages: framing.Messages{First: 1}})
		if err := c.Bind("cn=admin,"+base, "secret"); !ldap.IsErrorWithCode(err, ldap.LDAPResultBusy) {
			t.Errorf("bind: %v", err)
		}
		if err := c.Bind("cn=admin,"+base, "secret"); err != nil {
			t.Errorf("bind again: %v", err)
		}
		search := ldap.NewSearchRequest(base, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", nil, nil)
		for name, want := range map[string]uint16{"unavailable": 52, "unwilling": 53, "time-limit": 3} {
			say(&framing.Reply{Protocol: "ldap", Error: name, Messages: framing.Messages{Commands: []string{"searchRequest"}}})
			if _, err := c.Search(search); !ldap.IsErrorWithCode(err, want) {
				t.Errorf("%s: %v", name, err)
			}
			add := ldap.NewDelRequest("o=none,"+base, nil)
			if err := c.Del(add); !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
				t.Errorf("another operation: %v", err)
			}
		}
		say(nil)
		if res, err := c.Search(search); err != nil || len(res.Entries) != 1 {
			t.Errorf("%v, %v", res, err)
		}
	})
}

func TestSMTPWords(t *testing.T) {
	addr := startSMTP(t)
	ways(t, func(t *testing.T, way string) {
		to, dial, say := through(t, way, addr)
		for _, c := range []struct {
			name     string
			commands []string
			want     int
		}{{"421-greeting", nil, 421}, {"421", []string{"MAIL"}, 421}, {"450", []string{"RCPT"}, 450}, {"452", []string{"DATA"}, 452}} {
			say(&framing.Reply{Protocol: "smtp", Error: c.name, Messages: framing.Messages{Commands: c.commands}})
			err := use(smtpClient, to, dial, time.Minute)
			var te *textproto.Error
			if !errors.As(err, &te) || te.Code != c.want {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		say(nil)
		if err := use(smtpClient, to, dial, time.Minute); err != nil {
			t.Error(err)
		}
	})
}

func TestHTTPWords(t *testing.T) {
	addr := startHTTP(t)
	ways(t, func(t *testing.T, way string) {
		to, dial, say := through(t, way, addr)
		tr := &http.Transport{DialContext: dial}
		defer tr.CloseIdleConnections()
		c := &http.Client{Transport: tr}
		say(&framing.Reply{Protocol: "http", RetryAfter: 30 * time.Second, Messages: framing.Messages{Every: 2}})
		for i, want := range []int{200, 503, 200, 503} {
			res, err := c.Post("http://"+to, "text/plain", strings.NewReader(strings.Repeat("x", 100_000)))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want || (want == 503) != (res.Header.Get("Retry-After") == "30") {
				t.Errorf("request %d: %s, %v", i+1, res.Status, res.Header)
			}
		}
	})
}
