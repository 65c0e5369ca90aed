// Command appsync-backoff tells the clients of a service how long to wait
// between polls, through the number in memcached that the service's servers
// read.
//
//	appsync-backoff set 20     ask every client to wait 20 seconds
//	appsync-backoff get        what is set now
//	appsync-backoff del        ask nothing of clients any more
//	appsync-backoff watch      print every change until interrupted
//
// It is the tool of the original App Sync server, with the same verbs, texts
// and exit codes; `appsync-backoff -h` lists what it has learnt since.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/memcachestore"
)

// Exit codes. The original had the first two, and 2 where its option parser
// gave up; it did not notice when memcached was down.
const (
	exitOK      = 0
	exitRefused = 1 // what was asked for makes no sense
	exitFailed  = 2 // the options cannot be parsed, or memcached failed
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is one invocation.
type command struct {
	memcached string
	timeout   time.Duration
	every     time.Duration
	json      bool
	force     bool
	ttl       time.Duration
	note      string
	share     float64
	refuse    float64
	out       io.Writer
}

// run is main but for the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := command{out: stdout}
	words, err := c.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, manual)
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "%sappsync-backoff: %v\n", usage, err)
		return exitFailed
	}
	err = c.do(ctx, words)
	var refused refusal
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprint(stderr, usage)
		return exitRefused
	case errors.As(err, &refused):
		fmt.Fprintln(stderr, refused)
		return exitRefused
	}
	fmt.Fprintf(stderr, "appsync-backoff: %v\n", err)
	return exitFailed
}

// parse reads the options, which may stand before, between and after the
// words, and returns the words.
func (c *command) parse(args []string) (words []string, err error) {
	fs := flag.NewFlagSet("appsync-backoff", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	for _, name := range []string{"m", "memcached"} {
		fs.StringVar(&c.memcached, name, memcachestore.DefaultAddr, "")
	}
	fs.DurationVar(&c.timeout, "timeout", 2*time.Second, "")
	fs.DurationVar(&c.every, "every", backoff.DefaultEvery, "")
	fs.BoolVar(&c.json, "json", false, "")
	fs.BoolVar(&c.force, "force", false, "")
	fs.DurationVar(&c.ttl, "ttl", 0, "")
	fs.StringVar(&c.note, "note", "", "")
	fs.Float64Var(&c.share, "probability", 0, "")
	fs.Float64Var(&c.refuse, "unavailable", 0, "")

	for len(args) > 0 {
		if number(args[0]) { // -5 is no option
			words, args = append(words, args[0]), args[1:]
			continue
		}
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if args = fs.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	switch {
	case len(words) == 0:
		return nil, errors.New("too few arguments")
	case c.timeout <= 0:
		return nil, fmt.Errorf("-timeout is %v: want a positive duration such as 2s", c.timeout)
	case c.every <= 0:
		return nil, fmt.Errorf("-every is %v: want a positive duration such as 1s", c.every)
	}
	return words, nil
}

func number(s string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil
}
