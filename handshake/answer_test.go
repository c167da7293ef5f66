package handshake

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAcceptKey(t *testing.T) {
	// RFC 6455 §1.3
	if got := string(AcceptKey([]byte("x"), []byte("dGhlIHNhbXBsZSBub25jZQ=="))); got != "xs3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("got %q", got)
	}
	if got := string(AcceptKey(nil, []byte(strings.Repeat("a", 100)))); len(got) != 28 {
		t.Errorf("got %q", got)
	}
}

func TestAppendAccept(t *testing.T) {
	req := mustAccept(t, get+host+up+conn+key+ver+"Sec-WebSocket-Protocol: chat, superchat\r\n"+end)
	got, err := AppendAccept([]byte("before"), req, &Accept{Subprotocol: "superchat", Header: []Field{{"Set-Cookie", "a=b"}, {"set-cookie", "c=d\té"}, {"X", ""}}})
	// RFC 6455 §4.2.2, 5
	want := "beforeHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: superchat\r\n" +
		"Set-Cookie: a=b\r\nset-cookie: c=d\té\r\nX: \r\n\r\n"
	if err != nil || string(got) != want {
		t.Fatalf("%v\ngot  %q\nwant %q", err, got, want)
	}
	got, err = AppendAccept(nil, mustAccept(t, minimal), nil)
	if err != nil || !strings.HasSuffix(string(got), "+xOo=\r\n\r\n") {
		t.Errorf("%v %q", err, got)
	}
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(want[len("before"):])), nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || len(res.Header["Set-Cookie"]) != 2 {
		t.Errorf("net/http reads %v, %v", res, err)
	}
}

// Hazard 20: nothing that the embedder passes on from elsewhere can begin a line of its own; and what the client did
// not offer is not chosen (RFC 6455 §4.1: it would fail the connection).
func TestAppendAcceptRefusesMistakes(t *testing.T) {
	req := mustAccept(t, get+host+up+conn+key+ver+"Sec-WebSocket-Protocol: chat\r\n"+end)
	field := func(name, value string) *Accept { return &Accept{Header: []Field{{"A", "b"}, {name, value}}} }
	for _, a := range []*Accept{
		{Subprotocol: "superchat"}, {Subprotocol: "Chat"}, {Subprotocol: "chat\r\nSet-Cookie: a=b"}, {Subprotocol: "\r\n"}, {Subprotocol: " "},
		field("X", "a\r\nb"), field("X", "a\nb"), field("X", "a\rb"), field("X", "\x00"), field("X", "\x7f"), field("X", "\x1b"),
		field("", "a"), field("X Y", "a"), field("X:", "a"), field("X\r\nY", "a"), field("\u00e9", "a"), field("X\x00", "a"),
		field("upgrade", "h2c"), field("CONNECTION", "close"), field("Content-Length", "0"), field("Transfer-Encoding", "chunked"),
		field("Sec-WebSocket-Accept", "a"), field("sec-websocket-protocol", "chat"), field("Sec-WebSocket-Extensions", "x"), field("Sec-WebSocket-", "x"), field("SEC-WEBSOCKET-NEW", "x"),
	} {
		dst := append(make([]byte, 0, 512), "before"...)
		got, err := AppendAccept(dst, req, a)
		var mistake *AnswerError
		var refusal *Refusal
		if !errors.As(err, &mistake) || errors.As(err, &refusal) || mistake.Error() == "" {
			t.Errorf("%q: error %v", a, err)
		}
		if string(got) != "before" || &got[0] != &dst[0] || slices.ContainsFunc(got[6:cap(got)], func(c byte) bool { return c != 0 }) {
			t.Errorf("%q: dst changed: %q", a, got[:cap(got)])
		}
	}
	if _, err := AppendAccept(nil, &Request{}, nil); err == nil {
		t.Error("the zero Request was accepted")
	}
}

// The package's own refusals, and the header lines that their statuses need.
func TestAppendRefusal(t *testing.T) {
	statuses := map[*Refusal]int{ErrRequestLine: 400, ErrHTTPVersion: 400, ErrControl: 400, ErrBareCR: 400, ErrBareLF: 400, ErrHeader: 400, ErrFolding: 400,
		ErrSpaceBeforeColon: 400, ErrHeadTooLarge: 431, ErrTooManyHeaders: 431, ErrMethod: 405, errMethodHEAD: 405, ErrTarget: 400, ErrBody: 400, ErrHostMissing: 400,
		ErrHostTwice: 400, ErrHost: 400, ErrHostDisagrees: 400, ErrList: 400, ErrPlainRequest: 426, ErrUpgrade: 426, ErrConnection: 400, ErrVersionTwice: 400,
		ErrVersion: 426, ErrKeyMissing: 400, ErrKeyTwice: 400, ErrKey: 400, ErrOriginTwice: 400, ErrExtensions: 400, ErrSubprotocols: 400,
		ErrTooManySubprotocols: 431, ErrOrigin: 403, ErrTooSlow: 408, ErrTooManyConns: 503, ErrShuttingDown: 503, ErrInternal: 500}
	kinds := map[Kind]bool{KindRefused: true}
	for r, status := range statuses {
		kinds[r.Kind] = true
		b := AppendRefusal(nil, r)
		res, body := readRefusal(t, b, r == errMethodHEAD)
		h := res.Header
		if res.StatusCode != status || r.Status != status || !res.Close || h.Get("Content-Type") != "text/plain; charset=utf-8" || http.StatusText(status) != res.Status[4:] {
			t.Errorf("%v: %v", r, res)
		}
		if body != r.Reason+"\n" && r != errMethodHEAD || !strings.Contains(r.Reason, ": ") {
			t.Errorf("%v: body %q", r, body)
		}
		if (status == 405) != (h.Get("Allow") == "GET") || !strings.Contains(r.Error(), r.Reason) {
			t.Errorf("%v: Allow %q", r, h.Get("Allow"))
		}
		upgrade := h.Get("Upgrade") == "websocket" && h.Get("Sec-WebSocket-Version") == "13" && strings.Contains(string(b), "\r\nConnection: Upgrade, close\r\n")
		if (status == 426) != upgrade {
			t.Errorf("%v: %v", r, h)
		}
	}
	for k := range Kind(NumKinds) {
		if !kinds[k] || k.String() == "" {
			t.Errorf("kind %d %q: seen %v", k, k, kinds[k])
		}
	}
	if Kind(NumKinds).String() != "kind 23" {
		t.Error(Kind(NumKinds))
	}
	if !errors.Is(errMethodHEAD, ErrMethod) || errors.Is(ErrMethod, errMethodHEAD) || errors.Is(ErrKey, ErrMethod) {
		t.Error("errors.Is")
	}
}

func readRefusal(t *testing.T, b []byte, head bool) (*http.Response, string) {
	t.Helper()
	req := &http.Request{Method: "GET"}
	if head {
		req.Method = "HEAD"
	}
	in := bufio.NewReader(strings.NewReader(string(b)))
	res, err := http.ReadResponse(in, req)
	if err != nil {
		t.Fatalf("net/http: %v: %q", err, b)
	}
	body, err := io.ReadAll(res.Body)
	if rest, _ := io.ReadAll(in); err != nil || len(rest) != 0 {
		t.Fatalf("%v, %q behind the answer %q", err, rest, b)
	}
	return res, string(body)
}

func TestAppendRefusalExactly(t *testing.T) {
	got := string(AppendRefusal([]byte("x"), ErrVersion))
	// RFC 9110 §15.5.22, §7.8; RFC 6455 §4.4
	want := "xHTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 89\r\n\r\n" +
		"The version of the protocol is missing or not supported: send Sec-WebSocket-Version: 13.\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestRefuse(t *testing.T) {
	res, body := readRefusal(t, AppendRefusal(nil, Refuse(307, "Elsewhere.", Field{"Location", "https://b.example/"}), Field{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}), false)
	if res.StatusCode != 307 || body != "Elsewhere.\n" || res.Header.Get("Location") != "https://b.example/" || res.Header.Get("Date") == "" || !res.Close {
		t.Errorf("%v %q", res, body)
	}
	res, body = readRefusal(t, AppendRefusal(nil, Refuse(499, "{}", Field{"content-type", "application/json"})), false)
	if res.StatusCode != 499 || body != "{}\n" || len(res.Header["Content-Type"]) != 1 || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %q", res, body)
	}
	// Hazard 20: what must not be sent is not, and nothing of it shows.
	for _, r := range []*Refusal{
		Refuse(0, "secret"), Refuse(101, "secret"), Refuse(200, "secret"), Refuse(299, "secret"), Refuse(304, "secret"), Refuse(600, "secret"), Refuse(-400, "secret"),
		Refuse(302, "secret", Field{"Location", "/\r\nSet-Cookie: secret=1"}), Refuse(302, "secret", Field{"Location\r\nX", "/"}), Refuse(302, "secret", Field{"", "/"}),
		Refuse(400, "secret", Field{"Content-Length", "0"}), Refuse(400, "secret", Field{"Connection", "keep-alive"}), Refuse(400, "secret", Field{"transfer-encoding", "chunked"}),
	} {
		b := AppendRefusal([]byte("before"), r)
		if res, body := readRefusal(t, b[6:], false); res.StatusCode != 500 || body != ErrInternal.Reason+"\n" || strings.Contains(string(b), "secret") {
			t.Errorf("%v: %q", r, b)
		}
	}
	if res, _ := readRefusal(t, AppendRefusal(nil, ErrTooManyConns, Field{"Retry-After", "1\n"}), false); res.StatusCode != 500 {
		t.Error(res)
	}
}

// Hazard 20: cross-site hijacking by an origin that only resembles an allowed one (RFC 6455 §10.2).
func TestOrigins(t *testing.T) {
	same := Origins{}
	listed, err := AllowOrigins("https://a.example", "HTTP://B.example:8080", "http://c.example:80", "https://d.example:444", "app://e", "http://[::1]:9")
	if err != nil {
		t.Fatal(err)
	}
	null, err := AllowOrigins("https://a.example", "null")
	if err != nil {
		t.Fatal(err)
	}
	all := AnyOrigin()
	for _, c := range []struct {
		policy       *Origins
		host, origin string
		want         bool
	}{
		{&same, "a.example", "-", true}, {&listed, "x", "-", true}, {&null, "x", "-", true}, {&all, "x", "-", true},
		{&all, "x", "http://evil", true}, {&all, "x", "null", true}, {&all, "x", "", true},

		{&same, "a.example", "http://a.example", true}, {&same, "a.example", "https://a.example", true}, {&same, "A.example", "HTTPS://a.EXAMPLE", true},
		{&same, "a.example:443", "https://a.example", true}, {&same, "a.example:80", "http://a.example", true}, {&same, "a.example:", "http://a.example:80", true},
		{&same, "a.example:443", "http://a.example", false}, {&same, "a.example:80", "https://a.example", false},
		{&same, "a.example:8080", "http://a.example:8080", true}, {&same, "a.example:8080", "http://a.example", false}, {&same, "a.example", "http://a.example:8080", false},
		{&same, "[::1]:9001", "http://[::1]:9001", true}, {&same, "[::1]:9001", "http://[::1]:9002", false}, {&same, "127.0.0.1", "http://localhost", false},
		{&same, "a.example", "http://xa.example", false}, {&same, "a.example", "http://a.example.evil", false}, {&same, "a.example", "http://a.exampl", false}, {&same, "a.example", "http://x.a.example", false},
		{&same, "a.example", "http://a.example.", false}, {&same, "a.example", "http://a.example/", false}, {&same, "a.example", "http://evil?a.example", false},
		{&same, "a.example", "http://a.example@evil", false}, {&same, "a.example", "http://evil@a.example", false}, {&same, "a.example", "http://a.example http://evil", false},
		{&same, "a.example", "http://a.example:", false}, {&same, "a.example", "http://a.example:80:80", false}, {&same, "a.example", "http://a.example#", false},
		{&same, "a.example", "ws://a.example", false}, {&same, "a.example", "file://a.example", false}, {&same, "a.example", "ftp://a.example", false}, {&same, "a.example", "//a.example", false},
		{&same, "a.example", "a.example", false}, {&same, "a.example", "", false}, {&same, "a.example", "null", false}, {&same, "null", "null", false}, {&same, "a.example", "http:a.example", false},

		{&listed, "x", "https://a.example", true}, {&listed, "x", "https://a.example:443", true}, {&listed, "x", "HTTPS://A.EXAMPLE", true},
		{&listed, "x", "http://a.example", false}, {&listed, "x", "http://a.example:443", false}, {&listed, "x", "https://a.example:80", false}, {&listed, "x", "https://a.example:8443", false},
		{&listed, "x", "http://b.example:8080", true}, {&listed, "x", "http://b.example", false}, {&listed, "x", "http://c.example", true}, {&listed, "x", "https://c.example", false},
		{&listed, "x", "wss://a.example:443", false}, {&listed, "x", "https://d.example", false}, {&listed, "x", "app://e", true}, {&listed, "x", "app://e:1", false}, {&listed, "x", "http://[::1]:9", true},
		{&listed, "x", "https://a.example.evil", false}, {&listed, "x", "https://evila.example", false}, {&listed, "x", "https://x.a.example", false}, {&listed, "x", "https://a_example", false},
		{&listed, "x", "null", false}, {&listed, "x", "", false}, {&listed, "x", "http://x", false}, // not even the same origin
		{&null, "x", "null", true}, {&null, "x", "NULL", false}, {&null, "x", "://", false}, {&null, "x", "", false},
	} {
		head := get + "Host: " + c.host + "\r\n" + up + conn + key + ver
		if c.origin != "-" {
			head += "Origin: " + c.origin + "\r\n"
		}
		err := c.policy.Check(mustAccept(t, head+end))
		if (err == nil) != c.want || err != nil && err != ErrOrigin {
			t.Errorf("host %q, origin %q: %v", c.host, c.origin, err)
		}
	}
}

func TestAllowOriginsRefusesMistakes(t *testing.T) {
	for _, entry := range []string{"", "ws://a.example", "wss://a.example", "*", "NULL", "a.example", "https://", "https://*", "https://*.example", "https://a.example/", "https://a.example/x", "https://a.example?", "https://u@a.example",
		"https://a.example:", "https://a.example:x", "https://a.example:65536", "https://b\u00fccher.example", "https://a b", "1http://a", "ht!tp://a", "://a", "https:/a", " https://a", "https://a\r\n"} {
		o, err := AllowOrigins("https://good.example", entry)
		if err == nil || !strings.Contains(err.Error(), quoted(entry)) {
			t.Errorf("%q: %v", entry, err)
		}
		if o.list != nil || o.any {
			t.Errorf("%q: not the zero Origins with the error", entry)
		}
	}
	if _, err := AllowOrigins(); err == nil {
		t.Error("an empty list passed")
	}
}
