//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait.
const patience = 15 * time.Second

// asProgram, set in the environment, makes the test binary the program itself.
const asProgram = "HYBI_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// A program is hybi as a child process.
type program struct {
	*exec.Cmd
	t      *testing.T
	lines  chan string // of standard output
	errout *output
	ended  chan error
	addr   string
}

// An output collects what is written to it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// child starts hybi with these arguments.
func child(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{Cmd: exec.Command(os.Args[0], args...), t: t, lines: make(chan string, 100), errout: &output{}, ended: make(chan error, 1)}
	p.Env = append(os.Environ(), asProgram+"=1")
	p.Stderr = p.errout
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
		close(p.lines)
		p.ended <- p.Wait()
	}()
	t.Cleanup(func() { p.Process.Kill() })
	return p
}

// serving starts `hybi echo` and waits until it listens.
func serving(t *testing.T, args ...string) *program {
	t.Helper()
	p := child(t, append([]string{"echo"}, args...)...)
	select {
	case line := <-p.lines:
		addr, ok := strings.CutPrefix(line, "listening on ws://")
		if !ok {
			addr, ok = strings.CutPrefix(line, "listening on ws+unix:")
		}
		if !ok {
			t.Fatalf("says %q; %s", line, p.errout)
		}
		p.addr = addr
	case <-time.After(patience):
		t.Fatalf("says nothing; %s", p.errout)
	}
	return p
}

// exit waits for the end and returns the exit status.
func (p *program) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("does not end; %s", p.errout)
		return -1
	}
}

// shows waits until standard error contains a text.
func (p *program) shows(text string) {
	p.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(p.errout.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("does not show %q but %s", text, p.errout)
		}
	}
}

const (
	request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	hello, helloBack = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "\x81\x05Hello" // RFC 6455 §5.7
	closeKeyless     = "\x88\x80\x00\x00\x00\x00"
)

type client struct {
	net.Conn
	t *testing.T
}

func (p *program) dial(network string) *client {
	p.t.Helper()
	c, err := net.Dial(network, p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &client{c, p.t}
}

// says writes, and expects exactly this answer.
func (c *client) says(in, want string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, in); err != nil {
		c.t.Fatal(err)
	}
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c.Conn, got); string(got) != want {
		c.t.Fatalf("got %q, want %q (%v)", got[:n], want, err)
	}
}

func (c *client) eof() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.Conn); err != nil || len(rest) > 0 {
		c.t.Fatalf("instead of the end: %q, %v", rest, err)
	}
	c.Close()
}

func TestEchoProgram(t *testing.T) {
	p := serving(t, "-addr", "127.0.0.1:0", "-loops", "2")
	c := p.dial("tcp")
	c.says(request+"Origin: https://any.example\r\n\r\n", accepted)
	c.says(hello, helloBack)
	bye := p.dial("tcp")
	bye.says(request+"\r\n"+"\x81\x83\x00\x00\x00\x00ByE", accepted+"\x88\x02\x03\xE8")
	bye.says("\x88\x82\x00\x00\x00\x00\x03\xE8", "")
	bye.eof()
	binary := p.dial("tcp") // is not told "bye" by
	binary.says(request+"\r\n"+"\x82\x83\x00\x00\x00\x00bye", accepted+"\x82\x03bye")
	binary.says(closeKeyless, "\x88\x00")
	binary.eof()

	if err := p.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	p.shows("messages in")
	if s := p.errout.String(); !strings.Contains(s, "hybi: counters") || !strings.Contains(s, "2 event loops") {
		t.Errorf("standard error: %s", s)
	}
	c.says(hello, helloBack)

	p.Process.Signal(syscall.SIGTERM)
	c.says("", "\x88\x02\x03\xE9")
	c.says("\x88\x82\x00\x00\x00\x00\x03\xE9", "")
	c.eof()
	if status := p.exit(); status != 0 {
		t.Errorf("exit status %d; %s", status, p.errout)
	}
	s := p.errout.String()
	if i := strings.LastIndex(s, "hybi: counters"); i < 0 || !strings.Contains(strings.Join(strings.Fields(s[i:]), " "), "opened 3 closed 3 closed cleanly 3 messages in 4 messages out 3") {
		t.Errorf("the last counters: %s", s)
	}
	if line, more := <-p.lines; more {
		t.Errorf("one more line on standard output: %q", line)
	}
}

// A second signal ends the program though a peer does not answer.
func TestSecondSignal(t *testing.T) {
	p := serving(t, "-addr", "127.0.0.1:0")
	c := p.dial("tcp")
	c.says(request+"\r\n", accepted)
	p.Process.Signal(os.Interrupt)
	c.says("", "\x88\x02\x03\xE9")
	began := time.Now()
	p.Process.Signal(os.Interrupt)
	if status := p.exit(); status != 1 || time.Since(began) > drainTime/2 {
		t.Errorf("exit status %d after %v", status, time.Since(began))
	}
}

func TestEchoFlags(t *testing.T) {
	t.Run("origin", func(t *testing.T) {
		p := serving(t, "-addr", "127.0.0.1:0", "-origin", "https://a.example,http://b.example:8080", "-bye=false")
		for origin, status := range map[string]string{"https://a.example": "101", "http://b.example:8080": "101", "https://evil.example": "403"} {
			p.dial("tcp").says(request+"Origin: "+origin+"\r\n\r\n", "HTTP/1.1 "+status)
		}
		c := p.dial("tcp")
		c.says(request+"\r\n", accepted)
		c.says("\x81\x83\x00\x00\x00\x00bye", "\x81\x03bye")
	})
	t.Run("same origin", func(t *testing.T) {
		p := serving(t, "-addr", "127.0.0.1:0", "-origin", "same")
		p.dial("tcp").says(request+"Origin: http://a\r\n\r\n", "HTTP/1.1 101")
		p.dial("tcp").says(request+"Origin: http://b\r\n\r\n", "HTTP/1.1 403")
	})
	t.Run("unix", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "socket")
		p := serving(t, "-addr", "unix:"+path, "-max-message", "4")
		if p.addr != path {
			t.Errorf("listening on %q", p.addr)
		}
		c := p.dial("unix")
		c.says(request+"\r\n"+"\x82\x84\x00\x00\x00\x00four", accepted+"\x82\x04four")
		c.says("\x82\x85", "\x88\x02\x03\xF1")
		c.eof()
		p.Process.Signal(syscall.SIGTERM)
		if status := p.exit(); status != 0 {
			t.Errorf("exit status %d", status)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("the path is left")
		}
	})
	t.Run("loops", func(t *testing.T) {
		t.Setenv("GOMAXPROCS", "3")
		p := serving(t, "-addr", "127.0.0.1:0", "-loops", "0")
		p.shows("hybi: 3 event loops, ")
	})
	t.Run("idle timeout", func(t *testing.T) {
		p := serving(t, "-addr", "127.0.0.1:0", "-idle-timeout", "200ms")
		p.dial("tcp").says(request+"\r\n", accepted+"\x89\x00\x88\x0e\x03\xF0idle timeout")
	})
}

// An address in use is named, in one line.
func TestAddressInUse(t *testing.T) {
	p := serving(t, "-addr", "127.0.0.1:0")
	second := child(t, "echo", "-addr", p.addr)
	if status := second.exit(); status != 1 {
		t.Errorf("exit status %d", status)
	}
	if s := second.errout.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, p.addr) || !strings.Contains(s, "in use") {
		t.Errorf("says %q", s)
	}
}

// With -reuseport two programs have one address, and both are dealt connections.
func TestReusePort(t *testing.T) {
	a := serving(t, "-addr", "127.0.0.1:0", "-loops", "1", "-reuseport")
	b := serving(t, "-addr", a.addr, "-loops", "1", "-reuseport")
	const conns = 64
	for range conns {
		c := a.dial("tcp")
		c.says(request+"\r\n"+hello, accepted+helloBack)
		c.says(closeKeyless, "\x88\x00")
		c.eof()
	}
	messages := 0
	for _, p := range []*program{a, b} {
		p.Process.Signal(syscall.SIGTERM)
		if status := p.exit(); status != 0 {
			t.Errorf("exit status %d; %s", status, p.errout)
		}
		var n int
		if _, in, ok := strings.Cut(p.errout.String(), "messages in"); ok {
			fmt.Sscan(in, &n)
		}
		if n == 0 {
			t.Errorf("a program had no message: %s", p.errout)
		}
		messages += n
	}
	if messages != conns {
		t.Errorf("%d messages in both, want %d", messages, conns)
	}
}

// What the command line can have wrong: one line and a status, nothing else.
func TestCommandLine(t *testing.T) {
	for _, x := range []struct {
		args   string
		status int
		says   string
	}{
		{"", 2, "no command"},
		{"ecko", 2, `"ecko"`},
		{"help ecko", 2, `"ecko"`},
		{"echo extra", 2, `"extra"`},
		{"echo -nonsense", 2, "nonsense"},
		{"echo -loops", 2, "loops"},
		{"echo -loops x", 2, "loops"},
		{"echo -loops -1", 2, "-loops -1: it must be from 0"},
		{"echo -loops 5000", 2, "-loops 5000: it must be from 0"},
		{"echo -max-message 0", 2, "-max-message: it must be at least 1"},
		{"echo -max-message 1MB", 2, "not a size"},
		{"echo -max-message -1", 2, "at least 1"},
		{"echo -max-message 9GiBGiB", 2, "not a size"},
		{"echo -max-message 8589934592GiB", 2, "more than 1GiB"},
		{"echo -max-message 9223372036854775808", 2, "more than 1GiB"},
		{"echo -idle-timeout 5", 2, "-idle-timeout: write a unit, such as 10s or 2m"},
		{"echo -idle-timeout soon", 2, "not a time"},
		{"echo -idle-timeout -1s", 2, "-idle-timeout -1s: it must be 0, for never, or more"},
		{"echo -origin *", 2, "wildcards"},
		{"echo -origin a,b", 2, "-origin"},
		{"echo -addr 127.0.0.1", 2, "-addr 127.0.0.1: missing port in address: write HOST:PORT"},
		{"echo -addr 127.0.0.1:99999", 2, "-addr 127.0.0.1:99999: port 99999: it must be from 0"},
		{"echo -addr 127.0.0.1:80x", 2, "-addr 127.0.0.1:80x: port 80x: it must be from 0"},
		{"echo -addr 127.0.0.1:-1", 2, "port -1"},
		{"echo -addr [::1", 2, "-addr"},
		{"echo -addr 192.0.2.1:0", 1, "192.0.2.1"},
		{"echo -addr unix:", 2, "path"},
		{"echo -addr unix:/nonexistent/s", 1, "/nonexistent/s"},
	} {
		var stdout, stderr bytes.Buffer
		status := execute(strings.Fields(x.args), &stdout, &stderr)
		s := stderr.String()
		if status != x.status || stdout.Len() > 0 || strings.Count(s, "\n") != 1 || !strings.HasPrefix(s, "hybi: ") || !strings.Contains(s, x.says) {
			t.Errorf("%q: status %d, want %d; says %q %q, want %q in it", x.args, status, x.status, stdout.String(), s, x.says)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"help", "-h", "--help", "help echo", "echo -h", "echo -help"} {
		var stdout, stderr bytes.Buffer
		status := execute(strings.Fields(args), &stdout, &stderr)
		if status != 0 || stderr.Len() > 0 || !strings.Contains(stdout.String(), "hybi echo") {
			t.Errorf("%q: status %d, %q, %q", args, status, stdout.String(), stderr.String())
		}
		if strings.Contains(args, "echo") {
			for _, flag := range []string{"-addr HOST:PORT", "-loops", "-max-message SIZE", "(default 32MiB)", "-idle-timeout TIME", "(default 2m0s)", "-origin LIST", "-bye", "SIGUSR1", "listening on ws://"} {
				if !strings.Contains(stdout.String(), flag) {
					t.Errorf("%q does not mention %s", args, flag)
				}
			}
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]size{"1": 1, "4096": 4096, "64KiB": 64 << 10, "32MiB": 32 << 20, "1GiB": 1 << 30, "1023": 1023} {
		s := sizeFlag{0, 1, largestSize}
		if err := s.Set(text); err != nil || s.size != want {
			t.Errorf("%s: %d, %v", text, s.size, err)
		}
		if again, err := parseSize(s.String(), 1, largestSize); err != nil || again != want {
			t.Errorf("%s prints as %s", text, s)
		}
	}
	if s := size(0); s.String() != "0" {
		t.Errorf("zero prints as %s", s)
	}
}

// TestManyConnections holds 10,000 connections at once, each of which is answered.
// The server has a process of its own, and so descriptors of its own.
func TestManyConnections(t *testing.T) {
	const n, workers = 10000, 8
	p := serving(t, "-addr", "127.0.0.1:0", "-loops", "2")
	fds := make([]int, n)
	var to unix.SockaddrInet4
	if _, err := fmt.Sscanf(p.addr, "127.0.0.1:%d", &to.Port); err != nil {
		t.Fatal(err)
	}
	to.Addr = [4]byte{127, 0, 0, 1}
	each := func(f func(i int) error) {
		t.Helper()
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := w; i < n && !t.Failed(); i += workers {
					if err := f(i); err != nil {
						t.Errorf("connection %d: %v", i, err)
					}
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			t.FailNow()
		}
	}
	defer func() {
		for _, fd := range fds {
			if fd > 0 {
				unix.Close(fd)
			}
		}
	}()
	each(func(i int) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		fds[i] = fd
		limit := unix.NsecToTimeval(patience.Nanoseconds())
		return errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
			unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: to.Addr}), ask(fd, request+"\r\n", accepted))
	})
	each(func(i int) error { return ask(fds[i], hello, helloBack) })
	// A loop publishes what a turn has counted at its end, after the answers.
	for end := time.Now().Add(patience); !strings.Contains(p.errout.String(), "messages out                       10000"); {
		if time.Now().After(end) {
			t.Fatalf("counters: %s", p.errout)
		}
		p.Process.Signal(syscall.SIGUSR1)
		time.Sleep(5 * time.Millisecond)
	}
	if s := strings.Join(strings.Fields(p.errout.String()), " "); !strings.Contains(s, "connections 10000 accepted 10000") {
		t.Errorf("counters: %s", s)
	}
	each(func(i int) error { return ask(fds[i], closeKeyless, "\x88\x00") })
	for i, fd := range fds {
		unix.Close(fd)
		fds[i] = 0
	}
	p.Process.Signal(syscall.SIGTERM)
	if status := p.exit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if s := strings.Join(strings.Fields(p.errout.String()), " "); !strings.Contains(s, "closed cleanly 10000") {
		t.Errorf("counters: %s", s)
	}
}

// ask writes to a plain descriptor, as the runtime's poller would double the cost
// of 10,000 of them, and expects exactly this answer.
func ask(fd int, in, want string) error {
	if _, err := unix.Write(fd, []byte(in)); err != nil {
		return err
	}
	got, b := "", make([]byte, 512)
	for len(got) < len(want) {
		m, err := unix.Read(fd, b)
		if err == unix.EINTR {
			continue
		}
		if m <= 0 || err != nil {
			return fmt.Errorf("got %q, %v", got, err)
		}
		got += string(b[:m])
	}
	if got != want {
		return fmt.Errorf("got %q", got)
	}
	return nil
}
