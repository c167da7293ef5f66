//go:build linux

package conformance

// The client's role over TCP from its beginning: a reactor dials this end, which is
// the server, reads the request to the octet, and answers it as the tables say.

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/reactor"
)

// A caller is a server that dials instead: it echoes, and says what came of it. It has
// one connection at a time.
type caller struct {
	*server
	ln     net.Listener
	dialed chan string // the subprotocol
	failed chan failure
	keys   map[string]int // that its requests had, and its frames
	masks  map[string]int
}

type failure struct {
	state any
	err   error
}

func (c *caller) Dialed(_ reactor.Conn, res *handshake.Response) {
	c.dialed <- string(res.Subprotocol())
}

func (c *caller) DialFailed(state any, err error) { c.failed <- failure{state, err} }

func newCaller(t testing.TB, cfg reactor.Config) *caller {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{
		server: prepare(t, cfg), ln: ln, dialed: make(chan string, 10), failed: make(chan failure, 10),
		keys: map[string]int{}, masks: map[string]int{},
	}
	c.start(c)
	return c
}

// stop ends it and looks whether a key was used twice (RFC 6455 §4.1 and §10.3).
func (c *caller) stop(t testing.TB) {
	c.ln.Close()
	c.server.stop(t)
	if n := len(c.dialed) + len(c.failed); n > 0 {
		t.Errorf("%d more calls of Dialed and DialFailed", n)
	}
	for key, n := range c.keys {
		if n > 1 {
			t.Errorf("%d requests have the key %s", n, key)
		}
	}
	frames := 0
	for _, n := range c.masks {
		frames += n
	}
	if len(c.masks) < frames-frames/1000-1 { // two of 32 bits may be the same by chance
		t.Errorf("%d masking-keys for %d frames", len(c.masks), frames)
	}
}

// call has the reactor dial, and returns this end and the request's key.
func (c *caller) call(t *testing.T) (p *peer, key string) {
	t.Helper()
	p = &peer{T: t, s: c.server}
	p.eventually("the last connection is gone and counted", func() bool {
		p.before = p.s.r.Stats()
		return p.before.Conns == 0 && p.before.Opened == p.before.Closed
	})
	p.base = p.before.OctetsIn
	req := handshake.ClientRequest{Host: "server.example.com", Target: "/chat", Subprotocols: []string{"chat", "v2.chat"}}
	if err := c.r.Dial("tcp", c.ln.Addr().String(), req, t.Name()); err != nil {
		t.Fatal(err)
	}
	socket, err := c.ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p.conn = socket.(*net.TCPConn)
	p.conn.SetDeadline(time.Now().Add(patience))
	const before = get + host + up + conn + "Sec-WebSocket-Key: "
	const behind = "\r\n" + ver + "Sec-WebSocket-Protocol: chat, v2.chat\r\n" + end
	got := make([]byte, len(before)+24+len(behind))
	n, err := io.ReadFull(p.conn, got)
	p.got = n
	key = strings.TrimSuffix(strings.TrimPrefix(string(got[:n]), before), behind)
	if nonce, bad := base64.StdEncoding.DecodeString(key); err != nil || bad != nil || len(nonce) != 16 {
		t.Fatalf("request %q, %v", got[:n], err)
	}
	c.keys[key]++
	return p, key
}

// to returns the head as an answer to another key than the RFC's; what is nearly right
// for that, such as the wrong case, is nearly right for this.
func (a *Answer) to(key string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 §1.3
	accept := base64.StdEncoding.EncodeToString(sum[:])
	sibling := accept[:26] + string(alphabet[strings.IndexByte(alphabet, accept[26])+1]) + "=" // decodes to the same
	return strings.NewReplacer(
		"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", accept,
		"s3pPLMBiTxaQ9kYGzzhZRbK+xOp=", sibling,
		"s3pPLMBiTxaQ9kYGzzhZRbK+xOo", accept[:27],
		"S3PPLMBITXAQ9KYGZZHZRBK+XOO=", strings.ToUpper(accept),
		"dGhlIHNhbXBsZSBub25jZQ==", key,
	).Replace(a.Head)
}

// playDialed plays each item with callers of its own for each of a few workers.
func playDialed[T any](t *testing.T, items []T, name func(T) string, limits func(T) [2]int64, play func(*testing.T, *caller, T)) {
	queue := make(chan T)
	var failures atomic.Int32
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			callers := map[[2]int64]*caller{}
			for x := range queue {
				key := limits(x)
				if failures.Load() >= enough {
					continue
				}
				if callers[key] == nil {
					callers[key] = newCaller(t, reactor.Config{MaxMessage: key[0], MaxFragments: int(key[1])})
				}
				if c := callers[key]; !t.Run(name(x), func(t *testing.T) { play(t, c, x) }) {
					failures.Add(1)
					c.stop(t) // it may be in disorder
					delete(callers, key)
				}
			}
			for _, c := range callers {
				c.stop(t)
			}
		})
	}
	for _, x := range items {
		queue <- x
	}
	close(queue)
	wg.Wait()
}

// Every answer, whole with frames behind it, octet by octet and cut at random. One that
// opens nothing is told at the octet at which that is certain; nothing is sent after it,
// and the client is the first to close. Hazards 15, 16, 17, 19 and 30.
func TestAnswerTCP(t *testing.T) {
	playDialed(t, responses(), func(a Answer) string { return a.Name }, func(Answer) [2]int64 { return [2]int64{} },
		func(t *testing.T, c *caller, a Answer) {
			for w := segment; w <= random; w++ {
				c.answer(t, a, w)
			}
		})
}

func (c *caller) answer(t *testing.T, a Answer, w way) {
	p, key := c.call(t)
	defer p.conn.Close()
	certain, rest, _ := strings.Cut(a.to(key), "§")
	behind := rest + "\x89\x01p" // a ping
	if w == segment {
		p.write(certain + behind)
	} else {
		last := len(certain) - 1
		p.writeCut(certain[:last], cuttings(a.Name)[w])
		if len(c.dialed)+len(c.failed) > 0 {
			t.Fatalf("%v: told before the last octet", w)
		}
		p.write(certain[last:])
	}
	want := p.before
	if !a.Opens {
		c.expectFailure(t, &a, w)
		p.closedByClient()
		want.DialsFailed++
		want.OctetsIn, want.OctetsOut = p.readAtLeast(len(certain)), want.OctetsOut+uint64(p.got)
		p.settles(want)
		return
	}
	if got := await(t, c.dialed); got != "" && got != "chat" || (got == "chat") != strings.Contains(certain, "chat") {
		t.Errorf("%v: subprotocol %q", w, got)
	}
	if w != segment {
		p.writeCut(behind, cuttings(a.Name)[w])
	}
	p.expectMasked(pong("p"), c.masks)
	p.fin()
	p.eof()
	if info := await(t, c.ends); info != (reactor.CloseInfo{Code: codec.CloseAbnormal, Remote: true, Offset: 3}) {
		t.Errorf("%v: Closed with %+v", w, info)
	}
	want.Opened, want.Closed, want.PingsIn = want.Opened+1, want.Closed+1, want.PingsIn+1
	want.OctetsIn, want.OctetsOut = want.OctetsIn+uint64(p.sent), want.OctetsOut+uint64(p.got)
	p.settles(want)
}

// expectFailure expects DialFailed, which says what is wrong.
func (c *caller) expectFailure(t *testing.T, a *Answer, w way) {
	t.Helper()
	f := await(t, c.failed)
	var fault *handshake.ResponseError
	switch {
	case !errors.As(f.err, &fault) || fault.Kind != a.Kind || f.state != t.Name():
		t.Fatalf("%v: %v, want the kind %v; state %v", w, f.err, a.Kind, f.state)
	case fault.Kind == handshake.ResponseStatus && !strings.Contains(a.Head, "HTTP/1.1 "+strconv.Itoa(fault.Status)):
		t.Errorf("%v: status %d", w, fault.Status)
	}
}

// closedByClient expects that the client closes, and has sent nothing: it may leave
// with a reset, as what it did not want to read makes its kernel say.
func (p *peer) closedByClient() {
	p.Helper()
	more, err := io.ReadAll(p.conn)
	if len(more) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		p.Fatalf("behind the failed handshake: %.300q, %v", more, err)
	}
}

// readAtLeast waits for the turn in which a handshake failed to be counted, with the n
// octets that made it fail, and returns the counter of all that were read.
func (p *peer) readAtLeast(n int) uint64 {
	p.Helper()
	p.eventually("the answer is counted", func() bool { return p.s.r.Stats().OctetsIn-p.base >= uint64(n) })
	got := p.s.r.Stats().OctetsIn
	if got-p.base > uint64(p.sent) {
		p.Errorf("%d octets read of %d", got-p.base, p.sent)
	}
	return got
}

// await waits for what a handler's call sends.
func await[T any](t *testing.T, from chan T) (x T) {
	t.Helper()
	select {
	case x = <-from:
	case <-time.After(patience):
		t.Fatal("waited in vain for the handler to be called")
	}
	return x
}

// Every case that a client can meet, behind a handshake of its own: all in one segment
// with the answer's head, octet by octet, cut at random across the head's end. Hazards 1,
// 4, 5, 6, 7, 8, 10, 11, 12, 14, 19, 22 and 28.
func TestDialTCP(t *testing.T) {
	var all []Case
	for _, c := range cases() {
		if c.plays(codec.Client) && len(c.Steps[0].Send) <= 100<<10 { // large sizes are the other role's
			all = append(all, c)
		}
	}
	playDialed(t, all, func(c Case) string { return c.Name }, func(c Case) [2]int64 { return [2]int64{c.MaxMessage, int64(c.MaxFragments)} },
		func(t *testing.T, caller *caller, c Case) {
			for w := segment; w <= random; w++ {
				caller.frames(t, &c, w)
			}
		})
}

func (c *caller) frames(t *testing.T, x *Case, w way) {
	p, key := c.call(t)
	defer p.conn.Close()
	sends, rest := x.streams(codec.Client, keys[0])
	all := strings.Join(sends, "")
	_, want := x.joined()
	head := (&Answer{Head: accepted}).to(key)
	switch w {
	case segment:
		p.write(head + all + rest)
	case octets:
		p.write(head[:len(head)-1])
		p.writeCut(head[len(head)-1:]+all, cuttings(x.Name)[w])
	case random:
		p.writeCut(head+all, cuttings(x.Name)[w])
		p.write(rest)
	}
	if got := await(t, c.dialed); got != "" {
		t.Errorf("subprotocol %q", got)
	}
	p.expectMasked(want, c.masks)
	p.endDialed(x, w, int64(len(all)), rest)
}

// endDialed sees how the connection ends: behind a clean close this end, the server's,
// is the first to end; behind a violation, the client is.
func (p *peer) endDialed(x *Case, w way, length int64, rest string) {
	p.Helper()
	want := reactor.CloseInfo{Code: codec.CloseAbnormal, Remote: true}
	var info reactor.CloseInfo
	switch {
	case x.Rule != 0:
		p.eof()
		if w == octets {
			p.leave(rest + "\x81\x01a")
		} else {
			p.leave("")
		}
		info = await(p.T, p.s.ends)
		want = reactor.CloseInfo{Code: answers[x.Rule], Offset: length - 1}
	case x.Code != 0:
		info = await(p.T, p.s.ends)
		want = reactor.CloseInfo{Code: x.Code, Reason: x.Reason, Clean: true, Remote: true, Offset: length}
		p.stillOpen()
		if w == octets {
			p.write(rest)
		}
		p.fin()
		p.eof()
	default:
		p.fin()
		p.eof()
		info = await(p.T, p.s.ends)
		want.Offset = info.Offset
	}
	var broken *codec.ProtocolError
	if errors.As(info.Err, &broken) != (x.Rule != 0) || broken != nil && broken.Rule != x.Rule {
		p.Errorf("%v: Closed with %v, want the rule %v", w, info.Err, x.Rule)
	}
	if broken != nil {
		info.Err = nil
	}
	if info != want {
		p.Errorf("%v: Closed with %+v, want %+v", w, info, want)
	}
	p.countedDialed(x, want.Clean)
}

// stillOpen expects that nothing comes, FIN neither, for as long as a client that
// ended first would need at most.
func (p *peer) stillOpen() {
	p.Helper()
	p.conn.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
	defer p.conn.SetReadDeadline(time.Now().Add(patience))
	var b [1]byte
	if n, err := p.conn.Read(b[:]); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		p.Fatalf("behind a clean close the client sends %q, %v before the server's FIN", b[:n], err)
	}
}

// countedDialed compares the counters that the handshake and the end move.
func (p *peer) countedDialed(x *Case, clean bool) {
	p.Helper()
	want := p.before
	want.Opened++
	want.Closed++
	want.OctetsIn += uint64(p.sent)
	want.OctetsOut += uint64(p.got)
	if clean {
		want.ClosedClean++
	}
	if x.Rule != 0 {
		want.ProtocolErrors[x.Rule]++
	}
	p.eventually("the connection is gone", func() bool { return p.s.r.Stats().Conns == 0 })
	got := p.s.r.Stats() // those of messages are the other role's to show
	want.MessagesIn, want.MessagesOut, want.PingsIn, want.PongsIn = got.MessagesIn, got.MessagesOut, got.PingsIn, got.PongsIn
	p.settles(want)
}
