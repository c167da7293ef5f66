package main

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/reactor"
)

// A loadLoop is the handler of one event loop of the generator. All of it belongs to
// that loop's goroutine but for what is atomic; others reach it by Reactor.Post.
//
// Messages are due by a schedule (-rate: the open model), or as soon as fewer than
// -outstanding of a connection's are without an answer (the closed one). Latency is
// counted from then, not from when the message could be sent.
type loadLoop struct {
	*loadPlan
	messages
	number int
	repost func() // has pump called again

	clients []*loadClient // by place; nil: none
	free    []int         // places
	tally   *tally
	begin   int64 // of the measured time
	end     int64 // of it; nothing is due from then on
	held    bool  // nothing is sent yet
	closing bool

	// The schedule: each place in its turn, one step apart. With no rate, next is
	// never.
	next, step float64
	place      int
	upcoming   atomic.Int64 // next, for the timer
	posted     atomic.Bool  // pump is about to be called
}

// A loadPlan is what all loops have in common.
type loadPlan struct {
	base        time.Time
	outstanding int    // messages of one connection without an answer
	window      int    // from the oldest of them on: what came back ahead of its turn is still told from what is lost
	backlog     int    // messages of one connection that were due and could not be sent
	settled     func() // a dial has come to its end
	open        atomic.Int64
}

const (
	never    = math.MaxInt64
	answered = -1 // in loadClient.times

	pumpSends = 128      // at a time: the reactor keeps no more than 256 records of output
	pumpTurns = 4096     // places looked at
	staleSize = 16 << 10 // sending so much takes long enough to look at the clock again

	minWindow = 64
)

// A loadClient is one connection. Its messages are numbered from 0.
//
//	times  │ answered … │ head, without an answer … │ sent, not sent yet … │ due
//
// head ≤ sent ≤ due ≤ head+len(times)
type loadClient struct {
	id    uint32
	place int
	conn  reactor.Conn

	head, sent, due uint64
	high            uint64  // 1 more than the highest that was answered
	awaited         int     // of head to sent-1, those without an answer
	times           []int64 // when it was due, of a message that has no answer; a ring of a power of two
	blocked         bool    // the queue is full: Drained is to come
}

func newLoadLoop(p *loadPlan, number, places int, m messages) *loadLoop {
	l := &loadLoop{loadPlan: p, messages: m, number: number, tally: newTally(), begin: never, end: never, next: never}
	l.clients = make([]*loadClient, places)
	for i := range places {
		l.free = append(l.free, places-1-i)
	}
	l.upcoming.Store(never)
	return l
}

// now is the generator's clock.
func (p *loadPlan) now() int64 { return int64(time.Since(p.base)) }

// Dialed implements reactor.Dialer.
func (l *loadLoop) Dialed(_ reactor.Conn, res *handshake.Response) {
	if l.tally.subprotocol == "" {
		l.tally.subprotocol = string(res.Subprotocol())
	}
}

// DialFailed implements reactor.Dialer.
func (l *loadLoop) DialFailed(_ any, err error) {
	l.tally.failed[dialCause(err)]++
	l.settled()
}

// Opened implements reactor.Handler.
func (l *loadLoop) Opened(c reactor.Conn) {
	l.settled()
	l.tally.opened++
	l.open.Add(1)
	cl := c.State().(*loadClient)
	cl.conn = c
	cl.times = make([]int64, l.window)
	cl.place = l.free[len(l.free)-1] // there are as many as dials
	l.free = l.free[:len(l.free)-1]
	l.clients[cl.place] = cl
	if l.closing {
		c.Close(codec.CloseNormal, "")
		return
	}
	l.fill(cl, l.now())
}

// Closed implements reactor.Handler.
func (l *loadLoop) Closed(c reactor.Conn, info reactor.CloseInfo) {
	cl := c.State().(*loadClient)
	l.open.Add(-1)
	switch {
	case !l.closing:
		l.tally.lost[endCause(info)]++
		l.tally.abandoned += uint64(cl.awaited) + cl.due - cl.sent
	case info.Clean:
		l.tally.clean++
	}
	l.clients[cl.place] = nil
	l.free = append(l.free, cl.place)
}

// Message implements reactor.Handler.
func (l *loadLoop) Message(c reactor.Conn, op codec.Opcode, payload []byte) {
	now := l.now()
	cl := c.State().(*loadClient)
	l.tally.echoes++
	if cl.head < cl.sent && l.judge(cl.id, cl.head, op, payload) == faultNone {
		l.answer(cl, cl.head, len(payload), now)
	} else {
		l.surprise(cl, op, payload, now)
	}
	l.fill(cl, now)
	if float64(now) >= l.next {
		l.pump()
	}
}

// Drained implements reactor.Drainer.
func (l *loadLoop) Drained(c reactor.Conn) {
	cl := c.State().(*loadClient)
	cl.blocked = false
	l.fill(cl, l.now())
}

func (cl *loadClient) time(number uint64) *int64 { return &cl.times[number&uint64(len(cl.times)-1)] }

// answer takes the answer to a message, of n octets, as it should be but perhaps for its
// turn.
func (l *loadLoop) answer(cl *loadClient, number uint64, n int, now int64) {
	if number < cl.high {
		l.tally.wrong[faultOrder]++
	} else {
		cl.high = number + 1
		l.count(*cl.time(number), n, now)
	}
	l.strike(cl, number)
}

// count counts an echo with which nothing is wrong: in the throughput if it comes in the
// measured time, and in the latency if it was due in that.
func (l *loadLoop) count(due int64, n int, now int64) {
	l.tally.good++
	l.tally.goodOctets += uint64(n)
	if now >= l.begin && now < l.end {
		l.tally.timely++
		l.tally.timelyOctets += uint64(n)
	}
	if due >= l.begin {
		record(l.tally.measured, now-due)
	} else {
		record(l.tally.warm, now-due)
	}
}

// strike takes a message off those that are awaited.
func (l *loadLoop) strike(cl *loadClient, number uint64) {
	*cl.time(number) = answered
	cl.awaited--
	for cl.head < cl.sent && *cl.time(cl.head) == answered {
		cl.head++
	}
}

// surprise takes a message that is not the next answer as it should be.
func (l *loadLoop) surprise(cl *loadClient, op codec.Opcode, payload []byte, now int64) {
	number, what := l.recognise(cl, op, payload)
	if what != faultNone {
		l.tally.wrong[what]++
	}
	switch what {
	case faultTwice, faultUnasked: // the answer to none
	case faultNone:
		l.answer(cl, number, len(payload), now)
	default:
		l.strike(cl, number) // what came in its place has no latency
	}
}

// recognise says which message a payload answers, and what is wrong with it. One that
// cannot be told is taken for the next.
func (l *loadLoop) recognise(cl *loadClient, op codec.Opcode, payload []byte) (number uint64, what fault) {
	id, number, known := parseStamp(payload)
	if !known && len(payload) < stampSize {
		id, number, known = l.searchShort(cl, op, payload)
	}
	own := known && id == cl.id && number < cl.sent
	whole := known && l.judge(id, number, op, payload) == faultNone
	switch {
	case own && whole && (number < cl.head || *cl.time(number) == answered):
		return number, faultTwice
	case cl.head == cl.sent:
		return 0, faultUnasked
	case own && number >= cl.head && *cl.time(number) != answered:
		return number, l.judge(id, number, op, payload)
	case !own && whole:
		return cl.head, faultStray
	}
	if what = l.judge(cl.id, cl.head, op, payload); what == faultNone {
		what = faultOctets // cannot be: the next answer as it should be is no surprise
	}
	return cl.head, what
}

// searchShort is parseStamp for a message that has not all of a stamp: among those that
// are awaited, and the last that were not.
func (l *loadLoop) searchShort(cl *loadClient, op codec.Opcode, payload []byte) (id uint32, number uint64, ok bool) {
	for number = cl.head; number < cl.sent; number++ {
		if l.judge(cl.id, number, op, payload) == faultNone {
			return cl.id, number, true
		}
	}
	for back := uint64(1); back <= minWindow && back <= cl.head; back++ {
		if number = cl.head - back; l.judge(cl.id, number, op, payload) == faultNone {
			return cl.id, number, true
		}
	}
	return 0, 0, false
}

// fill sends what is due on a connection, as far as may be without an answer.
func (l *loadLoop) fill(cl *loadClient, now int64) {
	for cl.awaited < l.outstanding && !cl.blocked && !l.closing && !l.held {
		if cl.sent == cl.due && (l.step != 0 || now >= l.end) {
			return
		}
		if cl.sent-cl.head == uint64(l.window) {
			l.tally.wrong[faultLost]++
			l.strike(cl, cl.head)
		}
		if cl.sent == cl.due {
			*cl.time(cl.due) = now
			cl.due++
		}
		payload := l.lend(cl.id, cl.sent)
		err := cl.conn.Send(l.op, payload)
		l.giveBack()
		if err != nil {
			cl.blocked = true // by the queue, until Drained; or for good, and Closed tells why
			return
		}
		cl.sent++
		cl.awaited++
		l.tally.sent++
		if len(payload) >= staleSize {
			now = l.now()
		}
	}
}

// schedule begins to make messages due: one of each place in each period, the places
// spread evenly over it.
func (l *loadLoop) schedule(from int64, period float64) {
	l.step = period / float64(len(l.clients))
	l.next = float64(from)
	l.upcoming.Store(from)
}

// pump makes due what the schedule says, and sends it. What it leaves for want of time
// it comes back to after a turn of the loop.
func (l *loadLoop) pump() {
	l.posted.Store(false)
	now := l.now()
	sends := 0
	for range pumpTurns {
		if l.next > float64(now) || sends == pumpSends {
			break
		}
		if l.next >= float64(l.end) {
			l.next = never
			break
		}
		if cl := l.clients[l.place]; cl != nil && !l.closing {
			sends++
			l.becomesDue(cl, int64(l.next), now)
		}
		l.next += l.step
		if l.place++; l.place == len(l.clients) {
			l.place = 0
		}
	}
	l.upcoming.Store(int64(min(l.next, never-1024))) // a float64 may round up to 1<<63
	if l.next <= float64(now) {
		l.postPump()
	}
}

// postPump has pump called in the loop's next turn. Any goroutine may call it.
func (l *loadLoop) postPump() {
	if !l.posted.Swap(true) {
		l.repost()
	}
}

// becomesDue puts a message into a connection's backlog, and sends what can be sent.
func (l *loadLoop) becomesDue(cl *loadClient, due, now int64) {
	if cl.due-cl.sent >= uint64(l.backlog) {
		l.tally.overflow++
		return
	}
	if cl.due-cl.head == uint64(len(cl.times)) {
		cl.grow()
	}
	*cl.time(cl.due) = due
	cl.due++
	if cl.due-cl.sent == 1 && cl.awaited < l.outstanding && !cl.blocked && due >= l.begin {
		record(l.tally.late, now-due)
	}
	l.fill(cl, now)
}

// grow doubles the ring.
func (cl *loadClient) grow() {
	old := *cl
	cl.times = make([]int64, 2*len(old.times))
	for n := cl.head; n < cl.due; n++ {
		*cl.time(n) = *old.time(n)
	}
}

// release begins the sending.
func (l *loadLoop) release() {
	l.held = false
	for _, cl := range l.clients {
		if cl != nil {
			l.fill(cl, l.now())
		}
	}
}

// stop ends the sending, but for what was due before.
func (l *loadLoop) stop(at int64) { l.end = min(l.end, at) }

// outlook returns how many messages may still be answered.
func (l *loadLoop) outlook() (n int) {
	for _, cl := range l.clients {
		if cl != nil {
			n += cl.awaited + int(cl.due-cl.sent)
		}
	}
	return n
}

// finish counts what was not answered, and closes all connections.
func (l *loadLoop) finish() {
	l.closing = true
	for _, cl := range l.clients {
		if cl == nil {
			continue
		}
		for n := cl.head; n < cl.sent; n++ {
			switch {
			case *cl.time(n) == answered:
			case n < cl.high:
				l.tally.wrong[faultLost]++
			default:
				l.tally.unanswered++
			}
		}
		l.tally.unsent += cl.due - cl.sent
		cl.conn.Close(codec.CloseNormal, "")
	}
}

// windowOf returns how large a window tells what is lost from what is late.
func windowOf(outstanding int) int {
	return max(minWindow, 2<<bits.Len(uint(outstanding-1)))
}
