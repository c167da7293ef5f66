package handshake

import (
	"crypto/sha1"
	"encoding/base64"
	"strconv"
)

// A Field is a header line of an answer or of a client's request.
type Field struct{ Name, Value string }

// Accept is what the server decides about a request that it accepts. The zero Accept chooses no subprotocol and adds
// no header.
type Accept struct {
	Subprotocol string  // one that the client offered, or "" for none
	Header      []Field // further header lines, such as Set-Cookie
}

// An AnswerError is a mistake of the caller's in an answer or a client's request: something that must not be sent. Nothing
// has been appended.
type AnswerError struct {
	Field   string // the header's name, or "" if the mistake is not in one
	Problem string
}

func (e *AnswerError) Error() string {
	if e.Field == "" {
		return "handshake: " + e.Problem
	}
	return "handshake: header " + quoted(e.Field) + ": " + e.Problem
}

// AppendAccept appends to dst the answer that accepts the request and switches protocols (RFC 6455 §4.2.2). A nil a is
// the zero Accept. dst must not share memory with the request's head.
//
// The error is an *AnswerError, and dst is returned as it was, if Next has not accepted the request; if the subprotocol
// is not one that the client offered; if a header's name is not a token, or its value holds a control character other than
// a tab; or if the header is one that the handshake writes itself or that such an answer cannot have: Upgrade,
// Connection, Content-Length, Transfer-Encoding and all that begin with Sec-WebSocket-.
func AppendAccept(dst []byte, req *Request, a *Accept) ([]byte, error) {
	if req.marks.saw&accepted == 0 {
		return dst, &AnswerError{Problem: "a request that Reader.Next has not returned without an error cannot be accepted"}
	}
	if a == nil {
		a = &Accept{}
	}
	if a.Subprotocol != "" && req.SelectSubprotocol([]string{a.Subprotocol}) == "" {
		return dst, &AnswerError{"Sec-WebSocket-Protocol", "the client did not offer " + quoted(a.Subprotocol)}
	}
	for i := range a.Header {
		if problem := a.Header[i].problem(); problem != "" {
			return dst, &AnswerError{a.Header[i].Name, problem}
		}
	}
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = AcceptKey(dst, req.Key())
	dst = append(dst, "\r\n"...)
	if a.Subprotocol != "" {
		dst = appendField(dst, "Sec-WebSocket-Protocol", a.Subprotocol)
	}
	for i := range a.Header {
		dst = appendField(dst, a.Header[i].Name, a.Header[i].Value)
	}
	return append(dst, "\r\n"...), nil
}

// AcceptKey appends to dst the value of Sec-WebSocket-Accept that answers the key, 28 octets: the base64 of the SHA-1 of
// key and GUID (RFC 6455 §4.2.2, 5.4). SHA-1 is no secret here; it shows that the server has understood.
func AcceptKey(dst, key []byte) []byte {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	var onStack [24 + len(guid)]byte
	sum := sha1.Sum(append(append(onStack[:0], key...), guid...))
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// problem says why a field cannot be part of an answer, or "".
func (f *Field) problem() string {
	const reserved = "sec-websocket-"
	switch {
	case f.Name == "" || run([]byte(f.Name), isToken) != len(f.Name):
		return "a name is a token, RFC 9110 §5.1"
	case fold(f.Name, "upgrade"), fold(f.Name, "connection"), fold(f.Name, "content-length"), fold(f.Name, "transfer-encoding"),
		len(f.Name) >= len(reserved) && fold(f.Name[:len(reserved)], reserved):
		return "this one is the handshake's own"
	}
	for i := range len(f.Value) {
		if c := f.Value[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return "the value holds a control character" // CR and LF would begin another header, or another message
		}
	}
	return ""
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

func quoted(s string) string { return strconv.Quote(s) }
