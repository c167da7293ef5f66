package conformance

// RFC 6455 §5, frames: lengths, opcodes, reserved bits, control frames, fragments
// and masking, each in every form that the rules tell apart.

import (
	"fmt"
	"strings"

	"github.com/hybi-go/hybi/codec"
)

// framing is Autobahn's first group, and the RFC's own examples in sequence.
func framing() []Case {
	all := []Case{
		legal("5.6", "empty messages of both kinds", text("")+bin(""), text("")+bin("")),
		legal("5.6", "each message is answered before the next comes", text("1"), text("1"), bin("2"), bin("2"), text("3"), text("3")),
		legal("5.6", "all octets in binary", bin(everyOctet()), bin(everyOctet())),
		legal("5.6", "text that looks like a frame", text("\x01\x7f\x00")+text("GET / HTTP/1.1\r\n\r\n"), text("\x01\x7f\x00")+text("GET / HTTP/1.1\r\n\r\n")),
		legal("5.6", "a hundred messages in one segment", strings.Repeat(text("m")+bin("n"), 50), strings.Repeat(text("m")+bin("n"), 50)),
		legal("5.2", "first octet, then nothing", "\x81"),
		legal("5.2", "nothing at all", ""),
	}
	for kind, op := range []byte{1: 0x81, 2: 0x82} {
		if kind == 0 {
			continue
		}
		for i, size := range []int{0, 125, 126, 127, 128, 65535, 65536, 65536} {
			f := frame(op, letters(size))
			c := legal("5.2", fmt.Sprintf("Autobahn 1.%d.%d: %d octets", kind, i+1, size), f, f)
			if i == 7 { // in chops of 997
				c.Steps = nil
				for ; len(f) > 997; f = f[997:] {
					c.Steps = append(c.Steps, Step{Send: f[:997]})
				}
				c.Steps = append(c.Steps, Step{f, frame(op, letters(size))})
			}
			all = append(all, c)
		}
	}
	return all
}

func everyOctet() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

// lengths: the three encodings at their edges; those that are not minimal; those
// of which only the announcement comes.
func lengths() (all []Case) {
	for _, size := range []int{1, 2, 124, 125, 126, 127, 65534, 65535, 65536, 65537} {
		for _, op := range []byte{0x81, 0x82} {
			f := frame(op, letters(size))
			all = append(all, legal("5.2", fmt.Sprintf("%x of %d octets in its one form", op, size), f, f))
		}
	}
	for _, n := range []int{0, 1, 2, 124, 125} {
		all = append(all, broken("5.2", fmt.Sprintf("%d in 16 bits", n), codec.RuleNonMinimalLength, "\x82\x7e\x00"+string([]byte{byte(n)})).rest(letters(n)))
	}
	for _, n := range []int{0, 1, 125, 126, 127, 128, 255, 256, 65534, 65535} {
		all = append(all, broken("5.2", fmt.Sprintf("%d in 64 bits", n), codec.RuleNonMinimalLength, "\x81\x7f\x00\x00\x00\x00\x00\x00").
			rest(string([]byte{byte(n >> 8), byte(n)})+letters(n)))
	}
	all = append(all,
		broken("5.2", "0 in 16 bits, of a continuation", codec.RuleNonMinimalLength, first("a"), "", "\x80\x7e\x00\x00"),
		broken("5.2", "1 in 64 bits, of a continuation", codec.RuleNonMinimalLength, first("a"), "", "\x00\x7f\x00\x00\x00\x00\x00\x00"),
		broken("5.2", "65535 in 64 bits, behind messages", codec.RuleNonMinimalLength, text("1")+bin("2"), text("1")+bin("2"), "\x82\x7f\x00\x00\x00\x00\x00\x00"),
	)
	for _, x := range []struct{ name, wire string }{
		{"1", "\x81\x01"}, {"125", "\x81\x7d"}, {"126", "\x82\x7e\x00\x7e"}, {"65535", "\x82\x7e\xff\xff"},
		{"65536", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"}, {"1 MiB", "\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00"},
		{"1 MiB, and some came", "\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00" + letters(100)},
		{"1 MiB, in two fragments", "\x02\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + letters(65536) + "\x80\x7f\x00\x00\x00\x00\x00\x0f\x00\x00"},
	} {
		all = append(all, legal("5.2", "announced only: "+x.name, x.wire))
	}
	for _, x := range []struct {
		name, wire string
		rule       codec.Rule
	}{
		{"1 MiB and one", "\x00\x00\x00\x00\x00\x10\x00\x01", codec.RuleMessageTooBig},
		{"1 MiB and 64 KiB", "\x00\x00\x00\x00\x00\x11", codec.RuleMessageTooBig},
		{"2^31-1", "\x00\x00\x00\x00\x7f", codec.RuleMessageTooBig},
		{"2^31", "\x00\x00\x00\x00\x80", codec.RuleMessageTooBig},
		{"2^32-1", "\x00\x00\x00\x00\xff", codec.RuleMessageTooBig},
		{"2^32", "\x00\x00\x00\x01", codec.RuleMessageTooBig},
		{"2^32+5, which is 5 in 32 bits", "\x00\x00\x00\x01", codec.RuleMessageTooBig},
		{"2^62", "\x40", codec.RuleMessageTooBig},
		{"2^63-1", "\x7f", codec.RuleMessageTooBig},
		{"2^63", "\x80", codec.RuleLengthTopBit},
		{"2^63+5, which is 5 without its top bit", "\x80", codec.RuleLengthTopBit},
		{"2^64-1, which is -1", "\xff", codec.RuleLengthTopBit},
	} {
		all = append(all, broken("5.2", "announced only: "+x.name, x.rule, "\x82\x7f"+x.wire),
			broken("5.2", "announced only, of text behind messages: "+x.name, x.rule, text("a")+ping("b"), text("a")+pong("b"), "\x81\x7f"+x.wire))
		if x.rule == codec.RuleLengthTopBit {
			all = append(all, broken("5.2", "announced only, of a continuation: "+x.name, x.rule, first("a"), "", "\x80\x7f"+x.wire))
		}
	}
	return all
}

// kinds are the frames that there are: the first octet, what must come before, and
// a payload that each may have.
var kinds = []struct {
	name           string
	octet          byte
	before, behind string
}{
	{"text", 0x81, "", "\x01x"}, {"binary", 0x82, "", "\x01x"}, {"text, first fragment", 0x01, "", "\x01x"},
	{"continuation", 0x00, "\x01\x01a", "\x01x"}, {"last fragment", 0x80, "\x02\x01a", "\x01x"},
	{"close", 0x88, "", "\x02\x03\xe8"}, {"ping", 0x89, "", "\x01x"}, {"pong", 0x8A, "", "\x01x"},
}

// reserved: bits and opcodes that nobody owns (§5.2).
func reserved() (all []Case) {
	for _, k := range kinds {
		for bits := byte(0x10); bits <= 0x70; bits += 0x10 {
			var pairs []string
			if k.before != "" {
				pairs = []string{k.before, ""}
			}
			pairs = append(pairs, string([]byte{k.octet | bits}))
			all = append(all, broken("5.2", fmt.Sprintf("RSV %03b on %s", bits>>4, k.name), codec.RuleReservedBits, pairs...).rest(k.behind))
		}
	}
	for _, x := range []struct {
		number     int
		bits, kind byte
		before     bool
		behind     string
	}{
		{1, 0x40, 0x81, false, "\x05Hello"}, {2, 0x20, 0x81, true, "\x05Hello" + ping("")}, {3, 0x10, 0x81, true, "\x05Hello" + ping("")},
		{4, 0x50, 0x81, true, "\x05Hello" + ping("")}, {5, 0x50, 0x82, false, "\x08\x00\xff\x00\xff\x00\xff\x00\xff"}, {6, 0x60, 0x89, false, "\x05Hello"}, {7, 0x70, 0x88, false, "\x02\x03\xe8"},
	} {
		var pairs []string
		if x.before {
			pairs = []string{text("Hello"), text("Hello")}
		}
		pairs = append(pairs, string([]byte{x.bits | x.kind}))
		all = append(all, broken("5.2", fmt.Sprintf("Autobahn 3.%d: RSV %03b", x.number, x.bits>>4), codec.RuleReservedBits, pairs...).rest(x.behind))
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF} {
		octet := func(fin byte) string { return string([]byte{fin | op}) }
		add := func(name string, pairs ...string) {
			all = append(all, broken("5.2", fmt.Sprintf("opcode %X%s", op, name), codec.RuleReservedOpcode, pairs...).rest("\x01x"))
		}
		add("", octet(0x80))
		add(" without FIN", octet(0))
		add(" inside a message", first("a"), "", octet(0x80))
		add(" behind a message", text("a"), text("a"), octet(0x80))
		// Autobahn: the first of each kind without payload, the second with some, the others behind a message and
		// ahead of a ping.
		group, number := 1, int(op)-2
		if op > 7 {
			group, number = 2, int(op)-10
		}
		c := broken("5.2", fmt.Sprintf("Autobahn 4.%d.%d: opcode %X", group, number, op), codec.RuleReservedOpcode, octet(0x80)).rest("\x00")
		switch {
		case number == 2:
			c.Rest = "\x11reserved opcode.."
		case number > 2:
			c.Steps = append([]Step{{text("Hello"), text("Hello")}}, c.Steps...)
			c.Rest = []string{"\x00", "\x05extra", "\x05extra"}[number-3] + ping("")
		}
		all = append(all, c)
	}
	return all
}

// control frames (§5.5), pings and pongs (§5.5.2, §5.5.3).
func control() []Case {
	p125 := letters(125)
	every := Case{Section: "5.5.2", Name: "a ping of each length, 0 to 125"}
	for n := range 126 {
		every.Steps = append(every.Steps, Step{ping(letters(n)), pong(letters(n))})
	}
	ten, tenPongs := "", ""
	for i := range 10 {
		ten, tenPongs = ten+ping(fmt.Sprint("payload-", i)), tenPongs+pong(fmt.Sprint("payload-", i))
	}
	all := []Case{
		every,
		legal("5.5.2", "Autobahn 2.1: ping without payload", ping(""), pong("")),
		legal("5.5.2", "Autobahn 2.2: ping with text", ping("Hello, world!"), pong("Hello, world!")),
		legal("5.5.2", "Autobahn 2.3: ping with octets that are not UTF-8", ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), pong("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")),
		legal("5.5.2", "Autobahn 2.4: ping of 125 octets", ping(strings.Repeat("\xfe", 125)), pong(strings.Repeat("\xfe", 125))),
		broken("5.5", "Autobahn 2.5: ping of 126 octets", codec.RuleControlTooLong, "\x89\x7e").rest("\x00\x7e" + strings.Repeat("\xfe", 126)),
		legal("5.5.2", "Autobahn 2.6: ping of 125 octets, octet by octet", ping(p125), pong(p125)),
		legal("5.5.3", "Autobahn 2.7: pong unasked, without payload", pong("")),
		legal("5.5.3", "Autobahn 2.8: pong unasked, with payload", pong("unsolicited pong payload")),
		legal("5.5.3", "Autobahn 2.9: pong unasked, then a ping", pong("unsolicited pong payload")+ping("ping payload"), pong("ping payload")),
		legal("5.5.2", "Autobahn 2.10: ten pings", ten, tenPongs),
		legal("5.5.2", "Autobahn 2.11: ten pings, octet by octet", ten, tenPongs),
		legal("5.5.2", "pings keep their place among messages", ping("1")+text("2")+ping("3")+bin("4"), pong("1")+text("2")+pong("3")+bin("4")),
		legal("5.5.2", "a ping is answered before the rest of a message comes", first("a"), "", ping("p"), pong("p"), "\x80\x05bc", "", "def"+ping("q"), text("abcdef")+pong("q")),
		legal("5.5.3", "pongs between fragments", first("a")+pong("x")+cont("b")+pong("")+last("c"), text("abc")),
		legal("5.5.2", "a ping that is cut", ping("abc")[:4]),
		legal("5.5", "control frames of 125, one of each", ping(p125)+pong(p125), pong(p125)),
	}
	for _, k := range kinds[5:] {
		long := func(form string) Case {
			return broken("5.5", fmt.Sprintf("%s of the length form %x", k.name, form), codec.RuleControlTooLong, string([]byte{k.octet})+form)
		}
		all = append(all, long("\x7e").rest("\x00\x7e"+letters(126)), long("\x7f").rest("\x00\x00\x00\x00\x00\x01\x00\x00"),
			broken("5.5", k.name+" of 0 in 16 bits", codec.RuleControlTooLong, string([]byte{k.octet})+"\x7e").rest("\x00\x00"),
			broken("5.5", k.name+" of 126 inside a message", codec.RuleControlTooLong, first("a"), "", string([]byte{k.octet})+"\x7e").rest("\x00\x7e"+letters(126)),
			broken("5.5", k.name+" without FIN", codec.RuleFragmentedControl, string([]byte{k.octet &^ 0x80})).rest("\x01a"+last("b")),
			broken("5.5", k.name+" without FIN, inside a message", codec.RuleFragmentedControl, first("a"), "", string([]byte{k.octet &^ 0x80})).rest("\x00"),
			broken("5.5", k.name+" without FIN, behind a message", codec.RuleFragmentedControl, bin("b"), bin("b"), string([]byte{k.octet &^ 0x80})).rest("\x00"))
	}
	return all
}

// fragmentation (§5.4): Autobahn's fifth group and what it leaves out.
func fragmentation() []Case {
	two, whole := first("fragment1")+last("fragment2"), text("fragment1fragment2")
	between := first("fragment1") + ping("ping payload") + last("fragment2")
	hello := text("Hello, world!")
	loneLast, lone := "\x80", "\x00"
	fragments := "\x18non-continuation payload"
	five := []string{first("fragment1") + cont("fragment2"), "", ping("pongme 1!"), pong("pongme 1!"), cont("fragment3") + cont("fragment4"), "", ping("pongme 2!"), pong("pongme 2!"),
		last("fragment5"), text("fragment1fragment2fragment3fragment4fragment5")}
	fiveAtOnce := five[0] + five[2] + five[4] + five[6] + five[8]
	all := []Case{
		broken("5.5", "Autobahn 5.1: ping in two fragments", codec.RuleFragmentedControl, "\x09").rest("\x09fragment1" + last("fragment2")),
		broken("5.5", "Autobahn 5.2: pong in two fragments", codec.RuleFragmentedControl, "\x0a").rest("\x09fragment1" + last("fragment2")),
		legal("5.4", "Autobahn 5.3: text in two fragments", two, whole),
		legal("5.4", "Autobahn 5.4: text in two fragments, frame by frame", first("fragment1"), "", last("fragment2"), whole),
		legal("5.4", "Autobahn 5.5: text in two fragments, octet by octet", two, whole),
		legal("5.4", "Autobahn 5.6: ping between two fragments", between, pong("ping payload")+whole),
		legal("5.4", "Autobahn 5.7: ping between two fragments, frame by frame", first("fragment1"), "", ping("ping payload"), pong("ping payload"), last("fragment2"), whole),
		legal("5.4", "Autobahn 5.8: ping between two fragments, octet by octet", between, pong("ping payload")+whole),
		broken("5.4", "Autobahn 5.9: last fragment of nothing", codec.RuleLoneContinuation, loneLast).rest(fragments + hello),
		broken("5.4", "Autobahn 5.10: last fragment of nothing, frame by frame", codec.RuleLoneContinuation, loneLast).rest(fragments + hello),
		broken("5.4", "Autobahn 5.11: last fragment of nothing, octet by octet", codec.RuleLoneContinuation, loneLast).rest(fragments + hello),
		broken("5.4", "Autobahn 5.12: fragment of nothing", codec.RuleLoneContinuation, lone).rest(fragments + hello),
		broken("5.4", "Autobahn 5.13: fragment of nothing, frame by frame", codec.RuleLoneContinuation, lone).rest(fragments + hello),
		broken("5.4", "Autobahn 5.14: fragment of nothing, octet by octet", codec.RuleLoneContinuation, lone).rest(fragments + hello),
		broken("5.4", "Autobahn 5.15: fragment of nothing behind a message in two", codec.RuleLoneContinuation, two, whole, lone).rest("\x09fragment3" + text("fragment4")),
		broken("5.4", "Autobahn 5.16: fragment of nothing ahead of a message in two", codec.RuleLoneContinuation, lone).rest("\x09fragment1" + first("fragment2") + last("fragment3") + cont("fragment1") + first("fragment2") + last("fragment3")),
		broken("5.4", "Autobahn 5.17: last fragment of nothing ahead of a message in two", codec.RuleLoneContinuation, loneLast).rest("\x09fragment1" + first("fragment2") + last("fragment3") + last("fragment1") + first("fragment2") + last("fragment3")),
		broken("5.4", "Autobahn 5.18: second fragment is text again", codec.RuleInterruptedMessage, first("fragment1"), "", "\x81").rest("\x09fragment2"),
		legal("5.4", "Autobahn 5.19: pings between five fragments, with waits", five...),
		legal("5.4", "Autobahn 5.20: pings between five fragments, at once", fiveAtOnce, pong("pongme 1!")+pong("pongme 2!")+five[9]),
		legal("5.4", "fragments of one octet", first("a")+strings.Repeat(cont("b"), 100)+last("c"), text("a"+strings.Repeat("b", 100)+"c")),
		legal("5.4", "first fragment empty", frame(0x02, "")+last("x"), bin("x")),
		legal("5.4", "last fragment empty", frame(0x02, "x")+last(""), bin("x")),
		legal("5.4", "only the middle is not empty", frame(0x02, "")+cont("")+cont("x")+cont("")+last(""), bin("x")),
		legal("5.4", "fragments of all three length forms", frame(0x02, letters(125))+cont(letters(126))+cont(letters(65535))+last(letters(65536)),
			bin(letters(125)+letters(126)+letters(65535)+letters(65536))),
		legal("5.4", "fragmented messages one after the other", first("a")+last("b")+frame(0x02, "c")+last("d")+text("e"), text("ab")+bin("cd")+text("e")),
		legal("5.4", "message left open between fragments", first("a")+cont("b")),
		broken("5.4", "a whole message inside another, behind a ping", codec.RuleInterruptedMessage, first("a")+ping(""), pong(""), "\x82").rest("\x01b"),
		broken("5.4", "first fragment twice", codec.RuleInterruptedMessage, frame(0x02, "a"), "", "\x02").rest("\x01b"),
		broken("5.4", "text begins inside binary", codec.RuleInterruptedMessage, frame(0x02, "a"), "", "\x01").rest("\x01b"),
		broken("5.4", "binary begins inside text", codec.RuleInterruptedMessage, first("a")+cont("b"), "", "\x02").rest("\x01b"),
		broken("5.4", "continuation behind the last", codec.RuleLoneContinuation, first("a")+last("b"), text("ab"), "\x00").rest("\x01c"),
		broken("5.4", "continuation behind a ping only", codec.RuleLoneContinuation, ping("p"), pong("p"), "\x80").rest("\x01c"),
	}
	return all
}

// masking (§5.1, §5.3): keys and phases; the wrong direction is octets of one role.
func masking() (all []Case) {
	for cut := range 9 {
		head, tail := letters(40)[:16+cut], letters(40)[16+cut:]
		all = append(all, legal("5.3", fmt.Sprintf("payload cut at phase %d", cut), "\x82\x28"+head, "", tail, bin(head+tail)))
	}
	one := func(role codec.Role, name string, c Case) {
		c.OneRole, c.Role, c.Section, c.Name = true, role, "5.1", name
		all = append(all, c)
	}
	for _, k := range kinds {
		server := k.before
		if server != "" {
			server = string([]byte{server[0], 0x81, 0, 0, 0, 0, 'a'})
		}
		var toServer, toClient []string
		if server != "" {
			toServer, toClient = []string{server, ""}, []string{k.before, ""}
		}
		n := k.behind[0]
		one(codec.Server, "unmasked "+k.name+" to a server", broken("", "", codec.RuleUnmasked, append(toServer, string([]byte{k.octet, n}))...).rest(k.behind[1:]))
		one(codec.Client, "masked "+k.name+" to a client", broken("", "", codec.RuleMasked, append(toClient, string([]byte{k.octet, 0x80 | n}))...).rest("\x00\x00\x00\x00"+k.behind[1:]))
	}
	one(codec.Server, "unmasked, of 64 bits of length: told before that", broken("", "", codec.RuleUnmasked, "\x82\x7f"))
	one(codec.Server, "unmasked behind masked", broken("", "", codec.RuleUnmasked, "\x81\x82\x00\x00\x00\x00hi", text("hi"), "\x81\x02").rest("hi"))
	one(codec.Client, "masked with the zero key, to a client", broken("", "", codec.RuleMasked, "\x81\x82").rest("\x00\x00\x00\x00hi"))
	one(codec.Server, "another key for each fragment, one of them zero",
		legal("", "", "\x01\x83\x01\x02\x03\x04Igo\x00\x81\x00\x00\x00\x00,\x80\x82\xf0\x00\xf0\x00\x9co", text("Hel,lo")))
	one(codec.Server, "each octet of the key counts", legal("", "",
		"\x82\x85\x01\x00\x00\x00\x01\x00\x00\x00\x01\x82\x85\x00\x02\x00\x00\x00\x02\x00\x00\x00\x82\x85\x00\x00\x04\x00\x00\x00\x04\x00\x00\x82\x85\x00\x00\x00\x08\x00\x00\x00\x08\x00",
		strings.Repeat(bin("\x00\x00\x00\x00\x00"), 4)))
	one(codec.Server, "key of ones", legal("", "", "\x82\x83\xff\xff\xff\xff\x00\xff\xaa", bin("\xff\x00\x55")))
	return all
}
