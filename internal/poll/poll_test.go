//go:build linux

package poll

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 10 * time.Second

func newKernel(t *testing.T) *kernel {
	t.Helper()
	k, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Release)
	return k.(*kernel)
}

// listen listens with n descriptors and returns the listener.
func listen(t *testing.T, network, addr string, n int, share bool) *Listener {
	t.Helper()
	l, err := Listen(network, addr, n, share)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// accept waits for a connection.
func accept(t *testing.T, k *kernel, fd int) (int, netip.AddrPort) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		conn, peer, e := k.Accept(fd)
		if e == 0 {
			t.Cleanup(func() { unix.Close(conn) })
			return conn, peer
		}
		if e != EAGAIN {
			t.Fatal(e)
		}
		runtime.Gosched()
	}
	t.Fatal("no connection")
	panic("unreachable")
}

// pair returns two connected Unix sockets, the first non-blocking.
func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

// closeOnExec checks that a descriptor is not inherited by child processes.
func closeOnExec(t *testing.T, what string, fd int) {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("%s: close-on-exec is not set (%v)", what, err)
	}
}

func nonblocking(t *testing.T, what string, fd int) {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("%s: not non-blocking (%v)", what, err)
	}
}

// wait waits for events, and returns those of one Wait.
func wait(t *testing.T, k *kernel) []Event {
	t.Helper()
	events := make([]Event, 8)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		n, e := k.Wait(events, time.Second)
		if e != 0 {
			t.Fatal(e)
		}
		if n > 0 {
			return events[:n]
		}
	}
	t.Fatal("no event")
	return nil
}

// none checks that nothing is ready.
func none(t *testing.T, k *kernel) {
	t.Helper()
	events := make([]Event, 8)
	if n, e := k.Wait(events, 0); n != 0 || e != 0 {
		t.Fatalf("events %v, %v; want none", events[:n], e)
	}
}

func TestPeerAddresses(t *testing.T) {
	k := newKernel(t)
	path := filepath.Join(t.TempDir(), "s")
	for _, x := range []struct{ network, addr, dial string }{
		{"tcp", "127.0.0.1:0", "127.0.0.1"}, {"tcp4", ":0", "127.0.0.1"}, {"tcp6", "[::1]:0", "::1"},
		{"tcp", ":0", "::1"}, {"tcp", ":0", "127.0.0.1"}, // the last comes as IPv4 mapped
		{"unix", path, path},
	} {
		l := listen(t, x.network, x.addr, 1, false)
		network, to := x.network, x.dial
		if network != "unix" {
			_, port, _ := net.SplitHostPort(l.Addr.String())
			network, to = "tcp", net.JoinHostPort(x.dial, port)
		}
		c, err := net.Dial(network, to)
		if err != nil {
			t.Fatal(err)
		}
		fd, peer := accept(t, k, l.FDs[0])
		want, _ := netip.ParseAddrPort(c.LocalAddr().String())
		if peer != want {
			t.Errorf("%v: peer %v, want %v", x, peer, want)
		}
		closeOnExec(t, "accepted", fd)
		nonblocking(t, "accepted", fd)
		closeOnExec(t, "listener", l.FDs[0])
		if network == "tcp" {
			if v, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); err != nil || v == 0 {
				t.Errorf("TCP_NODELAY is %d, %v", v, err)
			}
		}
		own, prepared, err := Prepare(fd)
		if err != nil || prepared != want || own == fd {
			t.Errorf("Prepare: %d, %v, %v", own, prepared, err)
		}
		closeOnExec(t, "prepared", own)
		nonblocking(t, "prepared", own)
		unix.Close(own)
		c.Close()
	}
	closeOnExec(t, "epoll", k.epoll)
	closeOnExec(t, "eventfd", k.wake)
	if _, _, err := Prepare(k.epoll); err == nil {
		t.Error("an epoll instance passes for a socket")
	}
}

func TestRecvAndSend(t *testing.T) {
	k := newKernel(t)
	a, b := pair(t)
	buf := make([]byte, 1<<20)
	if n, e := k.Recv(a, buf); n != 0 || e != EAGAIN {
		t.Errorf("nothing to read: %d, %v", n, e)
	}
	if n, e := k.Send(a, []byte("hello")); n != 5 || e != 0 {
		t.Errorf("Send: %d, %v", n, e)
	}
	if n, e := k.Recv(b, buf[:3]); n != 3 || e != 0 || string(buf[:3]) != "hel" {
		t.Errorf("Recv: %d, %v, %q", n, e, buf[:3])
	}
	if n, e := k.Recv(b, buf); n != 2 || e != 0 {
		t.Errorf("Recv: %d, %v", n, e)
	}
	// Until the socket is full; the count says what was taken, raw or not.
	payload := make([]byte, maxRaw*3)
	for i := range payload {
		payload[i] = byte(i * 7 >> 3)
	}
	var sent []byte
	for i := 0; ; i++ {
		p := payload
		if i%2 == 0 {
			p = payload[:maxRaw-1]
		}
		n, e := k.Send(a, p)
		sent = append(sent, p[:n]...)
		if e == EAGAIN {
			break
		}
		if e != 0 || n < 1 || n > len(p) {
			t.Fatalf("Send: %d, %v", n, e)
		}
	}
	var got []byte
	for len(got) < len(sent) {
		n, e := k.Recv(b, buf)
		if e != 0 {
			t.Fatalf("Recv after %d of %d octets: %v", len(got), len(sent), e)
		}
		got = append(got, buf[:n]...)
	}
	if !bytes.Equal(got, sent) {
		t.Error("other octets arrive than the counts say")
	}
	// The end of one direction, and of both. No SIGPIPE: the process lives on.
	if e := k.ShutdownWrite(a); e != 0 {
		t.Error(e)
	}
	if n, e := k.Recv(b, buf); n != 0 || e != 0 {
		t.Errorf("after FIN: %d, %v", n, e)
	}
	if n, e := k.Send(b, []byte("x")); n != 1 || e != 0 {
		t.Errorf("the other direction: %d, %v", n, e)
	}
	if _, e := k.Send(a, []byte("x")); e != EPIPE {
		t.Errorf("Send behind FIN: %v", e)
	}
	if _, e := k.Send(a, make([]byte, maxRaw+1)); e != EPIPE {
		t.Errorf("large Send behind FIN: %v", e)
	}
	if _, e := k.Recv(-1, buf); e.Err() != syscall.EBADF || e.String() == "" {
		t.Errorf("no descriptor: %v", e)
	}
}

// Events are level-triggered, carry the token, and say what was asked for.
func TestEvents(t *testing.T) {
	k := newKernel(t)
	a, b := pair(t)
	const token = 0xDEADBEEF_80000001
	if e := k.Watch(a, token, Readable); e != 0 {
		t.Fatal(e)
	}
	none(t, k)
	k.Send(b, []byte("x"))
	for range 2 {
		if ev := wait(t, k); len(ev) != 1 || ev[0] != (Event{token, Readable}) {
			t.Errorf("got %+v", ev)
		}
	}
	k.Rewatch(a, token+1, Readable|Writable)
	if ev := wait(t, k); len(ev) != 1 || ev[0] != (Event{token + 1, Readable | Writable}) {
		t.Errorf("got %+v", ev)
	}
	k.Rewatch(a, token, 0)
	none(t, k)
	unix.Close(b)
	if ev := wait(t, k); len(ev) != 1 || ev[0] != (Event{token, Hangup}) {
		t.Errorf("got %+v, want what was not asked for", ev)
	}
	if e := k.Unwatch(a); e != 0 {
		t.Error(e)
	}
	none(t, k)
	if e := k.Watch(a, token, Readable); e != 0 {
		t.Error(e)
	}
	if e := k.Close(a); e != 0 {
		t.Error(e)
	}
	none(t, k)
	if k.Watch(a, token, Readable) == 0 {
		t.Error("a closed descriptor can be watched")
	}
}

// Wake makes one Wait return, however often it was called; before or during it.
func TestWake(t *testing.T) {
	k := newKernel(t)
	events := make([]Event, 4)
	for range 3 {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 100 {
					k.Wake()
				}
			})
		}
		wg.Wait()
		began := time.Now()
		if n, e := k.Wait(events, patience); n != 0 || e != 0 || time.Since(began) > patience/2 {
			t.Errorf("%d events, %v, after %v", n, e, time.Since(began))
		}
		began = time.Now()
		if n, e := k.Wait(events, 20*time.Millisecond); n != 0 || e != 0 || time.Since(began) < 20*time.Millisecond {
			t.Errorf("one Wake ends two Waits: %d events, %v, after %v", n, e, time.Since(began))
		}
	}
	returned := make(chan bool)
	go func() {
		k.Wait(events, -1)
		close(returned)
	}()
	k.Wake()
	select {
	case <-returned:
	case <-time.After(patience):
		t.Fatal("a Wait for ever is not woken")
	}
}

func TestWaitTimes(t *testing.T) {
	k := newKernel(t)
	events := make([]Event, 1)
	for _, d := range []time.Duration{0, time.Microsecond, 3 * time.Millisecond} {
		began, clock := time.Now(), k.Now()
		if n, e := k.Wait(events, d); n != 0 || e != 0 {
			t.Errorf("%d events, %v", n, e)
		}
		if took := time.Since(began); took < d || k.Now()-clock < d {
			t.Errorf("waited %v (%v by its own clock), want %v", took, k.Now()-clock, d)
		}
	}
}

// An address in use is an error though all sockets of a listener share it among
// themselves, unless both have said that they share it.
func TestSharing(t *testing.T) {
	first := listen(t, "tcp", "127.0.0.1:0", 3, false)
	addr := first.Addr.String()
	for _, n := range []int{1, 2} {
		l, err := Listen("tcp", addr, n, false)
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%d sockets on an address in use: %v", n, err)
		}
		if l != nil {
			l.Close()
		}
	}
	if l, err := Listen("tcp", listen(t, "tcp", "127.0.0.1:0", 1, false).Addr.String(), 1, true); err == nil {
		l.Close()
		t.Error("an address that its one socket does not share can be had")
	}
	shared := listen(t, "tcp", "127.0.0.1:0", 2, true)
	second := listen(t, "tcp", shared.Addr.String(), 2, true)
	if l, err := Listen("tcp", shared.Addr.String(), 1, false); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("who does not share an address that others share gets it: %v", err)
		l.Close()
	}
	// Connections are dealt out among all sockets that share.
	k := newKernel(t)
	fds := append(append([]int{}, shared.FDs...), second.FDs...)
	got := map[int]bool{}
	for i := 0; i < 200 && len(got) < len(fds); i++ {
		c, err := net.Dial("tcp", shared.Addr.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			if conn, _, e := k.Accept(fd); e == 0 {
				got[fd] = true
				unix.Close(conn)
			}
		}
		c.Close()
	}
	if len(got) != len(fds) {
		t.Errorf("%d of %d sockets have had a connection", len(got), len(fds))
	}
}

func TestListenErrors(t *testing.T) {
	for _, x := range [][2]string{
		{"udp", "127.0.0.1:0"}, {"tcp", "127.0.0.1"}, {"tcp", "127.0.0.1:99999"}, {"tcp4", "[::1]:0"}, {"tcp6", "127.0.0.1:0"},
		{"tcp", "192.0.2.1:0"}, {"unix", ""}, {"unix", "/nonexistent/s"}, {"unix", string(make([]byte, 200))},
	} {
		l, err := Listen(x[0], x[1], 2, false)
		if err == nil {
			t.Errorf("%q succeeds", x)
			l.Close()
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, "unix", path, 4, false)
	if len(l.FDs) != 1 {
		t.Errorf("%d descriptors", len(l.FDs))
	}
	if _, err := Listen("unix", path, 1, false); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a path in use: %v", err)
	}
	l.Remove()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the path is left: %v", err)
	}
	listen(t, "unix", path, 1, false)
	l.Remove() // not the path of its successor
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the successor's path is gone: %v", err)
	}
	listen(t, "unix", "@hybi-poll-test", 1, false).Remove()
}

func TestLimitsAndThread(t *testing.T) {
	before := DescriptorLimit()
	after, err := RaiseDescriptorLimit()
	if err != nil || after < before || DescriptorLimit() != after {
		t.Errorf("limit %d, then %d and %d, %v", before, after, DescriptorLimit(), err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mine, others := Thread(), make(chan int)
	go func() {
		runtime.LockOSThread()
		others <- Thread()
	}()
	if Thread() != mine || <-others == mine {
		t.Error("threads are confused")
	}
}
