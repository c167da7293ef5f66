package reactor

import (
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/poll"
)

// A loop serves its connections on one goroutine, locked to one thread. All of
// its state belongs to that goroutine, but for the inbox, the counters and the
// generations in the slab.
//
// One turn:
//
//	Wait ─► events ─► inbox ─► deadlines ─► connections to go on with ─► queues to send
//
// Whatever ends a connection or calls Closed happens at the top of a turn's
// steps, never inside a handler's call: what a handler's call asks for is
// noted in the slot and done when it has returned.
type loop struct {
	number  int
	cfg     *Config
	kernel  poll.Kernel
	handler Handler
	thread  int // for Config.Poison

	// Optional interfaces of the handler, or nil.
	upgrader Upgrader
	pieces   PieceHandler
	drainer  Drainer
	dialer   Dialer

	slab  slab
	wheel wheel
	inbox inbox
	mem   memory
	keys  *codec.Keys

	clock   time.Duration // when the turn began
	tick    tick          // the same
	turns   uint32        // of the loop so far
	cur     int32         // the slot whose replies go to batch, or noSlot
	calling bool          // a handler's method is running

	// batch holds the replies to one batch of input of cur until they are sent
	// together; its first raw octets are not frames.
	batch []byte
	raw   int
	limit int // the most that batch is filled with before it is sent

	read      []byte           // the read buffer
	owned     []byte           // of mem: being served instead of read, to be freed after
	head      handshake.Reader // for heads that come whole
	req       handshake.Request
	answering handshake.Accept
	res       handshake.Response
	dateAt    int64 // the second, of Unix time, that dateText tells
	dateText  string
	events    []poll.Event
	dirty     []int32 // slots with output that no event will send
	ready     []int32 // slots to go on with
	due       []int32 // slots whose time has come

	spareIn  []*input
	spareOut []*output

	listeners []listener
	deal      []*loop // where a Unix socket's connections go in turn
	dealt     uint

	entries []entry // the inbox's other half
	octets  []byte

	stats    counters
	tally    tally
	stopping bool
	ended    bool
	conns    *connCount
}

// A listener is one listening descriptor of a loop.
type listener struct {
	fd      int
	unix    bool
	watched bool
	retry   tick // when to accept again after a failure, or 0
	backoff time.Duration
}

const (
	readSize        = 64 << 10 // carry and recv together, so that what is kept fits a class of memory
	readsPerTurn    = 4        // of one connection, so that none starves the rest
	acceptsPerTurn  = 64
	eventsPerTurn   = 256
	batchSize       = 64 << 10
	directSize      = 32 << 10 // payloads from here on are not copied into batch
	maxBackoff      = 2 * time.Second
	minBackoff      = 50 * time.Millisecond
	spareRecords    = 256
	smallestHeadBuf = 1 << 10
)

// listenerToken is set in the tokens of listeners; slots have fewer.
const listenerToken uint32 = 1 << 31

func newLoop(number int, cfg *Config, kernel poll.Kernel, pool *pool, conns *connCount) *loop {
	l := &loop{
		number: number, cfg: cfg, kernel: kernel, conns: conns, cur: noSlot,
		mem:    memory{pool: pool},
		keys:   codec.NewKeys(cfg.random),
		read:   make([]byte, readSize),
		events: make([]poll.Event, eventsPerTurn),
		limit:  min(batchSize, cfg.MaxQueued),
	}
	l.inbox.maxEntries, l.inbox.maxOctets = cfg.MaxInboxEntries, cfg.MaxInboxOctets
	l.inbox.wake = kernel.Wake
	l.slab.init(cfg.MaxConns + refusalReserve)
	l.readClock()
	l.wheel.init(l.tick)
	return l
}

// setHandler sets the handler and looks which optional interfaces it has.
func (l *loop) setHandler(h Handler) {
	l.handler = h
	l.upgrader, _ = h.(Upgrader)
	l.pieces, _ = h.(PieceHandler)
	l.drainer, _ = h.(Drainer)
	l.dialer, _ = h.(Dialer)
}

// run turns until the loop has been shut down and its last connection is gone.
func (l *loop) run() error {
	l.thread = poll.Thread()
	defer l.end()
	for !l.stopping || l.slab.live > 0 {
		if err := l.turn(); err != nil {
			return err
		}
	}
	return nil
}

// turn is one step of the loop.
func (l *loop) turn() error {
	l.turns++
	n, e := l.kernel.Wait(l.events, l.patience())
	if e != 0 {
		return fmt.Errorf("hybi: waiting for events: %w", e.Err())
	}
	l.readClock()
	for i := range l.events[:n] {
		l.event(l.events[i])
	}
	if l.inbox.signalled.Load() {
		l.takeInbox()
	}
	l.deadlines()
	l.goOn()
	l.sendDirty()
	l.stats.publish(&l.tally)
	return nil
}

func (l *loop) readClock() {
	l.clock = l.kernel.Now()
	l.tick = tick(l.clock/tickLength) + 1
}

// patience returns how long to wait for events: until the next deadline.
func (l *loop) patience() time.Duration {
	if len(l.ready) > 0 || len(l.dirty) > 0 {
		return 0
	}
	wait := l.wheel.wait()
	for i := range l.listeners {
		if retry := l.listeners[i].retry; retry != 0 {
			until := tick(max(int32(retry-l.wheel.at), 1))
			if wait == 0 || until < wait {
				wait = until
			}
		}
	}
	if wait == 0 {
		return -1
	}
	at := time.Duration(l.wheel.at+wait-1) * tickLength
	return max(at-l.clock, time.Millisecond)
}

// event deals with the readiness of one descriptor.
func (l *loop) event(ev poll.Event) {
	if low := uint32(ev.Token); low&listenerToken != 0 {
		l.accept(int(low &^ listenerToken))
		return
	}
	index := int32(ev.Token & (1<<31 - 1))
	if l.slab.gen(index).Load() != uint32(ev.Token>>32) {
		return // for the slot's last tenant
	}
	s := l.slab.at(index)
	defer l.caught(index, s)
	if s.phase == phaseDialing {
		l.connected(index, s)
	} else if ev.Flags&poll.Writable != 0 && s.out != nil {
		l.sendQueue(index, s)
	}
	switch {
	case s.phase == phaseFree:
	case ev.Flags&poll.Readable != 0 && s.reading():
		l.readable(index, s)
	case ev.Flags&poll.Hangup != 0:
		l.hangup(index, s)
	}
	if s.phase != phaseFree {
		l.watch(index, s)
	}
}

// hangup deals with an error or the end of both directions, which the poller
// tells without having been asked, again and again.
func (l *loop) hangup(index int32, s *slot) {
	switch {
	case s.reading():
		l.readable(index, s)
	case s.out != nil && s.flags&flagDead == 0:
		l.sendQueue(index, s)
	case s.flags&flagDetached == 0:
		l.kernel.Unwatch(int(s.fd))
		s.flags |= flagDetached
	}
}

// conn returns the Conn of a slot.
func (l *loop) conn(index int32) Conn {
	return Conn{l, index, l.slab.gen(index).Load()}
}

// token returns what the poller is to say of a slot.
func (l *loop) token(index int32) uint64 {
	return uint64(l.slab.gen(index).Load())<<32 | uint64(uint32(index))
}

// reading reports whether input of s is wanted.
func (s *slot) reading() bool {
	return s.flags&(flagPaused|flagEOF) == 0
}

// watch tells the poller what is wanted of s, if that has changed.
func (l *loop) watch(index int32, s *slot) {
	var want poll.Flags
	if s.phase == phaseDialing {
		want = poll.Writable
	} else if s.reading() {
		want = poll.Readable
	}
	if s.out != nil && s.flags&(flagDead|flagDirty) == 0 {
		want |= poll.Writable
	}
	switch {
	case s.flags&flagDetached != 0:
		if want != 0 {
			if e := l.kernel.Watch(int(s.fd), l.token(index), want); e != 0 {
				l.abort(index, s, e.Err()) // nothing would ever be told of it
				return
			}
			s.flags &^= flagDetached
		}
	case want != s.watched:
		l.kernel.Rewatch(int(s.fd), l.token(index), want)
	}
	s.watched = want
}

// again has the loop go on with s at the end of the turn, or in the next.
func (l *loop) again(index int32, s *slot) {
	if s.flags&flagReady == 0 {
		s.flags |= flagReady
		l.ready = append(l.ready, index)
	}
}

// goOn does what could not be done when it was asked for.
func (l *loop) goOn() {
	todo := l.ready
	for i := range todo {
		index := todo[i]
		if s := l.slab.at(index); s.flags&flagReady != 0 {
			s.flags &^= flagReady
			l.goOnWith(index, s)
		}
	}
	l.ready = l.ready[:copy(l.ready, l.ready[len(todo):])]
}

func (l *loop) goOnWith(index int32, s *slot) {
	defer l.caught(index, s)
	if s.phase == phaseFree || l.doomed(index, s) {
		return
	}
	if s.phase == phaseLeaving && s.flags&flagDead != 0 {
		l.release(index, s)
		return
	}
	if s.in != nil && len(s.in.carry) > 0 && s.flags&flagPaused == 0 && (s.phase == phaseOpen || s.phase == phaseClosing) {
		l.carryOn(index, s)
	}
	if s.phase != phaseFree {
		l.watch(index, s)
	}
}

// doomed fails s if a handler's call has made that necessary, or if there was no
// memory for the rest of a client's request.
func (l *loop) doomed(index int32, s *slot) bool {
	if s.doom == 0 {
		return false
	}
	code := s.doom
	s.doom = 0
	if s.phase == phaseOpening && s.flags&flagClient != 0 {
		l.stats.memoryFull.Add(1)
		l.dialFailed(index, s, ErrMemory)
		return true
	}
	if s.phase != phaseOpen && s.phase != phaseClosing {
		return false
	}
	err := ErrQueueFull
	switch code {
	case codec.CloseTryAgainLater:
		err = ErrMemory
		l.stats.memoryFull.Add(1)
	case codec.CloseInternalError:
		err = ErrPanic
	}
	l.fail(index, s, code, "", err)
	return true
}

// doom has s failed once the handler's call has returned.
func (l *loop) doom(index int32, s *slot, code codec.CloseCode) {
	if s.doom == 0 {
		s.doom = code
	}
	l.again(index, s)
}

// caught is deferred around whatever calls a handler. A panic of the handler's
// fails the connection it was called for; any other is a fault of this package,
// and goes on.
func (l *loop) caught(index int32, s *slot) {
	if !l.calling {
		return
	}
	l.calling = false
	l.reportPanic(recover())
	l.freeOwned()
	if l.cur != noSlot {
		l.flush(l.cur, l.slab.at(l.cur))
		l.cur = noSlot
	}
	if s.phase == phaseOpening {
		l.refuse(index, s, handshake.ErrInternal)
		return
	}
	if s.phase == phaseOpen || s.phase == phaseClosing {
		l.fail(index, s, codec.CloseInternalError, "", ErrPanic)
	}
}

// freeOwned gives back a buffer that was served in place of the read buffer.
func (l *loop) freeOwned() {
	if l.owned != nil {
		l.mem.Free(l.owned)
		l.owned = nil
	}
}

func (l *loop) reportPanic(value any) {
	l.stats.handlerPanics.Add(1)
	l.cfg.Logger.Error("hybi: handler panicked", slog.Any("panic", value), slog.String("stack", string(debug.Stack())))
}

// takeInbox does what other goroutines have asked for.
func (l *loop) takeInbox() {
	var shutdown, abort bool
	l.entries, l.octets, shutdown, abort = l.inbox.swap(l.entries, l.octets)
	octets := l.octets
	for i := range l.entries {
		e := &l.entries[i]
		payload := octets[:e.size]
		octets = octets[e.size:]
		if e.isLoops() {
			l.takeOwn(e)
			continue
		}
		if l.slab.gen(e.slot).Load() == e.gen {
			l.takeEntry(e, l.slab.at(e.slot), payload)
		}
	}
	if shutdown && !l.stopping {
		l.shutdown()
	}
	if abort {
		l.abortAll()
	}
}

// isLoops reports whether e is for the loop itself, not for a connection.
func (e *entry) isLoops() bool { return e.kind == entryRun || e.kind == entryCall }

func (l *loop) takeOwn(e *entry) {
	if e.kind == entryRun {
		e.run(l)
		return
	}
	defer func() {
		if l.calling {
			l.calling = false
			l.reportPanic(recover())
		}
	}()
	l.calling = true
	e.call()
	l.calling = false
}

func (l *loop) takeEntry(e *entry, s *slot, payload []byte) {
	if s.phase != phaseOpen || s.doom != 0 { // to be failed: nothing may follow what was dropped
		return
	}
	defer l.caught(e.slot, s)
	var err error
	switch e.kind {
	case entrySend:
		err = l.send(e.slot, s, e.op, payload)
	case entryPrepared:
		err = l.sendPrepared(e.slot, s, e.frame)
	case entryClose:
		l.closeWith(e.slot, s, e.code, e.reason)
	case entryPost:
		l.calling = true
		e.post(l.conn(e.slot))
		l.calling = false
	}
	if err == ErrQueueFull && s.doom == 0 {
		l.doom(e.slot, s, codec.ClosePolicyViolation)
	}
	l.watch(e.slot, s)
}

// shutdown stops accepting and says 1001 to all.
func (l *loop) shutdown() {
	l.stopping = true
	for i := range l.listeners {
		l.refuseBacklog(i)
		l.kernel.Close(l.listeners[i].fd)
	}
	l.listeners = l.listeners[:0]
	for index := int32(0); index < l.slab.made; index++ {
		s := l.slab.at(index)
		switch s.phase {
		case phaseDialing, phaseOpening:
			l.refuse(index, s, handshake.ErrShuttingDown)
		case phaseOpen:
			if s.doom != 0 {
				continue // it is failed at the end of this turn, and told why
			}
			l.cur = index
			l.closeWith(index, s, codec.CloseGoingAway, "")
			l.cur = noSlot
			l.flush(index, s)
			l.said(index, s)
			l.watch(index, s)
		}
	}
}

// abortAll ends all connections as they are.
func (l *loop) abortAll() {
	for index := int32(0); index < l.slab.made; index++ {
		if s := l.slab.at(index); s.phase != phaseFree {
			l.abort(index, s, ErrShutdown)
		}
	}
}

// end gives back what the loop holds.
func (l *loop) end() {
	l.stopping, l.ended = true, true
	l.abortAll()
	for i := range l.listeners {
		l.kernel.Close(l.listeners[i].fd)
	}
	l.listeners = nil
	for _, e := range l.inbox.close() {
		if e.isLoops() {
			l.takeOwn(&e)
		}
	}
	l.stats.publish(&l.tally)
	l.kernel.Release()
}

// listen begins to accept from fd.
func (l *loop) listen(fd int, unix bool) {
	if l.stopping {
		poll.CloseFD(fd)
		return
	}
	l.listeners = append(l.listeners, listener{fd: fd, unix: unix})
	l.admit(len(l.listeners) - 1)
}

// admit has the poller tell of connections to accept, now or after a while.
func (l *loop) admit(i int) {
	ln, token, e := &l.listeners[i], uint64(listenerToken|uint32(i)), poll.Errno(0)
	if ln.watched {
		e = l.kernel.Rewatch(ln.fd, token, poll.Readable)
	} else {
		e = l.kernel.Watch(ln.fd, token, poll.Readable)
	}
	if e != 0 {
		l.stats.acceptFailed.Add(1)
		l.backOff(i)
		return
	}
	ln.watched = true
}

// accept takes connections from a listener, a bounded number.
func (l *loop) accept(i int) {
	if i >= len(l.listeners) {
		return
	}
	for range acceptsPerTurn {
		fd, peer, e := l.kernel.Accept(l.listeners[i].fd)
		switch e {
		case 0:
		case poll.EAGAIN:
			return
		case poll.EINTR:
			continue
		case poll.ECONNABORTED, poll.EPROTO, poll.EPERM: // the connection's fault
			l.stats.acceptFailed.Add(1)
			continue
		default: // no descriptors, no memory: the process's fault
			l.stats.acceptFailed.Add(1)
			l.backOff(i)
			return
		}
		l.listeners[i].backoff = 0
		l.stats.accepted.Add(1)
		if l.listeners[i].unix && len(l.deal) > 1 {
			l.dealt++
			if to := l.deal[l.dealt%uint(len(l.deal))]; to != l {
				l.pass(to, fd, peer)
				continue
			}
		}
		l.accepted(fd, peer)
	}
}

// pass hands an accepted connection to another loop.
func (l *loop) pass(to *loop, fd int, peer netip.AddrPort) {
	err := to.inbox.put(entry{kind: entryRun, run: func(to *loop) {
		to.accepted(fd, peer)
	}}, nil)
	if err != nil {
		l.kernel.Close(fd)
		l.stats.acceptFailed.Add(1)
	}
}

// backOff stops accepting for a while: for longer each time in a row.
func (l *loop) backOff(i int) {
	ln := &l.listeners[i]
	ln.backoff = min(max(2*ln.backoff, minBackoff), maxBackoff)
	ln.retry = l.tick + ticks(ln.backoff)
	if ln.watched {
		l.kernel.Rewatch(ln.fd, uint64(listenerToken|uint32(i)), 0)
	}
}

// retryListeners accepts again where the back-off is over.
func (l *loop) retryListeners() {
	for i := range l.listeners {
		ln := &l.listeners[i]
		if ln.retry != 0 && int32(l.tick-ln.retry) >= 0 {
			ln.retry = 0
			l.admit(i)
		}
	}
}

// refuseBacklog answers what the kernel holds ready for accept when the loop
// shuts down, so that it is told 503 and not reset.
func (l *loop) refuseBacklog(i int) {
	for range acceptsPerTurn * 16 {
		fd, peer, e := l.kernel.Accept(l.listeners[i].fd)
		if e != 0 {
			return
		}
		l.stats.accepted.Add(1)
		l.accepted(fd, peer)
	}
}
