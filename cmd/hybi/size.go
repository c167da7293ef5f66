package main

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// A size is a number of octets as a flag: "4096", "64KiB", "32MiB", "1GiB".
type size int64

var sizeUnits = []struct {
	suffix string
	shift  int
}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}}

func (s *size) String() string {
	for i := len(sizeUnits) - 1; i >= 0; i-- {
		if u := sizeUnits[i]; *s != 0 && *s%(1<<u.shift) == 0 {
			return strconv.FormatInt(int64(*s)>>u.shift, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Set reads a size of at least one octet.
func (s *size) Set(text string) error {
	number, shift := text, 0
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(text, u.suffix); ok {
			number, shift = n, u.shift
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || bits.Len64(uint64(n))+shift > 63 {
		return fmt.Errorf("%q is not a size: write octets, or KiB, MiB, GiB, such as 32MiB", text)
	}
	*s = size(n << shift)
	return nil
}
