package poll

import (
	"encoding/binary"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An Errno is Linux's error number; zero is success.
type Errno uintptr

const (
	EAGAIN       = Errno(unix.EAGAIN)
	EINTR        = Errno(unix.EINTR)
	EMFILE       = Errno(unix.EMFILE)
	ENFILE       = Errno(unix.ENFILE)
	ENOBUFS      = Errno(unix.ENOBUFS)
	ENOMEM       = Errno(unix.ENOMEM)
	ECONNABORTED = Errno(unix.ECONNABORTED)
	ECONNRESET   = Errno(unix.ECONNRESET)
	EPIPE        = Errno(unix.EPIPE)
	EPROTO       = Errno(unix.EPROTO)
	EPERM        = Errno(unix.EPERM)
)

// Err returns e as a syscall.Errno, or nil.
func (e Errno) Err() error {
	if e == 0 {
		return nil
	}
	return unix.Errno(e)
}

func (e Errno) String() string { return unix.Errno(e).Error() }

// maxRaw is the most octets that are sent by a system call which the Go
// scheduler does not know of. Such a call saves the hand-over of the processor, 2
// to 7 % of a small message's cost; but one that copies megabytes would hold up
// a garbage collection for milliseconds.
const maxRaw = 64 << 10

// kernel is Linux. It owns an epoll instance and an eventfd.
type kernel struct {
	epoll  int
	wake   int
	start  time.Time
	events []unix.EpollEvent
	peer   unix.RawSockaddrAny // where accept4 writes; one loop, one call at a time
}

// New returns a Kernel for one event loop. It holds two descriptors.
func New() (Kernel, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd2", err)
	}
	k := &kernel{epoll: epoll, wake: wake, start: time.Now()}
	// Edge-triggered: each write is told once and the counter need not be read.
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: -1, Pad: -1}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &ev); err != nil {
		k.Release()
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return k, nil
}

func (k *kernel) Release() {
	unix.Close(k.wake)
	unix.Close(k.epoll)
}

func (k *kernel) Now() time.Duration { return time.Since(k.start) }

func (k *kernel) Wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(k.wake, one[:]) // fails only if 2^64-2 wake-ups are unread
}

func (k *kernel) Wait(events []Event, timeout time.Duration) (int, Errno) {
	if len(k.events) < len(events) {
		k.events = make([]unix.EpollEvent, len(events))
	}
	n, e := k.wait(len(events), timeout)
	if e == EINTR {
		return 0, 0
	}
	if e != 0 {
		return 0, e
	}
	told := 0
	for i := range k.events[:n] {
		ev := &k.events[i]
		token := uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32
		if token == NoToken {
			continue
		}
		var f Flags
		if ev.Events&unix.EPOLLIN != 0 {
			f |= Readable
		}
		if ev.Events&unix.EPOLLOUT != 0 {
			f |= Writable
		}
		if ev.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			f |= Hangup
		}
		events[told] = Event{token, f}
		told++
	}
	return told, 0
}

// wait makes the system call: without the scheduler's knowledge if it cannot
// block.
func (k *kernel) wait(n int, timeout time.Duration) (int, Errno) {
	if timeout == 0 {
		r, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(k.epoll), uintptr(unsafe.Pointer(&k.events[0])), uintptr(n), 0, 0, 0)
		return int(r), Errno(e)
	}
	ms := -1
	if timeout > 0 {
		ms = int(min((timeout+time.Millisecond-1)/time.Millisecond, 1<<30))
	}
	r, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(k.epoll), uintptr(unsafe.Pointer(&k.events[0])), uintptr(n), uintptr(ms), 0, 0)
	return int(r), Errno(e)
}

func (k *kernel) Watch(fd int, token uint64, want Flags) Errno {
	return k.control(unix.EPOLL_CTL_ADD, fd, token, want)
}

func (k *kernel) Rewatch(fd int, token uint64, want Flags) Errno {
	return k.control(unix.EPOLL_CTL_MOD, fd, token, want)
}

func (k *kernel) Unwatch(fd int) Errno {
	return k.control(unix.EPOLL_CTL_DEL, fd, 0, 0)
}

func (k *kernel) control(op, fd int, token uint64, want Flags) Errno {
	ev := unix.EpollEvent{Fd: int32(token), Pad: int32(token >> 32)}
	if want&Readable != 0 {
		ev.Events |= unix.EPOLLIN
	}
	if want&Writable != 0 {
		ev.Events |= unix.EPOLLOUT
	}
	_, _, e := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(k.epoll), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return Errno(e)
}

func (k *kernel) Accept(fd int) (int, netip.AddrPort, Errno) {
	size := uint32(unix.SizeofSockaddrAny)
	r, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&k.peer)),
		uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if e != 0 {
		return -1, netip.AddrPort{}, Errno(e)
	}
	return int(r), addrPort(&k.peer), 0
}

// addrPort reads a socket address without allocating. It is the zero AddrPort
// for families that have none.
func addrPort(any *unix.RawSockaddrAny) netip.AddrPort {
	switch any.Addr.Family {
	case unix.AF_INET:
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(any))
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), networkOrder(sa.Port))
	case unix.AF_INET6:
		sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(any))
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), networkOrder(sa.Port))
	}
	return netip.AddrPort{}
}

// networkOrder reads a port that stands in memory in network order.
func networkOrder(port uint16) uint16 {
	return binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(make([]byte, 0, 2), port))
}

func (k *kernel) Connected(fd int) Errno {
	result := int32(0)
	size := uint32(unsafe.Sizeof(result))
	_, _, e := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ERROR,
		uintptr(unsafe.Pointer(&result)), uintptr(unsafe.Pointer(&size)), 0)
	if e != 0 {
		return Errno(e)
	}
	return Errno(result)
}

func (k *kernel) Recv(fd int, b []byte) (int, Errno) {
	r, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, Errno(e)
	}
	return int(r), 0
}

func (k *kernel) Send(fd int, b []byte) (int, Errno) {
	const flags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	var r uintptr
	var e unix.Errno
	if len(b) <= maxRaw {
		r, _, e = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), flags, 0, 0)
	} else {
		r, _, e = unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), flags, 0, 0)
	}
	if e != 0 {
		return 0, Errno(e)
	}
	return int(r), 0
}

func (k *kernel) ShutdownWrite(fd int) Errno {
	_, _, e := unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
	return Errno(e)
}

func (k *kernel) Close(fd int) Errno {
	// Closing may do work in the kernel, so the scheduler is told. EINTR from close
	// means that the descriptor is gone all the same.
	_, _, e := unix.Syscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return Errno(e)
}
