//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/reactor"
)

// A server is an echo server that may do something else instead.
type server struct {
	echo
	message func(c reactor.Conn, op codec.Opcode, payload []byte)
	opened  func(c reactor.Conn)
	upgrade func(accept *handshake.Accept) *handshake.Refusal
}

func (s *server) Message(c reactor.Conn, op codec.Opcode, payload []byte) {
	if s.message != nil {
		s.message(c, op, payload)
		return
	}
	s.echo.Message(c, op, payload)
}

func (s *server) Opened(c reactor.Conn) {
	if s.opened != nil {
		s.opened(c)
	}
}

func (s *server) Upgrade(_ reactor.Conn, _ *handshake.Request, accept *handshake.Accept) *handshake.Refusal {
	if s.upgrade != nil {
		return s.upgrade(accept)
	}
	return nil
}

// serve runs s on one loop and returns its URL.
func serve(t *testing.T, s *server, network, addr string) string {
	t.Helper()
	r, err := reactor.New(reactor.Config{Loops: 1, Subprotocols: []string{"chat"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Listen(network, addr); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.Run(func(int) reactor.Handler { return s }) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.Shutdown(ctx)
		<-done
	})
	return url(r.Addrs()[0])
}

// serveRaw answers opening handshakes, and leaves the rest to f. It returns the URL.
func serveRaw(t *testing.T, f func(c *net.TCPConn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				var head []byte
				var reader handshake.Reader
				for b := make([]byte, 1024); ; {
					n, err := c.Read(b)
					if head = append(head, b[:n]...); err != nil {
						return
					}
					if req, n, _ := reader.Next(head); n > 0 {
						answer, _ := handshake.AppendAccept(nil, &req, &handshake.Accept{})
						c.Write(answer)
						break
					}
				}
				f(c.(*net.TCPConn))
			}()
		}
	}()
	return "ws://" + ln.Addr().String()
}

// options are those of a short run, and more flags.
func options(t *testing.T, url string, flags ...string) *loadOptions {
	t.Helper()
	args := append(strings.Fields("-conns 4 -loops 1 -duration 200ms -warmup 20ms -timeout 2s"), flags...)
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	o := loadFlags(fs)
	if err := fs.Parse(append(args, url)); err != nil {
		t.Fatal(err)
	}
	if err := o.complete(fs); err != nil {
		t.Fatal(err)
	}
	return o
}

// measured runs the generator to its end.
func measured(t *testing.T, url string, flags ...string) *loadReport {
	t.Helper()
	began := time.Now()
	report, err := runLoad(options(t, url, flags...), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	return report
}

// fine checks a run in which nothing went wrong.
func fine(t *testing.T, r *loadReport) {
	t.Helper()
	if err := r.verdict(); err != nil || r.ConnectionsOpened != uint64(r.ConnectionsWanted) || r.ConnectionsClean != r.ConnectionsOpened ||
		len(r.ConnectionsFailed)+len(r.ConnectionsLost)+len(r.WrongEchoes) > 0 || r.MessagesSent == 0 || r.EchoesReceived != r.MessagesSent ||
		r.Unanswered+r.Unsent+r.Abandoned+r.BacklogOverflow > 0 || r.EchoesMeasured == 0 || r.Latency.Count == 0 || r.Latency.P50 <= 0 || r.Interrupted {
		t.Errorf("%v: %s", err, r.text())
	}
}

// Sizes, types, loops, both models: all comes back, and is counted.
func TestLoad(t *testing.T) {
	url := serve(t, &server{}, "tcp", "127.0.0.1:0")
	unix := serve(t, &server{}, "unix", filepath.Join(t.TempDir(), "s"))
	for _, x := range []struct{ url, flags string }{
		{url, ""},
		{url, "-conns 50 -outstanding 16 -loops 2 -type text -size 1-300"},
		{url, "-size 1 -outstanding 7"},
		{url, "-size 0 -outstanding 3"},
		{url, "-size 0-3 -type text -outstanding 3"},
		{url, "-size 100KiB-1MiB -outstanding 3 -type text"},
		{url, "-conns 1 -size 256KiB -outstanding 64"}, // more than both sides' queues and buffers hold
		{url, "-rate 3000 -loops 2 -conns 5 -size 12-20 -type text"},
		{url, "-rate 500 -conns 7 -size 1"},
		{unix, "-outstanding 4"},
	} {
		r := measured(t, x.url, strings.Fields(x.flags)...)
		fine(t, r)
		if d := r.MeasuredSeconds; d < 0.2 || d > 0.5 {
			t.Errorf("%s: measured %v s", x.flags, d)
		}
		if want := r.RateWanted * r.MeasuredSeconds; want > 0 {
			if n := float64(r.Latency.Count); n < want*0.98-2 || n > want*1.02+2 {
				t.Errorf("%s: %v messages due in %v s", x.flags, n, r.MeasuredSeconds)
			}
			if r.SendDelay.Count == 0 {
				t.Errorf("%s: no message was sent when it was due", x.flags)
			}
		}
	}
}

// What the request is to hold, the server gets, and what it chooses is told.
func TestLoadRequest(t *testing.T) {
	got := make(chan string, 1)
	r, err := reactor.New(reactor.Config{Loops: 1, Subprotocols: []string{"chat"}, Origins: handshake.AnyOrigin()})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.Run(func(int) reactor.Handler { return &curious{got: got} }) }()
	report := measured(t, url(r.Addrs()[0])+"/a?b", "-conns", "1", "-subprotocol", "x", "-subprotocol", "chat", "-header", "Authorization:  Bearer x ", "-origin", "https://a.example")
	r.Shutdown(context.Background())
	<-done
	fine(t, report)
	if s := <-got; s != "/a?b|Bearer x|https://a.example" || report.Subprotocol != "chat" {
		t.Errorf("the server got %q, and chose %q", s, report.Subprotocol)
	}
}

type curious struct {
	echo
	got chan string
}

func (c *curious) Upgrade(_ reactor.Conn, req *handshake.Request, _ *handshake.Accept) *handshake.Refusal {
	c.got <- string(req.Target()) + "|" + string(req.Header("Authorization")) + "|" + string(req.Origin())
	return nil
}

// Each kind of wrong echo is told as that, and nothing else is.
func TestLoadWrongEchoes(t *testing.T) {
	type message = func(c reactor.Conn, op codec.Opcode, payload []byte)
	flip := func(at int) message {
		return func(c reactor.Conn, op codec.Opcode, payload []byte) {
			payload[at] ^= 0x20
			c.Send(op, payload)
		}
	}
	twice := func(c reactor.Conn, op codec.Opcode, payload []byte) {
		c.Send(op, payload)
		c.Send(op, payload)
	}
	for _, x := range []struct {
		kind, flags string
		message     message
	}{
		{"altered", "-size 100", flip(99)},
		{"altered", "-size 100 -outstanding 3", flip(2)},
		{"altered", "-size 5 -outstanding 3", flip(4)},
		{"of_other_length", "-type text -size 15", func(c reactor.Conn, op codec.Opcode, payload []byte) { c.Send(op, payload[:14]) }},
		{"of_other_length", "", func(c reactor.Conn, op codec.Opcode, payload []byte) { c.Send(op, append(payload[:64:64], 'x')) }},
		{"of_other_type", "-type text -outstanding 3", func(c reactor.Conn, _ codec.Opcode, payload []byte) { c.Send(codec.OpBinary, payload) }},
		{"doubled", "-outstanding 3", twice},
		{"doubled", "-size 6", twice},
		{"out_of_order", "-outstanding 2", swap()},
		{"out_of_order", "-outstanding 2 -size 3-9", swap()},
		{"lost", "-outstanding 4", drop(50)},
		{"of_other_connection", "-conns 2 -outstanding 2", mixUp()},
	} {
		s := &server{message: x.message}
		r := measured(t, serve(t, s, "tcp", "127.0.0.1:0"), append(strings.Fields(x.flags), "-duration", "80ms", "-timeout", "300ms")...)
		if x.kind == "of_other_connection" { // some come to their own after all
			delete(r.WrongEchoes, "out_of_order")
			delete(r.WrongEchoes, "doubled")
		}
		if len(r.WrongEchoes) != 1 || r.WrongEchoes[x.kind] == 0 || r.verdict() == nil || len(r.ConnectionsLost) > 0 {
			t.Errorf("%s, %s: %v, %v", x.kind, x.flags, r.WrongEchoes, r.ConnectionsLost)
		}
		if n := r.EchoesMeasured + sum(r.WrongEchoes) - r.WrongEchoes["lost"]; n > r.EchoesReceived && x.kind != "of_other_connection" {
			t.Errorf("%s, %s: wrong echoes count as throughput: %s", x.kind, x.flags, r.text())
		}
		if n := uint64(r.Latency.Count) + r.WrongEchoes[x.kind]; n > r.MessagesSent && (x.kind == "altered" || x.kind == "out_of_order") {
			t.Errorf("%s, %s: wrong echoes have a latency: %s", x.kind, x.flags, r.text())
		}
	}
	greeting := &server{opened: func(c reactor.Conn) { c.Send(codec.OpText, []byte("welcome to the machine")) }}
	if r := measured(t, serve(t, greeting, "tcp", "127.0.0.1:0"), "-rate", "40"); r.WrongEchoes["unasked"] == 0 || r.EchoesReceived != r.MessagesSent+4 {
		t.Errorf("unasked: %s", r.text())
	}
	fine(t, measured(t, serve(t, &server{message: flip(63)}, "tcp", "127.0.0.1:0"), "-verify=false"))
}

// One message is lost: the others go on, whether it is told by those behind it or at the
// end.
func TestLoadLostMessage(t *testing.T) {
	for _, flags := range []string{"-outstanding 2", "-rate 400 -timeout 300ms"} {
		r := measured(t, serve(t, &server{message: dropOnce()}, "tcp", "127.0.0.1:0"), append([]string{"-conns", "1"}, strings.Fields(flags)...)...)
		if r.WrongEchoes["lost"] != 1 || len(r.WrongEchoes) != 1 || r.EchoesReceived+1 != r.MessagesSent || r.Unanswered > 0 || r.RateWanted == 0 && r.MessagesSent < 3*minWindow {
			t.Errorf("%s: %s", flags, r.text())
		}
	}
}

// swap echoes in pairs, the second first.
func swap() func(reactor.Conn, codec.Opcode, []byte) {
	held := map[reactor.Conn][]byte{}
	return func(c reactor.Conn, op codec.Opcode, payload []byte) {
		if first := held[c]; first != nil {
			c.Send(op, payload)
			c.Send(op, first)
			delete(held, c)
			return
		}
		held[c] = bytes.Clone(payload)
	}
}

// drop leaves out one in n.
func drop(n int) func(reactor.Conn, codec.Opcode, []byte) {
	count := 0
	return func(c reactor.Conn, op codec.Opcode, payload []byte) {
		if count++; count%n != 0 {
			c.Send(op, payload)
		}
	}
}

// dropOnce leaves out the fifth.
func dropOnce() func(reactor.Conn, codec.Opcode, []byte) {
	count := 0
	return func(c reactor.Conn, op codec.Opcode, payload []byte) {
		if count++; count != 5 {
			c.Send(op, payload)
		}
	}
}

// mixUp answers each message with the one that came before it, of whichever connection.
func mixUp() func(reactor.Conn, codec.Opcode, []byte) {
	var before []byte
	return func(c reactor.Conn, op codec.Opcode, payload []byte) {
		mine := bytes.Clone(payload)
		if before != nil {
			c.Send(op, before)
		}
		before = mine
	}
}

// A server that stops for a while: with a rate all messages that were due meanwhile are
// late, as they would be for users; without one only those under way are.
func TestLoadStall(t *testing.T) {
	const stall = 250 * time.Millisecond
	slow := func(r *loadReport) (n int64) {
		for _, b := range r.Histogram {
			if b.UpTo > int64(stall/2) {
				n += b.Count
			}
		}
		return n
	}
	for _, rate := range []string{"0", "2000"} {
		at := time.Now().Add(150 * time.Millisecond)
		stalled := false
		s := &server{message: func(c reactor.Conn, op codec.Opcode, payload []byte) {
			if !stalled && time.Now().After(at) {
				stalled = true
				time.Sleep(stall)
			}
			c.Send(op, payload)
		}}
		r := measured(t, serve(t, s, "tcp", "127.0.0.1:0"), "-rate", rate, "-duration", "600ms", "-outstanding", "2")
		fine(t, r)
		// Of 500 that were due in the stall, those of the first half waited for longer than
		// half of it. Bars are coarse: from 200 ms on is what is sure to be counted.
		if n := slow(r); rate == "0" && n > 8 || rate != "0" && n < 80 || r.Latency.Max < int64(stall)*9/10 {
			t.Errorf("rate %s: %d messages were slow, at most %v", rate, n, time.Duration(r.Latency.Max))
		}
	}
}

// A server that never answers: a bounded backlog, what exceeds it counted, and an end.
func TestLoadNoEcho(t *testing.T) {
	silent := &server{message: func(reactor.Conn, codec.Opcode, []byte) {}}
	url := serve(t, silent, "tcp", "127.0.0.1:0")
	r := measured(t, url, "-outstanding", "3", "-timeout", "200ms")
	if err := r.verdict(); err == nil || r.MessagesSent != 12 || r.Unanswered != 12 || r.ConnectionsClean != 4 || len(r.WrongEchoes) > 0 || r.Latency.Count > 0 {
		t.Errorf("%v: %s", err, r.text())
	}
	r = measured(t, url, "-rate", "5000", "-outstanding", "3", "-timeout", "200ms")
	if r.MessagesSent != 12 || r.Unanswered != 12 || r.Unsent < 800 || r.Unsent > 1300 || r.BacklogOverflow != 0 {
		t.Errorf("%s", r.text())
	}
	o := options(t, url, "-rate", "20000", "-outstanding", "1", "-timeout", "200ms")
	o.backlog = 4 * 100
	r, err := runLoad(o, nil, nil)
	if err != nil || r.Unsent != 4*100 || r.BacklogOverflow < 3000 {
		t.Errorf("%v: %s", err, r.text())
	}
}

// Connections that do not come about are counted by cause, and the run ends at once.
func TestLoadNotConnected(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	refusing := &server{upgrade: func(*handshake.Accept) *handshake.Refusal { return handshake.Refuse(429, "too many") }}
	for _, x := range []struct{ cause, url, timeout string }{
		{"refused", "ws://" + gone.Addr().String(), "2s"},
		{"no_such_socket", "unix:" + filepath.Join(t.TempDir(), "none"), "2s"},
		{"timed_out", serveStuck(t), "150ms"},
		{"status_429", serve(t, refusing, "tcp", "127.0.0.1:0"), "2s"},
	} {
		began := time.Now()
		r := measured(t, x.url, "-conns", "300", "-timeout", x.timeout, "-duration", "1m")
		if err := r.verdict(); err == nil || !strings.Contains(err.Error(), x.cause+" 300") || len(r.ConnectionsFailed) != 1 || r.ConnectionsOpened != 0 || time.Since(began) > 4*time.Second {
			t.Errorf("%s: %v, %v", x.cause, err, r.ConnectionsFailed)
		}
	}
}

// Some are refused, the others go on.
func TestLoadPartlyRefused(t *testing.T) {
	n := 0
	s := &server{upgrade: func(*handshake.Accept) *handshake.Refusal {
		if n++; n%2 == 0 {
			return handshake.Refuse(503, "full")
		}
		return nil
	}}
	r := measured(t, serve(t, s, "tcp", "127.0.0.1:0"), "-conns", "10")
	if err := r.verdict(); err != nil || r.ConnectionsOpened != 5 || r.ConnectionsFailed["status_503"] != 5 || r.EchoesMeasured == 0 || r.ConnectionsClean != 5 {
		t.Errorf("%v: %s", err, r.text())
	}
}

// Connections that end in the middle are counted by cause, and when all are gone the
// run ends.
func TestLoadLost(t *testing.T) {
	n := 0
	closing := &server{message: func(c reactor.Conn, op codec.Opcode, payload []byte) {
		c.Send(op, payload)
		if n++; n > 100 {
			c.Close(codec.CloseGoingAway, "")
		}
	}}
	// In the measured time, which ends with them.
	at := time.Now().Add(250 * time.Millisecond)
	late := &server{message: func(c reactor.Conn, op codec.Opcode, payload []byte) {
		c.Send(op, payload)
		if time.Now().After(at) {
			c.Close(codec.CloseGoingAway, "")
		}
	}}
	if r := measured(t, serve(t, late, "tcp", "127.0.0.1:0"), "-duration", "1m"); r.ConnectionsLost["close_1001"] != 4 || r.MeasuredSeconds < 0.05 || r.MeasuredSeconds > 2 || r.EchoesPerSecond < 10 {
		t.Errorf("%s", r.text())
	}
	first := func(c net.Conn) { c.Read(make([]byte, 1000)) }
	for _, x := range []struct{ cause, url string }{
		{"close_1001", serve(t, closing, "tcp", "127.0.0.1:0")},
		{"protocol_error", serveRaw(t, func(c *net.TCPConn) { first(c); io.WriteString(c, "\x83\x00"); io.Copy(io.Discard, c) })},
		{"ended_without_close", serveRaw(t, func(c *net.TCPConn) { first(c) })},
		{"reset", serveRaw(t, func(c *net.TCPConn) { first(c); c.SetLinger(0) })},
	} {
		r := measured(t, x.url, "-duration", "1m", "-timeout", "300ms")
		if r.ConnectionsOpened != 4 || r.ConnectionsLost[x.cause] != 4 || len(r.ConnectionsLost) != 1 || r.MeasuredSeconds > 1 || r.Interrupted || len(r.WrongEchoes) > 0 ||
			r.EchoesReceived+r.Abandoned != r.MessagesSent {
			t.Errorf("%s: %s", x.cause, r.text())
		}
	}
}

// No connection is opened before its time in the ramp.
func TestLoadRamp(t *testing.T) {
	const n, ramp = 30, 300 * time.Millisecond
	var mu sync.Mutex
	var at []time.Time
	s := &server{opened: func(reactor.Conn) {
		mu.Lock()
		at = append(at, time.Now())
		mu.Unlock()
	}}
	url := serve(t, s, "tcp", "127.0.0.1:0")
	began := time.Now()
	r := measured(t, url, "-conns", "30", "-ramp", "300ms", "-loops", "2")
	fine(t, r)
	if r.WarmUpSeconds < 0.29 {
		t.Errorf("measured from %v s on, in the ramp", r.WarmUpSeconds)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, opened := range at {
		if opened.Sub(began) < ramp/n*time.Duration(i) {
			t.Errorf("connection %d opened after %v", i, opened.Sub(began))
		}
	}
}

// In a steady state nothing is allocated for a message, in either model.
func TestLoadAllocations(t *testing.T) {
	p := serving(t, "-addr", "127.0.0.1:0", "-loops", "1")
	for _, flags := range []string{"-outstanding 8", "-outstanding 8 -type text -size 20-60", "-rate 30000 -conns 20"} {
		var before, after runtime.MemStats
		o := options(t, "ws://"+p.addr, append(strings.Fields(flags), "-duration", "500ms")...)
		runtime.ReadMemStats(&before)
		r, err := runLoad(o, nil, nil)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		fine(t, r)
		if n := after.Mallocs - before.Mallocs; n > 4000+r.MessagesSent/2 {
			t.Errorf("%s: %d allocations for %d messages", flags, n, r.MessagesSent)
		}
	}
}

// A line each second, and the summary.
func TestLoadProgress(t *testing.T) {
	url := serve(t, &server{}, "tcp", "127.0.0.1:0")
	var b bytes.Buffer
	if _, err := runLoad(options(t, url, "-duration", "1s", "-warmup", "1050ms"), nil, &b); err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^(   1 s warm-up|   2 s +\d+ %)      4 conns +[1-9]\d* msg/s +\d+\.\d\d MB/s  p50 \S+ [mµn]s  p99 \S+ [mµ]s  max \S+ [mµ]s  errors 0$`)
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for _, line := range lines {
		if !form.MatchString(line) {
			t.Errorf("%q", line)
		}
	}
	if len(lines) != 2 {
		t.Errorf("%d lines", len(lines))
	}
}

// A signal ends a run with the summary so far; its JSON can be read.
func TestLoadInterrupted(t *testing.T) {
	s := serving(t, "-addr", "127.0.0.1:0", "-loops", "1")
	for _, flags := range []string{"-warmup 10ms -duration 1m", "-warmup 1m"} {
		p := child(t, append(strings.Fields("load ws://"+s.addr+" -json -conns 3 -progress"), strings.Fields(flags)...)...)
		p.shows("msg/s")
		p.Process.Signal(os.Interrupt)
		var out strings.Builder
		for line := range p.lines {
			out.WriteString(line + "\n")
		}
		var r loadReport
		if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		if status := p.exit(); status != 0 || !r.Interrupted || r.ConnectionsOpened != 3 || r.ConnectionsClean != 3 || r.EchoesReceived == 0 || r.EchoesReceived != r.MessagesSent || r.MeasuredSeconds > 30 {
			t.Errorf("status %d, %s", status, out.String())
		}
	}
}

// A second signal ends it at once, though the server owes echoes.
func TestLoadSecondSignal(t *testing.T) {
	url := serve(t, &server{message: func(reactor.Conn, codec.Opcode, []byte) {}}, "tcp", "127.0.0.1:0")
	p := child(t, "load", url, "-timeout", "1m", "-progress", "-warmup", "10ms")
	p.shows("msg/s")
	p.Process.Signal(syscall.SIGTERM)
	time.Sleep(50 * time.Millisecond)
	began := time.Now()
	p.Process.Signal(syscall.SIGTERM)
	if status := p.exit(); status != 1 || time.Since(began) > time.Second {
		t.Errorf("status %d after %v", status, time.Since(began))
	}
}

// Without a terminal there are no lines but the summary; flags may stand behind the URL.
func TestLoadProgram(t *testing.T) {
	s := serving(t, "-addr", "127.0.0.1:0", "-loops", "1")
	p := child(t, "load", "-conns", "2", "ws://"+s.addr, "-duration", "100ms", "-warmup", "10ms")
	var out strings.Builder
	for line := range p.lines {
		out.WriteString(line + "\n")
	}
	if status := p.exit(); status != 0 || p.errout.String() != "" || !strings.Contains(out.String(), "connections            2 of 2") || !strings.Contains(out.String(), "p99.9") {
		t.Errorf("status %d, %s, %s", status, out.String(), p.errout)
	}
	p = child(t, "load", "ws://127.0.0.1:1", "-conns", "2")
	if status := p.exit(); status != 1 || !strings.HasPrefix(p.errout.String(), "hybi: load: nothing could be connected to ws://127.0.0.1:1: refused 2\n") {
		t.Errorf("status %d, %s", status, p.errout)
	}
}

// Echoes that all come too late are a failure with a remedy, and so are connections that
// nothing was left for.
func TestLoadMeasuredNothing(t *testing.T) {
	slow := &server{message: func(c reactor.Conn, op codec.Opcode, payload []byte) {
		time.Sleep(500 * time.Millisecond)
		c.Send(op, payload)
	}}
	r := measured(t, serve(t, slow, "tcp", "127.0.0.1:0"), "-conns", "1", "-duration", "20ms", "-warmup", "0s")
	if err := r.verdict(); err == nil || !strings.HasSuffix(err.Error(), "in the measured time: raise -duration") || r.EchoesReceived == 0 || r.EchoesMeasured > 0 || r.Latency.Count > 1 {
		t.Errorf("%v: %s", err, r.text())
	}
	stuck := serveStuck(t)
	r = measured(t, stuck, "-conns", "2000", "-duration", "20ms", "-timeout", "250ms")
	if s := r.text(); !strings.Contains(s, ": -timeout 250ms ended it; raise -timeout or use -ramp\n") {
		t.Error(s)
	}
}

// serveStuck returns the URL of a listener where the kernel connects and nobody answers.
func serveStuck(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return "ws://" + ln.Addr().String()
}

// A host that is not known is told as a connection that is refused is: with the summary.
func TestLoadUnknownHost(t *testing.T) {
	host := strings.Repeat("a", 64) + ".invalid" // no name: nobody is asked
	var stdout, stderr bytes.Buffer
	status := execute([]string{"load", "-json", "-conns", "3", "-warmup", "2s", "ws://" + host + ":9"}, &stdout, &stderr)
	var r loadReport
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || status != 1 || !strings.Contains(stderr.String(), host) || strings.Count(stderr.String(), "\n") != 1 ||
		r.ConnectionsFailed["unknown_host"] != 3 || r.ConnectionsWanted != 3 || r.ConnectionsDialed != 3 || r.WarmUpWanted != 2 || r.Duration != 10 ||
		!strings.Contains(stdout.String(), `"latency_histogram": []`) || strings.Contains(stdout.String(), "null") {
		t.Errorf("%v: status %d, %s%s", err, status, &stderr, &stdout)
	}
	stdout.Reset()
	if execute([]string{"load", "ws://" + host}, &stdout, &stderr); !strings.Contains(stdout.String(), "  not opened             unknown_host 100\n") || strings.Contains(stdout.String(), "not tried") {
		t.Error(stdout.String())
	}
}

// More connections than descriptors: it is said at once, with the limit.
func TestLoadDescriptors(t *testing.T) {
	s := serving(t, "-addr", "127.0.0.1:0", "-loops", "1")
	t.Setenv(asProgram, "1")
	load := exec.Command("sh", "-c", `ulimit -n 100 && exec "$0" "$@"`, os.Args[0], "load", "-conns", "90", "-duration", "50ms", "-warmup", "0s", "ws://"+s.addr)
	var stdout, stderr bytes.Buffer
	load.Stdout, load.Stderr = &stdout, &stderr
	err := load.Run()
	if err != nil || !strings.HasPrefix(stderr.String(), "hybi: load: -conns 90: the limit of 100 descriptors ") || !strings.Contains(stderr.String(), "allows 84 connections") ||
		!strings.Contains(stdout.String(), "connections            84 of 90\n") || !strings.Contains(stdout.String(), "no_descriptors 6\n") {
		t.Errorf("%v: %s%s", err, &stderr, &stdout)
	}
}

func TestLoadHelpBehindURL(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := execute([]string{"load", "ws://a", "-h"}, &stdout, &stderr); status != 0 || stderr.Len() > 0 || !strings.HasPrefix(stdout.String(), "Usage: hybi load [flags] URL\n") {
		t.Errorf("status %d, %q, %q", status, stdout.String(), stderr.String())
	}
}

// A wrong command line is one line and status 2; nothing is connected to.
func TestLoadCommandLine(t *testing.T) {
	for args, says := range map[string]string{
		"load": "URL", "load ws://a b": `"b"`, "load wss://a": "TLS", "load http://a": "ws://", "load ws://a -nonsense": "nonsense", "load -conns 0 ws://a": "-conns 0",
		"load -conns 99999999 ws://a": "-conns", "load -size x ws://a": "not a size", "load -size -1 ws://a": "at least 0", "load -size 99999999999GiB ws://a": "more than 1GiB", "load -size 9-1 ws://a": "smaller", "load -size 2GiB ws://a": "more than 1GiB",
		"load -outstanding -1 ws://a": "-outstanding -1: it must be from 0", "load -outstanding 70000 ws://a": "-outstanding", "load -rate -1 ws://a": "-rate", "load -rate NaN ws://a": "-rate",
		"load -rate 1e10 ws://a": "-rate", "load -duration 0s ws://a": "-duration", "load -duration 5 ws://a": "-duration: write a unit, such as 10s or 2m", "load -duration 5x ws://a": "not a time", "load -ramp -1s ws://a": "-ramp", "load -warmup -1s ws://a": "-warmup",
		"load -timeout 0s ws://a": "-timeout", "load -type ping ws://a": "-type", "load -loops -1 ws://a": "-loops -1: it must be from 0", "load -loops 5000 ws://a": "-loops",
		"load -header x ws://a": "NAME", "load -header Host:x ws://a": "Host", "load -subprotocol a,b ws://a": "token", "load -origin x ws://a": "x", "load -conns 5000000 -outstanding 60000 ws://a": "memory",
	} {
		var stdout, stderr bytes.Buffer
		status := execute(strings.Fields(args), &stdout, &stderr)
		if s := stderr.String(); status != 2 || stdout.Len() > 0 || strings.Count(s, "\n") != 1 || !strings.HasPrefix(s, "hybi: load: ") || !strings.Contains(s, says) {
			t.Errorf("%q: status %d, %q, want %q in it", args, status, s, says)
		}
	}
}
