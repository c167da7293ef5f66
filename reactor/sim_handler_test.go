//go:build linux

package reactor

// The handler of the simulation does at random what handlers may do, and what they
// should not; each call's result is held against the model. Calls by way of Handle
// stand for other goroutines: they are made between turns and within.

import (
	"math"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
)

// simPanic is what handlers panic with here; any other value is a fault.
const simPanic = "simulated panic"

type simHandler struct{ s *sim }

// A simPlace is which callback runs.
type simPlace uint8

const (
	inOpened simPlace = iota
	inMessage
	inDrained
	inPost
	inClosed
)

func (h *simHandler) Opened(c Conn) {
	s := h.s
	sock := s.kernel.files[s.l.slab.at(c.slot).fd]
	sc := sock.c
	if sc.opened || sc.refusal != nil {
		sc.failf("Opened twice, or after a refusal")
	}
	sc.conn, sc.opened = c, true
	s.conns0 = append(s.conns0, sc)
	want := any(nil)
	if d := sc.dial; d != nil {
		want = sc
		if !d.answer.opens || d.failed || sc.received < len(sc.head.octets) || !d.dialed && s.l.dialer != nil {
			sc.failf("Opened, head %d octets of %d, which opens: %v; dialed %v, failed %v", sc.received, len(sc.head.octets), d.answer.opens, d.dialed, d.failed)
		}
	} else if len(sc.head.octets) > 0 {
		sc.answer = []byte(accepted)
		if sc.head.refusal != nil || sc.received < len(sc.head.octets) {
			sc.failf("Opened, head %d octets of %d, want %v", sc.received, len(sc.head.octets), sc.head.refusal)
		}
	}
	if c.State() != want {
		sc.failf("in Opened: state %v", c.State())
	}
	sc.itemTime, sc.openedAt = s.clock(), s.clock()
	if sc.dial == nil || sc.unsent() == 0 {
		sc.progress = s.clock()
	}
	sc.advance()
	s.tracef("%v: Opened", sc)
	s.opens++
	c.SetState(sc)
	s.enter(sc)
	defer s.leave(sc)
	s.act(sc, inOpened)
}

func (h *simHandler) Message(c Conn, op codec.Opcode, payload []byte) {
	h.deliver(c, op, payload, true, true)
}

func (h *simHandler) Piece(c Conn, ev codec.Event) {
	if !h.s.inPieces {
		h.s.failf("Piece is called, and the handler does not take pieces")
	}
	h.deliver(c, ev.Opcode, ev.Payload, ev.First, ev.Last)
}

func (h *simHandler) deliver(c Conn, op codec.Opcode, payload []byte, first, last bool) {
	s := h.s
	sc := s.of(c)
	if sc == nil {
		s.failf("a message for a connection that is not open")
		return
	}
	s.enter(sc)
	defer s.leave(sc)
	m := sc.delivered(op, payload, first, last)
	s.tracef("%v: message of %d, first %v, last %v", sc, len(payload), first, last)
	if m == nil {
		return
	}
	if c.State() != any(sc) || c.RemoteAddr() != simPeer {
		sc.failf("state %v, address %v", c.State(), c.RemoteAddr())
	}
	if last {
		s.messages++
		if s.echo || s.rng.IntN(2) == 0 {
			s.send(sc, m.op, m.payload, s.echo)
		}
	}
	s.act(sc, inMessage)
}

func (h *simHandler) Drained(c Conn) {
	sc := h.s.of(c)
	if sc == nil || !sc.isOpen() || !sc.wasShort && !sc.foundFull {
		h.s.failf("Drained for %v", sc)
		return
	}
	h.s.enter(sc)
	defer h.s.leave(sc)
	sc.sync()
	if n := sc.unsent(); n > 0 {
		sc.failf("Drained with %d octets unsent", n)
	}
	h.s.act(sc, inDrained)
}

func (h *simHandler) Closed(c Conn, info CloseInfo) {
	s := h.s
	sc := s.of(c)
	if sc == nil {
		s.failf("Closed for a connection that was not opened, or is gone")
		return
	}
	s.enter(sc)
	defer s.leave(sc)
	sc.ended(info)
	s.closes++
	if c.State() != any(sc) || c.RemoteAddr() != simPeer {
		sc.failf("in Closed: state %v, address %v", c.State(), c.RemoteAddr())
	}
	s.act(sc, inClosed)
}

func (h *simHandler) Upgrade(c Conn, req *handshake.Request, accept *handshake.Accept) *handshake.Refusal {
	s := h.s
	sc := s.kernel.files[s.l.slab.at(c.slot).fd].c
	if c.Send(codec.OpText, nil) != ErrClosed || c.Close(1000, "") != ErrClosed || c.PauseRead() != ErrClosed {
		sc.failf("sends, closes or pauses in Upgrade")
	}
	if len(req.Key()) != 24 {
		sc.failf("key %q", req.Key())
	}
	switch s.rng.IntN(16) {
	case 0:
		sc.panicked = true
		return simOwnRefusal
	case 1:
		if s.panics {
			sc.panicked = true
			s.panicked++
			panic(simPanic)
		}
	}
	return nil
}

// of returns the connection that c names, if it is the slot's tenant.
func (s *sim) of(c Conn) *simConn {
	for _, sc := range s.conns0 {
		if sc.conn == c && !sc.gone {
			return sc
		}
	}
	return nil
}

// act does something on behalf of sc's callback.
func (s *sim) act(sc *simConn, place simPlace) {
	for !s.echo && s.budget > 0 && s.failed == nil && s.rng.IntN(3) == 0 {
		s.budget--
		s.act1(sc, place)
	}
}

func (s *sim) act1(sc *simConn, place simPlace) {
	rng := s.rng
	target := sc
	if rng.IntN(3) == 0 {
		target = s.conns0[rng.IntN(len(s.conns0))] // any, of the past too
	}
	switch rng.IntN(13) {
	case 0, 1, 2, 3:
		op, payload := s.payload()
		s.send(target, op, payload, false)
	case 4:
		s.send(target, codec.OpPing+codec.Opcode(rng.IntN(2)), simLetters[:1+rng.IntN(125)], false)
	case 5:
		if rng.IntN(s.closeOdds) == 0 {
			s.close(target)
		}
	case 6:
		s.pause(target, true)
	case 7, 8:
		s.pause(target, false)
	case 9:
		s.wrong(target)
	case 10:
		s.call(target)
	case 11:
		if s.panics && rng.IntN(4) == 0 {
			s.panicIn(sc, place)
		}
	case 12:
		s.connect()
	}
}

var simLetters = []byte(letters(80000))

func (s *sim) payload() (codec.Opcode, []byte) {
	op := codec.OpText + codec.Opcode(s.rng.IntN(2))
	most := int(s.cfg.MaxMessage)
	n := s.rng.IntN(min(most, 300) + 1)
	switch s.rng.IntN(8) {
	case 0:
		n = most
	case 1:
		n = min(124+s.rng.IntN(4), most)
	}
	from := s.rng.IntN(26)
	return op, simLetters[from : from+n]
}

// send is Conn.Send, expected to work if the model says so.
func (s *sim) send(c *simConn, op codec.Opcode, payload []byte, echo bool) {
	c.sync()
	open, before := c.isOpen(), c.unsent()
	dead := c.sock.dead
	e := simEntry{op: op, payload: payload}
	if open {
		c.add(e)
	}
	var err error
	if s.rng.IntN(8) == 0 {
		err = c.conn.SendPrepared(codec.NewPreparedFrame(op, payload))
	} else {
		err = c.conn.Send(op, payload)
	}
	if s.tracing {
		s.tracef("%v: Send %v of %d: %v (unsent %d)", c, op, len(payload), err, c.unsent())
	}
	if err == nil {
		if !open {
			c.failf("Send worked: opened %v, closing %v, closed %v", c.opened, c.closing, c.closed)
		}
		if n := c.unsentData(); n > s.cfg.MaxQueued {
			c.failf("%d octets queued, at most %d may be", n, s.cfg.MaxQueued)
		}
		return
	}
	if open {
		c.unlog(err)
	}
	room := before+len(payload)+codec.MaxHeaderSize <= s.cfg.MaxQueued
	switch {
	case !open && err == ErrClosed:
	case err == ErrClosed && (dead || c.sock.dead || s.poor()):
	case err == ErrQueueFull && !room && !(echo && s.cfg.Policy == Pause && !c.posted()):
		c.foundFull = true
		c.overflown = c.overflown || s.cfg.Policy == Close
	case err == ErrTooBig && len(payload)+codec.MaxHeaderSize > s.cfg.MaxQueued:
	case err == ErrMemory && s.poor():
	default:
		c.failf("Send of %d: %v; open %v, unsent %d of %d", len(payload), err, open, before, s.cfg.MaxQueued)
	}
}

// unlog takes back a frame that was not accepted.
func (c *simConn) unlog(err error) {
	if len(c.log) == 0 && err == ErrMemory && c.inFrame {
		return // the socket has some of it, and gets nothing more
	}
	if len(c.log) == 0 {
		c.failf("Send failed with %v, and its frame was sent", err)
		return
	}
	c.log = c.log[:len(c.log)-1]
}

// posted reports whether others than its own handler sent to c, or it answers what
// the loop could not foresee: a message that came in pieces.
func (c *simConn) posted() bool { return !c.s.echo || c.s.outside || c.s.inPieces }

func (s *sim) close(c *simConn) {
	code := [...]codec.CloseCode{1000, 1001, 1012, 3000, 4999, codec.CloseNoStatus}[s.rng.IntN(6)]
	reason := ""
	if code != codec.CloseNoStatus {
		reason = "because é"[:s.rng.IntN(2)*10]
	}
	c.sync()
	open := c.isOpen()
	err := c.conn.Close(code, reason)
	s.tracef("%v: Close %d: %v", c, code, err)
	if (err == nil) != open || err != nil && err != ErrClosed {
		c.failf("Close: %v; opened %v, closing %v, closed %v", err, c.opened, c.closing, c.closed)
	}
	if open {
		c.closeLogged(code, reason)
	}
}

// closeLogged: our close frame is in the log.
func (c *simConn) closeLogged(code codec.CloseCode, reason string) {
	payload, _ := codec.AppendClosePayload(nil, code, reason)
	if !c.sock.dead {
		c.add(simEntry{op: codec.OpClose, payload: payload})
	}
	c.closing, c.paused = true, false
	c.closeSent = c.s.clock()
}

func (s *sim) pause(c *simConn, pause bool) {
	c.sync()
	open := c.isOpen()
	var err error
	if pause {
		err = c.conn.PauseRead()
	} else {
		err = c.conn.ResumeRead()
	}
	s.tracef("%v: pause %v: %v", c, pause, err)
	if (err == nil) != open || err != nil && err != ErrClosed {
		c.failf("pause %v: %v, open %v", pause, err, open)
	}
	if open {
		c.paused, c.pausedAt = pause, s.clock()
	}
}

// wrong makes calls that must fail and change nothing.
func (s *sim) wrong(c *simConn) {
	c.sync()
	want := ErrClosed
	if c.isOpen() {
		want = ErrOpcode
	}
	if err := c.conn.Send(codec.OpClose, nil); err != want {
		c.failf("Send of a close frame: %v, want %v", err, want)
	}
	if err := c.conn.Send(codec.OpPing, simLetters[:126]); err != want {
		c.failf("Send of a long ping: %v, want %v", err, want)
	}
	if c.isOpen() {
		want = codec.ErrSendCloseCode
	}
	if err := c.conn.Close(1006, ""); err != want {
		c.failf("Close with 1006: %v, want %v", err, want)
	}
	if c.gone && (c.conn.State() != nil || c.conn.RemoteAddr().IsValid()) {
		c.failf("a connection that is gone has a state or an address")
	}
}

// panicIn panics in sc's callback, which fails sc.
func (s *sim) panicIn(sc *simConn, place simPlace) {
	s.panicked++
	s.tracef("%v: panics", sc)
	if place != inClosed {
		sc.panicked = true
	}
	if place == inPost {
		s.panicking = sc
	}
	panic(simPanic)
}

// Calls from other goroutines. A call that was accepted waits in the loop's inbox
// until a turn takes all that is there; then they happen in order, and the model
// must know when. So the first entry of the inbox is always one of its own, which
// tells it that the rest is about to happen. The calls are done in the model when
// their connection is looked at next.

type simCallKind uint8

const (
	callSend simCallKind = iota
	callClose
	callPost
	callAdopt
)

type simCall struct {
	seq     uint64
	kind    simCallKind
	c       *simConn
	op      codec.Opcode
	payload []byte
	code    codec.CloseCode
	done    bool
	ready   bool // a prepared frame, which may go out before the next call is done
}

// mark puts the model's own entry into an inbox that is empty.
func (s *sim) mark() {
	in := &s.l.inbox
	if in.mu.Lock(); len(in.entries) == 0 && !in.closed {
		in.entries = append(in.entries, entry{kind: entryRun, run: s.onInbox})
	}
	in.mu.Unlock()
}

// inboxTaken: what waits is about to happen.
func (s *sim) inboxTaken(*loop) {
	for _, c := range s.live {
		c.syncParsed()
	}
	s.taken = append(s.taken, s.waiting...)
	s.waiting = s.waiting[:0]
}

// call makes a call through a Handle.
func (s *sim) call(c *simConn) {
	s.mark()
	s.seq++
	call := simCall{seq: s.seq, c: c, kind: callPost}
	h := c.conn.Handle()
	var err error
	switch s.rng.IntN(5) {
	case 0, 1:
		call.kind = callSend
		call.op, call.payload = s.payload()
		if call.ready = s.rng.IntN(6) == 0; call.ready {
			err = h.SendPrepared(codec.NewPreparedFrame(call.op, call.payload))
		} else {
			err = h.Send(call.op, call.payload)
		}
	case 2:
		if s.rng.IntN(s.closeOdds) == 0 {
			call.kind, call.code = callClose, 4000
			err = h.Close(4000, "")
			break
		}
		fallthrough
	default:
		err = h.Post(func(conn Conn) { s.posted(call, conn) })
	}
	s.tracef("%v: call %d, kind %d: %v", c, call.seq, call.kind, err)
	s.called(call, err)
}

// called judges what a Handle's method returned.
func (s *sim) called(call simCall, err error) {
	octets := 0
	for i := range s.waiting {
		octets += len(s.waiting[i].payload)
	}
	full := len(s.waiting) >= s.cfg.MaxInboxEntries || octets+len(call.payload) > s.cfg.MaxInboxOctets
	switch {
	case err == nil && !call.c.gone && len(s.waiting) < s.cfg.MaxInboxEntries:
		s.waiting = append(s.waiting, call)
	case err == ErrClosed && (call.c.gone || s.l.ended):
	case err == ErrTooBig && len(call.payload) > min(s.cfg.MaxInboxOctets, s.cfg.MaxQueued-codec.MaxHeaderSize):
	case err == ErrInboxFull && (full || call.kind == callSend):
	default:
		call.c.failf("a call by Handle: %v; gone %v, full %v", err, call.c.gone, full)
	}
}

// posted runs as a posted function.
func (s *sim) posted(call simCall, conn Conn) {
	c := call.c
	s.bound, s.panicking = call.seq, nil
	c.sync()
	if conn != c.conn || !c.isOpen() {
		c.failf("a posted function runs: opened %v, closing %v, closed %v", c.opened, c.closing, c.closed)
	}
	s.tracef("%v: post %d", c, call.seq)
	if s.echo {
		s.pause(c, s.rng.IntN(2) == 0)
	} else {
		s.act(c, inPost)
	}
	s.bound = math.MaxUint64
}

// enter and leave stand around a handler's call.
func (s *sim) enter(c *simConn) { s.within = c }
func (s *sim) leave(c *simConn) { s.within = nil }

// applyCalls does in the model what the loop has done for c by now. A Send that is
// observed may be that of a prepared frame, which does not wait for the calls behind it.
func (s *sim) applyCalls(c *simConn) {
	if c.offering && c.retried {
		return // the same Send again
	}
	if s.panicking != nil {
		if c == s.panicking || s.within == s.panicking {
			// the loop is still inside the post that panicked
		} else {
			s.panicking, s.bound = nil, math.MaxUint64
		}
	}
	for i := range s.taken {
		call := &s.taken[i]
		if call.c != c || call.done || call.seq >= s.bound {
			continue
		}
		call.done = true
		if c.isOpen() && !c.overflown {
			atOnce := call.ready && c.offering && c.role == codec.Server && c.unsent() == 0 && c.slot().atOnce != s.l.turns
			c.apply(call)
			if atOnce {
				return
			}
		}
	}
}

// apply does a call in the model.
func (c *simConn) apply(call *simCall) {
	switch call.kind {
	case callSend:
		if c.sock.dead {
			return
		}
		if c.unsent()+len(call.payload)+codec.MaxHeaderSize > c.s.cfg.MaxQueued {
			c.s.tracef("%v: call %d finds the queue full", c, call.seq)
			c.overflown, c.foundFull = true, true
			return
		}
		c.add(simEntry{op: call.op, payload: call.payload})
	case callClose:
		c.closeLogged(call.code, "")
	}
}

// stopped: the loop shuts down. It has closed its listener and is about to close
// all connections, behind whatever was sent before.
func (s *sim) stopped() {
	for _, c := range s.live {
		c.sync()
		if c.isOpen() && !c.overflown {
			c.closeLogged(codec.CloseGoingAway, "")
		}
	}
}

// endOfTurn does what is left of the calls that the turn took.
func (s *sim) endOfTurn() {
	s.panicking, s.bound = nil, math.MaxUint64
	for i := range s.taken {
		if c := s.taken[i].c; c != nil && !s.taken[i].done {
			s.applyCalls(c)
		}
	}
	clear(s.taken)
	s.taken = s.taken[:0]
}
