package memnet_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
)

// FuzzLikeTCP makes scripts up, one step a byte, and wants the same of memnet
// and of the machine's loopback interface at each step.
func FuzzLikeTCP(f *testing.F) {
	f.Add([]byte{0, 9, 2, 8, 10, 3, 11, 1, 12})
	f.Add([]byte{8, 0, 5, 6, 9, 1, 8, 8})
	f.Add([]byte{0, 0, 7, 6, 9, 9, 9, 8, 8, 11})
	f.Add([]byte{4, 8, 1, 0, 1, 6, 9, 8, 8})
	f.Add([]byte{0, 3, 5, 6, 9, 9, 8, 8, 9})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 24 {
			return
		}
		var patience time.Duration // with reads that have nothing to wait for
		s := script{"made up", func(a, b tcpConn, note func(string, ...any)) {
			ends := [2]tcpConn{a, b}
			var shut [2][8]bool
			for _, op := range program {
				side := int(op) / 8 % 2
				c := ends[side]
				shut[side][op%8] = true
				if shut[side][3] && shut[side][4] {
					return // where memnet differs, see doc.go
				}
				switch op % 8 {
				case 0:
					note("%d writes %s", side, write(c, "hello"))
				case 1:
					c.SetReadDeadline(time.Now().Add(patience))
					note("%d reads %s", side, read(c, 3))
				case 2:
					c.SetReadDeadline(time.Now().Add(patience))
					note("%d reads %s", side, read(c, 100))
				case 3:
					note("%d closes write %s", side, describe(c.CloseWrite()))
				case 4:
					note("%d closes read %s", side, describe(c.CloseRead()))
				case 5:
					note("%d linger %s", side, describe(c.SetLinger(0)))
				case 6:
					note("%d closes %s", side, describe(c.Close()))
				case 7:
					note("%d writes nothing %s", side, write(c, ""))
				}
			}
		}}
		var failure string
		// A busy machine may need more of it.
		for _, patience = range []time.Duration{5 * time.Millisecond, 100 * time.Millisecond, time.Second} {
			var n memnet.Network
			got := record(t, s, n.Listen, n.Dial)
			n.Close()
			want := record(t, s, net.Listen, net.Dial)
			if failure = difference(got, want); failure == "" {
				return
			}
		}
		t.Fatalf("%v, %s", program, failure)
	})
}

func difference(got, want []string) string {
	for i := range want {
		if got[i] != want[i] {
			return fmt.Sprintf("step %d\nmemnet:   %s\nloopback: %s", i+1, got[i], want[i])
		}
	}
	return ""
}
