// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// newProxy forwards each request to the next tunnel. The target's name is
// never resolved; it makes :scheme "https" and leaves Host to the visitor.
func newProxy(t *tunnels, drain bool) http.Handler {
	target := &url.URL{Scheme: "https", Host: "tunnel.invalid"}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &forwarder{tunnels: t, drain: drain}
	return proxy
}

// tunnel is one connection with an HTTP/3 client on it, which opens its
// control stream with the first request.
type tunnel struct {
	conn      quic.EarlyConnection
	transport *http3.Transport
}

// newTunnel makes a transport that can "dial" its connection only once: after
// a request that failed it would do so again, and the tunnel is closed, as
// the original does.
func newTunnel(conn quic.EarlyConnection) *tunnel {
	var used atomic.Bool
	dial := func(context.Context, string, *tls.Config, *quic.Config) (
		quic.EarlyConnection, error) {
		if used.Swap(true) {
			conn.CloseWithError(closeServerError,
				"Connection closing")
			return nil, net.ErrClosed
		}
		return conn, nil
	}
	return &tunnel{conn, &http3.Transport{Dial: dial}}
}

// tunnels is a group's set, chosen from in turn.
type tunnels struct {
	lock sync.Mutex
	list []*tunnel
	next int
}

// add returns what takes the tunnel out again.
func (t *tunnels) add(conn quic.EarlyConnection) (leave func()) {
	added := newTunnel(conn)
	t.lock.Lock()
	defer t.lock.Unlock()
	t.list = append(t.list, added)
	return func() { t.remove(added) }
}

func (t *tunnels) remove(gone *tunnel) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if i := slices.Index(t.list, gone); i >= 0 {
		t.list = slices.Delete(t.list, i, i+1)
	}
}

func (t *tunnels) choose() *tunnel {
	t.lock.Lock()
	defer t.lock.Unlock()
	if len(t.list) == 0 {
		return nil
	}
	t.next = (t.next + 1) % len(t.list)
	return t.list[t.next]
}

func (t *tunnels) closeAll() {
	t.lock.Lock()
	defer t.lock.Unlock()
	for _, each := range t.list {
		each.conn.CloseWithError(closeNormal, "server closing down")
	}
}

type forwarder struct {
	tunnels *tunnels
	drain   bool
}

func (f *forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.drain && r.Body != nil {
		defer func() {
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}()
	}
	for {
		chosen := f.tunnels.choose()
		if chosen == nil {
			return nil, net.ErrClosed
		}
		response, err := chosen.transport.RoundTrip(r)
		if !errors.Is(err, net.ErrClosed) {
			return response, err
		}
		f.tunnels.remove(chosen)
	}
}
