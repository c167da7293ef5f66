package codec

import "errors"

// A Rule names one rule of the wire that a peer can break. Rules are small and
// dense, so that an array of NumRules counters can be indexed by them.
type Rule uint8

// The rules, in the order in which the octets of a frame show a breach.
const (
	_                      Rule = iota
	RuleReservedBits            // RSV bit without an extension that owns it
	RuleReservedOpcode          // opcode 0x3-0x7 or 0xB-0xF
	RuleFragmentedControl       // control frame without FIN
	RuleLoneContinuation        // continuation outside a message
	RuleInterruptedMessage      // new data frame inside a message
	RuleTooManyFragments        // more frames in a message than configured
	RuleUnmasked                // unmasked frame to a server
	RuleMasked                  // masked frame to a client
	RuleControlTooLong          // control payload over 125 octets
	RuleClosePayload            // close payload of a single octet
	RuleNonMinimalLength        // payload length in more octets than it needs
	RuleLengthTopBit            // 64-bit payload length with the top bit set
	RuleMessageTooBig           // message over the configured limit
	RuleCloseCode               // close code that must not be sent
	RuleCloseReasonUTF8         // close reason that is not UTF-8
	RuleTextUTF8                // text message that is not UTF-8

	NumRules = iota // the number of rules, the zero Rule included
)

// String returns a short name in the style of a metric's label.
func (r Rule) String() string {
	if int(r) >= NumRules {
		return "unknown"
	}
	return ruleNames[r]
}

var ruleNames = [NumRules]string{
	"none", "reserved-bits", "reserved-opcode", "fragmented-control", "lone-continuation",
	"interrupted-message", "too-many-fragments", "unmasked", "masked", "control-too-long",
	"close-payload", "non-minimal-length", "length-top-bit", "message-too-big", "close-code",
	"close-reason-utf8", "text-utf8",
}

// A ProtocolError is a peer's violation of the protocol or of a limit. The
// connection must be failed with Code (RFC 6455 §7.1.7). All of them are the
// package's variables below: compare with ==, errors.Is or Rule.
//
// An error does not know its place; the Parser that returned it does: see
// Parser.InputOffset.
type ProtocolError struct {
	Rule Rule
	Code CloseCode // the code to send in the close frame
	text string
}

// Error names the rule, the remedy and the section of the RFC.
func (e *ProtocolError) Error() string { return e.text }

// What a Parser, ParseHeader and nothing else returns.
var (
	ErrReservedBits = &ProtocolError{RuleReservedBits, CloseProtocolError,
		"hybi: RSV bit set, but no negotiated extension owns it: send RSV1-3 as 0 (RFC 6455 §5.2)"}
	ErrReservedOpcode = &ProtocolError{RuleReservedOpcode, CloseProtocolError,
		"hybi: reserved opcode: send 0x0-0x2 or 0x8-0xA (RFC 6455 §5.2)"}
	ErrFragmentedControl = &ProtocolError{RuleFragmentedControl, CloseProtocolError,
		"hybi: fragmented control frame: send it with FIN set (RFC 6455 §5.5)"}
	ErrLoneContinuation = &ProtocolError{RuleLoneContinuation, CloseProtocolError,
		"hybi: continuation frame outside a message: start the message with a text or binary frame (RFC 6455 §5.4)"}
	ErrInterruptedMessage = &ProtocolError{RuleInterruptedMessage, CloseProtocolError,
		"hybi: new data frame inside a fragmented message: finish that with a continuation frame that has FIN set (RFC 6455 §5.4)"}
	ErrTooManyFragments = &ProtocolError{RuleTooManyFragments, CloseMessageTooBig,
		"hybi: message has more fragments than the limit: send fewer, larger frames (RFC 6455 §10.4)"}
	ErrUnmasked = &ProtocolError{RuleUnmasked, CloseProtocolError,
		"hybi: unmasked frame to a server: a client masks every frame (RFC 6455 §5.1)"}
	ErrMasked = &ProtocolError{RuleMasked, CloseProtocolError,
		"hybi: masked frame to a client: a server masks none (RFC 6455 §5.1)"}
	ErrControlTooLong = &ProtocolError{RuleControlTooLong, CloseProtocolError,
		"hybi: control frame with more than 125 octets of payload: send less (RFC 6455 §5.5)"}
	ErrClosePayload = &ProtocolError{RuleClosePayload, CloseProtocolError,
		"hybi: close frame with one octet of payload: send none, or a code of two octets (RFC 6455 §5.5.1)"}
	ErrNonMinimalLength = &ProtocolError{RuleNonMinimalLength, CloseProtocolError,
		"hybi: payload length in more octets than it needs: 7 bits to 125, 16 to 65535, else 64 (RFC 6455 §5.2)"}
	ErrLengthTopBit = &ProtocolError{RuleLengthTopBit, CloseProtocolError,
		"hybi: 64-bit payload length with the top bit set: it must be 0 (RFC 6455 §5.2)"}
	ErrMessageTooBig = &ProtocolError{RuleMessageTooBig, CloseMessageTooBig,
		"hybi: message over the size limit: send smaller messages (RFC 6455 §7.4.1, §10.4)"}
	ErrCloseCode = &ProtocolError{RuleCloseCode, CloseProtocolError,
		"hybi: close code that must not be sent: use 1000-1003, 1007-1014 or 3000-4999 (RFC 6455 §7.4)"}
	ErrCloseReasonUTF8 = &ProtocolError{RuleCloseReasonUTF8, CloseInvalidPayload,
		"hybi: close reason is not UTF-8 (RFC 6455 §5.5.1, §8.1)"}
	ErrTextUTF8 = &ProtocolError{RuleTextUTF8, CloseInvalidPayload,
		"hybi: text message is not UTF-8: send other octets as binary (RFC 6455 §8.1)"}
)

// protocolErrors is indexed by Rule; a Parser keeps the rule, one octet, and
// not the pointer.
var protocolErrors = [NumRules]*ProtocolError{
	RuleReservedBits: ErrReservedBits, RuleReservedOpcode: ErrReservedOpcode,
	RuleFragmentedControl: ErrFragmentedControl, RuleLoneContinuation: ErrLoneContinuation,
	RuleInterruptedMessage: ErrInterruptedMessage, RuleTooManyFragments: ErrTooManyFragments,
	RuleUnmasked: ErrUnmasked, RuleMasked: ErrMasked, RuleControlTooLong: ErrControlTooLong,
	RuleClosePayload: ErrClosePayload, RuleNonMinimalLength: ErrNonMinimalLength,
	RuleLengthTopBit: ErrLengthTopBit, RuleMessageTooBig: ErrMessageTooBig,
	RuleCloseCode: ErrCloseCode, RuleCloseReasonUTF8: ErrCloseReasonUTF8, RuleTextUTF8: ErrTextUTF8,
}

// The mistakes of a caller, as against those of a peer: nothing was written.
var (
	ErrSendCloseCode   = errors.New("hybi: cannot send this close code: use 1000-1003, 1007-1014 or 3000-4999, or CloseNoStatus with an empty reason for a close frame without a code")
	ErrSendCloseReason = errors.New("hybi: cannot send this close reason: it needs a code, at most 123 octets, and UTF-8")
)
