package handshake

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// FuzzRequest holds any stream, cut anywhere, against these:
//
//   - every chunking has the outcome of the whole; n == 0 without an error means that the head has no end yet;
//   - octets behind the head do not matter, and none is read: they are replaced, and the slice ends there;
//   - what is accepted net/http reads as the same request; the answer net/http reads as the right 101;
//   - every refusal net/http reads as an answer with the same status.
//
// net/http is more lenient than this package in nearly everything; it is stricter in one thing, the escapes in the
// authority of an absolute-form, which RFC 3986 §3.2.2 allows.
func FuzzRequest(f *testing.F) {
	for _, table := range [][]wireCase{lineCases, bodyCases, headerCases, tokenCases, listCases, targetCases, limitCases} {
		for i, c := range table {
			head, _, _ := c.told()
			f.Add([]byte(head+behind), uint16(i*7), uint16(i*13), uint16(c.limits.MaxHead))
		}
	}
	for _, head := range realHeads {
		f.Add(head, uint16(10), uint16(100), uint16(0))
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut1, cut2, maxHead uint16) {
		l := Limits{MaxHead: int(maxHead)}
		var r Reader
		r.Reset(l)
		req, n, err := r.Next(stream)
		whole := outcome{err, n, view(&req)}
		checkChunkings(t, l, stream, whole, cut1, cut2)
		if n > 0 {
			checkNothingBehind(t, l, stream, whole)
		}
		var refusal *Refusal
		switch {
		case errors.As(err, &refusal):
			res, _ := readRefusal(t, AppendRefusal(nil, refusal), refusal == errMethodHEAD)
			if res.StatusCode != refusal.Status || !res.Close {
				t.Fatalf("%v: %v", refusal, res)
			}
		case n > 0:
			checkAccepted(t, &req)
		case bytes.Contains(stream, []byte("\r\n\r\n")):
			t.Fatalf("undecided: %q", stream)
		case len(stream) >= DefaultMaxHead && maxHead == 0:
			t.Fatal("undecided beyond the limit")
		}
		if n > 0 && (!bytes.HasSuffix(stream[:n], []byte("\r\n\r\n")) || bytes.Index(stream, []byte("\r\n\r\n")) != n-4) {
			t.Fatalf("n = %d: %q", n, stream)
		}
	})
}

func checkChunkings(t *testing.T, l Limits, stream []byte, whole outcome, cut1, cut2 uint16) {
	a, b := int(cut1)%(len(stream)+1), int(cut2)%(len(stream)+1)
	if o, _ := play(l, string(stream), min(a, b), max(a, b), len(stream)); o != whole {
		t.Fatalf("cut at %d, %d: %v, whole: %v", a, b, o, whole)
	}
	if len(stream) > 1024 {
		return // quadratic in the test, which copies
	}
	if o, _ := play(l, string(stream), upTo(len(stream))...); o != whole {
		t.Fatalf("octet by octet: %v, whole: %v", o, whole)
	}
}

func checkNothingBehind(t *testing.T, l Limits, stream []byte, whole outcome) {
	exact := bytes.Clone(stream[:whole.n])
	if o, _ := play(l, string(exact), len(exact)); o != whole {
		t.Fatalf("without what follows: %v, with: %v", o, whole)
	}
	other := append(exact, bytes.Repeat([]byte{0}, len(stream)-whole.n)...)
	if o, _ := play(l, string(other), len(other)); o != whole {
		t.Fatalf("with something else behind: %v, before: %v", o, whole)
	}
}

func checkAccepted(t *testing.T, req *Request) {
	theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(req.Head())))
	if err != nil {
		if req.Target()[0] != '/' && bytes.IndexByte(req.Host(), '%') >= 0 {
			return
		}
		t.Fatalf("net/http: %v: %q", err, req.Head())
	}
	if theirs.Method != "GET" || !strings.EqualFold(theirs.Host, string(req.Host())) || theirs.RequestURI != string(req.Target()) ||
		theirs.ContentLength != 0 || len(theirs.TransferEncoding) != 0 || theirs.ProtoMinor != 1 {
		t.Fatalf("net/http reads %+v of %q", theirs, req.Head())
	}
	if keys := theirs.Header["Sec-Websocket-Key"]; len(keys) != 1 || keys[0] != string(req.Key()) {
		t.Fatalf("net/http reads the keys %q of %q", keys, req.Head())
	}
	if string(req.Path()) != theirs.URL.EscapedPath() && theirs.URL.RawPath != "" && string(req.Path()) != theirs.URL.RawPath {
		t.Fatalf("path %q, net/http %q", req.Path(), theirs.URL.RawPath)
	}
	if string(req.Query()) != theirs.URL.RawQuery {
		t.Fatalf("query %q, net/http %q", req.Query(), theirs.URL.RawQuery)
	}
	var policy Origins
	if err := policy.Check(req); err != nil && err != ErrOrigin {
		t.Fatal(err)
	}
	accept := &Accept{Header: []Field{{"X-Path", string(req.Path())}}}
	for p := range req.Subprotocols() {
		accept.Subprotocol = string(p) // the last
	}
	b, err := AppendAccept(nil, req, accept)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(bytes.NewReader(b))
	res, err := http.ReadResponse(in, theirs)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Accept") != string(AcceptKey(nil, req.Key())) ||
		res.Header.Get("Sec-WebSocket-Protocol") != accept.Subprotocol {
		t.Fatalf("net/http: %v, %v of %q", err, res, b)
	}
	if rest, _ := io.ReadAll(in); len(rest) != 0 {
		t.Fatalf("%q behind the answer", rest)
	}
}

// FuzzAnswer: whatever an embedder passes on, the answer has the header lines it should have and no others (hazard 20).
func FuzzAnswer(f *testing.F) {
	f.Add("Location", "/a", "chat", "text", uint16(302))
	f.Add("X\r\nSet-Cookie", "a\r\n\r\nHTTP/1.1 200 OK", "chat\r\nX: y", "", uint16(200))
	f.Add("Connection", "keep-alive", "", "\x00\xff", uint16(599))
	f.Fuzz(func(t *testing.T, name, value, subprotocol, reason string, status uint16) {
		req := mustAccept(t, get+host+up+conn+key+ver+"Sec-WebSocket-Protocol: chat\r\n"+end)
		b, err := AppendAccept(nil, req, &Accept{subprotocol, []Field{{name, value}}})
		lines := 5
		if subprotocol == "chat" {
			lines++
		}
		if err == nil && strings.Count(string(b), "\r\n") != lines+1 || err != nil && b != nil {
			t.Fatalf("%v: %q", err, b)
		}
		b = AppendRefusal(nil, Refuse(int(status), reason, Field{name, value}))
		res, body := readRefusal(t, b, false)
		if res.StatusCode != int(status) && (res.StatusCode != 500 || body != ErrInternal.Reason+"\n") || res.StatusCode == int(status) && status != 500 && body != reason+"\n" {
			t.Fatalf("%q", b)
		}
	})
}

// FuzzLists holds the parsers of hosts and extensions against each other's properties: no panic, and a list cut at a
// comma outside quotes is well-formed exactly if both parts are.
func FuzzLists(f *testing.F) {
	f.Add([]byte(`permessage-deflate; client_max_window_bits, a;b="c\d"`), uint16(45))
	f.Add([]byte("[::1]:80"), uint16(3))
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		if host, port, ok := parseAuthority(b); ok {
			if !bytes.HasPrefix(b, host) || port > 65535 || port < -1 {
				t.Fatalf("%q: host %q, port %d", b, host, port)
			}
		}
		if bytes.IndexByte(b, '"') >= 0 {
			return
		}
		at := int(cut) % (len(b) + 1)
		joined := append(append(bytes.Clone(b[:at]), ','), b[at:]...)
		parts := (extensionList(b[:at]) | extensionList(b[at:])) & badExtensions
		if got := extensionList(joined) & badExtensions; got != parts {
			t.Fatalf("%q: %v, its parts %v", joined, got, parts)
		}
	})
}
