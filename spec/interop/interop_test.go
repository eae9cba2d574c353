// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

const patience = 10 * time.Second

var events = make(chan string, 1024)

// TestMain turns standard output's events into a channel.
func TestMain(m *testing.M) {
	reader, writer := io.Pipe()
	eventWriter = writer
	go func() {
		lines := bufio.NewScanner(reader)
		for lines.Scan() {
			events <- lines.Text()
		}
	}()
	os.Exit(m.Run())
}

// expect skips events up to one that begins with prefix.
func expect(t *testing.T, prefix string) string {
	t.Helper()
	late := time.After(patience)
	var seen []string
	for {
		select {
		case line := <-events:
			if strings.HasPrefix(line, prefix) {
				return line
			}
			seen = append(seen, line)
		case <-late:
			t.Fatalf("no event %q, but %q", prefix, seen)
		}
	}
}

func start(t *testing.T, run func(context.Context, []string) error,
	arguments ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, arguments) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	return stop
}

// startServer returns the tunnel address and the visitors' URL.
func startServer(t *testing.T, arguments ...string) (string, string) {
	t.Helper()
	start(t, runServer, append([]string{"-address", "127.0.0.1:0",
		"-http", "127.0.0.1:0"}, arguments...)...)
	line := expect(t, "listening")
	found := regexp.MustCompile(`tunnel="(.*)" http="(.*)"`).
		FindStringSubmatch(line)
	return found[1], "http://" + found[2]
}

func startClient(t *testing.T, address string, arguments ...string) func() {
	t.Helper()
	return start(t, runClient, append([]string{"-address", address,
		"-insecure"}, arguments...)...)
}

// get returns status and body; a body that breaks off ends in "!".
func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		body = append(body, '!')
	}
	return response, string(body)
}

func TestRequestsGoThrough(t *testing.T) {
	address, url := startServer(t, "-username", "user", "-password", "pass")
	stop := startClient(t, address, "-username", "user",
		"-password", "pass")
	expect(t, "registered peer=")
	if _, body := get(t, url+"/fo"); body != "PONG\n" {
		t.Errorf("/fo: %q", body)
	}
	if _, body := get(t, url+"/bytes/1000000"); len(body) != 1000000 ||
		body[252] != 1 {
		t.Errorf("/bytes: %d bytes", len(body))
	}
	if r, _ := get(t, url+"/status/418"); r.StatusCode != 418 {
		t.Errorf("/status: %d", r.StatusCode)
	}
	if r, _ := get(t, url+"/trailers"); r.Trailer.Get(
		"X-Checksum") != "0123abcd" {
		t.Errorf("/trailers: %v", r.Trailer)
	}
	stop()
	expect(t, "closed peer=")
}

func TestBodiesAreSentBack(t *testing.T) {
	address, url := startServer(t)
	startClient(t, address)
	expect(t, "registered peer=")
	sent := bytes.Repeat([]byte("0123456789"), 100_000)
	for path, want := range map[string]string{
		"/echo": string(sent),
		"/sink": fmt.Sprintf("%d %x\n", len(sent), sha256.Sum256(sent)),
	} {
		response, err := http.Post(url+path, "text/plain",
			bytes.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if string(body) != want {
			t.Errorf("%s: %d bytes", path, len(body))
		}
	}
}

func TestEventsComeOneByOne(t *testing.T) {
	address, url := startServer(t)
	startClient(t, address)
	expect(t, "registered peer=")
	response, err := http.Get(url + "/sse?gate=one")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	for i := 1; i <= 3; i++ {
		get(t, url+"/release/one")
		line, _ := lines.ReadString('\n')
		if line != fmt.Sprintf("data: event %d\n", i) {
			t.Errorf("event %d: %q", i, line)
		}
		lines.ReadString('\n')
	}
}

func TestRefusals(t *testing.T) {
	address, _ := startServer(t, "-token", "secret")
	startClient(t, address, "-token", "wrong")
	expect(t, `refused code=2 app=true remote=true reason="unauthorized"`)
	startClient(t, address, "-token", "secret", "-group", "other")
	expect(t, `refused code=1 app=true remote=true reason="not found"`)
	startClient(t, address, "-token", "secret")
	expect(t, "registered code=0")
}

func TestTunnelsTakeTurns(t *testing.T) {
	address, url := startServer(t)
	startClient(t, address)
	expect(t, "registered peer=")
	stop := startClient(t, address)
	expect(t, "registered peer=")
	for i := 0; i < 4; i++ {
		if _, body := get(t, url+"/pong"); body != "PONG\n" {
			t.Errorf("request %d: %q", i, body)
		}
	}
	stop()
	expect(t, "closed peer=")
	if _, body := get(t, url+"/pong"); body != "PONG\n" {
		t.Errorf("the remaining tunnel: %q", body)
	}
}

func TestMisconductShows(t *testing.T) {
	for path, want := range map[string]string{
		"/panic":              "502 ",
		"/hop":                "502 ",
		"/short":              "200 " + strings.Repeat("s", 50) + "!",
		"/reset?ms=100":       "200 " + strings.Repeat("r", 10) + "!",
		"/panic?ms=9&bytes=3": "200 xxx!",
		"/early":              "413 too large\n",
	} {
		t.Run(path, func(t *testing.T) {
			address, url := startServer(t)
			startClient(t, address)
			expect(t, "registered peer=")
			r, body := get(t, url+path)
			got := fmt.Sprintf("%d %s", r.StatusCode, body)
			if got != want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestHostilePeers(t *testing.T) {
	for name, want := range map[string]string{
		"wrongalpn": "closed code=376 app=false remote=true",
		"noalpn":    "closed code=376 app=false remote=true",
		"empty":     `closed code=1 app=true remote=true reason="EOF"`,
		"badfirst":  "closed code=1 app=true remote=true",
		"silent":    "registered code=0",
		"second":    "registered code=0",
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := startServer(t)
			start(t, runRaw, "-address", address, "-insecure",
				"-mode", name)
			expect(t, want)
		})
	}
}

func TestMessagesOnTheWire(t *testing.T) {
	var wire bytes.Buffer
	writeMessage(&wire, registration{Version: 1, TunnelGroup: "main"})
	if got := fmt.Sprintf("%x", wire.Bytes()); got !=
		"83a756657273696f6ecc01ab54756e6e656c47726f7570a46d61696e"+
			"a84d65746164617461c0" {
		t.Errorf("registration: %s", got)
	}
	wire.Reset()
	writeMessage(&wire, answer{Version: 1})
	if got := fmt.Sprintf("%x", wire.Bytes()); got !=
		"84a756657273696f6ecc01a4436f6465cc00a84d65746164617461c0"+
			"a4426f6479c0" {
		t.Errorf("answer: %s", got)
	}
}
