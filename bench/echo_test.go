//go:build linux

package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hybi-go/hybi/internal/poll"
)

// The shapes that BenchmarkEcho has, and those that server.sh asks for.
var (
	shapes = []shape{
		{conns: 50, outstanding: 1, size: 64},
		{conns: 50, outstanding: 16, size: 64},
		{conns: 50, outstanding: 1, size: 4096},
		{conns: 1000, outstanding: 1, size: 64},
	}
	wholeGrid = []shape{
		{conns: 50, outstanding: 1, size: 64},
		{conns: 50, outstanding: 16, size: 64},
		{conns: 50, outstanding: 1, size: 16},
		{conns: 50, outstanding: 1, size: 1024},
		{conns: 50, outstanding: 1, size: 65536},
		{conns: 1000, outstanding: 1, size: 64},
		{conns: 10000, outstanding: 1, size: 64},
	}
)

// kinds returns the servers that HYBI_BENCH_SERVERS names, or those given.
func kinds(otherwise ...string) []string {
	if named := strings.Fields(os.Getenv("HYBI_BENCH_SERVERS")); len(named) > 0 {
		return named
	}
	return otherwise
}

// BenchmarkEcho compares the servers: benchstat -col /server. See the package
// comment for what the figures mean.
func BenchmarkEcho(b *testing.B) {
	grid := shapes
	if os.Getenv("HYBI_BENCH_GRID") == "whole" {
		grid = wholeGrid
	}
	for _, sh := range grid {
		for _, kind := range kinds("raw", "hybi") {
			name := fmt.Sprintf("server=%s/conns=%d/outstanding=%d/size=%d", kind, sh.conns, sh.outstanding, sh.size)
			var l *load // connected once for all the runs that find out how long b.N takes
			b.Run(name, func(b *testing.B) {
				s := use(b, kind)
				if l == nil {
					l = warm(b, s, sh)
				}
				benchmarkEcho(b, s, l, sh)
			})
			if l != nil {
				l.close()
			}
		}
	}
}

// warm connects, and has every connection echo.
func warm(b *testing.B, s *server, sh shape) *load {
	if limit, _ := poll.RaiseDescriptorLimit(); !roomFor(sh.conns, limit) {
		b.Skipf("%d descriptors at most", limit)
	}
	l, err := newLoad(s.addr, s.kind, sh)
	if err != nil {
		b.Fatal(err)
	}
	if err := l.run(2 * sh.conns); err != nil {
		l.close()
		b.Fatal(err)
	}
	return l
}

// roomFor reports whether a process may have so many connections: hybi keeps a
// sixteenth of its descriptors and some for itself.
func roomFor(conns, limit int) bool { return limit >= conns*17/16+64 }

func benchmarkEcho(b *testing.B, s *server, l *load, sh shape) {
	rounds := (b.N + sh.outstanding - 1) / sh.outstanding
	messages := float64(rounds * sh.outstanding)
	before, err := s.usage()
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if err := l.run(rounds); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	after, err := s.usage()
	if err != nil {
		b.Fatal(err)
	}
	used := after.since(before)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/messages, "ns/op")
	b.ReportMetric(messages/b.Elapsed().Seconds(), "msgs/s")
	b.ReportMetric(float64(used.cpu.Nanoseconds())/messages, "cpu-ns/msg")
	b.ReportMetric(float64(used.sleeps)/messages, "sleeps/msg")
	if ticks := used.user + used.sys; ticks >= 50 {
		each := float64(used.cpu.Nanoseconds()) / messages / float64(ticks)
		b.ReportMetric(each*float64(used.user), "user-ns/msg")
		b.ReportMetric(each*float64(used.sys), "sys-ns/msg")
	}
}

// BenchmarkIdle tells what an idle connection costs a server in resident memory. It
// is not a matter of time: the first run measures, and the others, which a
// longer -benchtime asks for, tell the same again.
func BenchmarkIdle(b *testing.B) {
	const conns = 10000
	for _, kind := range kinds("hybi") {
		perConn := 0.0
		b.Run(fmt.Sprintf("server=%s/conns=%d/size=64", kind, conns), func(b *testing.B) {
			if limit, _ := poll.RaiseDescriptorLimit(); !roomFor(conns, limit) {
				b.Skipf("%d descriptors at most", limit)
			}
			if b.N == 1 {
				perConn = idleMemory(b, kind, shape{conns: conns, outstanding: 1, size: 64})
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(perConn, "rss-B/conn")
		})
	}
}

// idleMemory returns what a fresh server grows by.
func idleMemory(b *testing.B, kind string, sh shape) (perConn float64) {
	s, err := start(kind)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.end(); err != nil {
			b.Error(err)
		}
	}()
	resident := func(sh shape) int64 {
		l, err := newLoad(s.addr, kind, sh)
		if err != nil {
			b.Fatal(err)
		}
		defer l.close()
		if err := l.run(sh.conns); err != nil {
			b.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		n, err := s.resident()
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	few := shape{conns: 1, outstanding: 1, size: sh.size}
	before := resident(few)
	return float64(resident(sh)-before) / float64(sh.conns)
}

// testKinds are the servers that need no other module. Without a compiler of C there
// is one less, and the test says so.
func testKinds(t *testing.T) []string {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Logf("the loop in C is not tested: %v", err)
		return []string{"raw", "hybi"}
	}
	return []string{"raw", "rawc", "hybi"}
}

// The servers, through the generator: small messages and some that fill the
// sockets both ways.
func TestEcho(t *testing.T) {
	for _, kind := range testKinds(t) {
		for _, sh := range []shape{{3, 1, 0}, {5, 16, 64}, {2, 3, 126}, {2, 16, 1 << 20}} {
			t.Run(fmt.Sprintf("server=%s/size=%d", kind, sh.size), func(t *testing.T) {
				l, err := newLoad(use(t, kind).addr, kind, sh)
				if err != nil {
					t.Fatal(err)
				}
				defer l.close()
				if err := l.run(3 * sh.conns); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// The raw loops give back all they got, and the end, to a reader that does not begin
// before every buffer on the way is full, 1 MiB and more; and serves another
// connection meanwhile.
func TestRawEchoSlowReader(t *testing.T) {
	for _, kind := range testKinds(t) {
		if isRaw(kind) {
			t.Run("server="+kind, func(t *testing.T) { slowReader(t, use(t, kind).addr) })
		}
	}
}

func slowReader(t *testing.T, addr netip.AddrPort) {
	dialed, err := net.DialTimeout("tcp", addr.String(), callTime)
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	slow := dialed.(*net.TCPConn)
	slow.SetReadBuffer(64 << 10)
	sent := fill(t, slow)
	t.Logf("%d octets until nothing moved", len(sent))
	if len(sent) < 1<<20 {
		t.Errorf("rawecho took %d octets: less than 1 MiB", len(sent))
	}
	other, err := newLoad(addr, "raw", shape{1, 1, 64})
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()

	slow.SetDeadline(time.Now().Add(20 * time.Second))
	if err := slow.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for b := make([]byte, 64<<10); ; {
		n, err := slow.Read(b)
		got = append(got, b[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("after %d octets: %v", len(got), err)
		}
		if len(got) < 1<<20 {
			time.Sleep(time.Millisecond)
			if err := other.run(1); err != nil {
				t.Fatalf("beside a slow reader: %v", err)
			}
		}
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d octets came back, not the %d that were sent", len(got), len(sent))
	}
}

// fill writes until nothing has moved for a while, and returns what was written.
func fill(t *testing.T, conn *net.TCPConn) (sent []byte) {
	random := rand.NewChaCha8([32]byte{1})
	for b := make([]byte, 64<<10); len(sent) < 256<<20; {
		random.Read(b)
		conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := conn.Write(b)
		sent = append(sent, b[:n]...)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return sent
		case err != nil:
			t.Fatal(err)
		}
	}
	t.Fatalf("rawecho holds %d octets, or the kernel does", len(sent))
	return nil
}

// The generator notices an octet that is changed, one too many, and an end.
func TestLoadNotices(t *testing.T) {
	for _, c := range []struct {
		name   string
		spoil  func(b []byte) []byte
		echoed bool
	}{
		{"changed", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, true},
		{"one too many", func(b []byte) []byte { return append(b, 0) }, true},
		{"closed", func(b []byte) []byte { return nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				b := make([]byte, 4096, 4097)
				n, _ := conn.Read(b)
				conn.Write(c.spoil(b[:n]))
				if c.echoed {
					conn.Read(b) // until the generator has seen it
				}
				conn.Close()
			}()
			l, err := newLoad(netip.MustParseAddrPort(ln.Addr().String()), "raw", shape{1, 1, 64})
			if err != nil {
				t.Fatal(err)
			}
			defer l.close()
			if err := l.run(1); err == nil || errors.Is(err, errWrong) != c.echoed {
				t.Errorf("run returned %v", err)
			}
		})
	}
}
