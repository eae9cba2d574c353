// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/quic-go/quic-go"
)

// raw is one hostile connection.
type raw struct {
	peer
	conn  quic.Connection
	bytes chunks
	keep  bool
	reset int64
	stop  int64
	pause time.Duration
}

// A mode misbehaves in the background and returns at once, or when it has no
// more to do; the connection stays until the server or -for ends it.
type mode struct {
	description string
	run         func(r *raw) error
}

var modes = map[string]mode{}

func runRaw(ctx context.Context, arguments []string) error {
	var r raw
	flags := flag.NewFlagSet("raw", flag.ContinueOnError)
	r.peer.addFlags(flags)
	name := flags.String("mode", "", "see the list below")
	stay := flags.Duration("for", time.Minute, "then leave")
	flags.Var(&r.bytes, "hex", "bytes to send, repeatable")
	flags.BoolVar(&r.keep, "keep", false, "do not end streams with FIN")
	flags.Int64Var(&r.reset, "reset", -1, "end streams by RESET_STREAM")
	flags.Int64Var(&r.stop, "stop", -1, "send STOP_SENDING on requests")
	flags.DurationVar(&r.pause, "pause", 100*time.Millisecond,
		"between the bytes of mode drip, and from -hex to -reset")
	flags.Usage = func() { printModes(flags) }
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	chosen, ok := modes[*name]
	if !ok {
		flags.Usage()
		return fmt.Errorf("unknown mode %q", *name)
	}
	conn, err := r.dial(ctx, protocolsOf(*name)...)
	if err != nil {
		closingEvent("closed", err)
		return nil
	}
	r.conn = conn
	event("connected")
	go func() {
		if err := chosen.run(&r); err != nil {
			event("stopped", "error", err.Error())
		}
	}()
	r.waitForEnd(ctx, *stay)
	return nil
}

func (r *raw) waitForEnd(ctx context.Context, stay time.Duration) {
	select {
	case <-r.conn.Context().Done():
	case <-time.After(stay):
	case <-ctx.Done():
	}
	r.conn.CloseWithError(closeNormal, "")
	closingEvent("closed", context.Cause(r.conn.Context()))
}

func protocolsOf(mode string) []string {
	switch mode {
	case "noalpn":
		return nil
	case "wrongalpn":
		return []string{"h3"}
	}
	return []string{tunnelProtocol}
}

func printModes(flags *flag.FlagSet) {
	flags.PrintDefaults()
	names := make([]string, 0, len(modes))
	for name := range modes {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(os.Stderr, "  %-12s %s\n", name,
			modes[name].description)
	}
}

// chunks is a flag of bytes in hex that may be given several times.
type chunks [][]byte

func (c *chunks) String() string {
	var texts []string
	for _, chunk := range *c {
		texts = append(texts, hex.EncodeToString(chunk))
	}
	return strings.Join(texts, " ")
}

func (c *chunks) Set(value string) error {
	chunk, err := hex.DecodeString(value)
	*c = append(*c, chunk)
	return err
}

// at returns the i-th, or the last one for all that follow.
func (c chunks) at(i int) []byte {
	if len(c) == 0 {
		return nil
	}
	return c[min(i, len(c)-1)]
}
