// Package conformance plays RFC 6455 as a table: what a peer sends, octet for
// octet, what must come back, which counter must show it, and how the connection
// must end. The table is in the order of the RFC's sections; the drivers play each
// case in one segment, octet by octet and cut at random, over TCP against the
// server and without sockets against codec and handshake, in both roles. Cases
// that the Autobahn test suite has too bear its number.
package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/oracle"
)

// A Case is what a peer sends behind the opening handshake, written as a server
// sends it: unmasked, so that both roles can play it. Streams masks it for the other
// direction. It ends in one of four ways:
//
//	Rule set            the last octet of the last step breaks that rule: the close
//	                    frame is due before anything else is sent, then this end's FIN
//	Code set            the peer has said that code: echo, then this end's FIN
//	neither, at the end of a frame: the connection is still open, which a ping shows
//	neither, elsewhere: the connection waits; a FIN of the peer's ends it with 1006
type Case struct {
	Section string // of RFC 6455
	Name    string // with the number of Autobahn's case, where it has one
	Steps   []Step
	Rule    codec.Rule // the close frame that answers it is added to the last Reply
	Rest    string     // what the peer would have sent behind the fault
	Code    codec.CloseCode
	Reason  string

	MaxMessage   int64 // 0: the server's default
	MaxFragments int

	// The octets are for one role only, and as they stand: no masking.
	OneRole bool
	Role    codec.Role
}

// A Step is octets and all that must come back before the next step is sent.
type Step struct{ Send, Reply string }

// answers is which close code each rule is answered with: the table of the README.
var answers = map[codec.Rule]codec.CloseCode{
	codec.RuleReservedBits: 1002, codec.RuleReservedOpcode: 1002, codec.RuleFragmentedControl: 1002,
	codec.RuleLoneContinuation: 1002, codec.RuleInterruptedMessage: 1002, codec.RuleTooManyFragments: 1009,
	codec.RuleUnmasked: 1002, codec.RuleMasked: 1002, codec.RuleControlTooLong: 1002, codec.RuleClosePayload: 1002,
	codec.RuleNonMinimalLength: 1002, codec.RuleLengthTopBit: 1002, codec.RuleMessageTooBig: 1009,
	codec.RuleCloseCode: 1002, codec.RuleCloseReasonUTF8: 1007, codec.RuleTextUTF8: 1007,
}

// steps pairs what is sent with what comes back. The last reply may be left out.
func steps(pairs []string) (all []Step) {
	for i := 0; i < len(pairs); i += 2 {
		s := Step{Send: pairs[i]}
		if i+1 < len(pairs) {
			s.Reply = pairs[i+1]
		}
		all = append(all, s)
	}
	return all
}

// legal makes a case without a fault and without a close frame.
func legal(section, name string, pairs ...string) Case {
	return Case{Section: section, Name: name, Steps: steps(pairs)}
}

// broken makes a case whose last octet breaks a rule.
func broken(section, name string, rule codec.Rule, pairs ...string) Case {
	c := Case{Section: section, Name: name, Steps: steps(pairs), Rule: rule}
	c.Steps[len(c.Steps)-1].Reply += closing(answers[rule], "")
	return c
}

// said makes a case that ends with the peer's close frame.
func said(section, name string, code codec.CloseCode, reason string, pairs ...string) Case {
	return Case{Section: section, Name: name, Steps: steps(pairs), Code: code, Reason: reason}
}

// rest adds what the peer would have sent behind the end.
func (c Case) rest(s string) Case {
	c.Rest = s
	return c
}

// limited sets limits.
func (c Case) limited(message int64, fragments int) Case {
	c.MaxMessage, c.MaxFragments = message, fragments
	return c
}

// Frames as a server sends them, by the words of RFC 6455 §5.2 and no code of the
// module's.
func frame(first byte, payload string) string {
	n := len(payload)
	switch {
	case n <= 125:
		return string([]byte{first, byte(n)}) + payload
	case n <= 65535:
		return string([]byte{first, 126, byte(n >> 8), byte(n)}) + payload
	}
	return string([]byte{first, 127, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + payload
}

func text(s string) string  { return frame(0x81, s) }
func bin(s string) string   { return frame(0x82, s) }
func first(s string) string { return frame(0x01, s) } // of a text message
func cont(s string) string  { return frame(0x00, s) }
func last(s string) string  { return frame(0x80, s) }
func ping(s string) string  { return frame(0x89, s) }
func pong(s string) string  { return frame(0x8A, s) }

func closing(code codec.CloseCode, reason string) string {
	return frame(0x88, string([]byte{byte(code >> 8), byte(code)})+reason)
}

// letters returns n octets of ASCII without a short period.
func letters(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte((i^i>>7^i>>13)%26)
	}
	return string(b)
}

// joined returns all that is sent up to the end, and all that comes back.
func (c *Case) joined() (send, reply string) {
	for _, s := range c.Steps {
		send += s.Send
		reply += s.Reply
	}
	return send, reply
}

// config is the limits as a parser takes them, with the server's defaults.
func (c *Case) config(role codec.Role) codec.Config {
	return codec.Config{Role: role, MaxMessage: cmp.Or(c.MaxMessage, 1<<20), MaxFragments: cmp.Or(c.MaxFragments, 131072)}
}

// streams returns the steps and the rest as a peer of an endpoint in that role
// sends them, masked with key if the peer is a client.
func (c *Case) streams(role codec.Role, key [4]byte) (sends []string, rest string) {
	if c.OneRole || role == codec.Client {
		for _, s := range c.Steps {
			sends = append(sends, s.Send)
		}
		return sends, c.Rest
	}
	joined, _ := c.joined()
	whole, _ := oracle.Mask(joined+c.Rest, 0, key)
	ends := headerEnds(joined)
	from, plain, keyed := 0, 0, 0
	for i, s := range c.Steps {
		plain += len(s.Send)
		for len(ends) > 0 && ends[0] < plain {
			ends, keyed = ends[1:], keyed+4
		}
		to := plain + keyed
		// A key is due behind a header that is whole; but not behind an octet at fault.
		if len(ends) > 0 && ends[0] == plain && (i < len(c.Steps)-1 || c.Rule == 0) {
			to += 4
		}
		sends = append(sends, whole[from:to])
		from = to
	}
	return sends, whole[from:]
}

// headerEnds returns where the headers of an unmasked stream end.
func headerEnds(wire string) (ends []int) {
	for i := 0; i+1 < len(wire); {
		n, octets := int(wire[i+1]), 0
		switch n {
		case 126:
			n, octets = 0, 2
		case 127:
			n, octets = 0, 8
		}
		i += 2
		if i+octets > len(wire) {
			break
		}
		for ; octets > 0; octets-- {
			n = n<<8 | int(wire[i])
			i++
		}
		ends = append(ends, i)
		if n < 0 || n > len(wire) {
			break
		}
		i += n
	}
	return ends
}

// plays reports whether the case makes sense for an endpoint in that role.
func (c *Case) plays(role codec.Role) bool { return !c.OneRole || c.Role == role }

// echo is what an endpoint that echoes answers to what the oracle understood. It
// is a second opinion on the table, and all there is of cases that are drawn from
// the oracle's.
func echo(r oracle.Result) string {
	var out, message strings.Builder
	for _, e := range r.Events {
		switch e.Opcode {
		case codec.OpPing:
			out.WriteString(pong(string(e.Payload)))
		case codec.OpPong:
		case codec.OpClose:
			out.WriteString(frame(0x88, string(e.Payload[:min(2, len(e.Payload))])))
		default:
			if message.Write(e.Payload); e.Last {
				out.WriteString(frame(0x80|byte(e.Opcode), message.String()))
				message.Reset()
			}
		}
	}
	if r.Rule != 0 {
		out.WriteString(closing(answers[r.Rule], ""))
	}
	return out.String()
}

// atBoundary reports whether a ping can be sent behind stream.
func (c *Case) atBoundary(role codec.Role, stream string) bool {
	probe := ping("?")
	if role == codec.Server {
		probe, _ = oracle.Mask(probe, 0, [4]byte{})
	}
	r := c.decode(role, stream+probe)
	n := len(r.Events)
	return n > 0 && r.Events[n-1].Opcode == codec.OpPing && r.Offset == int64(len(stream+probe))
}

func (c *Case) decode(role codec.Role, stream string) oracle.Result {
	limits := c.config(role)
	return oracle.Decode(role, limits.MaxMessage, limits.MaxFragments, []byte(stream))
}

// drawn makes cases of the oracle's table, which was written for parsers: the
// answers follow from what it says the octets mean.
func drawn() (all []Case) {
	for _, o := range oracle.Cases() {
		c := Case{Section: o.Section, Name: "oracle: " + o.Name, OneRole: true, Role: o.Role, MaxMessage: o.MaxMessage, MaxFragments: o.MaxFragments}
		if strings.HasPrefix(o.Section, "RFC 3629") {
			c.Section = "8.1"
		}
		r := c.decode(o.Role, o.Wire)
		taken := int(r.Offset)
		switch {
		case r.Rule != 0:
			c.Rule = r.Rule
			taken++
		case len(r.Events) > 0 && r.Events[len(r.Events)-1].Opcode == codec.OpClose:
			c.Code, c.Reason = codec.CloseNoStatus, ""
			if p := r.Events[len(r.Events)-1].Payload; len(p) > 1 {
				c.Code, c.Reason = codec.CloseCode(p[0])<<8|codec.CloseCode(p[1]), string(p[2:])
			}
			for taken = 0; len(c.decode(o.Role, o.Wire[:taken]).Events) < len(r.Events); taken++ {
			}
		default:
			taken = len(o.Wire)
		}
		c.Steps = []Step{{o.Wire[:taken], echo(r)}}
		c.Rest = o.Wire[taken:]
		all = append(all, c)
	}
	return all
}

// cases returns the whole table of frames, by section. It must not be changed.
var cases = sync.OnceValue(func() (all []Case) {
	for _, group := range []func() []Case{framing, lengths, reserved, control, fragmentation, masking, texts, closes, limits, drawn} {
		all = append(all, group()...)
	}
	slices.SortStableFunc(all, func(a, b Case) int { return compareSections(a.Section, b.Section) })
	return all
})

// compareSections orders "5.4" before "10.3", and that before "11.3.4".
func compareSections(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		return cmp.Compare(m, n)
	})
}

// TestTable holds each case against the oracle in both roles, so that the table
// does not merely record what the codec does; and sees to names and order.
func TestTable(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	sections := map[string]int{}
	for _, c := range cases() {
		if names[c.Name] {
			t.Errorf("two cases are named %q", c.Name)
		}
		names[c.Name] = true
		sections[c.Section]++
		if len(c.Steps) == 0 || c.Section == "" || c.Rule != 0 && c.Code != 0 {
			t.Errorf("%s: %+v", c.Name, c)
			continue
		}
		for _, role := range []codec.Role{codec.Server, codec.Client} {
			// The oracle is slow: the largest differ from others in their size only.
			if c.plays(role) && len(c.Steps[0].Send) < 1<<17 {
				holdToOracle(t, c, role)
			}
		}
	}
	t.Logf("%d cases of frames: %s", len(names), bySection(sections))
}

// bySection writes how many cases each section has.
func bySection(sections map[string]int) string {
	var list []string
	for s, n := range sections {
		list = append(list, fmt.Sprintf("§%s: %d", s, n))
	}
	slices.SortFunc(list, func(a, b string) int { return compareSections(a[2:strings.Index(a, ":")], b[2:strings.Index(b, ":")]) })
	return strings.Join(list, ", ")
}

func holdToOracle(t *testing.T, c Case, role codec.Role) {
	sends, _ := c.streams(role, [4]byte{1, 2, 4, 8})
	send, want := strings.Join(sends, ""), ""
	for i, s := range c.Steps {
		want += s.Reply
		if i+1 < len(sends) && len(send)*len(sends) > 1<<17 {
			continue // the oracle starts from the beginning each time
		}
		r := c.decode(role, strings.Join(sends[:i+1], ""))
		if got := echo(r); got != want {
			t.Errorf("%s, %v, step %d: the oracle's answer is %.300q, the table's %.300q", c.Name, role, i, got, want)
		}
	}
	r := c.decode(role, send)
	if r.Rule != c.Rule || c.Rule != 0 && r.Offset != int64(len(send)-1) {
		t.Errorf("%s, %v: the oracle says %v at %d, the table %v at %d", c.Name, role, r.Rule, r.Offset, c.Rule, len(send)-1)
	}
	if c.Rule == 0 {
		return
	}
	if before := c.decode(role, send[:len(send)-1]); before.Rule != 0 {
		t.Errorf("%s, %v: it is certain before the last octet, at %d", c.Name, role, before.Offset)
	}
}

// autobahn is how many cases each of Autobahn's groups has.
var autobahn = map[string]int{
	"1.1": 8, "1.2": 8, "2": 11, "3": 7, "4.1": 5, "4.2": 5, "5": 20, "6.1": 3, "6.2": 4, "6.3": 2, "6.4": 4, "6.5": 5, "6.6": 11, "6.7": 4, "6.8": 2, "6.9": 4,
	"6.10": 3, "6.11": 5, "6.12": 8, "6.13": 5, "6.14": 10, "6.15": 1, "6.16": 3, "6.17": 5, "6.18": 5, "6.19": 5, "6.20": 7, "6.21": 8, "6.22": 34, "6.23": 7,
	"7.1": 6, "7.3": 6, "7.5": 1, "7.7": 13, "7.9": 9, "7.13": 2, "9.1": 6, "9.2": 6, "9.3": 9, "9.4": 9, "9.5": 6, "9.6": 6, "9.7": 6, "9.8": 6, "10.1": 1,
}

// Each of Autobahn's cases has its counterpart; of groups 12 and 13, compression,
// it is that the offer is declined: see TestCompressionIsDeclined.
func TestAutobahnIsCovered(t *testing.T) {
	missing := map[string]bool{}
	for group, n := range autobahn {
		for i := range n {
			missing[fmt.Sprintf("%s.%d", group, i+1)] = true
		}
	}
	total := len(missing)
	for _, c := range cases() {
		if rest, found := strings.CutPrefix(c.Name, "Autobahn "); found {
			number, _, _ := strings.Cut(rest, ":")
			if !missing[number] {
				t.Errorf("%s: there is no such case, or twice", c.Name)
			}
			delete(missing, number)
		}
	}
	for number := range missing {
		t.Errorf("Autobahn's %s has no counterpart", number)
	}
	t.Logf("%d of Autobahn's %d cases", total-len(missing), total)
}
