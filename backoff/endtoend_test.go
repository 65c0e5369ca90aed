package backoff_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// A server and a device, the real ones, over a network in memory: an operator
// slows the device down, shuts the service, and opens it again.
func TestAnOperatorSteersADevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		defer network.Close()
		listener, err := network.Listen("tcp", "sync.example:80")
		if err != nil {
			t.Fatal(err)
		}
		store := new(backoff.Memory)
		source, err := backoff.NewSource(backoff.SourceConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		began := time.Now()
		var served []time.Duration
		server := &http.Server{Handler: ease(t, backoff.Policy{Current: source.Current}, func(http.ResponseWriter, *http.Request) {
			served = append(served, time.Since(began).Round(time.Minute))
		})}
		go server.Serve(listener)
		defer server.Close()

		stack := &http.Transport{DialContext: network.DialContext, DisableKeepAlives: true}
		client := &http.Client{Transport: &backoff.Transport{Base: stack, Jitter: -1}}
		ctx, stop := context.WithTimeout(t.Context(), 178*time.Minute)
		defer stop()
		steer := func(at time.Duration, v backoff.Value) {
			time.AfterFunc(at, func() { store.Set(ctx, v) })
		}
		steer(12*time.Minute, backoff.Value{Interval: 20 * time.Minute, Note: "slow"})
		steer(56*time.Minute, backoff.Value{Interval: time.Hour, Unavailable: 1, Note: "shut"})
		steer(100*time.Minute, backoff.Value{})

		poller := &backoff.Poller{Jitter: -1, Poll: func(ctx context.Context) error {
			request, err := http.NewRequestWithContext(ctx, "GET", "http://sync.example/", nil)
			if err != nil {
				return err
			}
			response, err := client.Do(request)
			if err != nil {
				return err
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				return fmt.Errorf("sync: %s", response.Status)
			}
			return nil
		}}
		poller.Run(ctx)

		// Every 5 minutes; told 20 at minute 15 and 35 and 55; refused at 75 and
		// told an hour, whatever the operator does meanwhile.
		want := "[0s 5m0s 10m0s 15m0s 35m0s 55m0s 2h15m0s 2h20m0s 2h25m0s 2h30m0s 2h35m0s 2h40m0s 2h45m0s 2h50m0s 2h55m0s]"
		if got := fmt.Sprint(served); got != want {
			t.Errorf("served at %s\nwant      %s", got, want)
		}
	})
}
