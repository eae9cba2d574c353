// SPDX-License-Identifier: MIT

package main

import (
	"encoding/base64"
	"io"

	"github.com/vmihailenco/msgpack/v5"
)

const (
	tunnelProtocol  = "quic-h3-tunnel"
	protocolVersion = 1
)

// Application codes of a CONNECTION_CLOSE.
const (
	closeNormal      = 0
	closeServerError = 1
	closeClientError = 2
)

// Field names and their order are those on the wire.
type registration struct {
	Version     uint8
	TunnelGroup string
	Metadata    map[string]string
}

type answer struct {
	Version  uint8
	Code     uint8
	Metadata map[string]string
	Body     []byte
}

func writeMessage(w io.Writer, message any) error {
	bytes, err := msgpack.Marshal(message)
	if err != nil {
		return err
	}
	_, err = w.Write(bytes)
	return err
}

// readMessage reads up to the end of one value, not to the end of the stream.
func readMessage(r io.Reader, message any) error {
	return msgpack.NewDecoder(r).Decode(message)
}

func basicAuthorization(username, password string) string {
	pair := username + ":" + password
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

func bearerAuthorization(token string) string {
	return "Bearer " + token
}
