package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// TestMirror makes scripts up and plays each between two ends that are
// connected directly, and again through a proxy: both ends see the same.
func TestMirror(t *testing.T) {
	for seed := range uint64(1000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		program := make([]byte, 2+rng.IntN(8))
		for i := range program {
			program[i] = byte(rng.IntN(256))
		}
		var direct, through []string
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, &proxy.Proxy{})
			defer r.stop()
			c, err := r.net.Host("client").Dial("tcp", "backend:1")
			if err != nil {
				t.Fatal(err)
			}
			s, err := r.backend.Accept()
			if err != nil {
				t.Fatal(err)
			}
			direct = play(c.(*memnet.Conn), s.(*memnet.Conn), program)
		})
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, &proxy.Proxy{})
			defer r.stop()
			c, s := r.connect()
			through = play(c, s, program)
		})
		for i := range direct {
			if direct[i] == through[i] {
				continue
			}
			if late[direct[i][2:]] == through[i][2:] {
				break
			}
			t.Errorf("seed %d\ndirect:  %q\nthrough: %q", seed, direct[:i+1], through[:i+1])
			break
		}
	}
}

// late is the one difference: an RST that follows a FIN is noticed one write
// later.
var late = map[string]string{
	"writes 0 pipe":          "writes 5 <nil>",
	"closes write 0 notconn": "closes write 0 <nil>",
}

func what(n int, err error) string {
	for name, target := range map[string]error{
		"reset": syscall.ECONNRESET, "pipe": syscall.EPIPE, "EOF": io.EOF, "timeout": os.ErrDeadlineExceeded, "notconn": syscall.ENOTCONN,
	} {
		if errors.Is(err, target) {
			return fmt.Sprint(n, " ", name)
		}
	}
	return fmt.Sprint(n, " ", err)
}

// play runs a program, a step a byte, and notes what the ends see. Whatever is on
// its way arrives between two steps.
func play(a, b *memnet.Conn, program []byte) (notes []string) {
	synctest.Wait()
	ends := [2]*memnet.Conn{a, b}
	var closed [2]bool
	for _, op := range program {
		side := int(op) / 8 % 2
		c := ends[side]
		if closed[side] {
			continue
		}
		note := ""
		switch op % 8 {
		case 0, 6:
			n, err := c.Write([]byte("hello"))
			note = "writes " + what(n, err)
		case 1, 2, 7:
			c.SetReadDeadline(time.Now().Add(time.Hour))
			n, err := c.Read(make([]byte, 100))
			note = "reads " + what(n, err)
		case 3:
			note = "closes write " + what(0, c.CloseWrite())
		case 4:
			note = "closes " + what(0, c.Close())
			closed[side] = true
		case 5:
			c.SetLinger(0)
			note = "aborts " + what(0, c.Close())
			closed[side] = true
		}
		synctest.Wait()
		notes = append(notes, fmt.Sprint(side, " ", note))
	}
	a.Close()
	b.Close()
	return notes
}
