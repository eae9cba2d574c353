// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"net"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
)

const shutdownTimeout = 5 * time.Second

type server struct {
	address     string
	httpAddress string
	certificate string
	key         string
	group       string
	username    string
	password    string
	token       string
	answer      string
	refuseCode  uint64
	refuse      string
	hang        bool
	drain       bool
	idle        time.Duration
	keepAlive   time.Duration
	tunnels     tunnels
}

func (s *server) addFlags(flags *flag.FlagSet) {
	flags.StringVar(&s.address, "address", "127.0.0.1:7171",
		"for tunnels, port 0 for any")
	flags.StringVar(&s.httpAddress, "http", "127.0.0.1:8181",
		"for visitors, port 0 for any")
	flags.StringVar(&s.certificate, "cert", "",
		"PEM file; without it the server signs its own")
	flags.StringVar(&s.key, "key", "", "PEM file")
	flags.StringVar(&s.group, "group", "main", "the only group")
	flags.StringVar(&s.username, "username", "", "basic credentials")
	flags.StringVar(&s.password, "password", "", "basic credentials")
	flags.StringVar(&s.token, "token", "", "bearer credentials")
	flags.StringVar(&s.answer, "answer", "",
		"hex, in place of the usual answer to a registration")
	flags.StringVar(&s.refuse, "refuse", "",
		"refuse everyone with this reason")
	flags.Uint64Var(&s.refuseCode, "refuse-code", closeServerError,
		"code that goes with -refuse")
	flags.BoolVar(&s.hang, "hang", false, "never answer a registration")
	flags.BoolVar(&s.drain, "drain", false,
		"compete for the request body as the original does")
	flags.DurationVar(&s.idle, "idle", time.Minute, "max_idle_timeout")
	flags.DurationVar(&s.keepAlive, "keep-alive", 30*time.Second,
		"period of PINGs, 0 for none")
}

func runServer(ctx context.Context, arguments []string) error {
	var s server
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	s.addFlags(flags)
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	certificate, err := loadCertificate(s.certificate, s.key)
	if err != nil {
		return err
	}
	listener, err := quic.ListenAddrEarly(s.address, &tls.Config{
		Certificates: []tls.Certificate{certificate},
		NextProtos:   []string{tunnelProtocol},
	}, &quic.Config{MaxIdleTimeout: s.idle, KeepAlivePeriod: s.keepAlive})
	if err != nil {
		return err
	}
	defer listener.Close()
	visitors, err := net.Listen("tcp", s.httpAddress)
	if err != nil {
		return err
	}
	public := &http.Server{Handler: newProxy(&s.tunnels, s.drain)}
	context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.Background(),
			shutdownTimeout)
		defer cancel()
		public.Shutdown(limit)
	})
	event("listening", "tunnel", listener.Addr().String(),
		"http", visitors.Addr().String())
	go public.Serve(visitors)
	return s.accept(ctx, listener)
}

// accept returns when ctx has ended and every connection was told so.
func (s *server) accept(ctx context.Context,
	listener *quic.EarlyListener) error {
	for {
		conn, err := listener.Accept(ctx)
		if ctx.Err() != nil {
			s.tunnels.closeAll()
			return nil
		}
		if err != nil {
			return err
		}
		go s.handle(conn)
	}
}

// handle lives as long as a connection. A refusal ends the stream first and
// then the connection, in this order, as the original does.
func (s *server) handle(conn quic.EarlyConnection) {
	address := conn.RemoteAddr().String()
	r, err := s.register(conn)
	if err != nil {
		var refused refusal
		if !errors.As(err, &refused) {
			refused = refusal{closeServerError, err.Error()}
		}
		conn.CloseWithError(refused.code, refused.reason)
		closingEvent("refused", context.Cause(conn.Context()),
			"peer", address, "group", r.TunnelGroup)
		return
	}
	metadata, _ := json.Marshal(r.Metadata)
	leave := s.tunnels.add(conn)
	event("registered", "peer", address, "group", r.TunnelGroup,
		"version", r.Version, "metadata", string(metadata))
	<-conn.Context().Done()
	leave()
	closingEvent("closed", context.Cause(conn.Context()),
		"peer", address)
}

type refusal struct {
	code   quic.ApplicationErrorCode
	reason string
}

func (r refusal) Error() string { return r.reason }

func (s *server) register(conn quic.Connection) (r registration, err error) {
	stream, err := conn.AcceptStream(conn.Context())
	if err != nil {
		return r, err
	}
	if s.hang {
		<-conn.Context().Done()
		return r, context.Cause(conn.Context())
	}
	defer stream.Close()
	if err := readMessage(stream, &r); err != nil {
		return r, err
	}
	if err := s.judge(r); err != nil {
		return r, err
	}
	if s.answer != "" {
		bytes, err := hex.DecodeString(s.answer)
		if err != nil {
			return r, err
		}
		_, err = stream.Write(bytes)
		return r, err
	}
	return r, writeMessage(stream, answer{Version: protocolVersion})
}

func (s *server) judge(r registration) error {
	if s.refuse != "" {
		return refusal{quic.ApplicationErrorCode(s.refuseCode),
			s.refuse}
	}
	if r.TunnelGroup != s.group {
		return refusal{closeServerError, "not found"}
	}
	presented := r.Metadata["Authorization"]
	switch {
	case s.username == "" && s.token == "":
		return nil
	case s.username != "" &&
		presented == basicAuthorization(s.username, s.password):
		return nil
	case s.token != "" && presented == bearerAuthorization(s.token):
		return nil
	}
	return refusal{closeClientError, "unauthorized"}
}
