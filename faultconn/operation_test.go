package faultconn_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// Each operation is late by a draw of its own, and a stream brings no more in
// each delay than is read ahead.
func TestDelayOfEachOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		log := record(&inj)
		each := func(f faultconn.Fault) faultconn.Plan {
			return rules(faultconn.Rule{Name: "r", Scope: faultconn.PerOperation, Fault: f})
		}
		must(t, &inj, each(fault.Delay{For: 100 * ms, Jitter: 90 * ms}))
		client, server := pipe(t, &inj)
		drawn := map[time.Duration]bool{}
		for i := range 10 {
			start := time.Now()
			server.Write([]byte{byte(i)})
			client.Read(make([]byte, 9))
			events := log()
			if len(events) != i+1 || time.Since(start) != events[i].Delay {
				t.Fatalf("message %d is late by %v, events %v", i, time.Since(start), events)
			}
			drawn[events[i].Delay] = true
		}
		if len(drawn) < 9 {
			t.Errorf("%d different delays in ten reads", len(drawn))
		}

		must(t, &inj, each(fault.Delay{For: 100 * ms}))
		const size = 8 << 20
		go server.Write(make([]byte, size))
		start := time.Now()
		if _, err := io.ReadFull(client, make([]byte, size)); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d < size/(512<<10)*100*ms || d > size/(256<<10)*100*ms {
			t.Errorf("%d bytes took %v, want 256 to 512 KiB each 100ms", size, d)
		}
	})
}

// TLS over a connection whose data are late: the handshake takes a delay for each
// of its rounds, data and the end of the stream come as late as they should, and
// Close waits for nothing.
func TestTLSOverLateData(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	certs.Close()
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: 100 * ms}))
		wire, server := pipe(t, &inj)
		client := tls.Client(wire, &tls.Config{InsecureSkipVerify: true})
		start := time.Now()
		sent := make([]byte, 1<<20)
		rand.NewChaCha8([32]byte{}).Read(sent)
		go func() {
			s := tls.Server(server, &tls.Config{Certificates: certs.TLS.Certificates})
			s.Read(make([]byte, 1))
			s.Write(sent)
			s.CloseWrite()
		}()
		if err := client.Handshake(); err != nil || time.Since(start) != 100*ms {
			t.Errorf("handshake: %v after %v, want 100ms", err, time.Since(start))
		}
		client.Write([]byte("?"))
		got, err := io.ReadAll(client)
		if !bytes.Equal(got, sent) || err != nil || time.Since(start) != 200*ms {
			t.Errorf("%d bytes, %v after %v, want %d after 200ms", len(got), err, time.Since(start), len(sent))
		}
		if err := client.Close(); err != nil || time.Since(start) != 200*ms {
			t.Errorf("close: %v after %v", err, time.Since(start))
		}
	})
}
