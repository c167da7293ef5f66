package reactor

import (
	"github.com/hybi-go/hybi/codec"
)

// The way to the end. Whoever begins, the last octets must arrive: a socket that
// is closed while input is unread is reset, and a reset may overtake a close
// frame. So a connection leaves in steps: what is queued is sent, the writing
// side is shut, input is read into the void until the peer's FIN, or for a bounded
// time, and then the socket is closed (RFC 6455 §7.1.1).

// closeWith begins the closing handshake.
func (l *loop) closeWith(index int32, s *slot, code codec.CloseCode, reason string) error {
	var room [codec.MaxCloseReason + 2]byte
	payload, err := codec.AppendClosePayload(room[:0], code, reason)
	if err != nil {
		return err
	}
	l.control(index, s, codec.OpClose, payload)
	s.phase, s.since = phaseClosing, l.tick
	l.resume(index, s, flagPaused)
	l.arm(index, s)
	return nil
}

// peerClosed answers the peer's close frame, or takes it as the answer to ours.
func (l *loop) peerClosed(index int32, s *slot, payload []byte) {
	code, reason := codec.ParseClose(payload)
	info := CloseInfo{Code: code, Reason: string(reason), Clean: true, Remote: s.phase == phaseOpen}
	if s.phase == phaseOpen {
		l.control(index, s, codec.OpClose, payload[:min(len(payload), 2)])
	}
	s.flags |= flagClean
	l.flush(index, s)
	l.tellClosed(index, s, info)
	l.leave(index, s)
}

// fail fails the connection (RFC 6455 §7.1.7): the frame that is partly sent is
// finished, the rest of the queue dropped, and a close frame sent, unless one
// was sent before.
func (l *loop) fail(index int32, s *slot, code codec.CloseCode, reason string, err error) {
	l.flush(index, s)
	if s.phase == phaseOpen {
		if out := s.out; out != nil {
			l.tally.queued -= int64(out.queued())
			out.dropFrames()
			l.tally.queued += int64(out.queued())
		}
		var room [codec.MaxCloseReason + 2]byte
		payload, _ := codec.AppendClosePayload(room[:0], code, reason)
		cur := l.cur
		l.cur = index // past the queue if that is empty: it may be memory that has run out
		l.control(index, s, codec.OpClose, payload)
		l.cur = cur
		l.flush(index, s)
	}
	s.flags |= flagFailing
	l.tellClosed(index, s, CloseInfo{Code: code, Reason: reason, Err: err})
	l.leave(index, s)
}

// gone ends a connection whose peer has left without a close frame: by FIN, or
// by err.
func (l *loop) gone(index int32, s *slot, err error) {
	l.tellClosed(index, s, CloseInfo{Code: codec.CloseAbnormal, Remote: s.phase == phaseOpen, Err: err})
	l.leave(index, s)
}

// abort ends a connection at once. What waits is lost.
func (l *loop) abort(index int32, s *slot, err error) {
	if s.phase == phaseDialing || s.phase == phaseOpening {
		if s.flags&flagClient != 0 {
			l.dialFailed(index, s, err)
			return
		}
		l.stats.handshakesLost.Add(1)
	}
	local := err == ErrShutdown || err == ErrWriteStalled || err == ErrCloseSlow
	l.tellClosed(index, s, CloseInfo{Code: codec.CloseAbnormal, Remote: !local && s.phase == phaseOpen, Err: err})
	if s.phase != phaseFree {
		l.release(index, s)
	}
}

// tellClosed tells the handler that the connection has ended, once, if it knows
// of it.
func (l *loop) tellClosed(index int32, s *slot, info CloseInfo) {
	if s.flags&flagAnnounced == 0 {
		return
	}
	s.flags = s.flags&^flagAnnounced | flagEnding
	s.phase = phaseLeaving
	l.stats.closed.Add(1)
	if info.Clean {
		l.stats.closedClean.Add(1)
	}
	info.Offset = s.parser.InputOffset()
	defer func() {
		if l.calling {
			l.calling = false
			l.reportPanic(recover())
		}
		s.flags &^= flagEnding
		s.user = nil
	}()
	l.calling = true
	l.handler.Closed(l.conn(index), info)
	l.calling = false
}

// leave sends what is queued and shuts the socket's writing side.
func (l *loop) leave(index int32, s *slot) {
	s.phase, s.since = phaseLeaving, l.tick
	s.flags &^= flagPaused
	l.dropInput(s)
	l.flush(index, s)
	switch {
	case s.flags&flagDead != 0:
		l.release(index, s)
	case s.out == nil:
		l.shut(index, s)
	default:
		l.arm(index, s)
		l.again(index, s) // to tell the poller
	}
}

// shut sends FIN and waits for the peer's. A client that has closed cleanly
// leaves the first FIN to the server (RFC 6455 §7.1.1).
func (l *loop) shut(index int32, s *slot) {
	if s.flags&flagEOF != 0 {
		l.release(index, s)
		return
	}
	s.since = l.tick
	if s.flags&(flagClient|flagClean) != flagClient|flagClean {
		s.flags |= flagShut
		if e := l.kernel.ShutdownWrite(int(s.fd)); e != 0 {
			l.release(index, s)
			return
		}
	}
	l.arm(index, s)
	l.again(index, s)
}

// release closes the socket and frees the slot.
func (l *loop) release(index int32, s *slot) {
	if index == l.cur {
		l.batch, l.raw = l.batch[:0], 0
	}
	l.wheel.unfile(&l.slab, s)
	l.dropInput(s)
	l.dropOutput(s)
	if s.flags&(flagAdopted|flagDetached) == flagAdopted {
		l.kernel.Unwatch(int(s.fd)) // Close does not, as long as there is another descriptor
	}
	l.kernel.Close(int(s.fd))
	l.slab.put(index, s)
	l.stats.conns.Add(-1)
	l.conns.n.Add(-1)
}
