package reactor

import (
	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/poll"
)

// The way in: octets are read into the loop's one read buffer, behind what the
// last read of this connection left over, and parsed there.
//
//	read buffer   │ carry │ what recv brought                       │ room │
//	              └───────┴─ events, handed on where they stand ─┬──┘
//	                                                     left over: the next carry
//
// The carry is the start of a header or of a control frame, 130 octets at most;
// or, of a connection that was paused, what had been read already; or the start of a
// request's head, which then grows in its own buffer, so that it is not
// copied again at each read.

// An input is what a connection needs only while something of its peer's is
// incomplete.
type input struct {
	carry   []byte // of the loop's memory; its first skip octets have been served
	skip    int
	message codec.Assembler
	head    handshake.Reader
	since   tick     // when the first octet of what is incomplete came
	dial    *dialing // of a client whose handshake is not done
}

// readable reads from s, a bounded number of times.
func (l *loop) readable(index int32, s *slot) {
	for range readsPerTurn {
		var n int
		var e poll.Errno
		var into []byte
		switch {
		case s.phase == phaseLeaving:
			into = l.read
			n, e = l.kernel.Recv(int(s.fd), into)
		case s.phase == phaseOpening && s.in != nil:
			if into = l.headRoom(index, s); into == nil {
				return
			}
			n, e = l.kernel.Recv(int(s.fd), into)
		case s.in != nil && len(s.in.carry) > 0 && (s.flags&flagReady != 0 || len(s.in.carry) > codec.MaxControlSize):
			return // resumed: what was read before comes first, see carryOn
		default:
			kept := 0
			if s.in != nil {
				kept = copy(l.read, s.in.carry[s.in.skip:])
			}
			into = l.read[kept:]
			n, e = l.kernel.Recv(int(s.fd), into)
		}
		switch {
		case e == poll.EAGAIN || e == poll.EINTR:
			return
		case e != 0:
			l.abort(index, s, e.Err())
			return
		case n == 0:
			l.finished(index, s)
			return
		}
		l.tally.octetsIn += uint64(n)
		s.heard = l.tick
		s.flags &^= flagPinged
		l.received(index, s, n)
		if n < len(into) || s.phase == phaseFree || !s.reading() {
			return
		}
	}
}

// received deals with n octets that were read to where readable put them.
func (l *loop) received(index int32, s *slot, n int) {
	switch s.phase {
	case phaseOpening:
		if s.in == nil {
			l.opening(index, s, l.read[:n])
			return
		}
		head := s.in.carry[:len(s.in.carry)+n]
		s.in.carry = head
		l.opening(index, s, head)
	case phaseOpen, phaseClosing:
		kept := 0
		if s.in != nil {
			kept = len(s.in.carry) - s.in.skip
			s.in.carry, s.in.skip = s.in.carry[:0], 0
		}
		l.parse(index, s, l.read[:kept+n])
	}
}

// parse serves the frames in b, sends the replies, and keeps what is left over.
func (l *loop) parse(index int32, s *slot, b []byte) {
	if rest, finished, alive := l.serve(index, s, b); alive {
		l.keep(index, s, rest, finished)
	}
}

// serve serves the frames in b and sends the replies in one go. It returns what
// is left of b, whether a message ended in it, and whether s is still of interest.
func (l *loop) serve(index int32, s *slot, b []byte) (rest []byte, finished, alive bool) {
	l.cur = index
	rest, finished = l.frames(index, s, b)
	l.cur = noSlot
	if s.phase == phaseOpen || s.phase == phaseClosing {
		l.flush(index, s)
		l.said(index, s)
		l.doomed(index, s)
	}
	return rest, finished, s.phase == phaseOpen || s.phase == phaseClosing
}

// frames serves the frames in b, as far as s may be served. It returns what is
// left of b, and whether a message ended in it.
func (l *loop) frames(index int32, s *slot, b []byte) (rest []byte, finished bool) {
	for len(b) > 0 {
		if s.phase == phaseOpen && !l.mayDeliver(index, s, b) {
			return b, finished
		}
		ev, n, err := s.parser.Next(b)
		b = b[n:]
		if err != nil {
			l.violated(index, s, err.(*codec.ProtocolError))
			return nil, finished
		}
		finished = finished || ev.Opcode != 0 && !s.parser.InMessage()
		switch ev.Opcode {
		case codec.OpText, codec.OpBinary:
			if s.phase == phaseOpen && !l.data(index, s, ev) {
				return nil, finished
			}
		case codec.OpPing:
			l.stats.pingsIn.Add(1)
			l.pong(index, s, ev.Payload) // due until the peer's close frame comes, not ours
		case codec.OpPong:
			l.stats.pongsIn.Add(1)
		case codec.OpClose:
			l.peerClosed(index, s, ev.Payload)
			return nil, finished
		default:
			return b, finished
		}
	}
	return nil, finished
}

// mayDeliver reports whether the next of b may be parsed: reading is not paused,
// and a reply as long as the next message would find room in the queue.
func (l *loop) mayDeliver(index int32, s *slot, b []byte) bool {
	if s.flags&flagPaused != 0 || s.doom != 0 {
		return false
	}
	if l.cfg.Policy != Pause || s.out == nil && s.in == nil && len(l.batch)+len(b)+codec.MaxHeaderSize <= l.cfg.MaxQueued {
		return true
	}
	used := len(l.batch) + s.out.queued()
	if used == 0 {
		return true
	}
	gathered := 0
	if s.in != nil {
		gathered = s.in.message.Pending()
	}
	if used+gathered+len(b)+codec.MaxHeaderSize <= l.cfg.MaxQueued {
		return true
	}
	return l.makeRoom(index, s, b, gathered)
}

// makeRoom is mayDeliver with a closer look at the next message.
func (l *loop) makeRoom(index int32, s *slot, b []byte, gathered int) bool {
	need := gathered + codec.MaxHeaderSize
	if s.parser.InMessage() {
		need += len(b)
	} else if h, n, _ := codec.ParseHeader(b); n > 0 {
		need += int(min(h.PayloadLength, int64(len(b)-n)))
	}
	need = min(need, int(min(l.cfg.MaxMessage, int64(l.cfg.MaxQueued)))+codec.MaxHeaderSize)
	if len(l.batch)+s.out.queued()+need <= l.cfg.MaxQueued {
		return true
	}
	l.flush(index, s)
	if s.out.queued()+need <= l.cfg.MaxQueued {
		return true
	}
	l.stats.paused.Add(1)
	l.pause(index, s, flagQueuePaused)
	return false
}

// data deals with a message or a piece of one. It reports whether s is still to
// be served.
func (l *loop) data(index int32, s *slot, ev codec.Event) bool {
	if ev.Last {
		l.tally.messagesIn++
	}
	if ev.First && ev.Last {
		l.calling = true
		l.handler.Message(l.conn(index), ev.Opcode, ev.Payload)
		l.calling = false
		l.poison(ev.Payload)
		return true
	}
	if l.pieces != nil {
		l.calling = true
		l.pieces.Piece(l.conn(index), ev)
		l.calling = false
		l.poison(ev.Payload)
		return true
	}
	in := l.input(s)
	message, whole, err := in.message.Add(ev, &l.mem)
	if err != nil {
		l.stats.memoryFull.Add(1)
		l.fail(index, s, codec.CloseTryAgainLater, "", err)
		return false
	}
	if whole {
		l.calling = true
		l.handler.Message(l.conn(index), ev.Opcode, message)
		l.calling = false
		l.poison(message)
		in.message.Release(&l.mem)
	}
	return true
}

// poison overwrites memory that was lent to a handler, if so configured.
func (l *loop) poison(lent []byte) {
	if l.cfg.Poison {
		for i := range lent {
			lent[i] = 0xDD
		}
	}
}

// violated fails s for what its peer did.
func (l *loop) violated(index int32, s *slot, err *codec.ProtocolError) {
	l.stats.protocolErrors[err.Rule].Add(1)
	l.fail(index, s, err.Code, "", err)
}

// input returns what s keeps while something is incomplete.
func (l *loop) input(s *slot) *input {
	if s.in == nil {
		if last := len(l.spareIn) - 1; last >= 0 {
			s.in, l.spareIn = l.spareIn[last], l.spareIn[:last]
		} else {
			s.in = new(input)
		}
		s.in.since = l.tick
	}
	return s.in
}

// dropInput gives back what s kept.
func (l *loop) dropInput(s *slot) {
	in := s.in
	if in == nil {
		return
	}
	s.in = nil
	in.message.Release(&l.mem)
	if cap(in.carry) > 0 {
		l.mem.Free(in.carry)
	}
	*in = input{}
	if len(l.spareIn) < spareRecords {
		l.spareIn = append(l.spareIn, in)
	}
}

// keep holds on to what parsing left over: rest, and the state of a message that
// is not whole. If a message ended, the time for the next one starts now.
func (l *loop) keep(index int32, s *slot, rest []byte, finished bool) {
	if len(rest) == 0 && !s.parser.InMessage() {
		l.dropInput(s)
		return
	}
	in := l.input(s)
	if s.phase == phaseClosing {
		in.message.Release(&l.mem) // nothing is delivered any more
	}
	if finished {
		in.since = l.tick
	}
	l.arm(index, s)
	if len(rest) == 0 {
		if cap(in.carry) > 0 {
			l.mem.Free(in.carry)
			in.carry = nil
		}
		return
	}
	carry, err := l.mem.Grow(in.carry[:0], len(rest))
	if err != nil {
		l.stats.memoryFull.Add(1)
		l.fail(index, s, codec.CloseTryAgainLater, "", err)
		return
	}
	in.carry = append(carry, rest...)
}

// carryOn serves what was kept while s was paused. Much that has to be kept
// again stays where it is, so that a handler that takes one message at a time
// does not have the rest copied each time.
func (l *loop) carryOn(index int32, s *slot) {
	carry, skip := s.in.carry, s.in.skip
	s.in.carry, s.in.skip = nil, 0
	l.owned = carry
	rest, finished, alive := l.serve(index, s, carry[skip:])
	l.owned = nil
	if alive && len(rest) > codec.MaxControlSize {
		in := l.input(s)
		in.carry, in.skip = carry, len(carry)-len(rest)
		return
	}
	if alive {
		l.keep(index, s, rest, finished)
	}
	l.mem.Free(carry)
}

// pause stops reading from s, for the reason that flag names.
func (l *loop) pause(index int32, s *slot, flag uint16) {
	if s.flags&flagPaused == 0 {
		s.pausedAt = l.tick
	}
	s.flags |= flag
	l.again(index, s) // to tell the poller, once the handler's call is over
}

// resume ends a pause; if it was the last reason, time goes on where it stood.
func (l *loop) resume(index int32, s *slot, flag uint16) {
	if s.flags&flag == 0 {
		return
	}
	s.flags &^= flag
	if s.flags&flagPaused != 0 {
		return
	}
	s.heard += l.tick - s.pausedAt
	if s.in != nil {
		s.in.since += l.tick - s.pausedAt
	}
	l.arm(index, s)
	l.again(index, s)
}

// finished deals with the peer's FIN. All that came before it has been served.
func (l *loop) finished(index int32, s *slot) {
	s.flags |= flagEOF
	switch s.phase {
	case phaseOpening:
		l.lost(index, s, ErrDialLost)
	case phaseOpen, phaseClosing:
		l.flush(index, s)
		l.gone(index, s, nil)
	case phaseLeaving:
		if s.out == nil || s.flags&flagDead != 0 {
			l.release(index, s)
		}
	}
}
