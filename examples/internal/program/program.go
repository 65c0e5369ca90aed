// Package program is what the commands of this module share: how a process
// begins and how it ends.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Main runs a command and, if it fails, ends the process.
//
// run gets the arguments without the program's name. Its context ends with
// SIGTERM or Ctrl-C; it should then begin nothing new, finish what is under way
// and return. A second signal ends the process at once.
//
// An error is printed with the command's name before it, and the exit status is
// 1. [flag.ErrHelp] is no error: who asked for the usage has got it.
func Main(name string, run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) {
	signalled, restore := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer restore()
	ctx, end := context.WithCancel(context.Background())
	defer end()
	context.AfterFunc(signalled, func() {
		restore() // before run knows: a second signal must not go to the first one's listener
		end()
	})
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
