//go:build linux

package reactor

// The script of the simulation: what the world outside does between the loop's
// turns, and how it ends.

import (
	"time"

	"github.com/hybi-go/hybi/codec"
)

// A simPeerScript is how a peer behaves.
type simPeerScript struct {
	outbox  []byte // what it sends; the first given octets are sent
	given   int
	chunk   int  // octets at once, about
	reads   int  // octets it reads at once; 0: never
	ending  int  // how it ends when all is sent: see end
	ended   bool // it sends nothing more
	polite  bool // it answers a close frame
	answers bool // it answers FIN
}

const (
	endNot = iota
	endFIN
	endReset
	endClose // as a Unix socket's peer: both directions, and nothing is discarded
)

// play lets things happen between turns.
func (s *sim) play() {
	end := -1
	steps := 20 + s.rng.IntN(60)
	if s.rng.IntN(4) == 0 {
		end = s.rng.IntN(steps)
	}
	for i := 0; i < steps && s.failed == nil; i++ {
		for range 1 + s.rng.IntN(3) {
			s.step()
		}
		if i == end {
			s.stop(s.rng.IntN(3) == 0)
		}
		switch s.rng.IntN(6) {
		case 0:
			s.settle()
		case 1:
			s.turn()
			s.turn()
		default:
			s.turn()
		}
	}
}

// turn is a turn of the loop and the look at it afterwards.
func (s *sim) turn() {
	if s.failed != nil {
		return
	}
	if err := s.l.turn(); err != nil {
		s.failf("turn: %v", err)
	}
	s.checkTurn()
}

// settle turns until the loop would sleep.
func (s *sim) settle() {
	for range 20000 {
		s.turn()
		if s.failed != nil {
			return
		}
		if s.kernel.idle && len(s.l.ready)+len(s.l.dirty) == 0 {
			return
		}
	}
	s.failf("the loop never comes to rest")
}

// step is one thing that happens.
func (s *sim) step() {
	rng := s.rng
	switch rng.IntN(16) {
	case 0, 1:
		s.connect()
	case 2:
		s.pass()
	case 3, 4:
		if s.outside && len(s.conns0) > 0 {
			s.call(s.conns0[rng.IntN(len(s.conns0))])
		}
	default:
		if len(s.all) > 0 {
			s.peerStep(s.all[rng.IntN(len(s.all))])
		}
	}
}

// pass lets the clock go on: as long as the loop would sleep, or not; or jump.
func (s *sim) pass() {
	k := &s.kernel
	switch s.rng.IntN(12) {
	case 0:
		if s.rng.IntN(4) == 0 {
			s.jump(10 * time.Hour)
		}
	case 1, 2, 3:
		s.jump(300 * time.Millisecond)
	default:
		for range 1 + s.rng.IntN(6) {
			s.settle()
			if k.timeout < 0 || s.failed != nil {
				return
			}
			k.now = max(k.now, s.l.clock+k.timeout)
			s.turn()
		}
	}
}

// jump sets the clock forward without the loop's being asked.
func (s *sim) jump(most time.Duration) {
	s.kernel.now += time.Duration(s.rng.Int64N(int64(most)))
	s.jumped = s.kernel.now
	s.tracef("the clock jumps")
}

// stop shuts the loop down.
func (s *sim) stop(abort bool) {
	s.tracef("shutdown, abort %v", abort)
	s.shutdown, s.aborted = true, s.aborted || abort
	s.l.inbox.command(abort)
}

// connect makes a peer.
func (s *sim) connect() {
	if s.peers == 0 || s.l.ended {
		return
	}
	s.peers--
	rng := s.rng
	c := &simConn{s: s, number: len(s.all)}
	adopt, dial := false, false
	switch rng.IntN(8) {
	case 0, 1:
		adopt = true
		c.role = pick(s, codec.Server, codec.Client)
	case 2, 3, 4:
		dial = true
		c.role = codec.Client
	}
	number := rng.IntN(simNumbers)
	if rng.IntN(40) == 0 && s.limit != simLargeLimit {
		number = rng.IntN(1 << 30)
	}
	c.stream = streamOf(simStreamKey{c.role, s.limit, number})
	switch {
	case dial:
		if s.newDial(c); s.failed != nil {
			return
		}
	case !adopt:
		c.head = simHeads[0]
		if rng.IntN(3) == 0 {
			c.head = simHeads[rng.IntN(len(simHeads))]
		}
	}
	p := &c.peer
	p.outbox = append([]byte(c.head.octets), c.stream.wire...)
	if dial && c.head.octets == "" {
		p.outbox = nil
	}
	if rng.IntN(4) == 0 {
		p.outbox = p.outbox[:rng.IntN(len(p.outbox)+1)]
	}
	p.chunk = pick(s, 1, 7, 60, 1000, 1<<20)
	if s.limit == simLargeLimit {
		p.chunk = max(p.chunk, 20000)
	}
	p.reads = pick(s, 0, 3, 100, 1<<20, 1<<20)
	p.ending = pick(s, endNot, endNot, endFIN, endFIN, endReset, endClose)
	p.polite, p.answers = rng.IntN(4) > 0, rng.IntN(4) > 0
	c.sock = &simSocket{c: c, capacity: pick(s, 1, 20, 200, 4000, 1<<20, 1<<20), lowat: 1}
	if c.sock.capacity > 3 && rng.IntN(2) == 0 {
		c.sock.lowat = c.sock.capacity / 3
	}
	s.all = append(s.all, c)
	s.tracef("%v: %v, head %d, stream %d octets, adopted %v, dialed %v, %+v", c, c.role, len(c.head.octets), len(c.stream.wire), adopt, dial, *c.sock)
	switch {
	case adopt:
		s.adopt(c)
	case dial:
		s.dial(c)
	default:
		s.kernel.backlog = append(s.kernel.backlog, c)
	}
}

// adopt gives the loop a socket whose handshake is done, as Reactor.Adopt does.
func (s *sim) adopt(c *simConn) {
	prefix := c.peer.outbox[:s.rng.IntN(len(c.peer.outbox)+1)*s.rng.IntN(2)]
	s.mark()
	s.seq++
	call := simCall{seq: s.seq, kind: callAdopt}
	err := s.l.inbox.put(entry{kind: entryRun, run: func(l *loop) {
		s.bound, s.panicking = call.seq, nil
		f := s.kernel.open(c)
		s.tracef("%v: adopted as descriptor %d, prefix %d", c, f.fd, len(prefix))
		f.shared = true
		c.begun()
		c.received = len(prefix)
		l.adopted(f.fd, simPeer, c.role, append([]byte(nil), prefix...))
		if s.panicking == nil {
			s.bound = ^uint64(0)
		}
	}}, nil)
	if err != nil {
		c.peer.ended, c.gone = true, true
		return
	}
	c.peer.given = len(prefix)
	s.waiting = append(s.waiting, call)
}

// peerStep lets a peer do something.
func (s *sim) peerStep(c *simConn) {
	p, f := &c.peer, c.sock
	if c.gone || f.hup {
		return
	}
	if f.connecting {
		if s.rng.IntN(2) == 0 {
			s.connects(c)
		}
		return
	}
	if c.opening() && s.rng.IntN(4) > 0 {
		f.buffered = 0 // a server reads the request, whatever it does later
		s.kernel.changes++
	}
	if p.reads > 0 && f.buffered > 0 && s.rng.IntN(2) == 0 {
		n := min(f.buffered, 1+s.rng.IntN(p.reads))
		f.buffered -= n
		s.kernel.changes++
		s.tracef("%v: peer reads %d, %d left", c, n, f.buffered)
	}
	if p.ended {
		return
	}
	if p.polite && c.saidClose && !c.inFrame && s.rng.IntN(2) == 0 {
		c.peerCloses()
	}
	switch {
	case p.given < len(p.outbox) && c.silent():
		if s.rng.IntN(30) == 0 {
			s.endPeer(c)
		}
	case p.given < len(p.outbox):
		n := 1 + s.rng.IntN(p.chunk)
		if c.opening() && c.dial.whole {
			n += max(0, len(c.head.octets)-p.given)
		}
		s.give(c, n)
	case p.answers && f.shut || p.ending != endNot && s.rng.IntN(4) == 0:
		s.endPeer(c)
	case s.rng.IntN(60) == 0:
		f.hup, f.reset, p.ended = true, true, true
		s.tracef("%v: peer resets", c)
	}
}

// give has octets arrive.
func (s *sim) give(c *simConn, n int) {
	p := &c.peer
	n = min(n, len(p.outbox)-p.given)
	c.sock.in = append(c.sock.in, p.outbox[p.given:p.given+n]...)
	p.given += n
	s.kernel.changes++
	s.tracef("%v: peer sends %d", c, n)
}

func (s *sim) endPeer(c *simConn) {
	p, f := &c.peer, c.sock
	p.ended = true
	s.kernel.changes++
	s.tracef("%v: peer ends, %d", c, p.ending)
	switch p.ending {
	case endReset:
		f.hup, f.reset = true, true
		if s.rng.IntN(2) == 0 {
			f.in = nil
		}
	case endClose:
		f.hup, f.fin = true, true
	default:
		f.fin = true
	}
}

// peerCloses has the peer answer a close frame behind the frame that it is in the
// midst of, in place of all it would have sent.
func (c *simConn) peerCloses() {
	p := &c.peer
	given := p.given - len(c.head.octets)
	if given < 0 || p.polite == false {
		return
	}
	p.polite = false
	n, cut := 0, 0
	for n < len(c.stream.frames) && cut < given {
		cut = c.stream.frames[n].end
		n++
	}
	if cut < given || len(c.head.octets)+cut > len(p.outbox) || n > 0 && c.stream.frames[n-1].op == codec.OpClose {
		return // it has closed, or breaks the rules
	}
	b := streamBuilder{rng: c.s.rng, key: simStreamKey{role: c.role}}
	b.wire = append(b.wire, c.stream.wire[:cut]...)
	b.frame(0x88, []byte("\x03\xE8bye"))
	old := c.stream
	st := &simStream{wire: b.wire, ruleAt: len(b.wire)}
	st.frames = append(st.frames, old.frames[:n]...)
	last, _ := frameAt(b.wire, cut)
	st.frames = append(st.frames, last)
	for _, m := range old.messages {
		if m.end > cut {
			m.end = -1
		}
		st.messages = append(st.messages, m)
	}
	c.stream = st
	p.outbox = append(append([]byte(nil), p.outbox[:len(c.head.octets)+cut]...), b.wire[cut:]...)
	c.s.tracef("%v: peer answers the close frame at %d", c, cut)
}

// finale lets the peers finish what they have begun, and the connections end.
func (s *sim) finale() {
	if s.failed != nil {
		return
	}
	if s.rng.IntN(4) > 0 {
		s.faults = 0
	}
	for range 4 { // what is read makes room for more
		for _, c := range s.all {
			if !c.gone && c.sock.connecting && s.rng.IntN(8) > 0 {
				s.connects(c)
			}
			if !c.gone && !c.sock.hup && s.rng.IntN(8) > 0 {
				c.sock.buffered, c.sock.capacity, c.sock.lowat = 0, 1<<20, 1
				if !c.peer.ended && !c.silent() {
					s.give(c, len(c.peer.outbox))
				}
			}
			if !c.gone && !c.peer.ended && !c.sock.connecting && s.rng.IntN(3) > 0 {
				s.endPeer(c)
			}
		}
		s.settle()
	}
	if !s.shutdown {
		s.stop(false)
	}
	for range 300 {
		s.settle()
		if s.failed != nil || s.l.slab.live == 0 {
			break
		}
		if s.kernel.timeout < 0 {
			break
		}
		s.kernel.now = max(s.kernel.now, s.l.clock+s.kernel.timeout)
	}
	if s.failed == nil && s.l.slab.live > 0 {
		s.stop(true)
		s.settle()
	}
	s.over()
}

// over checks that everything was given back.
func (s *sim) over() {
	if s.failed != nil {
		return
	}
	for s.peers > 0 && s.failed == nil && s.rng.IntN(4) == 0 { // what is left in the inbox
		s.connect()
	}
	for _, c := range s.kernel.backlog {
		c.gone = true
	}
	s.l.end()
	s.endOfTurn()
	for fd, f := range s.kernel.files {
		if f != nil {
			s.failf("descriptor %d, %v, is still open", fd, f.c)
		}
	}
	var st Stats
	s.l.stats.addTo(&st)
	if st.Conns != 0 || st.QueuedOctets != 0 || s.pool.lent.Load() != 0 || s.l.slab.live != 0 || len(s.l.mem.headers) != 0 || s.conns.n.Load() != 0 {
		s.failf("left: %d connections, %d octets queued, %d octets of memory, %d slots, %d headers, %d counted",
			st.Conns, st.QueuedOctets, s.pool.lent.Load(), s.l.slab.live, len(s.l.mem.headers), s.conns.n.Load())
	}
	if st.Opened != st.Closed || !s.kernel.released {
		s.failf("%d opened, %d closed, kernel released %v", st.Opened, st.Closed, s.kernel.released)
	}
	for _, c := range s.all {
		if c.dial != nil && c.dial.taken {
			c.checkDial()
		}
	}
	for _, c := range s.conns0 {
		if !c.closed || c.conn.Send(codec.OpText, nil) != ErrClosed || c.conn.Handle().Send(codec.OpText, nil) != ErrClosed {
			c.failf("at the end: closed %v, or it can be sent to", c.closed)
		}
	}
}
