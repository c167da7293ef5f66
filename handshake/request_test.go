package handshake

import (
	"encoding/base64"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Heads as they were seen on the wire.
var realHeads = map[string][]byte{
	"chromium": []byte("GET /chat?room=1 HTTP/1.1\r\nHost: localhost:8080\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n" +
		"Upgrade: websocket\r\nOrigin: http://localhost:8080\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Accept-Language: en-US,en;q=0.9\r\nCookie: theme=dark; _ga=GA1.1.1234567890.1234567890; name=caf\xc3\xa9\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" +
		"Sec-WebSocket-Protocol: chat, superchat\r\n\r\n"),
	"firefox": []byte("GET /chat?room=1 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0\r\n" +
		"Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nSec-WebSocket-Version: 13\r\n" +
		"Origin: http://localhost:8080\r\nSec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: keep-alive, Upgrade\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Mode: websocket\r\n" +
		"Sec-Fetch-Site: same-origin\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n"),
	"python-websockets": []byte("GET /chat?room=1 HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nSec-WebSocket-Protocol: chat, superchat\r\n" +
		"User-Agent: Python/3.12 websockets/13.1\r\n\r\n"),
	"node-ws": []byte("GET /chat?room=1 HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" +
		"Sec-WebSocket-Protocol: chat,superchat\r\nHost: localhost:8080\r\n\r\n"),
}

func TestRealHeads(t *testing.T) {
	for name, head := range realHeads {
		t.Run(name, func(t *testing.T) {
			testCase(t, wireCase{head: string(head)})
			var r Reader
			req, _, _ := r.Next(head)
			for _, p := range [][2]string{
				{string(req.Method()), "GET"}, {string(req.Target()), "/chat?room=1"}, {string(req.Path()), "/chat"}, {string(req.Query()), "room=1"},
				{string(req.Host()), "localhost:8080"}, {string(req.Key()), "dGhlIHNhbXBsZSBub25jZQ=="}, {req.SelectSubprotocol([]string{"superchat", "chat"}), "chat"},
			} {
				if p[0] != p[1] {
					t.Errorf("got %q, want %q", p[0], p[1])
				}
			}
			if origin := string(req.Origin()); origin != "" && origin != "http://localhost:8080" {
				t.Errorf("origin %q", origin)
			}
		})
	}
}

func mustAccept(t *testing.T, head string) *Request {
	t.Helper()
	var r Reader
	req, n, err := r.Next([]byte(head))
	if err != nil || n != len(head) {
		t.Fatalf("n = %d, %v: %q", n, err, head)
	}
	return &req
}

func TestSubprotocols(t *testing.T) {
	req := mustAccept(t, get+"sec-websocket-protocol: ,a , b\r\n"+host+up+"Sec-WebSocket-Protocol:\r\n"+conn+key+"X-Sec-WebSocket-Protocol: x\r\n"+"SEC-WEBSOCKET-PROTOCOL: C,,\r\n"+ver+end)
	var got []string
	for p := range req.Subprotocols() {
		got = append(got, string(p))
	}
	if want := []string{"a", "b", "C"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for range req.Subprotocols() {
		break
	}
	for _, c := range []struct {
		supported []string
		want      string
	}{{nil, ""}, {[]string{"c", "x"}, ""}, {[]string{"C", "b"}, "b"}, {[]string{"C"}, "C"}, {[]string{"", "a"}, "a"}} {
		if got := req.SelectSubprotocol(c.supported); got != c.want {
			t.Errorf("%q: got %q, want %q", c.supported, got, c.want)
		}
	}
	if s := mustAccept(t, minimal).SelectSubprotocol([]string{"", "chat"}); s != "" {
		t.Errorf("selected %q of none", s)
	}
}

func TestHeaders(t *testing.T) {
	req := mustAccept(t, get+host+up+conn+key+ver+"Cookie: a \t: b\t\r\ncookie: c\r\nEmpty:\r\n"+end)
	if got := string(req.Header("COOKIE")); got != "a \t: b" {
		t.Errorf("got %q", got)
	}
	if got := req.Header("empty"); got == nil || len(got) != 0 {
		t.Errorf("got %q, want empty and not nil", got)
	}
	if got := req.Header("cooki"); got != nil {
		t.Errorf("got %q", got)
	}
	n := 0
	for range req.Headers() {
		n++
	}
	for range req.Headers() {
		break
	}
	if n != 8 {
		t.Errorf("%d header lines", n)
	}
	var zero Request
	if zero.Header("host") != nil || zero.Path() != nil || zero.SelectSubprotocol([]string{"a"}) != "" {
		t.Error("the zero Request has something")
	}
}

func TestPath(t *testing.T) {
	for _, c := range []struct{ target, path, query string }{
		{"/", "/", "-"}, {"/a?", "/a", ""}, {"/a?b?c", "/a", "b?c"}, {"//a/b", "//a/b", "-"},
		{"http://h", "/", "-"}, {"http://h/", "/", "-"}, {"hTTps://h?a/b", "/", "a/b"}, {"http://h/x/y?z", "/x/y", "z"},
	} {
		req := mustAccept(t, "GET "+c.target+" HTTP/1.1\r\nHost: h\r\n"+up+conn+key+ver+end)
		query := string(req.Query())
		if req.Query() == nil {
			query = "-"
		}
		if string(req.Path()) != c.path || query != c.query || string(req.Target()) != c.target {
			t.Errorf("%s: path %q, query %q", c.target, req.Path(), query)
		}
	}
}

// printable against the words of its comment, with each octet at each place, alone and before others.
func TestPrintable(t *testing.T) {
	for c := range 256 {
		for length := range 20 {
			for at := range length {
				for _, filler := range []byte{'a', 0x20, 0x7e, 0x80, 0xff} {
					b := []byte(strings.Repeat(string([]byte{filler}), length))
					b[at] = byte(c)
					want := length
					if c < 0x20 || c == 0x7f {
						want = at
						b[length-1] = 0x00
					}
					if got := printable(b); got != want {
						t.Fatalf("%q: got %d, want %d", b, got, want)
					}
				}
			}
		}
	}
}

// Keys against encoding/base64 in its strict mode.
func TestValidKey(t *testing.T) {
	for c := range 256 {
		for at := range 24 {
			b := []byte("dGhlIHNhbXBsZSBub25jZQ==")
			b[at] = byte(c)
			decoded, err := base64.StdEncoding.Strict().DecodeString(string(b))
			want := err == nil && len(decoded) == 16 && c != '\r' && c != '\n'
			if got := validKey(b); got != want {
				t.Errorf("%q: got %v, want %v", b, got, want)
			}
		}
	}
}

// IPv6 addresses against net/netip.
func TestValidIPv6(t *testing.T) {
	check := func(s string) {
		addr, err := netip.ParseAddr(s)
		want := err == nil && addr.Is6() && addr.Zone() == ""
		if got := validIPv6([]byte(s)); got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
	parts := []string{":", "::", "1", "0", "ffff", "12345", "g", "1.2.3.4", "255.255.255.255", "256.1.1.1", "01.2.3.4", "1.2.3", ".", "1.2.3.4.5", "%", "a:b:c", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:"}
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				check(a + b + c)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		b := make([]byte, random.IntN(20))
		for i := range b {
			b[i] = ":::::1aF.0"[random.IntN(10)]
		}
		check(string(b))
	}
}
