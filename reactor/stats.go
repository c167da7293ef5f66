package reactor

import (
	"sync/atomic"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
)

// A Timeout is one of the five deadlines of a connection.
type Timeout uint8

const (
	TimeoutHandshake Timeout = iota
	TimeoutClose
	TimeoutIdle
	TimeoutMessage
	TimeoutWrite

	NumTimeouts = iota
)

// String returns a short name in the style of a metric's label.
func (t Timeout) String() string {
	if int(t) >= NumTimeouts {
		return "unknown"
	}
	return [NumTimeouts]string{"handshake", "close", "idle", "message", "write"}[t]
}

// Stats are a reactor's counters, summed over its loops. Those of messages and
// octets are brought up to date at the end of each turn of a loop.
type Stats struct {
	Conns        int64 // gauge: sockets held, those in a handshake or closing too
	QueuedOctets int64 // gauge: waiting in the queues of slow readers
	MemoryOctets int64 // gauge: capacity of pooled buffers in use

	Accepted     uint64 // connections that a listener brought
	AcceptFailed uint64 // accept calls that failed, for want of descriptors, say
	Opened       uint64 // opening handshakes done
	Closed       uint64 // of those, ended
	ClosedClean  uint64 // of those, with both close frames exchanged

	MessagesIn, MessagesOut uint64 // data messages; MessagesOut counts those taken for sending
	OctetsIn, OctetsOut     uint64 // as read from and written to sockets
	PingsIn, PongsIn        uint64

	Refused        [handshake.NumKinds]uint64 // opening handshakes, by handshake.Kind
	HandshakesLost uint64                     // ended by the peer before the request was whole
	DialsFailed    uint64                     // of Reactor.Dial, those that did not lead to Opened
	ProtocolErrors [codec.NumRules]uint64     // connections failed, by codec.Rule
	Timeouts       [NumTimeouts]uint64        // by Timeout
	Paused         uint64                     // times that reading stopped at Config.MaxQueued, under the Pause policy
	QueueFull      uint64                     // sends refused, or connections failed, at Config.MaxQueued
	MemoryFull     uint64                     // connections failed at Config.MaxMemory
	InboxFull      uint64                     // calls from other goroutines refused
	HandlerPanics  uint64
}

// counters are one loop's Stats, for its goroutine to write and any to read.
type counters struct {
	conns, queued                            atomic.Int64
	accepted, acceptFailed                   atomic.Uint64
	opened, closed, closedClean              atomic.Uint64
	messagesIn, messagesOut                  atomic.Uint64
	octetsIn, octetsOut                      atomic.Uint64
	pingsIn, pongsIn                         atomic.Uint64
	refused                                  [handshake.NumKinds]atomic.Uint64
	handshakesLost, dialsFailed              atomic.Uint64
	protocolErrors                           [codec.NumRules]atomic.Uint64
	timeouts                                 [NumTimeouts]atomic.Uint64
	paused, queueFull, memoryFull, inboxFull atomic.Uint64
	handlerPanics                            atomic.Uint64
}

// A tally counts within one turn of the loop, without atomic operations.
type tally struct {
	messagesIn, messagesOut, octetsIn, octetsOut uint64
	queued                                       int64
}

// publish adds what the turn counted to what others can see.
func (c *counters) publish(t *tally) {
	if t.octetsIn != 0 {
		c.octetsIn.Add(t.octetsIn)
	}
	if t.octetsOut != 0 {
		c.octetsOut.Add(t.octetsOut)
	}
	if t.messagesIn != 0 {
		c.messagesIn.Add(t.messagesIn)
	}
	if t.messagesOut != 0 {
		c.messagesOut.Add(t.messagesOut)
	}
	if t.queued != 0 {
		c.queued.Add(t.queued)
	}
	*t = tally{}
}

// addTo adds c to s.
func (c *counters) addTo(s *Stats) {
	s.Conns += c.conns.Load()
	s.QueuedOctets += c.queued.Load()
	s.Accepted += c.accepted.Load()
	s.AcceptFailed += c.acceptFailed.Load()
	s.Opened += c.opened.Load()
	s.Closed += c.closed.Load()
	s.ClosedClean += c.closedClean.Load()
	s.MessagesIn += c.messagesIn.Load()
	s.MessagesOut += c.messagesOut.Load()
	s.OctetsIn += c.octetsIn.Load()
	s.OctetsOut += c.octetsOut.Load()
	s.PingsIn += c.pingsIn.Load()
	s.PongsIn += c.pongsIn.Load()
	s.HandshakesLost += c.handshakesLost.Load()
	s.DialsFailed += c.dialsFailed.Load()
	s.Paused += c.paused.Load()
	s.QueueFull += c.queueFull.Load()
	s.MemoryFull += c.memoryFull.Load()
	s.InboxFull += c.inboxFull.Load()
	s.HandlerPanics += c.handlerPanics.Load()
	for i := range c.refused {
		s.Refused[i] += c.refused[i].Load()
	}
	for i := range c.protocolErrors {
		s.ProtocolErrors[i] += c.protocolErrors[i].Load()
	}
	for i := range c.timeouts {
		s.Timeouts[i] += c.timeouts[i].Load()
	}
}
