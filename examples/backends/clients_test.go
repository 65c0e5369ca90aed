package backends

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/go-ldap/ldap/v3"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/internal/testserver"
)

func TestMain(m *testing.M) { leak.Main(m) }

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// A backend is a server and how its usual client uses it.
type backend struct {
	name     string // also of its protocol in plans
	commands []string
	start    func(t *testing.T) (addr string)
	open     openFunc
}

// openFunc opens a client that dials with dial. It is not closed if there is an
// error. patience bounds each wait for the server.
type openFunc = func(addr string, dial dialFunc, patience time.Duration) (client, error)

// A client is an open one: call does something that takes a few requests and
// replies.
type client struct {
	call  func(patience time.Duration) error
	close func()
}

// use opens a client, calls and closes it.
func use(open openFunc, addr string, dial dialFunc, patience time.Duration) error {
	c, err := open(addr, dial, patience)
	if err != nil {
		return err
	}
	defer c.close()
	return c.call(patience)
}

func (b backend) use(addr string, dial dialFunc, patience time.Duration) error {
	return use(b.open, addr, dial, patience)
}

var backends = []backend{
	{"postgres", []string{"StartupMessage", "Query", "Parse", "Bind", "Execute", "Sync", "Terminate"}, startPostgres, postgresClient},
	{"mysql", []string{"HandshakeResponse", "COM_QUERY", "COM_STMT_PREPARE", "COM_STMT_EXECUTE", "COM_QUIT"}, func(t *testing.T) string { return testserver.MariaDB(t).Addr }, mysqlClient},
	{"redis", []string{"HELLO", "SET", "GET"}, func(t *testing.T) string { return testserver.Redis(t).Addr }, redisClient},
	{"memcached", []string{"set", "gets", "delete"}, func(t *testing.T) string { return testserver.Memcached(t).Addr }, memcachedClient},
	{"ldap", []string{"bindRequest", "addRequest", "searchRequest", "delRequest"}, startLDAP, ldapClient},
	{"smtp", []string{"EHLO", "MAIL", "RCPT", "DATA", "message", "QUIT"}, startSMTP, smtpClient},
	{"http", []string{"GET", "POST"}, startHTTP, httpClient},
}

// startPostgres waits for more than an open port: for the first query.
func startPostgres(t *testing.T) string {
	addr := testserver.Postgres(t).Addr
	for deadline := time.Now().Add(time.Minute); ; {
		err := use(postgresClient, addr, plain, time.Minute)
		if err == nil {
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func postgresClient(addr string, dial dialFunc, patience time.Duration) (client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := openPostgres(ctx, addr, dial)
	if err != nil {
		return client{}, err
	}
	call := func(patience time.Duration) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := c.Exec(ctx, "create temporary table if not exists t (n int)"); err != nil {
			return err
		}
		var n int
		if err := c.QueryRow(ctx, "select $1::int + 1", 41).Scan(&n); err != nil || n != 42 {
			return fmt.Errorf("select: %d, %w", n, err)
		}
		return nil
	}
	return client{call, func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c.Close(ctx)
	}}, nil
}

func openPostgres(ctx context.Context, addr string, dial dialFunc) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig("postgres://postgres@" + addr + "/postgres?sslmode=disable")
	if err != nil {
		return nil, err
	}
	cfg.DialFunc = dial
	return pgx.ConnectConfig(ctx, cfg)
}

func mysqlClient(addr string, dial dialFunc, _ time.Duration) (client, error) {
	db, err := openMySQL(addr, dial)
	if err != nil {
		return client{}, err
	}
	call := func(patience time.Duration) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := db.ExecContext(ctx, "create temporary table if not exists t (n int)"); err != nil {
			return err
		}
		var n int
		if err := db.QueryRowContext(ctx, "select ? + 1", 41).Scan(&n); err != nil || n != 42 {
			return fmt.Errorf("select: %d, %w", n, err)
		}
		return nil
	}
	return client{call, func() { db.Close() }}, nil
}

func openMySQL(addr string, dial dialFunc) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.DBName, cfg.DialFunc = "root", "tcp", addr, "test", dial
	cfg.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func redisClient(addr string, dial dialFunc, _ time.Duration) (client, error) {
	c := openRedis(addr, dial)
	call := func(patience time.Duration) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Set(ctx, "k", strings.Repeat("v", 5000), 0).Err(); err != nil {
			return err
		}
		s, err := c.Get(ctx, "k").Result()
		if err == nil && len(s) != 5000 {
			err = fmt.Errorf("get: %d bytes", len(s))
		}
		return err
	}
	return client{call, func() { c.Close() }}, nil
}

func openRedis(addr string, dial dialFunc) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, Dialer: dial, MaxRetries: -1, ContextTimeoutEnabled: true, PoolSize: 1})
}

func memcachedClient(addr string, dial dialFunc, _ time.Duration) (client, error) {
	c := openMemcached(addr, dial)
	call := func(patience time.Duration) error {
		c.Timeout = patience
		if err := c.Set(&memcache.Item{Key: "k", Value: []byte("hello")}); err != nil {
			return err
		}
		it, err := c.Get("k")
		if err == nil && string(it.Value) != "hello" {
			err = fmt.Errorf("get: %q", it.Value)
		}
		if err != nil {
			return err
		}
		return c.Delete("k")
	}
	return client{call, func() { c.Close() }}, nil
}

func openMemcached(addr string, dial dialFunc) *memcache.Client {
	c := memcache.New(addr)
	c.DialContext = dial
	return c
}

func ldapClient(addr string, dial dialFunc, patience time.Duration) (client, error) {
	c, err := openLDAP(addr, dial, patience)
	if err != nil {
		return client{}, err
	}
	call := func(patience time.Duration) error {
		c.SetTimeout(patience)
		if err := c.Bind("cn=admin,"+base, "secret"); err != nil {
			return err
		}
		dn := fmt.Sprintf("o=%d,%s", entries.Add(1), base)
		add := ldap.NewAddRequest(dn, nil)
		add.Attribute("objectClass", []string{"organization"})
		if err := c.Add(add); err != nil {
			return err
		}
		res, err := c.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", nil, nil))
		if err == nil && len(res.Entries) != 1 {
			err = fmt.Errorf("search: %d entries", len(res.Entries))
		}
		return errors.Join(err, c.Del(ldap.NewDelRequest(dn, nil)))
	}
	return client{call, func() { c.Close() }}, nil
}

const base = "dc=example,dc=org"

// entries numbers what is added, so that an attempt that has failed half-way is
// not in the way of the next.
var entries atomic.Int64

// startLDAP puts something under the suffix for others to be under.
func startLDAP(t *testing.T) string {
	addr := testserver.Slapd(t).Addr
	c, err := openLDAP(addr, plain, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind("cn=admin,"+base, "secret"); err != nil {
		t.Fatal(err)
	}
	add := ldap.NewAddRequest(base, nil)
	add.Attribute("objectClass", []string{"dcObject", "organization"})
	add.Attribute("o", []string{"Example"})
	if err := c.Add(add); err != nil {
		t.Fatal(err)
	}
	return addr
}

func openLDAP(addr string, dial dialFunc, patience time.Duration) (*ldap.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	nc, err := dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := ldap.NewConn(nc, false)
	c.Start()
	c.SetTimeout(patience)
	return c, nil
}

func smtpClient(addr string, dial dialFunc, patience time.Duration) (client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	nc, err := dial(ctx, "tcp", addr)
	if err != nil {
		return client{}, err
	}
	nc.SetDeadline(time.Now().Add(patience))
	c, err := smtp.NewClient(nc, "localhost")
	if err != nil {
		nc.Close()
		return client{}, err
	}
	call := func(patience time.Duration) error {
		nc.SetDeadline(time.Now().Add(patience))
		if err := c.Mail("ann@example.com"); err != nil {
			return err
		}
		if err := c.Rcpt("bob@example.com"); err != nil {
			return err
		}
		w, err := c.Data()
		if err != nil {
			return err
		}
		io.WriteString(w, "Subject: hello\r\n\r\n.dots\r\n")
		return w.Close()
	}
	return client{call, func() {
		c.Quit()
		nc.Close()
	}}, nil
}

func httpClient(addr string, dial dialFunc, _ time.Duration) (client, error) {
	tr := &http.Transport{DialContext: dial}
	call := func(patience time.Duration) error {
		c := &http.Client{Transport: tr, Timeout: patience}
		for _, req := range []func() (*http.Response, error){
			func() (*http.Response, error) { return c.Get("http://" + addr + "/") },
			func() (*http.Response, error) {
				return c.Post("http://"+addr+"/", "text/plain", io.MultiReader(strings.NewReader("chunks")))
			},
		} {
			res, err := req()
			if err != nil {
				return err
			}
			b, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err == nil && (res.StatusCode != 200 || len(b) != 5000) {
				err = fmt.Errorf("%s: %d bytes", res.Status, len(b))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return client{call, tr.CloseIdleConnections}, nil
}

func startHTTP(t *testing.T) string {
	l := listen(t)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.Method == "GET" { // a reply to POST is in chunks
			w.Header().Set("Content-Length", "5000")
		}
		io.WriteString(w, strings.Repeat("x", 5000))
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return l.Addr().String()
}

// startSMTP serves as much of SMTP as a mail takes.
func startSMTP(t *testing.T) string {
	l := listen(t)
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { serveSMTP(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	return l.Addr().String()
}

func serveSMTP(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "220 ready\r\n")
	for r := bufio.NewReader(c); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.TrimSpace(line), " "); verb {
		case "EHLO":
			fmt.Fprint(c, "250-hello\r\n250 8BITMIME\r\n")
		case "MAIL", "RCPT", "NOOP", "RSET":
			fmt.Fprint(c, "250 ok\r\n")
		case "DATA":
			fmt.Fprint(c, "354 go ahead\r\n")
			for line != ".\r\n" {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			fmt.Fprint(c, "250 taken\r\n")
		case "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "500 what?\r\n")
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// plain is the dial function of those who have none.
func plain(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}
