package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/brownout-go/brownout/faultconn/control"
)

// options are what the flags say, checked.
type options struct {
	listen, upstream, fault, plan string // a proxy of its own
	behavior, protocol            string // of it too, as vaurien has them
	config, toxiproxy, vaurien    string // files
	control, token                string
	statsd, prefix, perConn       string
	log                           bool
	transcript                    string
	record, replay                string // files
	seed                          uint64
	drain                         time.Duration
}

const usage = `chaosproxy breaks connections on purpose, between an application and its backend.

  chaosproxy -listen :8000 -upstream db:5432 -fault '20:delay=2s,5:reset'
  chaosproxy -config chaos.yaml

`

func parseFlags(args []string, out io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("chaosproxy", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() { fmt.Fprint(out, usage); fs.PrintDefaults() }
	fs.StringVar(&o.listen, "listen", "", "`address` of a proxy: host:port or unix:/path")
	fs.StringVar(&o.upstream, "upstream", "", "`address` it leads to")
	fs.StringVar(&o.fault, "fault", "", "`percentages` of exchanges with faults, such as 20:delay=2s,5:reset")
	fs.StringVar(&o.plan, "plan", "", "YAML or JSON `file` with the plan, instead of -fault")
	fs.StringVar(&o.behavior, "behavior", "", "`behavior` as vaurien has them, such as blackout or 20:delay,5:error")
	fs.StringVar(&o.protocol, "protocol", "", "`protocol` in whose words -behavior says error: http, memcached, redis, mysql, postgres, smtp or ldap; empty: random bytes")
	fs.StringVar(&o.config, "config", "", "YAML or JSON `file` with proxies and their plans")
	fs.StringVar(&o.toxiproxy, "toxiproxy", "", "configuration `file` of Toxiproxy, JSON")
	fs.StringVar(&o.vaurien, "vaurien", "", "configuration `file` of vaurien, ini")
	fs.StringVar(&o.control, "control", "localhost:8474", "`address` of the control API and its page")
	fs.StringVar(&o.token, "token", os.Getenv("CHAOSPROXY_TOKEN"), "bearer `token` that the API asks for; by default CHAOSPROXY_TOKEN of the environment")
	fs.StringVar(&o.statsd, "statsd", "", "`host:port` to send a counter to for each fault; empty: none")
	fs.StringVar(&o.prefix, "statsd-prefix", "chaosproxy", "`prefix` of the counters")
	fs.StringVar(&o.perConn, "statsd-vaurien", "", "also count as vaurien did, as `PROTOCOL`.UUID.start and so on: new names for each connection")
	fs.BoolVar(&o.log, "log", false, "log each fault, and each dial to an upstream that fails by itself, to standard error")
	fs.StringVar(&o.transcript, "transcript", "", "`file` to append what clients and upstreams say to, with marks where faults strike")
	fs.StringVar(&o.record, "record", "", "new `file` to write each fault that strikes to, for -replay")
	fs.StringVar(&o.replay, "replay", "", "`file` of -record: the faults strike where they did in that run, until they are changed at the control address")
	fs.Uint64Var(&o.seed, "seed", 0, "`number` that decides which exchanges -fault strikes, and which connections toxics")
	fs.DurationVar(&o.drain, "drain", 10*time.Second, "longest `time` to wait for connections at the end")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: there are flags only, see -h", fs.Arg(0))
	}
	return o, o.check()
}

func (o options) check() error {
	var errs []error
	if (o.listen == "") != (o.upstream == "") {
		errs = append(errs, errors.New("-listen and -upstream go together"))
	}
	if o.listen == "" && (o.fault != "" || o.plan != "" || o.behavior != "") {
		errs = append(errs, errors.New("-fault, -plan and -behavior are for the proxy of -listen and -upstream"))
	}
	if o.protocol != "" && o.behavior == "" {
		errs = append(errs, errors.New("-protocol: is that of -behavior, which is not given"))
	}
	if o.fault != "" && o.plan != "" {
		errs = append(errs, errors.New("-fault and -plan: give one of them"))
	}
	host, _, err := net.SplitHostPort(o.control)
	if err != nil {
		errs = append(errs, fmt.Errorf("-control %q: must be host:port", o.control))
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && o.token == "" {
		errs = append(errs, fmt.Errorf("-control %q: can be reached from elsewhere: give a -token too, or listen on localhost", o.control))
	}
	if o.statsd != "" {
		if _, _, err := net.SplitHostPort(o.statsd); err != nil {
			errs = append(errs, fmt.Errorf("-statsd %q: must be host:port", o.statsd))
		}
	}
	if o.perConn != "" && o.statsd == "" {
		errs = append(errs, errors.New("-statsd-vaurien: needs -statsd"))
	}
	if o.drain < 0 {
		errs = append(errs, fmt.Errorf("-drain %v: must not be negative", o.drain))
	}
	return errors.Join(errs...)
}

// proxies reads what the flags name.
func (o options) proxies(env func(string) (string, bool)) (all []control.Proxy, warnings []string, err error) {
	if o.listen != "" {
		p := control.Proxy{Name: "proxy", Listen: o.listen, Upstream: o.upstream, Behavior: o.behavior, Protocol: o.protocol}
		if o.plan != "" {
			p.Plan, err = readPlan(o.plan, env)
		} else {
			p.Plan, err = parseFaults(o.fault, o.seed)
		}
		if err != nil {
			return nil, nil, err
		}
		all = append(all, p)
	}
	if o.config != "" {
		text, err := readFile(o.config, env)
		if err != nil {
			return nil, nil, err
		}
		more, err := control.ParseConfig(text, nil)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", o.config, err)
		}
		if len(more) == 0 {
			warnings = append(warnings, o.config+": has no proxies")
		}
		all = append(all, more...)
	}
	if o.toxiproxy != "" {
		text, err := os.ReadFile(o.toxiproxy)
		if err != nil {
			return nil, nil, err
		}
		more, w, err := control.FromToxiproxy(text)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", o.toxiproxy, err)
		}
		if len(more) == 0 {
			w = append(w, o.toxiproxy+": has no proxies")
		}
		all, warnings = append(all, more...), append(warnings, w...)
	}
	if o.vaurien != "" {
		text, err := os.ReadFile(o.vaurien)
		if err != nil {
			return nil, nil, err
		}
		p, w, err := control.FromVaurien(text, env)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", o.vaurien, err)
		}
		all, warnings = append(all, p), append(warnings, w...)
	}
	if o.replay != "" {
		if err := replay(o.replay, all); err != nil {
			return nil, nil, err
		}
	}
	return all, warnings, nil
}

// readFile reads YAML or JSON, which is YAML too, as JSON.
func readFile(file string, env func(string) (string, bool)) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	expanded, err := control.Expand(string(text), env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if filepath.Ext(file) == ".json" {
		return []byte(expanded), nil
	}
	data, err := yaml.YAMLToJSON([]byte(expanded))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return data, nil
}
