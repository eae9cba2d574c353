// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Gates let a test decide when a handler goes on, without sleeping: one
// request waits with ?gate=NAME, another one releases it by /release/NAME.
// A release that comes first is kept.
const keptReleases = 1024

var (
	gates    = map[string]chan struct{}{}
	gateLock sync.Mutex
)

func gate(name string) chan struct{} {
	gateLock.Lock()
	defer gateLock.Unlock()
	if gates[name] == nil {
		gates[name] = make(chan struct{}, keptReleases)
	}
	return gates[name]
}

// wait returns false if the request was cancelled meanwhile.
func wait(r *http.Request, pause time.Duration) bool {
	var released <-chan struct{}
	var elapsed <-chan time.Time
	if name := r.URL.Query().Get("gate"); name != "" {
		released = gate(name)
	} else {
		elapsed = time.After(pause)
	}
	select {
	case <-released:
	case <-elapsed:
	case <-r.Context().Done():
		event("cancelled", "path", r.RequestURI)
		return false
	}
	return true
}

// waitBriefly is for what happens after a part of the response.
func waitBriefly(r *http.Request) bool {
	return wait(r, time.Duration(parameter(r, "ms", 0))*time.Millisecond)
}

// handleRelease lets ?count waits (one by default) at a gate end.
func handleRelease(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/release/")
	kept := 0
	for i := 0; i < parameter(r, "count", 1); i++ {
		select {
		case gate(name) <- struct{}{}:
			kept++
		default:
			http.Error(w, "gate is full",
				http.StatusServiceUnavailable)
			return
		}
	}
	fmt.Fprintf(w, "%d\n", kept)
}
