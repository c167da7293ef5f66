//go:build linux

package reactor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/poll"
	"github.com/hybi-go/hybi/mask"
)

// patience bounds every wait of the tests: what takes longer has failed.
const patience = 10 * time.Second

// TestMain has the runtime open its own descriptors before any test counts.
func TestMain(m *testing.M) {
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		ln.Close()
	}
	os.Exit(m.Run())
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

// await takes a value from a channel.
func await[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v in vain for %s", patience, what)
		panic("unreachable")
	}
}

// descriptors returns how many the process has.
func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// midnight is what the clock on the wall shows in tests.
func midnight() time.Time { return time.Date(2026, 1, 2, 0, 0, 0, 0, time.FixedZone("", 3600)) }

// refused returns what a peer is to get with a refusal (RFC 9110 §6.6.1 for the date).
func refused(r *handshake.Refusal) string {
	return string(handshake.AppendRefusal(nil, r, handshake.Field{Name: "Date", Value: "Thu, 01 Jan 2026 23:00:00 GMT"}))
}

// A probe is a Handler that keeps account of its connections. It does what a test
// gives it to do, and echoes otherwise. One probe may serve several loops.
type probe struct {
	onOpened  func(c Conn)
	onMessage func(c Conn, op codec.Opcode, payload []byte)
	onClosed  func(c Conn, info CloseInfo)

	opens chan Conn
	ends  chan CloseInfo

	mu     sync.Mutex
	opened map[Conn]int
	closed map[Conn]int
}

func newProbe() *probe {
	return &probe{
		opens: make(chan Conn, 1<<15), ends: make(chan CloseInfo, 1<<15),
		opened: map[Conn]int{}, closed: map[Conn]int{},
	}
}

func (p *probe) account() *probe { return p }

func (p *probe) Opened(c Conn) {
	p.mu.Lock()
	p.opened[c]++
	p.mu.Unlock()
	p.opens <- c
	if p.onOpened != nil {
		p.onOpened(c)
	}
}

func (p *probe) Message(c Conn, op codec.Opcode, payload []byte) {
	if p.onMessage != nil {
		p.onMessage(c, op, payload)
		return
	}
	c.Send(op, payload)
}

func (p *probe) Closed(c Conn, info CloseInfo) {
	p.mu.Lock()
	p.closed[c]++
	p.mu.Unlock()
	p.ends <- info
	if p.onClosed != nil {
		p.onClosed(c, info)
	}
}

// balanced checks that each Opened had one Closed.
func (p *probe) balanced(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c, n := range p.opened {
		if n != 1 || p.closed[c] != 1 {
			t.Errorf("slot %d, generation %d: Opened %d times, Closed %d times", c.slot, c.gen, n, p.closed[c])
		}
	}
	if len(p.closed) != len(p.opened) {
		t.Errorf("%d connections opened, %d closed", len(p.opened), len(p.closed))
	}
}

// A handlerUnderTest is a probe, or something built on one.
type handlerUnderTest interface {
	Handler
	account() *probe
}

// A rig is a reactor that runs, on a port of the loopback.
type rig struct {
	t       testing.TB
	r       *Reactor
	h       handlerUnderTest
	p       *probe
	addr    string
	before  int // descriptors
	run     chan error
	stopped bool
	rng     *rand.Rand
	sent    uint64 // octets by all clients
}

func start(t testing.TB, cfg Config, h handlerUnderTest) *rig {
	t.Helper()
	return startOn(t, cfg, h, nil)
}

// startOn is start with kernels of the test's own between loops and Linux.
func startOn(t testing.TB, cfg Config, h handlerUnderTest, wrap func(poll.Kernel) poll.Kernel) *rig {
	t.Helper()
	g := prepare(t, cfg, h)
	if wrap != nil {
		for _, l := range g.r.loops {
			l.kernel = wrap(l.kernel)
			l.inbox.wake = l.kernel.Wake
		}
	}
	if err := g.r.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	g.addr = g.r.Addrs()[0].String()
	g.serve()
	return g
}

// prepare makes a rig that neither listens nor runs yet.
func prepare(t testing.TB, cfg Config, h handlerUnderTest) *rig {
	t.Helper()
	if h == nil {
		h = newProbe()
	}
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	cfg.Poison = true
	cfg.wall = midnight
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	g := &rig{t: t, h: h, p: h.account(), before: descriptors(t), run: make(chan error, 1), rng: rand.New(rand.NewPCG(1, 2))}
	var err error
	if g.r, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *rig) serve() {
	go func() { g.run <- g.r.Run(func(int) Handler { return g.h }) }()
	g.t.Cleanup(g.stop)
}

// stop shuts the reactor down and checks that nothing is left of it.
func (g *rig) stop() {
	if g.stopped {
		return
	}
	g.stopped = true
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := g.r.Shutdown(ctx); err != nil {
		g.t.Errorf("Shutdown: %v", err)
	}
	if err := await(g.t, "Run to return", g.run); err != nil {
		g.t.Errorf("Run: %v", err)
	}
	g.clean()
}

// clean checks what must hold of a reactor that has ended.
func (g *rig) clean() {
	g.t.Helper()
	s := g.r.Stats()
	if s.Conns != 0 || s.QueuedOctets != 0 || s.MemoryOctets != 0 || s.Opened != s.Closed {
		g.t.Errorf("after Shutdown: %d connections, %d octets queued, %d octets of memory, %d opened, %d closed",
			s.Conns, s.QueuedOctets, s.MemoryOctets, s.Opened, s.Closed)
	}
	for _, l := range g.r.loops {
		if l.slab.live != 0 || len(l.mem.headers) != 0 || len(l.batch) != 0 || l.owned != nil {
			g.t.Errorf("loop %d: %d slots, %d buffers, %d octets in the batch left, owned %v",
				l.number, l.slab.live, len(l.mem.headers), len(l.batch), l.owned != nil)
		}
	}
	if n := g.r.conns.n.Load(); n != 0 {
		g.t.Errorf("%d connections counted", n)
	}
	g.p.balanced(g.t)
	if !g.t.Failed() {
		eventually(g.t, "all descriptors are closed", func() bool { return descriptors(g.t) <= g.before })
	}
}

// A client is the other end: raw octets over TCP.
type client struct {
	net.Conn
	t testing.TB
	g *rig
}

// dial connects without a handshake. The connection is closed before the rig's
// descriptors are counted.
func (g *rig) dial() *client {
	g.t.Helper()
	c, err := net.Dial("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	return g.client(c)
}

func (g *rig) client(c net.Conn) *client {
	g.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(3 * patience))
	return &client{c, g.t, g}
}

// request is an opening handshake, with more header lines if need be.
func request(lines ...string) string {
	r := "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	for _, line := range lines {
		r += line + "\r\n"
	}
	return r + "\r\n"
}

// accepted is the answer (the key and its answer are RFC 6455's, §1.3).
const accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

// open connects and does the opening handshake.
func (g *rig) open() *client {
	g.t.Helper()
	c := g.dial()
	c.write(request())
	c.expect(accepted)
	return c
}

// openSmall is open with a receive buffer that is soon full. Short segments keep
// the kernel's timers against silly windows out of it.
func (g *rig) openSmall() *client {
	g.t.Helper()
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10)
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, 536)
		})
	}}
	conn, err := d.Dial("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	c := g.client(conn)
	c.write(request())
	c.expect(accepted)
	return c
}

func (c *client) write(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.t.Fatalf("write: %v", err)
	}
	c.g.sent += uint64(len(s))
}

// writeOctets writes octet by octet, each only once the reactor has read the one
// before. For tests whose clients come one after the other.
func (c *client) writeOctets(s string) {
	c.t.Helper()
	c.writeCuts(s, func() int { return 1 })
}

// writeRandom writes s cut at random.
func (c *client) writeRandom(s string) {
	c.t.Helper()
	c.writeCuts(s, func() int { return 1 + c.g.rng.IntN(9) })
}

func (c *client) writeCuts(s string, size func() int) {
	c.t.Helper()
	for len(s) > 0 {
		n := min(size(), len(s))
		c.write(s[:n])
		s = s[n:]
		eventually(c.t, "the octets are read", func() bool { return c.g.r.Stats().OctetsIn >= c.g.sent })
	}
}

// expect reads exactly what is wanted.
func (c *client) expect(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	c.SetReadDeadline(time.Now().Add(patience))
	n, err := io.ReadFull(c.Conn, got)
	if got = got[:n]; string(got) != want {
		c.t.Fatalf("got %s\nwant %s\n(%v)", short(got), short([]byte(want)), err)
	}
}

// short shows octets for an error message.
func short(b []byte) string {
	if len(b) > 400 {
		return fmt.Sprintf("%d octets, %q…", len(b), b[:200])
	}
	return fmt.Sprintf("%q", b)
}

// eof expects the server's FIN and nothing before it; a reset is an error.
func (c *client) eof() {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	if rest, err := io.ReadAll(c.Conn); err != nil || len(rest) > 0 {
		c.t.Fatalf("instead of FIN: %s, %v", short(rest), err)
	}
}

// fin shuts the client's direction.
func (c *client) fin() {
	c.t.Helper()
	if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
}

// silent checks that nothing comes: not by waiting, but by asking for a pong that
// must come first.
func (c *client) silent() {
	c.t.Helper()
	c.write(ping("silent?"))
	c.expect(pongOf("silent?"))
}

// bye is the closing handshake, begun by the client.
func (c *client) bye() {
	c.t.Helper()
	c.write(closing(1000, ""))
	c.expect(closed(1000, ""))
	c.eof()
	c.Close()
}

// resets reports whether err says that the peer has reset the connection.
func resets(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// pipe returns a connected pair of Unix sockets: a descriptor for a reactor,
// and a client for the other end.
func (g *rig) pipe() (fd int, c *client) {
	g.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		g.t.Fatal(err)
	}
	return fds[0], g.client(conn)
}

// adopt gives a descriptor to the reactor for good.
func (g *rig) adopt(fd int, role codec.Role, prefix []byte) error {
	defer unix.Close(fd)
	return g.r.Adopt(fd, role, prefix)
}

// The frames: client's, masked with one key, and server's.

var testKey = mask.Key{0x37, 0xfa, 0x21, 0x3d} // of RFC 6455 §5.7

func masked(first byte, payload string) string {
	b := maskedHeader(first, len(payload))
	body := []byte(payload)
	mask.XOR(body, testKey)
	return b + string(body)
}

func maskedHeader(first byte, n int) string {
	b := header(first, n)
	b[1] |= 0x80
	return string(append(b, testKey[:]...))
}

func header(first byte, n int) []byte {
	b := []byte{first}
	switch {
	case n <= 125:
		return append(b, byte(n))
	case n <= 65535:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
}

func plain(first byte, payload string) string { return string(header(first, len(payload))) + payload }

func text(payload string) string   { return masked(0x81, payload) }
func binaryOf(p string) string     { return masked(0x82, p) }
func ping(payload string) string   { return masked(0x89, payload) }
func textOf(payload string) string { return plain(0x81, payload) }
func pongOf(payload string) string { return plain(0x8A, payload) }

func closing(code int, reason string) string {
	return masked(0x88, string([]byte{byte(code >> 8), byte(code)})+reason)
}

func closed(code int, reason string) string {
	return plain(0x88, string([]byte{byte(code >> 8), byte(code)})+reason)
}

// letters returns n octets without a short period.
func letters(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte((i^i>>7^i>>13)%26)
	}
	return string(b)
}

// repeat is bytes.Repeat for strings of octets.
func repeat(s string, n int) string { return string(bytes.Repeat([]byte(s), n)) }

// testLogger returns a Logger that writes to w.
func testLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
