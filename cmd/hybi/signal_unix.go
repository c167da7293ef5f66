//go:build unix

package main

import (
	"os"
	"syscall"
)

// moreSignals returns the signals that ask for the counters.
func moreSignals() []os.Signal { return []os.Signal{syscall.SIGUSR1} }
