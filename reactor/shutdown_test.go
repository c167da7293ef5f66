//go:build linux

package reactor

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/poll"
	"github.com/hybi-go/hybi/mask"
)

// Shutdown says 1001 to all, waits for their answers, and tells a handshake that
// is under way 503.
func TestShutdown(t *testing.T) {
	g := start(t, Config{Loops: 2}, nil)
	var clients []*client
	for range 10 {
		clients = append(clients, g.open())
	}
	opening := g.dial()
	opening.write(request()[:50])
	eventually(t, "the head is read", func() bool { return g.r.Stats().OctetsIn == g.sent })
	done := make(chan error, 1)
	go func() { done <- g.r.Shutdown(context.Background()) }()
	opening.expect(refused(handshake.ErrShuttingDown))
	opening.eof()
	opening.Close()
	for i, c := range clients {
		c.expect(closed(1001, ""))
		if len(done) > 0 {
			t.Fatal("Shutdown does not wait")
		}
		if i%2 == 0 {
			c.write(text("late, ignored"))
		}
		c.write(closing(1001, ""))
		c.eof()
		c.Close()
	}
	if err := await(t, "Shutdown", done); err != nil {
		t.Error(err)
	}
	g.stop() // again, which does no harm
	s := g.r.Stats()
	if s.ClosedClean != 10 || s.Refused[handshake.KindShuttingDown] != 1 {
		t.Errorf("%d closed cleanly, %d refused", s.ClosedClean, s.Refused[handshake.KindShuttingDown])
	}
	if c, err := net.Dial("tcp", g.addr); err == nil {
		c.Close()
		t.Error("still listening")
	}
	for i, err := range []error{g.r.Listen("tcp", "127.0.0.1:0"), g.r.Run(func(int) Handler { return g.h })} {
		if err == nil {
			t.Errorf("call %d after Shutdown succeeds", i)
		}
	}
	fd, c := g.pipe()
	if g.r.Adopt(fd, codec.Server, nil) == nil {
		t.Error("Adopt after Shutdown succeeds")
	}
	unix.Close(fd)
	c.Close()
}

// A peer that does not answer is left when the context is done.
func TestShutdownWithStuckPeer(t *testing.T) {
	g := start(t, Config{Loops: 2}, nil)
	c, blocked := g.open(), g.openSmall()
	go blocked.Conn.Write([]byte(repeat(binaryOf(letters(1<<20)), 20)))
	eventually(t, "the socket is full", func() bool { return g.r.Stats().QueuedOctets > 0 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := g.r.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	for range 2 {
		if info := await(t, "Closed", g.p.ends); info.Err != ErrShutdown || info.Remote || info.Clean {
			t.Errorf("Closed with %+v", info)
		}
	}
	c.expect(closed(1001, ""))
	blocked.Close()
	c.Close()
	g.stop()
}

// Shutdown from many goroutines, under load, with Run hardly begun.
func TestShutdownUnderLoad(t *testing.T) {
	for range 10 {
		g := start(t, Config{Loops: 2, CloseTimeout: 50 * time.Millisecond}, nil)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 20 {
					c, err := net.Dial("tcp", g.addr)
					if err != nil {
						return
					}
					c.Write([]byte(request() + text("a")))
					c.SetReadDeadline(time.Now().Add(time.Second))
					c.Read(make([]byte, 1000))
					c.Close()
				}
			})
		}
		for range 3 {
			wg.Go(func() { g.r.Shutdown(context.Background()) })
		}
		wg.Wait()
		g.stop()
	}
}

// Shutdown before Run gives everything back.
func TestShutdownBeforeRun(t *testing.T) {
	g := prepare(t, Config{Loops: 2}, nil)
	path := filepath.Join(t.TempDir(), "s")
	if err := errors.Join(g.r.Listen("tcp", "127.0.0.1:0"), g.r.Listen("unix", path)); err != nil {
		t.Fatal(err)
	}
	fd, c := g.pipe()
	if err := g.adopt(fd, codec.Server, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := g.r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}
	c.eof()
	c.Close()
	if err := g.r.Run(nil); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the path of the Unix socket is left")
	}
	g.clean()
}

func TestRunTwice(t *testing.T) {
	g := start(t, Config{}, nil)
	c := g.open()
	if g.r.Run(func(int) Handler { return g.h }) == nil {
		t.Error("the second Run succeeds")
	}
	c.silent()
	c.bye()
}

// What wakes a loop is given back when it ends, and its number may be another's.
// Whoever calls later must not write to that.
func TestNoWakeAfterEnd(t *testing.T) {
	g := start(t, Config{Loops: 3}, nil)
	c := g.open()
	h := await(t, "Opened", g.p.opens).Handle()
	c.bye()
	g.stop()
	var fds []int
	for range 3 * 2 { // they get the numbers that have become free
		fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	g.r.Shutdown(context.Background())
	h.Send(codec.OpText, nil)
	h.loop.inbox.put(entry{kind: entryRun}, nil)
	for _, fd := range fds {
		if _, err := unix.Read(fd, make([]byte, 8)); err != unix.EAGAIN {
			t.Errorf("descriptor %d, opened later, was written to", fd)
		}
		unix.Close(fd)
	}
}

func TestListen(t *testing.T) {
	for _, x := range []struct{ network, addr, dial string }{
		{"tcp", "127.0.0.1:0", "127.0.0.1"}, {"tcp", "[::1]:0", "::1"}, {"tcp", ":0", "127.0.0.1"}, {"tcp", ":0", "::1"},
		{"tcp4", ":0", "127.0.0.1"}, {"tcp6", ":0", "::1"}, {"tcp", "localhost:0", "localhost"},
	} {
		t.Run(x.network+" "+x.addr+" "+x.dial, func(t *testing.T) {
			p := newProbe()
			peers := make(chan string, 1)
			p.onOpened = func(c Conn) { peers <- c.RemoteAddr().String() }
			g := prepare(t, Config{Loops: 3}, p)
			if err := g.r.Listen(x.network, x.addr); err != nil {
				t.Fatal(err)
			}
			_, port, _ := net.SplitHostPort(g.r.Addrs()[0].String())
			g.addr = net.JoinHostPort(x.dial, port)
			g.serve()
			c := g.open()
			if got := await(t, "Opened", peers); got != c.LocalAddr().String() {
				t.Errorf("the peer is %s, want %s", got, c.LocalAddr())
			}
			c.bye()
		})
	}
	for network, addr := range map[string]string{"tcp": "127.0.0.1", "udp": "127.0.0.1:0", "unix": "", "tcp4": "[::1]:0"} {
		g := prepare(t, Config{}, nil)
		if err := g.r.Listen(network, addr); err == nil {
			t.Errorf("Listen on %s %q succeeds", network, addr)
		}
		g.r.Shutdown(context.Background())
		g.clean()
	}
}

// Connections are dealt out to several loops, by SO_REUSEPORT or by hand.
func TestLoopsShareConnections(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": path} {
		p := newProbe()
		g := prepare(t, Config{Loops: 3}, p)
		if err := g.r.Listen(network, addr); err != nil {
			t.Fatal(err)
		}
		g.addr = g.r.Addrs()[0].String()
		g.serve()
		var clients []*client
		of := map[int]int{}
		for range 60 {
			conn, err := net.Dial(network, g.addr)
			if err != nil {
				t.Fatal(err)
			}
			c := g.client(conn)
			c.write(request())
			c.expect(accepted)
			clients = append(clients, c)
			of[await(t, "Opened", p.opens).Loop()]++
		}
		for _, c := range clients {
			c.silent()
			c.bye()
		}
		if len(of) != 3 || network == "unix" && of[0] != 20 {
			t.Errorf("%s: connections by loop: %v", network, of)
		}
		g.stop()
		if _, err := os.Stat(path); network == "unix" && err == nil {
			t.Error("the path of the Unix socket is left")
		}
	}
}

// An address in use is an error that can be told, unless both share it.
func TestAddressInUse(t *testing.T) {
	for _, x := range []struct{ first, second, free bool }{{false, false, false}, {true, false, false}, {true, true, true}} {
		g := prepare(t, Config{Loops: 2, SharePort: x.first}, nil)
		if err := g.r.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		addr := g.r.Addrs()[0].String()
		other := prepare(t, Config{Loops: 2, SharePort: x.second}, nil)
		err := other.r.Listen("tcp", addr)
		if free := err == nil; free != x.free || !free && !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%+v: %v", x, err)
		}
		if err != nil && !strings.Contains(err.Error(), addr) {
			t.Errorf("the error does not name the address: %v", err)
		}
		other.r.Shutdown(context.Background())
		other.clean()
		g.r.Shutdown(context.Background())
		g.clean()
	}
}

// Above MaxConns connections are told 503, and when there is room again they are
// accepted.
func TestMaxConns(t *testing.T) {
	g := start(t, Config{MaxConns: 3}, nil)
	clients := []*client{g.open(), g.open(), g.open()}
	for range 5 {
		c := g.dial()
		c.write(request())
		c.expect(refused(handshake.ErrTooManyConns))
		c.eof()
		c.Close()
	}
	for _, c := range clients {
		c.silent()
		c.bye()
	}
	eventually(t, "the slots are free", func() bool { return g.r.Stats().Conns == 0 })
	g.open().bye()
	if s := g.r.Stats(); s.Refused[handshake.KindTooManyConns] != 5 || s.Accepted != 9 || s.Opened != 4 {
		t.Errorf("%d refused, %d accepted, %d opened", s.Refused[handshake.KindTooManyConns], s.Accepted, s.Opened)
	}
}

// Not even refusals are without a bound.
func TestManyAboveMaxConns(t *testing.T) {
	d := scriptLoop(t, Config{MaxConns: 100}, nil)
	var all []*socket
	for range 300 {
		all = append(all, d.connect(""))
	}
	d.settle()
	if n := d.stats().Conns; n != 100+refusalReserve || len(d.sockets) != 1+100+refusalReserve {
		t.Errorf("%d connections, %d sockets", n, len(d.sockets))
	}
	for _, s := range all {
		s.fin = true
	}
	d.settle()
	if n := d.stats().Refused[handshake.KindTooManyConns]; n != 200 {
		t.Errorf("%d refused", n)
	}
	d.finish()
}

// Adopt: this end as server, with frames behind the handshake that somebody else
// has read.
func TestAdoptServer(t *testing.T) {
	g := start(t, Config{}, nil)
	fd, c := g.pipe()
	prefix := []byte(text("read ") + text("ahead")[:5])
	if err := g.adopt(fd, codec.Server, prefix); err != nil {
		t.Fatal(err)
	}
	clear(prefix) // it is the caller's again
	c.write(text("ahead")[5:])
	c.expect(textOf("read ") + textOf("ahead"))
	c.bye()
	if g.r.Adopt(-1, codec.Server, nil) == nil {
		t.Error("a descriptor that is none is adopted")
	}
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if g.r.Adopt(int(f.Fd()), codec.Server, nil) == nil {
		t.Error("a file is adopted")
	}
}

// A net.Conn is adopted by way of its File; its own descriptors are closed after.
func TestAdoptNetConn(t *testing.T) {
	g := start(t, Config{}, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialed, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f, err := conn.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.r.Adopt(int(f.Fd()), codec.Server, nil), f.Close(), conn.Close(), ln.Close()); err != nil {
		t.Fatal(err)
	}
	c := g.client(dialed)
	c.write(text("adopted"))
	c.expect(textOf("adopted"))
	c.bye()
}

// This end as client: it masks, with another key each time, accepts no masked
// frame, and leaves the first FIN to the server. Hazard 14.
func TestAdoptClient(t *testing.T) {
	g := start(t, Config{}, nil)
	fd, c := g.pipe()
	if err := g.adopt(fd, codec.Client, nil); err != nil {
		t.Fatal(err)
	}
	read := func() (codec.Header, string) {
		t.Helper()
		b := make([]byte, 6)
		c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(b); err != nil {
			t.Fatal(err)
		}
		h, n, err := codec.ParseHeader(b)
		if err != nil || n != 6 || !h.Masked {
			t.Fatalf("not the header of a masked frame: %x, %v", b, err)
		}
		payload := make([]byte, h.PayloadLength)
		if len(payload) > 0 {
			c.Read(payload)
		}
		mask.XOR(payload, h.MaskingKey)
		return h, string(payload)
	}
	keys := map[mask.Key]bool{}
	for range 10 {
		c.write(textOf("hello"))
		h, payload := read()
		if payload != "hello" || h.Opcode != codec.OpText || keys[h.MaskingKey] {
			t.Errorf("got %v %q, key seen before: %v", h.Opcode, payload, keys[h.MaskingKey])
		}
		keys[h.MaskingKey] = true
	}
	c.write(plain(0x88, "\x03\xE8bye"))
	if h, payload := read(); h.Opcode != codec.OpClose || payload != "\x03\xE8" {
		t.Errorf("got %v %q", h.Opcode, payload)
	}
	await(t, "Closed", g.p.ends)
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the client does not wait for the server's FIN: %v", err)
	}
	c.fin()
	c.eof()

	fd, c = g.pipe()
	if err := g.adopt(fd, codec.Client, nil); err != nil {
		t.Fatal(err)
	}
	c.write(text("masked")[:2])
	if h, payload := read(); h.Opcode != codec.OpClose || payload != "\x03\xEA" {
		t.Errorf("got %v %q", h.Opcode, payload)
	}
	c.eof() // a client that fails the connection shuts down at once
	if info := await(t, "Closed", g.p.ends); info.Err != codec.ErrMasked {
		t.Errorf("Closed with %+v", info)
	}
}

// A reactor that talks to itself, as client and as server, in messages of all sizes.
func TestReactorTalksToItself(t *testing.T) {
	p := newProbe()
	var rounds atomic.Int64
	const last = 200
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) {
		n := rounds.Add(1)
		if n >= last {
			c.Close(1000, "")
			return
		}
		if string(payload) != letters(len(payload)) {
			t.Errorf("message %d is not what was sent", n)
		}
		if err := c.Send(op, []byte(letters(int(n*n*n)%70000))); err != nil {
			t.Errorf("message %d: %v", n, err)
		}
	}
	g := start(t, Config{Loops: 2}, p)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.adopt(fds[0], codec.Server, nil), g.adopt(fds[1], codec.Client, nil)); err != nil {
		t.Fatal(err)
	}
	h := await(t, "Opened", p.opens).Handle()
	await(t, "Opened", p.opens)
	if err := h.Send(codec.OpText, []byte(letters(1))); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if info := await(t, "Closed", p.ends); !info.Clean || info.Code != 1000 || info.Err != nil {
			t.Errorf("Closed with %+v", info)
		}
	}
	eventually(t, "both sockets are closed", func() bool { return g.r.Stats().Conns == 0 })
}

// A piecer is a probe that takes pieces.
type piecer struct {
	*probe
	onPiece func(c Conn, ev codec.Event)
}

func (p *piecer) Piece(c Conn, ev codec.Event) { p.onPiece(c, ev) }

// Pieces come as they arrive, and nothing is gathered.
func TestPieceHandler(t *testing.T) {
	p := &piecer{probe: newProbe()}
	var message []byte
	open := false
	d := scriptLoop(t, Config{MaxMessage: 1 << 20}, p)
	p.onPiece = func(c Conn, ev codec.Event) {
		if ev.First == open {
			t.Errorf("First is %v inside a message: %v", ev.First, open)
		}
		open = !ev.Last
		message = append(message, ev.Payload...)
		if ev.Last {
			c.Send(ev.Opcode, message)
			message = nil
		}
	}
	s := d.open()
	d.arrives(s, text("whole"))
	d.expect(s, textOf("whole"))
	big := binaryOf(letters(300000))
	for i := 0; i < len(big); i += 1000 {
		d.arrives(s, big[i:min(i+1000, len(big))])
		if n := d.stats().MemoryOctets; n != 0 {
			t.Fatalf("%d octets of memory", n)
		}
	}
	d.expect(s, plain(0x82, letters(300000)))
	d.arrives(s, masked(0x01, "a")+ping("p")+masked(0x00, "")+masked(0x80, "b"))
	d.expect(s, pongOf("p")+textOf("ab"))
	d.arrives(s, masked(0x01, "a")+"\x82")
	d.expect(s, closed(1002, ""))
	d.finishLeft(s)
}

// In the steady state nothing is allocated: for messages whole or cut anywhere,
// nor for what other goroutines send.
func TestNoAllocation(t *testing.T) {
	d := scriptLoop(t, Config{MaxMessage: 1 << 16}, &silentEcho{newProbe()})
	s := d.open()
	h := await(t, "Opened", d.p.opens).Handle()
	d.l.cfg.Poison = false // asks for the thread's number at each call
	s.out = make([]byte, 0, 1<<20)
	whole := []byte(repeat(text(letters(50)), 100) + binaryOf(letters(40000)))
	for name, x := range map[string]struct {
		messages int
		feed     func()
	}{
		"whole": {101, func() { s.in = whole }},
		"cut": {100, func() {
			for i := 0; i < 5400; i += 77 {
				s.in = whole[i:min(i+77, 5600)]
				if i+77 > 5400 {
					s.in = whole[i:5600]
				}
				d.l.turn()
			}
		}},
		"blocked": {101, func() {
			s.room = 1000
			s.in = whole
			d.l.turn()
			s.room = -1
		}},
		"Handle.Send": {100, func() {
			for range 100 {
				h.Send(codec.OpBinary, whole[:50])
			}
		}},
	} {
		run := func() {
			x.feed()
			for range 5 {
				d.turn()
			}
			s.out = s.out[:0]
		}
		for range 50 {
			run()
		}
		before, after := runtime.MemStats{}, runtime.MemStats{}
		out := d.stats().MessagesOut
		runtime.ReadMemStats(&before)
		for range 300 {
			run()
		}
		runtime.ReadMemStats(&after)
		n := float64(d.stats().MessagesOut - out)
		if n != float64(300*x.messages) {
			t.Errorf("%s: %v messages sent, want %d", name, n, 300*x.messages)
		}
		if per := float64(after.Mallocs-before.Mallocs) / n; per > 0.001+raceAllocations {
			t.Errorf("%s: %.4f allocations for each message", name, per)
		}
	}
	d.l.cfg.Poison = true
	s.room = -1
	d.bye(s)
	d.finish()
}

// turn is a turn of the loop in which the script itself allocates nothing.
func (d *scripted) turn() {
	if err := d.l.turn(); err != nil {
		d.t.Fatal(err)
	}
}

// A silentEcho does not let its answers escape.
type silentEcho struct{ *probe }

func (e *silentEcho) Message(c Conn, op codec.Opcode, payload []byte) { c.Send(op, payload) }

var _ poll.Kernel = (*script)(nil)

// A Listen that some loop cannot be told of leaves nothing behind.
func TestListenWithFullInbox(t *testing.T) {
	g := prepare(t, Config{Loops: 3, MaxInboxEntries: 1}, nil)
	if err := g.r.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if err := g.r.Listen("tcp", "127.0.0.1:0"); !errors.Is(err, ErrInboxFull) {
		t.Errorf("Listen: %v", err)
	}
	g.r.Shutdown(context.Background())
	g.clean()
}
