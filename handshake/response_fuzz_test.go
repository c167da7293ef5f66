package handshake

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// FuzzResponse holds any stream, cut anywhere, against these:
//
//   - every chunking has the outcome of the whole; octets behind the head do not matter;
//   - what is accepted, and nothing else, opens the connection in the words of the RFCs (opens, below), which know nothing
//     of octets that come bit by bit;
//   - what is accepted net/http reads as a 101 with the same header;
//   - another status is the one that net/http reads.
func FuzzResponse(f *testing.F) {
	for _, table := range answerTables {
		for i, c := range table {
			head, _, _ := wireCase{head: c.head}.told()
			f.Add([]byte(head+behindAnswer), uint16(i*7), uint16(i*13), uint16(c.limits.MaxHead))
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut1, cut2, maxHead uint16) {
		l := Limits{MaxHead: int(maxHead)}
		var r ResponseReader
		r.Reset(asked, nonce, l)
		res, n, err := r.Next(stream)
		whole := outcomeOf(&res, n, err)
		checkAnswerChunkings(t, l, stream, whole, cut1, cut2)

		limit := DefaultMaxHead
		if maxHead != 0 {
			limit = int(maxHead)
		}
		want := opens(stream[:min(len(stream), limit)])
		if err != nil || n == 0 {
			if want != 0 {
				t.Fatalf("%v, but it opens the connection: %q", err, stream[:want])
			}
		} else if n != want {
			t.Fatalf("n = %d, want %d: %q", n, want, stream)
		}
		if n == 0 && err == nil && len(stream) >= limit {
			t.Fatal("undecided beyond the limit")
		}
		if n > 0 {
			checkForNetHTTP(t, stream[:n], &res, whole)
		}
	})
}

func checkAnswerChunkings(t *testing.T, l Limits, stream []byte, whole answerOutcome, cut1, cut2 uint16) {
	a, b := int(cut1)%(len(stream)+1), int(cut2)%(len(stream)+1)
	if o, _ := playAnswer(l, string(stream), min(a, b), max(a, b), len(stream)); o != whole {
		t.Fatalf("cut at %d, %d: %v, whole: %v", a, b, o, whole)
	}
	if len(stream) <= 1024 { // quadratic in the test, which copies
		if o, _ := playAnswer(l, string(stream), upTo(len(stream))...); o != whole {
			t.Fatalf("octet by octet: %v, whole: %v", o, whole)
		}
	}
	if n := whole.n; n > 0 {
		for _, behind := range []string{"", strings.Repeat("\x00", len(stream)-n), opened} {
			other := string(stream[:n]) + behind
			if o, _ := playAnswer(l, other, len(other)); o != whole {
				t.Fatalf("with %q behind: %v, before: %v", behind, o, whole)
			}
		}
	}
}

var (
	interimHead = regexp.MustCompile(`^HTTP/1\.1 1(?:[1-9][0-9]|0[02-9]) ([\t -~\x{80}-\x{FF}]*)\r\n((?:[-!#$%&'*+.^_|~0-9A-Za-z\x60]+:[\t -~\x{80}-\x{FF}]*\r\n)*)\r\n`)
	finalHead   = regexp.MustCompile(`^HTTP/1\.1 101 ([\t -~\x{80}-\x{FF}]*)\r\n((?:[-!#$%&'*+.^_|~0-9A-Za-z\x60]+:[\t -~\x{80}-\x{FF}]*\r\n)*)\r\n`)
	tokens      = regexp.MustCompile(`^(?:[-!#$%&'*+.^_|~0-9A-Za-z\x60]*[ \t]*(?:,[ \t]*|$))*$`)
)

// opens returns the length of the head that opens the connection, as RFC 6455 §4.1 reads, or 0.
func opens(stream []byte) (n int) {
	runes := make([]rune, len(stream)) // octet for rune, as regular expressions are over UTF-8
	for i, c := range stream {
		runes[i] = rune(c)
	}
	rest, headers := string(runes), 0
	parse := func(head *regexp.Regexp) map[string][]string {
		m := head.FindStringSubmatch(rest)
		if m == nil {
			return nil
		}
		fields := map[string][]string{}
		for line := range strings.Lines(m[2]) {
			name, value, _ := strings.Cut(line, ":")
			name = strings.ToLower(name)
			fields[name] = append(fields[name], strings.Trim(value, " \t\r\n"))
			headers++
		}
		if headers > DefaultMaxHeaders || fields["transfer-encoding"] != nil || slices.ContainsFunc(fields["content-length"], func(s string) bool { return s != "0" }) {
			return nil
		}
		n += len([]rune(m[0]))
		rest = rest[len(m[0]):]
		return fields
	}
	for parse(interimHead) != nil {
	}
	fields := parse(finalHead)
	if fields == nil {
		return 0
	}
	upgrade := false
	for _, list := range fields["connection"] {
		if !tokens.MatchString(list) {
			return 0
		}
		for e := range strings.SplitSeq(list, ",") {
			upgrade = upgrade || asciiLower(strings.Trim(e, " \t")) == "upgrade"
		}
	}
	sum := sha1.Sum([]byte(base64.StdEncoding.EncodeToString(nonce[:]) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	protocols := fields["sec-websocket-protocol"]
	if !upgrade || len(fields["upgrade"]) != 1 || asciiLower(fields["upgrade"][0]) != "websocket" || fields["sec-websocket-extensions"] != nil ||
		!slices.Equal(fields["sec-websocket-accept"], []string{base64.StdEncoding.EncodeToString(sum[:])}) ||
		len(protocols) > 1 || len(protocols) == 1 && !slices.Contains(asked.Subprotocols, protocols[0]) {
		return 0
	}
	return n
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// checkForNetHTTP holds a whole head, accepted or not, against net/http. It refuses more of other statuses than we do, as it
// looks at how their bodies are framed, and reads HTTP/1.2 and such as 1.1.
func checkForNetHTTP(t *testing.T, head []byte, res *Response, o answerOutcome) {
	in := bufio.NewReader(bytes.NewReader(head))
	for {
		theirs, err := http.ReadResponse(in, &http.Request{Method: "GET"})
		if err != nil {
			if o.failed {
				return
			}
			t.Fatalf("net/http: %v: %q", err, head)
		}
		if theirs.StatusCode/100 == 1 && theirs.StatusCode != 101 && theirs.StatusCode != res.Status() {
			continue // an interim answer
		}
		if theirs.StatusCode != res.Status() {
			t.Fatalf("net/http reads %d of %q", theirs.StatusCode, head)
		}
		if o.failed {
			return
		}
		ours := http.Header{}
		for name, value := range res.Headers() {
			ours.Add(string(name), string(value))
		}
		if theirs.Close {
			ours.Del("Connection") // as net/http does
		}
		for _, h := range []http.Header{ours, theirs.Header} {
			h.Del("Content-Length") // of several zeros it keeps one
			if slices.Contains(ours["Pragma"], "no-cache") {
				h.Del("Cache-Control") // it adds that to a Pragma
			}
		}
		if !reflect.DeepEqual(ours, theirs.Header) {
			t.Fatalf("%q\nours   %q\ntheirs %q", head, ours, theirs.Header)
		}
		if _, err := in.ReadByte(); err == nil {
			t.Fatalf("net/http ends the head before n: %q", head)
		}
		return
	}
}

// FuzzClientRequest: whatever a caller passes on, the request has the fields that it should have and no others, for our own
// Reader and for net/http; or nothing is written and the mistake is told (hazard 20).
func FuzzClientRequest(f *testing.F) {
	f.Add("a.example:8080", "/b?c", "https://o.example", "chat", "superchat", "Cookie", "d=e", nonce[:])
	f.Add("[::1]", "http://[::1]/", "null", "", "", "", "", []byte{})
	f.Add("a\r\nX: y", "/ HTTP/1.1\r\n", "http://a\n", "a,b", "a b", "X\r\nY", "z\r\n\r\nGET /", []byte("\xff"))
	f.Add(" a", "", " null", "a", "a", "Host", " a ", []byte("k"))
	f.Fuzz(func(t *testing.T, host, target, origin, first, second, name, value string, keySeed []byte) {
		r := &ClientRequest{Host: host, Target: target, Origin: origin}
		if first != "" || second != "" {
			r.Subprotocols = append(r.Subprotocols, first)
		}
		if second != "" {
			r.Subprotocols = append(r.Subprotocols, second)
		}
		if name != "" || value != "" {
			r.Header = []Field{{name, value}}
		}
		var key [16]byte
		copy(key[:], keySeed)
		b, err := AppendRequest([]byte("before"), r, key)
		if err != nil {
			var mistake *AnswerError
			if string(b) != "before" || !errors.As(err, &mistake) {
				t.Fatalf("%v: %q", err, b)
			}
			return
		}
		if !strings.HasPrefix(string(b), "before") {
			t.Fatalf("%q", b)
		}
		req := checkRequest(t, b[len("before"):], r, key)
		response, err := AppendAccept(nil, req, &Accept{Subprotocol: req.SelectSubprotocol(r.Subprotocols)})
		if err != nil {
			t.Fatal(err)
		}
		var answer ResponseReader
		answer.Reset(r, key, Limits{})
		if res, n, err := answer.Next(response); err != nil || n != len(response) || string(res.Subprotocol()) != strings.Join(r.Subprotocols[:min(1, len(r.Subprotocols))], "") {
			t.Fatalf("n = %d, %v: %q", n, err, response)
		}
	})
}
