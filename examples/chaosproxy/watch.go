package main

import (
	"fmt"
	"io"
	"os"

	"github.com/cactus/go-statsd-client/v5/statsd"
	"go.uber.org/zap"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/control"
	"github.com/brownout-go/brownout/faultconn/observe"
	"github.com/brownout-go/brownout/faultconn/proxy"
	"github.com/brownout-go/brownout/faultconn/transcript"
)

// watch tells statsd, the log, the transcript and the record what happens, as far
// as asked. done is to be called once the server is closed.
func (o options) watch(s *control.Server, stderr io.Writer) (done func(), err error) {
	var closers []func() error
	done = func() {
		for _, c := range closers {
			_ = c()
		}
	}
	obs := &observe.Observer{}
	var tell []func(transcript.Entry)
	log := &transcript.Log{PerConn: 1, OnEntry: func(e transcript.Entry) {
		for _, f := range tell {
			f(e)
		}
	}}
	if o.statsd != "" {
		client, err := statsd.NewClientWithConfig(&statsd.ClientConfig{Address: o.statsd, Prefix: o.prefix})
		if err != nil {
			return nil, fmt.Errorf("-statsd: %w", err)
		}
		closers = append(closers, client.Close)
		obs.Statsd = client
		if o.perConn != "" {
			v := &observe.Vaurien{Statsd: client, Protocol: o.perConn}
			tell = append(tell, v.Observe)
		}
	}
	if o.log {
		c := zap.NewProductionConfig()
		c.Sampling = nil // every fault, or a log could not be matched with errors
		if obs.Log, err = c.Build(); err != nil {
			done()
			return nil, err
		}
	}
	s.OnFault = obs.Observe
	s.OnConn = func(e proxy.Event) {
		if obs.Log != nil && unasked(e) {
			obs.Log.Warn("proxy: "+string(e.Kind), zap.String("proxy", e.Proxy), zap.String("client", e.Conn.Client), zap.Error(e.Err))
		}
	}
	if o.transcript != "" {
		f, err := os.OpenFile(o.transcript, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			done()
			return nil, fmt.Errorf("-transcript: %w", err)
		}
		closers = append(closers, f.Close)
		tell = append(tell, transcript.Text(f))
		log.PerConn = 0
		s.OnFault = func(e faultconn.Event) {
			obs.Observe(e)
			log.Fault(e)
		}
	}
	if o.record != "" {
		r, err := newRecorder(o.record, stderr)
		if err != nil {
			done()
			return nil, err
		}
		closers = append(closers, r.Close)
		told := s.OnFault
		s.OnFault = func(e faultconn.Event) {
			told(e)
			r.fault(e)
		}
	}
	if len(tell) > 0 {
		s.WrapDial = log.Dialer
	}
	return done, nil
}
