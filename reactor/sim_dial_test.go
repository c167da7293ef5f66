//go:build linux

package reactor

// The client's beginning in the simulation: sockets that are still being connected
// when the loop gets them, servers that answer its requests well, wrongly or not at
// all, and what of it the handler must be told: Dialed, then Opened; or DialFailed; once.
// What comes after is the model's of every connection, in the client's role.

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"syscall"

	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/poll"
)

// A simDial is one Dial of a simConn's.
type simDial struct {
	record  *dialing
	request string    // the octets that must be sent
	answer  simAnswer // what its server says to it
	certain int       // octets of that from which on its fate is
	early   bool      // the server does not wait for the request
	whole   bool      // it sends the answer in one go

	taken          bool       // by the loop's inbox
	asked          bool       // Connected was called
	told           poll.Errno // how the loop was told that connecting has failed
	dialed, failed bool       // the handler was told
}

// simRequests are what is asked for, and the request that must come of it, for the
// address simServer; %s is the key.
var simRequests = []struct {
	req  handshake.ClientRequest
	head string
}{
	{handshake.ClientRequest{}, simRequest("/", simServer, "")},
	{handshake.ClientRequest{Host: "a.example", Target: "/x?y=%20"}, simRequest("/x?y=%20", "a.example", "")},
	{handshake.ClientRequest{Subprotocols: []string{"chat", "v2.chat"}}, simRequest("/", simServer, "Sec-WebSocket-Protocol: chat, v2.chat\r\n")},
	{handshake.ClientRequest{Origin: "http://b.example", Header: []handshake.Field{{Name: "Cookie", Value: letters(1500)}}},
		simRequest("/", simServer, "Origin: http://b.example\r\nCookie: "+letters(1500)+"\r\n")},
}

const simServer = "server.example:80"

func simRequest(target, host, more string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n" + more + "\r\n"
}

// A simAnswer is a server's answer: %s is what answers the key, § stands behind the
// octet at which it is certain that it opens nothing, or at the end.
type simAnswer struct {
	octets   string
	protocol string // that it chooses
	opens    bool
	kind     handshake.ResponseKind // if not
	status   int
}

const (
	simSwitching = "HTTP/1.1 101 Switching Protocols\r\n"
	simUpgrade   = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	simAccept    = "Sec-WebSocket-Accept: %s\r\n"
	simRight     = simSwitching + simUpgrade + simAccept
)

var simAnswers = []simAnswer{
	{octets: simRight + "\r\n", opens: true},
	{octets: "HTTP/1.1 101 \r\nUPGRADE:WebSocket\r\nconnection: \tkeep-alive , upgrade \t\r\nsec-websocket-accept:\t%s  \r\n\r\n", opens: true},
	{octets: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + simRight + "\r\n", opens: true},
	{octets: simRight + "Set-Cookie: " + letters(600) + "\r\n\r\n", opens: true},
	{octets: simRight + "Sec-WebSocket-Protocol: v2.chat\r\n\r\n", opens: true, protocol: "v2.chat"},
	{octets: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n§hello", kind: handshake.ResponseStatus, status: 200},
	{octets: "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n" + simUpgrade + simAccept + "\r\n", kind: handshake.ResponseStatus, status: 302},
	{octets: "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", kind: handshake.ResponseStatus, status: 400},
	{octets: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n", kind: handshake.ResponseStatus, status: 401},
	{octets: simSwitching + simUpgrade + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", kind: handshake.ResponseAccept, status: 101},
	{octets: simSwitching + simUpgrade + "\r\n", kind: handshake.ResponseAccept, status: 101},
	{octets: simRight + simAccept + "\r\n", kind: handshake.ResponseAccept, status: 101},
	{octets: simSwitching + "Connection: Upgrade\r\n" + simAccept + "\r\n", kind: handshake.ResponseUpgrade, status: 101},
	{octets: simRight + "Upgrade: websocket\r\n\r\n", kind: handshake.ResponseUpgrade, status: 101},
	{octets: simSwitching + "Upgrade: websocket\r\n" + simAccept + "\r\n", kind: handshake.ResponseConnection, status: 101},
	{octets: simRight + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", kind: handshake.ResponseExtensions, status: 101},
	{octets: simRight + "Sec-WebSocket-Protocol: other\r\n\r\n", kind: handshake.ResponseSubprotocol, status: 101},
	{octets: simRight + "Content-Length: 5\r\n\r\n§hello", kind: handshake.ResponseBody, status: 101},
	{octets: strings.Replace(simRight, "1.1", "1.0", 1) + "\r\n", kind: handshake.ResponseHTTPVersion, status: 101},
	{octets: "HTTP/1.1 101\r\n§" + simUpgrade + simAccept + "\r\n", kind: handshake.ResponseStatusLine},
	{octets: simSwitching + "Upgrade: websocket\n§Connection: Upgrade\r\n" + simAccept + "\r\n", kind: handshake.ResponseControl},
	{octets: simSwitching + "Upgrade:\r\n websocket\r\n§" + simAccept + "\r\n", kind: handshake.ResponseHeader},
	{octets: (simSwitching + "Server: " + letters(simMaxHead))[:simMaxHead] + "§" + letters(500), kind: handshake.ResponseHeadTooLarge},
	{octets: ""}, // it says nothing
}

// newDial makes the Dial of a connection, and its server's answer.
func (s *sim) newDial(c *simConn) {
	r := &simRequests[s.rng.IntN(len(simRequests))]
	from := s.words
	record, err := newDialing("tcp", simServer, r.req, c, &s.cfg)
	if err != nil || s.words != from+4 {
		c.failf("newDialing: %v, and %d words drawn for a key of four", err, s.words-from)
		return
	}
	var nonce [16]byte
	for i := range uint32(4) {
		binary.BigEndian.PutUint32(nonce[4*i:], s.word(from+i))
		s.used[from+i] = true
	}
	key := base64.StdEncoding.EncodeToString(nonce[:])
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 §1.3
	a := simAnswers[0]
	if s.rng.IntN(3) == 0 {
		a = simAnswers[s.rng.IntN(len(simAnswers))]
	}
	if a.protocol != "" && len(r.req.Subprotocols) == 0 {
		a.opens, a.kind, a.status = false, handshake.ResponseSubprotocol, 101
	}
	certain, rest, _ := strings.Cut(strings.Replace(a.octets, "%s", base64.StdEncoding.EncodeToString(sum[:]), 1), "§")
	c.head.octets = certain + rest
	c.dial = &simDial{
		record: record, request: strings.Replace(r.head, "%s", key, 1), answer: a, certain: len(certain),
		early: s.rng.IntN(8) == 0, whole: s.rng.IntN(3) > 0,
	}
}

// dial gives the loop a socket that is being connected, as Reactor.Dial does.
func (s *sim) dial(c *simConn) {
	d, f := c.dial, c.sock
	f.connecting = true
	s.mark()
	s.seq++
	call := simCall{seq: s.seq, kind: callAdopt}
	err := s.l.inbox.put(entry{kind: entryRun, run: func(l *loop) {
		s.bound, s.panicking = call.seq, nil
		s.kernel.open(c)
		s.tracef("%v: dialed by descriptor %d", c, f.fd)
		c.begun()
		l.dialed(f.fd, simPeer, d.record)
		if d.record = nil; !c.gone && int(s.conns.n.Load()) > s.cfg.MaxConns {
			c.failf("dialed as one of %d connections, at most %d may be", s.conns.n.Load(), s.cfg.MaxConns)
		}
		if s.panicking == nil {
			s.bound = ^uint64(0)
		}
	}}, nil)
	if err != nil {
		c.peer.ended, c.gone = true, true
		return
	}
	d.taken = true
	s.waiting = append(s.waiting, call)
	if s.rng.IntN(3) > 0 {
		s.connects(c)
	}
}

// connects ends the connecting: well, mostly.
func (s *sim) connects(c *simConn) {
	f := c.sock
	f.connecting = false
	s.kernel.changes++
	if s.rng.IntN(5) > 0 {
		s.tracef("%v: is connected", c)
		return
	}
	f.errno = poll.Errno(pick(s, syscall.ECONNREFUSED, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ECONNRESET))
	f.hup, f.fin, c.peer.ended = true, true, true
	s.tracef("%v: connecting fails, %v", c, f.errno)
}

// Connected is SO_ERROR, which forgets what it has told. Of a socket that is still
// being connected it tells nothing; the loop may ask because of a spurious event.
func (k *simKernel) Connected(fd int) poll.Errno {
	f := k.at(fd, "Connected")
	if f == nil || f.c == nil || f.c.dial == nil || f.c.dial.asked || f.told != k.waits {
		k.s.failf("Connected on descriptor %d, which is not one that connects, or for the second time, or no event was for it", fd)
		return poll.EPERM
	}
	c, e := f.c, f.errno
	c.dial.asked = true
	k.changes++
	if f.errno = 0; e != 0 {
		c.dial.told = e
	} else if f.reset {
		f.reset, f.fin, c.sawReset, e = false, true, true, poll.ECONNRESET
	} else {
		c.answer, c.progress = []byte(c.dial.request), c.s.clock()
	}
	k.s.tracef("%v: connected: %v", c, e)
	return e
}

// silent reports whether c's server may not send yet.
func (c *simConn) silent() bool {
	return c.sock.connecting || c.dial != nil && !c.dial.early && (c.answer == nil || c.answerAt < len(c.answer))
}

// opening reports whether c is a client that has not been told of an answer yet.
func (c *simConn) opening() bool { return c.dial != nil && !c.opened }

// dialStuck says why, when the loop would sleep, a client's beginning should have gone
// on, or nothing.
func (c *simConn) dialStuck() string {
	switch d, f := c.dial, c.sock; {
	case !d.asked && f.writable():
		return "connecting has ended, and nobody has asked how"
	case f.readable() && !c.sawEOF:
		return "something of the server's can be read"
	case c.received >= d.certain && len(c.head.octets) > 0:
		return "an answer was read, and nothing came of it"
	}
	return ""
}

// checkDial checks what must hold of a Dial after a turn.
func (c *simConn) checkDial() {
	s, d := c.s, c.dial
	switch {
	case c.opened:
	case d.dialed && !d.failed:
		c.failf("Dialed was called, and neither Opened nor DialFailed")
	case c.gone && !d.failed && s.l.dialer != nil:
		c.failf("its socket is closed, and DialFailed was not called")
	case !c.gone && s.l.stopping:
		c.failf("still being dialed, and the loop shuts down")
	}
}

// checkRecord looks where the record of a Dial is: with its slot until it has
// succeeded or failed, and nowhere afterwards.
func (c *simConn) checkRecord(sl *slot) {
	if held := sl.in != nil && sl.in.dial != nil; held != c.opening() {
		c.failf("a record of a Dial is held: %v; opened %v", held, c.opened)
	}
	if c.opening() && sl.flags&flagDead != 0 && !c.sock.dead {
		c.failf("its request was given up, and the answer is still awaited")
	}
}

func (h *simHandler) Dialed(c Conn, res *handshake.Response) {
	s := h.s
	sc := s.kernel.files[s.l.slab.at(c.slot).fd].c
	d := sc.dial
	s.tracef("%v: Dialed", sc)
	switch {
	case d == nil || d.dialed || d.failed || sc.opened:
		sc.failf("Dialed: dialed %v, opened %v, or DialFailed came before", d != nil, sc.opened)
		return
	case !d.answer.opens || sc.received < len(sc.head.octets) || !d.asked:
		sc.failf("Dialed, head %d octets of %d, which opens: %v", sc.received, len(sc.head.octets), d.answer.opens)
	case res.Status() != 101 || string(res.Subprotocol()) != d.answer.protocol:
		sc.failf("Dialed with %d, %q, want %q", res.Status(), res.Subprotocol(), d.answer.protocol)
	case c.State() != any(sc) || c.RemoteAddr() != simPeer:
		sc.failf("in Dialed: state %v, address %v", c.State(), c.RemoteAddr())
	case c.Send(1, nil) != ErrClosed || c.Close(1000, "") != ErrClosed || c.PauseRead() != ErrClosed:
		sc.failf("sends, closes or pauses in Dialed")
	}
	d.dialed = true
	if s.panics && s.rng.IntN(8) == 0 {
		c.SetState("in Dialed") // DialFailed gets what was given to Dial all the same
		sc.panicked = true
		s.panicked++
		panic(simPanic)
	}
}

func (h *simHandler) DialFailed(state any, err error) {
	s := h.s
	c, _ := state.(*simConn)
	if c == nil || c.dial == nil || c.opened || c.dial.failed || !c.gone {
		s.failf("DialFailed with %v for %v: not a Dial's state, told before, opened, or its socket is open", err, state)
		return
	}
	c.dial.failed = true
	s.tracef("%v: DialFailed with %v", c, err)
	c.dialFailed(err)
	if len(s.conns0) > 0 && !s.l.stopping { // the model takes shutting down for one step
		s.act(s.conns0[s.rng.IntN(len(s.conns0))], inClosed)
	}
}

// dialFailed judges why a connection was not opened.
func (c *simConn) dialFailed(err error) {
	s, d := c.s, c.dial
	var fault *handshake.ResponseError
	var errno syscall.Errno
	fits := false
	switch {
	case errors.As(err, &fault):
		fits = !d.answer.opens && fault.Kind == d.answer.kind && fault.Status == d.answer.status && c.received >= d.certain
	case errors.As(err, &errno):
		fits = d.told != 0 && err == d.told.Err() || c.sawReset && errno == syscall.ECONNRESET || c.unwatchable && errno == syscall.ENOMEM
	case err == ErrDialSlow:
		fits = true
		s.early(c, "handshake timeout", c.since, s.cfg.HandshakeTimeout)
	case err == ErrDialLost:
		fits = c.sawEOF && (c.received < d.certain || len(c.head.octets) == 0)
	case err == ErrShutdown:
		fits = s.shutdown
	case err == ErrMemory:
		fits = s.poor()
	case err == ErrConns:
		fits = int(s.conns.n.Load())+1 > s.cfg.MaxConns
	case err == ErrPanic:
		fits = c.panicked
	}
	if !fits {
		c.failf("DialFailed with %v; %d octets read, certain with %d, FIN %v, reset %v, connecting %v", err, c.received, d.certain, c.sawEOF, c.sawReset, d.told)
	}
}
