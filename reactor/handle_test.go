//go:build linux

package reactor

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/poll"
)

// Handles from many goroutines, while connections come and go.
func TestHandlesUnderFire(t *testing.T) {
	const clients, rounds = 8, 25
	handles := make(chan Handle, clients)
	p := newProbe()
	p.onOpened = func(c Conn) { handles <- c.Handle() }
	g := start(t, Config{Loops: 2, MaxMessage: 1 << 16, MaxInboxEntries: 64, CloseTimeout: 50 * time.Millisecond}, p)
	current := make([]atomic.Pointer[Handle], clients)
	var users, fire sync.WaitGroup
	quit := make(chan struct{})
	for i := range 4 {
		fire.Go(func() { fireAt(t, current, rand.New(rand.NewPCG(uint64(i), 0)), quit) })
	}
	for i := range clients {
		users.Go(func() {
			for range rounds {
				c := g.dial()
				io.WriteString(c.Conn, request()+text("a"))
				h := await(t, "Opened", handles)
				current[i].Store(&h)
				c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // it may be the target of none
				if i%2 == 0 {
					io.WriteString(c.Conn, closing(1000, ""))
				} else {
					io.CopyN(io.Discard, c.Conn, 5000)
				}
				if i%4 == 1 {
					c.Conn.(interface{ SetLinger(int) error }).SetLinger(0)
				}
				if i%4 != 3 {
					io.Copy(io.Discard, io.LimitReader(c.Conn, 20000))
				}
				c.Close()
			}
		})
	}
	users.Wait()
	close(quit)
	fire.Wait()
	g.stop()
	if s := g.r.Stats(); s.Opened != clients*rounds || s.HandlerPanics != 0 {
		t.Errorf("%d opened, %d panics", s.Opened, s.HandlerPanics)
	}
}

// fireAt calls the methods of handles, at random, until quit is closed.
func fireAt(t *testing.T, handles []atomic.Pointer[Handle], rng *rand.Rand, quit chan struct{}) {
	prepared := codec.NewPreparedFrame(codec.OpText, []byte("prepared"))
	for {
		select {
		case <-quit:
			return
		default:
		}
		h := handles[rng.IntN(len(handles))].Load()
		if h == nil {
			runtime.Gosched()
			continue
		}
		var err error
		switch rng.IntN(10) {
		case 0:
			err = h.Close(4000, "fire")
		case 1:
			err = h.Post(func(c Conn) { c.Send(codec.OpText, []byte("posted")) })
		case 2:
			err = h.SendPrepared(prepared)
		default:
			err = h.Send(codec.OpBinary, []byte(letters(rng.IntN(2000))))
		}
		if err != nil && err != ErrClosed && err != ErrInboxFull {
			t.Error(err)
		}
		time.Sleep(20 * time.Microsecond) // leave some of two processors to the others
	}
}

// One goroutine's calls are done in their order, and the payload is its own again
// when Send has returned.
func TestHandleOrder(t *testing.T) {
	g := start(t, Config{}, nil)
	c := g.open()
	h := await(t, "Opened", g.p.opens).Handle()
	buf := make([]byte, 1)
	var want strings.Builder
	for i := range 1000 {
		buf[0] = 'a' + byte(i%26)
		if err := h.Send(codec.OpText, buf); err != nil {
			t.Fatal(err)
		}
		want.WriteString(textOf(string(buf)))
	}
	posted := make(chan Conn, 1)
	if h.Post(func(c Conn) { posted <- c }) != nil || h.Close(1000, "end") != nil {
		t.Fatal("Post or Close failed")
	}
	if got := await(t, "the posted function", posted); got.Handle() != h {
		t.Error("posted for another connection")
	}
	c.expect(want.String() + closed(1000, "end"))
	c.write(closing(1000, ""))
	c.eof()
	await(t, "Closed", g.p.ends)
	c.Close()
	eventually(t, "the slot is free", func() bool { return h.Send(codec.OpText, nil) == ErrClosed })
	if (Handle{}).Send(codec.OpText, nil) != ErrClosed || (Conn{}).Send(codec.OpText, nil) != ErrClosed || (Conn{}).Loop() != -1 {
		t.Error("the zero Handle or Conn is not closed")
	}
}

// What a goroutine puts into the inbox is bounded; many entries wake the loop once.
func TestInboxOfBusyLoop(t *testing.T) {
	p := newProbe()
	busy, idle := make(chan bool), make(chan bool)
	p.onMessage = func(Conn, codec.Opcode, []byte) {
		busy <- true
		<-idle
	}
	var sends, wakes atomic.Int64
	g := startOn(t, Config{MaxInboxEntries: 100, MaxInboxOctets: 1000}, p, func(k poll.Kernel) poll.Kernel { return &counting{k, &sends, &wakes} })
	c := g.open()
	h := await(t, "Opened", p.opens).Handle()
	c.write(text("block"))
	<-busy
	before := wakes.Load()
	var errs []error
	for range 11 {
		errs = append(errs, h.Send(codec.OpText, []byte(letters(99)))) // ten fit into 1,000 octets
	}
	for range 91 {
		errs = append(errs, h.Send(codec.OpPing, nil)) // ninety are left
	}
	for i, err := range errs {
		if want := map[bool]error{true: ErrInboxFull}[i == 10 || i == 101]; err != want {
			t.Errorf("call %d: %v, want %v", i, err, want)
		}
	}
	if n := wakes.Load() - before; n != 1 {
		t.Errorf("woken %d times by %d entries", n, len(errs))
	}
	if g.r.Stats().InboxFull != 2 {
		t.Errorf("counted %d", g.r.Stats().InboxFull)
	}
	idle <- true
	c.expect(repeat(textOf(letters(99)), 10) + repeat(plain(0x89, ""), 90))
	if err := h.Send(codec.OpText, make([]byte, DefaultMaxMessage+1)); err != ErrTooBig {
		t.Errorf("a payload over MaxQueued: %v", err)
	}
	c.bye()
}

// A message that finds no room in the queue must not be dropped in silence.
func TestHandleSendToFullQueue(t *testing.T) {
	for _, policy := range []Policy{Pause, Refuse, Close} {
		d := scriptLoop(t, Config{MaxMessage: 1000, Policy: policy}, nil)
		s := d.open()
		s.room = 100
		h := await(t, "Opened", d.p.opens).Handle()
		for _, n := range []int{900, 500, 1} {
			if err := h.Send(codec.OpBinary, []byte(letters(n))); err != nil {
				t.Fatal(err)
			}
		}
		s.room = 0
		d.settle()
		s.room = -1
		d.settle()
		got := s.took()
		if got != closed(1008, "") && got != plain(0x82, letters(900))+closed(1008, "") {
			t.Errorf("policy %d: got %q", policy, got)
		}
		if info := await(t, "Closed", d.p.ends); info.Code != 1008 || info.Err != ErrQueueFull {
			t.Errorf("policy %d: Closed with %+v", policy, info)
		}
		d.finishLeft(s)
	}
}

// A Conn of a connection that has ended never reaches the slot's next tenant.
// Hazard 24.
func TestStaleConn(t *testing.T) {
	g := start(t, Config{}, nil)
	c := g.open()
	old := await(t, "Opened", g.p.opens)
	c.bye()
	eventually(t, "the slot is free", func() bool { return g.r.Stats().Conns == 0 })
	c = g.open()
	fresh := await(t, "Opened", g.p.opens)
	if old.slot != fresh.slot || old == fresh {
		t.Fatalf("slots %d and %d, generations %d and %d", old.slot, fresh.slot, old.gen, fresh.gen)
	}
	errs := make(chan []error, 1)
	fresh.Handle().Post(func(c Conn) {
		c.SetState("mine")
		old.SetState("other's")
		if old.State() != nil || old.RemoteAddr().IsValid() || c.State() != "mine" || !c.RemoteAddr().IsValid() || c.Loop() != 0 {
			t.Error("a stale Conn reaches the slot's next tenant")
		}
		errs <- []error{
			old.Send(codec.OpText, []byte("x")), old.SendPrepared(codec.NewPreparedFrame(codec.OpText, nil)),
			old.Close(1000, ""), old.PauseRead(), old.ResumeRead(),
		}
	})
	h := old.Handle()
	stale := append(await(t, "the posted function", errs), h.Send(codec.OpText, []byte("x")), h.Close(1000, ""),
		h.Post(func(Conn) { t.Error("posted to the next tenant") }), h.SendPrepared(codec.NewPreparedFrame(codec.OpText, nil)))
	for i, err := range stale {
		if err != ErrClosed {
			t.Errorf("call %d: %v", i, err)
		}
	}
	c.silent()
	c.bye()
}

// An entry that was put in time, for a connection that ends before the loop gets there.
// Hazard 24.
func TestEntryForLastTenant(t *testing.T) {
	d := scriptLoop(t, Config{}, nil)
	s := d.open()
	h := await(t, "Opened", d.p.opens).Handle()
	if h.Send(codec.OpText, []byte("late")) != nil || h.Close(4000, "late") != nil {
		t.Fatal("put failed")
	}
	d.l.inbox.signalled.Store(false) // the loop does not look yet
	d.bye(s)
	s = d.open()
	d.l.inbox.signalled.Store(true)
	d.settle()
	d.expect(s, "")
	d.bye(s)
	d.finish()
}

func TestConnOffLoopPanics(t *testing.T) {
	g := start(t, Config{}, nil)
	c := g.open()
	conn := await(t, "Opened", g.p.opens)
	for name, f := range map[string]func(){
		"Send": func() { conn.Send(codec.OpText, nil) }, "Close": func() { conn.Close(1000, "") }, "State": func() { conn.State() },
		"PauseRead": func() { conn.PauseRead() }, "RemoteAddr": func() { conn.RemoteAddr() },
	} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.Contains(s, "Conn.Handle") {
					t.Errorf("%s: panics with %q", name, s)
				}
			}()
			f()
		}()
	}
	c.bye()
}

// A mine is a handler of all kinds that panics where it is told to.
type mine struct {
	*probe
	at string
}

func (m *mine) explode(at string) {
	if m.at == at {
		panic("mine at " + at)
	}
}

func (m *mine) Upgrade(Conn, *handshake.Request, *handshake.Accept) *handshake.Refusal {
	m.explode("Upgrade")
	return nil
}

func (m *mine) Opened(c Conn) {
	m.probe.Opened(c)
	m.explode("Opened")
}

func (m *mine) Message(c Conn, op codec.Opcode, payload []byte) {
	c.Send(op, payload)
	m.explode("Message")
}

func (m *mine) Drained(Conn) { m.explode("Drained") }

func (m *mine) Closed(c Conn, info CloseInfo) {
	m.probe.Closed(c, info)
	m.explode("Closed")
}

// A shaft is a mine that takes pieces.
type shaft struct{ mine }

func (m *shaft) Piece(Conn, codec.Event) { m.explode("Piece") }

// Whatever panics, the connection it was called for gets 1011 (or 500), the loop
// lives, it is counted, and nothing is lost.
func TestHandlerPanics(t *testing.T) {
	failed := closed(1011, "")
	var log bytes.Buffer
	for _, x := range []struct{ at, in, want string }{
		{"Upgrade", request() + text("a"), refused(handshake.ErrInternal)},
		{"Opened", request() + text("a"), accepted + failed},
		{"Message", request() + text("a") + text("b"), accepted + textOf("a") + failed},
		{"Message", request() + masked(0x01, "a") + masked(0x80, "b") + text("c"), accepted + textOf("ab") + failed},
		{"Piece", request() + masked(0x01, "a") + masked(0x80, "b"), accepted + failed},
		{"Closed", request() + text("a") + closing(1000, ""), accepted + textOf("a") + closed(1000, "")},
		{"Closed", request() + "\xF1", accepted + closed(1002, "")},
		{"Post", request(), accepted + failed},
		{"Drained", request() + binaryOf(letters(500)), accepted + plain(0x82, letters(500)) + failed},
	} {
		m := mine{newProbe(), x.at}
		var h handlerUnderTest = &m
		if x.at == "Piece" {
			h = &shaft{m}
		}
		d := scriptLoop(t, Config{}, h)
		d.l.cfg.Logger = testLogger(&log)
		other := d.connect(request())
		m.at, d.p = "", h.account()
		if sh, ok := h.(*shaft); ok {
			sh.at = ""
		}
		d.settle()
		d.expect(other, accepted)
		await(t, "Opened", d.p.opens)
		m.at = x.at
		if sh, ok := h.(*shaft); ok {
			sh.at = x.at
		}
		s := d.connect("")
		d.settle()
		if x.at == "Drained" {
			s.room = len(accepted) + 100
		}
		for len(x.in) > 0 { // so that heads, messages and frames come in parts
			n := min(len(x.in), 100)
			d.arrives(s, x.in[:n])
			x.in = x.in[n:]
		}
		if x.at == "Post" {
			await(t, "Opened", d.p.opens).Handle().Post(func(Conn) { panic("mine") })
		}
		s.room = -1
		d.settle()
		if got := s.took(); got != x.want || !s.shut {
			t.Errorf("%s: got %q, want %q; FIN: %v", x.at, got, x.want, s.shut)
		}
		s.fin = true
		m.at = ""
		if sh, ok := h.(*shaft); ok {
			sh.at = ""
		}
		d.arrives(other, text("alive"))
		d.expect(other, textOf("alive"))
		d.bye(other)
		if n := d.stats().HandlerPanics; n != 1 {
			t.Errorf("%s: counted %d", x.at, n)
		}
		d.finish()
		if !strings.Contains(log.String(), "mine") {
			t.Errorf("%s: not logged", x.at)
		}
		log.Reset()
	}
}

// Calls inside callbacks, of the connection's own and of another's. Hazard 26.
func TestCloseInsideCallbacks(t *testing.T) {
	p := newProbe()
	var other Conn
	p.onOpened = func(c Conn) {
		if c.slot == 0 {
			other = c
			return
		}
		c.Send(codec.OpText, []byte("welcome"))
		other.Send(codec.OpText, []byte("look"))
		if other.Close(1000, "your turn") != nil || c.Close(4000, "mine") != nil || c.Send(codec.OpText, nil) != ErrClosed {
			t.Error("Close in Opened")
		}
	}
	p.onClosed = func(c Conn, info CloseInfo) {
		if c.Send(codec.OpText, nil) != ErrClosed || c.Close(1000, "") != ErrClosed || c.PauseRead() != ErrClosed {
			t.Error("a method works in Closed")
		}
		if c.slot == 0 && (c.State() != "kept" || !c.RemoteAddr().IsValid()) {
			t.Error("State or RemoteAddr does not work in Closed")
		}
	}
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) { c.SetState("kept") }
	d := scriptLoop(t, Config{}, p)
	first := d.open()
	d.arrives(first, text(""))
	second := d.connect(request() + text("ignored"))
	d.settle()
	d.expect(second, accepted+textOf("welcome")+closed(4000, "mine"))
	d.expect(first, textOf("look")+closed(1000, "your turn"))
	for _, s := range []*socket{first, second} {
		d.arrives(s, closing(1000, ""))
		if !s.shut {
			t.Error("no FIN")
		}
		s.fin = true
	}
	d.settle()
	d.finish()
}

// A handler that takes one message at a time: nothing is delivered while it is
// paused, and all in order.
func TestPausePerMessage(t *testing.T) {
	for _, in := range []string{
		repeat(text("hello"), 3), // a carry that is short
		repeat(text(letters(100))+ping("")+masked(0x01, "a")+masked(0x80, "b"), 500),
	} {
		p := newProbe()
		paused, n := false, 0
		var conn Conn
		p.onMessage = func(c Conn, op codec.Opcode, payload []byte) {
			if paused {
				t.Fatal("delivered while paused")
			}
			paused, conn = true, c
			n++
			c.PauseRead()
			c.Send(op, payload)
		}
		d := scriptLoop(t, Config{MaxMessage: 1000}, p)
		s := d.open()
		s.in, s.fin = []byte(in), true // half-closed too
		d.settle()
		for i := 1; paused; i++ {
			if n != i {
				t.Fatalf("%d messages after %d turns", n, i)
			}
			conn.Handle().Post(func(c Conn) {
				paused = false
				c.ResumeRead()
				if i%3 == 0 { // resumes and pauses of one turn cancel each other
					c.PauseRead()
					c.ResumeRead()
				}
			})
			d.settle()
		}
		got := 0
		for _, f := range frames(t, s.took()) {
			if f[0] != 0x8A {
				got++
			}
		}
		if n != got {
			t.Errorf("%d delivered, %d answered", n, got)
		}
		if in[1] == 0x85 && n != 3 || in[1] != 0x85 && n != 1000 {
			t.Errorf("%d messages delivered", n)
		}
		if info := await(t, "Closed", p.ends); info.Err != nil {
			t.Errorf("Closed with %+v", info)
		}
		d.finish()
	}
}

// A payload that was kept shows poison afterwards.
func TestPoison(t *testing.T) {
	p := newProbe()
	var kept [][]byte
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) { kept = append(kept, payload) }
	d := scriptLoop(t, Config{}, p)
	s := d.open()
	d.arrives(s, text("in the read buffer")+masked(0x01, "gathered ")+masked(0x80, "in a buffer"))
	if len(kept) != 2 {
		t.Fatalf("%d messages", len(kept))
	}
	for i, b := range kept {
		if len(b) == 0 || !bytes.Equal(b, bytes.Repeat([]byte{0xDD}, len(b))) {
			t.Errorf("message %d shows no poison: %q", i, b)
		}
	}
	d.bye(s)
	d.finish()
}

// Whoever wants memory that is not there is failed with 1013; the others go on.
func TestMemoryExhausted(t *testing.T) {
	g := start(t, Config{MaxMemory: 1 << 20}, nil)
	holder, c := g.open(), g.open()
	g.p.drainOpens(t, 2)
	holder.write(binaryOf(letters(400 << 10))[:300<<10])
	eventually(t, "half of the memory is in use", func() bool { return g.r.Stats().MemoryOctets >= 512<<10 })
	go io.WriteString(c.Conn, binaryOf(letters(900<<10)))
	c.expect(closed(1013, ""))
	c.eof()
	if info := await(t, "Closed", g.p.ends); info.Code != codec.CloseTryAgainLater || !errors.Is(info.Err, ErrMemory) {
		t.Errorf("Closed with %+v", info)
	}
	holder.write(binaryOf(letters(400 << 10))[300<<10:])
	holder.expect(plain(0x82, letters(400<<10)))
	holder.bye()
	if n := g.r.Stats().MemoryFull; n != 1 {
		t.Errorf("counted %d", n)
	}
}

func (p *probe) drainOpens(t testing.TB, n int) {
	for range n {
		await(t, "Opened", p.opens)
	}
}

// Output that finds no memory: the connection is failed with 1013 if that can be
// said, and ended if a frame is cut short; nothing is lost count of.
func TestNoMemoryForOutput(t *testing.T) {
	for _, room := range []int{0, 1, 3, 4, 100, 40000, 40004, 40007, 65000} {
		d := scriptLoop(t, Config{MaxMemory: 1 << 17, MaxMessage: 40000}, nil)
		s, hog := d.open(), d.open()
		s.room = room
		hog.room = 0
		d.arrives(hog, binaryOf(letters(20000))+binaryOf(letters(20000))) // takes 64 KiB
		d.arrives(s, binaryOf(letters(40000))+binaryOf(letters(40000)))
		d.arrives(s, text("a"))
		s.room = -1
		d.settle()
		got := s.took()
		msg := plain(0x82, letters(40000))
		whole := msg + msg + textOf("a")
		said := strings.HasSuffix(got, closed(1013, ""))
		if said && !strings.HasPrefix(whole, got[:len(got)-4]) || !said && !strings.HasPrefix(whole, got) {
			t.Errorf("room %d: got %s", room, short([]byte(got)))
		}
		if said && len(got)-4 != 0 && len(got)-4 != len(msg) && len(got)-4 != 2*len(msg) {
			t.Errorf("room %d: a close frame inside a frame: %s", room, short([]byte(got)))
		}
		if got != whole && len(d.p.ends) == 0 {
			t.Errorf("room %d: octets are missing and the connection goes on: %s", room, short([]byte(got)))
		}
		s.fin, hog.room, hog.fin = true, -1, true
		d.settle()
		d.finish()
	}
}
