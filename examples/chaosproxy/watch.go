package main

import (
	"fmt"
	"os"

	"github.com/cactus/go-statsd-client/v5/statsd"
	"go.uber.org/zap"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/control"
	"github.com/brownout-go/brownout/faultconn/observe"
	"github.com/brownout-go/brownout/faultconn/transcript"
)

// watch tells statsd, the log and the transcript what happens, as far as asked.
// done is to be called once the server is closed.
func (o options) watch(s *control.Server) (done func(), err error) {
	var closers []func() error
	done = func() {
		for _, c := range closers {
			_ = c()
		}
	}
	obs := &observe.Observer{}
	if o.statsd != "" {
		client, err := statsd.NewClientWithConfig(&statsd.ClientConfig{Address: o.statsd, Prefix: o.prefix})
		if err != nil {
			return nil, fmt.Errorf("-statsd: %w", err)
		}
		closers = append(closers, client.Close)
		obs.Statsd = client
	}
	if o.log {
		c := zap.NewProductionConfig()
		c.Sampling = nil // every fault, or a log could not be matched with errors
		log, err := c.Build()
		if err != nil {
			done()
			return nil, err
		}
		obs.Log = log
	}
	s.OnFault = obs.Observe
	if o.transcript != "" {
		f, err := os.OpenFile(o.transcript, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			done()
			return nil, fmt.Errorf("-transcript: %w", err)
		}
		closers = append(closers, f.Close)
		log := &transcript.Log{OnEntry: transcript.Text(f)}
		s.WrapDial = log.Dialer
		s.OnFault = func(e faultconn.Event) {
			obs.Observe(e)
			log.Fault(e)
		}
	}
	return done, nil
}
