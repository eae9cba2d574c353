// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/quic-go/quic-go"
)

// peer holds what every program that dials a tunnel server needs to know.
type peer struct {
	address    string
	serverName string
	insecure   bool
	caFile     string
	group      string
	username   string
	password   string
	token      string
	metadata   pairs
	idle       time.Duration
	keepAlive  time.Duration
	streams    int64
}

func (p *peer) addFlags(flags *flag.FlagSet) {
	flags.StringVar(&p.address, "address", "127.0.0.1:7171",
		"tunnel server, host:port")
	flags.StringVar(&p.serverName, "server-name", "localhost",
		"name in SNI and in the certificate")
	flags.BoolVar(&p.insecure, "insecure", false,
		"accept any certificate")
	flags.StringVar(&p.caFile, "ca", "", "PEM file of trusted roots")
	flags.StringVar(&p.group, "group", "main", "tunnel group")
	flags.StringVar(&p.username, "username", "", "for basic credentials")
	flags.StringVar(&p.password, "password", "", "for basic credentials")
	flags.StringVar(&p.token, "token", "", "for bearer credentials")
	flags.Var(&p.metadata, "metadata", "further key=value, repeatable")
	flags.DurationVar(&p.idle, "idle", 20*time.Second,
		"max_idle_timeout")
	flags.DurationVar(&p.keepAlive, "keep-alive", 10*time.Second,
		"period of PINGs, 0 for none")
	flags.Int64Var(&p.streams, "streams", 100,
		"bidirectional streams granted to the server")
}

func (p *peer) tlsConfig(protocols ...string) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         p.serverName,
		InsecureSkipVerify: p.insecure,
		NextProtos:         protocols,
	}
	if p.caFile == "" {
		return config, nil
	}
	roots, err := os.ReadFile(p.caFile)
	if err != nil {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(roots) {
		return nil, fmt.Errorf("no certificate in %s", p.caFile)
	}
	return config, nil
}

func (p *peer) dial(ctx context.Context, protocols ...string) (
	quic.Connection, error) {
	config, err := p.tlsConfig(protocols...)
	if err != nil {
		return nil, err
	}
	return quic.DialAddr(ctx, p.address, config, &quic.Config{
		MaxIdleTimeout:     p.idle,
		KeepAlivePeriod:    p.keepAlive,
		MaxIncomingStreams: p.streams,
	})
}

func (p *peer) registration() registration {
	r := registration{Version: protocolVersion, TunnelGroup: p.group}
	add := func(key, value string) {
		if r.Metadata == nil {
			r.Metadata = map[string]string{}
		}
		r.Metadata[key] = value
	}
	for _, pair := range p.metadata {
		key, value, _ := strings.Cut(pair, "=")
		add(key, value)
	}
	if p.username != "" {
		add("Authorization", basicAuthorization(p.username, p.password))
	} else if p.token != "" {
		add("Authorization", bearerAuthorization(p.token))
	}
	return r
}

// register tries on one stream after the other while the server ends them
// without an answer: a refusal then shows as the error of the connection.
func (p *peer) register(conn quic.Connection) (answer, error) {
	for {
		a, err := p.registerOnce(conn)
		if !errors.Is(err, io.EOF) &&
			!errors.Is(err, io.ErrUnexpectedEOF) {
			return a, err
		}
	}
}

func (p *peer) registerOnce(conn quic.Connection) (a answer, err error) {
	stream, err := conn.OpenStream()
	if err != nil {
		return a, err
	}
	defer stream.Close()
	if err := writeMessage(stream, p.registration()); err != nil {
		return a, err
	}
	return a, readMessage(stream, &a)
}

// pairs is a flag that may be given several times.
type pairs []string

func (p *pairs) String() string { return strings.Join(*p, " ") }

func (p *pairs) Set(value string) error {
	if !strings.Contains(value, "=") {
		return errors.New("want key=value")
	}
	*p = append(*p, value)
	return nil
}
