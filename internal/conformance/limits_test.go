package conformance

// RFC 6455 §10.4, limits, each kept and each broken by one; and Autobahn's ninth and
// tenth groups, large messages in many forms, at a sixteenth of its sizes or less.

import (
	"fmt"
	"strings"

	"github.com/hybi-go/hybi/codec"
)

func limits() []Case {
	const tooBig, tooMany = codec.RuleMessageTooBig, codec.RuleTooManyFragments
	l := letters(301)
	all := []Case{
		legal("10.4", "message at the limit of 300", bin(l[:300]), bin(l[:300])).limited(300, 0),
		broken("10.4", "message one over the limit of 300", tooBig, "\x82\x7e\x01\x2d").rest(l).limited(300, 0),
		broken("10.4", "text one over the limit of 300, behind one at it", tooBig, text(l[:300]), text(l[:300]), "\x81\x7e\x01\x2d").rest(l).limited(300, 0),
		legal("10.4", "fragments together at the limit of 300", frame(0x02, l[:100])+cont(l[100:200])+last(l[200:300]), bin(l[:300])).limited(300, 0),
		broken("10.4", "fragments together one over the limit of 300", tooBig, frame(0x02, l[:100])+cont(l[100:200]), "", "\x80\x65").rest(l[200:301]).limited(300, 0),
		broken("10.4", "fragment over the limit by its first length octet", tooBig, frame(0x02, l[:1]), "", "\x80\x7e\x02").rest("\x00").limited(300, 0),
		legal("10.4", "empty fragments at the limit of 300", frame(0x02, l[:300])+cont("")+last(""), bin(l[:300])).limited(300, 0),
		broken("10.4", "one octet more at the limit of 300", tooBig, frame(0x02, l[:300])+cont(""), "", "\x80\x01").rest("x").limited(300, 0),
		legal("10.4", "limit of 300 is of each message", bin(l[:300])+text(l[:300])+bin(l[:300]), bin(l[:300])+text(l[:300])+bin(l[:300])).limited(300, 0),
		legal("10.4", "control frames do not count: limit of 300", frame(0x02, l[:300])+ping(l[:125])+pong(l[:125])+last(""), pong(l[:125])+bin(l[:300])).limited(300, 0),
		broken("10.4", "limit of 300, 64-bit length", tooBig, "\x82\x7f\x00\x00\x00\x00\x00\x01").rest("\x00\x00").limited(300, 0),
		broken("10.4", "limit of 300, 64-bit length that is not minimal", codec.RuleNonMinimalLength, "\x82\x7f\x00\x00\x00\x00\x00\x00").rest("\x00\x05").limited(300, 0),
		broken("10.4", "limit of 300, 64-bit length with the top bit", codec.RuleLengthTopBit, "\x82\x7f\x80").limited(300, 0),
		legal("10.4", "limit of 1", bin("x")+text("")+text("y"), bin("x")+text("")+text("y")).limited(1, 0),
		broken("10.4", "one over the limit of 1", tooBig, "\x82\x02").rest("xy").limited(1, 0),

		legal("10.4", "fragments at their limit of 5", frame(0x02, "1")+cont("2")+cont("3")+cont("4")+last("5"), bin("12345")).limited(300, 5),
		broken("10.4", "one fragment over the limit of 5", tooMany, frame(0x02, "1")+cont("2")+cont("3")+cont("4")+cont("5"), "", "\x80").rest("\x01x").limited(300, 5),
		broken("10.4", "one empty fragment over the limit of 5", tooMany, frame(0x02, "")+cont("")+cont("")+cont("")+cont(""), "", "\x00").rest("\x00").limited(300, 5),
		legal("10.4", "control frames are no fragments: limit of 5", frame(0x02, "1")+cont("2")+ping("a")+cont("3")+pong("b")+ping("c")+cont("4")+last("5"), pong("a")+pong("c")+bin("12345")).limited(300, 5),
		legal("10.4", "limit of 5 is of each message", strings.Repeat(frame(0x02, "1")+cont("2")+cont("3")+cont("4")+last("5"), 3), strings.Repeat(bin("12345"), 3)).limited(300, 5),
		legal("10.4", "whole messages at a limit of one fragment", text("1")+bin("2"), text("1")+bin("2")).limited(300, 1),
		broken("10.4", "continuation at a limit of one fragment", tooMany, first("1"), "", "\x80").rest("\x00").limited(300, 1),
		broken("10.4", "empty fragments without end", tooMany, first("")+strings.Repeat(cont(""), 999), "", "\x00").rest("\x00").limited(300, 1000),
	}
	return append(all, sizes()...)
}

// sizes are Autobahn's 9 and 10.
func sizes() (all []Case) {
	for kind, op := range []byte{1: 0x81, 2: 0x82} {
		if kind == 0 {
			continue
		}
		for i, size := range []int{4 << 10, 16 << 10, 64 << 10, 256 << 10, 512 << 10, 1 << 20} {
			f := frame(op, letters(size))
			all = append(all, legal("10.4", fmt.Sprintf("Autobahn 9.%d.%d: %d KiB", kind, i+1, size>>10), f, f))
		}
		whole := letters(64 << 10)
		for i, n := range []int{4, 16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 32 << 10, 64 << 10} {
			all = append(all, legal("10.4", fmt.Sprintf("Autobahn 9.%d.%d: 64 KiB in fragments of %d", kind+2, i+1, n), fragments(op, whole, n), frame(op, whole)))
		}
		for i := range 6 {
			n, f := 64<<i, frame(op, letters(64<<10))
			c := legal("10.4", fmt.Sprintf("Autobahn 9.%d.%d: 64 KiB in chops of %d", kind+4, i+1, n))
			for rest := f; len(rest) > 0; rest = rest[min(n, len(rest)):] {
				c.Steps = append(c.Steps, Step{Send: rest[:min(n, len(rest))]})
			}
			c.Steps[len(c.Steps)-1].Reply = f
			all = append(all, c)
		}
		for i, size := range []int{0, 16, 64, 256, 1024, 4096} {
			c := legal("10.4", fmt.Sprintf("Autobahn 9.%d.%d: 60 round trips of %d octets", kind+6, i+1, size))
			for j := range 60 {
				f := frame(op, letters(size + j)[j:])
				c.Steps = append(c.Steps, Step{f, f})
			}
			all = append(all, c)
		}
	}
	s := letters(65536)
	return append(all, legal("5.4", "Autobahn 10.1.1: 65536 octets in fragments of 1300", fragments(0x81, s, 1300), text(s)))
}
