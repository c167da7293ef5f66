//go:build linux

package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkCalls counts the servers' system calls per message, if HYBI_BENCH_CALLS is
// set: strace stops the server at each, so that no time measured beside it means
// anything. Which is why the server is slower than the generator, more is ready at each
// epoll_wait than without, and there are fewer of these: compare the servers, which are
// slowed down alike. The first run counts, and the others tell the same again.
func BenchmarkCalls(b *testing.B) {
	if os.Getenv("HYBI_BENCH_CALLS") == "" {
		b.Skip("HYBI_BENCH_CALLS is not set")
	}
	for _, sh := range []shape{{conns: 100, outstanding: 1, size: 64}, {conns: 100, outstanding: 16, size: 64}} {
		for _, kind := range kinds("raw", "hybi") {
			var each calls
			b.Run(fmt.Sprintf("server=%s/conns=%d/outstanding=%d/size=%d", kind, sh.conns, sh.outstanding, sh.size), func(b *testing.B) {
				if b.N == 1 {
					each = countCalls(b, kind, sh)
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(each.recv, "recv/msg")
				b.ReportMetric(each.send, "send/msg")
				b.ReportMetric(each.wait, "wait/msg")
				b.ReportMetric(each.other, "other/msg")
			})
		}
	}
}

// A calls is how many system calls there were, per message.
type calls struct{ recv, send, wait, other float64 }

// countCalls has strace count while the server echoes.
func countCalls(b *testing.B, kind string, sh shape) calls {
	const messages = 48000
	s := use(b, kind)
	l := warm(b, s, sh)
	defer l.close()
	table := filepath.Join(b.TempDir(), "calls")
	strace := exec.Command("strace", "-c", "-f", "-o", table, "-p", strconv.Itoa(s.cmd.Process.Pid))
	said, err := strace.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := strace.Start(); err != nil {
		b.Fatal(err)
	}
	line, _ := bufio.NewReader(said).ReadString('\n')
	time.Sleep(100 * time.Millisecond) // the other threads
	err = l.run(messages / sh.outstanding)
	strace.Process.Signal(os.Interrupt)
	strace.Wait() // its status is the signal's
	if err != nil || !strings.Contains(line, "attached") {
		b.Fatalf("strace said %q; the load: %v", line, err)
	}
	text, err := os.ReadFile(table)
	if err != nil {
		b.Fatal(err)
	}
	each := parseCalls(string(text), messages)
	if each.recv == 0 || each.send == 0 || each.wait == 0 {
		b.Fatalf("a server does not echo so:\n%s", text)
	}
	return each
}

// parseCalls reads the table of strace -c: time, seconds, each, calls, errors if there
// were any, and the name.
func parseCalls(table string, messages float64) (each calls) {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		n, err := strconv.ParseFloat(f[3], 64)
		if err != nil || f[len(f)-1] == "total" {
			continue
		}
		switch n /= messages; f[len(f)-1] {
		case "recvfrom", "recvmsg", "read", "readv":
			each.recv += n
		case "sendto", "sendmsg", "write", "writev":
			each.send += n
		case "epoll_wait", "epoll_pwait", "epoll_pwait2":
			each.wait += n
		default:
			each.other += n
		}
	}
	return each
}

// The table as strace 6.1 writes it.
func TestParseCalls(t *testing.T) {
	got := parseCalls(`% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000060           1       100           sendto
 30.00    0.000030           1       150        50 recvfrom
  5.00    0.000005           0        20           epoll_pwait
  5.00    0.000005           0        10         4 futex
------ ----------- ----------- --------- --------- ----------------
100.00    0.000100           0       280        54 total
`, 100)
	if want := (calls{recv: 1.5, send: 1, wait: 0.2, other: 0.1}); got != want {
		t.Errorf("got %+v, not %+v", got, want)
	}
}
