// SPDX-License-Identifier: MIT

package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// handlers answer by the first segment of the path; nothing cleans the path
// or redirects, so that odd ones arrive here as they were sent.
var handlers = map[string]http.HandlerFunc{
	"bytes":     handleBytes,
	"early":     handleEarly,
	"echo":      handleEcho,
	"fo":        handlePong,
	"headers":   handleHeaders,
	"hints":     handleHints,
	"hop":       handleHop,
	"longname":  handleLongName,
	"longvalue": handleLongValue,
	"overlong":  handleOverlong,
	"panic":     handlePanic,
	"pong":      handlePong,
	"release":   handleRelease,
	"reset":     handleReset,
	"short":     handleShort,
	"sink":      handleSink,
	"slow":      handleSlow,
	"sse":       handleEvents,
	"status":    handleStatus,
	"stuck":     handleStuck,
	"trailers":  handleTrailers,
	"upgrade":   handleUpgrade,
}

func newHandler(trace bool) http.Handler {
	return http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if trace {
				event("request", "method", r.Method,
					"host", r.Host, "path", r.RequestURI)
			}
			first, _, _ := strings.Cut(
				strings.TrimPrefix(r.URL.Path, "/"), "/")
			if r.URL.Path == "*" {
				first = "headers"
			}
			if handle, ok := handlers[first]; ok {
				handle(w, r)
				return
			}
			http.NotFound(w, r)
		})
}

// number is the second segment of the path.
func number(r *http.Request) (int, error) {
	segments := strings.Split(r.URL.Path, "/")
	if len(segments) < 3 {
		return 0, fmt.Errorf("no number in %s", r.URL.Path)
	}
	return strconv.Atoi(segments[2])
}

// parameter is a number in the query.
func parameter(r *http.Request, name string, otherwise int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil {
		return otherwise
	}
	return n
}

func handlePong(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "PONG\n")
}

// handleBytes sends N bytes; the one at offset i is i modulo 251.
func handleBytes(w http.ResponseWriter, r *http.Request) {
	left, err := number(r)
	if err != nil || left < 0 {
		http.Error(w, "want /bytes/N", http.StatusBadRequest)
		return
	}
	const period = 251
	block := make([]byte, 128*period)
	for i := range block {
		block[i] = byte(i % period)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(left))
	for left > 0 {
		n, err := w.Write(block[:min(left, len(block))])
		if err != nil {
			return
		}
		left -= n
	}
}

// handleEcho sends each piece of the body back as soon as it came.
func handleEcho(w http.ResponseWriter, r *http.Request) {
	if value := r.Header.Get("Content-Type"); value != "" {
		w.Header().Set("Content-Type", value)
	}
	w.(http.Flusher).Flush()
	piece := make([]byte, 16*1024)
	for {
		n, err := r.Body.Read(piece)
		if n > 0 {
			if _, failure := w.Write(piece[:n]); failure != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

func handleSink(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		event("aborted", "path", r.RequestURI, "bytes", n,
			"error", err.Error())
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%d %x\n", n, sum.Sum(nil))
}

// handleHeaders shows the request as it arrived, except for field order.
func handleHeaders(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"method":         r.Method,
		"host":           r.Host,
		"path":           r.RequestURI,
		"protocol":       r.Proto,
		"content_length": r.ContentLength,
		"fields":         r.Header,
	})
}

func handleStatus(w http.ResponseWriter, r *http.Request) {
	status, err := number(r)
	if err != nil || status < 200 || status > 999 {
		http.Error(w, "want /status/N", http.StatusBadRequest)
		return
	}
	w.WriteHeader(status)
}

// handleHints sends informational heads before the final one.
func handleHints(w http.ResponseWriter, r *http.Request) {
	status := parameter(r, "status", http.StatusEarlyHints)
	if status < 100 || status > 199 {
		http.Error(w, "want a status of 1xx", http.StatusBadRequest)
		return
	}
	w.Header().Set("Link", "</style.css>; rel=preload; as=style")
	for i := 0; i < parameter(r, "count", 1); i++ {
		w.WriteHeader(status)
	}
	w.Header().Del("Link")
	io.WriteString(w, "PONG\n")
}

func handleTrailers(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "X-Checksum")
	io.WriteString(w, "body before trailers\n")
	w.(http.Flusher).Flush()
	w.Header().Set("X-Checksum", "0123abcd")
	w.Header().Set(http.TrailerPrefix+"X-Late", "not announced")
}

// handleSlow waits before the head: for a release of ?gate, or ?ms.
func handleSlow(w http.ResponseWriter, r *http.Request) {
	pause := time.Duration(parameter(r, "ms", 1000)) * time.Millisecond
	if wait(r, pause) {
		io.WriteString(w, "PONG\n")
	}
}

// handleEvents sends ?count server-sent events, each flushed on its own,
// after a release of ?gate or after ?ms.
func handleEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.(http.Flusher).Flush()
	for i := 1; i <= parameter(r, "count", 3); i++ {
		if !waitBriefly(r) {
			return
		}
		fmt.Fprintf(w, "data: event %d\n\n", i)
		w.(http.Flusher).Flush()
	}
}
