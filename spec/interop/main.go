// SPDX-License-Identifier: MIT

// Interop plays the other side of a tunnel on quic-go: a client with well-
// and ill-mannered handlers, a server that forwards, a hostile raw peer, and
// an origin for clients that forward.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

type command struct {
	name        string
	description string
	run         func(ctx context.Context, arguments []string) error
}

var commands = []command{
	{"client", "register in a group and answer requests", runClient},
	{"server", "accept registrations and forward requests", runServer},
	{"raw", "misbehave towards a server", runRaw},
	{"origin", "answer over HTTP/1.1 as client does", runOrigin},
}

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	for _, c := range commands {
		if c.name == os.Args[1] {
			os.Exit(execute(c))
		}
	}
	usage()
}

func execute(c command) int {
	ctx, stop := signal.NotifyContext(context.Background(),
		os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.run(ctx, os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "interop %s: %v\n", c.name, err)
		return 1
	}
	return 0
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: interop COMMAND [FLAGS]")
	for _, c := range commands {
		fmt.Fprintf(os.Stderr, "  %-8s %s\n", c.name, c.description)
	}
	os.Exit(2)
}
