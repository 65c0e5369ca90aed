package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"
	"go.uber.org/zap"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/memcachestore"
	backoffobserve "github.com/brownout-go/brownout/backoff/observe"
	"github.com/brownout-go/brownout/faultconn"
	faultobserve "github.com/brownout-go/brownout/faultconn/observe"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/browserid"
	syncobserve "github.com/brownout-go/brownout/syncproto/observe"
	"github.com/brownout-go/brownout/syncproto/verify"
	"github.com/brownout-go/brownout/timeout"
	timeoutobserve "github.com/brownout-go/brownout/timeout/observe"
)

// A server is everything composed. Its fields are set by newServer, in the
// order in which they are here.
type server struct {
	cfg   config
	url   string // where clients find it, without a slash at the end
	log   *zap.Logger
	start time.Time

	stats  statsd.StatSender // nil: no metrics
	faults *faultconn.Injector
	plan   plan
	asked  backoff.Store   // where the operator puts what is asked of clients
	value  *backoff.Source // what is asked of them now
	limit  *timeout.Limiter
	store  syncproto.Store
	marks  syncproto.Marks // nil: in this process
	counts counts

	database *timeout.Backend // nil: the store is no database
	secret   []byte           // the database's; nil: logins end with the process

	handler  http.Handler
	draining context.Context // ends when no more is to begin
	drain    context.CancelFunc

	closers []func() error // in the order of opening
}

// newServer opens what the server stands on and puts it together. The caller
// closes it.
func newServer(ctx context.Context, cfg config, url string, log *zap.Logger) (_ *server, err error) {
	s := &server{cfg: cfg, url: url, log: log, start: time.Now()}
	s.draining, s.drain = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, open := range []func(context.Context) error{
		s.openStats, s.openFaults, s.openBackoff, s.openStore, s.openCache, s.compose,
	} {
		if err := open(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *server) openStats(context.Context) error {
	if s.cfg.statsd == "" {
		return nil
	}
	client, err := statsd.NewClientWithConfig(&statsd.ClientConfig{Address: s.cfg.statsd, Prefix: "syncserver"})
	if err != nil {
		return fmt.Errorf("-statsd: %w", err)
	}
	s.stats = client
	s.closers = append(s.closers, client.Close)
	return nil
}

func (s *server) openFaults(context.Context) error {
	see := &faultobserve.Observer{Statsd: s.stats, Log: s.log}
	s.faults = &faultconn.Injector{OnEvent: see.Observe}
	if s.cfg.faults == "" {
		return nil
	}
	return s.loadPlan()
}

// openBackoff starts watching what the operator asks of clients.
func (s *server) openBackoff(context.Context) error {
	s.asked = &backoff.Memory{}
	if len(s.cfg.memcached) > 0 {
		cache, err := memcachestore.New(memcachestore.Config{
			Addr:        strings.Join(s.cfg.memcached, ","),
			DialContext: s.faults.Dialer(pointMemcached, nil),
		})
		if err != nil {
			return fmt.Errorf("-memcached: %w", err)
		}
		s.closers = append(s.closers, cache.Close)
		s.asked = cache
	}
	see := &backoffobserve.Observer{Statsd: s.stats, Log: s.log}
	source, err := backoff.NewSource(backoff.SourceConfig{Store: s.asked, OnEvent: see.Observe})
	if err != nil {
		return err
	}
	s.value = source
	s.closers = append(s.closers, source.Close)
	return nil
}

// compose puts the handlers around each other: counting outermost, then the
// budget, then the headers that ask clients to wait, then the protocol.
func (s *server) compose(context.Context) error {
	sync, err := s.protocol()
	if err != nil {
		return err
	}
	ease, err := backoff.Policy{
		Current: s.value.Current,
		OnEvent: (&backoffobserve.Observer{Statsd: s.stats, Log: s.log}).Observe,
	}.Middleware()
	if err != nil {
		return err
	}
	see := &timeoutobserve.Observer{Statsd: s.stats, Log: s.log}
	s.limit, err = timeout.New(timeout.Config{
		Total:      s.cfg.budget,
		Budget:     s.budget,
		RetryAfter: func(*timeout.Error) time.Duration { return s.away() },
		OnEvent:    see.Observe,
	})
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.Handle("/", sync)
	mux.Handle("/collections/", ease(sync))
	if s.operated() {
		mux.Handle("/backoff", operator(s.asked, s.value))
	}
	s.handler = s.counts.handler(s.limit.Handler(s.untilDraining(mux)))
	return nil
}

// away is how long a 503 asks clients to stay away: no less than the operator
// does.
func (s *server) away() time.Duration {
	return max(s.cfg.retryAfter, s.value.Current().Interval)
}

// operated tells whether the poll interval is set over HTTP: the server keeps
// it itself, and nobody else's machine can reach it.
func (s *server) operated() bool {
	host, _, err := net.SplitHostPort(s.cfg.addr)
	return err == nil && len(s.cfg.memcached) == 0 && isLoopback(host)
}

// protocol is the App Sync handler.
func (s *server) protocol() (http.Handler, error) {
	see := &syncobserve.Observer{Statsd: s.stats, Log: s.log}
	cfg := syncproto.Config{
		Store:      s.store,
		Marks:      s.marks,
		BaseURL:    s.cfg.url,
		Quota:      s.cfg.quota,
		Watch:      s.watch(),
		RetryAfter: s.away,
		OnEvent:    see.Observe,
	}
	if service, remote := strings.CutPrefix(s.cfg.verifier, "remote="); remote {
		cfg.Verifier = browserid.Remote{URL: service}
		cfg.Audiences = s.cfg.audiences
		if len(cfg.Audiences) == 0 {
			cfg.Audiences = []string{s.cfg.origin(s.url)}
			s.log.Warn("logins are accepted for this audience only; name your site with -audience", zap.Strings("audiences", cfg.Audiences))
		}
	} else {
		cfg.Verifier = verify.Any{browserid.Development{}, verify.Plain{}}
		cfg.Development = true
	}
	if s.secret != nil {
		cfg.Sessions = &syncproto.SignedSessions{Keys: [][]byte{s.secret}}
	}
	return syncproto.New(cfg)
}

// close closes what newServer opened, last first, and waits for it.
func (s *server) close() {
	s.drain()
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		if err := s.closers[last](); err != nil {
			s.log.Warn("close", zap.Error(err))
		}
		s.closers = s.closers[:last]
	}
}
