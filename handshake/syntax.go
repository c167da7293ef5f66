package handshake

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Classes of octets.
const (
	isToken  = 1 << iota // RFC 9110 §5.6.2; the same set as the token of RFC 2616 that RFC 6455 names
	isName               // of a host: RFC 3986 §3.2.2 reg-name, escapes apart
	isPath               // RFC 3986 §3.3, and what browsers send
	isQuery              // RFC 3986 §3.4, and what browsers send
	isHex                // RFC 5234 HEXDIG, of either case
	isBase64             // RFC 4648 §4, padding apart
	isBlanks             // RFC 9110 §5.6.3: white space inside a line
)

var class = func() (t [256]uint8) {
	const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	const name = alphanumeric + "-._~" + "!$&'()*+,;="
	const path = name + ":@/%" + "[]|^"
	for bit, set := range [...]string{
		alphanumeric + "!#$%&'*+-.^_`|~", name, path, path + "?" + "\\{}`", "0123456789abcdefABCDEF", alphanumeric + "+/", " \t",
	} {
		for _, c := range []byte(set) {
			t[c] |= 1 << bit
		}
	}
	return t
}()

// run counts the octets at b's start that are of the class.
func run(b []byte, of uint8) int {
	for i, c := range b {
		if class[c]&of == 0 {
			return i
		}
	}
	return len(b)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
func isDigit(c byte) bool { return c-'0' < 10 }

// printable counts the octets at b's start that are neither control characters (tab among them) nor DEL. It takes
// eight at once: a borrow sets the top bit of each octet below 0x20, and of each that was 0x7F before the XOR. A borrow may
// run on and set further ones, above the lowest, which is the one that counts.
func printable(b []byte) int {
	const each, top = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		del := x ^ each*0x7f
		if found := ((x-each*0x20)&^x | (del-each)&^del) & top; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] < 0x20 || b[i] == 0x7f {
			break
		}
	}
	return i
}

func lower(c byte) byte {
	if c-'A' < 26 {
		c += 'a' - 'A'
	}
	return c
}

// fold tells whether a and b are the same but for the case of ASCII letters. It is inlined: most differ in length.
func fold[A, B []byte | string](a A, b B) bool { return len(a) == len(b) && foldSameLength(a, b) }

func foldSameLength[A, B []byte | string](a A, b B) bool {
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func trimLeft(b []byte) []byte { return b[run(b, isBlanks):] }

// trim cuts white space off both ends, and the capacity too, as the result may be lent.
func trim(b []byte) []byte {
	b = trimLeft(b)
	n := len(b)
	for n > 0 && isBlank(b[n-1]) {
		n--
	}
	return b[:n:n]
}

// element cuts the first element off a list (RFC 9110 §5.6.1). It is empty between two commas.
func element(list []byte) (first, rest []byte) {
	if i := bytes.IndexByte(list, ','); i >= 0 {
		return trim(list[:i]), list[i+1:]
	}
	return trim(list), nil
}

// list tells whether one of the elements is the token wanted, and whether one is malformed. An element is a token or,
// as in Upgrade (RFC 9110 §7.8), two with a slash between; "websocket/13" is not "websocket".
func list(b []byte, wanted string, found saw) (s saw) {
	var e []byte
	for len(b) > 0 {
		e, b = element(b)
		switch n := run(e, isToken); {
		case fold(e, wanted):
			s |= found
		case n == len(e): // another token, or empty
		case found == websocket && n > 0 && e[n] == '/' && n+1 < len(e) && run(e[n+1:], isToken) == len(e)-n-1:
		default:
			s |= badList
		}
	}
	return s
}

// extensionList parses one line of extensions, RFC 6455 §9.1.
func extensionList(b []byte) (s saw) {
	for {
		b = trimLeft(b)
		if len(b) == 0 {
			return s
		}
		if b[0] != ',' {
			var ok bool
			if b, ok = cutExtension(b); !ok || len(b) > 0 && b[0] != ',' {
				return badExtensions
			}
			s |= extension
			continue
		}
		b = b[1:]
	}
}

// cutExtension cuts token *( ";" token [ "=" ( token | quoted-string ) ] ) off b, and the white space that may follow
// each part ("implied *LWS", RFC 2616 §2.1).
func cutExtension(b []byte) (rest []byte, ok bool) {
	b, ok = cutToken(b)
	for ok && len(b) > 0 && b[0] == ';' {
		if b, ok = cutToken(trimLeft(b[1:])); !ok || len(b) == 0 || b[0] != '=' {
			continue
		}
		if b = trimLeft(b[1:]); len(b) > 0 && b[0] == '"' {
			b, ok = cutQuoted(b[1:])
		} else {
			b, ok = cutToken(b)
		}
	}
	return b, ok
}

func cutToken(b []byte) (rest []byte, ok bool) {
	n := run(b, isToken)
	return trimLeft(b[n:]), n > 0
}

// cutQuoted cuts a quoted-string whose opening quote is gone. Without its escapes it must be a token (RFC 6455 §9.1).
func cutQuoted(b []byte) (rest []byte, ok bool) {
	for n := 0; len(b) > 0; n++ {
		if b[0] == '"' {
			return trimLeft(b[1:]), n > 0
		}
		if b[0] == '\\' {
			b = b[1:]
		}
		if run(b[:min(1, len(b))], isToken) == 0 {
			return nil, false
		}
		b = b[1:]
	}
	return nil, false
}

// validKey tells whether b is what encoding 16 octets yields: of the last digit before the padding four bits are
// unused, and zero.
func validKey(b []byte) bool {
	return len(b) == 24 && run(b, isBase64) == 22 && b[22] == '=' && b[23] == '=' && bytes.IndexByte([]byte("AQgw"), b[21]) >= 0
}

// validPath tells whether b is a path in which each escape is whole.
func validPath(b []byte) bool {
	return run(b, isPath) == len(b) && validEscapes(b)
}

func validEscapes(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '%')
		if i < 0 {
			return true
		}
		if b = b[i+1:]; len(b) < 2 || run(b[:2], isHex) != 2 {
			return false
		}
	}
}

// parseAuthority splits host [ ":" port ], RFC 3986 §3.2 without userinfo. The port is -1 if it is absent or empty.
func parseAuthority(b []byte) (host []byte, port int, ok bool) {
	end := bytes.IndexByte(b, ']') + 1
	if len(b) > 0 && b[0] == '[' {
		if ok = end > 0 && validIPv6(b[1:end-1]); !ok {
			return nil, 0, false
		}
	} else {
		for end = 0; end < len(b) && (class[b[end]]&isName != 0 || b[end] == '%'); end++ {
		}
		if end == 0 || !validEscapes(b[:end]) {
			return nil, 0, false
		}
	}
	host, b = b[:end], b[end:]
	if len(b) == 0 {
		return host, -1, true
	}
	port, ok = parsePort(b[1:])
	return host, port, ok && b[0] == ':'
}

func parsePort(b []byte) (port int, ok bool) {
	if len(b) == 0 {
		return -1, true
	}
	for _, c := range b {
		if !isDigit(c) || port > 65535 {
			return 0, false
		}
		port = port*10 + int(c-'0')
	}
	return port, port <= 65535
}

// validIPv6 holds RFC 3986 §3.2.2 IPv6address against b.
func validIPv6(b []byte) bool {
	groups, elided := 0, false
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		if elided, b = true, b[2:]; len(b) == 0 {
			return true
		}
	}
	for {
		n := run(b, isHex)
		if n < len(b) && b[n] == '.' {
			groups += 2
			if !validIPv4(b) {
				return false
			}
			break
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		if b = b[n:]; len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return false
		}
		if b = b[1:]; b[0] == ':' {
			if elided {
				return false
			}
			if elided, b = true, b[1:]; len(b) == 0 {
				break
			}
		}
	}
	return groups == 8 && !elided || groups < 8 && elided
}

// validIPv4 holds RFC 3986 §3.2.2 IPv4address against b: four numbers to 255 without leading zeros.
func validIPv4(b []byte) bool {
	for part := 1; ; part++ {
		n, v := 0, 0
		for ; n < len(b) && n < 3 && isDigit(b[n]); n++ {
			v = v*10 + int(b[n]-'0')
		}
		if n == 0 || v > 255 || n > 1 && b[0] == '0' {
			return false
		}
		if part == 4 {
			return n == len(b)
		}
		if n == len(b) || b[n] != '.' {
			return false
		}
		b = b[n+1:]
	}
}
