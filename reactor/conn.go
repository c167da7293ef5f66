package reactor

import (
	"net/netip"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/poll"
)

// A Conn is a connection as its Handler sees it: a small value, which may be
// kept, compared and used as a map key. It is for use on its loop, in a
// Handler's method or a posted function; for other goroutines there is Handle.
// Use from one of those is a race; with Config.Poison it panics.
//
// Once the connection has ended, the methods that can fail return ErrClosed and
// the others nothing; none reaches the slot's next tenant.
type Conn struct {
	loop *loop
	slot int32
	gen  uint32
}

// tenant returns c's slot, or nil if the connection has ended.
func (c Conn) tenant() *slot {
	l := c.loop
	if l == nil {
		return nil
	}
	if l.cfg.Poison && poll.Thread() != l.thread {
		panic("reactor: Conn used outside its loop's goroutine: keep Conn.Handle for other goroutines")
	}
	if l.slab.gen(c.slot).Load() != c.gen {
		return nil
	}
	s := l.slab.at(c.slot)
	if s.phase == phaseLeaving && s.flags&flagEnding == 0 {
		return nil
	}
	return s
}

// Send sends one message, or a ping or pong, of one frame. It copies payload as
// far as the socket does not take it, and returns at once. Replies of one batch
// of input go out in one system call.
//
// What the socket does not take waits in the connection's queue, up to
// Config.MaxQueued octets. A send that finds no room returns ErrQueueFull, one
// that could never find it ErrTooBig, and sends nothing of its payload. Under the Pause policy that cannot happen to a
// handler that answers each message with one that is no longer.
//
// Text must be valid UTF-8; that is the caller's to see to. Other errors:
// ErrOpcode, ErrMemory, ErrClosed (also after Close).
func (c Conn) Send(op codec.Opcode, payload []byte) error {
	s := c.tenant()
	if s == nil || s.phase != phaseOpen {
		return ErrClosed
	}
	if !sendable(op, len(payload)) {
		return ErrOpcode
	}
	return c.loop.send(c.slot, s, op, payload)
}

// sendable reports whether a frame of op with n octets of payload is a message,
// a ping or a pong.
func sendable(op codec.Opcode, n int) bool {
	return op.IsData() || (op == codec.OpPing || op == codec.OpPong) && n <= 125
}

// SendPrepared is Send of a frame that was encoded beforehand, for a message to many:
// to a connection other than the one being served, and for which nothing waits, the frame
// goes out at once and is copied only as far as the socket does not take it; a second in
// the same turn of the loop waits for the turn's end with whatever follows it. It never
// overtakes what was sent before. On a connection of Dial it is masked anew, which
// copies it.
func (c Conn) SendPrepared(f *codec.PreparedFrame) error {
	s := c.tenant()
	if s == nil || s.phase != phaseOpen {
		return ErrClosed
	}
	return c.loop.sendPrepared(c.slot, s, f)
}

// Close begins the closing handshake (RFC 6455 §7.1.2): a close frame goes out
// behind all that was sent before, and nothing more is delivered. Closed is
// called when the peer has answered, or after Config.CloseTimeout.
//
// CloseNoStatus with an empty reason sends a close frame without a code. Errors:
// codec.ErrSendCloseCode, codec.ErrSendCloseReason, ErrClosed (also the second
// time).
func (c Conn) Close(code codec.CloseCode, reason string) error {
	s := c.tenant()
	if s == nil || s.phase != phaseOpen {
		return ErrClosed
	}
	return c.loop.closeWith(c.slot, s, code, reason)
}

// PauseRead stops reading from the connection; the messages that were read
// already wait too. Neither IdleTimeout nor MessageTimeout run meanwhile.
func (c Conn) PauseRead() error {
	s := c.tenant()
	if s == nil || s.phase != phaseOpen {
		return ErrClosed
	}
	c.loop.pause(c.slot, s, flagUserPaused)
	return nil
}

// ResumeRead ends PauseRead. What was held back is delivered later, not during
// the call.
func (c Conn) ResumeRead() error {
	s := c.tenant()
	if s == nil || s.phase != phaseOpen {
		return ErrClosed
	}
	c.loop.resume(c.slot, s, flagUserPaused)
	return nil
}

// SetState keeps v with the connection, for State. It is forgotten after Closed.
func (c Conn) SetState(v any) {
	if s := c.tenant(); s != nil {
		s.user = v
	}
}

// State returns what SetState kept, or nil.
func (c Conn) State() any {
	if s := c.tenant(); s != nil {
		return s.user
	}
	return nil
}

// RemoteAddr returns the peer's address, or the zero AddrPort for a Unix socket
// and for a connection that has ended.
func (c Conn) RemoteAddr() netip.AddrPort {
	if s := c.tenant(); s != nil {
		return s.remote()
	}
	return netip.AddrPort{}
}

// Handle returns a name of the connection that any goroutine may use.
func (c Conn) Handle() Handle { return Handle(c) }

// Loop returns the number of the connection's loop, as given to Run's function.
func (c Conn) Loop() int {
	if c.loop == nil {
		return -1
	}
	return c.loop.number
}
