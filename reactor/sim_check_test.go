//go:build linux

package reactor

// What must hold of a loop between any two turns, whatever happened: from within,
// that nothing is lost, counted twice or left unwatched; and from without, that
// what can go on does, and that deadlines are kept.

import (
	"time"

	"github.com/hybi-go/hybi/internal/poll"
)

// early fails if a deadline has struck before its time.
func (s *sim) early(c *simConn, what string, from, length time.Duration) {
	if length < 0 || s.clock()-from < length {
		c.failf("%s after %v, set to %v", what, s.clock()-from, length)
	}
}

// dueBy returns the time by which some deadline of c's must strike, and which.
func (c *simConn) dueBy() (by time.Duration, what string) {
	t := &c.s.cfg
	last := max(c.endedAt, c.finAt, c.closeSent, c.emptied, c.left)
	add := func(from, length time.Duration, name string) {
		// After a jump one may strike after the other: a ping, then the idle timeout.
		if at := max(from+length, c.s.jumped+tickLength); length > 0 && (by == 0 || at < by) {
			by, what = at, name
		}
	}
	switch {
	case c.opening():
		add(c.since, t.HandshakeTimeout, "handshake")
	case c.sock.dead || c.loose:
	case c.refusal != nil || c.closed || c.closing || c.finished0:
		if c.unsent() == 0 {
			add(last, t.CloseTimeout, "close")
		} else if t.WriteTimeout > 0 {
			add(max(last, c.progress), max(t.CloseTimeout, t.WriteTimeout), "close or write")
		}
	case !c.opened:
		add(c.since, t.HandshakeTimeout, "handshake")
	default:
		if sl := c.slot(); sl != nil && sl.flags&flagPaused == 0 { // those stand still in a pause
			add(max(c.heard, c.pausedAt), t.IdleTimeout, "idle")
			if c.incomplete() {
				// What was read before a jump may have been looked at only after.
				add(max(c.itemTime, c.pausedAt, c.s.jumped), t.MessageTimeout, "message")
			}
		}
		if c.unsent() > 0 {
			// A request may have waited for long, held to the handshake's.
			add(max(c.progress, c.openedAt-t.WriteTimeout), t.WriteTimeout, "write")
		}
	}
	return by, what
}

// beforeWait looks at deadlines before the loop may sleep, and at whether it
// does anything but turn.
func (s *sim) beforeWait(timeout time.Duration, ready bool) {
	k := &s.kernel
	// A deadline strikes within two ticks; in a third, if a ping was due just then.
	const late = 3*tickLength + time.Millisecond
	for _, c := range s.live {
		by, what := c.dueBy()
		if by == 0 {
			continue
		}
		if s.l.clock > by+late {
			c.failf("%s timeout has not struck: due by %v, it is %v", what, by, s.l.clock)
		}
		if k.idle && (timeout < 0 || s.l.clock+timeout > by+late) {
			c.failf("the loop sleeps %v at %v: %s timeout is due by %v", timeout, s.l.clock, what, by)
		}
	}
	if k.changes != s.lastChange || k.idle {
		k.spinning = 0
	} else if k.spinning++; k.spinning > 8 {
		s.failf("the loop spins: timeout %v, events %v", timeout, ready)
	}
	s.lastChange = k.changes
}

// checkTurn checks all that must hold after a turn.
func (s *sim) checkTurn() {
	s.endOfTurn()
	keep := s.live[:0]
	for _, c := range s.live {
		if c.dial != nil {
			c.checkDial()
		}
		if c.gone {
			continue
		}
		keep = append(keep, c)
		c.sync()
		if c.panicked && c.opened && !c.closed {
			c.failf("its handler panicked, and it is still open")
		}
		if sl := c.slot(); c.overflown && c.opened && !c.closed && sl.flags&flagReady == 0 {
			c.failf("a send was dropped, and it is still open")
		}
		if (c.failing || c.failCode != 0) && !c.closed {
			c.failf("a close frame fails it, and it is still open")
		}
		if c.refusal != nil && c.endedAt == 0 {
			c.endedAt = s.clock()
		}
	}
	clear(s.live[len(keep):])
	s.live = keep
	s.checkSlots()
	s.checkWheel()
	s.checkGauges()
}

// checkSlots looks at each slot, and at what they hold together.
func (s *sim) checkSlots() {
	l := s.l
	if l.cur != noSlot || l.calling || l.owned != nil || len(l.batch) > 0 {
		s.failf("between turns: cur %d, calling %v, owned %v, batch %d", l.cur, l.calling, l.owned != nil, len(l.batch))
	}
	live, octets, headers := 0, int64(0), 0
	var queued int64
	hold := func(b []byte) {
		octets += int64(cap(b))
		if c := cap(b); c > 0 && c <= 1<<maxClassBits {
			headers++
		}
	}
	for index := range l.slab.made {
		sl := l.slab.at(index)
		if sl.phase == phaseFree {
			if sl.in != nil || sl.out != nil || sl.user != nil || sl.due != 0 || sl.fd != -1 {
				s.failf("free slot %d is not empty: %+v", index, sl)
			}
			continue
		}
		live++
		if sl.in != nil {
			hold(sl.in.carry)
			octets += int64(sl.in.message.Cap())
			if n := sl.in.message.Cap(); n > 0 && n <= 1<<maxClassBits {
				headers++
			}
		}
		if sl.out != nil {
			hold(sl.out.buf)
			queued += int64(sl.out.queued())
		}
		s.checkSlot(index, sl)
	}
	for _, in := range l.spareIn {
		if in.dial != nil || in.carry != nil {
			s.failf("a spare record of input is not empty")
		}
	}
	free := 0
	for index := l.slab.free; index != noSlot && free <= int(l.slab.made); index = l.slab.at(index).next {
		free++
	}
	if live != l.slab.live || free+live != int(l.slab.made) || int64(live) != s.conns.n.Load() || live != len(s.live) {
		s.failf("%d slots made, %d free, %d live (%d counted), %d connections, %d sockets", l.slab.made, free, live, l.slab.live, s.conns.n.Load(), len(s.live))
	}
	if lent := s.pool.lent.Load(); lent != octets || lent > s.pool.limit || headers != len(l.mem.headers) {
		s.failf("%d octets lent, %d held, at most %d; %d headers for %d buffers", lent, octets, s.pool.limit, len(l.mem.headers), headers)
	}
	if n := l.stats.queued.Load(); n != queued {
		s.failf("gauge of queued octets %d, queued are %d", n, queued)
	}
	if live > s.cfg.MaxConns+refusalReserve {
		s.failf("%d connections", live)
	}
}

func (s *sim) checkSlot(index int32, sl *slot) {
	l := s.l
	if sl.fd < 0 || int(sl.fd) >= len(s.kernel.files) || s.kernel.files[sl.fd] == nil || s.kernel.files[sl.fd].c == nil {
		s.failf("slot %d has descriptor %d, which is no connection", index, sl.fd)
		return
	}
	f := s.kernel.files[sl.fd]
	c := f.c
	if f.watched == (sl.flags&flagDetached != 0) || f.watched && (f.want != sl.watched || f.token != l.token(index)) {
		c.failf("watched %v for %03b token %#x; the slot says %03b, detached %v", f.watched, f.want, f.token, sl.watched, sl.flags&flagDetached != 0)
	}
	stopped := sl.flags&flagPaused != 0
	if stopped || c.stopped {
		c.pausedAt = s.clock()
	}
	c.stopped = stopped
	if c.opened && !c.closed && (sl.flags&flagUserPaused != 0) != c.paused {
		c.failf("paused %v, the handler wants %v", sl.flags&flagUserPaused != 0, c.paused)
	}
	announced := c.opened && !c.closed
	if (sl.flags&flagAnnounced != 0) != announced || sl.flags&flagEnding != 0 {
		c.failf("flags %b; opened %v, closed %v", sl.flags, c.opened, c.closed)
	}
	ready, dirty := sl.flags&flagReady != 0, sl.flags&flagDirty != 0
	if ready && !has(l.ready, index) || dirty && !has(l.dirty, index) {
		c.failf("flags say ready %v, dirty %v, and the lists do not", ready, dirty)
	}
	if sl.out != nil && sl.watched&poll.Writable == 0 && !dirty && !ready && sl.flags&flagDead == 0 {
		c.failf("octets wait, and nobody will send them")
	}
	if sl.in != nil && len(sl.in.carry)-sl.in.skip > 131 && sl.phase != phaseOpening && sl.flags&flagPaused == 0 && !ready {
		c.failf("%d octets were read, and nobody will serve them", len(sl.in.carry)-sl.in.skip)
	}
	if d := l.deadline(sl); d.at != 0 && (sl.due == 0 || sl.due > max(d.at, l.wheel.at+1)) && !ready {
		c.failf("deadline %d at tick %d, in the wheel for %d", d.kind, d.at, sl.due)
	}
	c.checkRecord(sl)
	s.checkQueue(c, sl)
}

// checkQueue holds the queue's inside against the model.
func (s *sim) checkQueue(c *simConn, sl *slot) {
	if n, most := sl.out.queued(), s.cfg.MaxQueued+len(c.answer)+12*readSize; n > most {
		c.failf("%d octets queued", n)
	}
	if sl.flags&flagDead != 0 || !c.opened && c.dial == nil || c.dropped || s.poor() {
		return
	}
	if n := sl.out.queued(); n != c.unsent() {
		c.failf("%d octets queued, the model has %d: %+v", n, c.unsent(), c.log)
	}
}

func has(list []int32, index int32) bool {
	for _, i := range list {
		if i == index {
			return true
		}
	}
	return false
}

// checkWheel walks all lists of the wheel.
func (s *sim) checkWheel() {
	l := s.l
	filed := 0
	for word, set := range l.wheel.used {
		for bit := range 64 {
			if set&(1<<bit) == 0 {
				if set>>bit == 0 {
					break
				}
				continue
			}
			at := tick(word*64 + bit)
			prev := int32(noSlot)
			for index := l.wheel.heads[at]; index != noSlot; {
				sl := l.slab.at(index)
				if sl.due%wheelSize != at || sl.due == 0 || sl.prev != prev || sl.phase == phaseFree {
					s.failf("slot %d in list %d of the wheel: due %d, prev %d, want %d", index, at, sl.due, sl.prev, prev)
					return
				}
				filed++
				prev, index = index, sl.next
			}
			if prev == noSlot {
				s.failf("list %d of the wheel is empty, and marked", at)
			}
		}
	}
	due := 0
	for index := range l.slab.made {
		if l.slab.at(index).due != 0 {
			due++
		}
	}
	if due != filed {
		s.failf("%d slots are due, %d filed", due, filed)
	}
}

// checkGauges holds the counters against what happened.
func (s *sim) checkGauges() {
	st := &s.l.stats
	for _, x := range []struct {
		name      string
		got, want uint64
	}{
		{"conns", uint64(st.conns.Load()), uint64(len(s.live))},
		{"accepted", st.accepted.Load(), s.kernel.accepted},
		{"opened", st.opened.Load(), s.opens},
		{"closed", st.closed.Load(), s.closes},
		{"octets in", st.octetsIn.Load(), s.kernel.octetsIn},
		{"octets out", st.octetsOut.Load(), s.kernel.octetsUp},
		{"failed dials", st.dialsFailed.Load(), s.dialsFailed},
		{"handler panics", st.handlerPanics.Load(), s.panicked},
	} {
		if x.got != x.want {
			s.failf("counter of %s: %d, want %d", x.name, x.got, x.want)
		}
	}
}

// checkIdle checks, when the loop would sleep, that nothing could go on.
func (s *sim) checkIdle() {
	if len(s.waiting) > 0 {
		s.failf("idle, and %d calls wait in the inbox", len(s.waiting))
	}
	if len(s.kernel.backlog) > 0 && !s.shutdown && (len(s.l.listeners) != 1 || s.l.listeners[0].retry == 0) {
		s.failf("idle, and %d wait to be accepted", len(s.kernel.backlog))
	}
	for _, c := range s.live {
		f := c.sock
		var flags uint16
		if sl := c.slot(); sl != nil {
			flags = sl.flags
		}
		if c.opening() {
			if why := c.dialStuck(); why != "" {
				c.failf("idle, and %s", why)
			}
		}
		switch {
		case f.dead:
			continue
		case c.unsent() > 0 && f.writable() && !(c.closed && s.poor()): // whose close frame may have found no memory
			c.failf("idle, and %d octets wait for a socket that takes them", c.unsent())
		case flags&flagQueuePaused != 0 && (s.cfg.Policy != Pause || c.unsent() == 0):
			c.failf("idle and paused, and %d octets wait", c.unsent())
		case flags&flagPaused == 0 && f.readable() && !c.sawEOF:
			c.failf("idle, and there is something to be read: %d octets, FIN %v", len(f.in), f.fin)
		case flags&flagPaused == 0 && c.isOpen() && c.told < c.due(c.offset()):
			c.failf("idle, and %d messages of %d were delivered", c.told, c.due(c.offset()))
		case flags&flagPaused == 0 && c.opened && !c.closed && !c.closing && c.stream.rule != 0 && c.offset() > c.stream.ruleAt:
			c.failf("idle, and a violation has not been seen")
		case !c.opened && c.dial == nil && len(c.head.octets) > 0 && c.refusal == nil && c.head.refusal == nil && c.received >= len(c.head.octets):
			c.failf("idle, and a request has no answer")
		}
	}
}
