package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// processorTime returns what the process has used, in user mode and in the kernel.
func processorTime() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// threadWait returns how long the calling thread has waited for a processor that others
// used, where the kernel tells.
func threadWait() time.Duration {
	var ran, waited time.Duration
	b, _ := os.ReadFile("/proc/thread-self/schedstat")
	fmt.Sscan(string(b), &ran, &waited)
	return waited
}

// isTerminal reports whether f is one.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// exactSleep makes sleep on the calling thread end when it should: the kernel may let
// others oversleep by 50 µs.
func exactSleep() { unix.Prctl(unix.PR_SET_TIMERSLACK, 1000, 0, 0, 0) }

// sleep is time.Sleep with a resolution finer than a millisecond.
func sleep(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&t, nil)
}
