//go:build linux

package reactor

import (
	"testing"

	"github.com/hybi-go/hybi/codec"
)

// What the wire says, and what it must be answered: octets as they come behind
// the opening handshake, and the octets that must come back, to the FIN.
type exchange struct {
	name    string
	in, out string
	err     *codec.ProtocolError
	code    codec.CloseCode // that Closed reports; 0: the connection stays open
	reason  string
	clean   bool
}

// broken makes an exchange that ends with the octet which shows a violation.
func broken(name, in string, err *codec.ProtocolError) exchange {
	return exchange{name: name, in: in, out: closed(int(err.Code), ""), err: err, code: err.Code}
}

// said makes an exchange that ends with the client's close frame.
func said(name, in, out string, code codec.CloseCode, reason string) exchange {
	return exchange{name: name, in: in, out: out, code: code, reason: reason, clean: true}
}

// goes makes an exchange after which the connection is still open.
func goes(name, in, out string) exchange { return exchange{name: name, in: in, out: out} }

// after puts octets and their answer in front of an exchange.
func (x exchange) after(in, out string) exchange {
	x.in, x.out = in+x.in, out+x.out
	return x
}

const wireMaxMessage, wireMaxFragments = 300, 5

func violations() []exchange {
	first := func(b byte) string { return string([]byte{b}) }
	list := []exchange{
		broken("RSV1 on text", first(0xC1), codec.ErrReservedBits),
		broken("RSV2 on binary", first(0xA2), codec.ErrReservedBits),
		broken("RSV3 on text", first(0x91), codec.ErrReservedBits),
		broken("RSV1 on ping", first(0xC9), codec.ErrReservedBits),
		broken("RSV1 on continuation", first(0xC0), codec.ErrReservedBits).after(masked(0x01, "a"), ""),
		broken("fragmented ping", first(0x09), codec.ErrFragmentedControl),
		broken("fragmented pong", first(0x0A), codec.ErrFragmentedControl),
		broken("fragmented close", first(0x08), codec.ErrFragmentedControl),
		broken("continuation without a start", first(0x80), codec.ErrLoneContinuation),
		broken("continuation after a whole message", first(0x00), codec.ErrLoneContinuation).after(text("a"), textOf("a")),
		broken("text inside a message", first(0x81), codec.ErrInterruptedMessage).after(masked(0x01, "a"), ""),
		broken("binary inside a message", first(0x02), codec.ErrInterruptedMessage).after(masked(0x02, "a"), ""),
		broken("unmasked text", "\x81\x05", codec.ErrUnmasked),
		broken("unmasked close", "\x88\x00", codec.ErrUnmasked),
		broken("ping of 126", "\x89\xFE", codec.ErrControlTooLong),
		broken("pong with the longest form", "\x8A\xFF", codec.ErrControlTooLong),
		broken("close of 126", "\x88\xFE", codec.ErrControlTooLong),
		broken("close of one octet", "\x88\x81", codec.ErrClosePayload),
		broken("125 in sixteen bits", "\x82\xFE\x00\x7D", codec.ErrNonMinimalLength),
		broken("zero in sixteen bits", "\x82\xFE\x00\x00", codec.ErrNonMinimalLength),
		broken("65535 in 64 bits", "\x82\xFF\x00\x00\x00\x00\x00\x00", codec.ErrNonMinimalLength),
		broken("top bit of the length", "\x82\xFF\x80", codec.ErrLengthTopBit),
		broken("2^63-1 octets", "\x82\xFF\x7F", codec.ErrMessageTooBig),
		broken("one over the limit", "\x82\xFE\x01\x2D", codec.ErrMessageTooBig),
		broken("over the limit by fragments", "\x80\xFE\x01\x2C", codec.ErrMessageTooBig).after(masked(0x02, "a"), ""),
		broken("too many empty fragments", first(0x00), codec.ErrTooManyFragments).after(masked(0x02, "")+repeat(masked(0x00, ""), wireMaxFragments-1), ""),
		broken("text that is not UTF-8", maskedHeader(0x81, 100)+maskedBytes("ab\xFF"), codec.ErrTextUTF8),
		broken("an overlong form", maskedHeader(0x81, 100)+maskedBytes("\xC0"), codec.ErrTextUTF8),
		broken("a surrogate", maskedHeader(0x81, 100)+maskedBytes("\xED\xA0"), codec.ErrTextUTF8),
		broken("above U+10FFFF", maskedHeader(0x81, 100)+maskedBytes("\xF4\x90"), codec.ErrTextUTF8),
		broken("a code point cut by the end", maskedHeader(0x81, 2)+maskedBytes("\xE2"), codec.ErrTextUTF8),
		broken("a code point cut by a fragment, not continued", maskedHeader(0x80, 9)+maskedBytes("x"), codec.ErrTextUTF8).after(masked(0x01, "\xE2\x82"), ""),
		broken("a close reason that is not UTF-8", maskedHeader(0x88, 50)+maskedBytes("\x03\xE8ab\xFF"), codec.ErrCloseReasonUTF8),
	}
	for _, op := range []byte{0x83, 0x84, 0x85, 0x86, 0x87, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F} {
		list = append(list, broken("reserved opcode "+codec.Opcode(op&15).String(), first(op), codec.ErrReservedOpcode))
	}
	for _, code := range []int{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		payload := string([]byte{byte(code >> 8), byte(code)})
		if hi := payload[0]; hi != 3 && (hi < 0x0B || hi > 0x13) {
			payload = payload[:1] // is enough
		}
		list = append(list, broken("close code "+codec.CloseCode(code).String(), maskedHeader(0x88, 2)+maskedBytes(payload), codec.ErrCloseCode))
	}
	var all []exchange
	for _, x := range list {
		all = append(all, x)
		behind := x.after(text("before")+ping("p")+binaryOf("b"), textOf("before")+pongOf("p")+plain(0x82, "b"))
		behind.name += ", behind messages"
		all = append(all, behind)
	}
	return all
}

// maskedBytes masks payload that begins a frame.
func maskedBytes(s string) string { return masked(0x82, s)[6:] }

func rightful() []exchange {
	reason := letters(codec.MaxCloseReason)
	list := []exchange{
		goes("text", text("hello"), textOf("hello")),
		goes("empty messages", text("")+binaryOf(""), textOf("")+plain(0x82, "")),
		goes("lengths of all forms", binaryOf(letters(125))+binaryOf(letters(126))+binaryOf(letters(300)),
			plain(0x82, letters(125))+plain(0x82, letters(126))+plain(0x82, letters(300))),
		goes("ping", ping("abc"), pongOf("abc")),
		goes("ping, empty and full", ping("")+ping(letters(125)), pongOf("")+pongOf(letters(125))),
		goes("pong unasked", masked(0x8A, "x")+text("a"), textOf("a")),
		goes("ping in its place", text("1")+ping("2")+text("3"), textOf("1")+pongOf("2")+textOf("3")),
		goes("fragments", masked(0x01, "Hel")+masked(0x00, "l")+masked(0x80, "o"), textOf("Hello")),
		goes("as many fragments as allowed", masked(0x02, "1")+masked(0x00, "2")+masked(0x00, "")+masked(0x00, "4")+masked(0x80, "5"), plain(0x82, "1245")),
		goes("control frames between fragments", masked(0x01, "a")+ping("p1")+masked(0x00, "b")+ping("p2")+masked(0x8A, "")+masked(0x80, "c"),
			pongOf("p1")+pongOf("p2")+textOf("abc")),
		goes("a code point cut by fragments", masked(0x01, "\xF0\x9F")+masked(0x00, "\x98")+masked(0x80, "\x80"), textOf("😀")),
		goes("text of all lengths of code points", text("aé€😀 \x00")+text("\xEF\xBF\xBF"), textOf("aé€😀 \x00")+textOf("\xEF\xBF\xBF")),
		goes("binary that is not UTF-8", binaryOf("\xFF\xFE\xC0"), plain(0x82, "\xFF\xFE\xC0")),
		goes("key of zeros", "\x81\x82\x00\x00\x00\x00hi", textOf("hi")),
		said("close without a code", masked(0x88, ""), plain(0x88, ""), codec.CloseNoStatus, ""),
		said("close with a reason", closing(1000, "thanks"), closed(1000, ""), 1000, "thanks"),
		said("close with the longest reason", closing(3000, reason), closed(3000, ""), 3000, reason),
		said("close inside a fragmented message", masked(0x01, "a\xC3")+closing(1001, ""), closed(1001, ""), 1001, ""),
		said("close behind messages", text("1")+ping("2")+text("3")+closing(1000, ""), textOf("1")+pongOf("2")+textOf("3")+closed(1000, ""), 1000, ""),
		said("data after the close frame", closing(1000, "")+text("more")+ping("x")+"\xFF\xFF\xFF\xFF"+closing(1002, ""), closed(1000, ""), 1000, ""),
	}
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		list = append(list, said("close code "+codec.CloseCode(code).String(), closing(code, "é"), closed(code, ""), codec.CloseCode(code), "é"))
	}
	return list
}

// The ways to cut the octets.
var cuttings = []struct {
	name  string
	write func(c *client, s string)
}{
	{"whole", (*client).write},
	{"octets", (*client).writeOctets},
	{"cuts", (*client).writeRandom},
}

func TestWire(t *testing.T) {
	g := start(t, Config{MaxMessage: wireMaxMessage, MaxFragments: wireMaxFragments}, nil)
	for _, x := range append(rightful(), violations()...) {
		for _, cut := range cuttings {
			t.Run(x.name+"/"+cut.name, func(t *testing.T) {
				g.t = t
				g.play(x, g.open(), cut.write)
			})
		}
	}
	g.t = t
	g.stop()
}

// play plays x on an open connection and checks all that can be seen of it.
func (g *rig) play(x exchange, c *client, write func(*client, string)) {
	g.t.Helper()
	before := g.r.Stats()
	write(c, x.in)
	c.expect(x.out)
	if x.code == 0 {
		c.silent()
		c.bye()
		await(g.t, "Closed", g.p.ends)
		return
	}
	c.eof()
	info := await(g.t, "Closed", g.p.ends)
	want := CloseInfo{Code: x.code, Reason: x.reason, Clean: x.clean, Remote: x.clean}
	if x.err != nil {
		want.Err = x.err
		want.Offset = int64(len(x.in) - 1) // of the last octet, which shows it
	} else {
		want.Offset = info.Offset
	}
	if info != want {
		g.t.Errorf("Closed with %+v, want %+v", info, want)
	}
	after := g.r.Stats()
	for rule := range after.ProtocolErrors {
		grown := after.ProtocolErrors[rule] - before.ProtocolErrors[rule]
		if is := x.err != nil && x.err.Rule == codec.Rule(rule); (grown == 1) != is {
			g.t.Errorf("counter of %v grew by %d", codec.Rule(rule), grown)
		}
	}
	if clean := after.ClosedClean - before.ClosedClean; (clean == 1) != x.clean {
		g.t.Errorf("ClosedClean grew by %d", clean)
	}
	c.Close()
}

// Frames in the segment of the request are served; so is a request that comes
// octet by octet. Hazard 19.
func TestFramesBehindRequest(t *testing.T) {
	g := start(t, Config{MaxMessage: wireMaxMessage, MaxFragments: wireMaxFragments}, nil)
	for _, x := range []exchange{
		goes("messages", text("1")+ping("2")+text("3"), textOf("1")+pongOf("2")+textOf("3")),
		goes("cut", masked(0x01, "1")+masked(0x80, "2")[:7], textOf("12")),
		said("close", closing(1000, ""), closed(1000, ""), 1000, ""),
		broken("violation", "\x80", codec.ErrLoneContinuation),
		broken("violation behind a message", "\x80", codec.ErrLoneContinuation).after(text("1"), textOf("1")),
	} {
		for _, cut := range cuttings {
			t.Run(x.name+"/"+cut.name, func(t *testing.T) {
				g.t = t
				g.play(x, g.dial(), func(c *client, in string) {
					cut.write(c, request()+in)
					c.expect(accepted)
				})
			})
		}
	}
	g.t = t
	g.stop()
}

// Replies to what came before do not wait for the rest of a message.
func TestReplyBeforeRest(t *testing.T) {
	g := start(t, Config{}, nil)
	c := g.open()
	whole := text(letters(1000))
	c.write(text("a") + whole[:500])
	c.expect(textOf("a"))
	c.write(whole[500:])
	c.expect(textOf(letters(1000)))
	c.bye()
}
