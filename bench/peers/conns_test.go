package peers

import (
	"bufio"
	"context"
	"errors"
	"io"
	"runtime"
	"testing"
	"unicode/utf8"

	coder "github.com/coder/websocket"
	fasthttp "github.com/fasthttp/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/lesismal/nbio/nbhttp"
	nbio "github.com/lesismal/nbio/nbhttp/websocket"
	"github.com/lxzan/gws"
	xnet "golang.org/x/net/websocket"
)

var errUTF8 = errors.New("text that is not UTF-8")

// readAll reads r to its end into b and returns what it read: io.ReadAll into memory
// that is used again.
func readAll(r io.Reader, b []byte) ([]byte, error) {
	n := 0
	for {
		m, err := r.Read(b[n:])
		n += m
		if err == io.EOF {
			return b[:n], nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// fail ends the benchmark or test if err is not the end of the pipe.
func fail(tb testing.TB, err error) {
	if !errors.Is(err, io.EOF) {
		tb.Fatal(err)
	}
}

func startGorilla(tb testing.TB, w *wire, text bool, see func([]byte)) func(int) int {
	p := newPipe(w)
	rw, r := upgradeRequest(p)
	c, err := (&gorilla.Upgrader{ReadBufferSize: bufferSize}).Upgrade(rw, r, nil)
	must(tb, err)
	b := make([]byte, w.size+1)
	return func(passes int) (frames int) {
		p.passes = passes
		for range passes * len(w.payloads) {
			kind, r, err := c.NextReader()
			if err != nil {
				tb.Fatal(err)
			}
			payload, err := readAll(r, b)
			if err != nil {
				tb.Fatal(err)
			}
			if kind == gorilla.TextMessage && !utf8.Valid(payload) {
				tb.Fatal(errUTF8)
			}
			if see != nil {
				see(payload)
			}
			frames++
		}
		return frames
	}
}

func startFasthttp(tb testing.TB, w *wire, text bool, see func([]byte)) func(int) int {
	p := newPipe(w)
	rw, r := upgradeRequest(p)
	c, err := (&fasthttp.Upgrader{ReadBufferSize: bufferSize}).Upgrade(rw, r, nil)
	must(tb, err)
	b := make([]byte, w.size+1)
	return func(passes int) (frames int) {
		p.passes = passes
		for range passes * len(w.payloads) {
			kind, r, err := c.NextReader()
			if err != nil {
				tb.Fatal(err)
			}
			payload, err := readAll(r, b)
			if err != nil {
				tb.Fatal(err)
			}
			if kind == fasthttp.TextMessage && !utf8.Valid(payload) {
				tb.Fatal(errUTF8)
			}
			if see != nil {
				see(payload)
			}
			frames++
		}
		return frames
	}
}

// A gwsHandler counts messages and gives their memory back, as gws wants it.
type gwsHandler struct {
	gws.BuiltinEventHandler
	see    func([]byte)
	frames int
	err    error
}

func (h *gwsHandler) OnMessage(c *gws.Conn, m *gws.Message) {
	if h.see != nil {
		h.see(m.Bytes())
	}
	h.frames++
	m.Close()
}

func (h *gwsHandler) OnClose(c *gws.Conn, err error) { h.err = err }

func startGws(tb testing.TB, w *wire, text bool, see func([]byte)) func(int) int {
	p := newPipe(w)
	_, r := upgradeRequest(p)
	h := &gwsHandler{see: see}
	u := gws.NewUpgrader(h, &gws.ServerOption{CheckUtf8Enabled: text})
	c, err := u.UpgradeFromConn(p, bufio.NewReaderSize(p, bufferSize), r)
	must(tb, err)
	return func(passes int) int {
		p.passes = passes
		c.ReadLoop() // until the pipe ends
		fail(tb, h.err)
		return h.frames
	}
}

func startNbio(tb testing.TB, w *wire, text bool, see func([]byte)) func(int) int {
	frames := 0
	u := nbio.NewUpgrader()
	u.KeepaliveTime = 0 // else it sets a deadline for each message
	c := nbio.NewServerConn(u, newPipe(nil), "", false, false)
	c.Execute = nbhttp.SyncExecutor
	c.OnMessagePtr(func(c *nbio.Conn, _ nbio.MessageType, payload *[]byte) {
		if see != nil {
			see(*payload)
		}
		frames++
		c.Engine.BodyAllocator.Free(payload)
	})
	// Eight frames at once: Parse copies its input, and after each frame moves what is
	// left of it to the front, so that the whole buffer at once takes three times as
	// long; and one frame at once, half as long again.
	most := 8 * len(w.octets) / len(w.payloads)
	return func(passes int) int {
		for range passes {
			for rest := w.octets; len(rest) > 0; {
				n := min(most, len(rest))
				if err := c.Parse(rest[:n]); err != nil {
					tb.Fatal(err)
				}
				rest = rest[n:]
			}
		}
		return frames
	}
}

func startCoder(tb testing.TB, w *wire, text bool, see func([]byte)) func(int) int {
	p := newPipe(w)
	rw, r := upgradeRequest(p)
	c, err := coder.Accept(rw, r, &coder.AcceptOptions{CompressionMode: coder.CompressionDisabled})
	must(tb, err)
	c.SetReadLimit(-1)
	ctx := context.Background() // cannot be cancelled, so that no timer is set
	b := make([]byte, w.size+1)
	return func(passes int) (frames int) {
		p.passes = passes
		for range passes * len(w.payloads) {
			kind, r, err := c.Reader(ctx)
			if err != nil {
				tb.Fatal(err)
			}
			payload, err := readAll(r, b)
			if err != nil {
				tb.Fatal(err)
			}
			if kind == coder.MessageText && !utf8.Valid(payload) {
				tb.Fatal(errUTF8)
			}
			if see != nil {
				see(payload)
			}
			frames++
		}
		runtime.KeepAlive(c)
		return frames
	}
}

// xnetConn returns the server's side of p, which is used after its handler has
// returned: closing a pipe does nothing.
func xnetConn(p *pipe) (c *xnet.Conn) {
	rw, r := upgradeRequest(p)
	xnet.Server{Handler: func(conn *xnet.Conn) { c = conn }}.ServeHTTP(rw, r)
	return c
}

func startXnet(tb testing.TB, w *wire, text bool, see func([]byte)) func(int) int {
	p := newPipe(w)
	c := xnetConn(p)
	b := make([]byte, w.size+1)
	return func(passes int) (frames int) {
		p.passes = passes
		for range passes * len(w.payloads) {
			// Read goes on with the next frame by itself: the end of a message is not
			// told, so that only who knows the size can do it this way.
			n, err := io.ReadFull(c, b[:w.size])
			if err != nil {
				tb.Fatal(err)
			}
			if text && !utf8.Valid(b[:n]) {
				tb.Fatal(errUTF8)
			}
			if see != nil {
				see(b[:n])
			}
			frames++
		}
		return frames
	}
}
