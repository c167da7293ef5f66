//go:build linux

package reactor

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/poll"
)

// A drainer is a probe that counts Drained.
type drainer struct {
	*probe
	onDrained func(c Conn)
	drained   int
}

func (d *drainer) Drained(c Conn) {
	d.drained++
	if d.onDrained != nil {
		d.onDrained(c)
	}
}

// Pause: a connection whose peer stops reading is not read from either. Nothing
// grows, nothing is lost, and the order is kept. Hazard 29.
func TestPauseAtTheBound(t *testing.T) {
	for _, size := range []int{0, 1, 100, 999, 1000} {
		dr := &drainer{probe: newProbe()}
		d := scriptLoop(t, Config{MaxMessage: 1000, MaxQueued: 3000}, dr)
		s := d.open()
		s.room = 7
		n := 300000 / (size + 1)
		want := repeat(plain(0x82, letters(size)), n)
		s.in = []byte(repeat(binaryOf(letters(size)), n))
		d.settle()
		if len(s.in) == 0 {
			t.Errorf("size %d: everything was read", size)
		}
		var got string
		for i := 0; s.room == 0; i++ {
			st := d.stats()
			if st.QueuedOctets > 3000 || st.MemoryOctets > 4*readSize {
				t.Fatalf("size %d: %d octets queued, %d octets of memory", size, st.QueuedOctets, st.MemoryOctets)
			}
			got += s.took()
			s.room = 1 + i%5000
			d.settle()
		}
		if got += s.took(); got != want {
			t.Errorf("size %d: got %s\nwant %s", size, short([]byte(got)), short([]byte(want)))
		}
		if dr.drained == 0 {
			t.Errorf("size %d: Drained was not called", size)
		}
		if d.stats().QueueFull != 0 {
			t.Errorf("size %d: an echo found its queue full", size)
		}
		d.bye(s)
		d.finish()
	}
}

// Messages that were gathered from pieces are held against the bound as well.
func TestPauseWithFragments(t *testing.T) {
	d := scriptLoop(t, Config{MaxMessage: 1000}, nil)
	s := d.open()
	s.room = 3
	in := masked(0x02, letters(600)) + masked(0x00, letters(300)) + ping("p") + masked(0x80, letters(100))
	s.in = []byte(repeat(in, 50))
	d.settle()
	if d.stats().QueuedOctets > 1000+codec.MaxHeaderSize+pongSize {
		t.Errorf("%d octets queued", d.stats().QueuedOctets)
	}
	for s.room == 0 {
		s.room = 700
		d.settle()
	}
	got := s.took()
	if !sameButPongs(t, got, repeat(plain(0x82, letters(600)+letters(300)+letters(100))+pongOf("p"), 50), false) {
		var n int
		for _, f := range frames(t, got) {
			if f[0] == 0x82 {
				n++
			}
		}
		t.Errorf("%d messages, or others than were sent", n)
	}
	d.bye(s)
	d.finish()
}

const pongSize = codec.MaxControlSize

// Refuse: reading goes on, what does not fit is refused, and what fits is sent.
func TestRefuseAtTheBound(t *testing.T) {
	p := newProbe()
	var errs [2]int
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) {
		switch c.Send(op, payload) {
		case nil:
			errs[0]++
		case ErrQueueFull:
			errs[1]++
		default:
			t.Error("another error than ErrQueueFull")
		}
	}
	d := scriptLoop(t, Config{MaxMessage: 1000, MaxQueued: 5000, Policy: Refuse}, p)
	s := d.open()
	s.room = 0
	for range 20 { // in turns, so that each finds the socket blocked
		d.arrives(s, binaryOf(letters(1000)))
	}
	if errs != [2]int{4, 16} || d.stats().QueueFull != 16 || d.stats().QueuedOctets > 5000 {
		t.Errorf("%d sends, %d refused, %d counted, %d octets queued", errs[0], errs[1], d.stats().QueueFull, d.stats().QueuedOctets)
	}
	s.room = -1
	d.settle()
	d.expect(s, repeat(plain(0x82, letters(1000)), 4))
	d.bye(s)
	d.finish()
}

// Close: the first send that does not fit fails the connection with 1008.
func TestCloseAtTheBound(t *testing.T) {
	d := scriptLoop(t, Config{MaxMessage: 1000, MaxQueued: 5000, Policy: Close}, nil)
	s := d.open()
	s.room = 1
	for range 10 {
		d.arrives(s, binaryOf(letters(1000)))
	}
	info := await(t, "Closed", d.p.ends)
	if info.Code != codec.ClosePolicyViolation || info.Err != ErrQueueFull || info.Clean || info.Remote {
		t.Errorf("Closed with %+v", info)
	}
	s.room = -1
	d.settle()
	d.expect(s, plain(0x82, letters(1000))+closed(1008, "")) // one frame was partly sent
	if !s.shut || d.stats().QueueFull != 1 {
		t.Errorf("FIN: %v, counted %d", s.shut, d.stats().QueueFull)
	}
	s.fin = true
	d.settle()
	d.finish()
}

// While the socket is blocked, a pong comes next, at the boundary of a frame; of
// several only the latest is kept (RFC 6455 §5.5.3). Hazard 13.
func TestPongWhileBlocked(t *testing.T) {
	msg := plain(0x82, letters(100))
	for room := range 3 * len(msg) {
		d := scriptLoop(t, Config{MaxMessage: 1000}, nil)
		s := d.open()
		s.room = room
		d.arrives(s, repeat(binaryOf(letters(100)), 3))
		d.arrives(s, ping("first"))
		d.arrives(s, ping("second"))
		s.room, s.most = -1, 1+room%7
		d.settle()
		whole := (room + len(msg) - 1) / len(msg)
		d.expect(s, repeat(msg, whole)+pongOf("second")+repeat(msg, 3-whole))
		if st := d.stats(); st.QueuedOctets != 0 || st.MemoryOctets != 0 {
			t.Fatalf("room for %d: %d octets queued, %d octets of memory", room, st.QueuedOctets, st.MemoryOctets)
		}
		d.bye(s)
		d.finish()
	}
}

// A pong that was offered to the socket, which took none of it, gives way to a
// later one too.
func TestPongOfferedInVain(t *testing.T) {
	d := scriptLoop(t, Config{MaxMessage: 1000}, nil)
	s := d.open()
	s.room = 50
	msg := plain(0x82, letters(100))
	d.arrives(s, binaryOf(letters(100))+binaryOf(letters(100)))
	d.arrives(s, ping("first"))
	s.room = len(msg) - 50 // to the boundary, and not an octet further
	d.settle()
	d.expect(s, msg)
	d.arrives(s, ping("second"))
	d.arrives(s, ping("third"))
	s.room = 3 // of the pong
	d.settle()
	d.arrives(s, ping("fourth"))
	s.room = -1
	d.settle()
	d.expect(s, pongOf("third")+pongOf("fourth")+msg)
	if d.stats().QueuedOctets != 0 {
		t.Errorf("%d octets queued", d.stats().QueuedOctets)
	}
	d.bye(s)
	d.finish()
}

// A flood of pings does not grow anything, however the socket is blocked. Hazard 13.
func TestPingFlood(t *testing.T) {
	d := scriptLoop(t, Config{MaxMessage: 1000}, nil)
	s := d.open()
	s.room = 0
	for range 10 {
		d.arrives(s, repeat(ping(letters(125)), 3000))
		if st := d.stats(); st.QueuedOctets > batchSize+pongSize || st.MemoryOctets > 2*batchSize {
			t.Fatalf("%d octets queued, %d octets of memory", st.QueuedOctets, st.MemoryOctets)
		}
	}
	s.room = -1
	d.settle()
	for _, f := range frames(t, s.took()) {
		if f != pongOf(letters(125)) {
			t.Fatalf("got %q", f)
		}
	}
	d.bye(s)
	d.finish()
}

// A connection that must be failed while output is queued: the frame that is
// partly sent is finished, the rest dropped, then comes the close frame.
func TestViolationWhileBlocked(t *testing.T) {
	msg := plain(0x82, letters(200))
	for room := range 3*len(msg) + 1 {
		d := scriptLoop(t, Config{MaxMessage: 1000}, nil)
		s := d.open()
		s.room = room
		d.arrives(s, repeat(binaryOf(letters(200)), 3))
		d.arrives(s, ping("p")+"\xF1")
		s.room, s.most = -1, 1+room%5
		d.settle()
		whole := (room + len(msg) - 1) / len(msg)
		want := repeat(msg, whole) + closed(1002, "")
		if room == 3*len(msg) { // the socket is not blocked before the pong
			want = repeat(msg, 3) + closed(1002, "")
		}
		d.expect(s, want)
		if !s.shut {
			t.Fatal("no FIN")
		}
		if info := await(t, "Closed", d.p.ends); info.Err != codec.ErrReservedBits {
			t.Fatalf("Closed with %+v", info)
		}
		s.fin = true
		d.settle()
		d.finish()
	}
}

// The answer to an opening handshake is no frame, and may be cut anywhere too.
// Hazard 26.
func TestAnswerCutShort(t *testing.T) {
	for room := range len(accepted) + 10 {
		d := scriptLoop(t, Config{MaxMessage: 1000}, nil)
		s := d.connect(request() + text("a") + text("b"))
		s.room = room
		d.settle()
		d.arrives(s, ping("p"))
		d.arrives(s, "\xF1")
		s.room = -1
		d.settle()
		want := accepted + closed(1002, "")
		if room > len(accepted) {
			want = accepted + textOf("a") + closed(1002, "")
		}
		if room > len(accepted)+3 {
			want = accepted + textOf("a") + textOf("b") + closed(1002, "")
		}
		if room >= len(accepted)+6 {
			continue // then the pong is sent first, and cut
		}
		d.expect(s, want)
		s.fin = true
		d.settle()
		d.finish()
	}
}

// Large payloads go to the socket from where they are, and are queued behind
// their header if that is cut short. Hazard 26.
func TestLargeSendCutAnywhere(t *testing.T) {
	const size = directSize + 100
	for _, room := range []int{0, 1, 2, 3, 4, 5, 6, 7, 100, size, size + 3, size + 4, size + 5, size + 7, 2*size + 7} {
		d := scriptLoop(t, Config{}, nil)
		s := d.open()
		s.room = room
		want := textOf("a") + plain(0x82, letters(size)) + textOf("b") + plain(0x82, letters(size))
		d.arrives(s, text("a")+binaryOf(letters(size))+text("b")+binaryOf(letters(size)))
		s.room = -1
		d.settle()
		d.expect(s, want)
		d.bye(s)
		d.finish()
	}
}

// Drained is called once for each time that a queue has emptied after the socket
// was blocked, and not for sends that it took at once. It may send.
func TestDrained(t *testing.T) {
	dr := &drainer{probe: newProbe()}
	dr.onDrained = func(c Conn) {
		if dr.drained == 1 {
			c.Send(codec.OpText, []byte("drained"))
		}
	}
	d := scriptLoop(t, Config{MaxMessage: 1000}, dr)
	s := d.open()
	d.arrives(s, text("a"))
	if c := await(t, "Opened", dr.opens); c.Handle().Send(codec.OpText, []byte("b")) != nil {
		t.Error("Handle.Send failed")
	}
	d.settle()
	d.expect(s, textOf("a")+textOf("b"))
	if dr.drained != 0 {
		t.Errorf("Drained called %d times for sends that were taken at once", dr.drained)
	}
	s.room = 10
	d.arrives(s, binaryOf(letters(500)))
	s.room = 10
	d.settle()
	if dr.drained != 0 {
		t.Error("Drained called while octets wait")
	}
	s.room = -1
	d.settle()
	d.expect(s, plain(0x82, letters(500))+textOf("drained"))
	if dr.drained != 1 {
		t.Errorf("Drained called %d times", dr.drained)
	}
	d.bye(s)
	d.finish()
}

// The closing handshake waits for what is queued ahead of it.
func TestCloseBehindQueue(t *testing.T) {
	d := scriptLoop(t, Config{MaxMessage: 1000}, nil)
	s := d.open()
	s.room = 100
	d.arrives(s, binaryOf(letters(500))+closing(1000, ""))
	if s.shut {
		t.Error("FIN ahead of what is queued")
	}
	s.room = -1
	d.settle()
	d.expect(s, plain(0x82, letters(500))+closed(1000, ""))
	if !s.shut {
		t.Error("no FIN")
	}
	s.fin = true
	d.settle()
	d.finish()
}

// The same over real sockets: a reader that stops for a while.
func TestReaderThatStops(t *testing.T) {
	g := start(t, Config{MaxMessage: 64 << 10}, nil)
	c := g.openSmall()
	const size, n = 5000, 2000
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c.Conn, repeat(binaryOf(letters(size)), n))
		sent <- err
	}()
	eventually(t, "the socket is full", func() bool { return g.r.Stats().QueuedOctets > 0 })
	var in uint64
	eventually(t, "reading stops", func() bool {
		before := in
		in = g.r.Stats().OctetsIn
		time.Sleep(time.Millisecond)
		return in == before
	})
	if s := g.r.Stats(); s.QueuedOctets > 64<<10+codec.MaxHeaderSize || s.MemoryOctets > 512<<10 || s.MessagesIn == n {
		t.Errorf("%d octets queued, %d octets of memory, %d messages read", s.QueuedOctets, s.MemoryOctets, s.MessagesIn)
	}
	c.expect(repeat(plain(0x82, letters(size)), n))
	if err := await(t, "write", sent); err != nil {
		t.Error(err)
	}
	c.bye()
}

func TestLargestMessage(t *testing.T) {
	g := start(t, Config{MaxMessage: 32 << 20}, nil)
	c := g.open()
	payload := letters(16 << 20)
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c.Conn, binaryOf(payload)+text("behind"))
		sent <- err
	}()
	c.expect(plain(0x82, payload) + textOf("behind"))
	if err := await(t, "write", sent); err != nil {
		t.Error(err)
	}
	eventually(t, "the memory is given back", func() bool { return g.r.Stats().MemoryOctets == 0 })
	c.bye()
}

// A counting kernel counts system calls.
type counting struct {
	poll.Kernel
	sends, wakes *atomic.Int64
}

func (k *counting) Send(fd int, b []byte) (int, poll.Errno) {
	k.sends.Add(1)
	return k.Kernel.Send(fd, b)
}

func (k *counting) Wake() {
	k.wakes.Add(1)
	k.Kernel.Wake()
}

// Replies to what came together go out together.
func TestRepliesInBatches(t *testing.T) {
	var sends, wakes atomic.Int64
	g := startOn(t, Config{}, nil, func(k poll.Kernel) poll.Kernel { return &counting{k, &sends, &wakes} })
	c := g.open()
	var in, out strings.Builder
	for i := range 10000 {
		p := letters(i % 60)
		in.WriteString(text(p))
		out.WriteString(textOf(p))
	}
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c.Conn, in.String())
		sent <- err
	}()
	c.expect(out.String())
	if err := await(t, "write", sent); err != nil {
		t.Error(err)
	}
	if n := sends.Load(); n > 1000 {
		t.Errorf("%d sends for 10,000 messages", n)
	}
	c.bye()
}

// A send that finds no room is followed by Drained even if the socket takes all that
// waits at once; one that could never find room says so.
func TestDrainedAfterRefusal(t *testing.T) {
	h := &drainer{probe: newProbe()}
	d := scriptLoop(t, Config{MaxMessage: 1000, Policy: Refuse}, h)
	s := d.open()
	handle := (<-h.opens).Handle()
	var sends []error
	handle.Post(func(c Conn) {
		for range 3 {
			sends = append(sends, c.Send(codec.OpBinary, []byte(letters(500))))
		}
		sends = append(sends, c.Send(codec.OpBinary, []byte(letters(1001))))
	})
	d.settle()
	if len(sends) != 4 || sends[0] != nil || sends[1] != ErrQueueFull || sends[2] != ErrQueueFull || sends[3] != ErrTooBig {
		t.Errorf("sends: %v", sends)
	}
	if h.drained != 1 {
		t.Errorf("Drained called %d times", h.drained)
	}
	big := codec.NewPreparedFrame(codec.OpBinary, []byte(letters(1001)))
	for _, err := range []error{handle.Send(codec.OpBinary, big.Payload()), handle.SendPrepared(big)} {
		if err != ErrTooBig {
			t.Errorf("by Handle: %v", err)
		}
	}
	d.expect(s, plain(0x82, letters(500)))
	d.bye(s)
	d.finish()
}
