// Package handshake is the opening handshake of RFC 6455 §4 without a socket: octets in, a decision out, octets
// out. It does no input or output, knows no clock, keeps no buffer, and on its usual path allocates nothing.
//
// A [Reader] takes the head of one HTTP/1.1 request as it arrives and returns either a [Request], which is a view
// of it, or a [*Refusal], which is the status to answer with and why. [Origins] decides who may connect,
// [AppendAccept] writes the answer that switches protocols, [AppendRefusal] the one that does not.
//
// For a client [AppendRequest] writes the request, and a [ResponseReader] takes the head of the answer and returns a
// [Response], which is a view of it, and, if it does not open the connection, a [*ResponseError].
//
// A refusal ends the connection: whoever sends it closes afterwards, so that no second request can hide behind the
// first. The octets after an accepted head are frames already, and are never touched here.
//
// # Which requests are accepted
//
// What RFC 9112 and RFC 6455 allow, and nothing else, with these decisions where they leave one:
//
//   - Lines end in CRLF. A bare CR or LF, any control character but a tab inside a value, a folded line, white space
//     before a colon, and an empty line ahead of the request are refused (RFC 9112 §2.2, §5).
//   - The target is origin-form, or absolute-form with http or https (RFC 6455 §4.1, 2). The authority of an
//     absolute-form must equal Host but for case: RFC 9112 §3.2 has clients send it so, and then it makes no
//     difference which of the two is believed.
//   - A target may hold, beyond RFC 3986, what browsers leave as it is (the WHATWG's URL standard): the octets [ ] | ^
//     anywhere, \ { } ` and a lone % in the query. An escape in the path must be whole.
//   - Host is there once, not empty (a ws URI has a host, RFC 6455 §3), and a name, an IPv4 or a bracketed IPv6
//     address, with an optional port up to 65535. IPvFuture, of which no version exists, is refused.
//   - Content-Length is the one digit 0 or absent; Transfer-Encoding is absent: a request to upgrade has no body.
//   - Upgrade and Connection may be spread over several lines and hold other tokens; elements are compared whole and
//     without case. A list that is not one of tokens is refused, empty elements are skipped (RFC 9110 §5.6.1).
//   - The key is 24 octets of canonical base64: 16 octets, padded, the unused bits zero (RFC 4648 §3.5).
//   - Extensions must be well-formed; none is ever accepted here, as declining needs no answer.
//   - Subprotocols are distinct tokens (RFC 6455 §4.1, 10), at most [MaxSubprotocols] of them.
//   - Octets from 0x80 up (obs-text) pass in values and nowhere else.
//
// # Which answers are accepted
//
// Of lines, control characters, white space and obs-text the same holds as for requests. Beyond that (RFC 6455 §4.1):
//
//   - The status line has its two spaces, also without a phrase (RFC 9112 §4), and says HTTP/1.1 and 101.
//   - Upgrade is there once and is websocket and nothing else, but for case: a client asks for nothing else, and the
//     value is to match, where of Connection's tokens one is.
//   - Connection may be spread over several lines and hold other tokens.
//   - Sec-WebSocket-Accept is there once and answers the key to the letter.
//   - Sec-WebSocket-Protocol is absent, or there once and one of the subprotocols offered, to the letter.
//   - Sec-WebSocket-Extensions is absent, even an empty one, as none is ever offered here.
//   - Content-Length is the one digit 0 or absent, Transfer-Encoding is absent.
//   - Interim answers may come before (RFC 9110 §15.2). The limits count them in.
//
// # Which fault is told
//
// What is wrong with the octets is told first, in their order, as soon as the octet or the line that shows it is there;
// the limits count among these. What is wrong with the whole is told at the end of the head, and of several faults the
// first. Of a request these are, in order: method, target, body, Host, malformed Upgrade or Connection, Upgrade,
// Connection, version, key, Origin, extensions, subprotocols. Of an answer: body, status, version, Upgrade, malformed
// Connection, Connection, accept, extensions, subprotocol. How the octets were cut on their way makes no difference.
package handshake

// Defaults of [Limits].
const (
	DefaultMaxHead    = 8192
	DefaultMaxHeaders = 100
)

// MaxSubprotocols bounds the subprotocols that one request may offer: that they are distinct is found out by comparing
// each with each.
const MaxSubprotocols = 64

// Limits of a head. Zero or less means the default; more than 1<<30 means 1<<30.
type Limits struct {
	MaxHead    int // octets of the whole head with the empty line at its end; default DefaultMaxHead
	MaxHeaders int // header lines, the first line not counted; default DefaultMaxHeaders
}

// A Reader reads the head of one request as it arrives. The zero Reader has the default limits. It holds offsets only:
// neither octets nor a reference to any.
type Reader struct {
	scanner
	fault *Refusal
	marks marks
}

// Reset makes the Reader ready for another request.
func (r *Reader) Reset(l Limits) {
	*r = Reader{}
	r.limit(l)
}

// Next is given the head's octets from its first one on: all received so far, not only the new ones, wherever they lie
// by now. It looks at each octet once as it arrives and once more when its line is complete, however many calls that
// takes, so that a head sent octet by octet costs no more than linear time.
//
// It returns
//
//   - n == 0, err == nil: the head is not complete; call again with more;
//   - n > 0, err == nil: head[:n] is a request to accept or refuse; head[n:] are the client's first frames;
//   - n == 0, err != nil: the octets are not those of a head, or too many;
//   - n > 0, err != nil: head[:n] is a head, but not one of a WebSocket request, and req is a view of it all the same,
//     as a server may want to answer plain HTTP ([KindPlainRequest]) by itself. AppendAccept will not accept it.
//
// Every error is a *Refusal. Error and success are permanent: later calls repeat them until Reset.
// The octets are lent: they alias the input and are valid only until the input's memory is reused.
//
// Next panics if head is shorter than it was before.
func (r *Reader) Next(head []byte) (req Request, n int, err error) {
	r.mustGrow(head)
	if r.fault == nil && !r.whole {
		r.fault = r.read(head)
	}
	if r.whole {
		n = int(r.pos)
		req = Request{message{head[:n:n]}, r.marks}
	}
	if r.fault != nil {
		err = r.fault
	}
	return req, n, err
}

// read takes the lines that have become complete.
func (r *Reader) read(head []byte) *Refusal {
	for {
		start, end, fault := r.next(head)
		switch {
		case fault != nil || end < 0:
			return fault
		case start == 0:
			fault = r.marks.requestLine(head[:end])
		case start == end:
			r.whole = true
			return r.marks.verdict(head[:r.pos])
		default:
			var name []byte
			var value span
			if name, value, fault = r.header(head, start, end); fault == nil {
				r.marks.note(head, uint32(start), name, value)
			}
		}
		if fault != nil {
			return fault
		}
	}
}
