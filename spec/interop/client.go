// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	drainTimeout = 10 * time.Second
)

func runClient(ctx context.Context, arguments []string) error {
	var p peer
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	p.addFlags(flags)
	tries := flags.Int("retry", 1,
		"connections to try in all, -1 for no end")
	count := flags.Int("count", 1, "tunnels, each as a client of its own")
	trace := flags.Bool("trace", false, "print a line for each request")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	handler := newHandler(*trace)
	var group sync.WaitGroup
	for i := 0; i < *count; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			serveAlways(ctx, &p, handler, *tries)
		}()
	}
	group.Wait()
	return nil
}

func serveAlways(ctx context.Context, p *peer, handler http.Handler,
	tries int) {
	pause := firstPause
	for try := 1; ; try++ {
		final := serveOnce(ctx, p, handler)
		if final || ctx.Err() != nil || try == tries {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// serveOnce lives as long as one connection. It returns true if another try
// would be useless.
func serveOnce(ctx context.Context, p *peer, handler http.Handler) bool {
	conn, err := p.dial(ctx, tunnelProtocol)
	if err != nil {
		closingEvent("failed", err)
		return false
	}
	stop := context.AfterFunc(ctx, func() {
		conn.CloseWithError(closeNormal, "")
	})
	defer stop()
	a, err := p.register(conn)
	if err != nil {
		conn.CloseWithError(closeNormal, "")
		closingEvent("refused", err)
		return isFinal(err)
	}
	metadata, _ := json.Marshal(a.Metadata)
	event("registered", "code", a.Code, "metadata", string(metadata))
	serve(conn, handler)
	closingEvent("closed", context.Cause(conn.Context()))
	return false
}

// isFinal knows the refusals that no retry can change; an unknown group may
// still come to exist.
func isFinal(err error) bool {
	c := closingOf(err)
	return c.application && c.code == closeClientError &&
		(c.reason == "unauthorized" || c.reason == "bad request")
}

// serve answers requests until the connection ends. SIGUSR1 makes it send
// GOAWAY and finish what is open.
func serve(conn quic.Connection, handler http.Handler) {
	server := &http3.Server{Handler: handler}
	drain := make(chan os.Signal, 1)
	signal.Notify(drain, syscall.SIGUSR1)
	defer signal.Stop(drain)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-drain:
		case <-done:
			return
		}
		event("draining")
		limit, cancel := context.WithTimeout(context.Background(),
			drainTimeout)
		defer cancel()
		server.Shutdown(limit)
	}()
	server.ServeQUICConn(conn)
	conn.CloseWithError(closeNormal, "")
}
