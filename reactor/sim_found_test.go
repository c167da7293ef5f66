//go:build linux

package reactor

// Faults that the simulation has found, each by itself.

import (
	"bufio"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/poll"
)

// A ping to a connection that has a queue, which is not blocked, where that may
// hold less than a pong: flushing and trying again went on until the stack was full.
func TestPongInTinyQueue(t *testing.T) {
	p := newProbe()
	var other Conn
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) { other.Send(op, payload) }
	d := scriptLoop(t, Config{MaxMessage: 20}, p)
	first, second := d.open(), d.open()
	await(t, "Opened", p.opens)
	other = await(t, "Opened", p.opens)
	first.in = []byte(text("a"))
	second.in = []byte(ping("p"))
	d.settle()
	d.expect(second, textOf("a")+pongOf("p"))
	d.bye(first)
	d.bye(second)
	d.finish()
}

// A message that was read before a pause and waits, when the pause ends and FIN
// comes in one turn, is served first, however short it is.
func TestFINBehindPause(t *testing.T) {
	p := newProbe()
	var paused Conn
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) {
		switch string(payload) {
		case "pause":
			paused = c
			c.PauseRead()
		case "resume":
			paused.ResumeRead()
		default:
			c.Send(op, payload)
		}
	}
	d := scriptLoop(t, Config{}, p)
	first, second := d.open(), d.open()
	d.arrives(second, text("pause")+text("kept"))
	first.in = []byte(text("resume"))
	second.fin, second.hup = true, true
	d.settle()
	d.expect(second, textOf("kept"))
	d.bye(first)
	d.finish()
}

// A connection that was failed is held to WriteTimeout while its close frame cannot
// be sent, if there is no CloseTimeout.
func TestWriteTimeoutWithoutCloseTimeout(t *testing.T) {
	d := scriptLoop(t, Config{CloseTimeout: -1, WriteTimeout: time.Second}, nil)
	s := d.open()
	s.room = 0
	d.arrives(s, text("a")+"\xF1")
	d.strikes("write timeout", time.Second, func() bool { return d.stats().Conns == 0 })
	d.finish()
}

// And to CloseTimeout if there is no WriteTimeout, and the queue it waited behind
// is dropped because the socket has failed.
func TestCloseTimeoutOfDeadSocket(t *testing.T) {
	d := scriptLoop(t, Config{CloseTimeout: time.Second, WriteTimeout: -1, IdleTimeout: -1}, nil)
	s := d.open()
	c := await(t, "Opened", d.p.opens)
	s.room = 0
	d.arrives(s, text("a"))
	if err := c.Handle().Close(1000, ""); err != nil {
		t.Fatal(err)
	}
	d.settle()
	s.sendErrno = poll.EPIPE // and reading finds nothing
	d.settle()
	d.strikes("close timeout", time.Second, func() bool { return d.stats().Conns == 0 })
	d.finish()
}

// Nothing follows a send by Handle that was dropped but the close frame that says
// so: no shorter send, and no orderly end.
func TestNothingBehindDroppedSend(t *testing.T) {
	for name, after := range map[string]func(d *scripted, h Handle){
		"close":    func(d *scripted, h Handle) { h.Close(1000, "") },
		"shutdown": func(d *scripted, h Handle) { d.l.inbox.command(false) },
		"send":     func(d *scripted, h Handle) { h.Send(codec.OpText, nil); h.Close(1000, "") },
	} {
		d := scriptLoop(t, Config{MaxMessage: 1000}, nil)
		s := d.open()
		c := await(t, "Opened", d.p.opens)
		s.room = 0
		d.arrives(s, text("a"))
		if err := c.Handle().Send(codec.OpText, []byte(letters(1000))); err != nil {
			t.Fatal(err)
		}
		after(d, c.Handle())
		d.settle()
		s.room = -1
		d.settle()
		d.expect(s, closed(1008, ""))
		if info := await(t, "Closed", d.p.ends); info.Err != ErrQueueFull {
			t.Errorf("%s: Closed with %+v", name, info)
		}
		s.fin = true
		d.settle()
		d.finish()
	}
}

// A large send finds no memory for its payload when its header waits already: the
// header must not stay, as a close frame may follow.
func TestNoMemoryBehindHeader(t *testing.T) {
	p := newProbe()
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) {
		if err := c.Send(op, []byte(letters(80000))); err != ErrMemory {
			t.Errorf("Send: %v", err)
		}
		c.Close(1000, "")
	}
	d := scriptLoop(t, Config{MaxMessage: 100000, MaxMemory: 1 << 16}, p)
	s := d.open()
	s.room = 0
	d.arrives(s, text("a"))
	s.room = -1
	d.settle()
	d.expect(s, closed(1000, ""))
	if info := await(t, "Closed", p.ends); info.Err != ErrMemory {
		t.Errorf("Closed with %+v", info)
	}
	s.fin = true
	d.settle()
	d.finish()
}

// Two deadlines of one tick strike in one turn, although the first has a handler
// send to the connection of the second.
func TestDeadlinesOfOneTick(t *testing.T) {
	p := newProbe()
	var conns []Conn
	p.onOpened = func(c Conn) { conns = append(conns, c) }
	p.onClosed = func(Conn, CloseInfo) {
		for _, c := range conns {
			c.Send(codec.OpText, []byte("gone"))
		}
	}
	d := scriptLoop(t, Config{MessageTimeout: time.Second}, p)
	first, second := d.open(), d.open()
	first.in, second.in = []byte(text("a")[:3]), []byte(text("b")[:3])
	d.settle()
	for d.stats().Timeouts[TimeoutMessage] == 0 {
		d.now += d.timeout
		if err := d.l.turn(); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.stats().Timeouts[TimeoutMessage]; n != 2 {
		t.Errorf("%d deadlines struck in one turn, want 2", n)
	}
	first.fin, second.fin = true, true
	d.settle()
	d.finish()
}

// A client whose request finds no memory for what the socket does not take of it is
// told so at once: nobody will ever answer half of a request.
func TestNoMemoryForRequest(t *testing.T) {
	h := newCaller()
	d := scriptLoop(t, Config{HandshakeTimeout: -1}, h)
	s := d.dialing("mine")
	d.pool.limit = 0
	s.room = 10
	d.settle()
	select {
	case f := <-h.failures:
		if f.err != ErrMemory || f.state != "mine" {
			t.Errorf("failed with %v, state %v", f.err, f.state)
		}
	default:
		t.Error("DialFailed was not called")
	}
	if st := d.stats(); st.DialsFailed != 1 || st.MemoryFull != 1 {
		t.Errorf("counted %d and %d", st.DialsFailed, st.MemoryFull)
	}
	d.finish()
}

// A client's socket for which the poller has no memory is not one connection too many.
func TestDialNotWatched(t *testing.T) {
	h := newCaller()
	d := scriptLoop(t, Config{}, h)
	d.l.kernel = &refusing{script: d.script, refuse: true}
	d.dialing("mine")
	if f := await(t, "DialFailed", h.failures); f.err != error(syscall.ENOMEM) || f.state != "mine" {
		t.Errorf("failed with %v, state %v", f.err, f.state)
	}
	d.finish()
}

// DialFailed gets the state that was given to Dial, although Dialed has set another
// before it panicked.
func TestDialFailedState(t *testing.T) {
	h := newCaller()
	d := scriptLoop(t, Config{}, h)
	h.onDialed = func(c Conn) {
		c.SetState("other")
		panic("in Dialed")
	}
	s := d.dialing("mine")
	s.room = -1
	d.settle()
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(s.took())))
	if err != nil {
		t.Fatal(err)
	}
	d.arrives(s, string(switching(req, "")))
	if f := await(t, "DialFailed", h.failures); f.err != ErrPanic || f.state != "mine" {
		t.Errorf("failed with %v, state %v", f.err, f.state)
	}
	d.finish()
}
