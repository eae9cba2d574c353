// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/quic-go/quic-go"
)

// Events are lines on standard output for the program that started this one:
// a word, then key=value pairs; strings are quoted as Go and JSON quote them.
var (
	eventWriter io.Writer = os.Stdout
	eventLock   sync.Mutex
)

func event(name string, pairs ...any) {
	var line strings.Builder
	line.WriteString(name)
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&line, " %s=", pairs[i])
		if text, ok := pairs[i+1].(string); ok {
			line.WriteString(strconv.Quote(text))
		} else {
			fmt.Fprint(&line, pairs[i+1])
		}
	}
	line.WriteByte('\n')
	eventLock.Lock()
	defer eventLock.Unlock()
	io.WriteString(eventWriter, line.String())
}

// closing says how a connection ended. Application is true for the QUIC frame
// of type 0x1d, remote is true if the peer sent it.
type closing struct {
	code        uint64
	application bool
	remote      bool
	reason      string
}

func closingOf(err error) closing {
	var application *quic.ApplicationError
	if errors.As(err, &application) {
		return closing{uint64(application.ErrorCode), true,
			application.Remote, application.ErrorMessage}
	}
	var transport *quic.TransportError
	if errors.As(err, &transport) {
		reason := transport.ErrorMessage
		if reason == "" && !transport.Remote {
			reason = transport.Error()
		}
		return closing{uint64(transport.ErrorCode), false,
			transport.Remote, reason}
	}
	var idle *quic.IdleTimeoutError
	if errors.As(err, &idle) {
		return closing{reason: "idle timeout"}
	}
	var reset *quic.StatelessResetError
	if errors.As(err, &reset) {
		return closing{remote: true, reason: "stateless reset"}
	}
	if err == nil {
		return closing{}
	}
	return closing{reason: err.Error()}
}

func closingEvent(name string, err error, pairs ...any) {
	c := closingOf(err)
	event(name, append(pairs, "code", c.code, "app", c.application,
		"remote", c.remote, "reason", c.reason)...)
}
