// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const internalError = 0x102 // H3_INTERNAL_ERROR

// handlePanic ends the request's stream by a reset with H3_INTERNAL_ERROR;
// with ?bytes it does so in the midst of a body. A reset discards what was
// not sent yet, so the head arrives for certain only if ?gate or ?ms gives it
// time.
func handlePanic(w http.ResponseWriter, r *http.Request) {
	if n := parameter(r, "bytes", 0); n > 0 {
		w.Write(bytes.Repeat([]byte{'x'}, n))
		w.(http.Flusher).Flush()
		waitBriefly(r)
	}
	panic(http.ErrAbortHandler)
}

// handleHop sets fields that must not be in an HTTP/3 message.
func handleHop(w http.ResponseWriter, r *http.Request) {
	fields := w.Header()
	fields.Set("Connection", "keep-alive, X-Named")
	fields.Set("Keep-Alive", "timeout=5")
	fields.Set("Proxy-Connection", "keep-alive")
	fields.Set("Transfer-Encoding", "chunked")
	fields.Set("Upgrade", "h2c")
	fields.Set("X-Named", "named by Connection")
	fields.Set("X-Kept", "kept")
	io.WriteString(w, "PONG\n")
}

// handleShort declares 100 bytes and sends 50.
func handleShort(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100")
	w.Write(bytes.Repeat([]byte{'s'}, 50))
}

// handleOverlong declares 10 bytes and sends 50.
func handleOverlong(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "10")
	stream := w.(http3.HTTPStreamer).HTTPStream()
	stream.Write(bytes.Repeat([]byte{'o'}, 50))
	stream.Close()
}

// handleReset sends ?bytes of a body, waits as handlePanic does, and resets
// the stream with ?code.
func handleReset(w http.ResponseWriter, r *http.Request) {
	stream := w.(http3.HTTPStreamer).HTTPStream()
	stream.Write(bytes.Repeat([]byte{'r'}, parameter(r, "bytes", 10)))
	waitBriefly(r)
	code := quic.StreamErrorCode(parameter(r, "code", internalError))
	stream.CancelRead(code)
	stream.CancelWrite(code)
}

func handleLongName(w http.ResponseWriter, r *http.Request) {
	n := parameter(r, "bytes", 300)
	w.Header().Set("X-"+strings.Repeat("n", max(n-2, 0)), "value")
	io.WriteString(w, "PONG\n")
}

func handleLongValue(w http.ResponseWriter, r *http.Request) {
	n := parameter(r, "bytes", 80*1024)
	w.Header().Set("X-Long", strings.Repeat("v", max(n, 0)))
	io.WriteString(w, "PONG\n")
}

// handleEarly answers without reading the body.
func handleEarly(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "too large", http.StatusRequestEntityTooLarge)
}

// handleStuck neither reads nor answers until the request is cancelled.
func handleStuck(w http.ResponseWriter, r *http.Request) {
	event("stuck", "path", r.RequestURI)
	<-r.Context().Done()
	event("cancelled", "path", r.RequestURI)
	panic(http.ErrAbortHandler)
}

// handleUpgrade accepts an extended CONNECT and echoes what follows.
func handleUpgrade(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "want CONNECT", http.StatusMethodNotAllowed)
		return
	}
	stream := w.(http3.HTTPStreamer).HTTPStream()
	event("upgraded", "protocol", r.Proto, "path", r.URL.RequestURI())
	n, err := io.Copy(stream, stream)
	stream.Close()
	event("downgraded", "bytes", n, "clean", err == nil)
}
