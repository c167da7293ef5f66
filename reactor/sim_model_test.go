//go:build linux

package reactor

// The model: what must come out of each connection. It knows what the handler was
// told and what it asked for, which octets the kernel brought and took, and how
// far the parser has come; from that follows, frame by frame, what the peer must get.
//
// A connection has a log of the frames that were accepted for sending, in order.
// The octets that the socket takes must be the log's, and nothing else, but for
// what may go ahead or be dropped:
//
//   - a pong to a ping that came while the socket was blocked: it must be the next
//     frame that begins; of several such, the latest;
//   - a close frame that fails the connection: the log's rest is dropped.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
)

// A simEntry is a frame to be sent.
type simEntry struct {
	op      codec.Opcode
	payload []byte
	auto    bool // a pong to a ping, or a close frame of the reactor's own
}

// size returns the octets that e is on the wire.
func (e *simEntry) size(role codec.Role) int {
	n := len(e.payload) + 2
	if len(e.payload) > 125 {
		n += 2
	}
	if len(e.payload) > 65535 {
		n += 6
	}
	if role == codec.Client {
		n += 4
	}
	return n
}

// A simConn is a connection: its socket, its peer's script, and the model of it.
type simConn struct {
	s      *sim
	number int
	role   codec.Role
	sock   *simSocket
	peer   simPeerScript
	dial   *simDial // or nil: accepted or adopted

	// The way in.
	head     simHead // of the request, or of the answer to ours; empty if adopted
	stream   *simStream
	received int  // octets that the loop has read, the head's included
	frame    int  // the first of stream.frames that is not whole
	message  bool // the frame before that leaves a message open
	itemAt   int  // where what is incomplete began
	itemTime time.Duration
	parsed   int  // the first of stream.frames that the parser has not taken
	told     int  // the first of stream.messages that was not delivered
	part     int  // octets of that which were
	midway   bool // its first piece was
	sawEOF   bool
	sawReset bool

	unwatchable bool // the poller had no memory for it

	// The connection as its handler sees it.
	conn           Conn
	opened, closed bool
	closing        bool // our close frame is in the log, or was
	paused         bool
	panicked       bool
	foundFull      bool // a send found no room
	overflown      bool // one did for which the connection must be failed
	info           CloseInfo

	// The way out.
	answer    []byte // of the opening handshake; a client's request
	answerAt  int
	refusal   *handshake.Refusal
	log       []simEntry
	pong      []byte // that has to go next
	hasPong   bool
	fresh     bool // the log's last is a pong that this very call of Send has found
	retried   bool // that call was interrupted, and is made again
	offering  bool // a call of Send is being looked at
	blocked   bool // the socket did not take all of the last it was offered
	wasShort  bool // ever
	now       simEntry
	inFrame   bool
	chosen    bool
	failing   bool // now is a close frame that the log does not have
	failCode  codec.CloseCode
	failWord  string
	dropped   bool // the log was cut
	loose     bool // memory ran out behind our close frame: any pong may be missing
	head14    [codec.MaxHeaderSize]byte
	headLen   int
	payloadAt int
	payloadN  int
	gathered  []byte // payload of a close frame that the model has to learn
	saidClose bool   // a close frame has begun
	finAt     time.Duration
	finished0 bool
	gone      bool // the descriptor is closed

	// When things happened, by the clock of the turn.
	since     time.Duration // accepted or adopted
	openedAt  time.Duration
	heard     time.Duration
	progress  time.Duration // the socket took some, or the first came to wait
	closeSent time.Duration
	emptied   time.Duration // when all was sent that stood before it, and pongs behind
	pausedAt  time.Duration // the last turn that saw it paused
	stopped   bool          // the last turn did
	isPinged  bool
	endedAt   time.Duration
	left      time.Duration // when all was sent after that
}

func (c *simConn) String() string {
	if c == nil {
		return "listener"
	}
	return fmt.Sprintf("conn %d", c.number)
}

func (c *simConn) failf(format string, args ...any) {
	c.s.failf("%v: %s", c, fmt.Sprintf(format, args...))
}

// isOpen reports whether the handler may send.
func (c *simConn) isOpen() bool { return c.opened && !c.closing && !c.closed }

// offset is how far the loop has read the stream.
func (c *simConn) offset() int { return max(0, c.received-len(c.head.octets)) }

// begun: the loop has the descriptor.
func (c *simConn) begun() {
	now := c.s.clock()
	c.since, c.heard, c.progress, c.pausedAt = now, now, now, now
	c.s.live = append(c.s.live, c)
}

// recv: the loop has read n octets, or FIN.
func (c *simConn) recv(n int) {
	if n == 0 {
		c.sawEOF = true
		return
	}
	if !c.incomplete() {
		c.itemTime = c.s.clock()
	}
	c.received += n
	c.heard, c.isPinged = c.s.clock(), false
	c.advance()
}

// advance finds the frames that have become whole, and when what is not began.
func (c *simConn) advance() {
	at := c.offset()
	for c.frame < len(c.stream.frames) && c.stream.frames[c.frame].end <= at {
		f := &c.stream.frames[c.frame]
		c.frame++
		if !f.op.IsControl() {
			c.message = !f.fin
		}
		if !c.message {
			c.itemAt, c.itemTime = f.end, c.s.clock()
		}
	}
}

// incomplete reports whether the loop has the beginning of something.
func (c *simConn) incomplete() bool { return c.offset() > c.itemAt }

// sync brings the model up to what the loop has done since it was last looked at:
// the calls of other goroutines, and the control frames that were parsed.
func (c *simConn) sync() {
	c.s.applyCalls(c)
	c.syncParsed()
}

func (c *simConn) syncParsed() {
	if !c.opened || c.closed {
		return
	}
	s := c.slot()
	if s == nil || s.phase < phaseOpen {
		return
	}
	if s.flags&flagPinged != 0 && !c.isPinged && s.phase == phaseOpen {
		c.idlePing() // by a deadline; what was parsed in the same turn came after
	}
	at := int(s.parser.InputOffset())
	if at > c.offset() {
		c.failf("the parser has taken %d octets of %d", at, c.offset())
		return
	}
	for c.parsed < len(c.stream.frames) && c.stream.frames[c.parsed].end <= at {
		f := &c.stream.frames[c.parsed]
		c.parsed++
		switch f.op {
		case codec.OpPing:
			c.ping(f.payload)
		case codec.OpClose:
			if !c.closing {
				c.add(simEntry{op: codec.OpClose, payload: f.payload[:min(2, len(f.payload))], auto: true})
				c.closing = true
			}
		}
	}
}

// idlePing: the loop has found that nothing came for half of the idle timeout. It
// sends a ping, unless octets wait, which WriteTimeout watches.
func (c *simConn) idlePing() {
	c.isPinged = true
	c.s.early(c, "ping", c.heard, half(c.s.cfg.IdleTimeout))
	if c.unsent() == 0 && !c.sock.dead {
		c.add(simEntry{op: codec.OpPing, auto: true})
	}
}

// slot returns the connection's slot while it has one.
func (c *simConn) slot() *slot {
	l := c.s.l
	if !c.opened || c.gone || l.slab.gen(c.conn.slot).Load() != c.conn.gen {
		return nil
	}
	return l.slab.at(c.conn.slot)
}

// ping: a pong is due.
func (c *simConn) ping(payload []byte) {
	if c.sock.dead {
		return
	}
	c.s.tracef("%v: ping %.4q, blocked %v", c, payload, c.blocked)
	if c.blocked {
		c.pong, c.hasPong = payload, true
		return
	}
	c.add(simEntry{op: codec.OpPong, payload: payload, auto: true})
	c.fresh = true
}

// add puts a frame into the log.
func (c *simConn) add(e simEntry) {
	if c.unsent() == 0 {
		c.progress = c.s.clock()
	}
	c.fresh = false
	c.log = append(c.log, e)
}

// unsent returns how many octets wait to be sent.
func (c *simConn) unsent() int {
	n := len(c.answer) - c.answerAt
	for i := range c.log {
		n += c.log[i].size(c.role)
	}
	if c.hasPong {
		e := simEntry{op: codec.OpPong, payload: c.pong}
		n += e.size(c.role)
	}
	if c.inFrame {
		n += c.now.size(c.role) - c.headLen
		if c.chosen {
			n -= c.payloadAt
		}
	}
	return n
}

// unsentData is the part of it that Config.MaxQueued bounds.
func (c *simConn) unsentData() (n int) {
	for i := range c.log {
		if !c.log[i].auto && c.log[i].op != codec.OpClose {
			n += c.log[i].size(c.role)
		}
	}
	return n
}

// offered: the loop calls Send with b.
func (c *simConn) offered(b []byte) {
	c.fresh = c.fresh && c.retried
	c.offering = true
	c.sync()
	c.offering = false
	if c.opened || c.answer != nil {
		return
	}
	if c.dial != nil {
		c.failf("sent before it is known to be connected: %s", short(b))
		return
	}
	c.refusal = simRefused[string(b)]
	if c.refusal == nil {
		c.failf("sent before it is open, and no refusal: %s", short(b))
		return
	}
	c.answer = bytes.Clone(b)
	c.refused()
}

// refused judges a refusal.
func (c *simConn) refused() {
	s, now := c.s, c.s.clock()
	c.s.tracef("%v: refused: %v", c, c.refusal)
	switch r := c.refusal; {
	case r == handshake.ErrTooSlow:
		s.early(c, "handshake timeout", c.since, s.cfg.HandshakeTimeout)
	case r == handshake.ErrTooManyConns && (int(s.conns.n.Load()) > s.cfg.MaxConns || s.poor()):
	case r == handshake.ErrShuttingDown && s.shutdown:
	case r == handshake.ErrInternal && c.panicked:
	case r == simOwnRefusal && c.panicked: // set by the handler
	case r == c.head.refusal:
	default:
		c.failf("refused with %v after %v", r, now-c.since)
	}
}

// took: of the octets offered last, the socket took n.
func (c *simConn) took(b []byte, n int) {
	if n > 0 {
		c.progress = c.s.clock()
	}
	// A pong that flushes the batch before it is added to that is not in b; if
	// the socket is blocked by that, it goes next.
	last := len(c.log) - 1
	goesNext := n < len(b) && c.fresh && c.unsent()-c.log[last].size(c.role) == len(b)
	c.fresh = false
	c.wire(b[:n])
	if last = len(c.log) - 1; goesNext && last >= 0 {
		c.pong, c.hasPong = c.log[last].payload, true
		c.log = c.log[:last]
	}
	if c.closing && c.unsent() == 0 {
		if c.emptied == 0 {
			c.emptied = c.s.clock()
		}
		if c.closed && c.left == 0 {
			c.left = c.s.clock()
		}
	}
	c.blocked = n < len(b)
	c.wasShort = c.wasShort || c.blocked
}

// wire judges octets that the socket has taken.
func (c *simConn) wire(b []byte) {
	if c.loose {
		return
	}
	n := min(len(b), len(c.answer)-c.answerAt)
	if n > 0 {
		if !bytes.Equal(b[:n], c.answer[c.answerAt:c.answerAt+n]) {
			c.failf("answer at %d: %s, want %s", c.answerAt, short(b[:n]), short(c.answer[c.answerAt:]))
		}
		c.answerAt += n
		b = b[n:]
	}
	for len(b) > 0 && c.s.failed == nil {
		if !c.inFrame {
			c.begin(b[0])
		}
		if !c.chosen {
			b = c.header(b)
			continue
		}
		n := min(len(b), c.payloadN-c.payloadAt)
		c.body(b[:n])
		b = b[n:]
		if c.payloadAt == c.payloadN {
			c.end()
		}
	}
}

// begin: a frame begins. What it has to be is known by its first octet.
func (c *simConn) begin(first byte) {
	c.inFrame, c.chosen, c.failing, c.headLen = true, false, false, 0
	c.now = simEntry{}
	op := codec.Opcode(first & 0xF)
	switch {
	case !c.opened:
		c.failf("a frame behind a refusal")
	case first&0xF0 != 0x80:
		c.failf("a frame begins with %#x", first)
	case c.saidClose && op != codec.OpPong:
		c.failf("%v behind a close frame", op)
	case c.hasPong && op == codec.OpPong:
		c.now, c.hasPong = simEntry{op: codec.OpPong, payload: c.pong}, false
	case op == codec.OpClose && (len(c.log) == 0 || c.log[0].op != codec.OpClose || c.hasPong):
		c.failsNow()
	case c.hasPong:
		c.failf("%v goes before a pong that is due", op)
	case len(c.log) == 0:
		c.failf("%v on the wire, and nothing was to be sent", op)
	default:
		c.now, c.log = c.log[0], c.log[1:]
		if c.now.op != op {
			c.failf("%v on the wire, want %v of %d", op, c.now.op, len(c.now.payload))
		}
	}
	c.saidClose = c.saidClose || op == codec.OpClose
}

// header gathers a frame's header, whose length has to be the entry's.
func (c *simConn) header(b []byte) []byte {
	need := 2
	if c.headLen >= 2 {
		need = frameHead(c.head14[1])
	}
	n := copy(c.head14[c.headLen:need], b)
	c.headLen += n
	if c.headLen < 2 || c.headLen < frameHead(c.head14[1]) {
		return b[n:]
	}
	size := int(c.head14[1] & 0x7F)
	switch size {
	case 126:
		size = int(binary.BigEndian.Uint16(c.head14[2:]))
	case 127:
		size = int(binary.BigEndian.Uint64(c.head14[2:]))
	}
	if masked := c.head14[1]&0x80 != 0; masked != (c.role == codec.Client) {
		c.failf("a frame is masked: %v", masked)
	} else if masked {
		c.useKey(c.head14[c.headLen-4 : c.headLen])
	}
	if form := (simEntry{payload: c.now.payload}); !c.failing && c.headLen+size != form.size(c.role) {
		c.failf("frame %x of %d octets: want %v of %d", c.head14[:c.headLen], size, c.now.op, len(c.now.payload))
	}
	c.chosen, c.payloadAt, c.payloadN = true, 0, size
	if size == 0 {
		c.end()
	}
	return b[n:]
}

// frameHead returns the length of a header by its second octet.
func frameHead(second byte) int {
	n := 2
	switch second & 0x7F {
	case 126:
		n = 4
	case 127:
		n = 10
	}
	if second&0x80 != 0 {
		n += 4
	}
	return n
}

// failsNow: a close frame that nobody asked for fails the connection. Closed has
// to say why.
func (c *simConn) failsNow() {
	if c.closing && !c.s.poor() {
		c.failf("a close frame that fails the connection, behind or in place of %+v", c.log)
	}
	c.failing, c.closing = true, true
	c.now = simEntry{op: codec.OpClose}
	c.gathered = c.gathered[:0]
	c.cutLog()
}

// cutLog drops what waits, as a connection that is failed does. A connection that
// was never blocked and was sent to only while it was served has nothing waiting.
func (c *simConn) cutLog() {
	if len(c.log) > 0 && !c.wasShort && c.s.echo && !c.s.outside {
		c.failf("%d frames are dropped, and the socket was never blocked", len(c.log))
	}
	c.dropped = c.dropped || len(c.log) > 0 || c.hasPong
	c.log, c.hasPong = c.log[:0], false
}

// body judges payload.
func (c *simConn) body(b []byte) {
	if c.role == codec.Client {
		plain := append(c.s.scratch[:0], b...)
		unmask(plain, c.head14[c.headLen-4:c.headLen], c.payloadAt)
		b, c.s.scratch = plain, plain
	}
	if c.failing {
		c.gathered = append(c.gathered, b...)
	} else if !bytes.Equal(b, c.now.payload[c.payloadAt:c.payloadAt+len(b)]) {
		c.failf("payload of %v at %d: %s, want %s", c.now.op, c.payloadAt, short(b), short(c.now.payload[c.payloadAt:]))
	}
	c.payloadAt += len(b)
}

// end: a frame has gone.
func (c *simConn) end() {
	c.inFrame, c.chosen = false, false
	c.s.tracef("%v: sent %v of %d", c, c.now.op, c.payloadN)
	if c.now.op != codec.OpClose {
		return
	}
	c.closeSent = c.s.clock()
	if c.failing {
		if len(c.gathered) < 2 {
			c.failf("fails with a close frame of %d octets", len(c.gathered))
			return
		}
		c.failCode, c.failWord = codec.CloseCode(binary.BigEndian.Uint16(c.gathered)), string(c.gathered[2:])
	}
}

// delivered: the handler is given a message, or a piece of one.
func (c *simConn) delivered(op codec.Opcode, payload []byte, first, last bool) *simMessage {
	c.sync()
	if c.told >= len(c.stream.messages) {
		c.failf("a message is delivered, and none was sent: %s", short(payload))
		return nil
	}
	m := &c.stream.messages[c.told]
	end := c.part + len(payload)
	switch {
	case !c.isOpen():
		c.failf("message %d is delivered, opened %v, closing %v, closed %v", c.told, c.opened, c.closing, c.closed)
	case c.paused:
		c.failf("message %d is delivered to a connection that is paused", c.told)
	case op != m.op || first == c.midway:
		c.failf("message %d: %v, first %v at %d; want %v", c.told, op, first, c.part, m.op)
	case end > len(m.payload) || !bytes.Equal(payload, m.payload[c.part:end]):
		c.failf("message %d at %d: %s, want %s", c.told, c.part, short(payload), short(m.payload[c.part:]))
	case last && (m.end < 0 || m.end > c.offset() || end != len(m.payload)):
		c.failf("message %d is delivered as whole: %d octets of %d, end %d, read %d", c.told, end, len(m.payload), m.end, c.offset())
	}
	if c.s.failed != nil {
		return nil
	}
	c.part, c.midway = end, !last
	if last {
		c.told, c.part = c.told+1, 0
	}
	return m
}

// due returns how many messages have arrived whole before an offset.
func (c *simConn) due(before int) (n int) {
	for n < len(c.stream.messages) && c.stream.messages[n].end >= 0 && c.stream.messages[n].end <= before {
		n++
	}
	return n
}

// allTold checks that all messages before an offset were delivered, if they were
// to be.
func (c *simConn) allTold(before int, why string) {
	if due := c.due(min(before, c.offset())); c.told < due {
		c.failf("%s: %d messages of %d delivered", why, c.told, due)
	}
}

// ended: Closed is called. The model of what is still to be sent follows from info.
func (c *simConn) ended(info CloseInfo) {
	c.sync()
	if !c.opened || c.closed {
		c.failf("Closed with %+v: opened %v, closed %v", info, c.opened, c.closed)
		return
	}
	local := c.closing && !c.failing && !c.peerSaid() // our close frame came first
	c.closed, c.info, c.endedAt = true, info, c.s.clock()
	c.s.tracef("%v: Closed with %+v", c, info)
	var broken *codec.ProtocolError
	switch {
	case info.Clean:
		c.endedClean(info)
	case errors.As(info.Err, &broken):
		if broken.Rule != c.stream.rule || int(info.Offset) != c.stream.ruleAt || c.offset() <= c.stream.ruleAt {
			c.failf("%v at %d, want %v at %d, read %d", broken.Rule, info.Offset, c.stream.rule, c.stream.ruleAt, c.offset())
		}
		if !local {
			c.allTold(c.stream.ruleAt, "violation")
		}
		c.failed(info, broken.Code, local)
	case info.Err == nil:
		if info.Code != codec.CloseAbnormal || !c.sawEOF || info.Remote == local {
			c.failf("Closed with %+v, FIN read: %v", info, c.sawEOF)
		}
		if !local {
			c.allTold(c.offset(), "FIN")
		}
	default:
		c.endedBy(info, local)
	}
}

// peerSaid reports whether the peer's close frame was parsed.
func (c *simConn) peerSaid() bool {
	n := len(c.stream.frames)
	return n > 0 && c.parsed == n && c.stream.frames[n-1].op == codec.OpClose
}

func (c *simConn) endedClean(info CloseInfo) {
	if !c.peerSaid() {
		c.failf("Closed with %+v, and the peer has not closed", info)
		return
	}
	f := c.stream.frames[len(c.stream.frames)-1]
	code, reason := codec.ParseClose(f.payload)
	if info.Code != code || info.Reason != string(reason) || info.Err != nil || int(info.Offset) != f.end {
		c.failf("Closed with %+v, want %v %q at %d", info, code, reason, f.end)
	}
	if info.Remote {
		c.allTold(f.start, "close frame")
	} else if !c.saidClose && len(c.log) == 0 && !c.sock.dead {
		c.failf("a clean end without a close frame of ours")
	}
}

// endedBy judges an end that one of this package's errors explains, or the
// system's.
func (c *simConn) endedBy(info CloseInfo, local bool) {
	s := c.s
	switch info.Err {
	case ErrIdle:
		s.early(c, "idle timeout", c.heard, s.cfg.IdleTimeout)
		c.failed(info, codec.ClosePolicyViolation, local)
	case ErrMessageSlow:
		if max(c.pausedAt, s.jumped) < c.itemTime && c.itemTime < s.clock() { // else it may be whole, and not looked at
			s.early(c, "message timeout", c.itemTime, s.cfg.MessageTimeout)
			if !c.incomplete() {
				c.failf("message timeout, and no message is incomplete")
			}
		}
		c.failed(info, codec.ClosePolicyViolation, local)
	case ErrPanic:
		if !c.panicked {
			c.failf("Closed with %+v without a panic", info)
		}
		c.failed(info, codec.CloseInternalError, local)
	case ErrQueueFull:
		if !c.overflown {
			c.failf("Closed with %+v, and no send found the queue full", info)
		}
		c.failed(info, codec.ClosePolicyViolation, local)
	case ErrMemory:
		if !s.poor() {
			c.failf("Closed with %+v, and there was memory", info)
		}
		c.failed(info, codec.CloseTryAgainLater, local)
	case ErrWriteStalled:
		s.early(c, "write timeout", c.progress, s.cfg.WriteTimeout)
		c.lost(info)
	case ErrCloseSlow:
		if !c.closing {
			c.failf("close timeout without a close frame")
		}
		s.early(c, "close timeout", c.closeSent, s.cfg.CloseTimeout)
		c.lost(info)
	case ErrShutdown:
		if !s.aborted {
			c.failf("Closed with %+v, and nobody said abort", info)
		}
		c.lost(info)
	default:
		reset := c.sawReset && info.Err == error(syscall.ECONNRESET)
		if !c.unwatchable && (!reset || info.Remote == local) {
			c.failf("Closed with %+v, reset read: %v", info, c.sawReset)
		}
		c.lost(info)
	}
}

func (c *simConn) lost(info CloseInfo) {
	if info.Code != codec.CloseAbnormal {
		c.failf("Closed with %+v: want 1006", info)
	}
}

// failed: the close frame is on its way, if ours was not before.
func (c *simConn) failed(info CloseInfo, code codec.CloseCode, local bool) {
	if info.Code != code || info.Remote || info.Clean {
		c.failf("Closed with %+v, want %v", info, code)
	}
	switch {
	case c.sock.dead:
		c.dropped = true
	case info.Err == ErrMemory && local && !c.failing:
		c.loose = true
	case info.Err == ErrMemory && !c.failing:
		c.dropped = true // to be judged by what comes, if anything does
	case c.failing && c.inFrame:
		payload, _ := codec.AppendClosePayload(nil, info.Code, info.Reason)
		if !bytes.HasPrefix(payload, c.gathered) || c.chosen && c.payloadN != len(payload) {
			c.failf("fails with %+v, on the wire %q", info, c.gathered)
		}
		c.now.payload, c.failing = payload, false
		c.failCode = 0
	case c.failCode != 0:
		if c.failCode != info.Code || c.failWord != info.Reason {
			c.failf("Closed with %+v, on the wire %d %q", info, c.failCode, c.failWord)
		}
	case !local:
		payload, _ := codec.AppendClosePayload(nil, info.Code, info.Reason)
		progress, waits := c.progress, c.unsent() > 0
		c.cutLog()
		c.add(simEntry{op: codec.OpClose, payload: payload, auto: true})
		if waits { // the socket has been waited for all the while
			c.progress = progress
		}
		c.closing = true
	}
}

// finished: the loop sends FIN.
func (c *simConn) finished(again bool) {
	c.offeredAll("FIN")
	if again {
		c.failf("FIN twice")
	}
	if c.role == codec.Client && c.info.Clean { // RFC 6455 §7.1.1
		c.failf("the client ends first behind a clean close")
	}
	c.finished0, c.finAt = true, c.s.clock()
}

// excused reports whether not everything that was accepted had to be sent.
func (c *simConn) excused() bool {
	s, now := c.s, c.s.clock()
	stalled := s.cfg.WriteTimeout > 0 && now-c.progress >= s.cfg.WriteTimeout
	slow := s.cfg.CloseTimeout > 0 && c.closed && now-c.endedAt >= s.cfg.CloseTimeout
	refusal := c.refusal != nil && s.cfg.CloseTimeout > 0 && now-c.since >= s.cfg.CloseTimeout
	switch c.info.Err {
	case ErrMemory, ErrShutdown, ErrWriteStalled, ErrCloseSlow:
		return true
	}
	return c.sock.dead || c.unwatchable || s.aborted || stalled || slow || refusal || c.sawReset || s.poor() && (c.closed || c.refusal != nil)
}

// offeredAll checks that nothing is left to be sent.
func (c *simConn) offeredAll(what string) {
	c.sync()
	if !c.excused() && (c.unsent() > 0) {
		c.failf("%s with %d octets unsent: answer %d, log %+v, pong %v, in a frame %v", what, c.unsent(), len(c.answer)-c.answerAt, c.log, c.hasPong, c.inFrame)
	}
}

// released: the loop closes the descriptor.
func (c *simConn) released(f *simSocket) {
	if c.opening() { // nothing is owed to the server
		c.gone = true
		c.s.dialsFailed++
		return
	}
	c.offeredAll("close")
	s, now := c.s, c.s.clock()
	c.gone = true
	switch {
	case c.opened && !c.closed:
		c.failf("the socket is closed before Closed is called")
	case c.excused() || int(s.conns.n.Load()) > s.cfg.MaxConns+refusalReserve || s.l.ended:
	case c.finished0 && !c.sawEOF:
		s.early(c, "close timeout behind FIN", c.finAt, s.cfg.CloseTimeout)
	case !c.sawEOF:
		c.failf("closed at %v without FIN of either side", now)
	case len(f.in) > 0:
		c.failf("closed with %d octets unread: that is a reset", len(f.in))
	}
}
