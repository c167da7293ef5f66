// Package handshake is the opening handshake of RFC 6455 §4 without a socket: octets in, a decision out, octets
// out. It does no input or output, knows no clock, keeps no buffer, and on its usual path allocates nothing.
//
// A [Reader] takes the head of one HTTP/1.1 request as it arrives and returns either a [Request], which is a view
// of it, or a [*Refusal], which is the status to answer with and why. [Origins] decides who may connect,
// [AppendAccept] writes the answer that switches protocols, [AppendRefusal] the one that does not.
//
// A refusal ends the connection: whoever sends it closes afterwards, so that no second request can hide behind the
// first. The octets after an accepted head are frames already, and are never touched here.
//
// # What is accepted
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
// # Which fault is told
//
// What is wrong with the octets is told first, in their order, as soon as the octet or the line that shows it is there;
// the limits count among these. What is wrong with the request as a whole is told at the end of its head, and of
// several faults the first of: method, target, body, Host, malformed Upgrade or Connection, Upgrade, Connection,
// version, key, Origin, extensions, subprotocols. How the octets were cut on their way makes no difference.
package handshake

// Defaults of [Limits].
const (
	DefaultMaxHead    = 8192
	DefaultMaxHeaders = 100
)

// MaxSubprotocols bounds the subprotocols that one request may offer: that they are distinct is found out by comparing
// each with each.
const MaxSubprotocols = 64

// greatestLimit keeps offsets within 32 bits.
const greatestLimit = 1 << 30

// Limits of a request's head. Zero or less means the default; more than 1<<30 means 1<<30.
type Limits struct {
	MaxHead    int // octets of the whole head with the empty line at its end; default DefaultMaxHead
	MaxHeaders int // header lines, the request line not counted; default DefaultMaxHeaders
}

// A Reader reads the head of one request as it arrives. The zero Reader has the default limits. It holds offsets only:
// neither octets nor a reference to any.
type Reader struct {
	maxHead    uint32 // 0: the default
	maxHeaders uint32 // 0: the default
	pos        uint32 // octets before it have been scanned
	line       uint32 // start of the line that pos is in
	headers    uint32 // header lines so far
	whole      bool   // pos is the end of the head
	fault      *Refusal
	marks      marks
}

// Reset makes the Reader ready for another request.
func (r *Reader) Reset(l Limits) {
	*r = Reader{maxHead: bounded(l.MaxHead), maxHeaders: bounded(l.MaxHeaders)}
}

func bounded(n int) uint32 { return uint32(max(0, min(n, greatestLimit))) }

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
	if len(head) < int(r.pos) {
		panic("handshake: Reader.Next was given fewer octets than before: give the head from its first octet on, or Reset")
	}
	if r.fault == nil && !r.whole {
		r.fault = r.read(head)
	}
	if r.whole {
		n = int(r.pos)
		req = Request{head: head[:n:n], marks: r.marks}
	}
	if r.fault != nil {
		err = r.fault
	}
	return req, n, err
}

// read takes the lines that have become complete.
func (r *Reader) read(head []byte) *Refusal {
	limit := int(r.maxHead)
	if limit == 0 {
		limit = DefaultMaxHead
	}
	in := head[:min(len(head), limit)] // what lies beyond the limit must not decide anything
	for {
		end, fault := r.scan(in)
		if fault != nil {
			return fault
		}
		if end < 0 {
			break
		}
		start := r.line
		r.line = r.pos
		switch {
		case start == 0:
			fault = r.marks.requestLine(in[:end])
		case int(start) == end:
			r.whole = true
			return r.marks.verdict(in)
		default:
			fault = r.header(in, int(start), end)
		}
		if fault != nil {
			return fault
		}
	}
	if len(in) == limit {
		return ErrHeadTooLarge
	}
	return nil
}

// scan looks for the end of the line from pos on. It returns the offset of the CR that ends it, with pos behind the
// LF; or -1 if the line is not complete, with pos where the next call goes on.
func (r *Reader) scan(in []byte) (end int, fault *Refusal) {
	i := int(r.pos)
	for {
		i += printable(in[i:])
		switch {
		case i == len(in):
			r.pos = uint32(i)
			return -1, nil
		case in[i] == '\t':
			i++ // a matter for whoever parses the line
		case in[i] == '\n':
			return -1, ErrBareLF
		case in[i] != '\r':
			return -1, ErrControl
		case i+1 == len(in):
			r.pos = uint32(i) // what the CR is depends on the next octet
			return -1, nil
		case in[i+1] != '\n':
			return -1, ErrBareCR
		default:
			r.pos = uint32(i + 2)
			return i, nil
		}
	}
}

// header parses the header line in[start:end].
func (r *Reader) header(in []byte, start, end int) *Refusal {
	limit := r.maxHeaders
	if limit == 0 {
		limit = DefaultMaxHeaders
	}
	if r.headers++; r.headers > limit {
		return ErrTooManyHeaders
	}
	line := in[start:end]
	colon := run(line, isToken)
	switch {
	case isBlank(line[0]):
		return ErrFolding
	case colon == 0 || colon == len(line):
		return ErrHeader
	case line[colon] != ':':
		if rest := trimLeft(line[colon:]); len(rest) > 0 && rest[0] == ':' {
			return ErrSpaceBeforeColon
		}
		return ErrHeader
	}
	value := span{uint32(start + colon + 1), uint32(end)}
	for value.at < value.end && isBlank(in[value.at]) {
		value.at++
	}
	for value.at < value.end && isBlank(in[value.end-1]) {
		value.end--
	}
	r.marks.note(in, uint32(start), line[:colon], value)
	return nil
}
