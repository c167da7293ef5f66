//go:build linux

package reactor

import (
	"io"
	"math"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
)

// strikes lets time go by until f holds, and checks that this is between d and
// two ticks later, as the first tick has begun already.
func (d *scripted) strikes(what string, after time.Duration, f func() bool) {
	d.t.Helper()
	d.pass(after - time.Millisecond)
	if f() {
		d.t.Fatalf("%s: before its time", what)
	}
	d.pass(2*tickLength + time.Millisecond)
	if !f() {
		d.t.Fatalf("%s: not in time", what)
	}
}

// A head that is not whole in time is answered with 408. Hazards 15 and 29.
func TestHandshakeTimeout(t *testing.T) {
	for _, sent := range []string{"", request()[:50]} {
		d := scriptLoop(t, Config{HandshakeTimeout: 2 * time.Second}, nil)
		s := d.connect("")
		d.settle()
		for range 3 { // octets that come meanwhile put nothing off
			d.pass(500 * time.Millisecond)
			if len(sent) > 3 {
				d.arrives(s, sent[:len(sent)/3])
			}
		}
		d.strikes("408", 500*time.Millisecond, func() bool { return len(s.out) > 0 })
		d.expect(s, refused(handshake.ErrTooSlow))
		if st := d.stats(); !s.shut || st.Timeouts[TimeoutHandshake] != 1 || st.Refused[handshake.KindTooSlow] != 1 {
			t.Errorf("FIN: %v, counted %d and %d", s.shut, st.Timeouts[TimeoutHandshake], st.Refused[handshake.KindTooSlow])
		}
		s.fin = true
		d.settle()
		d.finish()
	}
}

// A peer that never sends its FIN is waited for, for a bounded time, whatever else
// it sends.
func TestCloseTimeoutAfterFIN(t *testing.T) {
	for name, in := range map[string]string{"clean": closing(1000, ""), "failed": "\xF1", "refused": "\n"} {
		d := scriptLoop(t, Config{CloseTimeout: time.Second}, nil)
		s := d.connect(map[bool]string{true: request(), false: ""}[name != "refused"] + in)
		d.settle()
		if !s.shut {
			t.Fatalf("%s: no FIN", name)
		}
		d.pass(500 * time.Millisecond)
		d.arrives(s, letters(100000))
		d.strikes(name, 500*time.Millisecond, func() bool { return d.stats().Conns == 0 })
		if st := d.stats(); st.Timeouts[TimeoutClose] != 1 {
			t.Errorf("%s: counted %d", name, st.Timeouts[TimeoutClose])
		}
		d.finish()
	}
}

func TestCloseTimeout(t *testing.T) {
	p := newProbe()
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) { c.Close(1000, "") }
	d := scriptLoop(t, Config{CloseTimeout: time.Second, IdleTimeout: 10 * time.Second}, p)
	s := d.open()
	d.arrives(s, text("a"))
	d.expect(s, closed(1000, ""))
	d.pass(500 * time.Millisecond)
	d.arrives(s, text("not the answer"))
	d.strikes("close", 500*time.Millisecond, func() bool { return d.stats().Conns == 0 })
	if info := await(t, "Closed", p.ends); info.Err != ErrCloseSlow || info.Code != codec.CloseAbnormal || info.Remote || info.Clean {
		t.Errorf("Closed with %+v", info)
	}
	if d.stats().Timeouts[TimeoutClose] != 1 {
		t.Error("not counted")
	}
	d.finish()
}

func TestIdleTimeout(t *testing.T) {
	d := scriptLoop(t, Config{IdleTimeout: 4 * time.Second}, nil)
	s := d.open()
	for range 3 { // whatever comes puts it off
		d.pass(1900 * time.Millisecond)
		d.arrives(s, masked(0x8A, ""))
	}
	d.expect(s, "")
	for range 3 { // a ping, and the answer keeps the connection alive
		d.strikes("ping", 2*time.Second, func() bool { return len(s.out) > 0 })
		d.expect(s, plain(0x89, ""))
		d.arrives(s, masked(0x8A, ""))
	}
	d.strikes("last ping", 2*time.Second, func() bool { return len(s.out) > 0 })
	d.expect(s, plain(0x89, ""))
	d.strikes("1008", 2*time.Second-2*tickLength, func() bool { return len(s.out) > 0 })
	d.expect(s, closed(1008, "idle timeout"))
	if info := await(t, "Closed", d.p.ends); info.Err != ErrIdle || info.Code != 1008 || info.Remote || info.Clean {
		t.Errorf("Closed with %+v", info)
	}
	if st := d.stats(); !s.shut || st.Timeouts[TimeoutIdle] != 1 || st.PongsIn != 6 {
		t.Errorf("FIN: %v, counted %d, %d pongs", s.shut, st.Timeouts[TimeoutIdle], st.PongsIn)
	}
	s.fin = true
	d.settle()
	d.finish()
}

// A message that is not whole in time fails the connection. Hazard 29.
func TestMessageTimeout(t *testing.T) {
	for name, start := range map[string]string{
		"header": text("abc")[:3], "payload": text("abc")[:7], "fragments": masked(0x01, "abc"), "control": ping("abc")[:7],
	} {
		d := scriptLoop(t, Config{MessageTimeout: 2 * time.Second}, nil)
		s := d.open()
		d.pass(time.Second)
		for range 4 { // messages that are finished in time do no harm
			d.arrives(s, text("whole")+masked(0x01, "ab"))
			d.pass(1500 * time.Millisecond)
			d.arrives(s, masked(0x80, "c")[:6])
			d.arrives(s, masked(0x80, "c")[6:])
			d.expect(s, textOf("whole")+textOf("abc"))
		}
		d.arrives(s, start)
		d.pass(time.Second)
		if name == "fragments" {
			d.arrives(s, masked(0x00, "more")+ping("")) // does not put it off
			d.expect(s, pongOf(""))
		}
		d.strikes(name, time.Second, func() bool { return len(s.out) > 0 })
		d.expect(s, closed(1008, "message timeout"))
		if info := await(t, "Closed", d.p.ends); info.Err != ErrMessageSlow || d.stats().Timeouts[TimeoutMessage] != 1 {
			t.Errorf("%s: Closed with %+v", name, info)
		}
		s.fin = true
		d.settle()
		d.finish()
	}
}

// A peer that takes nothing of what is sent is left. Hazard 29.
func TestWriteTimeout(t *testing.T) {
	d := scriptLoop(t, Config{WriteTimeout: 2 * time.Second, IdleTimeout: time.Second, MaxMessage: 1000}, nil)
	s := d.open()
	s.room = 100
	s.in = []byte(repeat(binaryOf(letters(1000)), 100))
	d.settle()
	for range 4 { // any progress puts it off
		d.pass(1900 * time.Millisecond)
		s.room = 1
		d.settle()
	}
	d.strikes("write", 2*time.Second, func() bool { return d.stats().Conns == 0 })
	info := await(t, "Closed", d.p.ends)
	if info.Err != ErrWriteStalled || info.Code != codec.CloseAbnormal || info.Remote || info.Clean {
		t.Errorf("Closed with %+v", info)
	}
	if st := d.stats(); st.Timeouts != [NumTimeouts]uint64{TimeoutWrite: 1} {
		t.Errorf("counted %v", st.Timeouts)
	}
	d.finish()
}

// Time that a connection is paused by its handler does not count.
func TestTimeoutsWhilePaused(t *testing.T) {
	p := newProbe()
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) { c.PauseRead() }
	d := scriptLoop(t, Config{IdleTimeout: 4 * time.Second, MessageTimeout: 2 * time.Second}, p)
	s := d.open()
	c := await(t, "Opened", p.opens)
	d.arrives(s, text("pause")+masked(0x01, "begun"))
	d.pass(time.Minute)
	d.expect(s, "")
	c.Handle().Post(func(c Conn) { c.ResumeRead() })
	d.settle()
	d.strikes("message", 2*time.Second, func() bool { return len(s.out) > 0 && s.shut })
	d.finishLeft(s)
}

// finishLeft ends a connection that has only to be left.
func (d *scripted) finishLeft(s *socket) {
	d.t.Helper()
	s.fin = true
	d.settle()
	d.finish()
}

// A negative timeout is none, and a very long one does not wrap.
func TestNoTimeouts(t *testing.T) {
	for _, never := range []time.Duration{-1, -time.Hour, math.MaxInt64} {
		d := scriptLoop(t, Config{HandshakeTimeout: never, CloseTimeout: never, IdleTimeout: never, MessageTimeout: never, WriteTimeout: never}, nil)
		silent, mid, opening := d.open(), d.open(), d.connect("GET")
		d.arrives(mid, masked(0x01, "begun"))
		d.pass(20 * time.Minute)
		if never < 0 && d.timeout >= 0 {
			t.Errorf("%v: the loop waits for a deadline", never)
		}
		d.expect(silent, "")
		d.expect(mid, "")
		d.expect(opening, "")
		opening.fin = true
		d.bye(silent)
		d.bye(mid)
		d.finish()
	}
	if got, want := ticks(math.MaxInt64), tick(1<<30+1); got != want {
		t.Errorf("the longest timeout is %d ticks, want %d", got, want)
	}
	for d, want := range map[time.Duration]tick{1: 2, tickLength: 2, tickLength + 1: 3, time.Second: 21} {
		if got := ticks(d); got != want {
			t.Errorf("%v is %d ticks, want %d", d, got, want)
		}
	}
}

// The same with the real clock, once: that the loop wakes up by itself.
func TestDeadlinesInRealTime(t *testing.T) {
	g := start(t, Config{HandshakeTimeout: 100 * time.Millisecond, IdleTimeout: 200 * time.Millisecond, CloseTimeout: 100 * time.Millisecond}, nil)
	began := time.Now()
	slow, c := g.dial(), g.open()
	slow.expect(refused(handshake.ErrTooSlow))
	if d := time.Since(began); d < 100*time.Millisecond || d > 2*time.Second {
		t.Errorf("408 after %v", d)
	}
	slow.eof()
	c.expect(plain(0x89, "") + closed(1008, "idle timeout"))
	if d := time.Since(began); d < 200*time.Millisecond || d > 2*time.Second {
		t.Errorf("1008 after %v", d)
	}
	c.eof()
	eventually(t, "both are closed though neither sends FIN", func() bool { return g.r.Stats().Conns == 0 })
	if _, err := io.WriteString(slow.Conn, "x"); err != nil && !resets(err) {
		t.Error(err)
	}
	if s := g.r.Stats(); s.Timeouts != [NumTimeouts]uint64{TimeoutHandshake: 1, TimeoutIdle: 1, TimeoutClose: 2} {
		t.Errorf("counted %v", s.Timeouts)
	}
}
