package handshake

import (
	"bytes"
	"iter"
)

// A Request is a view of a request's head. What its methods return aliases the head given to Next:
// The octets are lent: they alias the input and are valid only until the input's memory is reused.
// The zero Request is one of which everything is missing.
type Request struct {
	message
	marks marks
}

// Method is the request's method, GET if Next returned no error.
func (r *Request) Method() []byte { return r.marks.method.of(r.head) }

// Target is the request's target as it was sent.
func (r *Request) Target() []byte { return r.marks.target.of(r.head) }

// Path is the target's path with its leading slash, escapes left as they were sent; of an absolute-form without a path
// it is "/" (RFC 6455 §3).
func (r *Request) Path() []byte { return r.marks.path.of(r.head) }

// Query is what follows the target's question mark, escapes left as they were sent; nil without one.
func (r *Request) Query() []byte { return r.marks.query.of(r.head) }

// Host is the value of the Host header: a host and an optional port.
func (r *Request) Host() []byte { return r.marks.host.of(r.head) }

// Origin is the value of the Origin header (RFC 6454); nil without one, as with clients that are not browsers.
func (r *Request) Origin() []byte { return r.marks.origin.of(r.head) }

// Key is the value of Sec-WebSocket-Key: base64, 24 octets.
func (r *Request) Key() []byte { return r.marks.key.of(r.head) }

// Subprotocols yields the subprotocols that the client offers, in its order of preference (RFC 6455 §11.3.4).
// The octets are lent: they alias the input and are valid only until the input's memory is reused.
func (r *Request) Subprotocols() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for o := r.offers(); o.next(); {
			if !yield(o.token) {
				return
			}
		}
	}
}

// SelectSubprotocol returns the first subprotocol in the client's order that is among supported, or "" if none is. Case
// counts (RFC 6455 §11.5). What it returns is an element of supported, not a piece of the head.
func (r *Request) SelectSubprotocol(supported []string) string {
	for o := r.offers(); o.next(); {
		for _, s := range supported {
			if string(o.token) == s {
				return s
			}
		}
	}
	return ""
}

// marks is what the Reader notes of the lines it has seen, and all that the Request knows beyond the octets.
type marks struct {
	method, target, path, query span
	authority                   span // of an absolute-form
	host, origin, key           span
	protocol                    uint32 // where the first line of subprotocols starts
	saw                         saw
}

// saw is a set of facts about the lines so far.
type saw uint32

const (
	badTarget saw = 1 << iota
	body
	hostTwice
	badList
	upgrade    // an Upgrade header, whatever it says
	websocket  // an element of Upgrade
	connection // the element upgrade in Connection
	version
	version13
	versionTwice
	keyTwice
	originTwice
	extensions // a header, whatever it says
	extension  // a well-formed element
	badExtensions
	accepted // the verdict: nothing to refuse

	// What only an answer can have.
	otherVersion // of HTTP, but with the same major number
	upgradeTwice
	acceptTwice
	protocolTwice
)

// requestLine parses the first line, RFC 9112 §3: method SP request-target SP HTTP-version.
func (m *marks) requestLine(line []byte) *Refusal {
	first := bytes.IndexByte(line, ' ')
	last := bytes.LastIndexByte(line, ' ')
	if first <= 0 || run(line, isToken) != first || last-first < 2 || bytes.IndexByte(line[first+1:last], ' ') >= 0 {
		return ErrRequestLine
	}
	if v := line[last+1:]; string(v) != "HTTP/1.1" {
		if len(v) == 8 && string(v[:5]) == "HTTP/" && isDigit(v[5]) && v[6] == '.' && isDigit(v[7]) {
			return ErrHTTPVersion
		}
		return ErrRequestLine
	}
	m.method = span{0, uint32(first)}
	m.target = span{uint32(first + 1), uint32(last)}
	target := line[first+1 : last]
	if run(target, isQuery) != len(target) {
		return ErrTarget
	}
	if !m.splitTarget(target) {
		m.saw |= badTarget // told at the end, after the method: OPTIONS * and CONNECT are not malformed
	}
	return nil
}

// splitTarget notes authority, path and query of an origin-form or absolute-form (RFC 9112 §3.2.1, §3.2.2).
func (m *marks) splitTarget(target []byte) bool {
	at := 0
	if target[0] != '/' {
		scheme := bytes.Index(target, []byte("://"))
		if scheme < 0 || !fold(target[:scheme], "http") && !fold(target[:scheme], "https") {
			return false
		}
		at = scheme + 3
		n := bytes.IndexAny(target[at:], "/?")
		if n < 0 {
			n = len(target) - at
		}
		if _, _, ok := parseAuthority(target[at : at+n]); !ok {
			return false
		}
		m.authority = m.target.sub(at, at+n)
		at += n
	}
	end := len(target)
	if q := bytes.IndexByte(target[at:], '?'); q >= 0 {
		end = at + q
		m.query = m.target.sub(end+1, len(target))
	}
	m.path = m.target.sub(at, end)
	if at == end {
		m.path = m.target.sub(bytes.IndexByte(target, '/'), bytes.IndexByte(target, '/')+1) // borrows a slash of "://"
	}
	return validPath(target[at:end])
}

func (s span) sub(from, to int) span { return span{s.at + uint32(from), s.at + uint32(to)} }

// note takes what a header line that starts at line tells about the handshake.
func (m *marks) note(in []byte, line uint32, name []byte, value span) {
	v := in[value.at:value.end]
	switch {
	case fold(name, "host"):
		m.saw.once(&m.host, value, hostTwice)
	case fold(name, "origin"):
		m.saw.once(&m.origin, value, originTwice)
	case fold(name, "sec-websocket-key"):
		m.saw.once(&m.key, value, keyTwice)
	case fold(name, "sec-websocket-version"):
		if m.saw&version != 0 {
			m.saw |= versionTwice
		}
		if m.saw |= version; string(v) == "13" {
			m.saw |= version13
		}
	case fold(name, "upgrade"):
		m.saw |= upgrade | list(v, "websocket", websocket)
	case fold(name, "connection"):
		m.saw |= list(v, "upgrade", connection)
	case fold(name, "sec-websocket-extensions"):
		m.saw |= extensions | extensionList(v)
	case fold(name, "sec-websocket-protocol"):
		if m.protocol == 0 {
			m.protocol = line
		}
	default:
		m.saw |= framing(name, v)
	}
}

// verdict judges the whole head, in the order that the package's documentation gives.
func (m *marks) verdict(head []byte) *Refusal {
	missing := func(s saw) bool { return m.saw&s == 0 }
	has := func(s saw) bool { return m.saw&s != 0 }
	key := m.key.of(head)
	switch method := m.method.of(head); {
	case string(method) == "HEAD":
		return errMethodHEAD
	case string(method) != "GET":
		return ErrMethod
	case has(badTarget):
		return ErrTarget
	case has(body):
		return ErrBody
	}
	if fault := m.hostVerdict(head); fault != nil {
		return fault
	}
	switch {
	case has(badList):
		return ErrList
	case missing(upgrade):
		return ErrPlainRequest
	case missing(websocket):
		return ErrUpgrade
	case missing(connection):
		return ErrConnection
	case has(versionTwice):
		return ErrVersionTwice
	case missing(version13):
		return ErrVersion
	case key == nil:
		return ErrKeyMissing
	case has(keyTwice):
		return ErrKeyTwice
	case !validKey(key):
		return ErrKey
	case has(originTwice):
		return ErrOriginTwice
	case has(badExtensions) || has(extensions) && missing(extension):
		return ErrExtensions
	}
	if fault := m.offersVerdict(head); fault != nil {
		return fault
	}
	m.saw |= accepted
	return nil
}

// hostVerdict holds RFC 9112 §3.2 against the Host header.
func (m *marks) hostVerdict(head []byte) *Refusal {
	host := m.host.of(head)
	if host == nil {
		return ErrHostMissing
	}
	if m.saw&hostTwice != 0 {
		return ErrHostTwice
	}
	if _, _, ok := parseAuthority(host); !ok {
		return ErrHost
	}
	if authority := m.authority.of(head); authority != nil && !fold(authority, host) {
		return ErrHostDisagrees
	}
	return nil
}

// offersVerdict holds RFC 6455 §4.1, 10 against the subprotocols: at least one if there is a header, tokens, distinct.
func (m *marks) offersVerdict(head []byte) *Refusal {
	if m.protocol == 0 {
		return nil
	}
	var seen [MaxSubprotocols][]byte
	n := 0
	r := Request{message{head}, *m}
	for o := r.offers(); o.next(); n++ {
		if run(o.token, isToken) != len(o.token) {
			return ErrSubprotocols
		}
		if n == len(seen) {
			return ErrTooManySubprotocols
		}
		for _, s := range seen[:n] {
			if bytes.Equal(s, o.token) {
				return ErrSubprotocols
			}
		}
		seen[n] = o.token
	}
	if n == 0 {
		return ErrSubprotocols
	}
	return nil
}

// offers walks the elements of all lines of subprotocols, and skips empty ones.
type offers struct {
	lines lines
	list  []byte
	token []byte
}

func (r *Request) offers() offers {
	if r.marks.protocol == 0 {
		return offers{}
	}
	return offers{lines: lines{rest: r.head[r.marks.protocol:]}}
}

func (o *offers) next() bool {
	for {
		for len(o.list) > 0 {
			if o.token, o.list = element(o.list); len(o.token) > 0 {
				return true
			}
		}
		if !o.lines.next() {
			return false
		}
		if fold(o.lines.name, "sec-websocket-protocol") {
			o.list = o.lines.value
		}
	}
}
