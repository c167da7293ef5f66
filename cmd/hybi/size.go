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

// A sizeRange is a size, or two with a hyphen between them, as a flag.
type sizeRange struct{ least, most size }

func (r *sizeRange) String() string {
	if r.least == r.most {
		return r.least.String()
	}
	return r.least.String() + "-" + r.most.String()
}

// Set reads "64", "64KiB" or "16-4KiB".
func (r *sizeRange) Set(text string) error {
	low, high, both := strings.Cut(text, "-")
	if !both {
		high = low
	}
	var in sizeRange
	if err := in.least.Set(low); err != nil {
		return err
	}
	if err := in.most.Set(high); err != nil {
		return err
	}
	if in.least > in.most {
		return fmt.Errorf("%q: the smaller size comes first", text)
	}
	*r = in
	return nil
}
