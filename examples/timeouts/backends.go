package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/go-ldap/ldap/v3"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"

	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/timeout"
)

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// A kind is one sort of backend: how to start one, and how to make a client of it whose
// connections come from dial and whose calls are held to b. dial is limited by b already.
type kind struct {
	name  string
	start func(testserver.TB) string
	open  func(addr string, dial dialFunc, b *timeout.Backend) (query func(context.Context) error, closer func() error, err error)
}

func address(start func(testserver.TB) *testserver.Server) func(testserver.TB) string {
	return func(tb testserver.TB) string { return start(tb).Addr }
}

var kinds = []kind{
	// gomemcache takes no contexts: Do.
	{"memcached", address(testserver.Memcached), func(addr string, dial dialFunc, b *timeout.Backend) (func(context.Context) error, func() error, error) {
		c := memcache.New(addr)
		c.DialContext = dial
		c.Timeout = forever
		return func(ctx context.Context) error {
			return b.Do(ctx, func(context.Context) error {
				if _, err := c.Get("greeting"); err != nil && !errors.Is(err, memcache.ErrCacheMiss) {
					return err
				}
				return nil
			})
		}, c.Close, nil
	}},
	{"redis", address(testserver.Redis), func(addr string, dial dialFunc, b *timeout.Backend) (func(context.Context) error, func() error, error) {
		c := redis.NewClient(&redis.Options{
			Addr: addr, Dialer: dial, MaxRetries: -1, DialTimeout: forever, ReadTimeout: forever, WriteTimeout: forever,
			ContextTimeoutEnabled: true,
		})
		return func(ctx context.Context) error {
			return b.Do(ctx, func(ctx context.Context) error { return c.Ping(ctx).Err() })
		}, c.Close, nil
	}},
	// The SQL drivers take contexts: Connector.
	{"postgresql", address(testserver.Postgres), func(addr string, dial dialFunc, b *timeout.Backend) (func(context.Context) error, func() error, error) {
		config, err := pgx.ParseConfig("postgres://postgres@" + addr + "/postgres?sslmode=disable")
		if err != nil {
			return nil, nil, err
		}
		config.DialFunc = dial
		return overSQL(sql.OpenDB(b.Connector(stdlib.GetConnector(*config))))
	}},
	{"mariadb", address(testserver.MariaDB), func(addr string, dial dialFunc, b *timeout.Backend) (func(context.Context) error, func() error, error) {
		config, err := mysql.ParseDSN("root@tcp(" + addr + ")/test")
		if err != nil {
			return nil, nil, err
		}
		config.DialFunc = dial
		config.Logger = &mysql.NopLogger{}
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return nil, nil, err
		}
		return overSQL(sql.OpenDB(b.Connector(connector)))
	}},
	// go-ldap has no pool and takes no contexts: a connection for each call, in Do.
	{"ldap", address(testserver.Slapd), func(addr string, dial dialFunc, b *timeout.Backend) (func(context.Context) error, func() error, error) {
		search := ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", nil, nil)
		return func(ctx context.Context) error {
			return b.Do(ctx, func(ctx context.Context) error {
				conn, err := dial(ctx, "tcp", addr)
				if err != nil {
					return err
				}
				c := ldap.NewConn(conn, false)
				c.Start()
				defer c.Close()
				_, err = c.Search(search)
				var result *ldap.Error
				if err != nil && !errors.As(err, &result) { // go-ldap turns these into text
					return fmt.Errorf("%w: %w", errLost, err)
				}
				return err
			})
		}, func() error { return nil }, nil
	}},
	{"http", hello, func(addr string, dial dialFunc, b *timeout.Backend) (func(context.Context) error, func() error, error) {
		transport := &http.Transport{DialContext: dial}
		c := &http.Client{Transport: b.Transport(transport)}
		return func(ctx context.Context) error {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
				if err != nil {
					return err
				}
				res, err := c.Do(r)
				if err != nil {
					return err
				}
				defer res.Body.Close()
				_, err = io.Copy(io.Discard, res.Body)
				return err
			}, func() error {
				transport.CloseIdleConnections()
				return nil
			}, nil
	}},
}

func overSQL(db *sql.DB) (func(context.Context) error, func() error, error) {
	return func(ctx context.Context) error {
		var one int
		return db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	}, db.Close, nil
}

// hello starts the HTTP backend.
func hello(tb testserver.TB) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello\n")
	}))
	tb.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

var errLost = errors.New("lost the connection")

// unavailable knows what the clients say when a connection has failed and they do not say how.
func unavailable(err error) bool {
	return errors.Is(err, errLost) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		ldap.IsErrorWithCode(err, ldap.ErrorNetwork)
}
