//go:build linux

package reactor

import (
	"io"
	"sync"
	"testing"

	"github.com/hybi-go/hybi/codec"
)

// The server shuts its direction first, and its close frame arrives although the
// client has sent far more than anyone read. Hazard 28.
func TestCloseFrameSurvivesUnreadInput(t *testing.T) {
	g := start(t, Config{}, nil)
	for name, x := range map[string]exchange{
		"violation":    {in: "\xF1", out: closed(1002, "")},
		"client's own": {in: closing(1000, ""), out: closed(1000, "")},
	} {
		t.Run(name, func(t *testing.T) {
			g.t = t
			c := g.open()
			var wg sync.WaitGroup
			wg.Go(func() {
				io.WriteString(c.Conn, x.in+letters(8<<20))
			})
			c.expect(x.out)
			c.eof()
			wg.Wait()
			c.Close()
		})
	}
	g.t = t
	g.stop()
}

// What was received before the FIN is served and answered, and then it is 1006.
// Hazard 22.
func TestFINWithoutCloseFrame(t *testing.T) {
	for name, in := range map[string]string{
		"between messages": "",
		"inside a header":  text("cut")[:5],
		"inside a payload": text("cut")[:8],
		"inside a message": masked(0x01, "cut"),
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, Config{}, nil)
			c := g.open()
			c.write(repeat(text("hello"), 1000) + in)
			c.fin()
			c.expect(repeat(textOf("hello"), 1000))
			c.eof()
			info := await(t, "Closed", g.p.ends)
			want := CloseInfo{Code: codec.CloseAbnormal, Remote: true, Offset: info.Offset}
			if info != want {
				t.Errorf("Closed with %+v, want %+v", info, want)
			}
		})
	}
}

// A half-close is no close: a mebibyte behind it is served, by way of a queue
// that the client does not read at first. Hazard 22.
func TestHalfClose(t *testing.T) {
	for _, size := range []int{100, 1000, 60000, 1 << 20} {
		g := start(t, Config{}, nil)
		c := g.openSmall()
		n := (1 << 20) / size
		sent := make(chan error, 1)
		go func() {
			_, err := io.WriteString(c.Conn, repeat(binaryOf(letters(size)), n))
			c.fin()
			sent <- err
		}()
		c.expect(repeat(plain(0x82, letters(size)), n))
		c.eof()
		if err := await(t, "write", sent); err != nil {
			t.Error(err)
		}
		if info := await(t, "Closed", g.p.ends); info.Code != codec.CloseAbnormal || !info.Remote || info.Err != nil {
			t.Errorf("Closed with %+v", info)
		}
		c.Close()
		g.stop()
	}
}

// A reset is reported as such. Hazard 26.
func TestReset(t *testing.T) {
	g := start(t, Config{}, nil)
	c := g.open()
	c.Conn.(interface{ SetLinger(int) error }).SetLinger(0)
	c.Close()
	info := await(t, "Closed", g.p.ends)
	if info.Code != codec.CloseAbnormal || !info.Remote || info.Clean || !resets(info.Err) {
		t.Errorf("Closed with %+v", info)
	}
}

// The server begins the closing handshake: what still comes is parsed and not
// delivered, until the client answers.
func TestCloseByServer(t *testing.T) {
	p := newProbe()
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) {
		c.Send(op, []byte("last"))
		if err := c.Close(4001, "enough"); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := c.Close(4002, "twice"); err != ErrClosed {
			t.Errorf("second Close: %v", err)
		}
		if err := c.Send(op, payload); err != ErrClosed {
			t.Errorf("Send after Close: %v", err)
		}
	}
	g := start(t, Config{}, p)
	t.Run("answered", func(t *testing.T) {
		c := g.open()
		c.write(text("a") + text("b") + ping("c"))
		c.expect(textOf("last") + closed(4001, "enough") + pongOf("c")) // a pong is due until the peer's close frame
		c.writeOctets(text("not delivered") + masked(0x01, "nor gathered") + ping("answered") + closing(4001, "so be it"))
		c.expect(pongOf("answered"))
		c.eof()
		info := await(t, "Closed", p.ends)
		if want := (CloseInfo{Code: 4001, Reason: "so be it", Clean: true, Offset: info.Offset}); info != want {
			t.Errorf("Closed with %+v, want %+v", info, want)
		}
		c.Close()
	})
	t.Run("violated", func(t *testing.T) {
		c := g.open()
		c.write(text("a"))
		c.expect(textOf("last") + closed(4001, "enough"))
		c.write("\xF1")
		c.eof() // no second close frame
		if info := await(t, "Closed", p.ends); info.Code != 1002 || info.Err != codec.ErrReservedBits || info.Clean || info.Remote {
			t.Errorf("Closed with %+v", info)
		}
		c.Close()
	})
	t.Run("left", func(t *testing.T) {
		c := g.open()
		c.write(text("a"))
		c.expect(textOf("last") + closed(4001, "enough"))
		c.fin()
		c.eof()
		if info := await(t, "Closed", p.ends); info.Code != codec.CloseAbnormal || info.Clean || info.Remote {
			t.Errorf("Closed with %+v", info)
		}
		c.Close()
	})
	g.stop()
}

// The arguments of Close and Send are judged, and nothing is sent then.
func TestWrongArguments(t *testing.T) {
	p := newProbe()
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) {
		for i, x := range []struct{ got, want error }{
			{c.Close(codec.CloseNoStatus, "reason"), codec.ErrSendCloseCode},
			{c.Close(codec.CloseAbnormal, ""), codec.ErrSendCloseCode},
			{c.Close(1000, letters(124)), codec.ErrSendCloseReason},
			{c.Close(1000, "\xFF"), codec.ErrSendCloseReason},
			{c.Send(codec.OpContinuation, nil), ErrOpcode},
			{c.Send(codec.OpClose, nil), ErrOpcode},
			{c.Send(codec.Opcode(3), nil), ErrOpcode},
			{c.Send(codec.OpPing, make([]byte, 126)), ErrOpcode},
			{c.Handle().Close(999, ""), codec.ErrSendCloseCode},
			{c.Handle().Send(codec.OpClose, nil), ErrOpcode},
			{c.Send(codec.OpPing, []byte("p")), nil},
			{c.Send(codec.OpPong, nil), nil},
			{c.SendPrepared(codec.NewPreparedFrame(codec.OpText, []byte("prepared"))), nil},
			{c.Close(codec.CloseNoStatus, ""), nil},
		} {
			if x.got != x.want {
				t.Errorf("call %d: %v, want %v", i, x.got, x.want)
			}
		}
	}
	g := start(t, Config{}, p)
	c := g.open()
	c.write(text(""))
	c.expect(plain(0x89, "p") + plain(0x8A, "") + textOf("prepared") + plain(0x88, ""))
	c.write(masked(0x88, ""))
	c.eof()
	if info := await(t, "Closed", p.ends); info.Code != codec.CloseNoStatus || !info.Clean || info.Remote {
		t.Errorf("Closed with %+v", info)
	}
}
