package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/brownout-go/brownout/examples/internal/program"
	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/control"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

func main() { program.Main("chaosproxy", run) }

// run serves until ctx ends, and then until the connections have ended.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	proxies, warnings, err := o.proxies(os.LookupEnv)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintf(stderr, "chaosproxy: warning: %s\n", w)
	}
	s := &control.Server{Token: o.token, Seed: o.seed}
	done, err := o.watch(s, stderr)
	if err != nil {
		return err
	}
	defer done()
	line := newTimeline(s.Totals)
	told, heard := s.OnFault, s.OnConn
	s.OnFault = func(e faultconn.Event) { told(e); line.fault(e) }
	s.OnConn = func(e proxy.Event) { heard(e); line.conn(e) }
	handler, err := site(s, line)
	if err != nil {
		return err
	}
	recording, stop := context.WithCancel(context.Background())
	var recorder sync.WaitGroup
	recorder.Go(func() { line.run(recording) })
	defer recorder.Wait()
	defer stop()
	defer func() { _ = s.Close() }()
	for _, p := range proxies {
		if err := s.Add(p); err != nil {
			return fmt.Errorf("proxy %q: %w", p.Name, err)
		}
	}
	l, err := net.Listen("tcp", o.control)
	if err != nil {
		return err
	}
	api := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- api.Serve(l) }()
	fmt.Fprintf(stdout, "control http://%s\n", l.Addr())
	for _, p := range s.Proxies() {
		if p.Disabled {
			fmt.Fprintf(stdout, "%s disabled -> %s\n", p.Name, p.Upstream)
			continue
		}
		fmt.Fprintf(stdout, "%s %s -> %s\n", p.Name, p.Listen, p.Upstream)
	}
	select {
	case err = <-failed:
		return err
	case <-ctx.Done():
	}
	// The API stays while connections drain: it shows which, and can end them.
	draining, cancel := context.WithTimeout(context.Background(), o.drain)
	defer cancel()
	if err := s.Shutdown(draining); err != nil {
		fmt.Fprintf(stderr, "chaosproxy: %v\n", err)
	}
	_ = s.Close() // ends the streams of events, for which api would wait
	_ = api.Close()
	<-failed
	return nil
}
