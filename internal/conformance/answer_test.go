package conformance

// RFC 6455 §4.1 and §4.2.2 as a client sees them: which answers open a connection.
// They are the answers to the RFC's key; Answer.to makes them those to another.

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
)

// An Answer is a server's and its fate, certain at the § or at its end. Opens says
// that there is none.
type Answer struct {
	Section string
	Name    string
	Head    string
	Opens   bool
	Kind    handshake.ResponseKind
}

// The lines of an answer to the RFC's request (§1.3).
const (
	switching = "HTTP/1.1 101 Switching Protocols\r\n"
	acc       = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)

func responses() (all []Answer) {
	good := func(name, head string) { all = append(all, Answer{"4.1", name, head, true, 0}) }
	bad := func(section, name string, kind handshake.ResponseKind, head string) {
		all = append(all, Answer{section, name, head, false, kind})
	}
	good("the RFC's answer", accepted)
	good("no phrase", "HTTP/1.1 101 \r\n"+up+conn+acc+end)
	good("odd case", switching+"UPGRADE: WebSocket\r\ncONNECTION: upgrade\r\nSEC-websocket-ACCEPT: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"+end)
	good("odd white space", switching+"Upgrade:websocket\r\nConnection: \tUpgrade \t\r\nSec-WebSocket-Accept:\ts3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\n"+end)
	good("Connection as a list", switching+up+"Connection: keep-alive, Upgrade\r\n"+acc+end)
	good("a subprotocol that was offered", switching+up+conn+acc+"Sec-WebSocket-Protocol: chat\r\n"+end)
	good("other headers", switching+"Date: Thu, 01 Jan 2026 23:00:00 GMT\r\nServer: x\r\n"+up+conn+acc+"Set-Cookie: a=b\r\n"+end)
	good("Connection over two lines", switching+up+"Connection: keep-alive\r\n"+conn+acc+end)
	good("empty body announced", switching+up+conn+acc+"Content-Length: 0\r\n"+end)
	good("obs-text and a tab", switching+up+conn+acc+"Server: caf\xe9\t\xff\x80\r\n"+end)
	good("obs-text in the phrase", "HTTP/1.1 101 caf\xe9\r\n"+up+conn+acc+end)
	good("a hundred header lines", switching+up+conn+acc+strings.Repeat("X: y\r\n", 97)+end)
	good("a head of 8192 octets", switching+up+conn+acc+"Server: "+strings.Repeat("s", 8192-len(switching+up+conn+acc+"Server: \r\n"+end))+"\r\n"+end)
	good("100 Continue and Processing first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"+accepted)
	good("an interim answer first", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"+accepted)

	for _, status := range []string{"100 Continue\r\n\r\nHTTP/1.1 404 Not Found", "200 OK", "301 Moved Permanently", "401 Unauthorized", "403 Forbidden", "426 Upgrade Required", "503 Service Unavailable"} {
		bad("4.1", "status "+status, handshake.ResponseStatus, "HTTP/1.1 "+status+"\r\n"+up+conn+acc+end)
	}
	for _, status := range []string{"200 OK", "302 Found", "400 Bad Request", "401 Unauthorized"} {
		bad("4.1", "status "+status+" with a body", handshake.ResponseStatus, "HTTP/1.1 "+status+"\r\nContent-Length: 5\r\nLocation: /x\r\n\r\n§hello")
	}
	for _, line := range []string{"", "HTTP/1.1 101", "HTTP/1.1  101 x", "HTTP/1.1 1O1 x", "HTTP/1.1 10 x", "http/1.1 101 x", "ICY 200 OK", "101 Switching Protocols"} {
		bad("4.1", fmt.Sprintf("status line %q", line), handshake.ResponseStatusLine, line+"\r\n§"+up+conn+acc+end)
	}
	bad("4.1", "HTTP/1.0", handshake.ResponseHTTPVersion, strings.Replace(accepted, "1.1", "1.0", 1))
	bad("4.1", "HTTP/2.0", handshake.ResponseHTTPVersion, "HTTP/2.0 101 x\r\n§"+up+conn+acc+end)
	bad("4.1", "bare LF", handshake.ResponseControl, switching+"Upgrade: websocket\n§"+conn+acc+end)
	bad("4.1", "bare CR", handshake.ResponseControl, switching+"Upgrade: websocket\rX§")
	bad("4.1", "NUL", handshake.ResponseControl, switching+"Upgrade: web\x00§socket\r\n"+conn+acc+end)
	bad("4.1", "a TLS alert", handshake.ResponseControl, "\x15§\x03\x01\x00\x02\x02\x0a")
	bad("4.1", "no colon", handshake.ResponseHeader, switching+"Upgrade websocket\r\n§"+conn+acc+end)
	bad("4.1", "no name", handshake.ResponseHeader, switching+": websocket\r\n§"+conn+acc+end)
	bad("4.1", "obs-text in a name", handshake.ResponseHeader, switching+"Upgrad\xe9: websocket\r\n§"+conn+acc+end)
	bad("4.1", "folding of the first header", handshake.ResponseHeader, switching+" x\r\n§"+up+conn+acc+end)
	bad("4.1", "folding", handshake.ResponseHeader, switching+"Upgrade:\r\n websocket\r\n§"+conn+acc+end)
	bad("4.1", "space before the colon", handshake.ResponseHeader, switching+"Upgrade : websocket\r\n§"+conn+acc+end)
	bad("4.1", "Upgrade missing", handshake.ResponseUpgrade, switching+conn+acc+end)
	bad("4.1", "Upgrade doubled", handshake.ResponseUpgrade, switching+up+up+conn+acc+end)
	for _, v := range []string{"", "notwebsocket", "websockets", "websocket, h2c", "h2c", "websocket/13", "\"websocket\""} {
		bad("4.1", fmt.Sprintf("Upgrade: %q", v), handshake.ResponseUpgrade, switching+"Upgrade: "+v+"\r\n"+conn+acc+end)
	}
	bad("4.1", "Connection missing", handshake.ResponseConnection, switching+up+acc+end)
	for _, v := range []string{"", "keep-alive", "close", "noupgrade", "Upgrade keep-alive"} {
		bad("4.1", fmt.Sprintf("Connection: %q", v), handshake.ResponseConnection, switching+up+"Connection: "+v+"\r\n"+acc+end)
	}
	bad("4.1", "accept missing", handshake.ResponseAccept, switching+up+conn+end)
	bad("11.3.3", "accept doubled", handshake.ResponseAccept, switching+up+conn+acc+acc+end)
	for _, v := range []string{"", "dGhlIHNhbXBsZSBub25jZQ==", "S3PPLMBITXAQ9KYGZZHZRBK+XOO=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo= x", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="} {
		bad("4.1", fmt.Sprintf("accept %q", v), handshake.ResponseAccept, switching+up+conn+"Sec-WebSocket-Accept: "+v+"\r\n"+end)
	}
	for _, v := range append([]string{"", "x"}, compression...) {
		bad("9.1", fmt.Sprintf("an extension, none was offered: %q", v), handshake.ResponseExtensions, switching+up+conn+acc+"Sec-WebSocket-Extensions: "+v+"\r\n"+end)
	}
	for _, v := range []string{"", "superchat", "CHAT", "chat, v2.chat", "chat2"} {
		bad("11.3.4", fmt.Sprintf("subprotocol %q", v), handshake.ResponseSubprotocol, switching+up+conn+acc+"Sec-WebSocket-Protocol: "+v+"\r\n"+end)
	}
	bad("11.3.4", "subprotocol doubled", handshake.ResponseSubprotocol, switching+up+conn+acc+strings.Repeat("Sec-WebSocket-Protocol: chat\r\n", 2)+end)
	bad("4.1", "a body announced by 101", handshake.ResponseBody, switching+up+conn+acc+"Content-Length: 5\r\n\r\n§hello")
	bad("4.1", "a chunked body announced by 101", handshake.ResponseBody, switching+up+conn+acc+"Transfer-Encoding: chunked\r\n"+end)
	bad("10.4", "interim answers without end", handshake.ResponseHeadTooLarge, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 300)[:8192]+"§HTTP/1.1")
	bad("4.1", "a body announced", handshake.ResponseBody, "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n§hello")
	bad("10.4", "header without end", handshake.ResponseHeadTooLarge, (switching + "Server: " + strings.Repeat("s", 8192))[:8192]+"§s")
	bad("10.4", "too many headers", handshake.ResponseTooManyHeaders, switching+up+conn+acc+strings.Repeat("X: y\r\n", 98)+"§"+end)
	return all
}

// Answers to a client, whole, octet by octet and cut at random. An extension in the
// answer to a client that offered none fails the connection. Hazards 16, 17, 19 and 30.
func TestAnswerSansIO(t *testing.T) {
	names := map[string]bool{}
	for _, a := range responses() {
		if names[a.Name] {
			t.Errorf("two are named %q", a.Name)
		}
		names[a.Name] = true
		t.Run(a.Name, func(t *testing.T) {
			for _, cut := range cuttings(a.Name) {
				playAnswer(t, a, cut)
			}
		})
	}
	t.Logf("%d answers", len(names))
}

func playAnswer(t *testing.T, a Answer, cut cutting) {
	certain, rest, _ := strings.Cut(a.Head, "§")
	var c Case
	e := newEndpoint(c.config(codec.Client))
	behind := rest + "\x89\x01p" // a ping, in the answer's segment
	if cut.name == "in one segment" {
		e.feed(certain + behind)
	} else {
		for sent := 0; sent < len(certain); {
			n := 1
			if cut.name == "cut at random" {
				n = min(cut.next(len(certain)-sent), len(certain)-sent)
			}
			sent += n
			if e.feed(certain[sent-n : sent]); (e.opened || e.refused != nil) != (sent == len(certain)) {
				t.Fatalf("%s: after %d of %d octets: opened %v, %v", cut.name, sent, len(certain), e.opened, e.refused)
			}
		}
		e.feed(behind)
	}
	want := ""
	if a.Opens {
		want = reply(codec.Client, pong("p"))
	}
	if got := e.said(); got != want || e.opened != a.Opens {
		t.Fatalf("%s: opened %v, said %q", cut.name, e.opened, got)
	}
	var fault *handshake.ResponseError
	if errors.As(e.refused, &fault) == a.Opens || !a.Opens && fault.Kind != a.Kind {
		t.Fatalf("%s: %v, want the kind %v", cut.name, e.refused, a.Kind)
	}
}
