package handshake

import "encoding/base64"

// A ClientRequest is what a client asks for. AppendRequest says what is possible.
type ClientRequest struct {
	Host         string   // the server's host and, unless it is the scheme's default, a colon and the port (RFC 6455 §4.1, 4)
	Target       string   // path and query with what they need escaped, or an http or https URI; "" means "/"
	Origin       string   // of the page, for clients that act for one (RFC 6454); "" sends none
	Subprotocols []string // the wanted first; distinct tokens, at most MaxSubprotocols
	Header       []Field  // further header lines, such as Authorization or Cookie
}

// AppendRequest appends to dst the request that opens a connection (RFC 6455 §4.1). It offers no extensions. key is for
// this one request: 16 octets of a cryptographic source, such as crypto/rand; ResponseReader.Reset is given the same.
//
// What is written is read again by this package's own Reader, without its limits, and must show the same fields. The
// error is an *AnswerError, and dst is returned as it was (what lies between its length and its capacity may have
// changed), if host, target or subprotocols are not what the Reader accepts; if the origin is neither scheme://host, with
// or without a port, nor null; if a header's name is not a token, or its value holds a control character other than a tab;
// or if the header is one that the handshake writes itself or that such a request cannot have: Host, Origin, Upgrade,
// Connection, Content-Length, Transfer-Encoding and all that begin with Sec-WebSocket-.
func AppendRequest(dst []byte, r *ClientRequest, key [16]byte) ([]byte, error) {
	for _, s := range r.Subprotocols {
		if s == "" || run([]byte(s), isToken) != len(s) {
			return dst, &AnswerError{"Sec-WebSocket-Protocol", quoted(s) + " is not a token, RFC 6455 §4.1, 10"}
		}
	}
	for i := range r.Header {
		if problem := r.Header[i].problem(); problem != "" {
			return dst, &AnswerError{r.Header[i].Name, problem}
		}
	}
	target := r.Target
	if target == "" {
		target = "/"
	}
	out := r.append(dst, target, key)
	if mistake := r.differs(out[len(dst):], target); mistake != nil {
		return dst, mistake
	}
	return out, nil
}

func (r *ClientRequest) append(dst []byte, target string, key [16]byte) []byte {
	dst = append(dst, "GET "...)
	dst = append(dst, target...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	dst = appendField(dst, "Host", r.Host)
	dst = append(dst, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "...)
	dst = base64.StdEncoding.AppendEncode(dst, key[:])
	dst = append(dst, "\r\nSec-WebSocket-Version: 13\r\n"...)
	if r.Origin != "" {
		dst = appendField(dst, "Origin", r.Origin)
	}
	before := "Sec-WebSocket-Protocol: "
	for _, s := range r.Subprotocols {
		dst = append(dst, before...)
		dst = append(dst, s...)
		before = ", "
	}
	if len(r.Subprotocols) > 0 {
		dst = append(dst, "\r\n"...)
	}
	for i := range r.Header {
		dst = appendField(dst, r.Header[i].Name, r.Header[i].Value)
	}
	return append(dst, "\r\n"...)
}

// differs reads the request as a server does, and tells what it would make of it that the caller did not mean. What a
// Request shows has no line breaks: if it shows what was given, then there was none in it to begin a line of its own.
func (r *ClientRequest) differs(head []byte, target string) error {
	var reader Reader
	reader.Reset(Limits{greatestLimit, greatestLimit})
	req, _, err := reader.Next(head)
	switch {
	case err != nil:
		return &AnswerError{Problem: "a server would refuse the request: " + err.(*Refusal).Reason}
	case string(req.Target()) != target || string(req.Host()) != r.Host || string(req.Origin()) != r.Origin:
		return &AnswerError{Problem: "a server would read another target, host or origin: there is white space around one of them, a line break in it, or an Origin among the further header lines"}
	}
	if _, _, _, ok := parseOrigin(req.Origin()); !ok && req.Origin() != nil {
		return &AnswerError{"Origin", quoted(r.Origin) + " is not scheme://host, with or without a port, nor null"}
	}
	return nil
}
