package main

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/reactor"
)

// Why connections fail and end, in words that a summary can count by. They are part of
// what -json promises.

var errnoCauses = []struct {
	errno syscall.Errno
	cause string
}{
	{syscall.ECONNREFUSED, "refused"},
	{syscall.ENOENT, "no_such_socket"}, // of a Unix path
	{syscall.EACCES, "no_permission"},
	{syscall.ECONNRESET, "reset"},
	{syscall.EPIPE, "reset"},
	{syscall.ETIMEDOUT, "timed_out"},
	{syscall.EHOSTUNREACH, "unreachable"},
	{syscall.ENETUNREACH, "unreachable"},
	{syscall.EMFILE, "no_descriptors"},
	{syscall.ENFILE, "no_descriptors"},
	{syscall.EADDRNOTAVAIL, "no_local_port"},
	{syscall.EAGAIN, "backlog_full"}, // of a Unix socket
}

func errnoCause(err error) string {
	for _, x := range errnoCauses {
		if errors.Is(err, x.errno) {
			return x.cause
		}
	}
	return "other"
}

// dialCause says why a connection was not opened.
func dialCause(err error) string {
	var answer *handshake.ResponseError
	switch {
	case errors.Is(err, reactor.ErrDialSlow):
		return "timed_out"
	case errors.Is(err, reactor.ErrDialLost):
		return "closed_in_handshake"
	case errors.Is(err, reactor.ErrConns):
		return "no_descriptors"
	case errors.Is(err, reactor.ErrMemory):
		return "no_memory"
	case errors.Is(err, reactor.ErrShutdown), errors.Is(err, reactor.ErrClosed):
		return "not_awaited"
	case errors.As(err, &answer) && answer.Kind == handshake.ResponseStatus:
		return "status_" + strconv.Itoa(answer.Status)
	case errors.As(err, &answer):
		return "handshake_invalid"
	}
	return errnoCause(err)
}

// endCause says why an open connection ended though the generator had not closed it.
func endCause(info reactor.CloseInfo) string {
	switch {
	case errors.As(info.Err, new(*codec.ProtocolError)):
		return "protocol_error"
	case errors.Is(info.Err, reactor.ErrIdle), errors.Is(info.Err, reactor.ErrWriteStalled), errors.Is(info.Err, reactor.ErrMessageSlow):
		return "timed_out"
	case errors.Is(info.Err, reactor.ErrMemory):
		return "no_memory"
	case info.Err != nil:
		return errnoCause(info.Err)
	case info.Code == codec.CloseAbnormal:
		return "ended_without_close"
	}
	return fmt.Sprintf("close_%d", info.Code)
}
