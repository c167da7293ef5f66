//go:build linux

package reactor

import (
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
)

// MessageTimeout is for messages: control frames that are cut by every read put a
// peer under no deadline that whole ones would not.
func TestMessageTimeoutLeavesCutControlFramesAlone(t *testing.T) {
	d := scriptLoop(t, Config{MessageTimeout: time.Second, IdleTimeout: time.Minute}, nil)
	s := d.open()
	frame := ping("abcd")
	d.arrives(s, frame[:5])
	for range 50 {
		d.pass(100 * time.Millisecond)
		d.arrives(s, frame[5:]+frame[:5])
		d.expect(s, pongOf("abcd"))
	}
	// But a message is under it whatever comes between its fragments.
	d.arrives(s, frame[5:]+masked(0x01, "a"))
	d.expect(s, pongOf("abcd"))
	for range 5 {
		d.pass(190 * time.Millisecond)
		d.arrives(s, frame)
		d.expect(s, pongOf("abcd"))
	}
	d.pass(200 * time.Millisecond)
	d.expect(s, closed(1008, "message timeout"))
	if st := d.stats(); st.Timeouts[TimeoutMessage] != 1 {
		t.Errorf("counted %d", st.Timeouts[TimeoutMessage])
	}
	s.fin = true
	d.settle()
	d.finish()
}

// Pings go on being answered behind our close frame (RFC 6455 §5.5.2), but they
// do not put off its deadline, blocked socket or not.
func TestCloseTimeoutDespitePings(t *testing.T) {
	p := newProbe()
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) { c.Close(1000, "") }
	d := scriptLoop(t, Config{CloseTimeout: time.Second, WriteTimeout: 10 * time.Second}, p)
	s := d.open()
	d.arrives(s, text("a"))
	d.expect(s, closed(1000, ""))
	for i := range 8 {
		s.room = 0 // the pong waits
		d.arrives(s, ping("x"))
		d.pass(100 * time.Millisecond)
		s.room = -1
		d.settle()
		d.expect(s, pongOf("x"))
		if d.stats().Conns != 1 {
			t.Fatalf("ended after %d pings", i+1)
		}
	}
	d.strikes("close", 200*time.Millisecond, func() bool { return d.stats().Conns == 0 })
	if st := d.stats(); st.Timeouts[TimeoutClose] != 1 {
		t.Errorf("counted %d", st.Timeouts[TimeoutClose])
	}
	d.finish()
}

// A queue that has only gathered within the turn is no blocked socket: pings are
// answered one by one, behind what was sent before them.
func TestPongsBehindGatheredOutput(t *testing.T) {
	p := newProbe()
	var other Conn
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) { other.Send(op, payload) }
	d := scriptLoop(t, Config{}, p)
	a, b := d.open(), d.open()
	<-p.opens
	other = <-p.opens
	a.in = append(a.in, text("from a")...)
	b.in = append(b.in, ping("1")+ping("2")...)
	d.settle()
	d.expect(b, textOf("from a")+pongOf("1")+pongOf("2"))
	d.bye(a)
	d.bye(b)
	d.finish()
}
