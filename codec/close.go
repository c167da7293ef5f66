package codec

import "encoding/binary"

// A CloseCode tells why a connection is closed (RFC 6455 §7.4). On the wire it
// is two octets in network order, ahead of the reason.
type CloseCode uint16

// The codes of RFC 6455 §7.4.1 and of the registry that it founded (§11.7).
// CloseNoStatus, CloseAbnormal and CloseTLSHandshake are for reports only: they
// never stand in a frame.
const (
	CloseNormal             CloseCode = 1000
	CloseGoingAway          CloseCode = 1001
	CloseProtocolError      CloseCode = 1002
	CloseUnsupportedData    CloseCode = 1003
	CloseNoStatus           CloseCode = 1005 // the close frame had no code
	CloseAbnormal           CloseCode = 1006 // there was no close frame
	CloseInvalidPayload     CloseCode = 1007
	ClosePolicyViolation    CloseCode = 1008
	CloseMessageTooBig      CloseCode = 1009
	CloseMandatoryExtension CloseCode = 1010
	CloseInternalError      CloseCode = 1011
	CloseServiceRestart     CloseCode = 1012
	CloseTryAgainLater      CloseCode = 1013
	CloseBadGateway         CloseCode = 1014
	CloseTLSHandshake       CloseCode = 1015 // TLS failed before any frame
)

// MaxCloseReason is the most octets that a close frame's reason may have: the
// 125 of a control frame less the code's two (RFC 6455 §5.5).
const MaxCloseReason = 123

// IsSendable reports whether c may stand in a close frame: 1000-1003,
// 1007-1014 and 3000-4999. What is not sendable is refused when it is received.
func (c CloseCode) IsSendable() bool {
	return c-1000 <= 3 || c-1007 <= 7 || c-3000 <= 1999
}

// String returns the code's name, or the range it belongs to.
func (c CloseCode) String() string {
	switch {
	case c >= 1000 && int(c-1000) < len(closeNames) && closeNames[c-1000] != "":
		return closeNames[c-1000]
	case c-3000 <= 999:
		return "registered with IANA"
	case c-4000 <= 999:
		return "private use"
	}
	return "reserved"
}

var closeNames = [16]string{
	0: "normal closure", 1: "going away", 2: "protocol error", 3: "unsupported data",
	5: "no status received", 6: "abnormal closure", 7: "invalid frame payload data",
	8: "policy violation", 9: "message too big", 10: "mandatory extension",
	11: "internal error", 12: "service restart", 13: "try again later",
	14: "bad gateway", 15: "TLS handshake",
}

// ParseClose splits a close frame's payload, as an Event carries it, into its
// code and reason. An empty payload gives CloseNoStatus. The payload was judged
// by the Parser; one of another origin may hold anything, and a single octet
// is taken for none.
//
// The octets are lent: they alias the input and are valid only until the
// input's memory is reused.
func ParseClose(payload []byte) (code CloseCode, reason []byte) {
	if len(payload) < 2 {
		return CloseNoStatus, nil
	}
	return CloseCode(binary.BigEndian.Uint16(payload)), payload[2:]
}

// judgeClose looks at the first octets of a close frame's payload, which will
// be length octets long, and returns the rule that they break for certain and
// the index of the octet that shows it. RFC 6455 §5.5.1, §7.4.
func judgeClose(seen []byte, length int) (index int, broken Rule) {
	if len(seen) == 0 {
		return 0, 0
	}
	// No code that may be sent has another high octet than these.
	if hi := seen[0]; hi != 0x03 && (hi < 0x0B || hi > 0x13) {
		return 0, RuleCloseCode
	}
	if len(seen) == 1 {
		return 0, 0
	}
	if code, _ := ParseClose(seen); !code.IsSendable() {
		return 1, RuleCloseCode
	}
	reason := seen[2:]
	if n := utf8Accept.scanUpTo(reason, int64(length-len(seen))); n < len(reason) {
		return 2 + n, RuleCloseReasonUTF8
	}
	return 0, 0
}
