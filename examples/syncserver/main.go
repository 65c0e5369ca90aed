package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"go.uber.org/zap"

	"github.com/brownout-go/brownout/examples/internal/program"
)

func main() { program.Main("syncserver", run) }

// run serves until ctx ends, and then until the requests under way have been
// answered.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	cfg, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	log, err := newLog()
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // fails on terminals, harmlessly

	ln, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return err
	}
	s, err := newServer(ctx, cfg, "http://"+ln.Addr().String(), log)
	if err != nil {
		_ = ln.Close()
		return err
	}
	defer s.close()
	fmt.Fprintf(stdout, "%s/ is an App Sync server, data in %s\n", s.url, cfg.database())
	log.Info("listening", zap.String("url", s.url), zap.String("db", cfg.database()), zap.Duration("budget", cfg.budget))
	if cfg.verifier == "dev" {
		log.Warn("development logins: anyone who can connect may log in as anyone; use -verifier remote=URL for real ones")
	}
	serving, stop := context.WithCancel(ctx)
	var hangups sync.WaitGroup
	hangups.Go(func() { s.reloadOnHangup(serving) })
	defer hangups.Wait()
	defer stop()
	return s.serve(ctx, ln)
}

// newLog writes JSON lines to standard error, every one of them: by default
// zap would leave out most lines of a fault that strikes often.
func newLog() (*zap.Logger, error) {
	c := zap.NewProductionConfig()
	c.Sampling = nil
	c.DisableStacktrace = true
	return c.Build()
}
