package conformance

// The driver without sockets: an endpoint that echoes, made of handshake and codec
// and nothing else, in either role, given the same octets in every cutting.

import (
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/oracle"
	"github.com/hybi-go/hybi/mask"
)

// keys are the masking-keys that the cases are sent with, another for each way of
// playing one: RFC 6455 §5.7's, one that shows a wrong phase, the zero key, one
// with all bits.
var keys = [...][4]byte{{0x37, 0xfa, 0x21, 0x3d}, {1, 2, 4, 8}, {}, {0xff, 0xff, 0xff, 0xff}}

// The opening handshake of RFC 6455 §1.2, §1.3.
const (
	request = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

var nonce = [16]byte([]byte("the sample nonce"))

// An endpoint echoes messages. As a client it masks with the RFC's key.
type endpoint struct {
	role    codec.Role
	request handshake.Reader         // a server's
	answer  handshake.ResponseReader // a client's
	opened  bool
	refused error

	parser  codec.Parser
	message codec.Assembler
	source  *oracle.Classes
	in, out []byte
	end     bool // a close frame came, or a fault
	err     error
	code    codec.CloseCode // of the peer's close frame
	reason  string
	fault   int64 // where the parser saw it
}

func newEndpoint(c codec.Config) *endpoint {
	e := &endpoint{role: c.Role, source: oracle.NewClasses()}
	e.parser.Reset(c)
	e.answer.Reset(&handshake.ClientRequest{Host: "server.example.com", Subprotocols: []string{"chat", "v2.chat"}}, nonce, handshake.Limits{})
	return e
}

// feed gives the endpoint what has come.
func (e *endpoint) feed(s string) {
	if e.refused != nil {
		return
	}
	e.in = append(e.in, s...)
	if !e.opened {
		e.open()
	}
	for e.opened && !e.end && e.next() {
	}
	if e.end {
		e.in = nil
	}
}

// open deals with the opening handshake, given all of it so far.
func (e *endpoint) open() {
	n := 0
	if e.role == codec.Client {
		_, n, e.refused = e.answer.Next(e.in)
	} else {
		var req handshake.Request
		var origins handshake.Origins
		if req, n, e.refused = e.request.Next(e.in); e.refused == nil && n > 0 {
			e.refused = origins.Check(&req)
		}
		var r *handshake.Refusal
		if errors.As(e.refused, &r) {
			e.out = handshake.AppendRefusal(e.out, r)
		} else if n > 0 {
			e.out, e.refused = handshake.AppendAccept(e.out, &req, &handshake.Accept{Subprotocol: req.SelectSubprotocol(subprotocols)})
		}
	}
	if e.refused == nil && n > 0 {
		e.opened, e.in = true, e.in[n:]
	}
}

// next makes one call of the parser and reports whether there is more to do.
func (e *endpoint) next() bool {
	ev, n, err := e.parser.Next(e.in)
	e.in = e.in[n:]
	var broken *codec.ProtocolError
	switch {
	case errors.As(err, &broken):
		var payload [125]byte
		p, _ := codec.AppendClosePayload(payload[:0], broken.Code, "")
		e.send(codec.OpClose, p)
		e.err, e.end, e.fault = err, true, e.parser.InputOffset()
	case ev.Opcode == codec.OpPing:
		e.send(codec.OpPong, ev.Payload)
	case ev.Opcode == codec.OpClose:
		code, reason := codec.ParseClose(ev.Payload)
		e.code, e.reason, e.end = code, string(reason), true
		e.send(codec.OpClose, ev.Payload[:min(2, len(ev.Payload))])
	case ev.Opcode == codec.OpText, ev.Opcode == codec.OpBinary:
		message, whole, err := e.message.Add(ev, e.source)
		if err != nil {
			panic(err)
		}
		if whole {
			e.send(ev.Opcode, message)
			e.message.Release(e.source)
		}
	}
	return ev.Opcode != 0
}

func (e *endpoint) send(op codec.Opcode, payload []byte) {
	e.out = codec.AppendFrame(e.out, codec.Header{FIN: true, Opcode: op, Masked: e.role == codec.Client, MaskingKey: mask.Key(keys[0])}, payload)
}

// said returns what the endpoint has sent since the last call.
func (e *endpoint) said() string {
	s := string(e.out)
	e.out = e.out[:0]
	return s
}

// finish gives back the endpoint's memory, and returns how many buffers are missing.
func (e *endpoint) finish() int {
	e.message.Release(e.source)
	return e.source.Out()
}

// A cutting says how long the next chunk of what is left may be.
type cutting struct {
	name string
	next func(left int) int
}

// single is the octets that go one by one at each end of what is sent. What lies
// between goes in chops of 997, as with Autobahn, so that the large cases end.
const single = 150

// cuttings returns the three of them; the random one is the same in every run.
func cuttings(name string) []cutting {
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(h.Sum64(), 6455))
	from := 0
	return []cutting{
		{"in one segment", func(left int) int { return left }},
		{"octet by octet", func(left int) int {
			if from = max(from, left); left > single && left < from-single {
				return 997
			}
			if left == 1 {
				from = 0 // the next is of another step
			}
			return 1
		}},
		{"cut at random", func(left int) int { return 1 + rng.IntN(max(7, left/20)) }},
	}
}

// Both roles without sockets. The answers come at the octet at which they are due,
// neither before it nor later. Hazards 1, 5, 6, 7, 8, 10, 11 and 12.
func TestSansIO(t *testing.T) {
	t.Parallel()
	for _, c := range cases() {
		t.Run(c.Name, func(t *testing.T) {
			for _, role := range []codec.Role{codec.Server, codec.Client} {
				for i, cut := range cuttings(c.Name) {
					if c.plays(role) && !t.Failed() {
						playSansIO(t, c, role, cut, keys[(i+len(c.Name))%len(keys)])
					}
				}
			}
		})
	}
}

// head returns what opens the connection for an endpoint in that role, and what
// that says to it.
func head(role codec.Role) (in, out string) {
	if role == codec.Client {
		return accepted, ""
	}
	return request, accepted
}

// reply masks what an endpoint in that role answers.
func reply(role codec.Role, s string) string {
	if role == codec.Client {
		s, _ = oracle.Mask(s, 0, keys[0])
	}
	return s
}

func playSansIO(t *testing.T, c Case, role codec.Role, cut cutting, key [4]byte) {
	e := newEndpoint(c.config(role))
	sends, rest := c.streams(role, key)
	opens, opened := head(role)
	if cut.name == "in one segment" {
		_, want := c.joined()
		e.feed(opens + strings.Join(sends, "") + rest)
		if got := e.said(); got != opened+reply(role, want) {
			t.Fatalf("%v, %s: got %.400q\nwant %.400q", role, cut.name, got, opened+reply(role, want))
		}
	} else {
		for sent := 0; sent < len(opens); {
			n := min(cut.next(len(opens)-sent), len(opens)-sent)
			e.feed(opens[sent : sent+n])
			sent += n
		}
		if got := e.said(); got != opened {
			t.Fatalf("%v, %s: opening handshake answered by %q", role, cut.name, got)
		}
		for i, s := range c.Steps {
			playStep(t, e, cut, sends[i], reply(role, s.Reply), c.Rule != 0 && i == len(c.Steps)-1)
			if t.Failed() {
				t.Fatalf("%v, %s, step %d", role, cut.name, i)
			}
		}
		for i := range rest {
			e.feed(rest[i : i+1])
			if i > 300 {
				e.feed(rest[i+1:])
				break
			}
		}
		if got := e.said(); got != "" {
			t.Fatalf("%v, %s: behind the end it says %.200q", role, cut.name, got)
		}
	}
	var broken *codec.ProtocolError
	errors.As(e.err, &broken)
	length := int64(len(strings.Join(sends, "")))
	switch {
	case (broken != nil) != (c.Rule != 0) || broken != nil && (broken.Rule != c.Rule || broken.Code != answers[c.Rule] || e.fault != length-1):
		t.Errorf("%v, %s: %v at %d, want %v at %d", role, cut.name, e.err, e.fault, c.Rule, length-1)
	case e.code != c.Code || e.reason != c.Reason:
		t.Errorf("%v, %s: close frame %d %q, want %d %q", role, cut.name, e.code, e.reason, c.Code, c.Reason)
	}
	if n := e.finish(); n != 0 {
		t.Errorf("%v, %s: %d buffers are not returned", role, cut.name, n)
	}
}

// playStep sends one step. The close frame that answers a violation must not come
// before the last octet, and no answer after it.
func playStep(t *testing.T, e *endpoint, cut cutting, send, want string, violation bool) {
	for len(send) > 0 {
		n := min(cut.next(len(send)), len(send))
		e.feed(send[:n])
		if send = send[n:]; violation && e.end && len(send) > 0 {
			t.Errorf("already failed, %d octets before it is certain", len(send))
		}
	}
	if got := e.said(); got != want {
		t.Errorf("got %.400q\nwant %.400q", got, want)
	}
}
