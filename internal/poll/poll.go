// Package poll is hybi's ground: epoll, eventfd, sockets and a clock. It is the
// only package that makes system calls.
//
// A Kernel is what one event loop sees of it: a small interface, so that a
// test can put a simulated kernel under the real loop. The call through the
// interface costs a nanosecond beside system calls of hundreds.
//
// The contract, for both kinds of kernel:
//
//   - Events are level-triggered: what is not dealt with is told again.
//   - An event carries the token that was given to Watch, not the descriptor, so
//     that one for a descriptor that was closed and used again can be recognised.
//   - Recv, Send and Accept never block and never raise SIGPIPE. A count below
//     the length asked for says nothing about what the next call will do.
//   - Results are an Errno, zero for success, and not an error: nothing on the
//     hot path is boxed.
//   - Everything but Wake is called on the loop's goroutine alone.
package poll

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// ErrUnsupported is what New and Listen return where there is no epoll.
// It wraps errors.ErrUnsupported.
var ErrUnsupported = fmt.Errorf("hybi: the reactor needs Linux (epoll); on other systems use the packages codec and handshake over net.Conn: %w", errors.ErrUnsupported)

// Flags are what is waited for and what has happened.
type Flags uint8

const (
	Readable Flags = 1 << iota
	Writable
	Hangup // error or both directions closed; told whether asked for or not
)

// An Event is one descriptor's readiness.
type Event struct {
	Token uint64
	Flags Flags
}

// NoToken is the one token that a caller must not use.
const NoToken = ^uint64(0)

// A Kernel serves one event loop.
type Kernel interface {
	// Wait fills events and returns how many. It returns at once if timeout is 0,
	// waits for ever if it is negative, and may return 0 early.
	Wait(events []Event, timeout time.Duration) (n int, e Errno)

	// Wake makes the current or the next Wait return. Any goroutine may call it.
	Wake()

	// Now is a monotonic clock.
	Now() time.Duration

	// Watch begins, Rewatch changes and Unwatch ends the watch over a descriptor.
	// Close ends it too.
	Watch(fd int, token uint64, want Flags) Errno
	Rewatch(fd int, token uint64, want Flags) Errno
	Unwatch(fd int) Errno

	// Accept takes a connection from a listening socket. The peer's address is
	// the zero AddrPort for Unix sockets.
	Accept(fd int) (conn int, peer netip.AddrPort, e Errno)

	// Connected returns how the connecting ended that Connect began, once the
	// descriptor is Writable.
	Connected(fd int) Errno

	// Recv and Send move octets; b is not empty. Recv returns 0 and no error when the
	// peer has closed its direction.
	Recv(fd int, b []byte) (n int, e Errno)
	Send(fd int, b []byte) (n int, e Errno)

	// ShutdownWrite sends FIN behind what has been sent.
	ShutdownWrite(fd int) Errno
	Close(fd int) Errno

	// Release closes what the Kernel itself holds. It must not be used after.
	Release()
}

// A Listener is a bound address: one listening descriptor for each loop that
// shares it, all of them non-blocking.
type Listener struct {
	FDs  []int
	Addr net.Addr

	unlink string // the path of a Unix socket, to be removed
}
