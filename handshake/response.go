package handshake

import (
	"encoding/base64"
	"strconv"
)

// A ResponseReader reads the head of the server's answer as it arrives. It must be Reset before use. It holds offsets, the
// key and the subprotocols: no octets, nor a reference to any.
type ResponseReader struct {
	scanner
	first   uint32 // start of the head: not 0 behind interim answers
	fault   *ResponseError
	offered []string
	key     [16]byte
	marks   answerMarks
}

// Reset makes the ResponseReader ready for the answer to the request that AppendRequest has written with this key. The
// limits are those of the answer's head, interim answers included. It keeps the slice Subprotocols, which must not change
// until the next Reset, and nothing else of req.
func (r *ResponseReader) Reset(req *ClientRequest, key [16]byte, l Limits) {
	*r = ResponseReader{offered: req.Subprotocols, key: key}
	r.limit(l)
}

// Next is given the head's octets from its first one on: all received so far, not only the new ones, wherever they lie
// by now. It looks at each octet once as it arrives and once more when its line is complete, however many calls that
// takes, so that a head sent octet by octet costs no more than linear time.
//
// It returns
//
//   - n == 0, err == nil: the head is not complete; call again with more;
//   - n > 0, err == nil: head[:n] has opened the connection; head[n:] are the server's first frames;
//   - n == 0, err != nil: the octets are not those of a head, or too many;
//   - n > 0, err != nil: head[:n] is a head, but does not open the connection, and res is a view of it all the same: of a
//     redirect, a 401 or a 426 (ResponseStatus), behind which head[n:] may be a body.
//
// Every error is a *ResponseError, after which the connection is of no more use to WebSocket: close it (RFC 6455 §4.1). Error
// and success are permanent: later calls repeat them until Reset.
// The octets are lent: they alias the input and are valid only until the input's memory is reused.
//
// Interim answers, whose status is 1xx but not 101, are passed over (RFC 9110 §15.2): n counts them, the view does not show
// them. Next panics if head is shorter than it was before.
func (r *ResponseReader) Next(head []byte) (res Response, n int, err error) {
	r.mustGrow(head)
	if r.fault == nil && !r.whole {
		r.fault = r.read(head)
	}
	if r.whole {
		n = int(r.pos)
		res = Response{message{head[r.first:n:n]}, int(r.marks.status)}
	}
	if r.fault != nil {
		err = r.fault
	}
	return res, n, err
}

// read takes the lines that have become complete.
func (r *ResponseReader) read(head []byte) *ResponseError {
	for {
		start, end, fault := r.next(head)
		switch {
		case fault != nil:
			return responseFaults[fault]
		case end < 0:
			return nil
		case start == int(r.first):
			if fault := r.marks.statusLine(head[start:end]); fault != nil {
				return fault
			}
		case start != end:
			name, value, fault := r.header(head, start, end)
			if fault != nil {
				return responseFaults[fault]
			}
			r.marks.note(head, name, value)
		case r.marks.interim():
			r.first, r.marks = r.pos, answerMarks{}
		default:
			r.whole = true
			return r.verdict(head[:r.pos])
		}
	}
}

// A Response is a view of an answer's head. What its methods return aliases the head given to Next:
// The octets are lent: they alias the input and are valid only until the input's memory is reused.
// The zero Response is one of which everything is missing.
type Response struct {
	message
	status int
}

// Status is the status code: 101 if Next returned no error.
func (r *Response) Status() int { return r.status }

// Subprotocol is the subprotocol that the server has chosen, one of those offered if Next returned no error; nil if it has
// chosen none, which it may (RFC 6455 §4.2.2, 5): whoever cannot do without one closes the connection.
// The octets are lent: they alias the input and are valid only until the input's memory is reused.
func (r *Response) Subprotocol() []byte { return r.Header("Sec-WebSocket-Protocol") }

// answerMarks is what the ResponseReader notes of the lines it has seen.
type answerMarks struct {
	upgrade, accept, protocol span
	status                    uint16
	saw                       saw
}

// statusLine parses the first line, RFC 9112 §4: HTTP-version SP status-code SP [ reason-phrase ].
func (m *answerMarks) statusLine(b []byte) *ResponseError {
	if len(b) < 13 || string(b[:5]) != "HTTP/" || !isDigit(b[5]) || b[6] != '.' || !isDigit(b[7]) || b[8] != ' ' ||
		!isDigit(b[9]) || !isDigit(b[10]) || !isDigit(b[11]) || b[12] != ' ' {
		return errStatusLine
	}
	if b[5] != '1' {
		return errResponseMajor
	}
	if b[7] != '1' {
		m.saw |= otherVersion // told at the end: the status says more
	}
	m.status = uint16(b[9]-'0')*100 + uint16(b[10]-'0')*10 + uint16(b[11]-'0')
	return nil
}

// note takes what a header line tells about the handshake.
func (m *answerMarks) note(in, name []byte, value span) {
	v := in[value.at:value.end]
	switch {
	case fold(name, "upgrade"):
		m.saw.once(&m.upgrade, value, upgradeTwice)
	case fold(name, "connection"):
		m.saw |= list(v, "upgrade", connection)
	case fold(name, "sec-websocket-accept"):
		m.saw.once(&m.accept, value, acceptTwice)
	case fold(name, "sec-websocket-protocol"):
		m.saw.once(&m.protocol, value, protocolTwice)
	case fold(name, "sec-websocket-extensions"):
		m.saw |= extensions
	default:
		m.saw |= framing(name, v)
	}
}

// interim tells whether another head follows. With a body, or of HTTP/1.0, which has no such answers, it is for the verdict.
func (m *answerMarks) interim() bool {
	return m.status/100 == 1 && m.status != 101 && m.saw&(body|otherVersion) == 0
}

// verdict judges the whole head, in the order that the package's documentation gives.
func (r *ResponseReader) verdict(head []byte) *ResponseError {
	m := &r.marks
	has := func(s saw) bool { return m.saw&s != 0 }
	switch upgrade := m.upgrade.of(head); {
	case m.status/100 == 1 && has(body):
		return &ResponseError{ResponseBody, int(m.status), bodyReason}
	case m.status != 101:
		return &ResponseError{ResponseStatus, int(m.status), statusReason}
	case has(otherVersion):
		return errResponseMinor
	case upgrade == nil:
		return errUpgradeMissing
	case has(upgradeTwice):
		return errUpgradeTwice
	case !fold(upgrade, "websocket"):
		return errUpgradeOther
	case has(badList):
		return errConnectionList
	case !has(connection):
		return errConnectionMissing
	}
	var key, want [28]byte
	AcceptKey(want[:0], base64.StdEncoding.AppendEncode(key[:0], r.key[:]))
	switch accept := m.accept.of(head); {
	case accept == nil:
		return errAcceptMissing
	case has(acceptTwice):
		return errAcceptTwice
	case string(accept) != string(want[:]):
		return errAccept
	case has(extensions):
		return errResponseExtensions
	case has(protocolTwice):
		return errSubprotocolTwice
	}
	protocol := m.protocol.of(head)
	for _, s := range r.offered {
		if string(protocol) == s {
			return nil
		}
	}
	if protocol != nil {
		return errSubprotocol
	}
	return nil
}

// A ResponseError says why the server's answer does not open the connection. Those with the same Kind and Status may differ
// in their Reason. They must not be changed.
type ResponseError struct {
	Kind   ResponseKind // for counters
	Status int          // the answer's status code; 0 if its octets are not those of a head
	Reason string       // the fault, the rule that it breaks, the remedy
}

// Error returns status and reason.
func (e *ResponseError) Error() string {
	if e.Status == 0 {
		return "handshake: the server's answer: " + e.Reason
	}
	return "handshake: the server answered " + strconv.Itoa(e.Status) + ": " + e.Reason
}

// A ResponseKind is a kind of ResponseError. Kinds are numbered from 0 to NumResponseKinds-1, so that an array can count
// them.
type ResponseKind uint8

// The kinds.
const (
	ResponseStatus         ResponseKind = iota // a status other than 101
	ResponseStatusLine                         // malformed
	ResponseHTTPVersion                        // other than 1.1
	ResponseControl                            // bare CR, bare LF, other control characters
	ResponseHeader                             // a header line that is malformed
	ResponseHeadTooLarge                       // more octets than Limits.MaxHead
	ResponseTooManyHeaders                     // more lines than Limits.MaxHeaders
	ResponseBody                               // a body announced where there can be none
	ResponseUpgrade                            // missing, doubled or not websocket
	ResponseConnection                         // malformed or without upgrade
	ResponseAccept                             // missing, doubled or not the answer to the key
	ResponseExtensions                         // an extension, of which none was offered
	ResponseSubprotocol                        // doubled or not offered

	NumResponseKinds = iota
)

var responseKindNames = [NumResponseKinds]string{
	"status", "status line", "http version", "control character", "malformed header", "head too large", "too many headers",
	"body", "upgrade", "connection", "accept", "extensions", "subprotocol",
}

// String returns the kind in a word or two.
func (k ResponseKind) String() string {
	if int(k) < len(responseKindNames) {
		return responseKindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// The reasons of errors that are made when they are needed, because the status is not always the same.
const (
	statusReason = "it does not switch protocols, for which 101 is needed (RFC 6455 §4.1): see what its header, such as Location or WWW-Authenticate, and its body ask for"
	bodyReason   = "it announces a body, which a status of 1xx cannot have (RFC 9110 §15.2): have the server send neither Transfer-Encoding nor a Content-Length other than 0"
)

// responseFaults are the scanner's faults in the words of this side.
var responseFaults = map[*Refusal]*ResponseError{
	ErrControl:          {ResponseControl, 0, "the head has a control character (RFC 9110 §5.5): have the server send none but CRLF and tabs"},
	ErrBareCR:           {ResponseControl, 0, "the head has a CR without LF (RFC 9112 §2.2): have the server end each line with CRLF"},
	ErrBareLF:           {ResponseControl, 0, "the head has an LF without CR (RFC 9112 §2.2): have the server end each line with CRLF"},
	ErrHeader:           {ResponseHeader, 0, "a header line is not a name, a colon and a value (RFC 9112 §5): have the server send such lines"},
	ErrFolding:          {ResponseHeader, 0, "a header line begins with white space (RFC 9112 §5.2): have the server send each header on one line"},
	ErrSpaceBeforeColon: {ResponseHeader, 0, "a header has white space before its colon (RFC 9112 §5.1): have the server send the colon after the name"},
	ErrHeadTooLarge:     {ResponseHeadTooLarge, 0, "the head is larger than Limits.MaxHead: have the server send less, or raise the limit"},
	ErrTooManyHeaders:   {ResponseTooManyHeaders, 0, "the head has more header lines than Limits.MaxHeaders: have the server send fewer, or raise the limit"},
}

// Faults of the status line.
var (
	errStatusLine    = &ResponseError{ResponseStatusLine, 0, "the first line is not version, status and phrase with one space between (RFC 9112 §4): see that an HTTP server without TLS listens there"}
	errResponseMajor = &ResponseError{ResponseHTTPVersion, 0, "the version is not HTTP/1.1 (RFC 6455 §4.1): have the server or the proxy speak that"}
)

// Faults of an answer that switches protocols.
var (
	errResponseMinor      = &ResponseError{ResponseHTTPVersion, 101, "the version is not HTTP/1.1 (RFC 6455 §4.2.2, 5): have the server or the proxy speak that"}
	errUpgradeMissing     = &ResponseError{ResponseUpgrade, 101, "there is no Upgrade header (RFC 6455 §4.1): have the server or the proxy send Upgrade: websocket"}
	errUpgradeTwice       = &ResponseError{ResponseUpgrade, 101, "there is more than one Upgrade header (RFC 6455 §4.1): have the server send one, Upgrade: websocket"}
	errUpgradeOther       = &ResponseError{ResponseUpgrade, 101, "the Upgrade header does not say websocket and nothing else (RFC 6455 §4.1): have the server send Upgrade: websocket"}
	errConnectionList     = &ResponseError{ResponseConnection, 101, "the Connection header is not a list of tokens (RFC 9110 §7.6.1): have the server send Connection: Upgrade"}
	errConnectionMissing  = &ResponseError{ResponseConnection, 101, "no Connection header names upgrade (RFC 6455 §4.1): have the server or the proxy send Connection: Upgrade"}
	errAcceptMissing      = &ResponseError{ResponseAccept, 101, "there is no Sec-WebSocket-Accept header (RFC 6455 §4.1): see that a WebSocket server listens there"}
	errAcceptTwice        = &ResponseError{ResponseAccept, 101, "there is more than one Sec-WebSocket-Accept header (RFC 6455 §11.3.3): have the server send one"}
	errAccept             = &ResponseError{ResponseAccept, 101, "Sec-WebSocket-Accept does not answer the key (RFC 6455 §4.1): see that no cache answers, and that the key given to Reset is the one sent"}
	errResponseExtensions = &ResponseError{ResponseExtensions, 101, "there is a Sec-WebSocket-Extensions header, but none was offered (RFC 6455 §4.1): have the server leave it out"}
	errSubprotocolTwice   = &ResponseError{ResponseSubprotocol, 101, "there is more than one Sec-WebSocket-Protocol header (RFC 6455 §11.3.4): have the server send one, or none"}
	errSubprotocol        = &ResponseError{ResponseSubprotocol, 101, "the subprotocol is not one of those offered (RFC 6455 §4.1): have the server choose one of these, to the letter, or none"}
)
