package conformance

// RFC 6455 §5.5.1 and §7: the closing handshake, close codes, and what comes behind
// a close frame.

import (
	"fmt"
	"strings"

	"github.com/hybi-go/hybi/codec"
)

// closeCase is a close frame that is accepted and echoed, without its reason.
func closeCase(section, name string, code codec.CloseCode, reason string) Case {
	return said(section, name, code, reason, closing(code, reason), closing(code, ""))
}

// badCode is a close frame whose code must not be sent. If no legal code begins with
// its first octet, that is enough.
func badCode(section, name string, code int, reason string) Case {
	high, low := byte(code>>8), byte(code)
	head := string([]byte{0x88, byte(2 + len(reason)), high})
	if high == 3 || high >= 11 && high <= 19 {
		return broken(section, name, codec.RuleCloseCode, head+string([]byte{low})).rest(reason)
	}
	return broken(section, name, codec.RuleCloseCode, head).rest(string([]byte{low}) + reason)
}

const none = codec.CloseNoStatus

func closes() []Case {
	big := letters(256 << 10)
	all := []Case{
		said("7.1", "Autobahn 7.1.1: message, then close", 1000, "", text("Hello World!"), text("Hello World!"), closing(1000, ""), closing(1000, "")),
		said("7.1", "Autobahn 7.1.2: two close frames", 1000, "", closing(1000, ""), closing(1000, "")).rest(closing(1000, "")),
		said("7.1", "Autobahn 7.1.3: ping behind the close frame", 1000, "", closing(1000, ""), closing(1000, "")).rest(ping("")),
		said("7.1", "Autobahn 7.1.4: text behind the close frame", 1000, "", closing(1000, ""), closing(1000, "")).rest(text("Hello World!")),
		said("7.1", "Autobahn 7.1.5: close between two fragments", 1000, "", first("fragment1"), "", closing(1000, ""), closing(1000, "")).rest(last("fragment2")),
		said("7.1", "Autobahn 7.1.6: 256 KiB, then close, then ping", 1000, "", text(big)+closing(1000, ""), text(big)+closing(1000, "")).rest(ping("")),
		said("5.5.1", "Autobahn 7.3.1: close without payload", none, "", "\x88\x00", "\x88\x00"),
		broken("5.5.1", "Autobahn 7.3.2: close of one octet", codec.RuleClosePayload, "\x88\x01").rest("a"),
		closeCase("5.5.1", "Autobahn 7.3.3: close of two octets", 1000, ""),
		closeCase("5.5.1", "Autobahn 7.3.4: close with a reason", 1000, "Hello World!"),
		closeCase("5.5.1", "Autobahn 7.3.5: close with the longest reason", 1000, strings.Repeat("*", 123)),
		broken("5.5.1", "Autobahn 7.3.6: close with a reason of 124 octets", codec.RuleControlTooLong, "\x88\x7e").rest("\x00\x7e\x03\xe8" + strings.Repeat("*", 124)),
		broken("5.5.1", "Autobahn 7.5.1: reason that is not UTF-8", codec.RuleCloseReasonUTF8, "\x88\x16\x03\xe8"+kosme+"\xed\xa0").rest("\x80" + edited),
		badCode("7.4.2", "Autobahn 7.13.1: close 5000", 5000, ""),
		badCode("7.4.2", "Autobahn 7.13.2: close 65535", 65535, ""),
	}
	for i, code := range []codec.CloseCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		all = append(all, closeCase("7.4", fmt.Sprintf("Autobahn 7.7.%d: close %d", i+1, code), code, ""))
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		all = append(all, badCode("7.4", fmt.Sprintf("Autobahn 7.9.%d: close %d", i+1, code), code, ""))
	}
	all = append(all, closeCodes()...)
	all = append(all, closeReasons()...)
	return append(all, closePlaces()...)
}

// closeCodes: every boundary of §7.4, with a reason.
func closeCodes() (all []Case) {
	for _, code := range []codec.CloseCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3327, 3328, 3839, 3840, 3999, 4000, 4001, 4095, 4096, 4863, 4864, 4998, 4999} {
		all = append(all, closeCase("7.4", fmt.Sprintf("close %d with a reason", code), code, "réason"))
	}
	for _, code := range []int{0, 1, 3, 255, 256, 767, 768, 998, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1023, 1024, 1099, 1999, 2000, 2047, 2815, 2816, 2998, 2999, 5000, 5001, 5119, 5120, 9999, 10000, 32768, 65534, 65535} {
		all = append(all, badCode("7.4", fmt.Sprintf("close %d with a reason", code), code, "because"))
		if code%2 == 0 {
			c := badCode("7.4", fmt.Sprintf("close %d behind messages, inside another", code), code, "")
			c.Steps = append([]Step{{text("1") + first("2"), text("1")}}, c.Steps...)
			all = append(all, c)
		}
	}
	return all
}

// closeReasons: UTF-8 in the reason, told as early as in a text.
func closeReasons() (all []Case) {
	for _, n := range []int{1, 2, 3, 61, 121, 122, 123} {
		all = append(all, closeCase("5.5.1", fmt.Sprintf("reason of %d octets", n), 1001, letters(n)))
	}
	for _, s := range []string{"\x00", "\x7f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff", "Adiós, κόσμε 😀"} {
		all = append(all, closeCase("5.5.1", fmt.Sprintf("reason %+q", s), 4000, s))
	}
	for _, marked := range []string{"\x80|abc", "\xbf|abc", "\xc0|\xaf", "\xc1|\xbf", "\xf5|\x80\x80\x80", "\xfe|abc", "\xff|abc", "\xe0\x80|\xaf", "\xe0\x9f|\xbf", "\xf0\x80|\x80\xaf", "\xf0\x8f|\xbf\xbf",
		"\xed\xa0|\x80", "\xed\xbf|\xbf", "\xf4\x90|\x80\x80", "\xf8|\x88\x80\x80\x80", "ok\xc3|", "ok\xe2|\x82", "ok\xf0|\x9f\x98", "ok\xc3(|abc", "ok\xe2\x82(|abc", "ok\xf0\x9f\x98(|abc", letters(60) + "\xff|" + letters(60)} {
		before, after, _ := strings.Cut(marked, "|")
		f := closing(1000, before+after)
		n := len(f) - len(after)
		all = append(all, broken("5.5.1", fmt.Sprintf("reason with a fault: % x", before+after), codec.RuleCloseReasonUTF8, f[:n]).rest(f[n:]))
	}
	return append(all,
		broken("5.5.1", "the code is judged before the reason", codec.RuleCloseCode, "\x88\x04\x03\xed").rest("\xff\xff"),
		broken("5.5.1", "the length is judged before the code", codec.RuleControlTooLong, "\x88\x7f").rest("\x00\x00"))
}

// closePlaces: close frames among others, and what comes behind them.
func closePlaces() []Case {
	bye, echoed := closing(1001, "going"), closing(1001, "")
	return []Case{
		said("5.5.1", "close behind messages and pings", 1001, "going", text("1")+ping("2")+bin("3")+bye, text("1")+pong("2")+bin("3")+echoed),
		said("5.5.1", "close inside a code point: no 1007", 1001, "going", first("a\xf0\x9f")+bye, echoed),
		said("5.5.1", "close inside binary, behind a ping", 1001, "going", frame(0x02, "a")+ping("p")+bye, pong("p")+echoed),
		said("5.5.1", "close without payload, inside a message", none, "", first("a")+"\x88\x00", "\x88\x00"),
		said("5.5.1", "close without payload, behind a message", none, "", text("a"), text("a"), "\x88\x00", "\x88\x00"),
		said("5.5.1", "behind the close frame: a violation", 1001, "going", bye, echoed).rest("\xff\xff\xff\xff"),
		said("5.5.1", "behind the close frame: text that is not UTF-8", 1001, "going", bye, echoed).rest(text("\xff")),
		said("5.5.1", "behind the close frame: a close frame with a bad code", 1001, "going", bye, echoed).rest(closing(1005, "")),
		said("5.5.1", "behind the close frame: half a header", 1001, "going", bye, echoed).rest("\x81"),
		said("5.5.1", "behind the close frame: 100,000 octets", 1001, "going", bye, echoed).rest(bin(letters(100000))),
		said("5.5.1", "behind the close frame: a request", 1001, "going", bye, echoed).rest("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
		said("5.5.1", "behind an empty close frame: another with a code", none, "", "\x88\x00", "\x88\x00").rest(closing(1000, "")),
		legal("5.5.1", "close cut inside its code", "\x88\x02\x03"),
		legal("5.5.1", "close cut inside its reason", "\x88\x0a\x03\xe8half"),
		legal("5.5.1", "close cut behind its header", "\x88\x02"),
		legal("7.1.5", "FIN without a close frame, behind messages", text("1")+bin("2")+ping("3"), text("1")+bin("2")+pong("3")),
		broken("7.1.7", "behind a violation: a close frame and messages, all ignored", codec.RuleLoneContinuation, text("1"), text("1"), "\x80").rest("\x01a" + bye + text("2") + ping("3")),
		broken("7.1.7", "behind a violation: another", codec.RuleReservedBits, "\xf1").rest("\xff\xff\xff\xff"),
		broken("7.1.7", "behind a violation: 100,000 octets", codec.RuleReservedOpcode, "\x83").rest("\x00" + bin(letters(100000))),
		broken("7.1.7", "replies that are due come before the close frame", codec.RuleLoneContinuation, strings.Repeat(text("x")+ping("y"), 20)+"\x80", strings.Repeat(text("x")+pong("y"), 20)),
	}
}
