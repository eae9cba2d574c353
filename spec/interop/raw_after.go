// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"io"
	"time"

	"github.com/quic-go/quic-go"
)

var (
	// A control stream's type and empty SETTINGS.
	plainControl = []byte{0x00, 0x04, 0x00}
	// HEADERS with ":status: 200" from the static table.
	plainAnswer = []byte{0x01, 0x03, 0x00, 0x00, 0xd9}
)

const floodPayload = 1000

// What a peer may do once it was accepted.
func init() {
	modes["silent"] = mode{"never answer a request", staySilent}
	modes["answer"] = mode{
		"-hex as the answer to each request, then FIN or -keep, " +
			"-reset, -stop", answerBytes}
	modes["control"] = mode{
		"each -hex on a uni stream of its own, then FIN or -keep; " +
			"requests are answered with 200", sendControl}
	modes["controlflood"] = mode{
		"unknown frames (or -hex) on the control stream, without end",
		floodControl}
	modes["second"] = mode{"another registration", registerAgain}
}

func (r *raw) accepted() error {
	a, err := r.register(r.conn)
	if err != nil {
		return err
	}
	event("registered", "code", a.Code)
	return nil
}

func (r *raw) sendUni(bytes []byte, keep bool) error {
	stream, err := r.conn.OpenUniStream()
	if err != nil {
		return err
	}
	if _, err := stream.Write(bytes); err != nil || keep {
		return err
	}
	return stream.Close()
}

// eachRequest calls handle for every request stream until the connection ends.
func (r *raw) eachRequest(handle func(stream quic.Stream, i int)) error {
	for i := 0; ; i++ {
		stream, err := r.conn.AcceptStream(context.Background())
		if err != nil {
			return nil
		}
		event("request", "stream", stream.StreamID())
		go handle(stream, i)
	}
}

func staySilent(r *raw) error {
	if err := r.accepted(); err != nil {
		return err
	}
	if err := r.sendUni(plainControl, true); err != nil {
		return err
	}
	return r.eachRequest(func(quic.Stream, int) {})
}

func answerPlainly(stream quic.Stream, i int) {
	stream.Write(plainAnswer)
	stream.Close()
	io.Copy(io.Discard, stream)
}

func answerBytes(r *raw) error {
	if err := r.accepted(); err != nil {
		return err
	}
	if err := r.sendUni(plainControl, true); err != nil {
		return err
	}
	return r.eachRequest(func(stream quic.Stream, i int) {
		if r.stop >= 0 {
			stream.CancelRead(quic.StreamErrorCode(r.stop))
		} else {
			go io.Copy(io.Discard, stream)
		}
		stream.Write(r.bytes.at(i))
		if r.reset >= 0 {
			// A reset discards what was not sent yet.
			if len(r.bytes) > 0 {
				time.Sleep(r.pause)
			}
			stream.CancelWrite(quic.StreamErrorCode(r.reset))
		} else if !r.keep {
			stream.Close()
		}
	})
}

func sendControl(r *raw) error {
	if err := r.accepted(); err != nil {
		return err
	}
	for _, each := range r.bytes {
		if err := r.sendUni(each, r.keep); err != nil {
			return err
		}
	}
	return r.eachRequest(answerPlainly)
}

func floodControl(r *raw) error {
	if err := r.accepted(); err != nil {
		return err
	}
	go r.eachRequest(answerPlainly)
	stream, err := r.conn.OpenUniStream()
	if err != nil {
		return err
	}
	if _, err := stream.Write(plainControl); err != nil {
		return err
	}
	frame := r.bytes.at(0)
	if frame == nil {
		// Type 0x21 is reserved for exercising unknown frames; the
		// length takes a varint of two bytes.
		frame = append([]byte{0x21, 0x40 | floodPayload>>8,
			floodPayload & 0xff}, make([]byte, floodPayload)...)
	}
	for sent := 0; ; {
		n, err := stream.Write(frame)
		sent += n
		if err != nil {
			event("sent", "bytes", sent)
			return err
		}
	}
}

func registerAgain(r *raw) error {
	if err := r.accepted(); err != nil {
		return err
	}
	if err := r.send(r.message()); err != nil {
		return err
	}
	return r.eachRequest(answerPlainly)
}
