//go:build linux

package conformance

// The driver over TCP: the server that cmd/hybi is, in this process, and a peer
// that writes octets. Whatever is counted is compared after each connection, so a
// server has one peer at a time; there are as many servers as cases in parallel.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/reactor"
)

// patience bounds every wait: what takes longer has failed.
const patience = 10 * time.Second

// enough failures tell that something is wrong everywhere.
const enough = 10

// A server echoes, says how its connections ended, and begins the closing handshake at
// the text "bye".
type server struct {
	r    *reactor.Reactor
	addr string
	ends chan reactor.CloseInfo
	run  chan error
}

func (s *server) Opened(reactor.Conn) {}
func (s *server) Message(c reactor.Conn, op codec.Opcode, payload []byte) {
	if op == codec.OpText && string(payload) == "bye" {
		c.Close(codec.CloseNormal, "")
		return
	}
	c.Send(op, payload)
}
func (s *server) Closed(_ reactor.Conn, info reactor.CloseInfo) { s.ends <- info }

// serve starts a server on the loopback.
func serve(t testing.TB, cfg reactor.Config) *server {
	t.Helper()
	s := prepare(t, cfg)
	if err := s.r.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.addr = s.r.Addrs()[0].String()
	s.start(s)
	return s
}

// prepare makes a server that has no address yet.
func prepare(t testing.TB, cfg reactor.Config) *server {
	t.Helper()
	cfg.Loops, cfg.Poison, cfg.Logger = 1, true, slog.New(slog.DiscardHandler)
	r, err := reactor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &server{r: r, ends: make(chan reactor.CloseInfo, 1<<10), run: make(chan error, 1)}
}

// start runs it with h for its handler.
func (s *server) start(h reactor.Handler) {
	go func() { s.run <- s.r.Run(func(int) reactor.Handler { return h }) }()
}

// stop ends the server and sees that nothing is left of its connections.
func (s *server) stop(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.r.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-s.run; err != nil {
		t.Errorf("Run: %v", err)
	}
	if st := s.r.Stats(); st.Conns != 0 || st.QueuedOctets != 0 || st.MemoryOctets != 0 || st.Opened != st.Closed || st.HandlerPanics != 0 {
		t.Errorf("left: %d connections, %d octets queued, %d octets of memory; %d opened, %d closed; %d panics",
			st.Conns, st.QueuedOctets, st.MemoryOctets, st.Opened, st.Closed, st.HandlerPanics)
	}
}

// servers lends servers by their limits, and makes them as needed.
type servers struct {
	mu   sync.Mutex
	free map[[2]int64][]*server
	all  []*server
}

func (p *servers) take(t testing.TB, key [2]int64) *server {
	p.mu.Lock()
	defer p.mu.Unlock()
	if list := p.free[key]; len(list) > 0 {
		p.free[key] = list[:len(list)-1]
		return list[len(list)-1]
	}
	s := serve(t, reactor.Config{MaxMessage: key[0], MaxFragments: int(key[1]), Subprotocols: subprotocols})
	p.all = append(p.all, s)
	return s
}

func (p *servers) give(key [2]int64, s *server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free[key] = append(p.free[key], s)
}

// A peer is the other end of one connection.
type peer struct {
	*testing.T
	s      *server
	conn   *net.TCPConn
	before reactor.Stats
	base   uint64 // octets that the server had read before
	sent   int
	got    int
}

// dial connects; what other connections left to be counted is counted before.
func (s *server) dial(t *testing.T) *peer {
	t.Helper()
	p := &peer{T: t, s: s}
	p.eventually("the last connection is gone and counted", func() bool {
		p.before = s.r.Stats()
		return p.before.Conns == 0 && p.before.Opened == p.before.Closed
	})
	p.base = p.before.OctetsIn
	p.connect()
	return p
}

// connect is dial while there are other connections.
func (p *peer) connect() {
	p.Helper()
	conn, err := net.Dial("tcp", p.s.addr)
	if err != nil {
		p.Fatal(err)
	}
	p.conn = conn.(*net.TCPConn)
	p.conn.SetDeadline(time.Now().Add(patience))
}

// eventually waits for what another goroutine brings about.
func (p *peer) eventually(what string, holds func() bool) {
	p.Helper()
	for end := time.Now().Add(patience); !holds(); blink() {
		if time.Now().After(end) {
			p.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

// blink waits for less time than the runtime can, whose poller rounds to a
// millisecond when nothing else is to do.
func blink() {
	ts := unix.NsecToTimespec(30_000)
	unix.Nanosleep(&ts, nil)
}

// large is what is more than sockets are sure to take.
const large = 32 << 10

// write sends octets. Many go from a goroutine of their own, as the server may want
// to be read from meanwhile; until they are read, nothing else may be written.
func (p *peer) write(s string) {
	p.Helper()
	p.sent += len(s)
	if len(s) > large {
		go p.conn.Write([]byte(s))
		return
	}
	if _, err := io.WriteString(p.conn, s); err != nil {
		p.Fatalf("write: %v", err)
	}
}

// writeCut sends octets in chunks, each when the one before has been read.
func (p *peer) writeCut(s string, cut cutting) {
	p.Helper()
	for len(s) > 0 {
		n := min(cut.next(len(s)), len(s))
		p.write(s[:n])
		s = s[n:]
		p.eventually("the chunk is read", p.allRead)
	}
}

// allRead reports whether the server has read all that was sent.
func (p *peer) allRead() bool { return p.s.r.Stats().OctetsIn-p.base >= uint64(p.sent) }

// expect reads what is wanted, to the octet.
func (p *peer) expect(want string) {
	p.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(p.conn, got)
	p.got += n
	if got = got[:n]; string(got) != want {
		p.Fatalf("got %.600q\nwant %.600q\n(%v)", got, want, err)
	}
}

// eof expects the server's FIN, nothing before it and no reset.
func (p *peer) eof() {
	p.Helper()
	if more, err := io.ReadAll(p.conn); err != nil || len(more) > 0 {
		p.Fatalf("instead of FIN: %.300q, %v", more, err)
	}
}

// fin shuts this direction.
func (p *peer) fin() {
	p.Helper()
	if p.sent > large {
		p.eventually("all is read", p.allRead)
	}
	if err := p.conn.CloseWrite(); err != nil {
		p.Fatal(err)
	}
}

// leave is the end for this side, after the server's FIN: more octets, which nobody
// may answer, and a FIN. A reset would show in the last read.
func (p *peer) leave(more string) {
	p.Helper()
	p.write(more)
	p.eventually("the rest is read", p.allRead)
	p.fin()
	p.eof()
	p.conn.Close()
}

// A way is how a case is played over TCP.
type way uint8

const (
	segment    way = iota // the request, the frames and the rest in one write
	octets                // octet by octet, the rest once the answer is whole
	random                // cut at random, the rest at once
	answerEach            // each step once the step before has been answered
	finBehind             // all of it and a FIN in one go
	numWays
)

func (w way) String() string {
	return [...]string{"in one segment", "octet by octet", "cut at random", "answer by answer", "with a FIN behind"}[w]
}

// TestMain gives the servers' threads processors besides the tests' own.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))
	m.Run()
}

// Every case that a server can meet, in every way; lent memory is overwritten at once,
// so that octets of other messages would show. Hazards 1, 4, 5, 6, 7, 8, 10, 11, 12,
// 14, 19, 22, 28 and 29.
func TestTCP(t *testing.T) {
	pool := &servers{free: map[[2]int64][]*server{}}
	queue := make(chan Case)
	var failures atomic.Int32
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for c := range queue {
				if failures.Load() < enough && !t.Run(c.Name, func(t *testing.T) { pool.play(t, c) }) {
					failures.Add(1)
				}
			}
		})
	}
	for _, c := range cases() {
		// The oracle's are masked with three keys; here the keys change with the way.
		if c.plays(codec.Server) && !strings.HasSuffix(c.Name, "00000000") && !strings.HasSuffix(c.Name, "01020408") {
			queue <- c
		}
	}
	close(queue)
	wg.Wait()
	for _, s := range pool.all {
		s.stop(t)
	}
}

// workers is how many cases are played at a time. Most wait for an octet to be read.
const workers = 6

// play plays a case in every way. A server that failed one is not used again, as it
// may be in disorder.
func (p *servers) play(t *testing.T, c Case) {
	key := [2]int64{c.MaxMessage, int64(c.MaxFragments)}
	s := p.take(t, key)
	m := c.meaning()
	for w := range numWays {
		if w == answerEach && len(c.Steps) == 1 {
			continue // octet by octet, the one answer came before the rest as well
		}
		if !t.Run(w.String(), func(t *testing.T) { playTCP(t, s, c, m, w) }) {
			return
		}
	}
	p.give(key, s)
}

// A meaning is what the oracle says of what a case sends, but for the answers.
type meaning struct {
	boundary               bool  // a ping can follow
	offset                 int64 // as far as it is understood
	pings, pongs, messages uint64
}

func (c *Case) meaning() (m meaning) {
	sends, _ := c.streams(codec.Server, keys[0])
	all := strings.Join(sends, "")
	r := c.decode(codec.Server, all)
	m.offset = r.Offset
	for _, e := range r.Events {
		switch {
		case e.Opcode == codec.OpPing:
			m.pings++
		case e.Opcode == codec.OpPong:
			m.pongs++
		case e.Opcode.IsData() && e.Last:
			m.messages++
		}
	}
	m.boundary = r.Rule == 0 && c.Code == 0 && c.atBoundary(codec.Server, all)
	return m
}

func playTCP(t *testing.T, s *server, c Case, m meaning, w way) {
	p := s.dial(t)
	defer p.conn.Close()
	sends, rest := c.streams(codec.Server, keys[(int(w)+len(c.Name))%len(keys)])
	all := strings.Join(sends, "")
	_, want := c.joined()
	if w != segment {
		p.write(request)
		p.expect(accepted)
	}
	switch w {
	case segment:
		p.write(request + all + rest)
		p.expect(accepted)
	case octets:
		p.writeCut(all, cuttings(c.Name)[1])
	case random:
		p.writeCut(all, cuttings(c.Name)[2])
		p.write(rest)
	case answerEach:
		for i, step := range c.Steps {
			p.write(sends[i])
			p.expect(step.Reply)
		}
		want = ""
	case finBehind:
		p.write(all + rest)
		p.fin()
	}
	p.expect(want)
	p.end(&c, &m, w, len(all), rest)
}

// end sees how the connection ends, what the handler is told, and what is counted.
func (p *peer) end(c *Case, m *meaning, w way, length int, rest string) {
	p.Helper()
	want := reactor.CloseInfo{Code: codec.CloseAbnormal, Remote: true, Offset: m.offset}
	pings := uint64(0)
	switch ended := c.Rule != 0 || c.Code != 0; {
	case ended:
		switch p.eof(); w { // the server's FIN is the first, but for finBehind
		case octets, answerEach:
			p.leave(rest + "GET /again HTTP/1.1\r\n\r\n\xff\xff\x88\x82")
		case segment, random:
			p.leave("")
		}
		want = reactor.CloseInfo{Code: c.Code, Reason: c.Reason, Clean: true, Remote: true, Offset: int64(length)}
		if c.Rule != 0 {
			want = reactor.CloseInfo{Code: answers[c.Rule], Offset: int64(length - 1)}
		}
	case w == finBehind:
		p.eof()
	case w != random && m.boundary:
		p.write("\x89\x81\x00\x00\x00\x00?" + "\x88\x82\x00\x00\x00\x00\x03\xe8")
		p.expect(pong("?") + closing(1000, ""))
		p.eof()
		want = reactor.CloseInfo{Code: 1000, Clean: true, Remote: true, Offset: int64(length + 15)}
		pings = 1
	default:
		p.fin()
		p.eof()
	}
	p.conn.Close()
	var info reactor.CloseInfo
	select {
	case info = <-p.s.ends:
	case <-time.After(patience):
		p.Fatal("waited in vain for Closed")
	}
	var broken *codec.ProtocolError
	if c.Rule != 0 && (!errors.As(info.Err, &broken) || broken.Rule != c.Rule) {
		p.Errorf("Closed with %v, want the rule %v", info.Err, c.Rule)
	}
	if broken != nil {
		info.Err = nil
	}
	if info != want {
		p.Errorf("Closed with %+v, want %+v", info, want)
	}
	p.counted(c, m, pings, want.Clean)
}

// counted compares the counters once the connection is gone: those that the case is
// about, and all others, which must not have moved.
func (p *peer) counted(c *Case, m *meaning, pings uint64, clean bool) {
	p.Helper()
	want := p.before
	want.Accepted++
	want.Opened++
	want.Closed++
	want.PingsIn += m.pings + pings
	want.PongsIn += m.pongs
	want.MessagesIn += m.messages
	want.MessagesOut += m.messages
	if clean {
		want.ClosedClean++
	}
	if c.Rule != 0 {
		want.ProtocolErrors[c.Rule]++
	}
	want.OctetsIn += uint64(p.sent)
	want.OctetsOut += uint64(p.got)
	p.settles(want)
}

// settles waits for the counters to be as wanted.
func (p *peer) settles(want reactor.Stats) {
	p.Helper()
	var got reactor.Stats
	for end := time.Now().Add(patience / 5); ; blink() {
		if got = p.s.r.Stats(); got == want {
			return
		}
		if time.Now().After(end) {
			p.Fatalf("counters %s", differing(got, want))
		}
	}
}

// differing names the counters that are not as wanted.
func differing(got, want reactor.Stats) string {
	g, w := strings.Fields(fmt.Sprintf("%+v", got)), strings.Fields(fmt.Sprintf("%+v", want))
	var list []string
	for i := range g {
		if i < len(w) && g[i] != w[i] {
			list = append(list, fmt.Sprintf("%s, want %s", g[i], w[i]))
		}
	}
	return strings.Join(list, "; ")
}
