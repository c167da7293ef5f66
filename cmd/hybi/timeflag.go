package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"time"
)

// A timeFlag is a time.Duration as a flag whose error says what to write.
type timeFlag time.Duration

// timeVar is flag.DurationVar with a timeFlag.
func timeVar(fs *flag.FlagSet, p *time.Duration, name string, value time.Duration, usage string) {
	*p = value
	fs.Var((*timeFlag)(p), name, usage)
}

func (f *timeFlag) String() string { return time.Duration(*f).String() }

// Set reads "10s", "1m30s", "500ms".
func (f *timeFlag) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err == nil {
		*f = timeFlag(d)
		return nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return errors.New("write a unit, such as 10s or 2m")
	}
	return fmt.Errorf("%q is not a time: write 10s, 2m or 500ms", text)
}
