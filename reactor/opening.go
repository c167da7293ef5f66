package reactor

import (
	"net/netip"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/poll"
)

// refusalReserve is how many connections above Config.MaxConns there may be, so
// that they can be told 503.
const refusalReserve = 64

// accepted makes a connection of a socket whose peer's request is awaited.
func (l *loop) accepted(fd int, peer netip.AddrPort) {
	index, s, err := l.occupy(fd, peer, codec.Server, poll.Readable)
	if err != nil {
		l.stats.refused[handshake.KindTooManyConns].Add(1)
		return
	}
	switch {
	case l.stopping:
		l.refuse(index, s, handshake.ErrShuttingDown)
	case l.conns.n.Load() > l.conns.max:
		l.refuse(index, s, handshake.ErrTooManyConns)
	}
	l.settle(index, s)
}

// adopted makes a connection of a socket whose handshake was done elsewhere;
// prefix is what was read behind it.
func (l *loop) adopted(fd int, peer netip.AddrPort, role codec.Role, prefix []byte) {
	index, s, err := l.occupy(fd, peer, role, poll.Readable)
	if err != nil {
		l.stats.refused[handshake.KindTooManyConns].Add(1)
		return
	}
	s.flags |= flagAdopted
	defer l.caught(index, s)
	if l.stopping {
		l.leave(index, s)
	} else {
		l.opened(index, s)
	}
	if len(prefix) > 0 && (s.phase == phaseOpen || s.phase == phaseClosing) {
		l.parse(index, s, prefix)
	}
	l.settle(index, s)
}

// settle files what the beginning of a connection has left to be waited for.
func (l *loop) settle(index int32, s *slot) {
	if s.phase != phaseFree {
		l.arm(index, s)
		l.watch(index, s)
	}
}

// occupy takes a slot for a socket and has the poller watch it. If that cannot be,
// the socket is closed.
func (l *loop) occupy(fd int, peer netip.AddrPort, role codec.Role, want poll.Flags) (int32, *slot, error) {
	held := l.conns.n.Add(1)
	index, s := int32(noSlot), (*slot)(nil)
	if held <= l.conns.max+refusalReserve && !l.ended {
		index, s = l.slab.take()
	}
	if s == nil {
		l.conns.n.Add(-1)
		l.kernel.Close(fd)
		return noSlot, nil, ErrConns
	}
	l.stats.conns.Add(1)
	s.fd, s.phase = int32(fd), phaseOpening
	s.setRemote(peer)
	s.heard, s.since = l.tick, l.tick
	s.watched = want
	if e := l.kernel.Watch(fd, l.token(index), s.watched); e != 0 {
		l.stats.acceptFailed.Add(1)
		l.release(index, s)
		return noSlot, nil, e.Err()
	}
	s.parser.Reset(codec.Config{Role: role, MaxMessage: l.cfg.MaxMessage, MaxFragments: l.cfg.MaxFragments})
	if role == codec.Client {
		s.flags |= flagClient
	}
	return index, s, nil
}

// lost ends a handshake that its peer has not finished.
func (l *loop) lost(index int32, s *slot, err error) {
	if s.flags&flagClient != 0 {
		l.dialFailed(index, s, err)
		return
	}
	l.stats.handshakesLost.Add(1)
	l.leave(index, s)
}

// headRoom returns where to read more of a request's head to, or nil after it
// has failed.
func (l *loop) headRoom(index int32, s *slot) []byte {
	in := s.in
	grown, err := l.mem.Grow(in.carry, min(max(len(in.carry), smallestHeadBuf), l.cfg.MaxHead))
	if err != nil {
		l.stats.memoryFull.Add(1)
		l.refuse(index, s, handshake.ErrTooManyConns)
		return nil
	}
	in.carry = grown
	return grown[len(grown):cap(grown)]
}

// opening deals with the octets of a request's head, all of them so far; and
// with the frames behind it, if it is whole.
func (l *loop) opening(index int32, s *slot, head []byte) {
	if s.flags&flagClient != 0 {
		l.response(index, s, head)
		return
	}
	reader := &l.head
	if s.in != nil {
		reader = &s.in.head
	} else {
		reader.Reset(handshake.Limits{MaxHead: l.cfg.MaxHead, MaxHeaders: l.cfg.MaxHeaders})
	}
	req, n, err := reader.Next(head)
	l.req = req // here, as a variable that is passed to an interface would be allocated
	switch {
	case err != nil:
		l.refuse(index, s, err.(*handshake.Refusal))
	case n == 0 && s.in == nil:
		in := l.input(s)
		in.head = *reader
		if in.carry, err = l.mem.Grow(nil, max(len(head), smallestHeadBuf)); err != nil {
			in.carry = nil
			l.stats.memoryFull.Add(1)
			l.refuse(index, s, handshake.ErrTooManyConns)
			return
		}
		in.carry = append(in.carry, head...)
	case n > 0:
		l.answer(index, s, &l.req, head, n)
	}
}

// answer accepts or refuses a request whose head is the first n octets of b.
func (l *loop) answer(index int32, s *slot, req *handshake.Request, b []byte, n int) {
	if err := l.cfg.Origins.Check(req); err != nil {
		l.refuse(index, s, err.(*handshake.Refusal))
		return
	}
	accept := &l.answering // here for the same reason as l.req
	*accept = handshake.Accept{Subprotocol: req.SelectSubprotocol(l.cfg.Subprotocols)}
	if l.upgrader != nil {
		l.calling = true
		refusal := l.upgrader.Upgrade(l.conn(index), req, accept)
		l.calling = false
		if refusal != nil {
			l.refuse(index, s, refusal)
			return
		}
	}
	l.cur = index
	answer, err := handshake.AppendAccept(l.batch, req, accept)
	if err != nil {
		l.cur = noSlot
		l.cfg.Logger.Error("hybi: handler's answer to an opening handshake cannot be sent", "error", err)
		l.refuse(index, s, handshake.ErrInternal)
		return
	}
	l.batch, l.raw = answer, len(answer)
	l.begin(index, s, b, n)
}

// begin serves a connection whose handshake ends with the first n octets of b.
func (l *loop) begin(index int32, s *slot, b []byte, n int) {
	l.poison(b[:n])
	// The head's buffer must outlive the frames behind it.
	if s.in != nil {
		l.owned, s.in.carry = s.in.carry, nil
		l.dropInput(s)
	}
	l.opened(index, s)
	if s.phase == phaseOpen || s.phase == phaseClosing {
		l.parse(index, s, b[n:])
	}
	l.cur = noSlot
	l.freeOwned()
}

// opened begins the connection proper.
func (l *loop) opened(index int32, s *slot) {
	s.phase, s.since = phaseOpen, l.tick
	s.flags |= flagAnnounced
	l.stats.opened.Add(1)
	l.arm(index, s)
	defer l.caught(index, s)
	l.calling = true
	l.handler.Opened(l.conn(index))
	l.calling = false
}

// refuse answers a request with what r says, whole, and leaves: no second request
// can hide behind the first.
func (l *loop) refuse(index int32, s *slot, r *handshake.Refusal) {
	if s.flags&flagClient != 0 {
		l.dialFailed(index, s, clientError(r))
		return
	}
	l.stats.refused[r.Kind].Add(1)
	l.cur = index
	l.batch = handshake.AppendRefusal(l.batch, r, l.date())
	l.raw = len(l.batch)
	l.cur = noSlot
	s.flags |= flagFailing
	l.flush(index, s)
	l.leave(index, s)
}

// date returns what RFC 9110 §6.6.1 wants in answers of an origin server that has
// a clock. It is made anew each second.
func (l *loop) date() handshake.Field {
	if now := l.cfg.wall(); now.Unix() != l.dateAt {
		l.dateAt = now.Unix()
		l.dateText = now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	}
	return handshake.Field{Name: "Date", Value: l.dateText}
}
