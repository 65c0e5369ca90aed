// Package readme compiles and runs the Go code of the README.
package readme

import (
	"bufio"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/faulttest"
	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestGreetingWithSlowCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in here 20 seconds take no time
		faults := &faultconn.Injector{}
		faulttest.Inject(t, faults, faultconn.Plan{Rules: []faultconn.Rule{
			{Name: "slow cache", Fault: fault.Delay{For: 20 * time.Second}},
		}})
		cache := memcache.New("127.0.0.1:11211")
		cache.Timeout = time.Second
		cache.DialContext = faults.Dialer("cache", serveCache(t).DialContext)
		if got := greet(cache); got != "Hello, whoever you are!" {
			t.Errorf("with a cache that takes 20 seconds: %q", got)
		}
	})
}

// greet is the code under test of the README's example.
func greet(cache *memcache.Client) string {
	name, err := cache.Get("name")
	switch {
	case err == nil:
		return "Hello, " + string(name.Value) + "!"
	case errors.Is(err, memcache.ErrCacheMiss):
		return "Hello, stranger!"
	}
	return "Hello, whoever you are!"
}

// serveCache is a cache that knows the name.
func serveCache(t *testing.T) *memnet.Network {
	network := &memnet.Network{}
	ln, err := network.Listen("tcp", "127.0.0.1:11211")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if _, err := io.WriteString(conn, "VALUE name 0 3\r\nAnn\r\nEND\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return network
}

// Without the fault the example's cache is found, so that the test above
// can't pass for want of one.
func TestGreetingWithCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := &faultconn.Injector{}
		cache := memcache.New("127.0.0.1:11211")
		cache.DialContext = faults.Dialer("cache", serveCache(t).DialContext)
		if got := greet(cache); got != "Hello, Ann!" {
			t.Errorf("with a sound cache: %q", got)
		}
	})
}
