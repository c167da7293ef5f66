package oracle

import (
	"fmt"
	"strings"

	"github.com/hybi-go/hybi/codec"
)

// A Case is a stream and what it means. Want is the events as Event.String
// writes them, a space between them.
type Case struct {
	Name    string
	Section string // of RFC 6455, unless another is named
	Wire    string
	Want    string
	Rule    codec.Rule
	At      int // the offset of the octet at fault; without a fault, the octets understood

	Role         codec.Role
	MaxMessage   int64
	MaxFragments int
}

// Config returns what a Parser for c is Reset with.
func (c Case) Config() codec.Config {
	return codec.Config{Role: c.Role, MaxMessage: c.MaxMessage, MaxFragments: c.MaxFragments}
}

// The keys that the unmasked table is masked with: RFC 6455 §5.7's; one that
// shows a wrong phase; and the all-zero key, which is legal (§5.3) and leaves
// the payload readable.
var maskingKeys = [][4]byte{{0x37, 0xfa, 0x21, 0x3d}, {1, 2, 4, 8}, {}}

// Cases returns every case: those below in both roles where they make sense.
func Cases() []Case {
	all := append([]Case{}, oneRole...)
	for _, c := range bothRoles() {
		name := c.Name
		c.Role, c.Name = codec.Client, name+"/client"
		all = append(all, c)
		for _, key := range maskingKeys {
			masked := c
			masked.Role, masked.Name = codec.Server, fmt.Sprintf("%s/server key %x", name, key)
			masked.Wire, masked.At = Mask(c.Wire, c.At, key)
			all = append(all, masked)
		}
	}
	return all
}

// Mask returns an unmasked stream as a client would send it, and where the
// octet at stands in that.
func Mask(wire string, at int, key [4]byte) (string, int) {
	var out strings.Builder
	shifted := at
	for i := 0; i < len(wire); {
		head := 2
		if i+1 < len(wire) {
			head += map[byte]int{126: 2, 127: 8}[wire[i+1]]
		}
		length := uint64(0)
		for j := range head {
			if i+j == len(wire) {
				return out.String(), shifted
			}
			octet := wire[i+j]
			switch {
			case j == 1:
				length = uint64(octet)
				octet |= 0x80
			case j == 2:
				length = uint64(octet)
			case j > 2:
				length = length<<8 | uint64(octet)
			}
			out.WriteByte(octet)
		}
		i += head
		out.Write(key[:])
		if at >= i {
			shifted += len(key)
		}
		for j := uint64(0); j < length && i < len(wire); j++ {
			out.WriteByte(wire[i] ^ key[j%4])
			i++
		}
	}
	return out.String(), shifted
}

// oneRole are streams as they stand: golden masked octets, and what depends on
// the role.
var oneRole = []Case{
	{Name: "masked text", Section: "5.7", Wire: "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Want: `text["Hello"]`, At: 11},
	{Name: "masked pong", Section: "5.7", Wire: "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Want: `pong["Hello"]`, At: 11},
	{Name: "Hello World!", Section: "5.3",
		Wire: "\x81\x8c\xff\xb8\xbd\xbd\xb7\xdd\xd1\xd1\x90\x98\xea\xd2\x8d\xd4\xd9\x9c", Want: `text["Hello World!"]`, At: 18},
	{Name: "another key for each fragment", Section: "5.3",
		Wire: "\x01\x83\x01\x02\x03\x04Igo\x80\x82\xf0\x00\xf0\x00\x9co", Want: `text["Hello"]`, At: 17},
	{Name: "unmasked to a server", Section: "5.1", Wire: "\x81\x05Hello", Rule: codec.RuleUnmasked, At: 1},
	{Name: "unmasked ping to a server", Section: "5.1", Wire: "\x89\x00", Rule: codec.RuleUnmasked, At: 1},
	{Name: "unmasked close to a server", Section: "5.1", Wire: "\x88\x02\x03\xe8", Rule: codec.RuleUnmasked, At: 1},
	{Name: "unmasked continuation to a server", Section: "5.1", Wire: "\x01\x81\x00\x00\x00\x00a\x80\x01b",
		Want: `text["a"…`, Rule: codec.RuleUnmasked, At: 8},
	{Name: "unmasked comes before a bad length", Section: "5.1", Wire: "\x89\x7e", Rule: codec.RuleUnmasked, At: 1},
	{Name: "masked to a client", Section: "5.1", Role: codec.Client, Wire: "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Rule: codec.RuleMasked, At: 1},
	{Name: "masked ping to a client", Section: "5.1", Role: codec.Client, Wire: "\x89\x80\x00\x00\x00\x00", Rule: codec.RuleMasked, At: 1},
	{Name: "masked continuation to a client", Section: "5.1", Role: codec.Client, Wire: "\x01\x01a\x80\x81\x00\x00\x00\x00b",
		Want: `text["a"…`, Rule: codec.RuleMasked, At: 4},
	{Name: "masked comes before a bad length", Section: "5.1", Role: codec.Client, Wire: "\x88\x81", Rule: codec.RuleMasked, At: 1},
	{Name: "key cut", Section: "5.2", Wire: "\x82\x81\x01\x02\x03", At: 0},
	{Name: "header whole, payload to come", Section: "5.2", Wire: "\x82\x81\x01\x02\x03\x04", Want: `binary[""…`, At: 6},
}

// bothRoles are streams as a server sends them; Cases masks them for the other
// direction.
func bothRoles() []Case {
	kib64 := strings.Repeat("0123456789abcdef", 4096)
	all := []Case{
		{Name: "text", Section: "5.7", Wire: "\x81\x05Hello", Want: `text["Hello"]`, At: 7},
		{Name: "fragmented text", Section: "5.7", Wire: "\x01\x03Hel\x80\x02lo", Want: `text["Hello"]`, At: 9},
		{Name: "ping and pong", Section: "5.7", Wire: "\x89\x05Hello\x8a\x05Hello", Want: `ping["Hello"] pong["Hello"]`, At: 14},
		{Name: "256 octets", Section: "5.7", Wire: "\x82\x7e\x01\x00" + kib64[:256], Want: "binary[\"" + kib64[:256] + "\"]", At: 260},
		{Name: "64 KiB", Section: "5.7", Wire: "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + kib64, Want: "binary[\"" + kib64 + "\"]", At: 65546},
		{Name: "nothing", Section: "5.2", Wire: "", At: 0},
	}
	for _, group := range [][]Case{framing, lengths, closes, texts, limits} {
		all = append(all, group...)
	}
	return all
}

var framing = []Case{
	{Name: "empty text", Section: "5.6", Wire: "\x81\x00", Want: `text[""]`, At: 2},
	{Name: "empty binary", Section: "5.6", Wire: "\x82\x00", Want: `binary[""]`, At: 2},
	{Name: "empty fragments", Section: "5.4", Wire: "\x02\x00\x00\x00\x00\x00\x80\x00", Want: `binary[""]`, At: 8},
	{Name: "two messages", Section: "5.4", Wire: "\x81\x01a\x82\x01b", Want: `text["a"] binary["b"]`, At: 6},
	{Name: "white space stays", Section: "5.6", Wire: "\x81\x05 \t\r\n ", Want: `text[" \t\r\n "]`, At: 7},
	{Name: "NUL and 0xFF are payload", Section: "5.6", Wire: "\x82\x03\x00\xff\x00", Want: `binary["\x00\xff\x00"]`, At: 5},
	{Name: "ping between fragments", Section: "5.4", Wire: "\x01\x03Hel\x89\x01x\x80\x02lo", Want: `text["Hel"… ping["x"] text…"lo"]`, At: 12},
	{Name: "pings between empty fragments", Section: "5.5", Wire: "\x01\x00\x89\x00\x8a\x00\x00\x00\x89\x00\x80\x00",
		Want: `text[""… ping[""] pong[""] text…""… ping[""] text…""]`, At: 12},
	{Name: "ping of 125", Section: "5.5", Wire: "\x89\x7d" + ping125, Want: "ping[\"" + ping125 + "\"]", At: 127},
	{Name: "first octet only", Section: "5.2", Wire: "\x81", At: 0},
	{Name: "ping cut", Section: "5.5", Wire: "\x81\x01a\x89\x02x", Want: `text["a"]`, At: 3},
	{Name: "payload cut", Section: "5.2", Wire: "\x81\x03He", Want: `text["He"…`, At: 4},
	{Name: "message cut between fragments", Section: "5.4", Wire: "\x01\x02He", Want: `text["He"…`, At: 4},

	{Name: "RSV1", Section: "5.2", Wire: "\xc1\x00", Rule: codec.RuleReservedBits, At: 0},
	{Name: "RSV2", Section: "5.2", Wire: "\xa2\x00", Rule: codec.RuleReservedBits, At: 0},
	{Name: "RSV3", Section: "5.2", Wire: "\x91\x00", Rule: codec.RuleReservedBits, At: 0},
	{Name: "RSV1 alone", Section: "5.2", Wire: "\xc1", Rule: codec.RuleReservedBits, At: 0},
	{Name: "RSV1 on a ping", Section: "5.2", Wire: "\xc9\x00", Rule: codec.RuleReservedBits, At: 0},
	{Name: "RSV1 on a continuation", Section: "5.2", Wire: "\x01\x01a\xc0\x01b", Want: `text["a"…`, Rule: codec.RuleReservedBits, At: 3},
	{Name: "RSV comes before the opcode", Section: "5.2", Wire: "\xff", Rule: codec.RuleReservedBits, At: 0},
	{Name: "opcode 3", Section: "5.2", Wire: "\x83\x00", Rule: codec.RuleReservedOpcode, At: 0},
	{Name: "opcode 4", Section: "5.2", Wire: "\x84\x00", Rule: codec.RuleReservedOpcode, At: 0},
	{Name: "opcode 5", Section: "5.2", Wire: "\x85\x00", Rule: codec.RuleReservedOpcode, At: 0},
	{Name: "opcode 6", Section: "5.2", Wire: "\x86\x00", Rule: codec.RuleReservedOpcode, At: 0},
	{Name: "opcode 7", Section: "5.2", Wire: "\x07\x00", Rule: codec.RuleReservedOpcode, At: 0},
	{Name: "opcode B", Section: "5.2", Wire: "\x8b\x00", Rule: codec.RuleReservedOpcode, At: 0},
	{Name: "opcode C", Section: "5.2", Wire: "\x8c\x00", Rule: codec.RuleReservedOpcode, At: 0},
	{Name: "opcode D", Section: "5.2", Wire: "\x8d\x00", Rule: codec.RuleReservedOpcode, At: 0},
	{Name: "opcode E", Section: "5.2", Wire: "\x8e\x00", Rule: codec.RuleReservedOpcode, At: 0},
	{Name: "opcode F without FIN", Section: "5.2", Wire: "\x0f\x00", Rule: codec.RuleReservedOpcode, At: 0},
	{Name: "reserved opcode inside a message", Section: "5.2", Wire: "\x01\x00\x83\x00", Want: `text[""…`, Rule: codec.RuleReservedOpcode, At: 2},
	{Name: "fragmented ping", Section: "5.5", Wire: "\x09\x00", Rule: codec.RuleFragmentedControl, At: 0},
	{Name: "fragmented pong", Section: "5.5", Wire: "\x0a\x00", Rule: codec.RuleFragmentedControl, At: 0},
	{Name: "fragmented close", Section: "5.5", Wire: "\x08\x00", Rule: codec.RuleFragmentedControl, At: 0},
	{Name: "continuation first", Section: "5.4", Wire: "\x80\x01a", Rule: codec.RuleLoneContinuation, At: 0},
	{Name: "continuation without FIN first", Section: "5.4", Wire: "\x00\x01a", Rule: codec.RuleLoneContinuation, At: 0},
	{Name: "continuation after a whole message", Section: "5.4", Wire: "\x81\x01a\x80\x01b", Want: `text["a"]`, Rule: codec.RuleLoneContinuation, At: 3},
	{Name: "continuation after the last", Section: "5.4", Wire: "\x01\x01a\x80\x01b\x80\x01c", Want: `text["ab"]`, Rule: codec.RuleLoneContinuation, At: 6},
	{Name: "text inside a message", Section: "5.4", Wire: "\x01\x01a\x81\x01b", Want: `text["a"…`, Rule: codec.RuleInterruptedMessage, At: 3},
	{Name: "binary inside a message", Section: "5.4", Wire: "\x02\x00\x02\x01b", Want: `binary[""…`, Rule: codec.RuleInterruptedMessage, At: 2},
	{Name: "text inside a message, after a ping", Section: "5.4", Wire: "\x02\x00\x89\x00\x81", Want: `binary[""… ping[""]`, Rule: codec.RuleInterruptedMessage, At: 4},
}

var ping125 = strings.Repeat("p", 125)

var lengths = []Case{
	{Name: "ping of 126", Section: "5.5", Wire: "\x89\x7e\x00\x7e", Rule: codec.RuleControlTooLong, At: 1},
	{Name: "pong of 126, cut", Section: "5.5", Wire: "\x8a\x7e", Rule: codec.RuleControlTooLong, At: 1},
	{Name: "close of 64-bit length", Section: "5.5", Wire: "\x88\x7f\x00", Rule: codec.RuleControlTooLong, At: 1},
	{Name: "ping of 1 in long form", Section: "5.5", Wire: "\x89\x7e\x00\x01", Rule: codec.RuleControlTooLong, At: 1},
	{Name: "125 in 16 bits", Section: "5.2", Wire: "\x82\x7e\x00\x7d", Rule: codec.RuleNonMinimalLength, At: 3},
	{Name: "0 in 16 bits", Section: "5.2", Wire: "\x82\x7e\x00\x00", Rule: codec.RuleNonMinimalLength, At: 3},
	{Name: "126 in 16 bits", Section: "5.2", Wire: "\x82\x7e\x00\x7e", Want: `binary[""…`, At: 4},
	{Name: "16-bit length cut", Section: "5.2", Wire: "\x82\x7e\x00", At: 0},
	{Name: "65535 in 64 bits", Section: "5.2", Wire: "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", Rule: codec.RuleNonMinimalLength, At: 7},
	{Name: "6 octets of 0 in 64 bits", Section: "5.2", Wire: "\x82\x7f\x00\x00\x00\x00\x00\x00", Rule: codec.RuleNonMinimalLength, At: 7},
	{Name: "5 octets of 0 in 64 bits", Section: "5.2", Wire: "\x82\x7f\x00\x00\x00\x00\x00", At: 0},
	{Name: "65536 in 64 bits", Section: "5.2", Wire: "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", Want: `binary[""…`, At: 10},
	{Name: "2^63-1", Section: "5.2", Wire: "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffab", Want: `binary["ab"…`, At: 12},
	{Name: "2^63", Section: "5.2", Wire: "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", Rule: codec.RuleLengthTopBit, At: 2},
	{Name: "-1", Section: "5.2", Wire: "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", Rule: codec.RuleLengthTopBit, At: 2},
	{Name: "top bit by the first octet", Section: "5.2", Wire: "\x82\x7f\x80", Rule: codec.RuleLengthTopBit, At: 2},
	{Name: "fragments of 2^63", Section: "5.2", Wire: "\x02\x01a\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", Want: `binary["a"…`, Rule: codec.RuleMessageTooBig, At: 12},
	{Name: "fragments of 2^63-1", Section: "5.2", Wire: "\x02\x01a\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xfe", Want: `binary["a"…`, At: 13},
}

var closes = []Case{
	{Name: "close without a code", Section: "5.5.1", Wire: "\x88\x00", Want: `close[""]`, At: 2},
	{Name: "close 1000", Section: "7.4.1", Wire: "\x88\x02\x03\xe8", Want: `close["\x03\xe8"]`, At: 4},
	{Name: "close with a reason", Section: "5.5.1", Wire: "\x88\x09\x03\xe9\xc2\xa1Adi\xc3\xb3", Want: `close["\x03\xe9¡Adió"]`, At: 11},
	{Name: "after close: ignored", Section: "5.5.1", Wire: "\x88\x02\x03\xe8\x81\x01a\xff\xff\x00", Want: `close["\x03\xe8"]`, At: 10},
	{Name: "after an empty close: ignored", Section: "5.5.1", Wire: "\x88\x00\x88\x01\x00", Want: `close[""]`, At: 5},
	{Name: "close inside a message", Section: "5.5.1", Wire: "\x01\x03Hel\x88\x00", Want: `text["Hel"… close[""]`, At: 7},
	{Name: "close inside a code point", Section: "5.5.1", Wire: "\x01\x01\xc3\x88\x02\x03\xe8\x80\x00", Want: "text[\"\\xc3\"… close[\"\\x03\\xe8\"]", At: 9},
	{Name: "close cut", Section: "5.5.1", Wire: "\x88\x02\x03", At: 0},
	{Name: "close of one octet", Section: "5.5.1", Wire: "\x88\x01\x03", Rule: codec.RuleClosePayload, At: 1},
	{Name: "close of one octet, cut", Section: "5.5.1", Wire: "\x81\x00\x88\x01", Want: `text[""]`, Rule: codec.RuleClosePayload, At: 3},
	{Name: "close 1005", Section: "7.4.1", Wire: "\x88\x02\x03\xed", Rule: codec.RuleCloseCode, At: 3},
	{Name: "close 1004", Section: "7.4.1", Wire: "\x88\x02\x03\xec", Rule: codec.RuleCloseCode, At: 3},
	{Name: "close 1006", Section: "7.4.1", Wire: "\x88\x02\x03\xee", Rule: codec.RuleCloseCode, At: 3},
	{Name: "close 1007", Section: "7.4.1", Wire: "\x88\x02\x03\xef", Want: `close["\x03\xef"]`, At: 4},
	{Name: "close 1014", Section: "11.7", Wire: "\x88\x02\x03\xf6", Want: `close["\x03\xf6"]`, At: 4},
	{Name: "close 1015", Section: "7.4.1", Wire: "\x88\x02\x03\xf7", Rule: codec.RuleCloseCode, At: 3},
	{Name: "close 1016", Section: "7.4.2", Wire: "\x88\x02\x03\xf8", Rule: codec.RuleCloseCode, At: 3},
	{Name: "close 2999", Section: "7.4.2", Wire: "\x88\x02\x0b\xb7", Rule: codec.RuleCloseCode, At: 3},
	{Name: "close 3000", Section: "7.4.2", Wire: "\x88\x02\x0b\xb8", Want: `close["\v\xb8"]`, At: 4},
	{Name: "close 4999", Section: "7.4.2", Wire: "\x88\x02\x13\x87", Want: `close["\x13\x87"]`, At: 4},
	{Name: "close 999", Section: "7.4.2", Wire: "\x88\x02\x03\xe7", Rule: codec.RuleCloseCode, At: 3},
	{Name: "close 5000", Section: "7.4.2", Wire: "\x88\x02\x13\x88", Rule: codec.RuleCloseCode, At: 3},
	{Name: "close 0: by the first octet", Section: "7.4.2", Wire: "\x88\x02\x00", Rule: codec.RuleCloseCode, At: 2},
	{Name: "close 65535: by the first octet", Section: "7.4.2", Wire: "\x88\x02\xff\xff", Rule: codec.RuleCloseCode, At: 2},
	{Name: "close 2000: by the first octet", Section: "7.4.2", Wire: "\x88\x03\x07\xd0a", Rule: codec.RuleCloseCode, At: 2},
	{Name: "code before the reason", Section: "5.5.1", Wire: "\x88\x03\x03\xed\xff", Rule: codec.RuleCloseCode, At: 3},
	{Name: "reason not UTF-8", Section: "5.5.1", Wire: "\x88\x05\x03\xe8a\xffb", Rule: codec.RuleCloseReasonUTF8, At: 5},
	{Name: "reason not UTF-8, cut", Section: "5.5.1", Wire: "\x88\x7d\x03\xe8a\xff", Rule: codec.RuleCloseReasonUTF8, At: 5},
	{Name: "reason ends inside a code point", Section: "5.5.1", Wire: "\x88\x05\x03\xe8a\xe2\x82", Rule: codec.RuleCloseReasonUTF8, At: 5},
	{Name: "reason too short, and wrong after", Section: "5.5.1", Wire: "\x88\x05\x03\xe8a\xe2b", Rule: codec.RuleCloseReasonUTF8, At: 5},
	{Name: "reason is a surrogate", Section: "RFC 3629 3", Wire: "\x88\x05\x03\xe8\xed\xa0\x80", Rule: codec.RuleCloseReasonUTF8, At: 5},
	{Name: "reason of 123", Section: "5.5", Wire: "\x88\x7d\x0f\xa0" + ping125[:123], Want: "close[\"\\x0f\\xa0" + ping125[:123] + "\"]", At: 127},
}

var texts = []Case{
	{Name: "κόσμε", Section: "8.1", Wire: "\x81\x0b\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", Want: "text[\"\u03ba\u1f79\u03c3\u03bc\u03b5\"]", At: 13},
	{Name: "bounds of each length", Section: "RFC 3629 3",
		Wire: "\x81\x14\x00\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
		Want: `text["\x00\x7f\u0080` + "\u07ff\u0800" + `\uffff` + "\U00010000" + `\U0010ffff"]`, At: 22},
	{Name: "code point cut by fragments", Section: "5.4", Wire: "\x01\x01\xf0\x00\x01\x9f\x00\x00\x00\x01\x98\x80\x01\x80", Want: `text["😀"]`, At: 14},
	{Name: "code point cut by a ping", Section: "5.4", Wire: "\x01\x01\xc3\x89\x02\xc3\x28\x80\x01\xb3", Want: `text["\xc3"… ping["\xc3("] text…"\xb3"]`, At: 10},
	{Name: "binary need not be UTF-8", Section: "5.6", Wire: "\x82\x02\xc3\x28", Want: `binary["\xc3("]`, At: 4},
	{Name: "lone tail", Section: "8.1", Wire: "\x81\x03a\x80b", Want: `text["a"…`, Rule: codec.RuleTextUTF8, At: 3},
	{Name: "first octet at fault", Section: "8.1", Wire: "\x81\x01\xff", Want: `text[""…`, Rule: codec.RuleTextUTF8, At: 2},
	{Name: "overlong of two", Section: "RFC 3629 3", Wire: "\x81\x02\xc0\xaf", Want: `text[""…`, Rule: codec.RuleTextUTF8, At: 2},
	{Name: "overlong of two, C1", Section: "RFC 3629 3", Wire: "\x81\x02\xc1\xbf", Want: `text[""…`, Rule: codec.RuleTextUTF8, At: 2},
	{Name: "overlong of three", Section: "RFC 3629 3", Wire: "\x81\x03\xe0\x9f\xbf", Want: `text["\xe0"…`, Rule: codec.RuleTextUTF8, At: 3},
	{Name: "overlong of four", Section: "RFC 3629 3", Wire: "\x81\x04\xf0\x8f\xbf\xbf", Want: `text["\xf0"…`, Rule: codec.RuleTextUTF8, At: 3},
	{Name: "lowest surrogate", Section: "RFC 3629 3", Wire: "\x81\x03\xed\xa0\x80", Want: `text["\xed"…`, Rule: codec.RuleTextUTF8, At: 3},
	{Name: "highest surrogate", Section: "RFC 3629 3", Wire: "\x81\x03\xed\xbf\xbf", Want: `text["\xed"…`, Rule: codec.RuleTextUTF8, At: 3},
	{Name: "beside the surrogates", Section: "RFC 3629 3", Wire: "\x81\x06\xed\x9f\xbf\xee\x80\x80", Want: `text["\ud7ff\ue000"]`, At: 8},
	{Name: "above U+10FFFF", Section: "RFC 3629 3", Wire: "\x81\x04\xf4\x90\x80\x80", Want: `text["\xf4"…`, Rule: codec.RuleTextUTF8, At: 3},
	{Name: "F5", Section: "RFC 3629 3", Wire: "\x81\x04\xf5\x80\x80\x80", Want: `text[""…`, Rule: codec.RuleTextUTF8, At: 2},
	{Name: "ends inside a code point of two", Section: "8.1", Wire: "\x81\x02a\xc3", Want: `text["a"…`, Rule: codec.RuleTextUTF8, At: 3},
	{Name: "ends inside a code point of three", Section: "8.1", Wire: "\x81\x03a\xe2\x82", Want: `text["a"…`, Rule: codec.RuleTextUTF8, At: 3},
	{Name: "ends inside a code point of four", Section: "8.1", Wire: "\x81\x04a\xf0\x9f\x98", Want: `text["a"…`, Rule: codec.RuleTextUTF8, At: 3},
	{Name: "too short, and wrong after", Section: "8.1", Wire: "\x81\x03a\xe2b", Want: `text["a"…`, Rule: codec.RuleTextUTF8, At: 3},
	{Name: "too short, and wrong at the end", Section: "8.1", Wire: "\x81\x04a\xf0\x9fb", Want: `text["a"…`, Rule: codec.RuleTextUTF8, At: 3},
	{Name: "last fragment ends inside", Section: "8.1", Wire: "\x01\x01a\x80\x02b\xe2", Want: `text["ab"…`, Rule: codec.RuleTextUTF8, At: 6},
	{Name: "last fragment empty, inside", Section: "8.1", Wire: "\x01\x01\xc3\x80\x00", Want: `text["\xc3"…`, Rule: codec.RuleTextUTF8, At: 4},
	{Name: "last fragment too short for the rest", Section: "8.1", Wire: "\x01\x01\xf0\x80\x02\x9f\x98", Want: `text["\xf0"…`, Rule: codec.RuleTextUTF8, At: 4},
	{Name: "last fragment long enough", Section: "8.1", Wire: "\x01\x02\xe2\x82\x80\x01\xac", Want: `text["€"]`, At: 7},
	{Name: "second fragment wrong", Section: "8.1", Wire: "\x01\x01\xe2\x00\x02\x82\x28", Want: `text["\xe2\x82"…`, Rule: codec.RuleTextUTF8, At: 6},
	{Name: "first octet of second fragment wrong", Section: "8.1", Wire: "\x01\x01\xe2\x89\x00\x00\x05hello", Want: `text["\xe2"… ping[""] text…""…`, Rule: codec.RuleTextUTF8, At: 7},
	{Name: "state does not leak into the next message", Section: "8.1", Wire: "\x81\x02\xc3\xb3\x81\x01\xb3", Want: `text["ó"] text[""…`, Rule: codec.RuleTextUTF8, At: 6},
	{Name: "told before the frame is whole", Section: "8.1", Wire: "\x81\x7d\xff", Want: `text[""…`, Rule: codec.RuleTextUTF8, At: 2},
	{Name: "fault at the sixteenth octet, ASCII behind", Section: "8.1", Wire: "\x81\x20ééééééé.\xe2" + ping125[:16], Want: "text[\"ééééééé.\\xe2\"…",
		Rule: codec.RuleTextUTF8, At: 18},
	{Name: "fault behind ASCII", Section: "8.1", Wire: "\x81\x20" + ping125[:30] + "\x80a", Want: "text[\"" + ping125[:30] + "\"…", Rule: codec.RuleTextUTF8, At: 32},
}

var limits = []Case{
	{Name: "at the limit", Section: "10.4", MaxMessage: 5, Wire: "\x81\x05Hello", Want: `text["Hello"]`, At: 7},
	{Name: "one over", Section: "10.4", MaxMessage: 5, Wire: "\x81\x06Hello!", Rule: codec.RuleMessageTooBig, At: 1},
	{Name: "each message by itself", Section: "10.4", MaxMessage: 1, Wire: "\x81\x01a\x81\x01b", Want: `text["a"] text["b"]`, At: 6},
	{Name: "fragments at the limit", Section: "10.4", MaxMessage: 5, Wire: "\x01\x03Hel\x80\x02lo", Want: `text["Hello"]`, At: 9},
	{Name: "fragments one over", Section: "10.4", MaxMessage: 5, Wire: "\x01\x03Hel\x80\x03lo!", Want: `text["Hel"…`, Rule: codec.RuleMessageTooBig, At: 6},
	{Name: "empty fragment at the limit", Section: "10.4", MaxMessage: 1, Wire: "\x01\x01a\x00\x00\x80\x00", Want: `text["a"]`, At: 7},
	{Name: "control frames do not count", Section: "10.4", MaxMessage: 3, Wire: "\x01\x03Hel\x89\x05Hello\x80\x00", Want: `text["Hel"… ping["Hello"] text…""]`, At: 14},
	{Name: "limit comes before the text", Section: "10.4", MaxMessage: 1, Wire: "\x01\x01\xf0\x80\x02", Want: `text["\xf0"…`, Rule: codec.RuleMessageTooBig, At: 4},
	{Name: "16-bit limit, at it", Section: "10.4", MaxMessage: 256, Wire: "\x82\x7e\x01\x00", Want: `binary[""…`, At: 4},
	{Name: "16-bit limit, one over", Section: "10.4", MaxMessage: 256, Wire: "\x82\x7e\x01\x01", Rule: codec.RuleMessageTooBig, At: 3},
	{Name: "16-bit limit, by the first octet", Section: "10.4", MaxMessage: 255, Wire: "\x82\x7e\x01", Rule: codec.RuleMessageTooBig, At: 2},
	{Name: "short limit, not minimal", Section: "10.4", MaxMessage: 10, Wire: "\x82\x7e\x00\x64", Rule: codec.RuleNonMinimalLength, At: 3},
	{Name: "short limit, 126", Section: "10.4", MaxMessage: 10, Wire: "\x82\x7e\x00\x7e", Rule: codec.RuleMessageTooBig, At: 3},
	{Name: "1 MiB, at it", Section: "10.4", MaxMessage: 1 << 20, Wire: "\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00", Want: `binary[""…`, At: 10},
	{Name: "1 MiB, one over", Section: "10.4", MaxMessage: 1 << 20, Wire: "\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x01", Rule: codec.RuleMessageTooBig, At: 9},
	{Name: "1 MiB, by a leading octet", Section: "10.4", MaxMessage: 1 << 20, Wire: "\x82\x7f\x00\x00\x01", Rule: codec.RuleMessageTooBig, At: 4},
	{Name: "1 MiB, top bit", Section: "10.4", MaxMessage: 1 << 20, Wire: "\x82\x7f\x80", Rule: codec.RuleLengthTopBit, At: 2},
	{Name: "huge length, memory is not asked for", Section: "10.4", MaxMessage: 1 << 20, Wire: "\x82\x7f\x01\x00", Rule: codec.RuleMessageTooBig, At: 2},
	{Name: "fragments at their limit", Section: "10.4", MaxFragments: 3, Wire: "\x01\x01a\x00\x01b\x80\x01c", Want: `text["abc"]`, At: 9},
	{Name: "one fragment over", Section: "10.4", MaxFragments: 2, Wire: "\x01\x01a\x00\x01b\x80\x01c", Want: `text["ab"…`, Rule: codec.RuleTooManyFragments, At: 6},
	{Name: "empty fragments count", Section: "10.4", MaxFragments: 3, Wire: "\x02\x00\x00\x00\x00\x00\x00", Want: `binary[""…`, Rule: codec.RuleTooManyFragments, At: 6},
	{Name: "pings are no fragments", Section: "10.4", MaxFragments: 2, Wire: "\x01\x00\x89\x00\x89\x00\x80\x00", Want: `text[""… ping[""] ping[""] text…""]`, At: 8},
	{Name: "fragments of each message by itself", Section: "10.4", MaxFragments: 2, Wire: "\x01\x00\x80\x00\x01\x00\x80\x00\x81\x00", Want: `text[""] text[""] text[""]`, At: 10},
	{Name: "one frame only", Section: "10.4", MaxFragments: 1, Wire: "\x81\x00\x01\x00\x80", Want: `text[""] text[""…`, Rule: codec.RuleTooManyFragments, At: 4},
}
