package control

import (
	"net"
	"strings"
	"testing"
)

func TestSame(t *testing.T) {
	for _, c := range []struct {
		asked, have string
		want        bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true},
		{"localhost:1", "127.0.0.1:1", true},
		{"[::ffff:127.0.0.1]:1", "127.0.0.1:1", true},
		{":1", "[::]:1", true},
		{"0.0.0.0:1", "[::]:1", true},
		{"[::]:1", "0.0.0.0:1", true},
		{"127.0.0.1:1", "127.0.0.1:2", false},
		{"127.0.0.1:0", "127.0.0.1:2", false},
		{"127.0.0.2:1", "127.0.0.1:1", false},
		{"127.0.0.1:1", "[::]:1", false},
		{":1", "127.0.0.1:1", false},
		{"unix:/a", "unix:/a", true},
		{"unix:/a", "unix:/b", false},
	} {
		if got := same(c.asked, c.have); got != c.want {
			t.Errorf("%s is the same as %s: %v, want %v", c.asked, c.have, got, c.want)
		}
	}
}

func TestLoops(t *testing.T) {
	for _, c := range []struct {
		listen, upstream string
		want             bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", "127.0.0.1:2", false},
		{"127.0.0.1:1", "localhost:1", true},
		{":1", "localhost:1", true},
		{"0.0.0.0:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", ":1", true},
		{"127.0.0.2:1", "127.0.0.1:1", false},
		{"127.0.0.1:1", "[::1]:1", false},
		{":1", "db:1", false},
		{"db:1", "db:1", true},
		{"", "localhost:1", false},
		{"unix:/a", "unix:/a", true},
		{"unix:/a", "unix:/b", false},
	} {
		if got := loops(c.listen, c.upstream); got != c.want {
			t.Errorf("%s leads to %s, which is itself: %v, want %v", c.listen, c.upstream, got, c.want)
		}
	}
}

// TestListenElsewhere moves a proxy to addresses that overlap with its own, and
// to one that is taken.
func TestListenElsewhere(t *testing.T) {
	f := newFixture(t)
	_, port, err := net.SplitHostPort(f.proxy("db").Listen)
	if err != nil {
		t.Fatal(err)
	}
	f.call("POST", "/proxies/db", `{"listen":"0.0.0.0:`+port+`"}`, 200)
	all := f.proxy("db").Listen
	if !strings.HasSuffix(all, ":"+port) || strings.HasPrefix(all, "127.") {
		t.Errorf("it listens on %s", all)
	}
	c := f.dialAt("127.0.0.1:" + port)
	c.mustAsk()
	f.call("POST", "/populate", `[{"name":"db","listen":"0.0.0.0:`+port+`","upstream":"`+f.proxy("db").Upstream+`"}]`, 201)
	c.mustAsk() // nothing has changed
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f.call("POST", "/proxies/db", `{"listen":"`+l.Addr().String()+`"}`, 500)
	if got := f.proxy("db"); got.Listen != all || got.Disabled {
		t.Errorf("refused, and now %+v", got)
	}
	c.mustAsk() // what is refused changes nothing for those who are connected
	f.dialAt("127.0.0.1:" + port).mustAsk()
}

// TestListenRefused creates and moves proxies to addresses that cannot be had.
// The native API says what is wrong with them and what to do; Toxiproxy's says
// 500 for all.
func TestListenRefused(t *testing.T) {
	f := newFixture(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	db := f.proxy("db").Listen
	for _, c := range []struct {
		listen string
		status int
		says   string
	}{
		{taken.Addr().String(), 409, "listen tcp " + taken.Addr().String() + ": bind: address already in use: choose another port, or 0 for a free one"},
		{db, 409, "listen tcp " + db + `: bind: address already in use: proxy \"db\" listens on ` + db + "; choose another port, or 0 for a free one"},
		{"192.0.2.1:0", 400, "listen tcp 192.0.2.1:0: bind: cannot assign requested address"},
		{"127.0.0.1:gopher-", 400, "listen tcp: lookup tcp/gopher-: unknown port"},
		{"unix:/nowhere/s", 400, "listen unix /nowhere/s: bind: no such file or directory"},
	} {
		body := `{"name":"new","upstream":"x:1","listen":"` + c.listen + `"}`
		if got := f.call("POST", "/v1/proxies", body, c.status); !strings.Contains(got, `"error":"`+c.says+`"`) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.listen, got, c.says)
		}
		f.call("POST", "/proxies", body, 500)
		if c.listen != db {
			f.call("PATCH", "/v1/proxies/db", `{"listen":"`+c.listen+`"}`, c.status)
		}
		if all := f.Proxies(); len(all) != 1 || all[0].Listen != db || all[0].Disabled {
			t.Errorf("%s: refused, and now %+v", c.listen, all)
		}
	}
}
