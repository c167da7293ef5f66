package conformance

// RFC 6455 §4, the opening handshake as a server sees it, with what RFC 9110 and
// RFC 9112 ask of a request's head: each header missing, doubled, oversized, in odd
// case and with odd white space; and what could smuggle a second request.

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hybi-go/hybi/handshake"
)

// subprotocols are those that the servers of the suite speak.
var subprotocols = []string{"v2.chat", "chat"}

// An Opening is a request and its fate. A § in the head stands behind the octet at
// which the fate is certain; without it that is the head's last.
type Opening struct {
	Section string // of RFC 6455
	Name    string
	Head    string
	Status  int                // 101, or that of the refusal
	Want    *handshake.Refusal // its kind and reason
	Lines   string             // of an answer with 101, beyond the usual ones
	NoBody  bool               // of the refusal: HEAD
}

// The lines of a request (RFC 6455 §1.2).
const (
	get  = "GET /chat HTTP/1.1\r\n"
	host = "Host: server.example.com\r\n"
	up   = "Upgrade: websocket\r\n"
	conn = "Connection: Upgrade\r\n"
	key  = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	ver  = "Sec-WebSocket-Version: 13\r\n"
	end  = "\r\n"
)

// parts splits the mark from the octets: those up to it, and those behind it.
func (o *Opening) parts() (certain, rest string) {
	certain, rest, _ = strings.Cut(o.Head, "§")
	return certain, rest
}

// answer returns what must come back, with a Date line in a refusal if date is set.
func (o *Opening) answer(date string) string {
	if o.Status == 101 {
		return strings.TrimSuffix(accepted, end) + o.Lines + end
	}
	phrase := map[int]string{400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed", 408: "Request Timeout",
		426: "Upgrade Required", 431: "Request Header Fields Too Large", 503: "Service Unavailable"}[o.Status]
	lines := "Connection: close\r\n"
	switch o.Status {
	case 405:
		lines += "Allow: GET\r\n"
	case 426:
		lines = "Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	}
	lines += "Content-Type: text/plain; charset=utf-8\r\n"
	if date != "" {
		lines += "Date: " + date + "\r\n"
	}
	body := o.Want.Reason + "\n"
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\n%sContent-Length: %d\r\n\r\n", o.Status, phrase, lines, len(body))
	if o.NoBody {
		return head
	}
	return head + body
}

func openings() (all []Opening) {
	for _, group := range []func() []Opening{accepts, octetsOfHeads, requestLines, bodies, missing, tokens, oversized, offers, origins} {
		all = append(all, group()...)
	}
	slices.SortStableFunc(all, func(a, b Opening) int { return compareSections(a.Section, b.Section) })
	return all
}

// taken makes an Opening that is accepted.
func taken(section, name, head string) Opening {
	return Opening{Section: section, Name: name, Head: head, Status: 101}
}

// turned makes one that is refused.
func turned(section, name string, status int, want *handshake.Refusal, head string) Opening {
	return Opening{Section: section, Name: name, Head: head, Status: status, Want: want}
}

func accepts() []Opening {
	with := func(lines string) string { return get + host + up + conn + key + ver + lines + end }
	return []Opening{
		taken("4.1", "the RFC's request", request),
		taken("4.1", "lines in another order", get+ver+key+conn+up+host+end),
		taken("4.2.1", "odd case", get+"hOST: server.example.com\r\nuPGRADE: WebSocket\r\nCONNECTION: UPGRADE\r\nsec-websocket-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-Websocket-Version: 13\r\n"+end),
		taken("4.2.1", "no white space", get+"Host:a\r\nUpgrade:websocket\r\nConnection:Upgrade\r\nSec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version:13\r\n"+end),
		taken("4.2.1", "much white space", get+"Host: \t a \t\r\nUpgrade:\t\twebsocket\t\r\nConnection:   Upgrade   \r\nSec-WebSocket-Key: \tdGhlIHNhbXBsZSBub25jZQ==\t \r\nSec-WebSocket-Version:  13  \r\n"+end),
		taken("4.2.1", "Connection over two lines", get+host+up+"Connection: keep-alive\r\n"+conn+key+ver+end),
		taken("4.2.1", "Connection as a list", get+host+up+"Connection: keep-alive , UPGRADE,\r\n"+key+ver+end),
		taken("4.2.1", "Upgrade as a list", get+host+"Upgrade: h2c, websocket\r\n"+conn+key+ver+end),
		taken("4.2.1", "Upgrade over two lines", get+host+"Upgrade: HTTP/2.0\r\n"+up+conn+key+ver+end),
		taken("4.2.1", "empty body announced", with("Content-Length: 0\r\n")),
		taken("4.2.1", "obs-text in a cookie", with("Cookie: caf\xe9=\xff\x80\r\n")),
		taken("4.2.1", "a tab in a value", with("X: a\tb\r\n")),
		taken("4.2.1", "a hundred header lines", with(strings.Repeat("X: y\r\n", 95))),
		taken("4.2.1", "a head of 8192 octets", with("Cookie: "+strings.Repeat("c", 8192-len(with("Cookie: \r\n")))+"\r\n")),
		taken("4.2.1", "absolute target", strings.Replace(request, "/chat", "http://server.example.com/chat?x=y", 1)),
		taken("4.2.1", "target with a query", strings.Replace(request, "/chat", "/a/b;c=d/%7E?e=f&g=/?", 1)),
		taken("4.2.1", "Host with a port", strings.Replace(request, "server.example.com", "server.example.com:8080", 1)),
		taken("4.2.1", "Host that is an IPv6 address", strings.Replace(request, "server.example.com", "[::1]:9001", 1)),
		taken("4.2.1", "names that only resemble", with("Hosts: a\r\nXHost: b\r\nTransfer_Encoding: chunked\r\nSec-WebSocket-Keys: a\r\nUpgrades: h2c\r\n")),
	}
}

// octetsOfHeads: what another parser on the way might read differently.
func octetsOfHeads() []Opening {
	const s = "4.2.1" // "a valid opening handshake", which RFC 9112 §2.2, §5 define
	return []Opening{
		turned(s, "TLS", 400, handshake.ErrControl, "\x16§\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		turned(s, "HTTP/2", 400, handshake.ErrHTTPVersion, "PRI * HTTP/2.0\r\n§\r\nSM\r\n\r\n"),
		turned(s, "frames without a handshake", 400, handshake.ErrControl, "\x81\x85\x37\xfa\x21\x3d\x7f§\x9f\x4d\x51\x58"),
		turned(s, "empty line first", 400, handshake.ErrRequestLine, "\r\n§"+request),
		turned(s, "LF first", 400, handshake.ErrBareLF, "\n§"+request),
		turned(s, "bare LF behind the request line", 400, handshake.ErrBareLF, "GET /chat HTTP/1.1\n§"+host+up+conn+key+ver+end),
		turned(s, "bare LF behind a header", 400, handshake.ErrBareLF, get+"Host: a\n§"+up+conn+key+ver+end),
		turned(s, "bare LF for the empty line", 400, handshake.ErrBareLF, get+host+up+conn+key+ver+"\n§"),
		turned(s, "bare CR in the request line", 400, handshake.ErrBareCR, "GET /\rX§ HTTP/1.1\r\n"),
		turned(s, "bare CR in a value", 400, handshake.ErrBareCR, get+"Host: a\rX§: b\r\n"),
		turned(s, "CR CR LF", 400, handshake.ErrBareCR, get+"Host: a\r\r§\n"),
		turned(s, "NUL in a value", 400, handshake.ErrControl, get+"Host: a\x00§\r\n"),
		turned(s, "DEL in a value", 400, handshake.ErrControl, get+"Host: a\x7f§\r\n"),
		turned(s, "NUL in a name", 400, handshake.ErrControl, get+"Ho\x00§st: a\r\n"),
		turned(s, "folding by a space", 400, handshake.ErrFolding, get+"Host: a\r\n b\r\n§"+up),
		turned(s, "folding by a tab", 400, handshake.ErrFolding, get+"Host: a\r\n\tTransfer-Encoding: chunked\r\n§"+up),
		turned(s, "white line", 400, handshake.ErrFolding, get+host+" \r\n§"),
		turned(s, "space before the first header", 400, handshake.ErrFolding, get+" "+host+"§"),
		turned(s, "space before the colon", 400, handshake.ErrSpaceBeforeColon, get+"Host : a\r\n§"),
		turned(s, "tab before the colon", 400, handshake.ErrSpaceBeforeColon, get+"Content-Length\t: 5\r\n§"),
		turned(s, "name without a colon", 400, handshake.ErrHeader, get+"Host\r\n§"),
		turned(s, "no name", 400, handshake.ErrHeader, get+": a\r\n§"),
		turned(s, "space inside a name", 400, handshake.ErrHeader, get+"Ho st: a\r\n§"),
		turned(s, "obs-text in a name", 400, handshake.ErrHeader, get+"H\xf6st: a\r\n§"),
	}
}

func requestLines() []Opening {
	line := func(l string) string { return l + "\r\n§" + host + up + conn + key + ver + end }
	whole := func(l string) string { return l + "\r\n" + host + up + conn + key + ver + end }
	const s = "4.2.1"
	head := turned(s, "HEAD", 405, handshake.ErrMethod, whole("HEAD /chat HTTP/1.1"))
	head.NoBody = true
	all := []Opening{head}
	for _, l := range []string{"GET", "GET /chat", "GET  /chat HTTP/1.1", "GET /chat  HTTP/1.1", "GET /chat HTTP/1.1 ", " GET /chat HTTP/1.1", "GET\t/chat\tHTTP/1.1", "GET /a b HTTP/1.1",
		"G@T /chat HTTP/1.1", "GET /chat http/1.1", "GET /chat HTTP/1.10", "GET /chat HTTP/1,1", "GET /chat XHTTP/1.1", "HTTP/1.1 101 Switching Protocols"} {
		all = append(all, turned(s, fmt.Sprintf("request line %q", l), 400, handshake.ErrRequestLine, line(l)))
	}
	for _, v := range []string{"1.0", "0.9", "2.0", "1.2", "3.0"} {
		all = append(all, turned(s, "HTTP/"+v, 400, handshake.ErrHTTPVersion, line("GET /chat HTTP/"+v)))
	}
	for _, m := range []string{"POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "GETT", "G", "OPTIONS"} {
		all = append(all, turned(s, "method "+m, 405, handshake.ErrMethod, whole(m+" /chat HTTP/1.1")))
	}
	all = append(all, turned(s, "CONNECT", 405, handshake.ErrMethod, whole("CONNECT a:443 HTTP/1.1")))
	for _, target := range []string{"/caf\xc3\xa9", "/a#b", "/<a>", "/\"", "/a\tb"} {
		all = append(all, turned(s, fmt.Sprintf("target %q", target), 400, handshake.ErrTarget, line("GET "+target+" HTTP/1.1")))
	}
	for _, target := range []string{"*", "chat", "a:443", "ws://server.example.com/chat", "ftp://a/", "http://", "http:///chat", "http://u@a/", "/%", "/%4", "/%zz", "/a\\b"} {
		all = append(all, turned(s, "target "+target, 400, handshake.ErrTarget, whole("GET "+target+" HTTP/1.1")))
	}
	return append(all, turned(s, "Host other than in an absolute target", 400, handshake.ErrHostDisagrees, whole("GET http://evil.example/chat HTTP/1.1")),
		turned(s, "Host without the port of an absolute target", 400, handshake.ErrHostDisagrees, whole("GET http://server.example.com:8080/chat HTTP/1.1")))
}

// bodies: a body on the GET is how a second request is hidden.
func bodies() (all []Opening) {
	hidden := "5\r\nGET /\r\n0\r\n\r\n"
	for _, lines := range []string{"Content-Length: 5\r\n", "Content-Length: 1\r\nContent-Length: 0\r\n", "Content-Length: 0\r\nContent-Length: 5\r\n", "Content-Length: 0, 0\r\n", "Content-Length: 00\r\n",
		"Content-Length: +0\r\n", "Content-Length: -1\r\n", "Content-Length: 0x0\r\n", "Content-Length:\r\n", "content-length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n",
		"transfer-encoding: xchunked\r\n", "Transfer-Encoding:\r\n", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"} {
		all = append(all, turned("4.2.1", fmt.Sprintf("body announced: %q", lines), 400, handshake.ErrBody, get+host+up+conn+key+ver+lines+end+"§"+hidden))
	}
	return all
}

// missing: each header missing, doubled, empty and malformed (§4.2.1, 1 to 6, and §11.3).
func missing() (all []Opening) {
	bad := func(section, name string, status int, want *handshake.Refusal, head string) {
		all = append(all, turned(section, name, status, want, head+end))
	}
	bad("4.2.1", "Host missing", 400, handshake.ErrHostMissing, get+up+conn+key+ver)
	bad("4.2.1", "Host doubled", 400, handshake.ErrHostTwice, get+host+host+up+conn+key+ver)
	bad("4.2.1", "Host doubled, in two cases, at both ends", 400, handshake.ErrHostTwice, get+host+up+conn+key+ver+"hOST: evil.example\r\n")
	for _, h := range []string{"", "a b", "a, b", "a/b", "u@a", "a:b", "a:65536", "a:1:2", ":80", "[::1", "::1", "[]", "a\\b", "%4", "b\xfccher"} {
		bad("4.2.1", fmt.Sprintf("Host: %q", h), 400, handshake.ErrHost, get+"Host: "+h+"\r\n"+up+conn+key+ver)
	}
	bad("4.2.1", "Upgrade missing", 426, handshake.ErrPlainRequest, get+host+conn+key+ver)
	bad("4.2.1", "a plain GET", 426, handshake.ErrPlainRequest, get+host+"Connection: keep-alive\r\nAccept: */*\r\n")
	bad("4.2.1", "Connection missing", 400, handshake.ErrConnection, get+host+up+key+ver)
	bad("4.2.1", "key missing", 400, handshake.ErrKeyMissing, get+host+up+conn+ver)
	bad("11.3.1", "key doubled", 400, handshake.ErrKeyTwice, get+host+up+conn+key+key+ver)
	bad("11.3.1", "key doubled, in two cases", 400, handshake.ErrKeyTwice, get+host+up+conn+key+"SEC-WEBSOCKET-KEY: AAAAAAAAAAAAAAAAAAAAAA==\r\n"+ver)
	for _, k := range []string{"", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25j", "AAAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"dGhlIHNhbXBs ZSBub25jZQ==", "---------------------A==", "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==", "=dGhlIHNhbXBsZSBub25jZQ=", "AAAAAAAAAAAAAAAAAAAAA\xe9=="} {
		bad("4.2.1", fmt.Sprintf("key %q", k), 400, handshake.ErrKey, get+host+up+conn+"Sec-WebSocket-Key: "+k+"\r\n"+ver)
	}
	bad("4.4", "version missing", 426, handshake.ErrVersion, get+host+up+conn+key)
	for _, v := range []string{"", "8", "7", "0", "12", "14", "25", "255", "013", "13.0", "13, 8", "8, 13", "x", "1 3"} {
		bad("4.4", fmt.Sprintf("version %q", v), 426, handshake.ErrVersion, get+host+up+conn+key+"Sec-WebSocket-Version: "+v+"\r\n")
	}
	bad("11.3.5", "version doubled", 400, handshake.ErrVersionTwice, get+host+up+conn+key+ver+ver)
	bad("11.3.5", "versions 8 and 13", 400, handshake.ErrVersionTwice, get+host+up+conn+key+"Sec-WebSocket-Version: 8\r\n"+ver)
	bad("4.2.1", "Origin doubled", 400, handshake.ErrOriginTwice, get+host+up+conn+key+ver+"Origin: http://server.example.com\r\norigin: http://server.example.com\r\n")
	return all
}

// tokens are compared as tokens and without case, never as substrings.
func tokens() (all []Opening) {
	for _, u := range []string{"", "notwebsocket", "websockets", "websocket2", "web-socket", "x-websocket, websocket-x", "h2c", "websocket/13", "WebSocke", "w, e, b"} {
		all = append(all, turned("4.2.1", fmt.Sprintf("Upgrade: %q", u), 426, handshake.ErrUpgrade, get+host+"Upgrade: "+u+"\r\n"+conn+key+ver+end))
	}
	for _, u := range []string{"web socket", "\"websocket\"", "websocket;q=1", "websocket, a b", "websocket/", "/websocket", "websocket/1/2", "websocket\xa0", "(websocket)", "websocket,;"} {
		all = append(all, turned("4.2.1", fmt.Sprintf("Upgrade: %q", u), 400, handshake.ErrList, get+host+"Upgrade: "+u+"\r\n"+conn+key+ver+end))
	}
	for _, c := range []string{"", "keep-alive", "close", "noupgrade", "upgraded", "up-grade, upgrade2", "websocket"} {
		all = append(all, turned("4.2.1", fmt.Sprintf("Connection: %q", c), 400, handshake.ErrConnection, get+host+up+"Connection: "+c+"\r\n"+key+ver+end))
	}
	for _, c := range []string{"keep-alive Upgrade", "Upgrade;", "\"Upgrade\"", "Upgrade, a/b", "Upgrade\xa0"} {
		all = append(all, turned("4.2.1", fmt.Sprintf("Connection: %q", c), 400, handshake.ErrList, get+host+up+"Connection: "+c+"\r\n"+key+ver+end))
	}
	return all
}

// oversized: the limits are those of the defaults, 8192 octets and 100 header lines.
// They refuse; they never hide what stands behind them.
func oversized() []Opening {
	fill := func(begin string) string { return begin + strings.Repeat("c", 8192-len(begin)) }
	all := get + host + up + conn + key + ver
	return []Opening{
		turned("10.4", "request line without end", 431, handshake.ErrHeadTooLarge, fill("GET /")+"§c"),
		turned("10.4", "header without end", 431, handshake.ErrHeadTooLarge, fill(all+"Cookie: ")+"§c\r\n"+end),
		turned("10.4", "name without end", 431, handshake.ErrHeadTooLarge, fill(all)+"§: x\r\n"+end),
		turned("10.4", "the last octet is the 8193rd", 431, handshake.ErrHeadTooLarge, all+"Cookie: "+strings.Repeat("c", 8193-len(all)-len("Cookie: ")-4)+"\r\n\r§\n"),
		turned("10.4", "101 header lines", 431, handshake.ErrTooManyHeaders, all+strings.Repeat("X: y\r\n", 96)+"§"+end),
		turned("10.4", "a needed header is the 101st", 431, handshake.ErrTooManyHeaders, get+host+conn+key+ver+strings.Repeat("X: y\r\n", 96)+up+"§"+end),
		turned("10.4", "a body is announced by the 101st header", 431, handshake.ErrTooManyHeaders, all+strings.Repeat("X: y\r\n", 95)+"Transfer-Encoding: chunked\r\n§"+end),
		turned("10.4", "empty header lines", 431, handshake.ErrTooManyHeaders, get+strings.Repeat("X:\r\n", 101)+"§"),
	}
}

// offers: extensions (§9.1), of which all are declined (§4.2.2), and subprotocols
// (§11.3.4). Autobahn's groups 12 and 13 offer permessage-deflate in all its forms.
func offers() (all []Opening) {
	const ext, sub = "Sec-WebSocket-Extensions: ", "Sec-WebSocket-Protocol: "
	base := get + host + up + conn + key + ver
	for _, o := range compression {
		all = append(all, taken("9.1", "Autobahn 12, 13: declined: "+o, base+ext+o+"\r\n"+end))
	}
	for _, o := range []string{"a", "a,b", "a;b=c, d", `a; b="c"`, ",a,,b,", "a\r\n" + ext + "b", "x-webkit-deflate-frame", "mux; max-channels=4; flow-control"} {
		all = append(all, taken("9.1", fmt.Sprintf("unknown, declined: %q", o), base+ext+o+"\r\n"+end))
	}
	for _, o := range []string{"", ",", ";", "a;", "a;;b", "a b", "a;b=", "a;=b", "a=b", `a;b="`, `a;b=""`, `a;b="c d"`, `a;b="c"d`, `"a"`, "a/b", "\xe9", "permessage-deflate; server_max_window_bits=\"1 5\"", "a\r\n" + ext + "b;"} {
		all = append(all, turned("9.1", fmt.Sprintf("malformed extensions: %q", o), 400, handshake.ErrExtensions, base+ext+o+"\r\n"+end))
	}
	for _, x := range [][2]string{{"chat", "chat"}, {"superchat, chat, v2.chat", "chat"}, {"v2.chat,chat", "v2.chat"}, {"superchat", ""}, {"CHAT", ""}, {"chat2, chat", "chat"},
		{"superchat\r\n" + sub + "v2.chat", "v2.chat"}, {",chat,", "chat"}} {
		o, chosen := x[0], x[1]
		c := taken("11.3.4", fmt.Sprintf("subprotocols %q", o), base+sub+o+"\r\n"+end)
		if chosen != "" {
			c.Lines = sub + chosen + "\r\n"
		}
		all = append(all, c)
	}
	for _, o := range []string{"", ",,", "chat, chat", "chat\r\n" + sub + "chat", "chat room", `"chat"`, "a/b", "a;b", "chat, caf\xe9"} {
		all = append(all, turned("11.3.4", fmt.Sprintf("malformed subprotocols: %q", o), 400, handshake.ErrSubprotocols, base+sub+o+"\r\n"+end))
	}
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprint("p", i))
	}
	return append(all, taken("11.3.4", "64 subprotocols", base+sub+strings.Join(many[1:], ",")+"\r\n"+end),
		turned("11.3.4", "65 subprotocols", 431, handshake.ErrTooManySubprotocols, base+sub+strings.Join(many, ",")+"\r\n"+end))
}

// compression are offers of compression, well-formed all: RFC 7692 §7.1 with window
// bits inside and outside 8 to 15, doubled and unknown parameters, several offers.
var compression = []string{
	"permessage-deflate", "permessage-deflate; client_max_window_bits", "permessage-deflate; server_no_context_takeover", "permessage-deflate; client_no_context_takeover",
	"permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=16",
	"permessage-deflate; server_max_window_bits=0", "permessage-deflate; server_max_window_bits=-1", "permessage-deflate; server_max_window_bits=99999999999999999999", "permessage-deflate; server_max_window_bits",
	"permessage-deflate; server_max_window_bits=\"10\"", "permessage-deflate; client_max_window_bits=8; server_max_window_bits=9", "permessage-deflate; client_max_window_bits; client_max_window_bits",
	"permessage-deflate; unknown=1", "permessage-deflate; server_max_window_bits=10, permessage-deflate", "permessage-deflate, permessage-bzip2, permessage-snappy", "PERMESSAGE-DEFLATE", "deflate-frame", "permessage-deflated",
}

// origins: the default is the same origin (§10.2).
func origins() (all []Opening) {
	base := get + host + up + conn + key + ver
	for _, o := range []string{"http://server.example.com", "https://server.example.com", "HTTP://SERVER.example.com", "http://server.example.com:80"} {
		all = append(all, taken("10.2", "the same origin: "+o, base+"Origin: "+o+"\r\n"+end))
	}
	all = append(all, taken("10.2", "no origin", base+end))
	for _, o := range []string{"http://evil.example", "http://server.example.com.evil.example", "http://evil.example/server.example.com", "http://xserver.example.com", "http://server.example.com:8080", "http://server.example.co",
		"null", "", "server.example.com", "ftp://server.example.com", "ws://server.example.com", "http://server.example.com/", "http://server.example.com@evil.example", "http://server.example.com http://evil.example", "http://[server.example.com]"} {
		all = append(all, turned("10.2", fmt.Sprintf("another origin: %q", o), 403, handshake.ErrOrigin, base+"Origin: "+o+"\r\n"+end))
	}
	return all
}

// Requests without sockets: told at the octet at which the fate is certain, whole,
// octet by octet and cut at random. Hazards 15, 16, 17, 18, 20 and 30.
func TestOpeningSansIO(t *testing.T) {
	names := map[string]bool{}
	sections := map[string]int{}
	for _, o := range openings() {
		if names[o.Name] {
			t.Errorf("two are named %q", o.Name)
		}
		names[o.Name] = true
		sections[o.Section]++
		if o.Want != nil && o.Want.Status != o.Status {
			t.Errorf("%s: status %d of the package, %d of the table", o.Name, o.Want.Status, o.Status)
		}
		t.Run(o.Name, func(t *testing.T) { playOpening(t, o) })
	}
	t.Logf("%d requests: %s", len(names), bySection(sections))
}

// hello is a masked text, and what comes back.
const (
	hello     = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
	helloBack = "\x81\x05Hello"
)

func playOpening(t *testing.T, o Opening) {
	certain, rest := o.parts()
	behind := rest + request + hello
	want := o.answer("")
	if o.Status == 101 {
		behind, want = hello, want+helloBack
	}
	var c Case
	for _, cut := range cuttings(o.Name) {
		e := newEndpoint(c.config(0))
		if cut.name == "in one segment" {
			e.feed(certain + behind)
		} else {
			for sent := 0; sent < len(certain); {
				n := 1
				if cut.name == "cut at random" {
					n = min(cut.next(len(certain)-sent), len(certain)-sent)
				}
				if e.feed(certain[sent : sent+n]); len(e.out) > 0 && sent+n < len(certain) {
					t.Fatalf("%s: answered after %d octets, due after %d", cut.name, sent+n, len(certain))
				}
				sent += n
			}
			if len(e.out) == 0 {
				t.Fatalf("%s: not answered at the octet that decides", cut.name)
			}
			e.feed(behind)
		}
		if got := e.said(); got != want {
			t.Fatalf("%s: got %q\nwant %q", cut.name, got, want)
		}
		e.finish()
	}
}
