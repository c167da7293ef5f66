package reactor

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/hybi-go/hybi/codec"
)

// Other goroutines reach a loop through its inbox: a bounded list of entries, and
// a bounded run of octets that they copy their payloads into. There are two of
// each: while the loop works through one pair, the other fills. Only the entry
// that finds the inbox empty wakes the loop.

// A Handle is a connection for any goroutine. Its methods put a copy of the call
// into the loop's inbox, without an allocation in a steady state, and return.
// The order of one goroutine's calls is kept.
//
// ErrClosed means that the connection had ended when the call was made; one that
// ends before the loop gets there drops the call in silence. A message that finds
// the connection's queue full fails the connection with 1008, whatever the policy: it
// could not be dropped without leaving a gap that neither side would know of.
type Handle Conn

// Send is Conn.Send from any goroutine. Errors: ErrClosed, ErrInboxFull,
// ErrOpcode, and ErrTooBig for more octets than Config.MaxQueued less 14, or than
// Config.MaxInboxOctets.
func (h Handle) Send(op codec.Opcode, payload []byte) error {
	if !sendable(op, len(payload)) {
		return ErrOpcode
	}
	if len(payload) > h.room() {
		return ErrTooBig
	}
	return h.put(entry{kind: entrySend, op: op, size: len(payload)}, payload)
}

// SendPrepared is Conn.SendPrepared from any goroutine. The frame is not copied.
// Errors: ErrClosed, ErrInboxFull, ErrTooBig.
func (h Handle) SendPrepared(f *codec.PreparedFrame) error {
	if len(f.Payload()) > h.room() {
		return ErrTooBig
	}
	return h.put(entry{kind: entryPrepared, frame: f}, nil)
}

// Close is Conn.Close from any goroutine.
func (h Handle) Close(code codec.CloseCode, reason string) error {
	if _, err := codec.AppendClosePayload(make([]byte, 0, 125), code, reason); err != nil {
		return err
	}
	return h.put(entry{kind: entryClose, code: code, reason: reason}, nil)
}

// Post has f called on the connection's loop, unless the connection ends before.
// What f keeps alive is not counted against the inbox's octets.
func (h Handle) Post(f func(Conn)) error {
	return h.put(entry{kind: entryPost, post: f}, nil)
}

// room returns how large a payload may be at most.
func (h Handle) room() int {
	if h.loop == nil {
		return 0
	}
	return min(h.loop.cfg.MaxQueued-codec.MaxHeaderSize, h.loop.cfg.MaxInboxOctets)
}

func (h Handle) put(e entry, payload []byte) error {
	if h.loop == nil || h.loop.slab.gen(h.slot).Load() != h.gen {
		return ErrClosed
	}
	e.slot, e.gen = h.slot, h.gen
	err := h.loop.inbox.put(e, payload)
	if err == ErrInboxFull {
		h.loop.stats.inboxFull.Add(1)
	}
	return err
}

type entryKind uint8

const (
	entrySend entryKind = iota
	entryPrepared
	entryClose
	entryPost
	entryCall // of Reactor.Post
	entryRun  // the reactor's own: a listener or a connection for the loop
)

// An entry is one call.
type entry struct {
	kind   entryKind
	op     codec.Opcode
	code   codec.CloseCode
	slot   int32
	gen    uint32
	size   int // octets of payload, in the order of the entries
	reason string
	frame  *codec.PreparedFrame
	post   func(Conn)
	call   func()
	run    func(*loop)
}

// An inbox is filled by any goroutine and emptied by its loop.
type inbox struct {
	maxEntries, maxOctets int
	wake                  func()

	signalled atomic.Bool  // there is something the loop has not looked at; set under mu
	waking    atomic.Int32 // goroutines that are about to wake the loop; raised under mu

	mu       sync.Mutex
	entries  []entry
	octets   []byte
	shutdown bool // the loop is to close all connections and end
	abort    bool // at once
	closed   bool // the loop has ended
}

// keepEntries and keepOctets are what an emptied inbox keeps memory for even if
// it was hardly used the last time.
const (
	keepEntries = 4096
	keepOctets  = 1 << 20
)

func (in *inbox) put(e entry, payload []byte) error {
	in.mu.Lock()
	if in.closed {
		in.mu.Unlock()
		return ErrClosed
	}
	if len(in.entries) >= in.maxEntries || len(payload) > in.maxOctets-len(in.octets) {
		in.mu.Unlock()
		return ErrInboxFull
	}
	in.entries = append(in.entries, e)
	in.octets = append(in.octets, payload...)
	in.signal()
	return nil
}

// command sets what ends the loop.
func (in *inbox) command(abort bool) {
	in.mu.Lock()
	if in.closed {
		in.mu.Unlock()
		return
	}
	in.shutdown = true
	in.abort = in.abort || abort
	in.signal()
}

// signal unlocks the inbox and wakes the loop, if it has not been woken yet: in
// this order, as the loop would else run into the lock. Close waits for the
// wake, as the loop then gives back the descriptor that it is woken by, and another
// may get its number.
func (in *inbox) signal() {
	first := !in.signalled.Swap(true)
	if first {
		in.waking.Add(1)
	}
	in.mu.Unlock()
	if first {
		in.wake()
		in.waking.Add(-1)
	}
}

// swap takes what has come and gives the emptied memory of the last time in
// exchange.
func (in *inbox) swap(entries []entry, octets []byte) (_ []entry, _ []byte, shutdown, abort bool) {
	clear(entries) // for the collector: they hold functions and frames
	if cap(entries) > keepEntries && len(entries) < cap(entries)/8 {
		entries = nil
	}
	if cap(octets) > keepOctets && len(octets) < cap(octets)/8 {
		octets = nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.signalled.Store(false)
	entries, in.entries = in.entries, entries[:0]
	octets, in.octets = in.octets, octets[:0]
	return entries, octets, in.shutdown, in.abort
}

// close refuses all further entries and returns those that were left.
func (in *inbox) close() []entry {
	in.mu.Lock()
	in.closed = true
	in.mu.Unlock()
	for in.waking.Load() != 0 {
		runtime.Gosched()
	}
	return in.entries
}
