package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"

	"github.com/coder/websocket"
	fastws "github.com/fasthttp/websocket"
	"github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	"github.com/valyala/fasthttp"
)

// messages is what gorilla's Conn and its copy for fasthttp have in common.
type messages interface {
	NextReader() (int, io.Reader, error)
	WriteMessage(int, []byte) error
}

// echoMessages echoes until the connection ends; NextReader answers what is no message.
func echoMessages(c messages) {
	var b bytes.Buffer
	for {
		op, r, err := c.NextReader()
		if err != nil {
			return
		}
		b.Reset()
		if _, err := b.ReadFrom(r); err != nil {
			return
		}
		if c.WriteMessage(op, b.Bytes()) != nil {
			return
		}
	}
}

func serveGorilla(ln net.Listener) error {
	up := gorilla.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return // Upgrade has answered
		}
		defer c.Close()
		echoMessages(c)
	}))
}

func serveFasthttp(ln net.Listener) error {
	up := fastws.FastHTTPUpgrader{CheckOrigin: func(*fasthttp.RequestCtx) bool { return true }}
	s := fasthttp.Server{
		Handler:     func(r *fasthttp.RequestCtx) { up.Upgrade(r, func(c *fastws.Conn) { echoMessages(c) }) },
		Concurrency: 1 << 20,
	}
	return s.Serve(ln)
}

func serveCoder(ln net.Listener) error {
	o := websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled}
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &o)
		if err != nil {
			return // Accept has answered
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		var b bytes.Buffer
		for {
			op, m, err := c.Reader(r.Context())
			if err != nil {
				return
			}
			b.Reset()
			if _, err := b.ReadFrom(m); err != nil {
				return
			}
			if c.Write(r.Context(), op, b.Bytes()) != nil {
				return
			}
		}
	}))
}

func serveGws(ln net.Listener) error {
	s := gws.NewServer(gwsEcho{}, &gws.ServerOption{CheckUtf8Enabled: true})
	s.OnError = func(net.Conn, error) {} // of the handshake
	return s.RunListener(ln)
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnPing(c *gws.Conn, payload []byte) { c.WritePong(payload) }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	c.WriteMessage(m.Opcode, m.Bytes())
	m.Close()
}

func serveGobwas(ln net.Listener) error {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			if _, err := ws.Upgrade(conn); err == nil {
				echoFrames(conn)
			}
		}()
	}
}

// echoFrames echoes until the connection ends. A message is gathered behind room for a
// header, so that both leave in one Write.
func echoFrames(conn net.Conn) {
	r := bufio.NewReader(conn)
	scratch := make([]byte, ws.MaxHeaderSize)
	room := make([]byte, ws.MaxHeaderSize)
	whole, op := room, ws.OpCode(0)
	for {
		h, err := ws.ReadHeaderBuffer(r, scratch)
		if err != nil {
			return
		}
		if h.OpCode.IsControl() {
			if !control(conn, r, h) {
				return
			}
			continue
		}
		if h.OpCode != ws.OpContinuation {
			whole, op = whole[:ws.MaxHeaderSize], h.OpCode
		}
		from := len(whole)
		whole = append(whole, make([]byte, h.Length)...)
		if _, err := io.ReadFull(r, whole[from:]); err != nil {
			return
		}
		ws.Cipher(whole[from:], h.Mask, 0)
		if h.Fin && !writeWhole(conn, op, whole, scratch) {
			return
		}
	}
}

// writeWhole writes the message behind the room for its header.
func writeWhole(conn net.Conn, op ws.OpCode, whole, scratch []byte) bool {
	h := ws.Header{Fin: true, OpCode: op, Length: int64(len(whole) - ws.MaxHeaderSize)}
	at := ws.MaxHeaderSize - ws.HeaderSize(h)
	head := bytes.NewBuffer(whole[at:at])
	if ws.WriteHeaderBuffer(head, h, scratch) != nil {
		return false
	}
	_, err := conn.Write(whole[at:])
	return err == nil
}

// control answers a control frame and reports whether the connection goes on.
func control(conn net.Conn, r io.Reader, h ws.Header) bool {
	var b [125]byte
	if h.Length > int64(len(b)) {
		return false
	}
	payload := b[:h.Length]
	if _, err := io.ReadFull(r, payload); err != nil {
		return false
	}
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		return ws.WriteFrame(conn, ws.NewPongFrame(payload)) == nil
	case ws.OpClose:
		ws.WriteFrame(conn, ws.NewCloseFrame(payload))
		return false
	}
	return true
}
