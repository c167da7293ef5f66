package poll

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// backlog is how many connections the kernel may hold ready for Accept; it cuts
// it down to net.core.somaxconn.
const backlog = 65535

// Listen binds addr and listens on it. Network is "tcp", "tcp4", "tcp6" or
// "unix"; for TCP there are n descriptors, between which the kernel deals new
// connections out (SO_REUSEPORT), for Unix sockets, which lack that, there is one.
//
// An address in use is an error, unless share is set and the other user has
// shared it too. As a second process could join a SO_REUSEPORT group in silence,
// the first socket is bound without that option, and only then opened to its
// siblings. From then on a process of the same user that shares can join as well,
// which Linux has no means to prevent.
func Listen(network, addr string, n int, share bool) (*Listener, error) {
	switch network {
	case "unix":
		return listenUnix(addr)
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, &net.OpError{Op: "listen", Net: network, Err: net.UnknownNetworkError(network)}
	}
	at, err := net.ResolveTCPAddr(network, addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	l := &Listener{Addr: at}
	for range n {
		fd, err := l.bindTCP(network, at, n, share)
		if err != nil {
			l.Close()
			return nil, &net.OpError{Op: "listen", Net: network, Addr: at, Err: err}
		}
		l.FDs = append(l.FDs, fd)
		// The first decides on the port, if it was left open.
		bound, err := unix.Getsockname(fd)
		if err != nil {
			l.Close()
			return nil, os.NewSyscallError("getsockname", err)
		}
		switch sa := bound.(type) {
		case *unix.SockaddrInet4:
			at.Port = sa.Port
		case *unix.SockaddrInet6:
			at.Port = sa.Port
		}
	}
	for _, fd := range l.FDs {
		if err := unix.Listen(fd, backlog); err != nil {
			l.Close()
			return nil, &net.OpError{Op: "listen", Net: network, Addr: at, Err: os.NewSyscallError("listen", err)}
		}
	}
	return l, nil
}

// bindTCP makes one more socket of l's, which will have n.
func (l *Listener) bindTCP(network string, at *net.TCPAddr, n int, share bool) (fd int, err error) {
	family, sa := tcpSockaddr(network, at)
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if family == unix.AF_INET6 && err == unix.EAFNOSUPPORT && at.IP == nil {
		family, sa = tcpSockaddr("tcp4", at) // no IPv6 here, and none asked for
		fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	options := []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1}, // a port in TIME_WAIT is free
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}, // accepted sockets inherit it
	}
	if family == unix.AF_INET6 {
		only := 0
		if network == "tcp6" {
			only = 1
		}
		options = append(options, struct{ level, name, value int }{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only})
	}
	reuse := struct{ level, name, value int }{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1}
	if share || len(l.FDs) > 0 {
		options = append(options, reuse)
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			unix.Close(fd)
			return -1, os.NewSyscallError("setsockopt", err)
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("bind", err)
	}
	if n == 1 {
		return fd, nil // there are no siblings to let in, and so nobody else either
	}
	if err := unix.SetsockoptInt(fd, reuse.level, reuse.name, reuse.value); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("setsockopt", err)
	}
	return fd, nil
}

// tcpSockaddr returns the family and address to bind; without an IP it is every
// address of both versions.
func tcpSockaddr(network string, at *net.TCPAddr) (family int, sa unix.Sockaddr) {
	if ip := at.IP.To4(); ip != nil || network == "tcp4" {
		sa4 := &unix.SockaddrInet4{Port: at.Port}
		copy(sa4.Addr[:], ip)
		return unix.AF_INET, sa4
	}
	sa6 := &unix.SockaddrInet6{Port: at.Port}
	copy(sa6.Addr[:], at.IP.To16())
	if at.Zone != "" {
		if ifi, err := net.InterfaceByName(at.Zone); err == nil {
			sa6.ZoneId = uint32(ifi.Index)
		}
	}
	return unix.AF_INET6, sa6
}

func listenUnix(path string) (*Listener, error) {
	at := &net.UnixAddr{Name: path, Net: "unix"}
	fail := func(call string, err error) (*Listener, error) {
		return nil, &net.OpError{Op: "listen", Net: "unix", Addr: at, Err: os.NewSyscallError(call, err)}
	}
	if path == "" {
		return nil, &net.OpError{Op: "listen", Net: "unix", Addr: at, Err: errors.New("empty path")}
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return fail("bind", err)
	}
	l := &Listener{FDs: []int{fd}, Addr: at}
	if path[0] != '@' {
		l.unlink = path
	}
	if err := unix.Listen(fd, backlog); err != nil {
		l.Close()
		return fail("listen", err)
	}
	return l, nil
}

// Connect begins to connect to addr, without waiting for the end of it but for
// the name's resolution. Network is one of Listen's. When the descriptor becomes
// Writable, Kernel.Connected tells how it ended.
func Connect(network, addr string) (fd int, peer netip.AddrPort, err error) {
	var family int
	var to unix.Sockaddr
	var name net.Addr
	switch network {
	case "unix":
		family, to, name = unix.AF_UNIX, &unix.SockaddrUnix{Name: addr}, &net.UnixAddr{Name: addr, Net: network}
	case "tcp", "tcp4", "tcp6":
		at, err := net.ResolveTCPAddr(network, addr)
		if err == nil && at.IP == nil {
			err = &net.AddrError{Err: "missing host in address", Addr: addr}
		}
		if err != nil {
			return -1, peer, &net.OpError{Op: "dial", Net: network, Err: err}
		}
		family, to = tcpSockaddr(network, at)
		name, peer = at, at.AddrPort()
	default:
		return -1, peer, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError(network)}
	}
	fail := func(call string, err error) (int, netip.AddrPort, error) {
		return -1, peer, &net.OpError{Op: "dial", Net: network, Addr: name, Err: os.NewSyscallError(call, err)}
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail("socket", err)
	}
	if family != unix.AF_UNIX {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			unix.Close(fd)
			return fail("setsockopt", err)
		}
	}
	if err := unix.Connect(fd, to); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return fail("connect", err)
	}
	return fd, netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()), nil
}

// Close closes the descriptors of a listener that no loop has, and removes it.
func (l *Listener) Close() {
	for _, fd := range l.FDs {
		unix.Close(fd)
	}
	l.Remove()
}

// Remove removes a Unix socket's path. The descriptors are their loops' to close.
func (l *Listener) Remove() {
	if l.unlink != "" {
		os.Remove(l.unlink)
		l.unlink = ""
	}
}

// CloseFD closes a descriptor that no loop has.
func CloseFD(fd int) { unix.Close(fd) }

// Prepare makes a duplicate of a connected socket of the caller's that is fit for a
// loop, non-blocking and without delay, and returns its peer's address.
func Prepare(fd int) (own int, peer netip.AddrPort, err error) {
	var any unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	_, _, e := unix.RawSyscall(unix.SYS_GETPEERNAME, uintptr(fd), uintptr(unsafe.Pointer(&any)), uintptr(unsafe.Pointer(&size)))
	if e != 0 {
		return -1, peer, fmt.Errorf("hybi: not a connected socket: %w", os.NewSyscallError("getpeername", e))
	}
	if any.Addr.Family != unix.AF_UNIX {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return -1, peer, os.NewSyscallError("setsockopt", err)
		}
	}
	if own, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return -1, peer, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(own, true); err != nil {
		unix.Close(own)
		return -1, peer, os.NewSyscallError("fcntl", err)
	}
	return own, addrPort(&any), nil
}

// Thread returns the number of the calling thread. For a goroutine locked to its
// thread it is a name that no other goroutine has.
func Thread() int {
	r, _, _ := unix.RawSyscall(unix.SYS_GETTID, 0, 0, 0)
	return int(r)
}

// RaiseDescriptorLimit raises the soft limit of open descriptors to the hard one and
// returns it.
func RaiseDescriptorLimit() (int, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	r.Cur = r.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, os.NewSyscallError("setrlimit", err)
	}
	return int(min(r.Cur, 1<<30)), nil
}

// DescriptorLimit returns the soft limit of open descriptors.
func DescriptorLimit() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 1024
	}
	return int(min(r.Cur, 1<<30))
}
