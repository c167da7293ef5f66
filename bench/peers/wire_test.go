package peers

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/mask"
)

const (
	writeBufferSize = 8 << 10 // of the libraries that have a write buffer
	wireSize        = 64 << 10
	bufferSize      = wireSize + 64 // of every library's read buffer: a wire whole
)

// A wire is a buffer full of a client's frames, each with another payload and key.
type wire struct {
	octets   []byte
	payloads [][]byte
	size     int // of each payload
}

func newWire(op codec.Opcode, size int) *wire {
	w := &wire{size: size}
	h := codec.Header{FIN: true, Opcode: op, Masked: true, PayloadLength: int64(size)}
	text := []byte(strings.Repeat("text of ASCII; ", size/15+2))
	for n := len(codec.AppendHeader(nil, h)) + size; len(w.octets)+n <= wireSize || len(w.octets) == 0; {
		i := len(w.payloads)
		h.MaskingKey = mask.Key{byte(i*7 + 1), byte(i*13 + 5), byte(i >> 8), 0x5A}
		payload := text[i%15:][:size]
		w.octets = codec.AppendFrame(w.octets, h, payload)
		w.payloads = append(w.payloads, payload)
	}
	return w
}

// unmasked is what is left of the wire's octets by who unmasks in place.
func (w *wire) unmasked() []byte {
	b := bytes.Clone(w.octets)
	head := len(b)/len(w.payloads) - w.size
	for i, payload := range w.payloads {
		copy(b[i*(head+w.size)+head:], payload)
	}
	return b
}

// A pipe is the connection that a library is given. What is read from it is a
// wire's octets, again for each of passes and then io.EOF; what is written to it is
// thrown away. A read of a buffer of bufferSize is one copy of the wire: the same
// as the refill of who works in place.
type pipe struct {
	octets []byte
	at     int
	passes int
	answer []byte    // to a client's opening handshake, read first
	kept   io.Writer // gets what is written, if not nil
}

func (p *pipe) Read(b []byte) (int, error) {
	if len(p.answer) > 0 {
		n := copy(b, p.answer)
		p.answer = p.answer[n:]
		return n, nil
	}
	if p.at == len(p.octets) {
		if p.passes == 0 {
			return 0, io.EOF
		}
		p.passes--
		p.at = 0
	}
	n := copy(b, p.octets[p.at:])
	p.at += n
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error) {
	if p.kept != nil {
		return p.kept.Write(b)
	}
	return len(b), nil
}

func (p *pipe) Close() error                     { return nil }
func (p *pipe) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (p *pipe) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// newPipe returns a connection that reads passes times w. The first pass begins
// with the first read.
func newPipe(w *wire) *pipe {
	if w == nil {
		return &pipe{}
	}
	return &pipe{octets: w.octets, at: len(w.octets)}
}

// A hijacker is the http.ResponseWriter with which a library upgrades a pipe.
type hijacker struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReaderSize(h.conn, bufferSize), bufio.NewWriterSize(h.conn, writeBufferSize)), nil
}

// upgradeRequest returns what a library's server side needs for p.
func upgradeRequest(p *pipe) (http.ResponseWriter, *http.Request) {
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	for name, value := range map[string]string{
		"Upgrade":               "websocket",
		"Connection":            "Upgrade",
		"Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key":     "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(name, value)
	}
	return hijacker{httptest.NewRecorder(), p}, r
}

// A clientPipe is a pipe that answers a client's opening handshake.
type clientPipe struct {
	pipe
	head   []byte
	opened bool
}

// dial stands for the dialing of a network.
func (p *clientPipe) dial(network, addr string) (net.Conn, error) { return p, nil }

func (p *clientPipe) Write(b []byte) (int, error) {
	if p.opened {
		return p.pipe.Write(b)
	}
	p.head = append(p.head, b...)
	if bytes.HasSuffix(p.head, []byte("\r\n\r\n")) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p.head)))
		if err != nil {
			return 0, err
		}
		p.opened = true
		p.answer = []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
			accept(r.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n")
	}
	return len(b), nil
}

// accept is RFC 6455 section 4.2.2, 5.4.
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// must is for the opening of connections, outside of what is measured.
func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
