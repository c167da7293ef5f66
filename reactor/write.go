package reactor

import (
	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/poll"
)

// The way out: replies of the connection being served gather in the loop's one
// batch, which is sent when its input has been served. Sends to other
// connections, and whatever a socket would not take, wait in a queue of pooled
// memory.
//
//	buf   │ sent │ rest of a frame │ whole frames … │ room │
//	      0     off             frame             len(buf)
//
// off ≤ len(buf). If off < frame, a frame is partly sent, and nothing may come
// before its rest; if not, off is a boundary, where a pong may go first.

// An output is what a connection needs only while octets wait to be sent.
type output struct {
	buf        []byte // of the loop's memory
	off, frame int
	since      tick // when the socket last took some, or the first came
	blocked    bool // the socket has refused some
	refused    bool // a send found no room

	// Of the pongs that are due, the latest, and one that is being sent
	// (RFC 6455 §5.5.3).
	pong, going      [codec.MaxControlSize]byte
	pongLen          int
	goingOff, goingN int
}

// queued returns how many octets wait.
func (o *output) queued() int {
	if o == nil {
		return 0
	}
	return len(o.buf) - o.off + o.pongLen + o.goingN - o.goingOff
}

// next returns the octets to send next: the rest of a frame, then a pong, then
// all the others.
func (o *output) next() []byte {
	if o.off < o.frame {
		return o.buf[o.off:o.frame]
	}
	if o.goingOff == o.goingN && o.pongLen > 0 {
		o.goingOff, o.goingN = 0, copy(o.going[:], o.pong[:o.pongLen])
		o.pongLen = 0
	}
	if o.goingOff < o.goingN {
		return o.going[o.goingOff:o.goingN]
	}
	return o.buf[o.off:]
}

// took marks n octets of what next returned as sent.
func (o *output) took(n int) {
	switch {
	case o.off < o.frame:
		o.off += n
	case o.goingOff < o.goingN:
		o.goingOff += n
	default:
		o.frame = o.off + boundary(o.buf[o.off:], n)
		o.off += n
	}
}

// boundary returns where the frame ends whose octets before sent are gone: the
// least end of a frame in b that is not below sent.
func boundary(b []byte, sent int) (end int) {
	for end < sent {
		h, n, _ := codec.ParseHeader(b[end:])
		end += n + int(h.PayloadLength)
	}
	return end
}

// dropFrames forgets what waits, but for the rest of what is partly sent.
func (o *output) dropFrames() {
	o.buf = o.buf[:max(o.off, min(o.frame, len(o.buf)))]
	o.pongLen = 0
	if o.goingOff == 0 {
		o.goingN = 0
	}
}

// frame encodes a frame behind dst, masked if s is a client's.
func (l *loop) frame(dst []byte, s *slot, op codec.Opcode, payload []byte) []byte {
	if s.flags&flagClient == 0 {
		return codec.AppendServerFrame(dst, op, payload)
	}
	return codec.AppendFrame(dst, l.header(s, op), payload)
}

func (l *loop) header(s *slot, op codec.Opcode) codec.Header {
	h := codec.Header{FIN: true, Opcode: op}
	if s.flags&flagClient != 0 {
		key, err := l.keys.Next()
		if err != nil {
			panic("reactor: no masking-keys to be had: " + err.Error())
		}
		h.Masked, h.MaskingKey = true, key
	}
	return h
}

// send sends a frame: with the batch if s is being served, or by its queue.
func (l *loop) send(index int32, s *slot, op codec.Opcode, payload []byte) error {
	size := len(payload) + codec.MaxHeaderSize
	if size > l.cfg.MaxQueued {
		return ErrTooBig
	}
	if index == l.cur && s.out == nil && len(l.batch)+size > l.limit {
		l.flush(index, s)
	}
	if s.flags&flagDead != 0 {
		return ErrClosed
	}
	if index != l.cur || s.out != nil {
		if s.out.queued()+size > l.cfg.MaxQueued {
			return l.noRoom(index, s)
		}
		if !l.enqueue(index, s, op, payload) {
			return ErrMemory
		}
	} else if s.flags&flagClient != 0 {
		l.batch = l.frame(l.batch, s, op, payload)
	} else if len(payload) < directSize {
		l.batch = codec.AppendServerFrame(l.batch, op, payload) // the usual case: one call less
	} else if !l.sendDirect(index, s, op, payload) {
		return ErrMemory
	}
	if op.IsData() {
		l.tally.messagesOut++
	}
	return nil
}

// sendPrepared sends a frame that was encoded beforehand. To a connection that is not
// being served and for which nothing waits, it goes from where it is and at once: a
// message to ten thousand is copied for none of them, and leaves no queue behind. Any
// more in the same turn gather in its queue, for one send. If s is to be failed, because a
// send was refused, nothing may overtake that.
func (l *loop) sendPrepared(index int32, s *slot, f *codec.PreparedFrame) error {
	if index == l.cur || s.out != nil || s.doom != 0 || s.atOnce == l.turns ||
		s.flags&(flagClient|flagDead) != 0 || len(f.Payload())+codec.MaxHeaderSize > l.cfg.MaxQueued {
		return l.send(index, s, f.Opcode(), f.Payload())
	}
	b := f.Frame()
	n := l.write(index, s, b)
	s.atOnce = l.turns
	if s.flags&flagDead != 0 {
		return ErrClosed
	}
	if n < len(b) {
		if !l.wait(index, s, b[n:]) {
			return ErrMemory
		}
		if n > 0 {
			s.out.frame = len(b) - n
		}
		l.dirt(index, s)
	}
	if f.Opcode().IsData() {
		l.tally.messagesOut++
	}
	return nil
}

// noRoom refuses a send at the queue's bound.
func (l *loop) noRoom(index int32, s *slot) error {
	l.stats.queueFull.Add(1)
	s.out.refused = true // there is one: an empty queue has room
	if l.cfg.Policy == Close {
		l.doom(index, s, codec.ClosePolicyViolation)
	}
	return ErrQueueFull
}

// sendDirect sends a large payload from where it is, behind the batch. It reports
// false if there was no memory for what the socket did not take of that.
func (l *loop) sendDirect(index int32, s *slot, op codec.Opcode, payload []byte) bool {
	h := l.header(s, op)
	h.PayloadLength = int64(len(payload))
	before := len(l.batch)
	l.batch = codec.AppendHeader(l.batch, h)
	head := len(l.batch) - before
	l.flush(index, s)
	switch {
	case s.flags&flagDead != 0:
	case s.out != nil: // the payload belongs to the header that waits there
		if !l.grow(index, s, len(payload)) {
			l.dropHeader(s, head)
			return false
		}
		s.out.buf = append(s.out.buf, payload...)
		l.tally.queued += int64(len(payload))
	default:
		n := l.write(index, s, payload)
		if n < len(payload) && s.flags&flagDead == 0 && l.wait(index, s, payload[n:]) {
			s.out.frame = len(s.out.buf)
		}
	}
	return true
}

// dropHeader takes the header of a frame, the queue's last head octets, back from
// there: a close frame may still follow. If the socket had taken some of it, s is
// dead and has no queue any more.
func (l *loop) dropHeader(s *slot, head int) {
	if s.out != nil {
		s.out.buf = s.out.buf[:len(s.out.buf)-head]
		l.tally.queued -= int64(head)
	}
}

// control sends a control frame that no bound holds up, behind all others.
func (l *loop) control(index int32, s *slot, op codec.Opcode, payload []byte) {
	if s.flags&flagDead != 0 {
		return
	}
	if index == l.cur && s.out == nil {
		l.batch = l.frame(l.batch, s, op, payload)
		return
	}
	l.enqueue(index, s, op, payload)
}

// pong answers a ping: in its place among the replies of the batch; but if the
// socket is blocked, ahead of what waits, and in place of a pong that waits.
func (l *loop) pong(index int32, s *slot, payload []byte) {
	if s.out == nil && len(l.batch)+codec.MaxControlSize > l.limit {
		l.flush(index, s)
	}
	out := s.out
	if out == nil || !out.blocked {
		l.control(index, s, codec.OpPong, payload)
		return
	}
	l.tally.queued -= int64(out.pongLen)
	if out.goingOff == 0 { // offered to the socket, which took none of it
		l.tally.queued -= int64(out.goingN)
		out.goingN = 0
	}
	out.pongLen = len(l.frame(out.pong[:0], s, codec.OpPong, payload))
	l.tally.queued += int64(out.pongLen)
}

// enqueue appends a frame to the queue. It reports false if there was no memory
// for it; s is failed then.
func (l *loop) enqueue(index int32, s *slot, op codec.Opcode, payload []byte) bool {
	if !l.grow(index, s, len(payload)+codec.MaxHeaderSize) {
		return false
	}
	out := s.out
	before := len(out.buf)
	out.buf = l.frame(out.buf, s, op, payload)
	l.tally.queued += int64(len(out.buf) - before)
	l.dirt(index, s)
	return true
}

// dirt has the queue of s sent at the end of the turn, if no event will.
func (l *loop) dirt(index int32, s *slot) {
	if s.watched&poll.Writable == 0 && s.flags&flagDirty == 0 {
		s.flags |= flagDirty
		l.dirty = append(l.dirty, index)
	}
}

// grow makes room for n octets at the end of the queue, and the queue if there
// is none.
func (l *loop) grow(index int32, s *slot, n int) bool {
	out := s.out
	if out == nil {
		if last := len(l.spareOut) - 1; last >= 0 {
			out, l.spareOut = l.spareOut[last], l.spareOut[:last]
		} else {
			out = new(output)
		}
		out.since = l.tick
		s.out = out
		l.arm(index, s)
	}
	if len(out.buf)+n <= cap(out.buf) {
		return true
	}
	// What was sent makes room if it is most of the buffer; else that grows.
	unsent := len(out.buf) - out.off
	if out.off >= cap(out.buf)/2 && out.off > 0 {
		copy(out.buf, out.buf[out.off:])
		out.buf = out.buf[:unsent]
		out.frame, out.off = max(out.frame-out.off, 0), 0
	}
	buf, err := l.mem.Grow(out.buf, n)
	if err != nil {
		l.outOfMemory(index, s)
		return false
	}
	out.buf = buf
	return true
}

// outOfMemory has s failed with 1013; but if that cannot be said any more,
// because a frame is cut short, the socket is given up.
func (l *loop) outOfMemory(index int32, s *slot) {
	l.doom(index, s, codec.CloseTryAgainLater)
	if out := s.out; out.frame > len(out.buf) || cap(out.buf) == 0 {
		l.die(index, s)
	}
}

// flush sends the batch, which is all s's; what the socket does not take waits
// in the queue.
func (l *loop) flush(index int32, s *slot) {
	b, raw := l.batch, l.raw
	if len(b) == 0 {
		return
	}
	l.batch, l.raw = b[:0], 0
	if cap(b) > 4*batchSize {
		l.batch = nil
	}
	n := 0
	if s.flags&flagDead == 0 {
		n = l.write(index, s, b)
	}
	if n == len(b) || s.flags&flagDead != 0 || !l.wait(index, s, b[n:]) {
		return
	}
	if n < raw {
		s.out.frame = raw - n
	} else {
		s.out.frame = boundary(b[raw:], n-raw) - (n - raw)
	}
}

// write sends b as far as the socket takes it.
func (l *loop) write(index int32, s *slot, b []byte) int {
	for {
		n, e := l.kernel.Send(int(s.fd), b)
		switch e {
		case 0:
			l.tally.octetsOut += uint64(n)
			return n
		case poll.EINTR:
		case poll.EAGAIN, poll.ENOBUFS, poll.ENOMEM:
			return 0
		default:
			l.die(index, s)
			return 0
		}
	}
}

// wait queues b, which the socket did not take, in a queue of its own.
func (l *loop) wait(index int32, s *slot, b []byte) bool {
	if !l.grow(index, s, len(b)) {
		return false
	}
	s.out.buf = append(s.out.buf, b...)
	s.out.blocked = true
	l.tally.queued += int64(len(b))
	return true
}

// die notes that the socket takes nothing more. What came in before is still
// served; reading then finds the end.
func (l *loop) die(index int32, s *slot) {
	s.flags |= flagDead
	l.dropOutput(s)
	l.resume(index, s, flagQueuePaused)
	l.said(index, s) // nothing more can be: the wait for the peer's answer begins
	l.again(index, s)
}

// sendQueue sends what waits, as far as the socket takes it.
func (l *loop) sendQueue(index int32, s *slot) {
	out := s.out
	for out.queued() > 0 {
		b := out.next()
		n := l.write(index, s, b)
		if s.flags&flagDead != 0 {
			return
		}
		if n > 0 {
			out.since = l.tick
			out.took(n)
			l.tally.queued -= int64(n)
		}
		if n < len(b) {
			out.blocked = true
			return
		}
	}
	wanted := out.blocked || out.refused
	l.dropOutput(s)
	l.drained(index, s, wanted)
}

// drained goes on where an empty queue was waited for.
func (l *loop) drained(index int32, s *slot, wanted bool) {
	switch s.phase {
	case phaseOpen:
		l.resume(index, s, flagQueuePaused)
		if wanted && l.drainer != nil {
			l.calling = true
			l.drainer.Drained(l.conn(index))
			l.calling = false
		}
	case phaseClosing:
		l.said(index, s)
	case phaseLeaving:
		l.shut(index, s)
	}
}

// dropOutput gives back the queue and forgets what is in it.
func (l *loop) dropOutput(s *slot) {
	out := s.out
	if out == nil {
		return
	}
	s.out = nil
	l.tally.queued -= int64(out.queued())
	if cap(out.buf) > 0 {
		l.mem.Free(out.buf)
	}
	*out = output{}
	if len(l.spareOut) < spareRecords {
		l.spareOut = append(l.spareOut, out)
	}
}

// sendDirty sends the queues that this turn has filled.
func (l *loop) sendDirty() {
	todo := len(l.dirty)
	for i := range todo {
		index := l.dirty[i]
		if s := l.slab.at(index); s.flags&flagDirty != 0 {
			s.flags &^= flagDirty
			l.sendDirtyOf(index, s)
		}
	}
	l.dirty = l.dirty[:copy(l.dirty, l.dirty[todo:])]
}

func (l *loop) sendDirtyOf(index int32, s *slot) {
	defer l.caught(index, s)
	if s.out != nil {
		l.sendQueue(index, s)
	}
	if s.phase != phaseFree {
		l.watch(index, s)
	}
}

// said starts the wait for the peer's answer once our close frame is on its way.
// Pongs that are sent after that do not start it again.
func (l *loop) said(index int32, s *slot) {
	if s.phase == phaseClosing && s.out == nil && s.flags&flagFailing == 0 {
		s.flags |= flagFailing
		s.since = l.tick
		l.arm(index, s)
	}
}
