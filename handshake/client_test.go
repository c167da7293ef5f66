package handshake

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAppendRequest(t *testing.T) {
	// RFC 6455 §1.2, but for the order of the lines
	got, err := AppendRequest([]byte("before"), &ClientRequest{Host: "server.example.com", Target: "/chat", Origin: "http://example.com",
		Subprotocols: []string{"chat", "superchat"}, Header: []Field{{"Cookie", "a=b\té"}, {"cookie", "c=d"}, {"X", ""}}}, nonce)
	want := "before" + get + host + up + conn + key + ver + "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n" +
		"Cookie: a=b\té\r\ncookie: c=d\r\nX: \r\n\r\n"
	if err != nil || string(got) != want {
		t.Fatalf("%v\ngot  %q\nwant %q", err, got, want)
	}
	got, err = AppendRequest(nil, &ClientRequest{Host: "server.example.com"}, nonce)
	if want := "GET / HTTP/1.1\r\n" + host + up + conn + key + ver + end; err != nil || string(got) != want {
		t.Fatalf("%v\ngot  %q\nwant %q", err, got, want)
	}
}

// checkRequest holds what AppendRequest has written against what was asked, by our own Reader and by net/http.
func checkRequest(t *testing.T, b []byte, r *ClientRequest, key [16]byte) *Request {
	t.Helper()
	var reader Reader
	reader.Reset(Limits{greatestLimit, greatestLimit})
	req, n, err := reader.Next(b)
	if err != nil || n != len(b) {
		t.Fatalf("n = %d of %d, %v: %q", n, len(b), err, b)
	}
	checkAccepted(t, &req) // net/http reads the same
	target := r.Target
	if target == "" {
		target = "/"
	}
	if string(req.Host()) != r.Host || string(req.Target()) != target || string(req.Origin()) != r.Origin || (req.Origin() == nil) != (r.Origin == "") ||
		string(req.Key()) != base64.StdEncoding.EncodeToString(key[:]) {
		t.Fatalf("%+v became %q", r, b)
	}
	var offered []string
	for p := range req.Subprotocols() {
		offered = append(offered, string(p))
	}
	if !slices.Equal(offered, r.Subprotocols) {
		t.Fatalf("%q became %q", r.Subprotocols, offered)
	}
	var fields []Field
	for name, value := range req.Headers() {
		fields = append(fields, Field{string(name), string(value)})
	}
	own := 5
	if r.Origin != "" {
		own++
	}
	if len(r.Subprotocols) > 0 {
		own++
	}
	var further []Field
	for _, f := range r.Header {
		further = append(further, Field{f.Name, strings.Trim(f.Value, " \t")})
	}
	if !slices.Equal(fields[own:], further) {
		t.Fatalf("%q became %q", further, fields[own:])
	}
	return &req
}

func TestAppendRequestAccepts(t *testing.T) {
	var many []string
	for len(many) < MaxSubprotocols {
		many = append(many, strings.Repeat("p", len(many)+1))
	}
	for _, r := range []ClientRequest{
		{Host: "a"}, {Host: "a:80"}, {Host: "127.0.0.1:9001"}, {Host: "[::1]:9001"}, {Host: "xn--bcher-kva.example"}, {Host: strings.Repeat("a.", 100)},
		{Host: "a", Target: "/"}, {Host: "a", Target: "/?"}, {Host: "a", Target: "/a/b;c=d/%7E?e=f&g=h/?"}, {Host: "a", Target: "//b"}, {Host: "a", Target: "/" + strings.Repeat("x", 2*DefaultMaxHead)},
		{Host: "a", Target: "http://a"}, {Host: "a:81", Target: "HTTP://A:81/b?c"}, {Host: "a", Target: "https://a/"}, {Host: "a", Target: "/a[1]|^?{}"},
		{Host: "a", Origin: "null"}, {Host: "a", Origin: "https://b.example"}, {Host: "a", Origin: "http://b.example:8080"}, {Host: "a", Origin: "moz-extension://0-1"},
		{Host: "a", Subprotocols: []string{"v10.stomp"}}, {Host: "a", Subprotocols: []string{"!#$%&'*+-.^_`|~", "Chat", "chat"}}, {Host: "a", Subprotocols: many},
		{Host: "a", Header: []Field{{"Authorization", "Basic dXNlcjpwYXNz"}, {"X", " a\t"}, {"x", "\x80\xff"}, {"Hos", "b"}, {"Upgrade-Insecure-Requests", "1"}}},
		{Host: "a", Header: slices.Repeat([]Field{{"X", "y"}}, 2*DefaultMaxHeaders)},
	} {
		b, err := AppendRequest(nil, &r, nonce)
		if err != nil {
			t.Errorf("%+v: %v", r, err)
			continue
		}
		checkRequest(t, b, &r, nonce)
	}
}

// Hazard 20, and whatever else a server would refuse or read differently than it was meant.
func TestAppendRequestRefusesMistakes(t *testing.T) {
	var many []string
	for len(many) <= MaxSubprotocols {
		many = append(many, strings.Repeat("p", len(many)+1))
	}
	var cases []ClientRequest
	for _, h := range []string{"", " ", " a", "a ", "a\t", "\ta", "a\r\nX: y", "a\n", "a\r", "a\x00", "a\x7f", "a b", "a/b", "u@a", "a?b", "a#b", "a:b", "a:65536", ":80", "[::1", "::1", "[fe80::1%25en0]",
		"b\u00fccher", "%4", "http://a", "a\r\n\r\nGET / HTTP/1.1\r\nHost: a"} {
		cases = append(cases, ClientRequest{Host: h})
	}
	for _, target := range []string{" ", " /", "/ ", "/a b", "/\t", "/a\t", "/\r\n", "/ HTTP/1.1\r\nX: y", "/ HTTP/1.1\r\nX: y\r\n\r\nGET /", "/\n", "/\x00", "/\x7f", "/caf\u00e9", "/#a", "/\"", "/<>", "/%", "/%4", "/%4g", "/\\", "*", "a", "?a", "a:443",
		"ws://a/", "wss://a/", "ftp://a/", "http://", "http://b/", "http://u@a/", "http://a:80/", "//\r", "/ HTTP/1.1"} {
		cases = append(cases, ClientRequest{Host: "a", Target: target})
	}
	for _, origin := range []string{" ", "a", "NULL", "http://", "http://a/", "http://a:", "http://a b", " http://a", "http://a\t", "http://a\r\nX: y", "http://a\n", "http://caf\u00e9", "http://a http://b", "://a", "*"} {
		cases = append(cases, ClientRequest{Host: "a", Origin: origin})
	}
	for _, list := range [][]string{{""}, {"chat", ""}, {"chat", "chat"}, {"chat", "a", "chat"}, {"a,b"}, {"a b"}, {" a"}, {"a\t"}, {"a\r\nX: y"}, {"\n"}, {"a/b"}, {"\"a\""}, {"caf\u00e9"}, many} {
		cases = append(cases, ClientRequest{Host: "a", Subprotocols: list})
	}
	for _, f := range []Field{{"X", "a\r\nb"}, {"X", "a\nb"}, {"X", "a\rb"}, {"X", "\x00"}, {"X", "\x7f"}, {"", "a"}, {"X Y", "a"}, {"X:", "a"}, {"X\r\nY", "a"}, {"\u00e9", "a"}, {"X\x00", "a"},
		{"Host", "a"}, {"hOST", "a"}, {"Origin", "http://a"}, {"origin", ""}, {"upgrade", "h2c"}, {"CONNECTION", "close"}, {"Content-Length", "0"}, {"Transfer-Encoding", "chunked"}, {"Sec-WebSocket-Key", "a"},
		{"sec-websocket-protocol", "a"}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Extensions", "permessage-deflate"}, {"SEC-WEBSOCKET-", ""}} {
		cases = append(cases, ClientRequest{Host: "a", Header: []Field{{"A", "b"}, f}})
	}
	for _, r := range cases {
		dst := append(make([]byte, 0, 4096), "before"...)
		got, err := AppendRequest(dst, &r, nonce)
		var mistake *AnswerError
		if !errors.As(err, &mistake) || mistake.Problem == "" || !strings.HasPrefix(mistake.Error(), "handshake: ") {
			t.Errorf("%+v: error %v", r, err)
		}
		if string(got) != "before" || &got[0] != &dst[0] || cap(got) != cap(dst) {
			t.Errorf("%+v: dst changed: %q", r, got)
		}
		full := dst[:6:6] // must grow
		if got, err := AppendRequest(full, &r, nonce); err == nil || &got[0] != &full[0] || len(got) != 6 || cap(got) != 6 {
			t.Errorf("%+v: dst changed: %q", r, got)
		}
	}
}

// Each side against the other, for requests at random: what our client asks our server accepts, and the answer opens the
// connection; to another key, or with a subprotocol that was not offered, it does not.
func TestRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	token := func(most int) string {
		b := make([]byte, 1+random.IntN(most))
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyzABCXYZ019-._~!$&'*+"[random.IntN(45)]
		}
		return string(b)
	}
	fields := func() (list []Field) {
		for range random.IntN(4) {
			list = append(list, Field{"X-" + strings.ReplaceAll(token(9), "$", "%"), token(60)})
		}
		return list
	}
	var reader Reader
	var answer ResponseReader
	var request, response []byte
	for range 3000 {
		var k, other [16]byte
		for i := range k {
			k[i], other[i] = byte(random.Uint32()), byte(random.Uint32())
		}
		r := &ClientRequest{Host: token(40), Target: "/" + token(80), Header: fields()}
		if random.IntN(2) == 0 {
			r.Origin = "https://" + token(40)
		}
		for range random.IntN(5) {
			if p := strings.NewReplacer("(", "", ")", "").Replace(token(12)); !slices.Contains(r.Subprotocols, p) {
				r.Subprotocols = append(r.Subprotocols, p)
			}
		}
		var err error
		if request, err = AppendRequest(request[:0], r, k); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		reader.Reset(Limits{})
		req, n, err := reader.Next(request)
		if err != nil || n != len(request) {
			t.Fatalf("n = %d, %v: %q", n, err, request)
		}
		accept := &Accept{Header: fields()}
		if len(r.Subprotocols) > 0 && random.IntN(3) > 0 {
			accept.Subprotocol = r.Subprotocols[random.IntN(len(r.Subprotocols))]
		}
		if response, err = AppendAccept(response[:0], &req, accept); err != nil {
			t.Fatal(err)
		}
		answer.Reset(r, k, Limits{})
		res, n, err := answer.Next(append(response, behindAnswer...))
		if err != nil || n != len(response) || res.Status() != 101 || string(res.Subprotocol()) != accept.Subprotocol || (res.Subprotocol() == nil) != (accept.Subprotocol == "") {
			t.Fatalf("n = %d, %v: %q", n, err, response)
		}
		for _, f := range accept.Header {
			if res.Header(f.Name) == nil {
				t.Fatalf("%q is missing of %q", f, response)
			}
		}
		answer.Reset(r, other, Limits{})
		if _, _, err := answer.Next(response); err != errAccept {
			t.Fatalf("with another key: %v", err)
		}
		answer.Reset(&ClientRequest{Subprotocols: []string{accept.Subprotocol + "x"}}, k, Limits{})
		if _, _, err := answer.Next(response); (err == errSubprotocol) != (accept.Subprotocol != "") {
			t.Fatalf("with another subprotocol: %v", err)
		}
	}
}

// Our server's refusals, as our client reads them.
func TestRefusalsRoundTrip(t *testing.T) {
	for _, refusal := range []*Refusal{ErrVersion, ErrMethod, ErrOrigin, ErrTooManyConns, Refuse(302, "There.", Field{"Location", "/there"}), Refuse(401, "Who?", Field{"WWW-Authenticate", "Basic"})} {
		var r ResponseReader
		r.Reset(asked, nonce, Limits{})
		b := AppendRefusal(nil, refusal)
		res, n, err := r.Next(b)
		if outcome := outcomeOf(&res, n, err); outcome.err != *not101(refusal.Status) || string(b[n:]) != refusal.Reason+"\n" {
			t.Errorf("%v: %v, body %q", refusal, err, b[n:])
		}
	}
}

// What net/http makes of our request, in the words of its documentation.
func TestRequestForNetHTTP(t *testing.T) {
	b, err := AppendRequest(nil, &ClientRequest{Host: "a.example:8080", Target: "/b%2fc?d=e", Origin: "https://o.example", Subprotocols: []string{"x", "y"},
		Header: []Field{{"Authorization", "Basic dXNlcjpwYXNz"}, {"Cookie", "f=g"}}}, nonce)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := req.BasicAuth()
	cookie, err := req.Cookie("f")
	if req.Method != "GET" || req.Host != "a.example:8080" || req.RequestURI != "/b%2fc?d=e" || req.Proto != "HTTP/1.1" || req.ContentLength != 0 || req.Close || user != "user" || password != "pass" ||
		err != nil || cookie.Value != "g" {
		t.Errorf("%+v, %v", req, err)
	}
	for name, want := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-Websocket-Version": "13",
		"Origin": "https://o.example", "Sec-Websocket-Protocol": "x, y"} {
		if got := req.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestRequestAllocations(t *testing.T) {
	buf := make([]byte, 0, 2048)
	r := &ClientRequest{Host: "a-name-longer-than-what-fits-into-a-small-buffer.example:8080", Target: "/" + strings.Repeat("x", 100), Origin: "https://o.example",
		Subprotocols: []string{"chat", strings.Repeat("superchat", 20)}, Header: []Field{{"Cookie", strings.Repeat("y", 100)}, {strings.Repeat("X", 100), ""}}}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := AppendRequest(buf, r, nonce); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
