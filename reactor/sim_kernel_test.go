//go:build linux

package reactor

// The kernel of the simulation: poll.Kernel in memory, with a clock of its own,
// where every choice that a real kernel is free to make is drawn from the seed.
// It keeps the contract of package poll and the semantics of Linux, and nothing
// beyond: what the loop may not rely on is done wrong as often as the seed wants.

import (
	"net/netip"
	"time"

	"github.com/hybi-go/hybi/internal/poll"
)

// A simSocket is a descriptor: a listener, or one end of a connection.
type simSocket struct {
	fd int
	c  *simConn // nil for a listener

	in         []byte // arrived and not read
	fin        bool   // the peer's FIN stands behind in
	hup        bool   // both directions are over: a reset, or a Unix peer's close
	reset      bool   // reading ends with ECONNRESET, not FIN
	capacity   int    // octets that wait for the peer to read, at most
	lowat      int    // free octets from which on the socket is told writable
	buffered   int
	shut       bool       // FIN was sent by the loop
	dead       bool       // Send was told of a fatal error
	connecting bool       // neither direction is there yet
	errno      poll.Errno // how connecting has failed, until that is told
	shared     bool       // there is another descriptor for it, so that Close does not end the watch

	watched bool
	known   bool // it was watched once
	told    int  // by which call of Wait it was last told of
	want    poll.Flags
	token   uint64
}

// readable, writable: as epoll would tell.
func (k *simSocket) readable() bool { return len(k.in) > 0 || k.fin || k.reset }
func (k *simSocket) writable() bool {
	return k.hup || !k.connecting && k.capacity-k.buffered >= k.lowat
}

type simKernel struct {
	s   *sim
	now time.Duration

	files    []*simSocket // by descriptor; nil is free
	backlog  []*simConn
	past     []uint64 // tokens of closed descriptors
	woken    bool
	idle     bool          // the last Wait would have slept
	timeout  time.Duration // what it was given
	waits    int
	changes  int // grows with whatever happens that is not a mere question
	spinning int // turns since the last change
	released bool

	accepted           uint64
	octetsIn, octetsUp uint64 // read and sent by the loop
}

const simListener = 3 // its descriptor; the ones below are taken

func (k *simKernel) reset(s *sim) {
	*k = simKernel{s: s, files: k.files[:0], past: k.past[:0]}
	k.files = append(k.files, nil, nil, nil, &simSocket{fd: simListener})
}

// open makes a descriptor for c: the lowest free one, as POSIX has it.
func (k *simKernel) open(c *simConn) *simSocket {
	fd := simListener
	for fd < len(k.files) && k.files[fd] != nil {
		fd++
	}
	if fd == len(k.files) {
		k.files = append(k.files, nil)
	}
	c.sock.fd = fd
	k.files[fd] = c.sock
	return c.sock
}

// fault says at random that a call is to fail.
func (k *simKernel) fault() bool {
	return k.s.faults > 0 && k.s.rng.IntN(64) < k.s.faults && k.changed()
}

func (k *simKernel) changed() bool {
	k.changes++
	return true
}

func (k *simKernel) at(fd int, call string) *simSocket {
	if fd < 0 || fd >= len(k.files) || k.files[fd] == nil {
		k.s.failf("%s on descriptor %d, which is closed", call, fd)
		return nil
	}
	return k.files[fd]
}

func (k *simKernel) Wait(events []poll.Event, timeout time.Duration) (int, poll.Errno) {
	k.s.mark()
	k.waits++
	k.timeout = timeout
	ready := k.ready()
	k.idle = len(ready) == 0 && !k.woken && timeout != 0
	k.s.beforeWait(timeout, len(ready) > 0)
	if k.idle {
		k.s.checkIdle()
	}
	k.woken = false
	k.now += time.Duration(k.s.rng.IntN(int(k.s.pace)))
	if k.fault() {
		if len(ready) > 0 || k.s.rng.IntN(2) == 0 {
			k.idle = false
			return 0, 0
		}
	}
	if k.s.faults > 0 {
		ready = k.confuse(ready)
		k.idle = k.idle && len(ready) == 0
	}
	n := copy(events, ready)
	for _, f := range k.files {
		for i := range events[:n] {
			if f != nil && f.watched && f.token == events[i].Token {
				f.told = k.waits
			}
		}
	}
	if k.s.tracing {
		k.s.tracef("-- turn at %v: %d events %v, timeout %v", k.now, n, events[:n], timeout)
	}
	return n, 0
}

// ready lists what level-triggered epoll would tell, in the order of descriptors.
func (k *simKernel) ready() []poll.Event {
	list := k.s.events[:0]
	for _, f := range k.files {
		if f == nil || !f.watched {
			continue
		}
		if flags := k.flags(f); flags != 0 {
			list = append(list, poll.Event{Token: f.token, Flags: flags})
		}
	}
	k.s.events = list
	return list
}

func (k *simKernel) flags(f *simSocket) (flags poll.Flags) {
	if f.c == nil {
		if len(k.backlog) > 0 {
			return poll.Readable & f.want
		}
		return 0
	}
	if f.readable() {
		flags |= poll.Readable
	}
	if f.writable() {
		flags |= poll.Writable
	}
	flags &= f.want
	if f.hup || f.fin && f.shut {
		flags |= poll.Hangup
	}
	return flags
}

// confuse shuffles events, leaves some for later, repeats some, and adds ones
// that are not true or not for anybody any more.
func (k *simKernel) confuse(list []poll.Event) []poll.Event {
	rng := k.s.rng
	if len(list) > 1 && rng.IntN(2) == 0 {
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if k.fault() {
			list = list[:1+rng.IntN(len(list)-1)]
		}
	}
	if len(list) > 0 && k.fault() {
		list = append(list, list[rng.IntN(len(list))])
	}
	if k.fault() { // spurious: of what was asked for
		if f := k.files[rng.IntN(len(k.files))]; f != nil && f.watched {
			list = append(list, poll.Event{Token: f.token, Flags: f.want})
		}
	}
	if len(k.past) > 0 && k.fault() { // stale
		token := k.past[rng.IntN(len(k.past))]
		list = append(list, poll.Event{Token: token, Flags: poll.Flags(1 + rng.IntN(7))})
		if rng.IntN(2) == 0 {
			list[0], list[len(list)-1] = list[len(list)-1], list[0]
		}
	}
	k.s.events = list
	return list
}

func (k *simKernel) Wake() {
	k.woken = true
	k.s.tracef("wake")
}

func (k *simKernel) Now() time.Duration { return k.now }

func (k *simKernel) Release() {
	if k.released {
		k.s.failf("the kernel is released twice")
	}
	k.released = true
}

func (k *simKernel) Watch(fd int, token uint64, want poll.Flags) poll.Errno {
	f := k.at(fd, "Watch")
	if f == nil {
		return poll.EPERM
	}
	if f.watched {
		k.s.failf("descriptor %d is watched twice", fd)
	}
	// Not while the loop shuts down, as the model takes that for one step.
	if k.fault() && k.s.rng.IntN(4) == 0 && !k.s.l.stopping {
		if f.c != nil {
			f.c.unwatchable = true
		}
		k.s.tracef("watch %d: no memory", fd)
		return poll.ENOMEM
	}
	f.watched, f.known, f.token, f.want = true, true, token, want
	k.changes++
	k.s.tracef("watch %d %03b", fd, want)
	return 0
}

func (k *simKernel) Rewatch(fd int, token uint64, want poll.Flags) poll.Errno {
	f := k.at(fd, "Rewatch")
	if f == nil {
		return poll.EPERM
	}
	if !f.watched {
		k.s.failf("descriptor %d is watched anew, and was not before", fd)
	}
	if f.c != nil && f.token != token {
		k.s.failf("descriptor %d changes its token", fd)
	}
	f.token, f.want = token, want
	k.changes++
	k.s.tracef("rewatch %d %03b", fd, want)
	return 0
}

func (k *simKernel) Unwatch(fd int) poll.Errno {
	f := k.at(fd, "Unwatch")
	if f == nil {
		return poll.EPERM
	}
	if !f.watched && !f.shared {
		k.s.failf("descriptor %d is not watched any more, and was not before", fd)
	}
	f.watched = false
	k.changes++
	k.s.tracef("unwatch %d", fd)
	return 0
}

var simPeer = netip.MustParseAddrPort("192.0.2.1:1234")

func (k *simKernel) Accept(fd int) (int, netip.AddrPort, poll.Errno) {
	if f := k.at(fd, "Accept"); f == nil || f.c != nil {
		return -1, netip.AddrPort{}, poll.EPERM
	}
	if k.fault() {
		errs := [...]poll.Errno{poll.EAGAIN, poll.EINTR, poll.EMFILE, poll.ENFILE, poll.ENOBUFS, poll.ENOMEM, poll.ECONNABORTED, poll.EPROTO, poll.EPERM}
		e := errs[k.s.rng.IntN(len(errs))]
		k.s.tracef("accept: %v", e)
		return -1, netip.AddrPort{}, e
	}
	if len(k.backlog) == 0 {
		return -1, netip.AddrPort{}, poll.EAGAIN
	}
	c := k.backlog[0]
	k.backlog = k.backlog[1:]
	k.changes++
	k.accepted++
	f := k.open(c)
	c.begun()
	k.s.tracef("accept: %v is descriptor %d", c, f.fd)
	return f.fd, simPeer, 0
}

func (k *simKernel) Recv(fd int, b []byte) (int, poll.Errno) {
	f := k.at(fd, "Recv")
	if f != nil && f.told != k.waits {
		k.s.failf("%v is read from, and no event was for it", f.c)
	}
	if f == nil || len(b) == 0 {
		k.s.failf("Recv of %d octets on descriptor %d", len(b), fd)
		return 0, poll.EPERM
	}
	n, e := k.recv(f, b)
	if k.s.tracing {
		k.s.tracef("recv %v, %d: %d %v", f.c, len(b), n, e)
	}
	if e == 0 {
		k.octetsIn += uint64(n)
		f.c.recv(n)
	}
	return n, e
}

func (k *simKernel) recv(f *simSocket, b []byte) (int, poll.Errno) {
	switch {
	case k.fault():
		return 0, [...]poll.Errno{poll.EINTR, poll.EAGAIN}[k.s.rng.IntN(2)]
	case len(f.in) > 0:
	case f.errno != 0:
		e := f.errno
		f.c.dial.told, f.errno = e, 0
		k.changes++
		return 0, e
	case f.reset:
		f.c.sawReset, f.reset, f.fin = true, false, true
		k.changes++
		return 0, poll.ECONNRESET
	case f.fin:
		k.changes++
		return 0, 0
	default:
		return 0, poll.EAGAIN
	}
	if len(b) > 1 && k.fault() {
		b = b[:1+k.s.rng.IntN(min(len(b), 40))]
	}
	n := copy(b, f.in)
	f.in = f.in[n:]
	k.changes++
	return n, 0
}

func (k *simKernel) Send(fd int, b []byte) (int, poll.Errno) {
	f := k.at(fd, "Send")
	if f == nil || len(b) == 0 {
		k.s.failf("Send of %d octets on descriptor %d", len(b), fd)
		return 0, poll.EPIPE
	}
	if f.shut || f.dead {
		k.s.failf("%v: Send behind FIN (%v) or behind an error (%v)", f.c, f.shut, f.dead)
	}
	f.c.offered(b)
	n, e := k.send(f, b)
	if k.s.tracing {
		k.s.tracef("send %v, %d: %d %v", f.c, len(b), n, e)
	}
	k.octetsUp += uint64(n)
	if f.c.retried = e == poll.EINTR; !f.c.retried {
		f.c.took(b, n)
	}
	return n, e
}

func (k *simKernel) send(f *simSocket, b []byte) (int, poll.Errno) {
	switch {
	case f.hup:
		f.dead = true
		k.changes++
		e := poll.EPIPE
		if f.reset && k.s.rng.IntN(2) == 0 { // the error is told once
			f.reset, f.fin, e = false, true, poll.ECONNRESET
		}
		if f.errno != 0 {
			e, f.errno = f.errno, 0
		}
		return 0, e
	case k.fault():
		return 0, [...]poll.Errno{poll.EINTR, poll.EAGAIN, poll.ENOBUFS, poll.ENOMEM}[k.s.rng.IntN(4)]
	}
	n := min(len(b), f.capacity-f.buffered)
	if n == 0 || f.connecting {
		return 0, poll.EAGAIN
	}
	if n > 1 && k.fault() {
		n = 1 + k.s.rng.IntN(n)
	}
	f.buffered += n
	k.changes++
	return n, 0
}

func (k *simKernel) ShutdownWrite(fd int) poll.Errno {
	f := k.at(fd, "ShutdownWrite")
	if f == nil {
		return poll.EPERM
	}
	k.s.tracef("shutdown %v", f.c)
	k.changes++
	f.c.finished(f.shut)
	f.shut = true
	if f.hup { // as of a socket that is not connected any more
		f.dead = true
		return poll.EPIPE
	}
	return 0
}

func (k *simKernel) Close(fd int) poll.Errno {
	f := k.at(fd, "Close")
	if f == nil {
		return poll.EPERM
	}
	k.changes++
	k.files[fd] = nil
	if f.watched && f.shared {
		k.s.failf("%v is closed, and goes on to be watched by way of its other descriptor", f.c)
	}
	if f.known && len(k.past) < 64 {
		k.past = append(k.past, f.token)
	}
	k.s.tracef("close %v", f.c)
	if f.c == nil {
		k.s.stopped()
	} else {
		f.c.released(f)
	}
	return 0
}
