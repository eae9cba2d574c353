// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"flag"
	"net"
	"net/http"
	"strings"
)

// runOrigin serves the client's handlers over HTTP/1.1, for a tunnel client
// that forwards to an origin.
func runOrigin(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("origin", flag.ContinueOnError)
	address := flags.String("address", "127.0.0.1:8080", "port 0 for any")
	trace := flags.Bool("trace", false, "print a line for each request")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	event("listening", "http", listener.Addr().String())
	server := &http.Server{Handler: newOriginHandler(*trace)}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// newOriginHandler answers what takes another form in HTTP/1.1 itself, the
// rest as over HTTP/3.
func newOriginHandler(trace bool) http.Handler {
	handler := newHandler(trace)
	return http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasPrefix(r.URL.Path, "/reset"):
				resetConnection(w, r)
			case strings.HasPrefix(r.URL.Path, "/overlong"):
				sayTooMuch(w)
			default:
				// or net/http discards a body before it answers
				http.NewResponseController(w).EnableFullDuplex()
				handler.ServeHTTP(w, r)
			}
		})
}

// resetConnection ends a chunked body, after ?bytes of it, by a reset.
func resetConnection(w http.ResponseWriter, r *http.Request) {
	w.Write([]byte(strings.Repeat("r", parameter(r, "bytes", 10))))
	http.NewResponseController(w).Flush()
	waitBriefly(r)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// sayTooMuch declares 10 bytes and sends 50.
func sayTooMuch(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" +
		strings.Repeat("o", 50)))
}
