package reactor

import (
	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
)

// Which deadline holds follows from where a connection stands; the wheel only
// knows the earliest time at which one of them could strike.

// A deadline is one of a connection's, at a tick.
type deadline struct {
	at   tick // 0: none
	kind Timeout
}

func (d *deadline) earlier(at, length tick, kind Timeout) {
	if length == 0 {
		return
	}
	if at += length; d.at == 0 || int32(at-d.at) < 0 {
		*d = deadline{at, kind}
	}
}

// deadline returns the earliest of s's deadlines. That for a ping, at half the
// idle timeout, counts as one.
func (l *loop) deadline(s *slot) (d deadline) {
	t := &l.cfg.ticks
	switch s.phase {
	case phaseDialing, phaseOpening:
		d.earlier(s.since, t.handshake, TimeoutHandshake)
	case phaseOpen:
		if s.flags&flagPaused == 0 {
			if s.flags&flagPinged == 0 {
				d.earlier(s.heard, t.ping, TimeoutIdle)
			} else {
				d.earlier(s.heard, t.idle, TimeoutIdle)
			}
			if s.in != nil {
				d.earlier(s.in.since, t.message, TimeoutMessage)
			}
		}
		if s.out != nil {
			d.earlier(s.out.since, t.write, TimeoutWrite)
		}
	case phaseClosing, phaseLeaving:
		if s.out != nil && (s.flags&flagFailing == 0 || t.close == 0) {
			d.earlier(s.out.since, t.write, TimeoutWrite)
		} else {
			d.earlier(s.since, t.close, TimeoutClose)
		}
	}
	return d
}

// arm files s in the wheel for its earliest deadline, unless it will be looked
// at before that anyway.
func (l *loop) arm(index int32, s *slot) {
	d := l.deadline(s)
	if d.at == 0 || s.due != 0 && int32(s.due-d.at) <= 0 {
		return
	}
	l.wheel.unfile(&l.slab, s)
	l.wheel.file(&l.slab, index, s, d.at)
}

// deadlines looks at the connections whose time may have come.
func (l *loop) deadlines() {
	l.retryListeners()
	l.due = l.wheel.advance(&l.slab, l.tick, l.due[:0])
	for _, index := range l.due {
		if s := l.slab.at(index); s.phase != phaseFree { // filed again, maybe, by what a handler did meanwhile
			l.look(index, s)
		}
	}
}

// look does what is due for s, and files it for the next time.
func (l *loop) look(index int32, s *slot) {
	defer l.caught(index, s)
	if d := l.deadline(s); d.at != 0 && int32(l.tick-d.at) >= 0 {
		l.strike(index, s, d.kind)
	}
	if s.phase != phaseFree {
		l.arm(index, s)
		l.watch(index, s)
	}
}

// strike does what a deadline that has passed demands.
func (l *loop) strike(index int32, s *slot, kind Timeout) {
	if kind == TimeoutIdle && s.flags&flagPinged == 0 {
		s.flags |= flagPinged
		if s.out == nil { // else WriteTimeout finds out
			l.control(index, s, codec.OpPing, nil)
		}
		return
	}
	l.stats.timeouts[kind].Add(1)
	switch kind {
	case TimeoutHandshake:
		l.refuse(index, s, handshake.ErrTooSlow)
	case TimeoutIdle:
		l.fail(index, s, codec.ClosePolicyViolation, "idle timeout", ErrIdle)
	case TimeoutMessage:
		l.fail(index, s, codec.ClosePolicyViolation, "message timeout", ErrMessageSlow)
	case TimeoutWrite:
		l.abort(index, s, ErrWriteStalled)
	case TimeoutClose:
		l.abort(index, s, ErrCloseSlow)
	}
}
