// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go"
)

// acceptTunnel registers one client by hand: the public side of the server
// cannot forward an upgrade.
func acceptTunnel(t *testing.T) *tunnel {
	t.Helper()
	certificate, err := loadCertificate("", "")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := quic.ListenAddrEarly("127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{certificate},
		NextProtos:   []string{tunnelProtocol},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	startClient(t, listener.Addr().String())
	conn, err := listener.Accept(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	s := server{group: "main"}
	if _, err := s.register(conn); err != nil {
		t.Fatal(err)
	}
	return newTunnel(conn)
}

func TestUpgradedStreamEchoes(t *testing.T) {
	accepted := acceptTunnel(t)
	reader, writer := io.Pipe()
	request, err := http.NewRequestWithContext(context.Background(),
		http.MethodConnect, "https://localhost/upgrade", reader)
	if err != nil {
		t.Fatal(err)
	}
	request.Proto = "websocket"
	response, err := accepted.transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, `upgraded protocol="websocket" path="/upgrade"`)
	for _, text := range []string{"ping", "pong"} {
		io.WriteString(writer, text)
		echoed := make([]byte, len(text))
		if _, err := io.ReadFull(response.Body, echoed); err != nil ||
			string(echoed) != text {
			t.Errorf("%q came back as %q: %v", text, echoed, err)
		}
	}
	writer.Close()
	if _, err := response.Body.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the end came as %v", err)
	}
	expect(t, `downgraded bytes=8 clean=true`)
}
