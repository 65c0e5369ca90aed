package main

import (
	"context"
	"io"
	"net/http"
	"time"

	exponential "github.com/cenkalti/backoff/v5"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/examples/internal/program"
)

func main() { program.Main("appdir", run) }

// run syncs once, or until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	// Headers come at once, or after a wait for news.
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.ResponseHeaderTimeout = o.every + 30*time.Second
	defer base.CloseIdleConnections()
	o.transport = polite(base, o.patience)

	s, err := open(ctx, o, stdout, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	if o.watch {
		return s.watch(ctx)
	}
	return s.sync(ctx)
}

// polite obeys the server, and tries again what may be tried again.
func polite(base http.RoundTripper, patience time.Duration) http.RoundTripper {
	return &backoff.Transport{
		Base:    base,
		MaxWait: patience,
		Retry:   &backoff.Retry{Fallback: func() backoff.Delays { return exponential.NewExponentialBackOff() }},
	}
}
