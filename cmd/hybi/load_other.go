//go:build !linux

package main

import (
	"os"
	"time"
)

// `hybi load` needs the reactor, and so Linux; these let it build everywhere.

func processorTime() time.Duration { return 0 }
func threadWait() time.Duration    { return 0 }
func isTerminal(*os.File) bool     { return false }
func exactSleep()                  {}
func sleep(d time.Duration)        { time.Sleep(d) }
