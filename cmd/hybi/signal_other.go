//go:build !unix

package main

import "os"

// moreSignals returns the signals that ask for the counters: none here.
func moreSignals() []os.Signal { return nil }
