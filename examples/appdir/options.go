package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// options are what the command line says, checked.
type options struct {
	url        string
	login      string
	audience   string
	collection string
	dir        string
	watch      bool
	revive     bool
	every      time.Duration
	patience   time.Duration

	transport http.RoundTripper
}

const usage = `appdir syncs a directory of app documents, one file of JSON each, with a server.

  appdir -url URL -login WHO [flags] DIR

`

// parseFlags reads the command line. Usage and errors of the flag package go
// to out.
func parseFlags(args []string, out io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("appdir", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() { fmt.Fprint(out, usage); fs.PrintDefaults() }
	fs.StringVar(&o.url, "url", "http://127.0.0.1:5000", "`where` the server's sync handler is")
	fs.StringVar(&o.login, "login", "", "`who` logs in, when there is no session in DIR/.appdir that goes on: file:PATH of an assertion or token, which is read whenever it is needed, or an e-mail address, for servers that are for development")
	fs.StringVar(&o.audience, "audience", "", "`site` that the assertion was made for; empty: that of -url")
	fs.StringVar(&o.collection, "collection", "apps", "`name` of the collection")
	fs.BoolVar(&o.watch, "watch", false, "go on syncing, whenever something changes on either side")
	fs.BoolVar(&o.revive, "revive", false, "if the collection was deleted, make it anew of the documents that are here")
	fs.DurationVar(&o.every, "every", 30*time.Second, "with -watch, how `long` to wait for news before asking anew")
	fs.DurationVar(&o.patience, "patience", 2*time.Minute, "how `long` to wait when the server asks to, before giving up")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	if fs.NArg() != 1 {
		return options{}, fmt.Errorf("want one directory, have %d: see appdir -h", fs.NArg())
	}
	o.dir = fs.Arg(0)
	u, err := url.Parse(o.url)
	switch {
	case err != nil:
		return options{}, fmt.Errorf("-url: %w", err)
	case u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return options{}, fmt.Errorf("-url %q: want http://HOST or https://HOST, with a path if need be", o.url)
	case o.login == "":
		return options{}, errors.New("-login is missing: an e-mail address, or file:PATH")
	case o.every < time.Second:
		return options{}, fmt.Errorf("-every %v: want at least a second", o.every)
	case o.patience <= 0:
		return options{}, fmt.Errorf("-patience %v: want more than nothing", o.patience)
	}
	o.url = strings.TrimRight(o.url, "/")
	if o.audience == "" {
		o.audience = u.Scheme + "://" + u.Host
	}
	return o, nil
}

// assertion is the login of a client.Config.
func (o options) assertion(context.Context) (assertion, audience string, err error) {
	path, isFile := strings.CutPrefix(o.login, "file:")
	if !isFile {
		return o.login + "?a=" + url.QueryEscape(o.audience), o.audience, nil
	}
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), o.audience, err
}
