package conformance

// RFC 6455 §8.1 and RFC 3629: text that is UTF-8, text that is not, and where each
// fault must be told. A bar stands behind the octet at which no continuation, in as
// many octets as there are to come, could make the text right again.

import (
	"fmt"
	"strings"

	"github.com/hybi-go/hybi/codec"
)

// textCase makes a case of one frame. Text without a bar is valid, and comes back.
func textCase(name, marked string) Case {
	before, after, fault := strings.Cut(marked, "|")
	f := text(before + after)
	if !fault {
		return legal("8.1", name, f, f)
	}
	n := len(f) - len(after)
	return broken("8.1", name, codec.RuleTextUTF8, f[:n]).rest(f[n:])
}

// utf8Groups are Autobahn's groups 6.5 to 6.23, after Markus Kuhn's UTF-8 stress test.
var utf8Groups = [][]string{
	{"hello$world", "hello\xc2\xa2world", "hello\xe2\x82\xacworld", "hello\xf0\xa4\xad\xa2world", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"},
	{"\xce|", "\xce\xba", "\xce\xba\xe1|", "\xce\xba\xe1|\xbd", "\xce\xba\xe1\xbd\xb9", "\xce\xba\xe1\xbd\xb9\xcf|", "\xce\xba\xe1\xbd\xb9\xcf\x83",
		"\xce\xba\xe1\xbd\xb9\xcf\x83\xce|", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce|", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"},
	{"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"},
	{"\xf8|\x88\x80\x80\x80", "\xfc|\x84\x80\x80\x80\x80"},
	{"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"},
	{"\xf7|\xbf\xbf\xbf", "\xfb|\xbf\xbf\xbf\xbf", "\xfd|\xbf\xbf\xbf\xbf\xbf"},
	{"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "\xf4\x90|\x80\x80"},
	{"\x80|", "\xbf|", "\x80|\xbf", "\x80|\xbf\x80", "\x80|\xbf\x80\xbf", "\x80|\xbf\x80\xbf\x80", "\x80|\xbf\x80\xbf\x80\xbf", "\x80|" + run(0x81, 0xbe, "")},
	{"\xc0| " + run(0xc1, 0xde, " "), "\xe0 |" + run(0xe1, 0xee, " "), "\xf0 |" + run(0xf1, 0xf6, " "), "\xf8| " + run(0xf9, 0xfa, " "), "\xfc| "},
	{"\xc0|", "\xe0|\x80", "\xf0|\x80\x80", "\xf8|\x80\x80\x80", "\xfc|\x80\x80\x80\x80", "\xdf|", "\xef|\xbf", "\xf7|\xbf\xbf", "\xfb|\xbf\xbf\xbf", "\xfd|\xbf\xbf\xbf\xbf"},
	{"\xc0|\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf\xfb\xbf\xbf\xbf\xfd\xbf\xbf\xbf\xbf"},
	{"\xfe|", "\xff|", "\xfe|\xfe\xff\xff"},
	{"\xc0|\xaf", "\xe0\x80|\xaf", "\xf0\x80|\x80\xaf", "\xf8|\x80\x80\x80\xaf", "\xfc|\x80\x80\x80\x80\xaf"},
	{"\xc1|\xbf", "\xe0\x9f|\xbf", "\xf0\x8f|\xbf\xbf", "\xf8|\x87\xbf\xbf\xbf", "\xfc|\x83\xbf\xbf\xbf\xbf"},
	{"\xc0|\x80", "\xe0\x80|\x80", "\xf0\x80|\x80\x80", "\xf8|\x80\x80\x80\x80", "\xfc|\x80\x80\x80\x80\x80"},
	{"\xed\xa0|\x80", "\xed\xad|\xbf", "\xed\xae|\x80", "\xed\xaf|\xbf", "\xed\xb0|\x80", "\xed\xbe|\x80", "\xed\xbf|\xbf"},
	{"\xed\xa0|\x80\xed\xb0\x80", "\xed\xa0|\x80\xed\xbf\xbf", "\xed\xad|\xbf\xed\xb0\x80", "\xed\xad|\xbf\xed\xbf\xbf",
		"\xed\xae|\x80\xed\xb0\x80", "\xed\xae|\x80\xed\xbf\xbf", "\xed\xaf|\xbf\xed\xb0\x80", "\xed\xaf|\xbf\xed\xbf\xbf"},
	nonCharacters(),
	{"\xef\xbf\xb9", "\xef\xbf\xba", "\xef\xbf\xbb", "\xef\xbf\xbc", "\xef\xbf\xbd", "\xef\xbf\xbe", "\xef\xbf\xbf"},
}

// run returns the octets from low to high, each with something behind it.
func run(low, high byte, behind string) string {
	var b strings.Builder
	for c := int(low); c <= int(high); c++ {
		b.WriteByte(byte(c))
		b.WriteString(behind)
	}
	return b.String()
}

// nonCharacters are the last two code points of each plane: no characters, and
// UTF-8 all the same.
func nonCharacters() (all []string) {
	for plane := rune(0); plane <= 16; plane++ {
		all = append(all, string(plane<<16|0xFFFE), string(plane<<16|0xFFFF))
	}
	return all
}

const (
	kosme  = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
	edited = "edited"
)

// ones sends s as a message in fragments of one octet.
func ones(s string) string {
	f := first(s[:1])
	for i := 1; i < len(s)-1; i++ {
		f += cont(s[i : i+1])
	}
	return f + last(s[len(s)-1:])
}

func texts() []Case {
	all := []Case{
		legal("8.1", "Autobahn 6.1.1: empty text", text(""), text("")),
		legal("8.1", "Autobahn 6.1.2: three fragments, all empty", first("")+cont("")+last(""), text("")),
		legal("8.1", "Autobahn 6.1.3: three fragments, the first and last empty", first("")+cont("middle frame payload")+last(""), text("middle frame payload")),
		textCase("Autobahn 6.2.1: valid, in one", "Hello-µ@ßöäüàá-UTF-8!!"),
		legal("8.1", "Autobahn 6.2.2: valid, cut between code points", first("Hello-µ@ßöä")+last("üàá-UTF-8!!"), text("Hello-µ@ßöäüàá-UTF-8!!")),
		legal("8.1", "Autobahn 6.2.3: valid, in fragments of one octet", ones("Hello-µ@ßöäüàá-UTF-8!!"), text("Hello-µ@ßöäüàá-UTF-8!!")),
		legal("8.1", "Autobahn 6.2.4: valid, in fragments of one octet", ones(kosme), text(kosme)),
		textCase("Autobahn 6.3.1: invalid, in one", kosme+"\xed\xa0|\x80"+edited),
		broken("8.1", "Autobahn 6.3.2: invalid, in fragments of one octet", codec.RuleTextUTF8, ones(kosme + "\xed\xa0.")[:3*13]).
			rest(strings.Replace(ones("."+"\x80"+edited), "\x01\x01.", "", 1)),
		broken("8.1", "Autobahn 6.4.1: invalid in the second of three fragments", codec.RuleTextUTF8, first(kosme+"\xf4"), "", "\x00\x03\x90").rest("\x80\x80" + last(edited)),
		broken("8.1", "Autobahn 6.4.2: the second fragment is the octet at fault", codec.RuleTextUTF8, first(kosme+"\xf4"), "", "\x00\x01\x90").rest(last("\x80\x80" + edited)),
		broken("8.1", "Autobahn 6.4.3: as 6.4.1, in one frame", codec.RuleTextUTF8, "\x81\x15"+kosme+"\xf4", "", "\x90").rest("\x80\x80" + edited),
		broken("8.1", "Autobahn 6.4.4: as 6.4.2, in one frame", codec.RuleTextUTF8, "\x81\x15"+kosme, "", "\xf4\x90").rest("\x80\x80" + edited),
	}
	for i, group := range utf8Groups {
		for j, s := range group {
			all = append(all, textCase(fmt.Sprintf("Autobahn 6.%d.%d: % x", i+5, j+1, strings.Replace(s, "|", "", 1)), s))
		}
	}
	all = append(all, validTexts()...)
	all = append(all, octetsAlone()...)
	all = append(all, sequences()...)
	return append(all, textPlaces()...)
}

func validTexts() (all []Case) {
	for _, r := range []rune{0, 0x1F, 0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xCFFF, 0xD000, 0xD7FF, 0xE000, 0xFEFF, 0xFFFD, 0x10000, 0x3FFFF, 0x40000, 0xFFFFF, 0x100000, 0x10FFFF} {
		s := string(r)
		all = append(all, textCase(fmt.Sprintf("valid: %U", r), s))
		if len(s) > 1 {
			all = append(all, legal("8.1", fmt.Sprintf("valid: %U in fragments of one octet, between others", r), ones("a"+s+s+"z"), text("a"+s+s+"z")))
		}
		for cut := 1; cut < len(s); cut++ {
			all = append(all, legal("8.1", fmt.Sprintf("valid: %U cut behind octet %d by a ping", r, cut), first(s[:cut])+ping("\xff")+last(s[cut:]), pong("\xff")+text(s)))
		}
	}
	mixed := strings.Repeat("aé€😀 mostly ASCII, in blocks that fast paths take. ", 40)
	return append(all, textCase("valid: a long mixture", mixed), legal("8.1", "valid: a long mixture in fragments of 7", fragments(0x81, mixed, 7), text(mixed)))
}

// octetsAlone: every octet that begins nothing (RFC 3629 §4: lone continuations, C0,
// C1, F5 to FF), alone and behind ASCII.
func octetsAlone() (all []Case) {
	for c := 0x80; c <= 0xFF; c++ {
		if c >= 0xC2 && c <= 0xF4 {
			continue
		}
		s := string([]byte{byte(c)})
		all = append(all, textCase(fmt.Sprintf("begins nothing: %02x", c), s+"|"+"more"))
		if c%8 == 0 || c == 0xC1 || c == 0xF5 || c == 0xFF {
			all = append(all, textCase(fmt.Sprintf("begins nothing: %02x behind 37 octets", c), letters(37)+s+"|"+letters(20)))
		}
	}
	return all
}

// sequences: what begins well. Each class of RFC 3629 §4 with each place taken by an
// octet just outside its range, and cut at each length by the end of the message.
func sequences() (all []Case) {
	for _, x := range []struct {
		class string
		good  string
		bad   []string // octets just outside the range, by place
	}{
		{"C2", "\xc2\x80", []string{"\x7f\xc0\x00"}},
		{"DF", "\xdf\xbf", []string{"\x7f\xc0\xdf"}},
		{"E0", "\xe0\xa0\x80", []string{"\x80\x9f\xc0a", "\x7f\xc0\xff"}},
		{"E1", "\xe1\x80\x80", []string{"\x7f\xc0", "\x7f\xc0"}},
		{"EC", "\xec\xbf\xbf", []string{"\x7f\xc0", "\x7f\xc0"}},
		{"ED", "\xed\x9f\xbf", []string{"\x7f\xa0\xbf", "\x7f\xc0"}},
		{"EE", "\xee\x80\x80", []string{"\x7f\xc0", "\x7f\xc0"}},
		{"F0", "\xf0\x90\x80\x80", []string{"\x80\x8f\xc0", "\x7f\xc0", "\x7f\xc0"}},
		{"F1", "\xf1\x80\x80\x80", []string{"\x7f\xc0", "\x7f\xc0", "\x7f\xc0"}},
		{"F3", "\xf3\xbf\xbf\xbf", []string{"\x7f\xc0", "\x7f\xc0", "\x7f\xc0"}},
		{"F4", "\xf4\x8f\xbf\xbf", []string{"\x7f\x90\xbf", "\x7f\xc0", "\x7f\xc0"}},
	} {
		for i, octets := range x.bad {
			place := i + 1
			for _, c := range []byte(octets) {
				name := fmt.Sprintf("class %s, octet %d is %02x", x.class, place, c)
				begin := x.good[:place]
				all = append(all,
					textCase(name, "ok"+begin+string([]byte{c})+"|"+letters(9)),
					broken("8.1", name+", in the second fragment", codec.RuleTextUTF8, first("ok"+begin), "", "\x00\x05"+string([]byte{c})).rest("1234"+last("5")))
			}
		}
		for n := 1; n < len(x.good); n++ {
			head := x.good[:1] // from here on it is certain: there is no room for the rest
			all = append(all,
				textCase(fmt.Sprintf("class %s, cut by the end behind %d", x.class, n), "ok"+head+"|"+x.good[1:n]),
				broken("8.1", fmt.Sprintf("class %s, cut behind %d by an empty last fragment", x.class, n), codec.RuleTextUTF8, first("ok"+x.good[:n]), "", "\x80\x00"),
				broken("8.1", fmt.Sprintf("class %s, cut behind %d, then ASCII in another fragment", x.class, n), codec.RuleTextUTF8, first("ok"+x.good[:n])+cont(""), "", "\x80\x06t").rest("ough."))
		}
	}
	return all
}

// textPlaces: where in a message the fault can be.
func textPlaces() []Case {
	long := letters(5000)
	return []Case{
		broken("8.1", "fault in the first fragment", codec.RuleTextUTF8, "\x01\x7e\x10\x00ab\xff").rest(letters(4093)),
		broken("8.1", "fault in the third fragment", codec.RuleTextUTF8, first("a")+cont("b"), "", "\x00\x09\xc1").rest("12345678"),
		broken("8.1", "fault behind 5000 octets", codec.RuleTextUTF8, "\x81\x7e\x20\x00"+long, "", "\x80").rest(letters(8192 - 5001)),
		broken("8.1", "fault behind a ping", codec.RuleTextUTF8, first("\xe2"), "", ping("\x82"), pong("\x82"), "\x80\x7d(").rest(letters(124)),
		broken("8.1", "last fragment has no room for the rest: told at its length", codec.RuleTextUTF8, first("\xf0\x90"), "", "\x80\x01").rest("\x80"),
		legal("8.1", "last fragment has just room", first("\xf0\x90")+last("\x80\x80"), text("\xf0\x90\x80\x80")),
		broken("8.1", "fault in the message behind a valid one", codec.RuleTextUTF8, text("ó"), text("ó"), "\x81\x7d\xb3").rest(letters(124)),
		broken("8.1", "state does not pass from message to message", codec.RuleTextUTF8, first("a\xc3")+last("\xb3"), text("aó"), "\x01\x01\xb3"),
		legal("8.1", "binary may hold any of it", bin("\xed\xa0\x80\xff\xc0\xaf")+frame(0x02, "\xf4")+last("\x90"), bin("\xed\xa0\x80\xff\xc0\xaf")+bin("\xf4\x90")),
		legal("8.1", "a ping may hold any of it", ping("\xff\xfe\xed\xa0"), pong("\xff\xfe\xed\xa0")),
		legal("8.1", "text left open inside a code point", first("a\xf0\x9f")),
		legal("8.1", "text left inside a code point and a frame", "\x81\x05a\xf0\x9f"),
	}
}

// fragments cuts a message into frames of n octets.
func fragments(op byte, s string, n int) string {
	if len(s) <= n {
		return frame(op, s)
	}
	var b strings.Builder
	b.WriteString(frame(op&^0x80, s[:n]))
	for s = s[n:]; len(s) > n; s = s[n:] {
		b.WriteString(cont(s[:n]))
	}
	b.WriteString(last(s))
	return b.String()
}
