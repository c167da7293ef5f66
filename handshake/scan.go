package handshake

import (
	"bytes"
	"iter"
)

// greatestLimit keeps offsets within 32 bits.
const greatestLimit = 1 << 30

// A scanner finds the lines of a head as it arrives, for either role. Of octets and lines it holds offsets only. Its faults
// are the server's; the client's side has its own words for them.
type scanner struct {
	maxHead    uint32 // 0: the default
	maxHeaders uint32 // 0: the default
	pos        uint32 // octets before it have been scanned
	line       uint32 // start of the line that pos is in
	headers    uint32 // header lines so far
	whole      bool   // pos is the end of the head
}

func (s *scanner) limit(l Limits) {
	s.maxHead, s.maxHeaders = bounded(l.MaxHead), bounded(l.MaxHeaders)
}

func bounded(n int) uint32 { return uint32(max(0, min(n, greatestLimit))) }

func (s *scanner) mustGrow(head []byte) {
	if len(head) < int(s.pos) {
		panic("handshake: Next was given fewer octets than before: give the head from its first octet on, or Reset")
	}
}

// next looks for the end of the line from pos on. It returns the line, head[start:end], with line and pos behind its CRLF; or
// end < 0 if it is not complete, with pos where the next call goes on.
func (s *scanner) next(head []byte) (start, end int, fault *Refusal) {
	limit := int(s.maxHead)
	if limit == 0 {
		limit = DefaultMaxHead
	}
	in := head[:min(len(head), limit)] // what lies beyond the limit must not decide anything
	i := int(s.pos)
	for {
		i += printable(in[i:])
		switch {
		case i == len(in), in[i] == '\r' && i+1 == len(in): // what a CR is depends on the next octet
			s.pos = uint32(i)
			if len(in) == limit {
				return 0, -1, ErrHeadTooLarge
			}
			return 0, -1, nil
		case in[i] == '\t':
			i++ // a matter for whoever parses the line
		case in[i] == '\n':
			return 0, -1, ErrBareLF
		case in[i] != '\r':
			return 0, -1, ErrControl
		case in[i+1] != '\n':
			return 0, -1, ErrBareCR
		default:
			start = int(s.line)
			s.pos = uint32(i + 2)
			s.line = s.pos
			return start, i, nil
		}
	}
}

// header splits the header line in[start:end].
func (s *scanner) header(in []byte, start, end int) (name []byte, value span, fault *Refusal) {
	limit := s.maxHeaders
	if limit == 0 {
		limit = DefaultMaxHeaders
	}
	if s.headers++; s.headers > limit {
		return nil, span{}, ErrTooManyHeaders
	}
	line := in[start:end]
	colon := run(line, isToken)
	switch {
	case isBlank(line[0]):
		return nil, span{}, ErrFolding
	case colon == 0 || colon == len(line):
		return nil, span{}, ErrHeader
	case line[colon] != ':':
		if rest := trimLeft(line[colon:]); len(rest) > 0 && rest[0] == ':' {
			return nil, span{}, ErrSpaceBeforeColon
		}
		return nil, span{}, ErrHeader
	}
	at := start + colon + 1
	for at < end && isBlank(in[at]) {
		at++
	}
	for at < end && isBlank(in[end-1]) {
		end--
	}
	return line[:colon], span{uint32(at), uint32(end)}, nil
}

// A span is a piece of the head. One that starts at 0 is missing, but for the method, which nothing precedes.
type span struct{ at, end uint32 }

func (s span) of(head []byte) []byte {
	if s.end == 0 {
		return nil
	}
	return head[s.at:s.end:s.end]
}

// once notes a header that may come only once.
func (s *saw) once(header *span, value span, twice saw) {
	if header.end != 0 {
		*s |= twice
		return
	}
	*header = value
}

// framing tells whether a header announces a body.
func framing(name, value []byte) saw {
	if fold(name, "transfer-encoding") || fold(name, "content-length") && string(value) != "0" {
		return body
	}
	return 0
}

// A message is the view of a head that requests and responses have in common.
type message struct {
	head []byte // nil, or a whole head whose octets have been checked
}

// Head is the whole head, from its first line to the empty line.
// The octets are lent: they alias the input and are valid only until the input's memory is reused.
func (m *message) Head() []byte { return m.head }

// Header returns the first value of the header of that name, which is compared without case; nil if there is none. A
// value has no white space around it, and may be empty.
// The octets are lent: they alias the input and are valid only until the input's memory is reused.
func (m *message) Header(name string) []byte {
	for l := m.lines(); l.next(); {
		if fold(l.name, name) {
			return l.value
		}
	}
	return nil
}

// Headers yields name and value of every header line in its order, names as they were sent, values without white space
// around them.
// The octets are lent: they alias the input and are valid only until the input's memory is reused.
func (m *message) Headers() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for l := m.lines(); l.next(); {
			if !yield(l.name, l.value) {
				return
			}
		}
	}
}

// lines walks the header lines of a head that has been checked.
type lines struct{ rest, name, value []byte }

func (m *message) lines() lines {
	return lines{rest: m.head[bytes.IndexByte(m.head, '\n')+1:]} // no head: -1+1
}

func (l *lines) next() bool {
	colon := bytes.IndexByte(l.rest, ':')
	end := bytes.IndexByte(l.rest, '\r')
	if end <= 0 {
		return false
	}
	l.name, l.value, l.rest = l.rest[:colon:colon], trim(l.rest[colon+1:end]), l.rest[end+2:]
	return true
}
