package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// serve answers requests until ctx ends, and then drains: connections that
// have not been answered a budget later are closed.
func (s *server) serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 2 * s.cfg.budget,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          zap.NewStdLog(s.log),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(s.faults.Listener(pointClients, ln)) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.drain()
	s.log.Info("draining", zap.Int64("in_flight", s.counts.inFlight.Load()))
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*s.cfg.budget)
	defer cancel()
	if err := errors.Join(srv.Shutdown(drain), s.limit.Wait(drain)); err != nil {
		s.log.Warn("closing connections that did not drain", zap.Error(err))
		_ = srv.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	s.log.Info("stopped", zap.Int64("requests", s.counts.requests.Load()), zap.Int64("database_states", s.counts.states.Load()))
	return nil
}
