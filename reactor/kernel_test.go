//go:build linux

package reactor

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/poll"
)

// A script is a Kernel of buffers and of a clock that stands still: it does what
// the real one cannot be made to do. The test is its only goroutine.
type script struct {
	t       testing.TB
	now     time.Duration
	sockets map[int]*socket
	nextFD  int
	woken   bool
	idle    bool // the last Wait found nothing and was not to return at once
	timeout time.Duration
	stale   []poll.Event // to be told by the next Wait, whatever they are

	backlog      []int // connections ready for Accept
	acceptErrnos []poll.Errno

	// If rng is set, calls fail with EINTR and EAGAIN and counts are short, at random.
	rng *rand.Rand

	waits, sends, recvs, accepts int
	released                     bool
}

// A socket is one connection of a script, or its listener.
type socket struct {
	listener bool
	in       []byte // that Recv will bring
	fin      bool   // the peer's, behind in
	hup      bool
	room     int // octets that Send will take; negative: any number
	most     int // octets per Send; 0: any number
	out      []byte
	shut     bool

	sendErrno, recvErrno, connectErrno poll.Errno

	watched bool
	want    poll.Flags
	token   uint64
}

const listenerFD = 3

func newScript(t testing.TB) *script {
	return &script{t: t, nextFD: 10, sockets: map[int]*socket{listenerFD: {listener: true}}}
}

func (k *script) add() (int, *socket) {
	s := &socket{room: -1}
	k.nextFD++
	k.sockets[k.nextFD] = s
	return k.nextFD, s
}

// connect has a peer connect, and its request arrive.
func (k *script) connect(in string) *socket {
	fd, s := k.add()
	s.in = []byte(in)
	k.backlog = append(k.backlog, fd)
	return s
}

func (k *script) Wait(events []poll.Event, timeout time.Duration) (int, poll.Errno) {
	k.waits++
	k.timeout = timeout
	if k.flip() {
		k.idle = false
		return 0, 0
	}
	n := copy(events, k.stale)
	k.stale = k.stale[n:]
	fds := make([]int, 0, len(k.sockets))
	for fd := range k.sockets {
		fds = append(fds, fd)
	}
	slices.Sort(fds)
	for _, fd := range fds {
		s := k.sockets[fd]
		flags := s.ready(k)
		if s.watched && flags != 0 && n < len(events) {
			events[n] = poll.Event{Token: s.token, Flags: flags}
			n++
		}
	}
	k.idle = n == 0 && !k.woken && timeout != 0
	k.woken = false
	return n, 0
}

func (s *socket) ready(k *script) (f poll.Flags) {
	if s.listener {
		if len(k.backlog)+len(k.acceptErrnos) > 0 {
			f = poll.Readable
		}
		return f & s.want
	}
	if len(s.in) > 0 || s.fin || s.recvErrno != 0 {
		f |= poll.Readable
	}
	if s.room != 0 || s.sendErrno != 0 {
		f |= poll.Writable
	}
	f &= s.want
	if s.hup {
		f |= poll.Hangup
	}
	return f
}

// flip says at random, if so set, that a call is to fail.
func (k *script) flip() bool { return k.rng != nil && k.rng.IntN(3) == 0 }

func (k *script) errno() poll.Errno {
	return []poll.Errno{poll.EINTR, poll.EAGAIN}[k.rng.IntN(2)]
}

func (k *script) Wake()              { k.woken = true }
func (k *script) Now() time.Duration { return k.now }
func (k *script) Release()           { k.released = true }
func (k *script) at(fd int) *socket {
	s := k.sockets[fd]
	if s == nil {
		k.t.Fatalf("a call for descriptor %d, which is closed", fd)
	}
	return s
}

func (k *script) Watch(fd int, token uint64, want poll.Flags) poll.Errno {
	s := k.at(fd)
	if s.watched {
		k.t.Errorf("descriptor %d is watched twice", fd)
	}
	s.watched, s.token, s.want = true, token, want
	return 0
}

func (k *script) Rewatch(fd int, token uint64, want poll.Flags) poll.Errno {
	s := k.at(fd)
	if !s.watched {
		k.t.Errorf("descriptor %d is watched anew, and was not before", fd)
	}
	s.token, s.want = token, want
	return 0
}

func (k *script) Unwatch(fd int) poll.Errno {
	k.at(fd).watched = false
	return 0
}

func (k *script) Accept(fd int) (int, netip.AddrPort, poll.Errno) {
	k.accepts++
	if len(k.acceptErrnos) > 0 {
		e := k.acceptErrnos[0]
		k.acceptErrnos = k.acceptErrnos[1:]
		return -1, netip.AddrPort{}, e
	}
	if len(k.backlog) == 0 {
		return -1, netip.AddrPort{}, poll.EAGAIN
	}
	if k.flip() {
		return -1, netip.AddrPort{}, k.errno()
	}
	conn := k.backlog[0]
	k.backlog = k.backlog[1:]
	return conn, netip.MustParseAddrPort("192.0.2.1:1234"), 0
}

func (k *script) Connected(fd int) poll.Errno { return k.at(fd).connectErrno }

func (k *script) Recv(fd int, b []byte) (int, poll.Errno) {
	k.recvs++
	s := k.at(fd)
	switch {
	case k.flip():
		return 0, k.errno()
	case len(s.in) > 0:
	case s.recvErrno != 0:
		return 0, s.recvErrno
	case s.fin:
		return 0, 0
	default:
		return 0, poll.EAGAIN
	}
	if k.rng != nil {
		b = b[:1+k.rng.IntN(min(len(b), 20))]
	}
	n := copy(b, s.in)
	s.in = s.in[n:]
	return n, 0
}

func (k *script) Send(fd int, b []byte) (int, poll.Errno) {
	k.sends++
	s := k.at(fd)
	n := len(b)
	if s.room >= 0 {
		n = min(n, s.room)
	}
	if s.most > 0 {
		n = min(n, s.most)
	}
	switch {
	case s.shut:
		k.t.Errorf("a send behind FIN on descriptor %d", fd)
		return 0, poll.EPIPE
	case s.sendErrno != 0:
		return 0, s.sendErrno
	case k.flip():
		return 0, k.errno()
	case n == 0:
		return 0, poll.EAGAIN
	}
	if k.rng != nil {
		n = 1 + k.rng.IntN(n)
	}
	if s.room > 0 {
		s.room -= n
	}
	s.out = append(s.out, b[:n]...)
	return n, 0
}

func (k *script) ShutdownWrite(fd int) poll.Errno {
	k.at(fd).shut = true
	return 0
}

func (k *script) Close(fd int) poll.Errno {
	k.at(fd)
	delete(k.sockets, fd)
	return 0
}

// A scripted is one loop over a script, driven by hand.
type scripted struct {
	*script
	l    *loop
	p    *probe
	pool pool
}

// scriptLoop makes a loop with a listener. The caller's goroutine is its loop's.
func scriptLoop(t testing.TB, cfg Config, h handlerUnderTest) *scripted {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	if h == nil {
		h = newProbe()
	}
	cfg.Loops, cfg.Poison, cfg.MaxConns = 1, true, max(cfg.MaxConns, 100)
	cfg.Logger, cfg.wall = slog.New(slog.DiscardHandler), midnight
	if err := cfg.complete(); err != nil {
		t.Fatal(err)
	}
	d := &scripted{script: newScript(t), p: h.account()}
	d.pool.limit = cfg.MaxMemory
	d.l = newLoop(0, &cfg, d.script, &d.pool, &connCount{max: int64(cfg.MaxConns)})
	d.l.thread = poll.Thread()
	d.l.setHandler(h)
	d.l.listen(listenerFD, false)
	return d
}

// settle turns the loop until it would wait. A loop that spins never does.
func (d *scripted) settle() {
	d.t.Helper()
	for i := range 100000 {
		if err := d.l.turn(); err != nil {
			d.t.Fatal(err)
		}
		if d.idle && i > 0 { // the first turn may only have seen the time
			return
		}
	}
	d.t.Fatal("the loop spins")
}

// pass lets time go by, as far as the loop is awake at each of its deadlines.
func (d *scripted) pass(t time.Duration) {
	d.t.Helper()
	end := d.now + t
	d.settle()
	for range 10000 {
		if d.timeout < 0 || d.now+d.timeout > end {
			d.now = end
			d.settle()
			return
		}
		d.now += d.timeout
		d.settle()
	}
	d.t.Fatal("the loop wakes again and again")
}

// stats are the loop's counters.
func (d *scripted) stats() (s Stats) {
	d.l.stats.addTo(&s)
	s.MemoryOctets = d.pool.lent.Load()
	return s
}

// finish checks that with the last connection everything has gone.
func (d *scripted) finish() {
	d.t.Helper()
	for fd, s := range d.sockets {
		if !s.listener {
			d.t.Errorf("descriptor %d is still open", fd)
		}
	}
	d.l.end()
	s := d.stats()
	if s.Conns != 0 || s.QueuedOctets != 0 || s.MemoryOctets != 0 || d.l.slab.live != 0 || len(d.l.mem.headers) != 0 {
		d.t.Errorf("left: %d connections, %d octets queued, %d octets of memory, %d slots, %d buffers",
			s.Conns, s.QueuedOctets, s.MemoryOctets, d.l.slab.live, len(d.l.mem.headers))
	}
	if d.l.conns.n.Load() != 0 || !d.released {
		d.t.Errorf("%d connections counted, kernel released: %v", d.l.conns.n.Load(), d.released)
	}
	d.p.balanced(d.t)
}

// took returns what the peer has received since the last call.
func (s *socket) took() string {
	out := string(s.out)
	s.out = nil
	return out
}

func (d *scripted) expect(s *socket, want string) {
	d.t.Helper()
	if got := s.took(); got != want {
		d.t.Fatalf("got %s\nwant %s", short([]byte(got)), short([]byte(want)))
	}
}

// open has a peer connect and the handshake done.
func (d *scripted) open() *socket {
	d.t.Helper()
	s := d.connect(request())
	d.settle()
	d.expect(s, accepted)
	return s
}

// arrives has octets arrive, and served.
func (d *scripted) arrives(s *socket, in string) {
	d.t.Helper()
	s.in = append(s.in, in...)
	d.settle()
}

// bye ends a connection by the client's closing handshake.
func (d *scripted) bye(s *socket) {
	d.t.Helper()
	s.room, s.most = -1, 0
	d.arrives(s, closing(1000, ""))
	if got := s.took(); len(got) < 4 || got[len(got)-4:] != closed(1000, "") {
		d.t.Fatalf("closing is not answered but with %s", short([]byte(got)))
	}
	if !s.shut {
		d.t.Fatal("no FIN behind the close frame")
	}
	s.fin = true
	d.settle()
}

// EMFILE: accepting pauses and serving goes on; it is counted; accepting begins
// again when descriptors may be there again. Hazard 21.
func TestOutOfDescriptors(t *testing.T) {
	d := scriptLoop(t, Config{}, nil)
	old := d.open()
	d.acceptErrnos = []poll.Errno{poll.EMFILE, poll.EMFILE, poll.ENFILE}
	fresh := d.connect(request())
	d.settle()
	if d.accepts != 3 || d.stats().AcceptFailed != 1 { // two for the first connection
		t.Fatalf("%d calls of accept, %d failed", d.accepts, d.stats().AcceptFailed)
	}
	d.arrives(old, text("still there"))
	d.expect(old, textOf("still there"))
	began := d.now
	for i := uint64(1); len(d.acceptErrnos) > 0; i++ {
		if d.stats().AcceptFailed != i {
			t.Fatalf("%d failed, want %d", d.stats().AcceptFailed, i)
		}
		d.pass(d.timeout)
	}
	d.pass(time.Second)
	d.expect(fresh, accepted)
	if d.now-began > 3*time.Second || d.accepts > 8 {
		t.Errorf("took %v and %d calls", d.now-began, d.accepts)
	}
	for range 20 { // the back-off has a bound
		d.acceptErrnos = append(d.acceptErrnos, poll.ENOBUFS)
	}
	d.settle()
	d.pass(19*(maxBackoff+2*tickLength) + time.Second)
	if len(d.acceptErrnos) > 0 {
		t.Errorf("%d calls of accept not made", len(d.acceptErrnos))
	}
	d.acceptErrnos = []poll.Errno{poll.ECONNABORTED, poll.EINTR, poll.EPROTO, poll.EPERM}
	third := d.connect(request())
	d.settle()
	d.expect(third, accepted) // at once: those were the connection's fault
	for _, s := range []*socket{old, fresh, third} {
		d.bye(s)
	}
	d.finish()
}

// EINTR, EAGAIN, short reads and short writes anywhere change nothing of what
// the peers see but the place of pongs. Hazards 23, 25 and 26.
func TestFaultsAnywhere(t *testing.T) {
	for seed := range uint64(5) {
		for _, x := range append(rightful(), violations()...) {
			d := scriptLoop(t, Config{MaxMessage: wireMaxMessage, MaxFragments: wireMaxFragments}, nil)
			d.rng = rand.New(rand.NewPCG(seed, 0))
			s := d.connect(request() + x.in)
			d.settle()
			got, answered := cutPrefix(s.took(), accepted)
			if !answered || !sameButPongs(t, got, x.out, x.err != nil) {
				t.Fatalf("%s, seed %d: got %q, want %q", x.name, seed, got, x.out)
			}
			if s.shut != (x.code != 0) {
				t.Fatalf("%s, seed %d: FIN sent: %v", x.name, seed, s.shut)
			}
			s.fin = true
			d.settle()
			d.finish()
		}
	}
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || s[:len(prefix)] != prefix {
		return s, false
	}
	return s[len(prefix):], true
}

// sameButPongs compares two runs of a server's frames. Pongs may be missing and
// stand elsewhere; if the connection failed, data frames may be missing in front
// of the close frame.
func sameButPongs(t testing.TB, got, want string, failed bool) bool {
	g, w := frames(t, got), frames(t, want)
	g = slices.DeleteFunc(g, func(f string) bool { return f[0] == 0x8A && slices.Contains(w, f) })
	w = slices.DeleteFunc(w, func(f string) bool { return f[0] == 0x8A })
	if !failed {
		return slices.Equal(g, w)
	}
	n := len(g) - 1
	return n >= 0 && n < len(w) && g[n] == w[len(w)-1] && slices.Equal(g[:n], w[:n])
}

// frames cuts a server's octets into frames.
func frames(t testing.TB, s string) (list []string) {
	t.Helper()
	for len(s) > 0 {
		h, n, err := codec.ParseHeader([]byte(s))
		if err != nil || n == 0 || h.PayloadLength > int64(len(s)-n) {
			t.Fatalf("not frames: %s, %v", short([]byte(s)), err)
		}
		n += int(h.PayloadLength)
		list = append(list, s[:n])
		s = s[n:]
	}
	return list
}

// A socket without buffers to be had is tried again, not given up.
func TestNoBuffers(t *testing.T) {
	d := scriptLoop(t, Config{}, nil)
	s := d.open()
	for _, e := range []poll.Errno{poll.ENOBUFS, poll.ENOMEM} {
		s.sendErrno = e
		s.in = append(s.in, text("a")...)
		for range 10 {
			d.l.turn() // the script says writable, as it is; no waiting here
		}
		s.sendErrno = 0
		d.settle()
		d.expect(s, textOf("a"))
	}
	d.bye(s)
	d.finish()
}

// A socket that has hung up while reading is paused is told of by the kernel
// again and again. The loop must not spin over it. Hazard 25.
func TestHangupWhilePaused(t *testing.T) {
	p := newProbe()
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) {
		if string(payload) == "pause" {
			c.PauseRead()
			return
		}
		c.Send(op, payload)
	}
	d := scriptLoop(t, Config{IdleTimeout: -1}, p)
	s := d.open()
	c := await(t, "Opened", p.opens)
	d.arrives(s, text("pause")+text("kept"))
	s.in = append(s.in, text("unread")...)
	s.fin, s.hup = true, true
	before := d.waits
	d.settle()
	if n := d.waits - before; n > 4 {
		t.Errorf("%d turns", n)
	}
	d.expect(s, "")
	if err := c.Handle().Post(func(c Conn) { c.ResumeRead() }); err != nil {
		t.Fatal(err)
	}
	d.settle()
	d.expect(s, textOf("kept")+textOf("unread"))
	if info := await(t, "Closed", p.ends); info.Code != codec.CloseAbnormal || info.Err != nil {
		t.Errorf("Closed with %+v", info)
	}
	d.finish()
}

// The same with output that the peer will never take. Hazard 25.
func TestHangupWhileBlocked(t *testing.T) {
	d := scriptLoop(t, Config{MaxMessage: 1000}, nil)
	s := d.open()
	s.room = 500
	d.arrives(s, repeat(binaryOf(letters(1000)), 5))
	s.hup, s.sendErrno, s.recvErrno = true, poll.EPIPE, poll.ECONNRESET
	before := d.waits
	d.settle()
	if n := d.waits - before; n > 5 {
		t.Errorf("%d turns", n)
	}
	info := await(t, "Closed", d.p.ends)
	if info.Code != codec.CloseAbnormal || !info.Remote || info.Clean {
		t.Errorf("Closed with %+v", info)
	}
	d.finish()
}

// An event for a descriptor that was closed, and whose slot has another tenant,
// is dropped. Hazard 24.
func TestStaleToken(t *testing.T) {
	d := scriptLoop(t, Config{}, nil)
	first := d.open()
	token := first.token
	d.bye(first)
	second := d.open()
	if second.token == token || uint32(second.token) != uint32(token) {
		t.Fatalf("tokens %#x and %#x: want one slot and two generations", token, second.token)
	}
	recvs := d.recvs
	second.recvErrno = poll.ECONNRESET // whoever reads it finds the end
	second.want = 0
	d.stale = []poll.Event{{Token: token, Flags: poll.Readable | poll.Writable | poll.Hangup}}
	d.settle()
	if d.recvs != recvs {
		t.Error("an event for the slot's last tenant reached the next")
	}
	second.recvErrno, second.want = 0, poll.Readable
	d.bye(second)
	d.stale = []poll.Event{{Token: token, Flags: poll.Readable}, {Token: second.token, Flags: poll.Hangup}}
	d.settle()
	d.finish()
}

// One connection that is always readable does not starve another. Hazard 23.
func TestNoStarvation(t *testing.T) {
	d := scriptLoop(t, Config{}, nil)
	busy, other := d.open(), d.open()
	busy.in = []byte(repeat(binaryOf(letters(1000)), 2000))
	other.in = []byte(text("me too"))
	if err := d.l.turn(); err != nil {
		t.Fatal(err)
	}
	d.expect(other, textOf("me too"))
	if len(busy.in) == 0 {
		t.Error("all of the busy connection's input was read in one turn")
	}
	d.settle()
	d.expect(busy, repeat(plain(0x82, letters(1000)), 2000))
	d.bye(busy)
	d.bye(other)
	d.finish()
}

// Two connections that pause themselves and each other at random, over a kernel
// with faults, half-closed from the start: all is delivered, in order, and none
// of it while paused. Hazards 22 and 23.
func TestPausesAndFaults(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 9))
		p := newProbe()
		var conns []Conn
		paused := map[Conn]bool{}
		toggle := func(c Conn) {
			var err error
			if paused[c] {
				err = c.ResumeRead()
			} else {
				err = c.PauseRead()
			}
			if err == nil {
				paused[c] = !paused[c]
			}
		}
		p.onOpened = func(c Conn) { conns = append(conns, c) }
		p.onMessage = func(c Conn, op codec.Opcode, payload []byte) {
			if paused[c] {
				t.Fatalf("seed %d: delivered while paused", seed)
			}
			c.Send(op, payload)
			for rng.IntN(2) == 0 {
				toggle(conns[rng.IntN(len(conns))])
			}
		}
		d := scriptLoop(t, Config{MaxMessage: 200}, p)
		var sockets []*socket
		var want string
		for range 2 {
			sockets = append(sockets, d.open())
		}
		in := ""
		for i := range 40 {
			payload := letters(i * i % 200)
			in += binaryOf(payload)
			want += plain(0x82, payload)
		}
		d.rng = rng
		for _, s := range sockets {
			s.in, s.fin = []byte(in), true
		}
		for i := 0; len(p.ends) < 2; i++ {
			if i > 10000 {
				t.Fatalf("seed %d: stuck", seed)
			}
			d.settle()
			for _, c := range conns {
				if paused[c] {
					c.Handle().Post(toggle)
				}
			}
		}
		d.settle()
		for i, s := range sockets {
			if got := s.took(); got != want {
				t.Fatalf("seed %d, connection %d: got %s\nwant %s", seed, i, short([]byte(got)), short([]byte(want)))
			}
		}
		d.finish()
	}
}
