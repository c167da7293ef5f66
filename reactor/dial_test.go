//go:build linux

package reactor

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/poll"
)

var aPeer = netip.MustParseAddrPort("192.0.2.7:80")

// A caller is a probe that dials.
type caller struct {
	*probe
	accepts  chan string // subprotocol and state
	failures chan failure
	onDialed func(c Conn)
}

type failure struct {
	state any
	err   error
}

func newCaller() *caller {
	return &caller{probe: newProbe(), accepts: make(chan string, 100), failures: make(chan failure, 100)}
}

func (h *caller) Dialed(c Conn, res *handshake.Response) {
	state, _ := c.State().(string)
	h.accepts <- string(res.Subprotocol()) + " " + state
	if h.onDialed != nil {
		h.onDialed(c)
	}
}

func (h *caller) DialFailed(state any, err error) { h.failures <- failure{state, err} }

// A reactor that dials itself: the handshake, masked messages, a clean end.
func TestDialOurselves(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		h := newCaller()
		g := prepare(t, Config{Loops: 2, Subprotocols: []string{"b.example"}}, h)
		addr := "127.0.0.1:0"
		if network == "unix" {
			addr = filepath.Join(t.TempDir(), "s")
		}
		if err := g.r.Listen(network, addr); err != nil {
			t.Fatal(err)
		}
		addr = g.r.Addrs()[0].String()
		h.onMessage = func(c Conn, op codec.Opcode, payload []byte) {
			if len(payload) >= 1<<19 {
				c.Close(4000, "enough")
				return
			}
			c.Send(op, append(payload, payload...))
		}
		h.onOpened = func(c Conn) {
			if c.State() == "mine" {
				c.Send(codec.OpBinary, []byte(letters(3)))
			}
		}
		g.serve()
		err := g.r.Dial(network, addr, handshake.ClientRequest{Target: "/x?y", Subprotocols: []string{"a.example", "b.example"}}, "mine")
		if err != nil {
			t.Fatal(err)
		}
		if got := await(t, "Dialed", h.accepts); got != "b.example mine" {
			t.Errorf("subprotocol and state: %q", got)
		}
		for range 2 {
			if info := await(t, "Closed", h.ends); !info.Clean || info.Code != 4000 || info.Err != nil {
				t.Errorf("Closed with %+v", info)
			}
		}
		eventually(t, "both ends are closed", func() bool { return g.r.Stats().Conns == 0 })
		if st := g.r.Stats(); st.Opened != 2 || st.DialsFailed != 0 {
			t.Errorf("counted %d and %d", st.Opened, st.DialsFailed)
		}
		g.stop()
	}
}

// serveOnce answers one connection with what a test makes of the request.
func serveOnce(t *testing.T, answer func(conn net.Conn, req *http.Request)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := ln.Accept()
		ln.Close()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			t.Errorf("net/http does not read the request: %v", err)
			return
		}
		answer(conn, req)
	}()
	return ln.Addr().String()
}

// listenSilently returns an address that takes connections and never answers.
func listenSilently(t *testing.T) (addr string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 10)); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", sa.(*unix.SockaddrInet4).Port)
}

// switching returns a valid response to req, octets of frames behind it.
func switching(req *http.Request, frames string) []byte {
	key := handshake.AcceptKey(nil, []byte(req.Header.Get("Sec-WebSocket-Key")))
	return []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		string(key) + "\r\n\r\n" + frames)
}

// What a server sends behind its response in the same segments is served, and the
// client leaves the first FIN to the server (RFC 6455 §7.1.1).
func TestDialFramesBehindResponse(t *testing.T) {
	for _, size := range []int{1, 7, 1 << 16} {
		h := newCaller()
		g := prepare(t, Config{}, h)
		messages := make(chan string, 1)
		h.onMessage = func(c Conn, op codec.Opcode, payload []byte) { messages <- string(payload) }
		g.serve()
		fin := make(chan error, 1)
		addr := serveOnce(t, func(conn net.Conn, req *http.Request) {
			out := switching(req, textOf("hello")+plain(0x88, "\x03\xE8"))
			for len(out) > 0 {
				n := min(size, len(out))
				conn.Write(out[:n])
				out = out[n:]
			}
			var b [100]byte
			n, err := conn.Read(b[:]) // the masked close frame
			if n != 8 || err != nil || b[0] != 0x88 || b[1] != 0x82 {
				t.Errorf("read %x, %v", b[:n], err)
			}
			conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			_, err = conn.Read(b[:])
			fin <- err
		})
		if err := g.r.Dial("tcp", addr, handshake.ClientRequest{}, nil); err != nil {
			t.Fatal(err)
		}
		if got := await(t, "Message", messages); got != "hello" {
			t.Errorf("got %q", got)
		}
		if info := await(t, "Closed", h.ends); !info.Clean || info.Code != 1000 || !info.Remote {
			t.Errorf("Closed with %+v", info)
		}
		var timeout net.Error
		if err := await(t, "the server's second read", fin); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("the client sent more, or its FIN first: %v", err)
		}
		g.stop()
	}
}

func TestDialFails(t *testing.T) {
	closedPort := func(t *testing.T) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		return ln.Addr().String()
	}
	says := func(head string) func(t *testing.T) string {
		return func(t *testing.T) string {
			return serveOnce(t, func(conn net.Conn, req *http.Request) {
				conn.Write([]byte(head))
				if head == "" {
					conn.Read(make([]byte, 1)) // until the client gives up
				}
			})
		}
	}
	kind := func(k handshake.ResponseKind, status int) func(error) bool {
		return func(err error) bool {
			var e *handshake.ResponseError
			return errors.As(err, &e) && e.Kind == k && e.Status == status
		}
	}
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	for name, x := range map[string]struct {
		server func(t *testing.T) string
		fits   func(error) bool
	}{
		"nobody listens":  {closedPort, is(syscall.ECONNREFUSED)},
		"not found":       {says("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), kind(handshake.ResponseStatus, 404)},
		"wrong accept":    {says("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n"), kind(handshake.ResponseAccept, 101)},
		"no HTTP":         {says("\x81\x00\r\n"), kind(handshake.ResponseControl, 0)},
		"ends in between": {says("HTTP/1.1 101 "), is(ErrDialLost)},
		"says nothing":    {says(""), is(ErrDialSlow)},
	} {
		t.Run(name, func(t *testing.T) {
			h := newCaller()
			g := prepare(t, Config{HandshakeTimeout: 200 * time.Millisecond}, h)
			g.serve()
			if err := g.r.Dial("tcp", x.server(t), handshake.ClientRequest{}, name); err != nil {
				t.Fatal(err)
			}
			if f := await(t, "DialFailed", h.failures); !x.fits(f.err) || f.state != name {
				t.Errorf("failed with %v, state %v", f.err, f.state)
			}
			if st := g.r.Stats(); st.DialsFailed != 1 || st.Opened != 0 {
				t.Errorf("counted %d failures, %d opened", st.DialsFailed, st.Opened)
			}
			g.stop()
		})
	}
}

// What is wrong from the start is said at once.
func TestDialRefusesAtOnce(t *testing.T) {
	g := prepare(t, Config{}, newCaller())
	g.serve()
	for _, x := range []struct {
		network, addr string
		req           handshake.ClientRequest
		says          string
	}{
		{"tcp", "127.0.0.1", handshake.ClientRequest{Host: "a"}, "missing port"},
		{"tcp", ":80", handshake.ClientRequest{Host: "a"}, "missing host"},
		{"udp", "127.0.0.1:80", handshake.ClientRequest{}, "unknown network"},
		{"unix", "/nonexistent/s", handshake.ClientRequest{}, "connect"},
		{"tcp", "127.0.0.1:80", handshake.ClientRequest{Target: "a b"}, "refuse"},
		{"tcp", "127.0.0.1:80", handshake.ClientRequest{Header: []handshake.Field{{Name: "X", Value: "a\r\nHost: b"}}}, "X"},
	} {
		if err := g.r.Dial(x.network, x.addr, x.req, nil); err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s %s %+v: %v, want %q in it", x.network, x.addr, x.req, err, x.says)
		}
	}
	g.stop()
	if err := g.r.Dial("tcp", "127.0.0.1:80", handshake.ClientRequest{}, nil); err != ErrClosed {
		t.Errorf("after Shutdown: %v", err)
	}
}

// dialing has the loop take a socket that is being connected.
func (d *scripted) dialing(state any) *socket {
	d.t.Helper()
	fd, s := d.add()
	s.room = 0 // not connected yet
	dial, err := newDialing("tcp", "server.example", handshake.ClientRequest{}, state, d.l.cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	d.l.dialed(fd, aPeer, dial)
	d.settle()
	return s
}

// The request is sent once the socket is connected, and what of it the socket does
// not take later; the deadline covers connecting and the response together.
func TestDialDeadline(t *testing.T) {
	h := newCaller()
	d := scriptLoop(t, Config{HandshakeTimeout: 2 * time.Second}, h)
	s := d.dialing("slow")
	d.pass(time.Second)
	if len(s.out) != 0 || len(h.failures) != 0 {
		t.Fatalf("before it is connected: %q, %d failures", s.out, len(h.failures))
	}
	s.room, s.most = -1, 10
	d.settle()
	if got := s.took(); !strings.HasPrefix(got, "GET / HTTP/1.1\r\nHost: server.example\r\n") || !strings.HasSuffix(got, "\r\n\r\n") {
		t.Fatalf("request: %q", got)
	}
	d.arrives(s, "HTTP/1.1 101 ")
	d.strikes("DialFailed", time.Second, func() bool { return len(h.failures) > 0 })
	if f := <-h.failures; f.err != ErrDialSlow || f.state != "slow" {
		t.Errorf("failed with %v, state %v", f.err, f.state)
	}
	d.finish()
}

// Every way to end a loop tells each Dial that is still under way.
func TestDialAndShutdown(t *testing.T) {
	h := newCaller()
	d := scriptLoop(t, Config{MaxConns: 100}, h)
	d.dialing(1)
	connected := d.dialing(2)
	connected.room = -1
	d.settle()
	d.l.inbox.command(false)
	d.settle()
	d.dialing(3)
	d.l.end()
	left, _ := d.add()
	d.l.dialed(left, aPeer, &dialing{state: 4}) // from what was left in the inbox
	for want := 1; want <= 4; want++ {
		select {
		case f := <-h.failures:
			if f.err != ErrShutdown || f.state != want {
				t.Errorf("%v failed with %v, want %d", f.state, f.err, want)
			}
		default:
			t.Fatalf("%d was not told", want)
		}
	}
}

// A connection that was refused tells so as the kernel does, and a handler that
// panics in Dialed or in DialFailed is survived.
func TestDialFaults(t *testing.T) {
	h := newCaller()
	d := scriptLoop(t, Config{}, h)
	s := d.dialing("refused")
	s.connectErrno, s.hup = poll.ECONNRESET, true
	d.settle()
	if f := <-h.failures; f.err != error(syscall.ECONNRESET) || f.state != "refused" {
		t.Errorf("failed with %v, state %v", f.err, f.state)
	}
	h.onDialed = func(Conn) { panic("in Dialed") }
	s = d.dialing("panics")
	s.room = -1
	d.settle()
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(s.took())))
	if err != nil {
		t.Fatal(err)
	}
	d.arrives(s, string(switching(req, textOf("a"))))
	if f := <-h.failures; f.err != ErrPanic || f.state != "panics" {
		t.Errorf("failed with %v, state %v", f.err, f.state)
	}
	if st := d.stats(); st.HandlerPanics != 1 || st.DialsFailed != 2 || st.Opened != 0 {
		t.Errorf("counted %d panics, %d failures, %d opened", st.HandlerPanics, st.DialsFailed, st.Opened)
	}
	d.finish()
}
