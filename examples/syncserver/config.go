package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/sqlstore"
)

// config is what the flags say, checked.
type config struct {
	addr       string
	url        string   // where clients find the server, without a slash at the end; empty: where they asked
	db         string   // "memory:", or what sqlstore.Connector takes
	memcached  []string // empty: the operator's value lives in this process
	statsd     string   // empty: no metrics are sent
	verifier   string   // "dev" or "remote=URL"
	audiences  []string // empty: any with dev, the server's own URL otherwise
	budget     time.Duration
	wait       time.Duration // zero: nobody waits for news
	cache      time.Duration // zero: no state is remembered
	retryAfter time.Duration
	quota      syncproto.Quota
	faults     string // empty: no plan
}

const memoryDB = "memory:"

const usage = `syncserver is an App Sync server that bends and does not break.

  syncserver [flags]

With no flags it listens on 127.0.0.1:5000, keeps its data in appsync.db, and
lets anyone on this machine log in under any e-mail address. Open / in a browser
for the state of the server and the first requests to try.

`

// parseFlags reads the command line. Usage and errors of the flag package go
// to out.
func parseFlags(args []string, out io.Writer) (config, error) {
	var c config
	var memcached, audience string
	fs := flag.NewFlagSet("syncserver", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() { fmt.Fprint(out, usage); fs.PrintDefaults() }
	fs.StringVar(&c.addr, "addr", "127.0.0.1:5000", "`host:port` to listen on")
	fs.StringVar(&c.url, "url", "", "`URL` at which clients find the server, such as https://apps.example.com, where a proxy in front of it speaks TLS; empty: the one they log in at, with http")
	fs.StringVar(&c.db, "db", "sqlite:appsync.db", "`store` of the collections: sqlite:FILE, postgres://HOST/DATABASE, mysql://HOST/DATABASE, or memory: for one that ends with the process")
	fs.StringVar(&memcached, "memcached", "", "`host:port,...` where appsync-backoff keeps the poll interval; empty: it is kept in this process, and GET, PUT and DELETE of /backoff show, set and remove it if -addr is loopback")
	fs.StringVar(&c.statsd, "statsd", "", "`host:port` to send metrics to; empty: none are sent")
	fs.StringVar(&c.verifier, "verifier", "dev", "`who` checks logins: remote=URL of a BrowserID verification service, or dev: test assertions and email?a=audience, on loopback only")
	fs.StringVar(&audience, "audience", "", "`sites` whose logins are accepted, such as https://apps.example.com, with commas between them; empty: that of -url, or this server's own")
	fs.DurationVar(&c.budget, "budget", 2*time.Second, "longest `time` a request may take before it is answered 503")
	fs.DurationVar(&c.wait, "wait", time.Minute, "longest `time` a client may wait for news in one request, by long poll or event stream; 0: none may")
	fs.DurationVar(&c.cache, "cache", 10*time.Minute, "longest `time` the state of a collection is remembered, so that polls without news ask the database nothing. With SQLite it is remembered in this process, which lets no other syncserver use the file; with PostgreSQL and MySQL in -memcached, and without one not at all. If another program writes to the database, or memcached is away when a server wants to tell it of a push, polls are late by up to that time. 0: nothing is remembered")
	fs.DurationVar(&c.retryAfter, "retry-after", 120*time.Second, "`time` after which a client that got a 503 shall come back, in whole seconds")
	fs.Int64Var(&c.quota.Bytes, "quota-bytes", 0, "most `bytes` of documents that one user may keep; 0: there is no bound")
	fs.IntVar(&c.quota.Collections, "quota-collections", 0, "most `collections` that one user may have, deleted ones included; 0: there is no bound")
	fs.StringVar(&c.faults, "faults", "", "YAML or JSON `file` with a plan of faults for the connections \"memcached\" (dialled) and \"clients\" (accepted)")
	if err := fs.Parse(args); err != nil {
		return config{}, err
	}
	if fs.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q: syncserver takes flags only, see -h", fs.Arg(0))
	}
	c.url = strings.TrimSuffix(c.url, "/")
	if memcached != "" {
		c.memcached = strings.Split(memcached, ",")
	}
	if audience != "" {
		c.audiences = strings.Split(audience, ",")
	}
	given := false
	fs.Visit(func(f *flag.Flag) { given = given || f.Name == "cache" })
	if !given && c.shared() && len(c.memcached) == 0 {
		c.cache = 0
	}
	return c, c.check()
}

// shared tells whether the database is one that several servers may use, on
// machines of their own.
func (c config) shared() bool { return c.db != memoryDB && !c.file() }

// file tells whether the database is a file.
func (c config) file() bool { return strings.HasPrefix(c.db, "sqlite:") }

// path is where the file is, as sqlstore.Connector finds it.
func (c config) path() string {
	path, _, _ := strings.Cut(strings.TrimPrefix(c.db, "sqlite:"), "?")
	return strings.TrimPrefix(path, "//")
}

// check reports every flag that can't be right, and what would be.
func (c config) check() error {
	var errs []error
	bad := func(flag, value, want string) {
		errs = append(errs, fmt.Errorf("-%s %q: %s", flag, value, want))
	}
	host, _, err := net.SplitHostPort(c.addr)
	if err != nil {
		bad("addr", c.addr, "want host:port, such as 127.0.0.1:5000 or :5000")
	}
	if u, err := url.Parse(c.url); c.url != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(c.url, "?#")) {
		bad("url", c.url, "want an http or https URL, without a query")
	}
	if c.db != memoryDB {
		if _, _, err := sqlstore.Connector(c.db); err != nil {
			bad("db", c.database(), fmt.Sprintf("%v, or %s", err, memoryDB))
		}
	}
	for _, server := range c.memcached {
		if _, _, err := net.SplitHostPort(server); err != nil {
			bad("memcached", server, "want host:port, or several with commas between them")
		}
	}
	if c.statsd != "" {
		if _, _, err := net.SplitHostPort(c.statsd); err != nil {
			bad("statsd", c.statsd, "want host:port")
		}
	}
	switch service, remote := strings.CutPrefix(c.verifier, "remote="); {
	case remote:
		if u, err := url.Parse(service); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			bad("verifier", c.verifier, "want remote=URL with an http or https URL")
		}
	case c.verifier != "dev":
		bad("verifier", c.verifier, "want dev or remote=URL")
	case err == nil && !isLoopback(host):
		bad("addr", c.addr, "the dev verifier believes anyone, so it serves loopback only: listen on 127.0.0.1, or name a real one with -verifier remote=URL")
	}
	if c.verifier == "dev" && len(c.audiences) > 0 {
		bad("audience", strings.Join(c.audiences, ","), "the dev verifier accepts every site; it goes with -verifier remote=URL")
	}
	for _, site := range c.audiences {
		if u, err := url.Parse(site); err != nil || u.Scheme == "" || u.Host == "" {
			bad("audience", site, "want scheme://host[:port], or several with commas between them")
		}
	}
	if c.budget <= 0 {
		bad("budget", c.budget.String(), "want a time above zero, such as 2s")
	}
	if c.wait < 0 || c.wait > 0 && c.wait < time.Second {
		bad("wait", c.wait.String(), "want a second or more, or 0")
	}
	switch {
	case c.cache < 0 || c.cache > 0 && c.cache < time.Second:
		bad("cache", c.cache.String(), "want a second or more, or 0")
	case c.cache > 0 && c.shared() && len(c.memcached) == 0:
		bad("cache", c.cache.String(), "servers of one database remember in a memcached that they share: name it with -memcached")
	}
	if c.retryAfter < time.Second {
		bad("retry-after", c.retryAfter.String(), "want a second or more")
	}
	if c.quota.Bytes < 0 {
		bad("quota-bytes", fmt.Sprint(c.quota.Bytes), "want a number above zero, or 0 for no bound")
	}
	if c.quota.Collections < 0 {
		bad("quota-collections", fmt.Sprint(c.quota.Collections), "want a number above zero, or 0 for no bound")
	}
	return errors.Join(errs...)
}

// origin is the site that logins are for where nobody says which: that of -url,
// or of the URL that the server listens at.
func (c config) origin(own string) string {
	if u, err := url.Parse(c.url); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host
	}
	return own
}

// database names the store for people: a DSN may have a password in it.
func (c config) database() string {
	kind, _, _ := strings.Cut(c.db, ":")
	if !c.shared() {
		return c.db
	}
	if u, err := url.Parse(c.db); err == nil && u.Host != "" {
		return kind + "://" + u.Host + u.Path
	}
	return kind
}

// isLoopback tells whether a listener on host can be reached from this machine
// only. A name other than localhost may resolve to anything, so it can't.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
