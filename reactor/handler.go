package reactor

import (
	"errors"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
)

// A Handler serves the connections of one event loop, on that loop's goroutine.
// It must not block: while it does, no other connection of the loop is served.
//
// A Handler that panics fails the connection that it was called for with 1011; the
// panic is logged and counted, and the loop goes on.
type Handler interface {
	// Opened is called once the opening handshake is done.
	Opened(c Conn)

	// Message is called for each message, text or binary, that is whole. Text is
	// valid UTF-8. Pings are answered and pongs counted without the handler.
	//
	// The octets are lent: they alias the loop's memory and are valid only until
	// Message returns.
	Message(c Conn, op codec.Opcode, payload []byte)

	// Closed is called once for each Opened, when the connection has ended. Of
	// c only State and RemoteAddr are still of use, and only until Closed returns.
	Closed(c Conn, info CloseInfo)
}

// An Upgrader is a Handler that decides on opening handshakes. It is not asked about
// requests that are none, such as a plain GET: those get 426. Without it every
// request that Config.Origins lets pass is accepted, with the first subprotocol
// of the client's that Config.Subprotocols has.
type Upgrader interface {
	// Upgrade is called for each valid request that Config.Origins lets pass. It
	// may change accept, which holds what Config says, and returns nil; or it
	// refuses, with one of package handshake's Refusals or one of its own. Of c
	// only SetState, State and RemoteAddr can be used.
	//
	// The request is lent: its octets alias the loop's memory and are valid only
	// until Upgrade returns.
	Upgrade(c Conn, req *handshake.Request, accept *handshake.Accept) *handshake.Refusal
}

// A PieceHandler is a Handler that takes messages as they arrive. Message is
// called for those that came whole in one frame and one read; of all others,
// small ones too, it gets the pieces and the loop gathers nothing. Limits hold as for whole ones.
type PieceHandler interface {
	// Piece is called for each piece, which may be empty; first and last are
	// told by ev.First and ev.Last. Text may end inside a code point but in
	// the last piece. A connection may end before its last piece.
	//
	// The octets are lent: they alias the loop's memory and are valid only until
	// Piece returns.
	Piece(c Conn, ev codec.Event)
}

// A Drainer is a Handler that wants to know when it may send again.
type Drainer interface {
	// Drained is called when c's queue has been sent to its end, if the socket had
	// refused some of it or a send had found no room in it.
	Drained(c Conn)
}

// A Dialer is a Handler that wants to know more of what came of Reactor.Dial than
// that Opened is called.
type Dialer interface {
	// Dialed is called when the server has accepted, ahead of Opened. The response
	// tells the subprotocol that it chose. Of c only SetState, State and
	// RemoteAddr can be used.
	//
	// The response is lent: its octets alias the loop's memory and are valid only
	// until Dialed returns.
	Dialed(c Conn, res *handshake.Response)

	// DialFailed is called instead if the connection was not opened, with the
	// state that was given to Dial. The error is a *handshake.ResponseError,
	// ErrDialSlow, ErrDialLost, ErrShutdown, ErrMemory, ErrConns, ErrPanic, or
	// the operating system's.
	DialFailed(state any, err error)
}

// A CloseInfo says how a connection ended.
type CloseInfo struct {
	// Code is the peer's close code, CloseNoStatus if its close frame had none,
	// or CloseAbnormal if no close frame came. If this end failed the connection,
	// it is the code that says why, and that was sent unless this end had sent a
	// close frame before.
	Code codec.CloseCode

	// Reason is the reason of the close frame that Code is from.
	Reason string

	// Clean says that both close frames were exchanged (RFC 6455 §7.1.4).
	Clean bool

	// Remote says that the peer began: by a close frame, FIN or a reset.
	Remote bool

	// Err is why a connection did not end cleanly: a *codec.ProtocolError, one
	// of this package's errors, or the operating system's. It is nil if the peer
	// just left, by FIN without a close frame.
	Err error

	// Offset is how many octets of the peer's frames were taken. With a
	// *codec.ProtocolError it is the offset of the octet that showed the violation.
	Offset int64
}

// What the methods of Conn, Handle and Reactor return, and CloseInfo.Err holds.
var (
	ErrClosed       = errors.New("hybi: connection closed")
	ErrTooBig       = errors.New("hybi: message larger than Config.MaxQueued less 14 octets, or by a Handle than MaxInboxOctets: send it in several, or raise those")
	ErrQueueFull    = errors.New("hybi: send queue full: the peer reads too slowly; wait for Drained, or raise Config.MaxQueued")
	ErrInboxFull    = errors.New("hybi: inbox of the loop full: send less from other goroutines, or raise Config.MaxInboxEntries and MaxInboxOctets")
	ErrOpcode       = errors.New("hybi: cannot send this opcode: use OpText, OpBinary, OpPing or OpPong with at most 125 octets for the last two, and Close for a close frame")
	ErrMemory       = errors.New("hybi: memory of all connections exhausted: see Config.MaxMemory")
	ErrPanic        = errors.New("hybi: handler panicked")
	ErrIdle         = errors.New("hybi: idle timeout: nothing came from the peer, not even a pong")
	ErrMessageSlow  = errors.New("hybi: message timeout: the peer took too long to finish a message")
	ErrWriteStalled = errors.New("hybi: write timeout: the peer took no octet of what was sent")
	ErrCloseSlow    = errors.New("hybi: close timeout: the peer did not answer the close frame")
	ErrShutdown     = errors.New("hybi: reactor is shut down")
	ErrDialSlow     = errors.New("hybi: handshake timeout: the server did not accept the connection or finish its response in time")
	ErrDialLost     = errors.New("hybi: the server closed the connection before its response was whole")
	ErrConns        = errors.New("hybi: too many connections: see Config.MaxConns")
)
