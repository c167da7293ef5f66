//go:build !linux

package poll

import (
	"net/netip"
	"strconv"
)

// An Errno stands in for Linux's, so that the reactor builds everywhere.
type Errno int

const (
	EAGAIN Errno = 1 + iota
	EINTR
	EMFILE
	ENFILE
	ENOBUFS
	ENOMEM
	ECONNABORTED
	ECONNRESET
	EPIPE
	EPROTO
	EPERM
)

// Err returns e as an error, or nil.
func (e Errno) Err() error {
	if e == 0 {
		return nil
	}
	return ErrUnsupported
}

func (e Errno) String() string { return "errno " + strconv.Itoa(int(e)) }

func New() (Kernel, error)                                { return nil, ErrUnsupported }
func Listen(string, string, int, bool) (*Listener, error) { return nil, ErrUnsupported }
func Connect(string, string) (fd int, peer netip.AddrPort, err error) {
	return -1, peer, ErrUnsupported
}
func (l *Listener) Close()                                  {}
func (l *Listener) Remove()                                 {}
func CloseFD(int)                                           {}
func Prepare(int) (own int, peer netip.AddrPort, err error) { return -1, peer, ErrUnsupported }
func Thread() int                                           { return 0 }
func RaiseDescriptorLimit() (int, error)                    { return 0, ErrUnsupported }
func DescriptorLimit() int                                  { return 0 }
