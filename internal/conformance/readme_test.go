package conformance

// The README's tables "Accepted and refused" say what the conformance tables prove,
// and nothing else: every clause there is a claim below, every claim is a clause, and
// every rule and refusal of the packages is claimed once, with its code or status.

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
)

// A claim is a clause of the README, known by words that it must have, and the answer
// that its row must begin with.
type claim struct {
	words    string
	answer   string
	rules    []codec.Rule
	refusals []*handshake.Refusal
	holds    func(c *Case) bool // or: cases that show it
}

func section(s string) func(*Case) bool { return func(c *Case) bool { return c.Section == s } }

var frameClaims = []claim{
	{words: "RSV bit", answer: "1002", rules: []codec.Rule{codec.RuleReservedBits}},
	{words: "reserved opcode", answer: "1002", rules: []codec.Rule{codec.RuleReservedOpcode}},
	{words: "fragmented control frame", answer: "1002", rules: []codec.Rule{codec.RuleFragmentedControl}},
	{words: "control payload over 125 octets", answer: "1002", rules: []codec.Rule{codec.RuleControlTooLong}},
	{words: "continuation without a start", answer: "1002", rules: []codec.Rule{codec.RuleLoneContinuation}},
	{words: "new data frame inside a message", answer: "1002", rules: []codec.Rule{codec.RuleInterruptedMessage}},
	{words: "payload length in more octets than it needs, or with the top bit set", answer: "1002", rules: []codec.Rule{codec.RuleNonMinimalLength, codec.RuleLengthTopBit}},
	{words: "unmasked frame to a server", answer: "1002", rules: []codec.Rule{codec.RuleUnmasked}},
	{words: "masked frame to a client", answer: "1002", rules: []codec.Rule{codec.RuleMasked}},
	{words: "close payload of one octet", answer: "1002", rules: []codec.Rule{codec.RuleClosePayload}},
	{words: "close code 0-", answer: "1002", rules: []codec.Rule{codec.RuleCloseCode}},
	{words: "close code 1000-", answer: "echoed", holds: func(c *Case) bool { return c.Code >= 1000 && c.Code != none }},
	{words: "no code", answer: "echoed; answered by an empty close frame, reported as 1005", holds: func(c *Case) bool {
		return c.Code == none && strings.HasSuffix(c.Steps[len(c.Steps)-1].Reply, "\x88\x00")
	}},
	{words: "text, or a close reason, that is not UTF-8", answer: "1007", rules: []codec.Rule{codec.RuleTextUTF8, codec.RuleCloseReasonUTF8}},
	{words: "message over the limit", answer: "1009", rules: []codec.Rule{codec.RuleMessageTooBig}},
	{words: "too many fragments, empty ones count", answer: "1009", rules: []codec.Rule{codec.RuleTooManyFragments}},
	{words: "memory of all connections exhausted", answer: "1013", holds: func(*Case) bool { return circumstances["1013"] }},
	{words: "ping", answer: "pong", holds: section("5.5.2")},
	{words: "anything behind the peer's close frame", answer: "ignored", holds: func(c *Case) bool { return c.Code != 0 && c.Rest != "" }},
	{words: "FIN without a close frame", answer: "what came before is served and answered, then 1006 is reported", holds: section("7.1.5")},
}

var headClaims = []claim{
	{words: "malformed head", answer: "400", refusals: []*handshake.Refusal{handshake.ErrRequestLine, handshake.ErrControl, handshake.ErrHeader, handshake.ErrTarget}},
	{words: "bare CR or LF", answer: "400", refusals: []*handshake.Refusal{handshake.ErrBareCR, handshake.ErrBareLF}},
	{words: "folding", answer: "400", refusals: []*handshake.Refusal{handshake.ErrFolding}},
	{words: "space before the colon", answer: "400", refusals: []*handshake.Refusal{handshake.ErrSpaceBeforeColon}},
	{words: "not HTTP/1.1", answer: "400", refusals: []*handshake.Refusal{handshake.ErrHTTPVersion}},
	{words: "a body announced", answer: "400", refusals: []*handshake.Refusal{handshake.ErrBody}},
	{words: "`Host` missing, doubled or other than in an absolute target", answer: "400",
		refusals: []*handshake.Refusal{handshake.ErrHostMissing, handshake.ErrHostTwice, handshake.ErrHostDisagrees, handshake.ErrHost}},
	{words: "key missing, doubled or not 16 octets", answer: "400", refusals: []*handshake.Refusal{handshake.ErrKeyMissing, handshake.ErrKeyTwice, handshake.ErrKey}},
	{words: "`Connection` without `upgrade`", answer: "400", refusals: []*handshake.Refusal{handshake.ErrConnection}},
	{words: "version or `Origin` doubled", answer: "400", refusals: []*handshake.Refusal{handshake.ErrVersionTwice, handshake.ErrOriginTwice}},
	{words: "malformed `Upgrade`, `Connection`, extensions or subprotocols", answer: "400", refusals: []*handshake.Refusal{handshake.ErrList, handshake.ErrExtensions, handshake.ErrSubprotocols}},
	{words: "origin not allowed", answer: "403", refusals: []*handshake.Refusal{handshake.ErrOrigin}},
	{words: "not GET", answer: "405", refusals: []*handshake.Refusal{handshake.ErrMethod}},
	{words: "head not whole in time", answer: "408", refusals: []*handshake.Refusal{handshake.ErrTooSlow}},
	{words: "`Upgrade` or version missing or other", answer: "426", refusals: []*handshake.Refusal{handshake.ErrUpgrade, handshake.ErrVersion}},
	{words: "so a plain GET, too", answer: "426", refusals: []*handshake.Refusal{handshake.ErrPlainRequest}},
	{words: "head too large, too many headers, more than 64 subprotocols", answer: "431",
		refusals: []*handshake.Refusal{handshake.ErrHeadTooLarge, handshake.ErrTooManyHeaders, handshake.ErrTooManySubprotocols}},
	{words: "too many connections, shutting down", answer: "503", refusals: []*handshake.Refusal{handshake.ErrTooManyConns, handshake.ErrShuttingDown}},
}

// circumstances are the codes and statuses that tests outside the tables bring about:
// TestMemoryExhausted, TestSlowHead, TestTooManyConns and TestShuttingDown.
var circumstances = map[string]bool{"1013": true, "408": true, "503": true}

// tables returns the rows of the Markdown tables in the README's section.
func tables(t *testing.T) (all [][][2]string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(b), "\n## Accepted and refused\n")
	text, _, _ = strings.Cut(text, "\n## ")
	if !found {
		t.Fatal("the README has no such section")
	}
	var rows [][2]string
	for _, line := range strings.Split(text+"\n", "\n") {
		if cells := strings.Split(strings.Trim(line, "|"), " | "); strings.HasPrefix(line, "|") {
			if len(cells) == 2 {
				rows = append(rows, [2]string{strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1])})
			}
		} else if rows != nil {
			all, rows = append(all, rows[1:]), nil // without the head
		}
	}
	if len(all) != 2 {
		t.Fatalf("%d tables, want 2", len(all))
	}
	return all
}

// remarks stand in parentheses and claim nothing.
var remarks = regexp.MustCompile(` \([^)]*\)`)

// match finds each clause's claim and each claim's clause.
func match(t *testing.T, rows [][2]string, claims []claim) {
	used := map[string]int{}
	for _, row := range rows {
		for _, clause := range strings.Split(remarks.ReplaceAllString(row[0], ""), "; ") {
			i := slices.IndexFunc(claims, func(c claim) bool { return strings.HasPrefix(clause, c.words) })
			switch {
			case i < 0:
				t.Errorf("the README says %q, which nothing here proves", clause)
			case !strings.HasPrefix(row[1], claims[i].answer):
				t.Errorf("%q is answered by %q in the README, by %q here", clause, row[1], claims[i].answer)
			default:
				used[claims[i].words]++
			}
		}
	}
	for _, c := range claims {
		if used[c.words] != 1 {
			t.Errorf("the README says %q %d times, want once", c.words, used[c.words])
		}
	}
}

func TestReadmeFrames(t *testing.T) {
	rows := tables(t)[0]
	match(t, rows, frameClaims)
	claimed := map[codec.Rule]int{}
	for _, c := range frameClaims {
		for _, r := range c.rules {
			claimed[r]++
			if fmt.Sprint(int(answers[r])) != c.answer {
				t.Errorf("%v is answered by %d, and by %s in the README", r, answers[r], c.answer)
			}
		}
		if c.holds != nil && !slices.ContainsFunc(cases(), func(k Case) bool { return c.holds(&k) }) {
			t.Errorf("no case shows %q", c.words)
		}
	}
	for r := codec.Rule(1); r < codec.NumRules; r++ {
		if claimed[r] != 1 {
			t.Errorf("%v is claimed %d times", r, claimed[r])
		}
		if !slices.ContainsFunc(cases(), func(k Case) bool { return k.Rule == r }) {
			t.Errorf("no case breaks %v", r)
		}
	}
	for _, row := range rows {
		if strings.Contains(row[0], "close code") {
			holdCodes(t, row[0], row[1] == "1002")
		}
	}
}

// holdCodes holds the ranges that a row names against the cases of close frames: each
// code that is refused, or accepted, lies in them, and each of their ends occurs.
func holdCodes(t *testing.T, row string, refused bool) {
	var in [1 << 16]bool
	ends := map[int]bool{}
	for _, m := range regexp.MustCompile(`from (\d+)|(\d+)-(\d+)`).FindAllStringSubmatch(row, -1) {
		low, _ := strconv.Atoi(m[1] + m[2])
		high, err := strconv.Atoi(m[3])
		if err != nil {
			high = 65535
		}
		ends[low], ends[high] = true, true
		for code := low; code <= high; code++ {
			in[code] = true
		}
	}
	for code, is := range in {
		if codec.CloseCode(code).IsSendable() == refused == is {
			t.Fatalf("%q: %d is not as it says", row, code)
		}
	}
	for _, c := range cases() {
		code := int(c.Code)
		if refused {
			if c.Rule != codec.RuleCloseCode || c.OneRole {
				continue
			}
			payload := (c.Steps[len(c.Steps)-1].Send + c.Rest)[2:]
			code = int(payload[0])<<8 | int(payload[1])
		} else if c.Code == 0 || c.Code == none {
			continue
		}
		if delete(ends, code); !in[code] {
			t.Errorf("%s: %d is not in %q", c.Name, code, row)
		}
	}
	if len(ends) > 0 {
		t.Errorf("no case has the codes %v of %q", ends, row)
	}
}

func TestReadmeRefusals(t *testing.T) {
	match(t, tables(t)[1], headClaims)
	claimed := map[*handshake.Refusal]string{}
	kinds := map[handshake.Kind]bool{handshake.KindRefused: true, handshake.KindInternal: true} // the embedder's, and a fault of our own
	for _, c := range headClaims {
		for _, r := range c.refusals {
			claimed[r] = c.answer
			kinds[r.Kind] = true
			shown := slices.ContainsFunc(openings(), func(o Opening) bool { return o.Want == r })
			if fmt.Sprint(r.Status) != c.answer || !shown && !circumstances[c.answer] {
				t.Errorf("%q: %v; a request that shows it: %v", c.words, r, shown)
			}
		}
	}
	for _, o := range openings() {
		if o.Want != nil && claimed[o.Want] != fmt.Sprint(o.Status) {
			t.Errorf("%s: status %d, the README says %q", o.Name, o.Status, claimed[o.Want])
		}
	}
	for k := range handshake.Kind(handshake.NumKinds) {
		if !kinds[k] {
			t.Errorf("the README says nothing of the kind %v", k)
		}
	}
}
