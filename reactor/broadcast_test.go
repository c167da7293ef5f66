//go:build linux

package reactor

import (
	"testing"

	"github.com/hybi-go/hybi/codec"
)

// A prepared frame to many goes out once for each, at once, and leaves no queue
// behind; a reader that is slow gets its rest, in order, and holds up nobody.
func TestBroadcast(t *testing.T) {
	d := scriptLoop(t, Config{MaxMessage: 1000}, nil)
	var peers [5]*socket
	var conns [5]Conn
	for i := range peers {
		peers[i] = d.open()
		conns[i] = await(t, "Opened", d.p.opens)
	}
	slow := peers[3]
	slow.room = 7
	frame := codec.NewPreparedFrame(codec.OpText, []byte(letters(100)))
	sends, errs := 0, []error(nil)
	conns[0].Handle().Post(func(Conn) {
		before := d.sends
		for _, c := range conns {
			errs = append(errs, c.SendPrepared(frame))
		}
		sends = d.sends - before
		if len(d.l.spareOut) != 0 {
			t.Errorf("%d connections had a queue", len(d.l.spareOut))
		}
		for i, s := range peers {
			if want := string(frame.Frame()); s != slow && s.took() != want {
				t.Errorf("peer %d has not got the frame during the call", i)
			}
		}
		errs = append(errs, conns[3].SendPrepared(frame), conns[3].Send(codec.OpBinary, []byte("last")))
	})
	d.settle()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if sends != len(conns) {
		t.Errorf("%d sends for %d connections", sends, len(conns))
	}
	if q := d.stats().QueuedOctets; q != int64(2*len(frame.Frame())-7+2+4) {
		t.Errorf("%d octets are queued for the slow one", q)
	}
	slow.room = -1
	d.settle()
	d.expect(slow, string(frame.Frame())+string(frame.Frame())+plain(0x82, "last"))
	for _, s := range peers {
		d.bye(s)
	}
	d.finish()
}
