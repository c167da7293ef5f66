package handshake

import "strconv"

// A Refusal is a peer's fault or an embedder's decision: the status to answer with and why. It is an error that
// AppendRefusal puts into octets. The package's own are compared by identity, as errors.Is does; they must not be changed.
type Refusal struct {
	Status int    // 300 to 599, but not 304, which has no body
	Kind   Kind   // for counters
	Reason string // the text of the answer: names the fault and the remedy

	header []Field
	empty  bool // without a body, as the answer to HEAD is
}

// Refuse makes an embedder's own refusal. The header lines are for statuses that need them: Location for a redirect,
// WWW-Authenticate for 401, Retry-After for 503. AppendRefusal says which are impossible.
func Refuse(status int, reason string, header ...Field) *Refusal {
	return &Refusal{Status: status, Kind: KindRefused, Reason: reason, header: header}
}

// Error returns status and reason.
func (e *Refusal) Error() string {
	return "handshake: refused with " + strconv.Itoa(e.Status) + ": " + e.Reason
}

// Is makes the answer to HEAD, which has no body, an ErrMethod too.
func (e *Refusal) Is(target error) bool { return e == errMethodHEAD && target == ErrMethod }

// A Kind is a kind of refusal. Kinds are coarser than errors, and numbered from 0 to NumKinds-1, so that an array can
// count them.
type Kind uint8

// The kinds, and the statuses they are answered with.
const (
	KindRefused        Kind = iota // the embedder's decision: any
	KindRequestLine                // 400
	KindHTTPVersion                // 400
	KindControl                    // bare CR, bare LF, other control characters: 400
	KindHeader                     // a header line that is malformed: 400
	KindHeadTooLarge               // 431
	KindTooManyHeaders             // 431
	KindMethod                     // 405
	KindTarget                     // 400
	KindBody                       // 400
	KindHost                       // 400
	KindPlainRequest               // a request that does not ask for an upgrade: 426
	KindUpgrade                    // 426; malformed: 400
	KindConnection                 // 400
	KindVersion                    // 426; doubled: 400
	KindKey                        // 400
	KindOrigin                     // 403; doubled: 400
	KindExtensions                 // 400
	KindSubprotocols               // 400; too many: 431
	KindTooSlow                    // 408
	KindTooManyConns               // 503
	KindShuttingDown               // 503
	KindInternal                   // 500

	NumKinds = iota
)

var kindNames = [NumKinds]string{
	"refused", "request line", "http version", "control character", "malformed header", "head too large", "too many headers",
	"method", "target", "body", "host", "plain request", "upgrade", "connection", "version", "key", "origin", "extensions",
	"subprotocols", "too slow", "too many connections", "shutting down", "internal",
}

// String returns the kind in a word or two.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Faults of the octets: Next returns them with n == 0.
var (
	ErrRequestLine      = &Refusal{Status: 400, Kind: KindRequestLine, Reason: "The request line is malformed: send method, target and HTTP/1.1 with one space between."}
	ErrHTTPVersion      = &Refusal{Status: 400, Kind: KindHTTPVersion, Reason: "The HTTP version is not supported: send HTTP/1.1."}
	ErrControl          = &Refusal{Status: 400, Kind: KindControl, Reason: "The head contains a control character: send only visible characters and CRLF at the end of each line."}
	ErrBareCR           = &Refusal{Status: 400, Kind: KindControl, Reason: "The head contains a CR without LF: end each line with CRLF."}
	ErrBareLF           = &Refusal{Status: 400, Kind: KindControl, Reason: "The head contains an LF without CR: end each line with CRLF."}
	ErrHeader           = &Refusal{Status: 400, Kind: KindHeader, Reason: "A header line is malformed: send a name, a colon and a value."}
	ErrFolding          = &Refusal{Status: 400, Kind: KindHeader, Reason: "A header line begins with white space: folded lines are obsolete, send each header on one line."}
	ErrSpaceBeforeColon = &Refusal{Status: 400, Kind: KindHeader, Reason: "A header has white space before its colon: send the colon directly after the name."}
	ErrHeadTooLarge     = &Refusal{Status: 431, Kind: KindHeadTooLarge, Reason: "The head of the request is too large: send less, such as fewer cookies."}
	ErrTooManyHeaders   = &Refusal{Status: 431, Kind: KindTooManyHeaders, Reason: "The request has too many header lines: send fewer."}
)

// Faults of the request: Next returns them with a view of it, when its head is whole. ErrTarget comes without one if
// the target has an octet that no target may have.
var (
	ErrMethod              = &Refusal{Status: 405, Kind: KindMethod, Reason: "The method is not supported: a WebSocket is opened with GET."}
	ErrTarget              = &Refusal{Status: 400, Kind: KindTarget, Reason: "The target is malformed: send an absolute path, or an http or https URI, with other characters escaped."}
	ErrBody                = &Refusal{Status: 400, Kind: KindBody, Reason: "The request announces a body: send neither Transfer-Encoding nor a Content-Length other than 0."}
	ErrHostMissing         = &Refusal{Status: 400, Kind: KindHost, Reason: "The Host header is missing: send one."}
	ErrHostTwice           = &Refusal{Status: 400, Kind: KindHost, Reason: "There is more than one Host header: send one."}
	ErrHost                = &Refusal{Status: 400, Kind: KindHost, Reason: "The Host header is malformed: send a host and, if need be, a colon and a port."}
	ErrHostDisagrees       = &Refusal{Status: 400, Kind: KindHost, Reason: "The Host header disagrees with the target: send the same authority in both."}
	ErrList                = &Refusal{Status: 400, Kind: KindUpgrade, Reason: "The Upgrade or the Connection header is malformed: send a list of tokens."}
	ErrPlainRequest        = &Refusal{Status: 426, Kind: KindPlainRequest, Reason: "This is a WebSocket server: send Upgrade: websocket to open a connection."}
	ErrUpgrade             = &Refusal{Status: 426, Kind: KindUpgrade, Reason: "The Upgrade header does not name websocket: send Upgrade: websocket."}
	ErrConnection          = &Refusal{Status: 400, Kind: KindConnection, Reason: "The Connection header does not name upgrade: send Connection: Upgrade; a proxy on the way may have removed it."}
	ErrVersionTwice        = &Refusal{Status: 400, Kind: KindVersion, Reason: "There is more than one Sec-WebSocket-Version header: send one."}
	ErrVersion             = &Refusal{Status: 426, Kind: KindVersion, Reason: "The version of the protocol is missing or not supported: send Sec-WebSocket-Version: 13."}
	ErrKeyMissing          = &Refusal{Status: 400, Kind: KindKey, Reason: "The Sec-WebSocket-Key header is missing: send one."}
	ErrKeyTwice            = &Refusal{Status: 400, Kind: KindKey, Reason: "There is more than one Sec-WebSocket-Key header: send one."}
	ErrKey                 = &Refusal{Status: 400, Kind: KindKey, Reason: "The Sec-WebSocket-Key header is malformed: send the base64 of 16 octets."}
	ErrOriginTwice         = &Refusal{Status: 400, Kind: KindOrigin, Reason: "There is more than one Origin header: send one."}
	ErrExtensions          = &Refusal{Status: 400, Kind: KindExtensions, Reason: "The Sec-WebSocket-Extensions header is malformed: send a list of extensions, or leave it out."}
	ErrSubprotocols        = &Refusal{Status: 400, Kind: KindSubprotocols, Reason: "The Sec-WebSocket-Protocol header is malformed: send a list of distinct tokens, or leave it out."}
	ErrTooManySubprotocols = &Refusal{Status: 431, Kind: KindSubprotocols, Reason: "The request offers too many subprotocols: send at most 64."}
)

// Refusals that do not come from the head. The first is that of Origins.Check; the others are for whoever holds the
// connection.
var (
	ErrOrigin       = &Refusal{Status: 403, Kind: KindOrigin, Reason: "The origin of the page is not allowed: connect from one that the server knows."}
	ErrTooSlow      = &Refusal{Status: 408, Kind: KindTooSlow, Reason: "The head of the request did not arrive in time: send it at once."}
	ErrTooManyConns = &Refusal{Status: 503, Kind: KindTooManyConns, Reason: "The server has too many connections: try again later."}
	ErrShuttingDown = &Refusal{Status: 503, Kind: KindShuttingDown, Reason: "The server is shutting down: try again later."}
	ErrInternal     = &Refusal{Status: 500, Kind: KindInternal, Reason: "The server could not make a valid answer: the fault is its own."}
)

// errMethodHEAD is ErrMethod for a client that would take a body for the next answer (RFC 9110 §9.3.2).
var errMethodHEAD = &Refusal{Status: 405, Kind: KindMethod, Reason: ErrMethod.Reason, empty: true}

// AppendRefusal appends to dst the whole answer: status line, header lines, the reason as a text in UTF-8 with a line feed
// at its end. It announces the end of the connection. 405 comes with Allow, 426 with what RFC 9110 §15.5.22 and RFC 6455
// §4.4 ask for: Upgrade, the option of that name in Connection, and the version that is supported. The header lines of Refuse
// follow, then extra; a Content-Type among them replaces text/plain.
//
// A refusal must be deliverable, so there is no error: if the status is not one of a Refusal, or a header line is one that
// AppendAccept would not write either, ErrInternal is sent in its place and nothing of the refusal shows.
func AppendRefusal(dst []byte, r *Refusal, extra ...Field) []byte {
	typed := false
	for _, fields := range [2][]Field{r.header, extra} {
		for i := range fields {
			if fields[i].problem() != "" {
				return AppendRefusal(dst, ErrInternal)
			}
			typed = typed || fold(fields[i].Name, "content-type")
		}
	}
	if r.Status < 300 || r.Status > 599 || r.Status == 304 {
		return AppendRefusal(dst, ErrInternal)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, ' ') // not optional, even if no phrase follows (RFC 9112 §4)
	dst = append(dst, phrase(r.Status)...)
	dst = append(dst, "\r\nConnection: "...)
	switch r.Status {
	case 405:
		dst = append(dst, "close\r\nAllow: GET\r\n"...)
	case 426:
		dst = append(dst, "Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"...)
	default:
		dst = append(dst, "close\r\n"...)
	}
	if !typed {
		dst = append(dst, "Content-Type: text/plain; charset=utf-8\r\n"...)
	}
	for _, fields := range [2][]Field{r.header, extra} {
		for i := range fields {
			dst = appendField(dst, fields[i].Name, fields[i].Value)
		}
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(r.Reason)+1), 10)
	dst = append(dst, "\r\n\r\n"...)
	if r.empty {
		return dst
	}
	dst = append(dst, r.Reason...)
	return append(dst, '\n')
}

// phrase is the reason-phrase of the usual statuses, which is for people and may be empty.
func phrase(status int) string {
	for i := range phrases {
		if phrases[i].status == status {
			return phrases[i].text
		}
	}
	return ""
}

var phrases = [...]struct {
	status int
	text   string
}{
	{400, "Bad Request"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {408, "Request Timeout"},
	{426, "Upgrade Required"}, {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"}, {503, "Service Unavailable"},
	{301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"}, {307, "Temporary Redirect"}, {308, "Permanent Redirect"},
	{401, "Unauthorized"}, {409, "Conflict"}, {410, "Gone"}, {421, "Misdirected Request"}, {500, "Internal Server Error"},
	{501, "Not Implemented"}, {502, "Bad Gateway"}, {504, "Gateway Timeout"},
}
