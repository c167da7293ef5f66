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

// The pieces of a request, as the lines go over the wire (RFC 6455 §1.2).
const (
	get     = "GET /chat HTTP/1.1\r\n"
	host    = "Host: server.example.com\r\n"
	up      = "Upgrade: websocket\r\n"
	conn    = "Connection: Upgrade\r\n"
	key     = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	ver     = "Sec-WebSocket-Version: 13\r\n"
	end     = "\r\n"
	minimal = get + host + up + conn + key + ver + end
)

// behind follows the head in every play: a masked text frame "Hello" (RFC 6455 §5.7), and a request in hiding.
const behind = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" + "\r\n\r\nGET /hidden HTTP/1.1\r\n\r\n"

// A wireCase is a head and its fate. A "§" in the head stands behind the octet that gives the fault away; without it
// the fate is told at the end of the head.
type wireCase struct {
	name, section, head string
	want                *Refusal
	limits              Limits
}

// told splits the mark from the octets: the fate is known after that many, and n is the length if the head was whole.
func (c wireCase) told() (head string, told, n int) {
	before, after, marked := strings.Cut(c.head, "§")
	if marked {
		return before + after, len(before), 0
	}
	return c.head, len(c.head), len(c.head)
}

type outcome struct {
	err  error
	n    int
	view string // all that the Request shows
}

func view(r *Request) string {
	var b strings.Builder
	for _, p := range [][]byte{r.Method(), r.Target(), r.Path(), r.Query(), r.Host(), r.Origin(), r.Key(), r.Head()} {
		fmt.Fprintf(&b, "%v %q\n", p == nil, p)
	}
	for name, value := range r.Headers() {
		fmt.Fprintf(&b, "%q: %q\n", name, value)
	}
	for p := range r.Subprotocols() {
		fmt.Fprintf(&b, "subprotocol %q\n", p)
	}
	return b.String()
}

// play gives a fresh Reader prefixes of the stream, each in new memory, the old one overwritten. It returns the outcome
// and how many octets it took.
func play(l Limits, stream string, cuts ...int) (o outcome, told int) {
	var r Reader
	r.Reset(l)
	var memory []byte
	for _, cut := range cuts {
		for i := range memory {
			memory[i] = 0xEE
		}
		memory = bytes.Clone([]byte(stream[:cut]))
		if req, n, err := r.Next(memory); n != 0 || err != nil {
			return outcome{err, n, view(&req)}, cut
		}
	}
	return outcome{view: view(&Request{})}, -1
}

func upTo(n int) (cuts []int) {
	for i := range n + 1 {
		cuts = append(cuts, i)
	}
	return cuts
}

func testCase(t *testing.T, c wireCase) {
	head, told, n := c.told()
	stream := head + behind
	whole, _ := play(c.limits, stream, len(stream))
	if fault, _ := whole.err.(*Refusal); fault != c.want {
		t.Fatalf("%s\n%q\ngot  %v\nwant %v", c.section, head, fault, c.want)
	}
	if whole.n != n {
		t.Fatalf("n = %d, want %d\n%q", whole.n, n, head)
	}
	byOctet, at := play(c.limits, stream, upTo(len(stream))...)
	if byOctet != whole {
		t.Fatalf("octet by octet: %v\nin one piece:   %v", byOctet, whole)
	}
	if at != told {
		t.Errorf("told after %d octets, want %d: %q", at, told, stream[:at])
	}
	step := 1 + len(head)/4096*61 // each split, but of the longest some
	for cut := 0; cut <= told; cut += step {
		if split, _ := play(c.limits, stream, cut, len(stream)); split != whole {
			t.Fatalf("split at %d: %v\nin one piece: %v", cut, split, whole)
		}
	}
}

// TestWire plays the tables below. Hazards 15 to 18.
func TestWire(t *testing.T) {
	for _, table := range [][]wireCase{lineCases, bodyCases, headerCases, tokenCases, listCases, targetCases, limitCases} {
		for _, c := range table {
			t.Run(c.name, func(t *testing.T) { testCase(t, c) })
		}
	}
}

// Octets and lines. Hazard 18: whatever another parser on the way might read differently is refused.
var lineCases = []wireCase{
	{name: "minimal", section: "RFC 6455 §1.3", head: minimal},
	{name: "empty line first", section: "RFC 9112 §2.2", head: "\r\n§" + minimal, want: ErrRequestLine},
	{name: "LF first", section: "RFC 9112 §2.2", head: "\n§" + minimal, want: ErrBareLF},
	{name: "TLS", section: "RFC 9112 §2.2", head: "\x16§\x03\x01\x02\x00\x01\x00\x01\xfc", want: ErrControl},
	{name: "HTTP/2", section: "RFC 9113 §3.4", head: "PRI * HTTP/2.0\r\n§\r\nSM\r\n\r\n", want: ErrHTTPVersion},
	{name: "bare LF after request line", section: "RFC 9112 §2.2", head: "GET / HTTP/1.1\n§" + host + end, want: ErrBareLF},
	{name: "bare LF after header", section: "RFC 9112 §2.2", head: get + "Host: a\n§" + up + end, want: ErrBareLF},
	{name: "bare LF as end", section: "RFC 9112 §2.2", head: get + host + up + conn + key + ver + "\n§", want: ErrBareLF},
	{name: "bare CR in request line", section: "RFC 9112 §2.2", head: "GET /\r §HTTP/1.1\r\n" + end, want: ErrBareCR},
	{name: "bare CR in value", section: "RFC 9112 §2.2", head: get + "Host: a\rX§: b\r\n" + end, want: ErrBareCR},
	{name: "CR CR LF", section: "RFC 9112 §2.2", head: get + "Host: a\r\r§\n" + end, want: ErrBareCR},
	{name: "CR as end", section: "RFC 9112 §2.2", head: get + host + "\r\r§", want: ErrBareCR},
	{name: "NUL in value", section: "RFC 9110 §5.5", head: get + "Host: a\x00§\r\n" + end, want: ErrControl},
	{name: "NUL in name", section: "RFC 9110 §5.1", head: get + "Ho\x00§st: a\r\n" + end, want: ErrControl},
	{name: "DEL in value", section: "RFC 9110 §5.5", head: get + "Cookie: 12345678\x7f§\r\n" + end, want: ErrControl},
	{name: "ESC in value", section: "RFC 9110 §5.5", head: get + "Cookie: 1234567\x1b§8\r\n" + end, want: ErrControl},
	{name: "folding, space", section: "RFC 9112 §5.2", head: get + host + "X: a\r\n b\r\n§" + up + end, want: ErrFolding},
	{name: "folding, tab", section: "RFC 9112 §5.2", head: get + host + "X: a\r\n\tb\r\n§" + up + end, want: ErrFolding},
	{name: "white line", section: "RFC 9112 §5.2", head: get + host + " \r\n§" + up + end, want: ErrFolding},
	{name: "space before first header", section: "RFC 9112 §2.2", head: get + " Host: a\r\n§" + end, want: ErrFolding},
	{name: "space before colon", section: "RFC 9112 §5.1", head: get + "Host : a\r\n§" + end, want: ErrSpaceBeforeColon},
	{name: "tab before colon", section: "RFC 9112 §5.1", head: get + "Host\t: a\r\n§" + end, want: ErrSpaceBeforeColon},
	{name: "space in name", section: "RFC 9110 §5.1", head: get + "Ho st: a\r\n§" + end, want: ErrHeader},
	{name: "empty name", section: "RFC 9110 §5.1", head: get + ": a\r\n§" + end, want: ErrHeader},
	{name: "no colon", section: "RFC 9112 §5", head: get + "Host\r\n§" + end, want: ErrHeader},
	{name: "no colon, white", section: "RFC 9112 §5", head: get + "Host \r\n§" + end, want: ErrHeader},
	{name: "obs-text in name", section: "RFC 9110 §5.1", head: get + "H\xf6st: a\r\n§" + end, want: ErrHeader},
	{name: "separator in name", section: "RFC 9110 §5.1", head: get + "Ho(st: a\r\n§" + end, want: ErrHeader},
	{name: "obs-text in value", section: "RFC 9110 §5.5", head: get + host + up + conn + key + ver + "Cookie: \x80caf\xc3\xa9\xff\r\n" + end},
	{name: "tab in value", section: "RFC 9110 §5.5", head: get + host + up + conn + key + ver + "X: a\tb\r\n" + end},
	{name: "empty value", section: "RFC 9110 §5.5", head: get + host + up + conn + key + ver + "X:\r\nY: \t \r\n" + end},
	{name: "odd names", section: "RFC 9110 §5.6.2", head: get + host + up + conn + key + ver + "!#$%&'*+-.^_`|~9aZ: x\r\n" + end},

	{name: "no spaces", section: "RFC 9112 §3", head: "GET\r\n§" + host + end, want: ErrRequestLine},
	{name: "HTTP/0.9", section: "RFC 9112 §3", head: "GET /\r\n§" + host + end, want: ErrRequestLine},
	{name: "empty target", section: "RFC 9112 §3", head: "GET  HTTP/1.1\r\n§" + host + end, want: ErrRequestLine},
	{name: "two spaces", section: "RFC 9112 §3", head: "GET  / HTTP/1.1\r\n§" + host + end, want: ErrRequestLine},
	{name: "tab between", section: "RFC 9112 §3", head: "GET\t/\tHTTP/1.1\r\n§" + host + end, want: ErrRequestLine},
	{name: "space in target", section: "RFC 9112 §3.2", head: "GET /a b HTTP/1.1\r\n§" + host + end, want: ErrRequestLine},
	{name: "space first", section: "RFC 9112 §3", head: " GET / HTTP/1.1\r\n§" + host + end, want: ErrRequestLine},
	{name: "space last", section: "RFC 9112 §3", head: "GET / HTTP/1.1 \r\n§" + host + end, want: ErrRequestLine},
	{name: "method no token", section: "RFC 9110 §9.1", head: "G@T / HTTP/1.1\r\n§" + host + end, want: ErrRequestLine},
	{name: "an answer", section: "RFC 9112 §4", head: "HTTP/1.1 200 OK\r\n§" + end, want: ErrRequestLine},
	{name: "HTTP/1.0", section: "RFC 6455 §4.2.1, 1", head: "GET / HTTP/1.0\r\n§" + host + end, want: ErrHTTPVersion},
	{name: "HTTP/2.0", section: "RFC 6455 §4.2.1, 1", head: "GET / HTTP/2.0\r\n§" + host + end, want: ErrHTTPVersion},
	{name: "HTTP/1.10", section: "RFC 9112 §2.3", head: "GET / HTTP/1.10\r\n§" + host + end, want: ErrRequestLine},
	{name: "http/1.1", section: "RFC 9112 §2.3", head: "GET / http/1.1\r\n§" + host + end, want: ErrRequestLine},
	{name: "HTTP/1,1", section: "RFC 9112 §2.3", head: "GET / HTTP/1,1\r\n§" + host + end, want: ErrRequestLine},
}

// Hazard 18: a method or a body with which a second request could be smuggled; and what honest clients send.
var bodyCases = []wireCase{
	{name: "POST", section: "RFC 6455 §4.2.1, 1", head: "POST / HTTP/1.1\r\n" + host + up + conn + key + ver + end, want: ErrMethod},
	{name: "get", section: "RFC 9110 §9.1", head: "get / HTTP/1.1\r\n" + host + up + conn + key + ver + end, want: ErrMethod},
	{name: "HEAD", section: "RFC 9110 §9.3.2", head: "HEAD / HTTP/1.1\r\n" + host + end, want: errMethodHEAD},
	{name: "CONNECT", section: "RFC 9112 §3.2.3", head: "CONNECT a:443 HTTP/1.1\r\n" + host + end, want: ErrMethod},
	{name: "OPTIONS", section: "RFC 9112 §3.2.4", head: "OPTIONS * HTTP/1.1\r\n" + host + end, want: ErrMethod},
	{name: "Content-Length 0", section: "RFC 9110 §8.6", head: get + host + up + conn + key + ver + "Content-Length: 0\r\n" + end},
	{name: "Content-Length 0 twice", section: "RFC 9110 §8.6", head: get + host + up + conn + key + ver + "Content-Length: 0\r\nContent-Length: 0\r\n" + end},
	{name: "Content-Length 1", section: "RFC 9110 §8.6", head: get + host + up + conn + key + ver + "Content-Length: 1\r\n" + end, want: ErrBody},
	{name: "Content-Length 0 and 1", section: "RFC 9110 §8.6", head: get + "Content-Length: 0\r\nContent-Length: 1\r\n" + host + up + conn + key + ver + end, want: ErrBody},
	{name: "Content-Length 1 and 0", section: "RFC 9110 §8.6", head: get + "Content-Length: 1\r\nContent-Length: 0\r\n" + host + up + conn + key + ver + end, want: ErrBody},
	{name: "Content-Length list", section: "RFC 9110 §8.6", head: get + host + up + conn + key + ver + "Content-Length: 0, 0\r\n" + end, want: ErrBody},
	{name: "Content-Length 00", section: "RFC 9110 §8.6", head: get + host + up + conn + key + ver + "Content-Length: 00\r\n" + end, want: ErrBody},
	{name: "Content-Length +0", section: "RFC 9110 §8.6", head: get + host + up + conn + key + ver + "Content-Length: +0\r\n" + end, want: ErrBody},
	{name: "Content-Length empty", section: "RFC 9110 §8.6", head: get + host + up + conn + key + ver + "CONTENT-LENGTH:\r\n" + end, want: ErrBody},
	{name: "chunked", section: "RFC 9112 §6.1", head: get + host + up + conn + key + ver + "Transfer-Encoding: chunked\r\n" + end, want: ErrBody},
	{name: "identity", section: "RFC 9112 §6.1", head: get + host + up + conn + key + ver + "transfer-encoding: identity\r\n" + end, want: ErrBody},
	{name: "Transfer-Encoding empty", section: "RFC 9112 §6.1", head: get + host + up + conn + key + ver + "Transfer-Encoding:\r\n" + end, want: ErrBody},
	{name: "both", section: "RFC 9112 §6.1", head: get + host + up + conn + key + ver + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n" + end, want: ErrBody},
}

// Each header missing, doubled, in odd case, with odd white space (RFC 6455 §4.2.1).
var headerCases = []wireCase{
	{name: "odd case", section: "RFC 9110 §5.1", head: get + "hOST: server.example.com\r\nUPGRADE: WebSocket\r\nconnection: UPGRADE\r\n" +
		"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nSEC-WEBSOCKET-VERSION: 13\r\n" + end},
	{name: "odd white space", section: "RFC 9110 §5.6.3", head: get + "Host:server.example.com\r\nUpgrade:\t \twebsocket\t \r\nConnection: \tUpgrade \r\n" +
		"Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ== \t\r\nSec-WebSocket-Version:\t13 \r\n" + end},
	{name: "Host missing", section: "RFC 9112 §3.2", head: get + up + conn + key + ver + end, want: ErrHostMissing},
	{name: "hazard 18: Host twice", section: "RFC 9112 §3.2", head: get + host + host + up + conn + key + ver + end, want: ErrHostTwice},
	{name: "hazard 18: Host in two cases", section: "RFC 9112 §3.2", head: get + host + "hosT: evil\r\n" + up + conn + key + ver + end, want: ErrHostTwice},
	{name: "Host empty", section: "RFC 6455 §4.2.1, 2", head: get + "Host:\r\n" + up + conn + key + ver + end, want: ErrHost},
	{name: "Host empty, then another", section: "RFC 9112 §3.2", head: get + "Host:\r\n" + host + up + conn + key + ver + end, want: ErrHostTwice},
	{name: "Upgrade missing", section: "RFC 9110 §15.5.22", head: get + host + conn + key + ver + end, want: ErrPlainRequest},
	{name: "plain GET", section: "RFC 9110 §15.5.22", head: get + host + "Connection: keep-alive\r\n" + end, want: ErrPlainRequest},
	{name: "Upgrade twice", section: "RFC 9110 §5.3", head: get + host + up + up + conn + key + ver + end},
	{name: "Upgrade over two lines", section: "RFC 9110 §5.3", head: get + host + "Upgrade: h2c\r\n" + up + conn + key + ver + end},
	{name: "Connection missing", section: "RFC 6455 §4.2.1, 4", head: get + host + up + key + ver + end, want: ErrConnection},
	{name: "Connection twice", section: "RFC 9110 §5.3", head: get + host + up + conn + conn + key + ver + end},
	{name: "Connection over two lines", section: "RFC 9110 §5.3", head: get + host + up + "Connection: keep-alive\r\n" + conn + key + ver + end},
	{name: "key missing", section: "RFC 6455 §4.2.1, 5", head: get + host + up + conn + ver + end, want: ErrKeyMissing},
	{name: "hazard 18: key twice", section: "RFC 6455 §11.3.1", head: get + host + up + conn + key + key + ver + end, want: ErrKeyTwice},
	{name: "key empty", section: "RFC 6455 §4.2.1, 5", head: get + host + up + conn + "Sec-WebSocket-Key:\r\n" + ver + end, want: ErrKey},
	{name: "key of 15 octets", section: "RFC 6455 §4.2.1, 5", head: get + host + up + conn + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n" + ver + end, want: ErrKey},
	{name: "key of 17 octets", section: "RFC 6455 §4.2.1, 5", head: get + host + up + conn + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n" + ver + end, want: ErrKey},
	{name: "key of 18 octets", section: "RFC 6455 §4.2.1, 5", head: get + host + up + conn + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA\r\n" + ver + end, want: ErrKey},
	{name: "key with unused bits", section: "RFC 4648 §3.5", head: get + host + up + conn + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n" + ver + end, want: ErrKey},
	{name: "key without padding", section: "RFC 4648 §3.2", head: get + host + up + conn + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n" + ver + end, want: ErrKey},
	{name: "key with white space", section: "RFC 4648 §3.3", head: get + host + up + conn + "Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ==\r\n" + ver + end, want: ErrKey},
	{name: "key in base64url", section: "RFC 4648 §5", head: get + host + up + conn + "Sec-WebSocket-Key: ---------------------A==\r\n" + ver + end, want: ErrKey},
	{name: "key with + and /", section: "RFC 4648 §4", head: get + host + up + conn + "Sec-WebSocket-Key: +/+/+/+/+/+/+/+/+/+/+A==\r\n" + ver + end},
	{name: "version missing", section: "RFC 6455 §4.4", head: get + host + up + conn + key + end, want: ErrVersion},
	{name: "hazard 18: version twice", section: "RFC 6455 §11.3.5", head: get + host + up + conn + key + ver + ver + end, want: ErrVersionTwice},
	{name: "versions 13 and 8", section: "RFC 6455 §11.3.5", head: get + host + up + conn + key + ver + "Sec-WebSocket-Version: 8\r\n" + end, want: ErrVersionTwice},
	{name: "version 8", section: "RFC 6455 §4.4", head: get + host + up + conn + key + "Sec-WebSocket-Version: 8\r\n" + end, want: ErrVersion},
	{name: "version 013", section: "RFC 6455 §4.4", head: get + host + up + conn + key + "Sec-WebSocket-Version: 013\r\n" + end, want: ErrVersion},
	{name: "version 13, 8", section: "RFC 6455 §4.4", head: get + host + up + conn + key + "Sec-WebSocket-Version: 13, 8\r\n" + end, want: ErrVersion},
	{name: "version empty", section: "RFC 6455 §4.4", head: get + host + up + conn + key + "Sec-WebSocket-Version:\r\n" + end, want: ErrVersion},
	{name: "Origin twice", section: "RFC 6454 §7.3", head: get + host + up + conn + key + ver + "Origin: http://a\r\norigin: http://a\r\n" + end, want: ErrOriginTwice},
	{name: "names that only resemble", section: "RFC 9110 §5.1", head: get + host + up + conn + key + ver +
		"Hos: a\r\nHostt: a\r\nHos\x74-: a\r\nTransfer_Encoding: chunked\r\nSec-WebSocket-Keys: a\r\nXSec-WebSocket-Key: a\r\n" + end},
}

// Hazard 17: tokens are compared as tokens.
var tokenCases = []wireCase{
	{name: "notwebsocket", section: "RFC 6455 §4.2.1, 3", head: get + host + "Upgrade: notwebsocket\r\n" + conn + key + ver + end, want: ErrUpgrade},
	{name: "websockets", section: "RFC 6455 §4.2.1, 3", head: get + host + "Upgrade: websockets\r\n" + conn + key + ver + end, want: ErrUpgrade},
	{name: "websocket-x", section: "RFC 6455 §4.2.1, 3", head: get + host + "Upgrade: websocket-x, x-websocket\r\n" + conn + key + ver + end, want: ErrUpgrade},
	{name: "websocket/13", section: "RFC 9110 §7.8", head: get + host + "Upgrade: websocket/13\r\n" + conn + key + ver + end, want: ErrUpgrade},
	{name: "h2c", section: "RFC 9110 §7.8", head: get + host + "Upgrade: h2c\r\n" + conn + key + ver + end, want: ErrUpgrade},
	{name: "Upgrade empty", section: "RFC 9110 §7.8", head: get + host + "Upgrade:\r\n" + conn + key + ver + end, want: ErrUpgrade},
	{name: "Upgrade list", section: "RFC 9110 §7.8", head: get + host + "Upgrade: HTTP/2.0,SHTTP/1.3 ,\tWEBSOCKET, RTA/x11\r\n" + conn + key + ver + end},
	{name: "Upgrade list with empty elements", section: "RFC 9110 §5.6.1", head: get + host + "Upgrade: ,, ,websocket,\r\n" + conn + key + ver + end},
	{name: "web socket", section: "RFC 9110 §5.6.1", head: get + host + "Upgrade: web socket\r\n" + conn + key + ver + end, want: ErrList},
	{name: "websocket and garbage", section: "RFC 9110 §5.6.1", head: get + host + "Upgrade: websocket, a b\r\n" + conn + key + ver + end, want: ErrList},
	{name: "quoted", section: "RFC 9110 §5.6.1", head: get + host + "Upgrade: \"websocket\"\r\n" + conn + key + ver + end, want: ErrList},
	{name: "websocket/", section: "RFC 9110 §7.8", head: get + host + "Upgrade: websocket/\r\n" + conn + key + ver + end, want: ErrList},
	{name: "/websocket", section: "RFC 9110 §7.8", head: get + host + "Upgrade: /websocket\r\n" + conn + key + ver + end, want: ErrList},
	{name: "websocket/1/2", section: "RFC 9110 §7.8", head: get + host + "Upgrade: websocket/1/2, websocket\r\n" + conn + key + ver + end, want: ErrList},
	{name: "websocket;q", section: "RFC 9110 §7.8", head: get + host + "Upgrade: websocket;q=1\r\n" + conn + key + ver + end, want: ErrList},
	{name: "obs-text", section: "RFC 9110 §5.6.2", head: get + host + "Upgrade: websocket\xa0\r\n" + conn + key + ver + end, want: ErrList},
	{name: "keep-alive, Upgrade", section: "RFC 9110 §7.6.1", head: get + host + up + "Connection: keep-alive, Upgrade\r\n" + key + ver + end},
	{name: "keep-alive", section: "RFC 9110 §7.6.1", head: get + host + up + "Connection: keep-alive\r\n" + key + ver + end, want: ErrConnection},
	{name: "noupgrade", section: "RFC 9110 §7.6.1", head: get + host + up + "Connection: noupgrade, upgrade2, up-grade\r\n" + key + ver + end, want: ErrConnection},
	{name: "Connection malformed", section: "RFC 9110 §7.6.1", head: get + host + up + "Connection: Upgrade, a/b\r\n" + key + ver + end, want: ErrList},
	{name: "keep-alive Upgrade", section: "RFC 9110 §7.6.1", head: get + host + up + "Connection: keep-alive Upgrade\r\n" + key + ver + end, want: ErrList},
}

// Extensions (RFC 6455 §9.1, with the implied white space of RFC 2616 §2.1) and subprotocols (§4.1, 10).
var listCases = func() (cases []wireCase) {
	add := func(section, name string, want *Refusal, values ...string) {
		for _, v := range values {
			cases = append(cases, wireCase{name: name + v, section: section, want: want, head: get + host + up + conn + key + ver + name + v + "\r\n" + end})
		}
	}
	const ext, sub = "Sec-WebSocket-Extensions: ", "Sec-WebSocket-Protocol: "
	add("RFC 6455 §9.1", ext, nil, "permessage-deflate", "permessage-deflate; client_max_window_bits", "a;b=c, d", "a ; b = c ,d", `a; b="c"`, `a; b="c\d"; e`,
		",a,,b,", "mux; max-channels=4; flow-control, deflate-stream", "a\r\n"+ext+"b", ext[:0]+"\r\n"+ext+"a", "foo; server_max_window_bits=10, foo; x")
	add("RFC 6455 §9.1", ext, ErrExtensions, "", ",", " , ,", ";", "a;", "a;;b", "a b", "a;b c", "a;b=", "a;=b", "a;b=c d", "a=b", `a;b="`, `a;b=""`, `a;b="c`,
		`a;b="c d"`, `a;b="c,d"`, `a;b="c"d`, `a;b="\`, `a;b="\"`, `a;b="\""`, `"a"`, "a/b", "\xe9", "a\r\n"+ext+"b;", "a;\r\n"+ext+"b", "\r\n"+ext)
	add("RFC 6455 §4.1, 10", sub, nil, "chat", "chat, superchat", "chat,Chat", ",chat,, superchat ,", "chat\r\n"+sub+"superchat", "\r\n"+sub+"chat", "v10.stomp,v11.stomp", "!#$%&'*+-.^_`|~")
	add("RFC 6455 §4.1, 10", sub, ErrSubprotocols, "", ",,", "chat, chat", "chat,a,b,\tchat", "chat\r\n"+sub+"chat", "chat room", `"chat"`, "a/b", "a;b", "chat, caf\xe9", "\r\n"+sub)
	var many []string
	for i := range MaxSubprotocols + 1 {
		many = append(many, fmt.Sprint("p", i))
	}
	add("bounded", sub, nil, strings.Join(many[1:], ","))
	add("bounded", sub, ErrTooManySubprotocols, strings.Join(many, ","))
	return cases
}()

var targetCases = func() (cases []wireCase) {
	add := func(section string, want *Refusal, mark string, pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			cases = append(cases, wireCase{name: "target " + pairs[i] + " host " + pairs[i+1], section: section, want: want,
				head: "GET " + pairs[i] + " HTTP/1.1\r\n" + mark + "Host: " + pairs[i+1] + "\r\n" + up + conn + key + ver + end})
		}
	}
	add("RFC 9112 §3.2.1", nil, "", "/", "a", "/?", "a", "/a/b;c=d/%7E?e=f&g=h/?", "a", "//a", "b", "/:@!$&'()*+,;=-._~", "a", "/a[1]|^", "a", "/?[]|^\\{}`%&%zz", "a")
	add("RFC 9112 §3.2.2", nil, "", "http://a", "a", "http://a/b", "a", "HTTPS://A.example:8080?x=/y", "a.EXAMPLE:8080", "http://[::1]:80/", "[::1]:80")
	add("RFC 9112 §3.2", ErrTarget, "§", "/#a", "a", "/caf\xc3\xa9", "a", "/\"", "a", "/<>", "a", "/\t", "a")
	add("RFC 9112 §3.2", ErrTarget, "", "*", "a", "a:443", "a", "a", "a", "?", "a", "ws://a/", "a", "wss://a/", "a", "ftp://a/", "a", "http:/a", "a", "http:a", "a", "http://", "a",
		"http:///b", "a", "http://u@a/", "a", "http://u:p@a/", "a", "http://a:b/", "a", "/%", "a", "/%4", "a", "/%4g?", "a", "/\\a", "a", "/{a}", "a", "://a", "a")
	add("RFC 9112 §3.2", ErrHostDisagrees, "", "http://a/", "b", "http://a:80/", "a", "http://a/", "a:80")
	add("RFC 9112 §3.2", nil, "", "/", "a:0", "/", "a:", "/", "a:65535", "/", "127.0.0.1:9001", "/", "[::1]", "/", "[::ffff:1.2.3.4]:1", "/", "xn--bcher-kva.example", "/", "a_b.c", "/", "%41b")
	add("RFC 9112 §3.2", ErrHost, "", "/", "a:65536", "/", "a:99999999999999999999", "/", "a:b", "/", "a:1:2", "/", ":80", "/", "a b", "/", "a,b c", "/", "a/b", "/", "u@a", "/", "a?b", "/", "a#b",
		"/", "a\\b", "/", "b\xfccher", "/", "%4", "/", "[", "/", "[]", "/", "[::1", "/", "::1", "/", "[::1]a", "/", "[::1]80", "/", "[v1.a]", "/", "[fe80::1%25en0]", "/", "a[::1]", "/", "a]", "/", "http://a")
	return cases
}()

// Hazard 16: a limit refuses, it never hides what stands beyond it. The limit counts the octets up to the empty line.
var limitCases = []wireCase{
	{name: "head at the limit", section: "hazard 16", head: minimal, limits: Limits{MaxHead: len(minimal)}},
	{name: "head over the limit", section: "hazard 16", head: minimal[:len(minimal)-1] + "§\n", limits: Limits{MaxHead: len(minimal) - 1}, want: ErrHeadTooLarge},
	{name: "request line over the limit", section: "hazard 15", head: "GET /aaaaaaaaa§aaaa", limits: Limits{MaxHead: 14}, want: ErrHeadTooLarge},
	{name: "fault at the limit", section: "order", head: "GET /aaaaaaaa\x00§aaaa", limits: Limits{MaxHead: 14}, want: ErrControl},
	{name: "fault behind the limit", section: "order", head: "GET /aaaaaaaaa§\x00aaa", limits: Limits{MaxHead: 14}, want: ErrHeadTooLarge},
	{name: "limit of one", section: "hazard 15", head: "G§", limits: Limits{MaxHead: 1}, want: ErrHeadTooLarge},
	{name: "default MaxHead", section: "hazard 15", head: get + "Cookie: " + strings.Repeat("c", DefaultMaxHead-len(get+"Cookie: ")) + "§c\r\n" + end, want: ErrHeadTooLarge},
	{name: "at MaxHeaders", section: "hazard 16", head: minimal, limits: Limits{MaxHeaders: 5}},
	{name: "over MaxHeaders", section: "hazard 16", head: get + host + up + conn + key + ver + "§" + end, limits: Limits{MaxHeaders: 4}, want: ErrTooManyHeaders},
	{name: "needed header over MaxHeaders", section: "hazard 16", head: get + host + conn + key + ver + up + "§" + end, limits: Limits{MaxHeaders: 4}, want: ErrTooManyHeaders},
	{name: "smuggled header over MaxHeaders", section: "hazard 16", head: get + host + up + conn + key + ver + "Transfer-Encoding: chunked\r\n§" + end, limits: Limits{MaxHeaders: 5}, want: ErrTooManyHeaders},
	{name: "default MaxHeaders", section: "hazard 16", head: get + host + up + conn + key + ver + strings.Repeat("X: \r\n", DefaultMaxHeaders-5) + end},
	{name: "over default MaxHeaders", section: "hazard 16", head: get + host + up + conn + key + ver + strings.Repeat("X: \r\n", DefaultMaxHeaders-4) + "§" + end, want: ErrTooManyHeaders},
	{name: "negative limits", section: "defaults", head: minimal, limits: Limits{-1, -1}},
}

// The order in which the faults of one head are told: removing the first shows the second, and so on.
func TestPrecedence(t *testing.T) {
	faults := []struct {
		bad, good string
		want      *Refusal
	}{
		{"POST * HTTP/1.1\r\n", "GET * HTTP/1.1\r\n", ErrMethod},
		{"", "", ErrTarget}, // the good line of the one before
		{"Content-Length: 1\r\n", "", ErrBody},
		{"Host: a b\r\n", host, ErrHost},
		{"Connection: a b\r\n", "", ErrList},
		{"", up, ErrPlainRequest},
		{"", conn, ErrConnection},
		{"Sec-WebSocket-Version: 8\r\n", ver, ErrVersion},
		{"Sec-WebSocket-Key: a\r\n", key, ErrKey},
		{"Origin: a\r\nOrigin: a\r\n", "Origin: a\r\n", ErrOriginTwice},
		{"Sec-WebSocket-Extensions: ;\r\n", "", ErrExtensions},
		{"Sec-WebSocket-Protocol: ;\r\n", "", ErrSubprotocols},
	}
	for first := range faults {
		head := ""
		for i, f := range faults {
			switch {
			case i == 0 && first > 1:
				head += "GET / HTTP/1.1\r\n"
			case i < first:
				head += f.good
			default:
				head += f.bad
			}
		}
		testCase(t, wireCase{section: "order", head: head + end, want: faults[first].want})
	}
}

// slow is a head with lines long and short.
var slow = get + host + up + conn + key + ver + "Cookie: " + strings.Repeat("0123456789abcdef", 400) + "\r\n" + strings.Repeat("X: y\r\n", 80) + "Z: \ta\r\n" + end

// Hazard 15: of a head that comes octet by octet, only the new octets are scanned, once more when their line ends, and
// nothing before. All else is replaced by NUL, which would be refused if it were looked at.
func TestScannedOnce(t *testing.T) {
	var r Reader
	lastLine := 0
	poisoned := make([]byte, len(slow))
	for i := range slow {
		clear(poisoned)
		from := max(i-1, 0) // a CR at the end is looked at again, with what follows it
		if slow[i] == '\n' {
			from, lastLine = lastLine, i+1
		}
		if i+1 == len(slow) {
			from = 0 // the verdict looks at what the lines before have marked
		}
		copy(poisoned[from:], slow[from:i+1])
		_, n, err := r.Next(poisoned[:i+1])
		if err != nil || n != 0 && n != len(slow) {
			t.Fatalf("octet %d: n = %d, %v", i, n, err)
		}
		if scanned := int(r.pos); scanned != i+1 && !(scanned == i && slow[i] == '\r') {
			t.Fatalf("octet %d: scanned to %d", i, scanned)
		}
		if (n != 0) != (i+1 == len(slow)) {
			t.Fatalf("octet %d: n = %d", i, n)
		}
	}
}

func TestPermanentUntilReset(t *testing.T) {
	var r Reader
	for bad, want := range map[string]*Refusal{"\x00": ErrControl, "\r\n": ErrRequestLine, get + "Host : a\r\n": ErrSpaceBeforeColon} {
		if _, n, err := r.Next([]byte(bad)); n != 0 || err != want {
			t.Fatal(n, err)
		}
		if _, n, err := r.Next([]byte(bad + minimal)); n != 0 || err != want {
			t.Fatal("not permanent:", n, err)
		}
		r.Reset(Limits{})
		for range 2 {
			if req, n, err := r.Next([]byte(minimal + behind)); n != len(minimal) || err != nil || string(req.Path()) != "/chat" {
				t.Fatal(n, err)
			}
		}
		r.Reset(Limits{})
	}
	if r.Reset(Limits{MaxHead: math.MaxInt, MaxHeaders: math.MaxInt}); r.maxHead != greatestLimit || r.maxHeaders != greatestLimit {
		t.Error("limits are not bounded")
	}
}

func TestFewerOctetsPanics(t *testing.T) {
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "fewer octets") {
			t.Error("panic:", s)
		}
	}()
	var r Reader
	r.Next([]byte("GET /"))
	r.Next([]byte("GET"))
}

// Hazard 19: octets behind the head are not looked at, and not part of any slice.
func TestFramesBehindHead(t *testing.T) {
	in := []byte(minimal + behind)
	var r Reader
	req, n, err := r.Next(in)
	if err != nil || string(in[n:]) != behind {
		t.Fatalf("n = %d, %v", n, err)
	}
	if cap(req.Head()) != n {
		t.Error("the view reaches beyond the head")
	}
	for name, value := range req.Headers() {
		_, _ = append(name, "####"...), append(value, "####"...)
	}
	_ = append(req.Path(), "####"...)
	_ = append(req.Key(), "####"...)
	_ = append(req.Head(), "####"...)
	if string(in) != minimal+behind {
		t.Errorf("appending to a view wrote into the input: %q", in)
	}
}

func TestPlainRequestHasView(t *testing.T) {
	var r Reader
	head := "GET /health?x HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"
	req, n, err := r.Next([]byte(head + "more"))
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Kind != KindPlainRequest || refusal.Status != 426 || n != len(head) {
		t.Fatal(n, err)
	}
	if string(req.Path()) != "/health" || string(req.Query()) != "x" || string(req.Header("ACCEPT")) != "*/*" {
		t.Error(view(&req))
	}
	if _, err := AppendAccept(nil, &req, nil); err == nil {
		t.Error("a refused request was accepted")
	}
}

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Reader{}); n > 120 {
		t.Errorf("Reader: %d octets", n)
	}
	if n := unsafe.Sizeof(Request{}); n > 112 {
		t.Errorf("Request: %d octets", n)
	}
}

// Nothing is allocated, accepted or refused.
func TestAllocations(t *testing.T) {
	var r Reader
	buf := make([]byte, 0, 2048)
	listed, err := AllowOrigins("https://a.example", "http://localhost:8080")
	if err != nil {
		t.Fatal(err)
	}
	own, supported := Origins{}, []string{"none", "superchat"}
	accept := &Accept{Header: []Field{{"Set-Cookie", "a=b"}}}
	for name, head := range realHeads {
		if n := testing.AllocsPerRun(100, func() {
			r.Reset(Limits{})
			req, _, err := r.Next(head)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = listed.Check(&req), own.Check(&req)
			accept.Subprotocol = req.SelectSubprotocol(supported)
			if _, err = AppendAccept(buf, &req, accept); err != nil {
				t.Fatal(err)
			}
			_ = req.Header("cookie")
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	for _, c := range append(lineCases, headerCases...) {
		head, _, _ := c.told()
		in := []byte(head)
		if n := testing.AllocsPerRun(10, func() {
			r.Reset(Limits{})
			if _, _, err := r.Next(in); err != nil {
				AppendRefusal(buf, err.(*Refusal))
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
	in := bytes.Clone([]byte(slow))
	if n := testing.AllocsPerRun(1, func() {
		r.Reset(Limits{})
		for i := range in {
			r.Next(in[:i+1])
		}
	}); n != 0 {
		t.Errorf("octet by octet: %v allocations", n)
	}
}
