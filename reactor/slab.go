package reactor

import (
	"net/netip"
	"sync/atomic"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/poll"
)

// A connection is a slot in a slab: an array in chunks that never move, with a
// free list. All that an idle connection needs is in the slot; what it needs
// only while something is in flight hangs from two pointers, nil otherwise.

// A phase is where a connection stands between its two handshakes.
//
//	phaseOpening ─► phaseOpen ─► phaseClosing ─► phaseLeaving ─► (slot free)
//
// A client's begins at phaseDialing, before phaseOpening. Closing has sent its close frame and waits for the peer's. Leaving has
// nothing more to say or hear: it sends what is queued, shuts its direction of
// the socket, and reads into the void until the peer has shut the other, for a
// bounded time, so that no reset eats its last octets.
type phase uint8

const (
	phaseFree phase = iota
	phaseDialing
	phaseOpening
	phaseOpen
	phaseClosing
	phaseLeaving
)

// The flags of a slot.
const (
	flagClient      uint16 = 1 << iota // this end is the client
	flagAnnounced                      // Opened was called, Closed was not
	flagEnding                         // Closed is being called
	flagUserPaused                     // by Conn.PauseRead
	flagQueuePaused                    // by the Pause policy
	flagEOF                            // the peer has shut its direction
	flagShut                           // this end has
	flagDead                           // the socket takes nothing more
	flagDetached                       // not watched by the poller
	flagPinged                         // a ping is out and nothing came since
	flagDirty                          // in loop.dirty
	flagReady                          // in loop.ready
	flagFailing                        // CloseTimeout covers all that is left to do
	flagClean                          // both close frames were exchanged
	flagNoAddr                         // the peer has no IP address
	flagAdopted                        // there may be another descriptor of the socket

	flagPaused = flagUserPaused | flagQueuePaused
)

// A slot is one connection. What is kept here costs every idle connection its
// size; a test pins it.
type slot struct {
	parser codec.Parser
	in     *input  // what the parser waits for the rest of, or nil
	out    *output // what the socket would not take, or nil
	user   any     // Conn.SetState

	fd         int32
	prev, next int32  // in a list of the wheel; next also in the free list
	due        tick   // when the wheel looks, 0 if it is not in the wheel
	heard      tick   // when octets last came
	since      tick   // when the phase began, or a stage of it
	pausedAt   tick   // when reading was paused
	atOnce     uint32 // the loop's turn in which a prepared frame was last sent at once

	addr    [16]byte // the peer's address, IPv4 mapped
	port    uint16
	doom    codec.CloseCode // why the connection has to be failed once the handler returns, or 0
	flags   uint16
	phase   phase
	watched poll.Flags // what the poller was asked for
}

func (s *slot) setRemote(peer netip.AddrPort) {
	s.addr, s.port = peer.Addr().As16(), peer.Port()
	if !peer.IsValid() {
		s.flags |= flagNoAddr
	}
}

func (s *slot) remote() netip.AddrPort {
	if s.flags&flagNoAddr != 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom16(s.addr).Unmap(), s.port)
}

// chunkSlots makes a chunk fill the runtime's pages of 8 KiB without a remainder.
const chunkSlots = 2048

type chunk struct {
	slots [chunkSlots]slot
	gens  [chunkSlots]atomic.Uint32 // distinguish a slot's tenants; only the loop writes
}

// A slab holds slots. The table of chunks has its full length from the start,
// and its entries are set once, so that any goroutine may look at a slot's
// generation.
type slab struct {
	chunks []atomic.Pointer[chunk]
	made   int32 // slots made so far
	free   int32 // head of the free list
	live   int   // slots in use
}

func (b *slab) init(capacity int) {
	b.chunks = make([]atomic.Pointer[chunk], (capacity+chunkSlots-1)/chunkSlots)
	b.free = noSlot
}

// at returns a slot that has been made.
func (b *slab) at(index int32) *slot {
	return &b.chunks[uint32(index)/chunkSlots].Load().slots[uint32(index)%chunkSlots]
}

// gen returns the generation of a slot that has been made.
func (b *slab) gen(index int32) *atomic.Uint32 {
	return &b.chunks[uint32(index)/chunkSlots].Load().gens[uint32(index)%chunkSlots]
}

// take returns a free slot, or nil if all are in use. The slots of a chunk are
// made one by one, so that memory which was never needed is never touched.
func (b *slab) take() (index int32, s *slot) {
	if index = b.free; index != noSlot {
		s = b.at(index)
		b.free = s.next
	} else {
		at := int(b.made / chunkSlots)
		if at == len(b.chunks) {
			return noSlot, nil
		}
		if b.made%chunkSlots == 0 {
			b.chunks[at].Store(new(chunk))
		}
		index = b.made
		s = b.at(index)
		b.made++
	}
	b.live++
	return index, s
}

// put frees a slot; from now on its generation is another.
func (b *slab) put(index int32, s *slot) {
	b.gen(index).Add(1)
	*s = slot{fd: -1, next: b.free}
	b.free = index
	b.live--
}
