package handshake

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unsafe"
)

// The pieces of an answer, as the lines go over the wire (RFC 6455 §1.2, §1.3); up, conn and end are those of a request.
const (
	switching = "HTTP/1.1 101 Switching Protocols\r\n"
	acc       = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	chat      = "Sec-WebSocket-Protocol: chat\r\n"
	opened    = switching + up + conn + acc + end
	early     = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
)

// behindAnswer follows the head in every play: a text frame "Hello" (RFC 6455 §5.7), and an answer in hiding.
const behindAnswer = "\x81\x05Hello" + "\r\n\r\nHTTP/1.1 101 Hidden\r\n\r\n"

// nonce is the key of RFC 6455 §1.3 before its base64; asked is the request that the answers answer.
var (
	nonce = [16]byte([]byte("the sample nonce"))
	asked = &ClientRequest{Host: "server.example.com", Subprotocols: []string{"chat", "superchat"}}
)

// An answerCase is a head and its fate, with the mark "§" as in a wireCase.
type answerCase struct {
	name, section, head string
	want                *ResponseError
	limits              Limits
}

type answerOutcome struct {
	err    ResponseError // its value: some are made when they are needed
	failed bool
	n      int
	view   string // all that the Response shows
}

func outcomeOf(res *Response, n int, err error) (o answerOutcome) {
	var fault *ResponseError
	if o.failed = errors.As(err, &fault); o.failed {
		o.err = *fault
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d %q %v %q\n", res.Status(), res.Subprotocol(), res.Head() == nil, res.Head())
	for name, value := range res.Headers() {
		fmt.Fprintf(&b, "%q: %q\n", name, value)
	}
	o.n, o.view = n, b.String()
	return o
}

// playAnswer gives a fresh ResponseReader prefixes of the stream, as play does a Reader.
func playAnswer(l Limits, stream string, cuts ...int) (o answerOutcome, told int) {
	var r ResponseReader
	r.Reset(asked, nonce, l)
	var memory []byte
	for _, cut := range cuts {
		for i := range memory {
			memory[i] = 0xEE
		}
		memory = []byte(stream[:cut])
		if res, n, err := r.Next(memory); n != 0 || err != nil {
			return outcomeOf(&res, n, err), cut
		}
	}
	return outcomeOf(&Response{}, 0, nil), -1
}

func testAnswerCase(t *testing.T, c answerCase) {
	head, told, n := wireCase{head: c.head}.told()
	stream := head + behindAnswer
	whole, _ := playAnswer(c.limits, stream, len(stream))
	if c.want == nil && whole.failed || c.want != nil && (!whole.failed || whole.err != *c.want) {
		t.Fatalf("%s\n%q\ngot  %v\nwant %v", c.section, head, &whole.err, c.want)
	}
	if whole.n != n {
		t.Fatalf("n = %d, want %d\n%q", whole.n, n, head)
	}
	byOctet, at := playAnswer(c.limits, stream, upTo(len(stream))...)
	if byOctet != whole {
		t.Fatalf("octet by octet: %v\nin one piece:   %v", byOctet, whole)
	}
	if at != told {
		t.Errorf("told after %d octets, want %d: %q", at, told, stream[:at])
	}
	step := 1 + len(head)/4096*61 // each split, but of the longest some
	for cut := 0; cut <= told; cut += step {
		if split, _ := playAnswer(c.limits, stream, cut, len(stream)); split != whole {
			t.Fatalf("split at %d: %v\nin one piece: %v", cut, split, whole)
		}
	}
}

var answerTables = [][]answerCase{answerLineCases, statusCases, answerHeaderCases, answerLimitCases}

// TestAnswerWire plays the tables below. Hazards 15 to 18.
func TestAnswerWire(t *testing.T) {
	for _, table := range answerTables {
		for _, c := range table {
			t.Run(c.name, func(t *testing.T) { testAnswerCase(t, c) })
		}
	}
}

// Octets and lines, as strictly as of a request (hazard 18).
var answerLineCases = []answerCase{
	{name: "minimal", section: "RFC 6455 §1.3", head: opened},
	{name: "empty line first", section: "RFC 9112 §2.2", head: "\r\n§" + opened, want: errStatusLine},
	{name: "LF first", section: "RFC 9112 §2.2", head: "\n§" + opened, want: responseFaults[ErrBareLF]},
	{name: "TLS alert", section: "RFC 9112 §2.2", head: "\x15§\x03\x01\x00\x02\x02\x46", want: responseFaults[ErrControl]},
	{name: "HTTP/2 settings", section: "RFC 9113 §3.4", head: "\x00§\x00\x00\x04\x00\x00\x00\x00\x00", want: responseFaults[ErrControl]},
	{name: "SSH", section: "RFC 9112 §4", head: "SSH-2.0-OpenSSH_9.6\r\n§", want: errStatusLine},
	{name: "bare LF after status line", section: "RFC 9112 §2.2", head: "HTTP/1.1 101 Switching Protocols\n§" + up + conn + acc + end, want: responseFaults[ErrBareLF]},
	{name: "bare LF after header", section: "RFC 9112 §2.2", head: switching + "Upgrade: websocket\n§" + conn + acc + end, want: responseFaults[ErrBareLF]},
	{name: "bare LF as end", section: "RFC 9112 §2.2", head: switching + up + conn + acc + "\n§", want: responseFaults[ErrBareLF]},
	{name: "bare CR in value", section: "RFC 9112 §2.2", head: switching + "X: a\rY§: b\r\n" + up + conn + acc + end, want: responseFaults[ErrBareCR]},
	{name: "CR CR LF", section: "RFC 9112 §2.2", head: switching + "X: a\r\r§\n" + up + conn + acc + end, want: responseFaults[ErrBareCR]},
	{name: "CR as end", section: "RFC 9112 §2.2", head: switching + up + conn + acc + "\r\r§", want: responseFaults[ErrBareCR]},
	{name: "NUL in value", section: "RFC 9110 §5.5", head: switching + "X: a\x00§\r\n" + end, want: responseFaults[ErrControl]},
	{name: "DEL in phrase", section: "RFC 9112 §4", head: "HTTP/1.1 101 a\x7f§\r\n" + end, want: responseFaults[ErrControl]},
	{name: "folding, space", section: "RFC 9112 §5.2", head: switching + up + "X: a\r\n b\r\n§" + conn + acc + end, want: responseFaults[ErrFolding]},
	{name: "folding, tab", section: "RFC 9112 §5.2", head: switching + up + "Connection: keep-alive,\r\n\tUpgrade\r\n§" + acc + end, want: responseFaults[ErrFolding]},
	{name: "space before first header", section: "RFC 9112 §2.2", head: switching + " X: a\r\n§" + end, want: responseFaults[ErrFolding]},
	{name: "space before colon", section: "RFC 9112 §5.1", head: switching + "Upgrade : websocket\r\n§" + conn + acc + end, want: responseFaults[ErrSpaceBeforeColon]},
	{name: "tab before colon", section: "RFC 9112 §5.1", head: switching + "Upgrade\t: websocket\r\n§" + conn + acc + end, want: responseFaults[ErrSpaceBeforeColon]},
	{name: "empty name", section: "RFC 9110 §5.1", head: switching + ": a\r\n§" + end, want: responseFaults[ErrHeader]},
	{name: "no colon", section: "RFC 9112 §5", head: switching + "Upgrade\r\n§" + end, want: responseFaults[ErrHeader]},
	{name: "space in name", section: "RFC 9110 §5.1", head: switching + "Up grade: a\r\n§" + end, want: responseFaults[ErrHeader]},
	{name: "obs-text in name", section: "RFC 9110 §5.1", head: switching + "\xdcpgrade: a\r\n§" + end, want: responseFaults[ErrHeader]},
	{name: "fault in an interim answer", section: "RFC 9112 §5.1", head: "HTTP/1.1 100 Continue\r\nX : a\r\n§" + end + opened, want: responseFaults[ErrSpaceBeforeColon]},
	{name: "fault behind an interim answer", section: "RFC 9112 §5.1", head: early + switching + "X : a\r\n§" + end, want: responseFaults[ErrSpaceBeforeColon]},
	{name: "empty line behind an interim answer", section: "RFC 9112 §2.2", head: early + "\r\n§" + opened, want: errStatusLine},

	{name: "no phrase", section: "RFC 9112 §4", head: "HTTP/1.1 101 \r\n" + up + conn + acc + end},
	{name: "no phrase, no space", section: "RFC 9112 §4", head: "HTTP/1.1 101\r\n§" + up + conn + acc + end, want: errStatusLine},
	{name: "odd phrase", section: "RFC 9112 §4", head: "HTTP/1.1 101  Web\tSocket caf\xc3\xa9 200 \r\n" + up + conn + acc + end},
	{name: "two spaces", section: "RFC 9112 §4", head: "HTTP/1.1  101 x\r\n§" + end, want: errStatusLine},
	{name: "tab", section: "RFC 9112 §4", head: "HTTP/1.1\t101 x\r\n§" + end, want: errStatusLine},
	{name: "tab after status", section: "RFC 9112 §4", head: "HTTP/1.1 101\tx\r\n§" + end, want: errStatusLine},
	{name: "space first", section: "RFC 9112 §4", head: " HTTP/1.1 101 x\r\n§" + end, want: errStatusLine},
	{name: "no version", section: "RFC 9112 §4", head: "101 Switching Protocols\r\n§" + end, want: errStatusLine},
	{name: "version only", section: "RFC 9112 §4", head: "HTTP/1.1\r\n§" + end, want: errStatusLine},
	{name: "two digits", section: "RFC 9112 §4", head: "HTTP/1.1 10 x\r\n§" + end, want: errStatusLine},
	{name: "four digits", section: "RFC 9112 §4", head: "HTTP/1.1 1010 x\r\n§" + end, want: errStatusLine},
	{name: "sign", section: "RFC 9112 §4", head: "HTTP/1.1 +10 x\r\n§" + end, want: errStatusLine},
	{name: "letter, first", section: "RFC 9112 §4", head: "HTTP/1.1 x01 x\r\n§" + end, want: errStatusLine},
	{name: "letter, last", section: "RFC 9112 §4", head: "HTTP/1.1 10l x\r\n§" + end, want: errStatusLine},
	{name: "http/1.1", section: "RFC 9112 §2.3", head: "http/1.1 101 x\r\n§" + end, want: errStatusLine},
	{name: "HTTP/1.10", section: "RFC 9112 §2.3", head: "HTTP/1.10 101 x\r\n§" + end, want: errStatusLine},
	{name: "HTTP/1,1", section: "RFC 9112 §2.3", head: "HTTP/1,1 101 x\r\n§" + end, want: errStatusLine},
	{name: "HTTP/x.1", section: "RFC 9112 §2.3", head: "HTTP/x.1 101 x\r\n§" + end, want: errStatusLine},
	{name: "HTTP/1.x", section: "RFC 9112 §2.3", head: "HTTP/1.x 101 x\r\n§" + end, want: errStatusLine},
	{name: "ICY", section: "RFC 9112 §2.3", head: "ICY 200 OK\r\n§" + end, want: errStatusLine},
	{name: "our own request", section: "RFC 9112 §4", head: get + "§" + host + up + conn + key + ver + end, want: errStatusLine},
	{name: "HTTP/2.0", section: "RFC 6455 §4.2.2, 5", head: "HTTP/2.0 101 x\r\n§" + up + conn + acc + end, want: errResponseMajor},
	{name: "HTTP/0.9", section: "RFC 6455 §4.2.2, 5", head: "HTTP/0.9 101 x\r\n§" + up + conn + acc + end, want: errResponseMajor},
	{name: "HTTP/1.0", section: "RFC 6455 §4.2.2, 5", head: "HTTP/1.0 101 x\r\n" + up + conn + acc + end, want: errResponseMinor},
	{name: "HTTP/1.2", section: "RFC 6455 §4.2.2, 5", head: "HTTP/1.2 101 x\r\n" + up + conn + acc + end, want: errResponseMinor},
}

func not101(status int) *ResponseError { return &ResponseError{ResponseStatus, status, statusReason} }

// Other statuses, interim answers, and bodies where there can be none (RFC 9110 §15.2, §8.6; RFC 9112 §6.1, §6.3).
var statusCases = func() (cases []answerCase) {
	add := func(name, section, head string, want *ResponseError) {
		cases = append(cases, answerCase{name: name, section: section, head: head, want: want})
	}
	for _, status := range []int{200, 204, 301, 304, 307, 400, 401, 403, 404, 426, 500, 503, 599, 600, 999} {
		add(fmt.Sprint(status), "RFC 6455 §4.1", fmt.Sprintf("HTTP/1.1 %d x\r\n", status)+up+conn+acc+end, not101(status))
	}
	add("000", "RFC 9110 §15", "HTTP/1.1 000 x\r\n"+end, not101(0))
	add("001", "RFC 9110 §15", "HTTP/1.1 001 x\r\n"+up+conn+acc+end, not101(1))
	add("HTTP/1.0 404", "RFC 9112 §2.3", "HTTP/1.0 404 Not Found\r\nContent-Length: 9\r\n\r\n", not101(404))
	add("404, everything wrong", "order", "HTTP/1.0 404 \r\nUpgrade: h2c\r\nUpgrade: a b\r\nConnection: ;\r\nSec-WebSocket-Extensions: x\r\nTransfer-Encoding: chunked\r\n\r\n", not101(404))
	add("302", "RFC 9110 §15.4.3", "HTTP/1.1 302 Found\r\nLocation: https://a.example/\r\nContent-Length: 5\r\n\r\n", not101(302))
	for _, status := range []string{"100 Continue", "102 Processing", "103 ", "199 x"} {
		add("interim "+status, "RFC 9110 §15.2", "HTTP/1.1 "+status+"\r\n"+end+opened, nil)
	}
	add("several interim answers", "RFC 9110 §15.2", "HTTP/1.1 100 Continue\r\n"+end+early+early+opened, nil)
	add("interim answer, then 403", "RFC 9110 §15.2", early+"HTTP/1.1 403 x\r\n"+end, not101(403))
	add("interim answer lends nothing", "RFC 9110 §15.2", "HTTP/1.1 103 x\r\n"+up+conn+acc+end+switching+end, errUpgradeMissing)
	add("interim answer taints nothing", "RFC 9110 §15.2", "HTTP/1.1 103 x\r\n"+up+acc+chat+"Connection: ;\r\nSec-WebSocket-Extensions: x\r\n"+end+opened, nil)
	add("interim answer of HTTP/1.0", "RFC 9110 §15.2", "HTTP/1.0 100 x\r\n"+end, not101(100))
	add("100 with HTTP/1.0 and a body", "RFC 9110 §15.2", "HTTP/1.0 100 x\r\nContent-Length: 5\r\n"+end, &ResponseError{ResponseBody, 100, bodyReason})
	add("101 twice", "RFC 6455 §4.1", switching+end, errUpgradeMissing)
	for _, line := range []string{"Content-Length: 1", "content-length: 00", "Content-Length:", "Content-Length: 0, 0", "Content-Length: +0", "CONTENT-LENGTH: 0\r\nContent-Length: 7",
		"Transfer-Encoding: chunked", "transfer-encoding: identity", "Transfer-Encoding:", "Content-Length: 0\r\nTransfer-Encoding: chunked"} {
		add("101 with "+line, "RFC 9110 §8.6", switching+up+conn+acc+line+"\r\n"+end, &ResponseError{ResponseBody, 101, bodyReason})
		add("103 with "+line, "RFC 9112 §6.3", "HTTP/1.1 103 x\r\n"+line+"\r\n"+end, &ResponseError{ResponseBody, 103, bodyReason})
	}
	add("Content-Length: 0", "RFC 9110 §8.6", switching+up+conn+acc+"Content-Length: 0\r\ncontent-length:\t0 \r\n"+end, nil)
	return cases
}()

// Each header missing, doubled, in odd case, with odd white space, and with other values (hazards 16 to 20).
var answerHeaderCases = func() (cases []answerCase) {
	add := func(section string, want *ResponseError, heads ...string) {
		for _, h := range heads {
			cases = append(cases, answerCase{name: strings.ReplaceAll(h, "\r\n", " | "), section: section, head: switching + h + end, want: want})
		}
	}
	line := func(name string, values ...string) (lines []string) {
		for _, v := range values {
			lines = append(lines, name+": "+v+"\r\n")
		}
		return lines
	}
	around := func(before string, lines []string, after string) (heads []string) {
		for _, l := range lines {
			heads = append(heads, before+l+after)
		}
		return heads
	}
	add("RFC 9110 §5.1", nil, "UPGRADE: WebSocket\r\nconnection: UPGRADE\r\nSEC-WEBSOCKET-ACCEPT: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: chat\r\n", acc+conn+up)
	add("RFC 9110 §5.6.3", nil, "Upgrade:\t websocket \t\r\nConnection:Upgrade\r\nSec-WebSocket-Accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\t\r\nSec-WebSocket-Protocol:  superchat \r\n")
	add("RFC 9110 §5.5", nil, up+conn+acc+"Set-Cookie: caf\xc3\xa9\tb\r\nX:\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocols: x\r\nUpgrades: x\r\n")

	add("RFC 6455 §4.1, 2", errUpgradeMissing, conn+acc, "X-Upgrade: websocket\r\n"+conn+acc)
	add("RFC 6455 §4.1, 2", errUpgradeTwice, up+up+conn+acc, up+"UPGRADE: h2c\r\n"+conn+acc, "Upgrade:\r\n"+up+conn+acc)
	add("RFC 6455 §4.1, 2", errUpgradeOther, around("", line("Upgrade", "", "notwebsocket", "websockets", "h2c", "websocket, h2c", "h2c, websocket", "websocket,", "websocket/13", "web socket", `"websocket"`, "websocket\xa0",
		"websoc\xe2\x84\xaaet", "websocket;a"), conn+acc)...)

	add("RFC 6455 §4.1, 3", nil, around(up, line("Connection", "keep-alive, Upgrade", "upgrade,,", "close,\tUPGRADE", "a\r\nConnection: Upgrade", "Upgrade\r\nconnection: Upgrade"), acc)...)
	add("RFC 6455 §4.1, 3", errConnectionMissing, up+acc)
	add("RFC 6455 §4.1, 3", errConnectionMissing, around(up, line("Connection", "", "keep-alive", "noupgrade", "upgrades, up-grade", "close"), acc)...)
	add("RFC 9110 §7.6.1", errConnectionList, around(up, line("Connection", "keep-alive Upgrade", "Upgrade, a/b", "Upgrade; a", `"Upgrade"`, "Upgrade\r\nConnection: a b"), acc)...)

	add("RFC 6455 §4.1, 4", errAcceptMissing, up+conn, up+conn+"Sec-WebSocket-Accepts: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
	add("RFC 6455 §11.3.3", errAcceptTwice, up+conn+acc+acc, up+conn+acc+"sec-websocket-accept:\r\n", up+conn+"Sec-WebSocket-Accept: x\r\n"+acc)
	add("RFC 6455 §4.1, 4", errAccept, around(up+conn, line("Sec-WebSocket-Accept", "", "x", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo==", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=",
		"s3pPLMBiTxaQ9kYGzzhZRbK+ xOo=", `"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="`, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "dGhlIHNhbXBsZSBub25jZQ==", "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w="), "")...)

	add("RFC 6455 §4.1, 5", errResponseExtensions, around(up+conn+acc, line("sec-websocket-EXTENSIONS", "permessage-deflate", "", ",", ";"), "")...)

	add("RFC 6455 §4.1, 6", nil, around(up+conn+acc, line("Sec-WebSocket-Protocol", "chat", "superchat"), "")...)
	add("RFC 6455 §11.3.4", errSubprotocolTwice, up+conn+acc+chat+chat, up+conn+acc+"Sec-WebSocket-Protocol:\r\n"+chat, up+conn+acc+chat+"SEC-WEBSOCKET-PROTOCOL: superchat\r\n")
	add("RFC 6455 §4.1, 6", errSubprotocol, around(up+conn+acc, line("Sec-WebSocket-Protocol", "", "Chat", "chats", "hat", "chat, superchat", "chat,", "none", `"chat"`, "chat\x80"), "")...)
	return cases
}()

// Hazards 15 and 16: a limit ends the reading, it never hides what stands beyond it.
var answerLimitCases = []answerCase{
	{name: "head at the limit", section: "hazard 16", head: opened, limits: Limits{MaxHead: len(opened)}},
	{name: "head over the limit", section: "hazard 16", head: opened[:len(opened)-1] + "§\n", limits: Limits{MaxHead: len(opened) - 1}, want: responseFaults[ErrHeadTooLarge]},
	{name: "status line over the limit", section: "hazard 15", head: "HTTP/1.1 101 §a\r\n", limits: Limits{MaxHead: 13}, want: responseFaults[ErrHeadTooLarge]},
	{name: "fault at the limit", section: "order", head: "HTTP/1.1 101\x00§", limits: Limits{MaxHead: 13}, want: responseFaults[ErrControl]},
	{name: "fault behind the limit", section: "order", head: "HTTP/1.1 101 §\x00", limits: Limits{MaxHead: 13}, want: responseFaults[ErrHeadTooLarge]},
	{name: "default MaxHead", section: "hazard 15", head: switching + "X: " + strings.Repeat("c", DefaultMaxHead-len(switching+"X: ")) + "§c\r\n" + end, want: responseFaults[ErrHeadTooLarge]},
	{name: "interim answers at the limit", section: "hazard 15", head: early + opened, limits: Limits{MaxHead: len(early + opened)}},
	{name: "interim answers over the limit", section: "hazard 15", head: early + opened[:len(opened)-1] + "§\n", limits: Limits{MaxHead: len(early+opened) - 1}, want: responseFaults[ErrHeadTooLarge]},
	{name: "interim answers without end", section: "hazard 15", head: strings.Repeat("HTTP/1.1 100 \r\n\r\n", DefaultMaxHead/17+1)[:DefaultMaxHead] + "§" + early, want: responseFaults[ErrHeadTooLarge]},
	{name: "at MaxHeaders", section: "hazard 16", head: opened, limits: Limits{MaxHeaders: 3}},
	{name: "over MaxHeaders", section: "hazard 16", head: switching + up + conn + acc + "§" + end, limits: Limits{MaxHeaders: 2}, want: responseFaults[ErrTooManyHeaders]},
	{name: "interim answers over MaxHeaders", section: "hazard 16", head: early + switching + up + conn + acc + "§" + end, limits: Limits{MaxHeaders: 3}, want: responseFaults[ErrTooManyHeaders]},
	{name: "hidden header over MaxHeaders", section: "hazard 16", head: switching + up + conn + acc + "Sec-WebSocket-Extensions: x\r\n§" + end, limits: Limits{MaxHeaders: 3}, want: responseFaults[ErrTooManyHeaders]},
	{name: "over default MaxHeaders", section: "hazard 16", head: switching + up + conn + acc + strings.Repeat("X: \r\n", DefaultMaxHeaders-2) + "§" + end, want: responseFaults[ErrTooManyHeaders]},
	{name: "at default MaxHeaders", section: "hazard 16", head: switching + up + conn + acc + strings.Repeat("X: \r\n", DefaultMaxHeaders-3) + end},
	{name: "negative limits", section: "defaults", head: opened, limits: Limits{-1, -1}},
}

// The order in which the faults of one answer are told: mending the first shows the second, and so on.
func TestAnswerPrecedence(t *testing.T) {
	head := "HTTP/1.0 101 x\r\nContent-Length: 1\r\nConnection: a b\r\nSec-WebSocket-Extensions: x\r\nSec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: y\r\n" + end
	for _, step := range []struct {
		want      *ResponseError
		bad, good string
	}{
		{&ResponseError{ResponseBody, 101, bodyReason}, "Content-Length: 1\r\n", ""},
		{errResponseMinor, "HTTP/1.0", "HTTP/1.1"},
		{errUpgradeMissing, end + end, end + "Upgrade: x\r\nUpgrade: y\r\n" + end},
		{errUpgradeTwice, "Upgrade: y\r\n", ""},
		{errUpgradeOther, "Upgrade: x\r\n", up},
		{errConnectionList, "Connection: a b\r\n", ""},
		{errConnectionMissing, up, up + conn},
		{errAcceptMissing, up, up + "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Accept: y\r\n"},
		{errAcceptTwice, "Sec-WebSocket-Accept: y\r\n", ""},
		{errAccept, "Sec-WebSocket-Accept: x\r\n", acc},
		{errResponseExtensions, "Sec-WebSocket-Extensions: x\r\n", ""},
		{errSubprotocolTwice, "Sec-WebSocket-Protocol: x\r\n", ""},
		{errSubprotocol, "Sec-WebSocket-Protocol: y\r\n", chat},
		{nil, "", ""},
	} {
		testAnswerCase(t, answerCase{section: "order", head: head, want: step.want})
		if !strings.Contains(head, step.bad) {
			t.Fatalf("%q without %q", head, step.bad)
		}
		head = strings.Replace(head, step.bad, step.good, 1)
	}
}

// Every error names the fault, the rule and the remedy; every kind occurs in the tables.
func TestResponseErrors(t *testing.T) {
	var kinds [NumResponseKinds]bool
	for _, table := range answerTables {
		for _, c := range table {
			if c.want == nil {
				continue
			}
			kinds[c.want.Kind] = true
			fault, remedy, ok := strings.Cut(c.want.Reason, ": ")
			if !ok || remedy == "" || !strings.Contains(fault, "(RFC ") && !strings.Contains(fault, "Limits.") {
				t.Errorf("%q", c.want.Reason)
			}
			text := c.want.Error()
			if !strings.HasPrefix(text, "handshake: ") || !strings.HasSuffix(text, c.want.Reason) || c.want.Status != 0 && !strings.Contains(text, fmt.Sprint(" ", c.want.Status, ": ")) {
				t.Errorf("%q", text)
			}
		}
	}
	for k, seen := range kinds {
		if name := ResponseKind(k).String(); !seen || name == "" {
			t.Errorf("kind %d %q: seen %v", k, name, seen)
		}
	}
	if ResponseKind(NumResponseKinds).String() != "kind 13" {
		t.Error(ResponseKind(NumResponseKinds))
	}
}

// slowAnswer has lines long and short, and interim answers before it.
var slowAnswer = early + early + switching + up + conn + acc + chat + "Set-Cookie: " + strings.Repeat("0123456789abcdef", 400) + "\r\n" + strings.Repeat("X: y\r\n", 80) + "Z: \ta\r\n" + end

// Hazard 15, as TestScannedOnce: of what comes octet by octet only the new octets are looked at, and the line once more.
func TestAnswerScannedOnce(t *testing.T) {
	var r ResponseReader
	r.Reset(asked, nonce, Limits{})
	lastLine := 0
	poisoned := make([]byte, len(slowAnswer))
	for i := range slowAnswer {
		clear(poisoned)
		from := max(i-1, 0) // a CR at the end is looked at again, with what follows it
		if slowAnswer[i] == '\n' {
			from, lastLine = lastLine, i+1
		}
		if i+1 == len(slowAnswer) {
			from = 2 * len(early) // the verdict looks at what the lines before have marked
		}
		copy(poisoned[from:], slowAnswer[from:i+1])
		_, n, err := r.Next(poisoned[:i+1])
		if err != nil || (n != 0) != (i+1 == len(slowAnswer)) {
			t.Fatalf("octet %d: n = %d, %v", i, n, err)
		}
		if scanned := int(r.pos); scanned != i+1 && !(scanned == i && slowAnswer[i] == '\r') {
			t.Fatalf("octet %d: scanned to %d", i, scanned)
		}
	}
}

func TestAnswerPermanentUntilReset(t *testing.T) {
	var r ResponseReader
	r.Reset(asked, nonce, Limits{})
	for _, bad := range []string{"\x00" + opened, "HTTP/1.1 101\r\n", switching + "Upgrade : a\r\n", early + "\r\n", "HTTP/1.1 403 x\r\n\r\n"} {
		res, n, first := r.Next([]byte(bad))
		whole := outcomeOf(&res, n, first)
		res, n, err := r.Next([]byte(bad + opened))
		if err != first || err == nil || outcomeOf(&res, n, err) != whole {
			t.Fatal("not permanent:", n, err)
		}
		r.Reset(asked, nonce, Limits{})
		for range 2 {
			if res, n, err := r.Next([]byte(opened + "x")); n != len(opened) || err != nil || res.Status() != 101 {
				t.Fatal(n, err)
			}
		}
		r.Reset(asked, nonce, Limits{})
	}
	if r.Reset(asked, nonce, Limits{math.MaxInt, math.MaxInt}); r.maxHead != greatestLimit || r.maxHeaders != greatestLimit {
		t.Error("limits are not bounded")
	}
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "fewer octets") {
			t.Error("panic:", s)
		}
	}()
	r.Next([]byte("HTTP/"))
	r.Next([]byte("HTTP"))
}

// Hazard 19: octets behind the head are not looked at, and not part of any slice; nor are those of interim answers.
func TestFramesBehindAnswer(t *testing.T) {
	head := early + switching + up + conn + acc + chat + end
	in := []byte(head + behindAnswer)
	var r ResponseReader
	r.Reset(asked, nonce, Limits{})
	res, n, err := r.Next(in)
	if err != nil || n != len(head) || string(res.Head()) != head[len(early):] || cap(res.Head()) != len(res.Head()) {
		t.Fatalf("n = %d, %v, %q", n, err, res.Head())
	}
	for name, value := range res.Headers() {
		_, _ = append(name, "####"...), append(value, "####"...)
	}
	_, _ = append(res.Head(), "####"...), append(res.Subprotocol(), "####"...)
	if string(in) != head+behindAnswer {
		t.Errorf("appending to a view wrote into the input: %q", in)
	}
	if string(res.Subprotocol()) != "chat" || string(res.Header("uPGRADE")) != "websocket" || res.Header("Link") != nil {
		t.Errorf("%q %q %q", res.Subprotocol(), res.Header("uPGRADE"), res.Header("Link"))
	}
}

// A redirect, with the start of its body in the same segment.
func TestOtherStatusHasView(t *testing.T) {
	var r ResponseReader
	r.Reset(asked, nonce, Limits{})
	head := "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://b.example/chat\r\nEmpty:\r\nContent-Length: 5\r\n\r\n"
	res, n, err := r.Next([]byte(head + "else"))
	var fault *ResponseError
	if !errors.As(err, &fault) || fault.Kind != ResponseStatus || fault.Status != 307 || n != len(head) {
		t.Fatal(n, err)
	}
	if res.Status() != 307 || string(res.Header("location")) != "https://b.example/chat" || res.Subprotocol() != nil || string(res.Head()) != head {
		t.Errorf("%d %q", res.Status(), res.Head())
	}
	if v := res.Header("empty"); v == nil || len(v) != 0 {
		t.Errorf("got %q, want empty and not nil", v)
	}
	for range res.Headers() {
		break
	}
	var zero Response
	if zero.Status() != 0 || zero.Header("a") != nil || zero.Subprotocol() != nil || zero.Head() != nil {
		t.Error("the zero Response has something")
	}
}

// Nothing offered: no subprotocol is right, not even an empty one. And the reader keeps nothing but the slice.
func TestAnswerToOtherRequests(t *testing.T) {
	for _, c := range []struct {
		req  ClientRequest
		key  [16]byte
		head string
		want *ResponseError
	}{
		{ClientRequest{}, nonce, opened, nil},
		{ClientRequest{}, nonce, switching + up + conn + acc + chat + end, errSubprotocol},
		{ClientRequest{}, nonce, switching + up + conn + acc + "Sec-WebSocket-Protocol:\r\n" + end, errSubprotocol},
		{ClientRequest{Subprotocols: []string{"superchat"}}, nonce, switching + up + conn + acc + chat + end, errSubprotocol},
		{ClientRequest{Subprotocols: []string{"superchat"}}, nonce, opened, nil},
		{ClientRequest{}, [16]byte{}, opened, errAccept},
		{ClientRequest{}, [16]byte{}, switching + up + conn + "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n" + end, nil}, // of the key AAAAAAAAAAAAAAAAAAAAAA==
	} {
		var r ResponseReader
		r.Reset(&c.req, c.key, Limits{})
		c.req = ClientRequest{}
		_, n, err := r.Next([]byte(c.head))
		if got, _ := err.(*ResponseError); got != c.want || n != len(c.head) {
			t.Errorf("%q: got %v, want %v", c.head, got, c.want)
		}
	}
}

func TestResponseSizes(t *testing.T) {
	if n := unsafe.Sizeof(ResponseReader{}); n > 112 {
		t.Errorf("ResponseReader: %d octets", n)
	}
	if n := unsafe.Sizeof(Response{}); n > 32 {
		t.Errorf("Response: %d octets", n)
	}
}

// Nothing is allocated, but for the errors whose status is not always the same.
func TestAnswerAllocations(t *testing.T) {
	var r ResponseReader
	check := func(name string, most float64, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(20, f); n > most {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	in := []byte(early + switching + up + conn + acc + chat + end + behindAnswer)
	check("accepted", 0, func() {
		r.Reset(asked, nonce, Limits{})
		res, _, err := r.Next(in)
		if err != nil || string(res.Subprotocol()) != "chat" || res.Header("link") != nil {
			t.Fatal(err)
		}
	})
	for _, table := range answerTables {
		for _, c := range table {
			head, _, _ := wireCase{head: c.head}.told()
			in := []byte(head)
			most := 0.0
			if c.want != nil && (c.want.Kind == ResponseStatus || c.want.Kind == ResponseBody) {
				most = 1
			}
			check(c.name, most, func() { r.Reset(asked, nonce, c.limits); r.Next(in) })
		}
	}
	in = bytes.Clone([]byte(slowAnswer))
	check("octet by octet", 0, func() {
		r.Reset(asked, nonce, Limits{})
		for i := range in {
			r.Next(in[:i+1])
		}
	})
}
