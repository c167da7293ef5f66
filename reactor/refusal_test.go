//go:build linux

package reactor

import (
	"strings"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
)

// without returns the usual request without the lines that begin with a prefix,
// and with others.
func without(prefix string, lines ...string) string {
	var kept []string
	for _, line := range strings.Split(strings.TrimSuffix(request(), "\r\n\r\n"), "\r\n") {
		if !strings.HasPrefix(line, prefix) {
			kept = append(kept, line)
		}
	}
	return strings.Join(append(kept, lines...), "\r\n") + "\r\n\r\n"
}

var refusals = []struct {
	name, head string
	want       *handshake.Refusal
}{
	{"no HTTP at all", "\x16\x03\x01\x02", handshake.ErrControl},
	{"malformed request line", "GET  /chat HTTP/1.1\r\n", handshake.ErrRequestLine},
	{"another version of HTTP", "GET /chat HTTP/1.0\r\n", handshake.ErrHTTPVersion},
	{"bare LF", "GET /chat HTTP/1.1\n", handshake.ErrBareLF},
	{"bare CR", "GET /chat HTTP/1.1\rH", handshake.ErrBareCR},
	{"folding", "GET /chat HTTP/1.1\r\nHost: a\r\n b\r\n", handshake.ErrFolding},
	{"space before the colon", "GET /chat HTTP/1.1\r\nHost : a\r\n", handshake.ErrSpaceBeforeColon},
	{"line without a colon", "GET /chat HTTP/1.1\r\nHost\r\n", handshake.ErrHeader},
	{"no Host", without("Host"), handshake.ErrHostMissing},
	{"two Hosts", request("Host: server.example.com"), handshake.ErrHostTwice},
	{"no key", without("Sec-WebSocket-Key"), handshake.ErrKeyMissing},
	{"two keys", request("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), handshake.ErrKeyTwice},
	{"malformed key", without("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="), handshake.ErrKey},
	{"body by length", request("Content-Length: 5"), handshake.ErrBody},
	{"body by chunks", request("Transfer-Encoding: chunked"), handshake.ErrBody},
	{"POST", strings.Replace(request(), "GET", "POST", 1), handshake.ErrMethod},
	{"plain request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", handshake.ErrPlainRequest},
	{"Upgrade of another name", without("Upgrade", "Upgrade: notwebsocket"), handshake.ErrUpgrade},
	{"Connection without upgrade", without("Connection", "Connection: keep-alive"), handshake.ErrConnection},
	{"no version", without("Sec-WebSocket-Version"), handshake.ErrVersion},
	{"version 8", without("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), handshake.ErrVersion},
	{"malformed extensions", request("Sec-WebSocket-Extensions: ;"), handshake.ErrExtensions},
	{"malformed subprotocols", request("Sec-WebSocket-Protocol: a b"), handshake.ErrSubprotocols},
	{"another origin", request("Origin: https://evil.example"), handshake.ErrOrigin},
	{"large head", "GET /chat HTTP/1.1\r\nCookie: " + letters(handshake.DefaultMaxHead), handshake.ErrHeadTooLarge},
	{"many headers", "GET /chat HTTP/1.1\r\n" + repeat("A: b\r\n", handshake.DefaultMaxHeaders+1), handshake.ErrTooManyHeaders},
}

// TestRefusals checks that a refusal is delivered whole and followed by a FIN, and
// nothing else: whatever the client has sent behind its request. Hazards 18 and 28.
func TestRefusals(t *testing.T) {
	g := start(t, Config{}, nil)
	for _, x := range refusals {
		answer := refused(x.want)
		behind := map[string]string{"": "", ", junk behind": letters(64 << 10), ", second request behind": request() + text("hi")}
		for name, junk := range behind {
			t.Run(x.name+name, func(t *testing.T) {
				g.t = t
				before := g.r.Stats().Refused[x.want.Kind]
				c := g.dial()
				c.write(x.head + junk)
				c.expect(answer)
				c.eof()
				c.Close()
				eventually(t, "the connection is gone", func() bool { return g.r.Stats().Conns == 0 })
				if n := g.r.Stats().Refused[x.want.Kind] - before; n != 1 {
					t.Errorf("counter of %v grew by %d", x.want.Kind, n)
				}
				g.sent = g.r.Stats().OctetsIn
			})
		}
		if len(x.head) < 1000 {
			t.Run(x.name+", octet by octet", func(t *testing.T) {
				g.t = t
				c := g.dial()
				c.writeOctets(x.head)
				c.expect(answer)
				c.eof()
				c.Close()
			})
		}
	}
	g.t = t
	g.stop()
	if s := g.r.Stats(); s.Opened != 0 || s.HandshakesLost != 0 {
		t.Errorf("%d opened, %d lost", s.Opened, s.HandshakesLost)
	}
}

// Requests that are unusual and right.
func TestLenientRequests(t *testing.T) {
	g := start(t, Config{Subprotocols: []string{"v2", "v1"}}, nil)
	for name, head := range map[string]string{
		"absolute target":                strings.Replace(request(), "/chat", "http://server.example.com/chat", 1),
		"empty body":                     request("Content-Length: 0"),
		"several Connection lines":       request("Connection: keep-alive"),
		"obs-text":                       request("Cookie: a=\xE9"),
		"unknown extension":              request("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
		"same origin":                    request("Origin: https://server.example.com"),
		"subprotocol of no acquaintance": request("Sec-WebSocket-Protocol: v9"),
	} {
		t.Run(name, func(t *testing.T) {
			g.t = t
			c := g.dial()
			c.write(head)
			c.expect(accepted)
			c.silent()
			c.bye()
		})
	}
	g.t = t
	c := g.dial()
	c.write(request("Sec-WebSocket-Protocol: v9, v1", "Sec-WebSocket-Protocol: v2"))
	c.expect(strings.TrimSuffix(accepted, "\r\n") + "Sec-WebSocket-Protocol: v1\r\n\r\n")
	c.bye()
}

// A client that leaves before its request is whole is counted, and no Handler's affair.
func TestHandshakeLost(t *testing.T) {
	g := start(t, Config{}, nil)
	c := g.dial()
	c.writeOctets(request()[:40])
	c.fin()
	c.eof()
	d := g.dial()
	d.Close()
	eventually(t, "both are gone", func() bool { return g.r.Stats().Conns == 0 && g.r.Stats().HandshakesLost == 2 })
}

// An upgrader is a probe with a mind of its own about requests.
type upgrader struct {
	*probe
	onUpgrade func(c Conn, req *handshake.Request, accept *handshake.Accept) *handshake.Refusal
}

func (u *upgrader) Upgrade(c Conn, req *handshake.Request, accept *handshake.Accept) *handshake.Refusal {
	return u.onUpgrade(c, req, accept)
}

func TestUpgrader(t *testing.T) {
	p := newProbe()
	var kept []byte
	var early []error
	u := &upgrader{p, func(c Conn, req *handshake.Request, accept *handshake.Accept) *handshake.Refusal {
		early = append(early, c.Send(codec.OpText, nil), c.Close(1000, ""), c.PauseRead(), c.ResumeRead())
		switch string(req.Path()) {
		case "/teapot":
			return handshake.Refuse(418, "I am a teapot", handshake.Field{Name: "Retry-After", Value: "never"})
		case "/impossible":
			accept.Header = []handshake.Field{{Name: "Upgrade", Value: "h2c"}}
			return nil
		case "/own":
			return handshake.ErrTooManyConns
		}
		kept = req.Path()
		accept.Subprotocol = "b"
		accept.Header = []handshake.Field{{Name: "Set-Cookie", Value: "x=y"}}
		c.SetState("from upgrade")
		return nil
	}}
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) {
		c.Send(op, []byte(c.State().(string)+" "+c.RemoteAddr().String()))
	}
	g := start(t, Config{Subprotocols: []string{"a"}}, u)
	at := func(path string) string {
		return strings.Replace(request("Sec-WebSocket-Protocol: a, b"), "/chat", path, 1)
	}
	for path, want := range map[string]*handshake.Refusal{
		"/teapot":     handshake.Refuse(418, "I am a teapot", handshake.Field{Name: "Retry-After", Value: "never"}),
		"/impossible": handshake.ErrInternal,
		"/own":        handshake.ErrTooManyConns,
	} {
		c := g.dial()
		c.write(at(path) + text("hidden"))
		c.expect(refused(want))
		c.eof()
		c.Close()
	}
	c := g.dial()
	c.write(at("/good") + text("hi"))
	c.expect(strings.TrimSuffix(accepted, "\r\n") + "Sec-WebSocket-Protocol: b\r\nSet-Cookie: x=y\r\n\r\n")
	c.expect(textOf("from upgrade " + c.LocalAddr().String()))
	c.bye()
	g.stop()
	if string(kept) == "/good" {
		t.Error("a kept part of the request does not show poison")
	}
	for i, err := range early {
		if err != ErrClosed {
			t.Errorf("call %d in Upgrade: %v", i, err)
		}
	}
	s := g.r.Stats()
	if s.Refused[handshake.KindRefused] != 1 || s.Refused[handshake.KindInternal] != 1 || s.Refused[handshake.KindTooManyConns] != 1 {
		t.Errorf("refused: %v", s.Refused)
	}
}
