package handshake

import (
	"bytes"
	"errors"
)

// Origins says which pages' scripts may connect (RFC 6455 §10.2). A browser lets any page open a WebSocket to any
// server and adds the user's cookies; the Origin header, which a page cannot forge, is the server's only way to tell.
//
// The zero Origins allows the same origin: the Origin's host and port must be those of Host. Its scheme must be http or
// https, and gives the port where one is not written; which of the two this server is reached by cannot be known here,
// as TLS may end in front of it. Where that matters, AllowOrigins says it exactly.
//
// Whatever the policy, a request without Origin passes: it does not come from a browser, and a program can write what
// it likes. Origins is not a substitute for authentication.
type Origins struct {
	any  bool
	list []origin // nil: the same origin
}

// An origin is a triple (RFC 6454 §4), or the opaque one that is written "null", whose scheme is empty here.
type origin struct {
	scheme, host string // compared without case
	port         int    // -1 if none is written and the scheme has no default
}

// AnyOrigin allows every origin, also one that is malformed.
func AnyOrigin() Origins { return Origins{any: true} }

// AllowOrigins allows the origins of the list and no others, not even the same one. Each is scheme://host or
// scheme://host:port as a browser writes it (the page's: http or https, not ws or wss), or "null"; case does not count, and a port
// that is the scheme's default may be written or not. There are no
// wildcards. The error names the first entry that is none of these; an empty list is an error too.
func AllowOrigins(list ...string) (Origins, error) {
	if len(list) == 0 {
		return Origins{}, errors.New("handshake: AllowOrigins without an origin would allow no page at all; the zero Origins allows the same origin")
	}
	o := Origins{list: make([]origin, 0, len(list))}
	for _, entry := range list {
		b := []byte(entry)
		if bytes.IndexByte(b, '*') >= 0 {
			return Origins{}, errors.New("handshake: origin " + quoted(entry) + ": there are no wildcards; list each origin, or use AnyOrigin")
		}
		scheme, host, port, ok := parseOrigin(b)
		if !ok {
			return Origins{}, errors.New("handshake: origin " + quoted(entry) + ": want scheme://host or scheme://host:port in ASCII, without a path or a slash at the end, or null")
		}
		if fold(scheme, "ws") || fold(scheme, "wss") {
			return Origins{}, errors.New("handshake: origin " + quoted(entry) + ": no page has it; list the page's own, http:// or https://")
		}
		o.list = append(o.list, origin{string(scheme), string(host), port})
	}
	return o, nil
}

// Check returns nil if the policy allows the request's origin, ErrOrigin if not. It allocates nothing.
func (o *Origins) Check(req *Request) error {
	b := req.Origin()
	if b == nil || o.any {
		return nil
	}
	scheme, host, port, ok := parseOrigin(b)
	if !ok {
		return ErrOrigin
	}
	if o.list == nil {
		own, ownPort, ok := parseAuthority(req.Host())
		if ownPort < 0 {
			ownPort = defaultPort(scheme)
		}
		if ok && (fold(scheme, "http") || fold(scheme, "https")) && fold(host, own) && port == ownPort {
			return nil
		}
		return ErrOrigin
	}
	for i := range o.list {
		if e := &o.list[i]; fold(scheme, e.scheme) && fold(host, e.host) && port == e.port {
			return nil
		}
	}
	return ErrOrigin
}

// parseOrigin parses a serialized origin, RFC 6454 §6.2. Of "null" all parts are empty and the port is -1.
func parseOrigin(b []byte) (scheme, host []byte, port int, ok bool) {
	if string(b) == "null" {
		return nil, nil, -1, true
	}
	n := 0
	for n < len(b) && b[n] != ':' && class[b[n]]&isName != 0 {
		n++
	}
	if n == 0 || lower(b[0])-'a' >= 26 || len(b)-n < 3 || string(b[n:n+3]) != "://" {
		return nil, nil, 0, false
	}
	for _, c := range b[:n] { // RFC 3986 §3.1
		if lower(c)-'a' >= 26 && !isDigit(c) && c != '+' && c != '-' && c != '.' {
			return nil, nil, 0, false
		}
	}
	scheme = b[:n]
	host, port, ok = parseAuthority(b[n+3:])
	if port < 0 {
		port = defaultPort(scheme)
	}
	return scheme, host, port, ok && b[len(b)-1] != ':' // an empty port is never written
}

func defaultPort(scheme []byte) int {
	switch {
	case fold(scheme, "http"), fold(scheme, "ws"):
		return 80
	case fold(scheme, "https"), fold(scheme, "wss"):
		return 443
	}
	return -1
}
