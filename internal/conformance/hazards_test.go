package conformance

// The list of hazards: faults that real WebSocket systems had, each with a public
// reference where there is one. Each must be the business of a test that says so:
// the doc comment of a Test or Fuzz function anywhere in the module names it, as in
// "Hazard 13", "Hazards 1, 2 and 5" or "hazards 16 to 20".

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var hazards = [...]string{
	// Frame decoder
	1:  "64-bit length with the top bit set, or one that goes negative as an int [CVE-2020-27813, CVE-2026-27889, CVE-2026-1528]",
	2:  "header + length that wraps: check by subtraction [baresip/re#1584]",
	3:  "allocating by the announced length",
	4:  "tiny fragments: memory per fragment, empty fragments that never count [CVE-2026-48779, ws#2329]",
	5:  "non-minimal lengths; length octets cut at every place",
	6:  "fragmented or overlong control frames; RSV bits; reserved opcodes; data frame inside a message; lone continuation",
	7:  "masked frame to a client; unmasked frame to a server",
	8:  "the mask's phase across chunks and fragments [uWebSockets#1406, aiohttp#10764]; an all-zero key",
	9:  "kernels that differ from one another; bytes outside the payload touched",
	10: "close payload of one octet; illegal codes; 1012-1014 are legal; UTF-8 in the reason, also when echoed back",
	11: "UTF-8 cut at every octet; surrogates; overlong forms; above U+10FFFF; told at once, not at the end",
	12: "octets after a close frame; frames after an error",
	13: "a flood of pings must not queue pongs without bound; a pong must not starve behind queued data [uWebSockets#1876]",
	14: "uninitialised memory sent; masking-keys that a peer can predict",
	// Opening handshake
	15: "quadratic scanning of a head that arrives slowly [CVE-2023-43669]; no bound on size, count or time",
	16: "header-count limits that hide a needed header [CVE-2024-37890]; regular expressions over tokens [CVE-2021-32640]",
	17: "Upgrade: notwebsocket matched as a substring [aiohttp#12723]",
	18: "a refused upgrade that keeps the connection open: smuggling by a second request [kemal#767]",
	19: "frames in the same segment as the request, lost",
	20: "origin compared too broadly; CR or LF in a chosen subprotocol or response header",
	// Event loop
	21: "EMFILE on accept: a loop that spins, or an engine that shuts down",
	22: "data that arrives together with FIN, lost because RDHUP came first; half-close taken for close",
	23: "a short read taken for drained; a wake-up lost between a partial write and arming EPOLLOUT; starvation",
	24: "an event or a send meant for a descriptor that was closed and reused",
	25: "EPOLLHUP or EPOLLERR without EPOLLIN: spinning; EINTR",
	26: "partial writes; EAGAIN; writes after close; close twice; close inside a callback; SIGPIPE; descriptors in child processes",
	27: "large buffers kept by idle connections; a pool poisoned by one large message",
	28: "a close frame that never reaches the peer because the socket was reset by unread input",
	29: "clients that send one octet at a time, hold the head open, or never read",
	// Compression
	30: "bombs [CVE-2026-27571, CVE-2026-1526]; window bits outside 8-15 [CVE-2026-2229]: here, every offer is declined",
}

// marker finds the numbers behind the word.
var marker = regexp.MustCompile(`(?i)\bhazards?\s+(\d+(?:(?:,\s*|\s+and\s+|,\s*and\s+|\s+to\s+)\d+)*)`)

// marked returns the numbers that a doc comment names.
func marked(doc string) (numbers []int) {
	for _, m := range marker.FindAllStringSubmatch(strings.Join(strings.Fields(doc), " "), -1) {
		from := 0
		for _, word := range strings.FieldsFunc(m[1], func(r rune) bool { return r == ' ' || r == ',' }) {
			n, err := strconv.Atoi(word)
			switch {
			case word == "to":
				from = numbers[len(numbers)-1] + 1
				continue
			case err != nil:
				continue
			}
			for ; from != 0 && from < n; from++ {
				numbers = append(numbers, from)
			}
			from = 0
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// proofs reads the module's tests and returns, by number, the functions that name it.
func proofs(t *testing.T) (by [len(hazards)][]string) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if name != root && (err == nil || d.Name()[0] == '.' || d.Name() == "testdata") {
				return filepath.SkipDir // another module, or no code
			}
			return nil
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, _ := filepath.Rel(root, filepath.Dir(name))
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") && !strings.HasPrefix(fn.Name.Name, "Fuzz") {
				continue
			}
			for _, n := range marked(fn.Doc.Text()) {
				if where := filepath.ToSlash(dir) + "." + fn.Name.Name; n < 1 || n >= len(by) {
					t.Errorf("%s names hazard %d, of which there is none", where, n)
				} else {
					by[n] = append(by[n], where)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return by
}

// Each number has its proof. With -v, the index.
func TestEveryHazardHasItsTest(t *testing.T) {
	for n, where := range proofs(t) {
		if n == 0 {
			continue
		}
		if len(where) == 0 {
			t.Errorf("no test names hazard %d: %s", n, hazards[n])
		}
		slices.Sort(where)
		t.Logf("%2d  %s\n      %s", n, hazards[n], strings.Join(slices.Compact(where), ", "))
	}
}

// The ways to write a marker.
func TestMarked(t *testing.T) {
	for doc, want := range map[string][]int{
		"Hazard 13.": {13}, "hazards 1 and 2": {1, 2}, "Hazards 1, 4, 5 and 8.": {1, 4, 5, 8}, "(hazards 16 to 20)": {16, 17, 18, 19, 20},
		"hazard 3, of\n 2 octets": {3}, "Hazards 1,\n2 and\n30": {1, 2, 30}, "hazardous 3": nil, "hazard": nil, "Hazard 3. Hazards 7 and 9": {3, 7, 9}, "Hazards 1, 2, and 3": {1, 2, 3},
	} {
		if got := marked(doc); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", doc, got, want)
		}
	}
}
