// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	nestingLevels = 100_000
	uniStreamSize = 64 * 1024
)

// What a peer may do before it was accepted.
func init() {
	modes["wrongalpn"] = mode{"offer h3 as ALPN", sendNothing}
	modes["noalpn"] = mode{"offer no ALPN", sendNothing}
	modes["idle"] = mode{"say nothing after the handshake", sendNothing}
	modes["half"] = mode{"half a registration, then silence", sendHalf}
	modes["drip"] = mode{"a registration, byte by byte", sendSlowly}
	modes["huge"] = mode{"a group of 4 GiB, as far as it goes", sendHuge}
	modes["nest"] = mode{"100 000 nested arrays", sendNested}
	modes["badfirst"] = mode{"an HTTP/1.1 request", sendJunk}
	modes["empty"] = mode{"FIN at once", sendEmpty}
	modes["abort"] = mode{"half a registration, then -reset", sendAbort}
	modes["register"] = mode{"-hex as the registration", sendBytes}
	modes["uniflood"] = mode{"64 KiB on each uni stream", floodUni}
	modes["bidiflood"] = mode{"half on each bidi stream", floodBidi}
}

func (r *raw) message() []byte {
	var message bytes.Buffer
	// A bytes.Buffer cannot fail.
	writeMessage(&message, r.registration())
	return message.Bytes()
}

func (r *raw) half() []byte {
	message := r.message()
	return message[:len(message)/2]
}

// open starts the registration stream and reports what comes back on it.
func (r *raw) open() (quic.Stream, error) {
	stream, err := r.conn.OpenStream()
	if err != nil {
		return nil, err
	}
	go func() {
		received, err := io.ReadAll(stream)
		if len(received) > 0 || err == nil {
			event("answered", "stream", stream.StreamID(),
				"hex", hex.EncodeToString(received),
				"fin", err == nil)
		}
	}()
	return stream, nil
}

func (r *raw) send(message []byte) error {
	stream, err := r.open()
	if err != nil {
		return err
	}
	_, err = stream.Write(message)
	return err
}

func sendNothing(r *raw) error { return nil }

func sendHalf(r *raw) error { return r.send(r.half()) }

func sendJunk(r *raw) error {
	return r.send([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

func sendNested(r *raw) error {
	message := []byte("\x82\xa1X")
	message = append(message,
		bytes.Repeat([]byte{0x91}, nestingLevels)...)
	message = append(message, "\xc0\xabTunnelGroup\xa4main"...)
	return r.send(message)
}

func sendHuge(r *raw) error {
	stream, err := r.open()
	if err != nil {
		return err
	}
	message := []byte("\x81\xabTunnelGroup\xdb\xff\xff\xff\xff")
	filler := bytes.Repeat([]byte{'g'}, 16*1024)
	sent := 0
	for {
		n, err := stream.Write(message)
		sent += n
		if err != nil {
			event("sent", "bytes", sent)
			return err
		}
		message = filler
	}
}

func sendSlowly(r *raw) error {
	stream, err := r.open()
	if err != nil {
		return err
	}
	for _, each := range r.message() {
		if _, err := stream.Write([]byte{each}); err != nil {
			return err
		}
		time.Sleep(r.pause)
	}
	return nil
}

func sendEmpty(r *raw) error {
	stream, err := r.open()
	if err != nil {
		return err
	}
	return stream.Close()
}

func sendAbort(r *raw) error {
	stream, err := r.open()
	if err != nil {
		return err
	}
	if _, err := stream.Write(r.half()); err != nil {
		return err
	}
	stream.CancelWrite(quic.StreamErrorCode(max(r.reset, 0)))
	return nil
}

func sendBytes(r *raw) error {
	stream, err := r.open()
	if err != nil {
		return err
	}
	if _, err := stream.Write(r.bytes.at(0)); err != nil || r.keep {
		return err
	}
	return stream.Close()
}

// floodUni writes until no stream and no credit is left.
func floodUni(r *raw) error {
	for opened := 0; ; opened++ {
		stream, err := r.conn.OpenUniStream()
		if err != nil {
			event("opened", "streams", opened)
			return err
		}
		go stream.Write(make([]byte, uniStreamSize))
	}
}

func floodBidi(r *raw) error {
	for opened := 0; ; opened++ {
		if err := r.send(r.half()); err != nil {
			event("opened", "streams", opened)
			return err
		}
	}
}
