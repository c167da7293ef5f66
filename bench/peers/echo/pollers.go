package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"

	"github.com/gobwas/ws"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	nbws "github.com/lesismal/nbio/nbhttp/websocket"
	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

func serveNbio(addr string, loops int, ready func(net.Addr)) error {
	// One processor more than pollers, as for hybi: the listener has a goroutine too.
	runtime.GOMAXPROCS(loops + 1)
	logging.SetLevel(logging.LevelError)
	up := nbws.NewUpgrader()
	up.CheckOrigin = func(*http.Request) bool { return true }
	up.OnMessagePtr(func(c *nbws.Conn, op nbws.MessageType, payload *[]byte) { c.WriteMessage(op, *payload) })
	var at net.Addr
	e := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp", Addrs: []string{addr},
		Listen: func(network, addr string) (net.Listener, error) {
			ln, err := net.Listen(network, addr)
			if err == nil {
				at = ln.Addr()
			}
			return ln, err
		},
		NPoller:                      loops,
		MaxLoad:                      1 << 20,
		IOMod:                        nbhttp.IOModNonBlocking,
		LockPoller:                   true,
		ReleaseWebsocketPayload:      true,
		MaxWebsocketFramePayloadSize: 1 << 30, // or it cuts an echo into frames of 32 KiB
		ServerExecutor:               func(f func()) { f() },
		SupportServerOnly:            true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			up.Upgrade(w, r, nil) // which answers what fails
		}),
	})
	if err := e.Start(); err != nil {
		return err
	}
	ready(at)
	select {}
}

func serveGnet(addr string, loops int, ready func(net.Addr)) error {
	runtime.GOMAXPROCS(loops + 1)
	return gnet.Run(&gnetEcho{ready: ready}, "tcp://"+addr, gnet.WithNumEventLoop(loops),
		gnet.WithLockOSThread(true), gnet.WithTCPNoDelay(gnet.TCPNoDelay), gnet.WithLogger(gnetLog{}))
}

// gnetLog tells errors only, and not on standard output, as gnet's own does.
type gnetLog struct{}

func (gnetLog) Debugf(string, ...any) {}
func (gnetLog) Infof(string, ...any)  {}
func (gnetLog) Warnf(string, ...any)  {}
func (gnetLog) Errorf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "gnet: "+format+"\n", args...)
}
func (l gnetLog) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	os.Exit(1)
}

type gnetEcho struct {
	gnet.BuiltinEventEngine
	ready func(net.Addr)
	turns sync.Pool // of *turn
}

// A turn is what one read's frames are taken from, and their answers gathered in.
type turn struct {
	in, out bytes.Buffer
	scratch [ws.MaxHeaderSize]byte
}

// OnBoot is called before connections are accepted; the socket listens already.
func (e *gnetEcho) OnBoot(eng gnet.Engine) gnet.Action {
	fd, err := eng.Dup()
	if err != nil {
		return gnet.Shutdown
	}
	defer unix.Close(fd)
	at, err := unix.Getsockname(fd)
	in4, ok := at.(*unix.SockaddrInet4)
	if err != nil || !ok {
		return gnet.Shutdown
	}
	e.ready(&net.TCPAddr{IP: in4.Addr[:], Port: in4.Port})
	return gnet.None
}

// A session is a connection's state; its context is nil until the handshake is done.
type session struct {
	op    ws.OpCode
	parts []byte // of a fragmented message
}

func (e *gnetEcho) OnTraffic(c gnet.Conn) gnet.Action {
	s, _ := c.Context().(*session)
	if s == nil {
		if s = accept(c); s == nil {
			return gnet.None // the head is not whole, or accept has answered
		}
	}
	in, err := c.Peek(-1)
	if err != nil || len(in) == 0 {
		return gnet.None
	}
	t, _ := e.turns.Get().(*turn)
	if t == nil {
		t = new(turn)
	}
	t.in = *bytes.NewBuffer(in)
	t.out.Reset()
	n, action := s.frames(t)
	if n > 0 { // Discard(0) is all of it
		c.Discard(n)
	}
	if t.out.Len() > 0 {
		c.Write(t.out.Bytes())
	}
	t.in = bytes.Buffer{}
	e.turns.Put(t)
	return action
}

// accept does the opening handshake once all of the head is there.
func accept(c gnet.Conn) *session {
	in, _ := c.Peek(-1)
	end := bytes.Index(in, []byte("\r\n\r\n"))
	if end < 0 {
		return nil
	}
	_, err := ws.Upgrade(struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(in[:end+4]), c})
	c.Discard(end + 4)
	if err != nil {
		c.Close()
		return nil
	}
	s := new(session)
	c.SetContext(s)
	return s
}

// frames takes the whole frames of t.in, unmasked in place, and appends the answers to
// t.out. It returns how many octets they had.
func (s *session) frames(t *turn) (n int, _ gnet.Action) {
	for size := t.in.Len(); ; {
		h, err := ws.ReadHeaderBuffer(&t.in, t.scratch[:])
		if err != nil || h.Length > int64(t.in.Len()) {
			return n, gnet.None // the rest of it comes later
		}
		payload := t.in.Next(int(h.Length))
		n = size - t.in.Len()
		ws.Cipher(payload, h.Mask, 0)
		switch {
		case h.OpCode == ws.OpPing:
			t.answer(ws.OpPong, payload)
			continue
		case h.OpCode == ws.OpClose:
			t.answer(ws.OpClose, payload)
			return n, gnet.Close
		case h.OpCode.IsControl():
			continue
		case h.OpCode != ws.OpContinuation:
			s.op = h.OpCode
		}
		if !h.Fin || h.OpCode == ws.OpContinuation {
			s.parts = append(s.parts, payload...)
			payload = s.parts
		}
		if h.Fin {
			t.answer(s.op, payload)
			s.parts = nil
		}
	}
}

func (t *turn) answer(op ws.OpCode, payload []byte) {
	ws.WriteHeaderBuffer(&t.out, ws.Header{Fin: true, OpCode: op, Length: int64(len(payload))}, t.scratch[:])
	t.out.Write(payload)
}
